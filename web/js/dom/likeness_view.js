// @ts-check
/** Pictures with their face boxed and its score, and the scale that the score is read against. */

import { text } from "../lib/texts.js";
import { element } from "./element.js";
import { legendOf, likenessScale } from "./likeness_scale.js";
import { Pager } from "./pager.js";
import { Pages } from "./pages.js";
import { renderPage, renderPicture } from "./photo_pages.js";

/**
 * @typedef {import("../lib/likeness_data.js").Likeness} Likeness
 * @typedef {import("../lib/likeness_data.js").LikenessPhoto} LikenessPhoto
 */

export class LikenessView {
  /** @param {(file: import("../lib/files.js").FileRef) => string} urlOf */
  constructor(urlOf) {
    this.error = "";
    /** @type {Likeness} */
    this.likeness = { photos: [], scores: [], recognisers: [] };
    /** @type {Pages<LikenessPhoto>} */
    this.pages = new Pages(({ photo }) => [urlOf(photo)], () => this.#turned());

    this.picture = element("img", { alt: "", draggable: "false" });
    this.boxes = element("div", {});
    this.frame = element("div", { class: "consistentid-frame" }, this.picture, this.boxes);
    this.message = element("div", { class: "consistentid-message" });
    this.pager = new Pager((page) => this.pages.turnTo(page));
    this.stage = element("div", { class: "consistentid-stage" }, this.frame, this.message, this.pager.root);
    this.judged = element("div", { class: "consistentid-judged" });
    this.line = element("div", { class: "consistentid-line", role: "status" });
    this.root = element("div", { class: "consistentid-view" }, this.stage, this.judged, this.line);
    this.#refresh();
  }

  /** @param {Likeness} likeness a new result */
  show(likeness) {
    this.error = "";
    this.likeness = likeness;
    this.pages.show(likeness.photos);
  }

  /** @param {string} error why there is no new result; "" takes it back */
  fail(error) {
    this.error = error;
    this.#refresh();
  }

  #refresh() {
    renderPage(this, this.#sentence(this.pages.shown), text("likenessBeforeRun"));
  }

  /** Another picture: its faces get their boxes, its score its place on the scale. */
  #turned() {
    const { shown: photo } = this.pages;
    renderPicture(this);
    this.boxes.replaceChildren(...(photo ? photo.faces.map((face, index) => boxOf(photo, face, index)) : []));
    this.judged.replaceChildren(...(photo ? this.#judgement(photo) : []));
    this.#refresh();
  }

  /** The scale of the judge, what its bands mean, and what the others say. @param {LikenessPhoto} photo */
  #judgement(photo) {
    const { recognisers, scores } = this.likeness;
    const [judge] = recognisers;
    if (!judge) return [];
    const isSeen = photo.chosen !== null;
    return [
      likenessScale(judge, isSeen ? photo.score : null, scores),
      element("ul", { class: "consistentid-legend" }, ...legendOf(judge)),
      element("div", { class: "consistentid-said" }, this.#said(photo)),
      ...(judge.levels.length === 0 ? [element("div", { class: "consistentid-said" }, text("likenessNoLevels"))] : []),
      ...recognisers
        .filter(({ flatters }) => flatters)
        .map(({ name }) => element("div", { class: "consistentid-said" }, text("likenessFlatters", { name }))),
    ];
  }

  /** What each recogniser says of a picture. @param {LikenessPhoto} photo */
  #said(photo) {
    return photo.scores
      .map(({ best, mean }, index) => {
        const said = text("likenessBy", { name: this.likeness.recognisers[index]?.name ?? "", score: best.toFixed(2) });
        return best === mean ? said : `${said} (${text("likenessMean", { mean: mean.toFixed(2) })})`;
      })
      .join(" · ");
  }

  /** @param {LikenessPhoto | undefined} photo */
  #sentence(photo) {
    if (this.error) return this.error;
    if (!photo) return "";
    if (this.pages.isGone) return text("filesGone");
    return photo.chosen === null ? text("likenessNoFace") : this.pages.limit;
  }
}

/**
 * @param {LikenessPhoto} photo
 * @param {import("../lib/faces_data.js").Face} face
 * @param {number} index
 */
function boxOf(photo, face, index) {
  const isJudged = index === photo.chosen;
  const score = isJudged ? [element("span", {}, photo.score.toFixed(2))] : [];
  const box = element("div", { class: "consistentid-face", "data-judged": isJudged || null }, ...score);
  for (const side of /** @type {const} */ (["left", "top", "width", "height"])) {
    box.style[side] = `${100 * face[side]}%`;
  }
  return box;
}
