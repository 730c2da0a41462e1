// @ts-check
/** A scale with what photos of one person and of two usually score, and where pictures lie on it. */

import { placeOf } from "../lib/likeness_data.js";
import { text } from "../lib/texts.js";
import { element } from "./element.js";

/** @typedef {import("../lib/likeness_data.js").Recogniser} Recogniser */

/** Marks below the scale. */
const TICKS = [0, 0.25, 0.5, 0.75, 1];

/**
 * The scale of one recogniser.
 * @param {Recogniser} recogniser
 * @param {number | null} score of the picture that is shown; null without a face
 * @param {number[]} others scores of all pictures
 */
export function likenessScale(recogniser, score, others) {
  const bands = recogniser.levels.map((level) =>
    element("i", {
      class: `consistentid-band consistentid-band-${level.kind}`,
      "--low": percent(level.low),
      "--high": percent(level.high),
      // Within the band.
      "--typical": `${(100 * inside(level)).toFixed(1)}%`,
      title: sentenceOf(level),
    }),
  );
  const dots = others.map((other) => element("i", { class: "consistentid-dot", "--at": percent(other) }));
  const mark =
    score === null ? [] : [element("b", { class: "consistentid-mark", "--at": percent(score) }, score.toFixed(2))];
  const ticks = TICKS.map((tick) => element("small", { "--at": percent(tick) }, String(tick)));
  const label = [text("likenessScale", { name: recogniser.name, score: score === null ? "–" : score.toFixed(2) })];
  label.push(...recogniser.levels.map(sentenceOf));
  return element(
    "div",
    { class: "consistentid-scale", role: "img", "aria-label": label.join(". ") },
    element("div", { class: "consistentid-marks" }, ...mark),
    element("div", { class: "consistentid-axis" }, ...bands, ...dots),
    element("div", { class: "consistentid-ticks" }, ...ticks),
  );
}

/**
 * What the bands of a scale mean, as a list.
 * @param {Recogniser} recogniser
 */
export function legendOf(recogniser) {
  return recogniser.levels.map((level) =>
    element("li", {}, element("i", { class: `consistentid-key consistentid-band-${level.kind}` }), sentenceOf(level)),
  );
}

/** @param {import("../lib/likeness_data.js").Level} level */
function sentenceOf({ kind, typical, low, high, pairs, source: network }) {
  const values = { typical: typical.toFixed(2), low: low.toFixed(2), high: high.toFixed(2) };
  const source = pairs > 0 ? text("levelMeasured", { pairs }) : text("levelUsual", { network });
  return `${text(kind === "same" ? "levelSame" : "levelOther", values)} (${source})`;
}

/** Where in its band the typical score lies, 0..1. @param {import("../lib/likeness_data.js").Level} level */
function inside({ typical, low, high }) {
  const width = placeOf(high) - placeOf(low);
  return width > 0 ? (placeOf(typical) - placeOf(low)) / width : 0.5;
}

/** @param {number} score */
function percent(score) {
  return `${(100 * placeOf(score)).toFixed(1)}%`;
}
