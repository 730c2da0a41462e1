// @ts-check
/** The parts of two faces beside each other, each with a bar in its colour. */

import { placeOf } from "../lib/likeness_data.js";
import { text } from "../lib/texts.js";
import { element } from "./element.js";
import { Pager } from "./pager.js";
import { Pages } from "./pages.js";
import { renderPage } from "./photo_pages.js";

/**
 * @typedef {import("../lib/files.js").FileRef} FileRef
 * @typedef {import("../lib/likeness_data.js").ComparedPart} ComparedPart
 * @typedef {import("../lib/likeness_data.js").ComparedParts} ComparedParts
 */

export class PartLikenessView {
  /** @param {(file: FileRef) => string} urlOf */
  constructor(urlOf) {
    this.urlOf = urlOf;
    this.error = "";
    const urls = (/** @type {ComparedPart} */ { reference, picture }) => [reference, picture].map((file) => file && urlOf(file));
    /** @type {Pages<ComparedParts>} */
    this.pages = new Pages(({ parts }) => parts.flatMap(urls), () => this.#turned());

    this.rows = element("div", { class: "consistentid-part-rows", role: "list" });
    this.message = element("div", { class: "consistentid-message" });
    this.pager = new Pager((page) => this.pages.turnTo(page));
    this.stage = element("div", { class: "consistentid-stage" }, this.rows, this.message, this.pager.root);
    this.line = element("div", { class: "consistentid-line", role: "status" });
    this.root = element("div", { class: "consistentid-view" }, this.stage, this.line);
    this.#refresh();
  }

  /** @param {ComparedParts[]} compared the pictures of a new result */
  show(compared) {
    this.error = "";
    this.pages.show(compared);
  }

  /** @param {string} error why there is no new result; "" takes it back */
  fail(error) {
    this.error = error;
    this.#refresh();
  }

  #refresh() {
    this.rows.hidden = !renderPage(this, this.#sentence(this.pages.shown), text("partLikenessBeforeRun"));
  }

  #turned() {
    this.rows.replaceChildren(...(this.pages.shown?.parts ?? []).map((part) => this.#row(part)));
    this.#refresh();
  }

  /** @param {ComparedPart} part */
  #row({ label, colour, score, reference, picture }) {
    const value = score === null ? text("partNotInBoth") : score.toFixed(2);
    return element(
      "div",
      {
        class: "consistentid-part-row",
        role: "listitem",
        "--part": colour,
        "aria-label": text("partLikenessOf", { part: label, score: value }),
      },
      this.#crop(reference, text("partOfPhoto", { part: label })),
      this.#crop(picture, text("partOfPicture", { part: label })),
      element("span", {}, label),
      element("div", { class: "consistentid-bar" }, ...(score === null ? [] : [element("i", { "--at": percent(score) })])),
      element("small", {}, value),
    );
  }

  /** @param {FileRef | null} file @param {string} alt */
  #crop(file, alt) {
    if (!file) return element("div", { class: "consistentid-no-crop" });
    return element("img", { src: this.urlOf(file), alt, title: alt, draggable: "false" });
  }

  /** @param {ComparedParts | undefined} shown */
  #sentence(shown) {
    if (this.error) return this.error;
    if (!shown) return "";
    if (this.pages.isGone) return text("filesGone");
    if (shown.mean === null) return text("partLikenessNone");
    const all = shown.parts.filter(({ reference }) => reference !== null).length;
    const compared = shown.parts.filter(({ score }) => score !== null).length;
    return text("partLikenessMean", { mean: shown.mean.toFixed(2), shown: compared, all, encoder: shown.encoder });
  }
}

/** @param {number} score */
function percent(score) {
  return `${(100 * placeOf(score)).toFixed(1)}%`;
}
