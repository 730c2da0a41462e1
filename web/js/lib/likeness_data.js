// @ts-check
/** What Face Likeness and Part Likeness report, read with care: it may come from an older version of the node. */

import { facesOf } from "./faces_data.js";
import { isFile } from "./files.js";
import { photoEntries } from "./photo_entries.js";

/**
 * @typedef {import("./files.js").FileRef} FileRef
 * @typedef {{ kind: "same" | "other", typical: number, low: number, high: number, pairs: number, source: string }} Level pairs: 0 if it was not measured, but is usual for networks such as the source
 * @typedef {{ name: string, flatters: boolean, levels: Level[] }} Recogniser
 * @typedef {{ best: number, mean: number }} Score
 * @typedef {import("./photo_entries.js").PhotoEntry & {
 *   chosen: number | null, faces: import("./faces_data.js").Face[], score: number, scores: Score[],
 * }} LikenessPhoto scores: of each recogniser; none without a face.
 * @typedef {{ photos: LikenessPhoto[], scores: number[], recognisers: Recogniser[] }} Likeness
 * @typedef {{ region: string, label: string, colour: string, score: number | null, reference: FileRef | null, picture: FileRef | null }} ComparedPart
 * @typedef {{ total: number, encoder: string, mean: number | null, coverage: number, parts: ComparedPart[] }} ComparedParts
 */

/** The keys of a node's result. */
export const LIKENESS_KEY = "consistentid_likeness";
export const SCALE_KEY = "consistentid_likeness_scale";
export const PART_LIKENESS_KEY = "consistentid_part_likeness";

/** The ends of the scale: lower scores do not occur, and mean the same. */
const AXIS = { low: -0.2, high: 1 };

/**
 * The pictures and the scale in a node's result; what cannot be shown is left out.
 * @param {any} output
 * @returns {Likeness}
 */
export function likenessFrom(output) {
  const photos = photoEntries(output, LIKENESS_KEY, "faces", (entry) => ({
    chosen: Number.isInteger(entry.chosen) ? entry.chosen : null,
    faces: facesOf(entry.faces),
    score: Number(entry.score) || 0,
    scores: listOf(entry.scores).map((/** @type {any} */ score) => ({ best: Number(score?.best) || 0, mean: Number(score?.mean) || 0 })),
  }));
  // A list of pictures is judged one by one, and the results are put behind each other.
  const scales = listOf(output?.[SCALE_KEY]);
  const total = Math.max(photos.length, photos[0]?.total ?? 0);
  return {
    photos: photos.map((photo) => ({ ...photo, total })),
    scores: scales.flatMap((scale) => listOf(scale?.scores)).filter(Number.isFinite),
    recognisers: listOf(scales[0]?.recognisers).map(toRecogniser),
  };
}

/**
 * The pictures in a result of Part Likeness; what cannot be shown is left out.
 * @param {any} output
 * @returns {ComparedParts[]}
 */
export function partLikenessFrom(output) {
  const entries = listOf(output?.[PART_LIKENESS_KEY]).filter((entry) => Array.isArray(entry?.parts));
  const total = Math.max(entries.length, Number(entries[0]?.total) || 0);
  return entries.map((entry) => ({
    total,
    encoder: String(entry.encoder ?? ""),
    mean: Number.isFinite(entry.mean) ? entry.mean : null,
    coverage: Number(entry.coverage) || 0,
    parts: entry.parts.filter((/** @type {any} */ part) => typeof part?.region === "string").map(toPart),
  }));
}

/** A score's place on the scale, 0..1. @param {number} score */
export function placeOf(score) {
  return Math.min(1, Math.max(0, (score - AXIS.low) / (AXIS.high - AXIS.low)));
}

/** @param {any} recogniser @returns {Recogniser} */
function toRecogniser(recogniser) {
  const levels = listOf(recogniser?.levels).filter(
    (level) => ["same", "other"].includes(level?.kind) && [level.typical, level.low, level.high].every(Number.isFinite),
  );
  return {
    name: String(recogniser?.name ?? ""),
    flatters: recogniser?.flatters === true,
    levels: levels.map(({ kind, typical, low, high, pairs, source }) => ({ kind, typical, low, high, pairs: Number(pairs) || 0, source: String(source ?? "") })),
  };
}

/** @param {any} part @returns {ComparedPart} */
function toPart({ region, label, colour, score, reference, picture }) {
  return {
    region,
    label: typeof label === "string" ? label : region,
    colour: /^#[0-9a-f]{6}$/i.test(colour) ? colour : "#9aa0a6",
    score: Number.isFinite(score) ? score : null,
    reference: isFile(reference) ? reference : null,
    picture: isFile(picture) ? picture : null,
  };
}

/** @param {any} value @returns {any[]} */
function listOf(value) {
  return Array.isArray(value) ? value : [];
}
