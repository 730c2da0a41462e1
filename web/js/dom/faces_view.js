// @ts-check
/** Photos with a numbered box around each face that was found; a click chooses a face. */

import { cropSentence } from "../lib/faces_data.js";
import { stepByKey } from "../lib/keys.js";
import { text } from "../lib/texts.js";
import { element } from "./element.js";
import { Pager } from "./pager.js";
import { Pages } from "./pages.js";
import { renderPage, renderPicture } from "./photo_pages.js";

/**
 * @typedef {import("../lib/faces_data.js").FacesPhoto} FacesPhoto
 *
 * @typedef {{
 *   urlOf: (file: import("../lib/files.js").FileRef) => string,
 *   chosen: () => number | null,
 *   choose: (index: number) => void,
 *   locale: () => string | undefined,
 * }} Host What the view needs to know and to do. chosen: null if the node's widget does not decide.
 */

export class FacesView {
  /** @param {Host} host */
  constructor(host) {
    this.host = host;
    this.error = "";
    /** @type {Pages<FacesPhoto>} */
    this.pages = new Pages(({ photo }) => [host.urlOf(photo)], () => this.#turned());

    this.picture = element("img", { alt: "", draggable: "false" });
    this.boxes = element("div", {
      role: "radiogroup",
      "aria-label": text("faces"),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.#moveFocus(event),
    });
    /** What is cut out. */
    this.crop = element("div", { class: "consistentid-crop", "aria-hidden": "true" });
    this.frame = element("div", { class: "consistentid-frame" }, this.picture, this.crop, this.boxes);
    this.message = element("div", { class: "consistentid-message" });
    this.pager = new Pager((page) => this.pages.turnTo(page));
    this.stage = element("div", { class: "consistentid-stage" }, this.frame, this.message, this.pager.root);
    this.line = element("div", { class: "consistentid-line", role: "status" });
    this.root = element("div", { class: "consistentid-view" }, this.stage, this.line);
    this.refresh();
  }

  /** @param {FacesPhoto[]} photos of a new result */
  show(photos) {
    this.error = "";
    this.pages.show(photos);
  }

  /** @param {string} error why there is no new result; "" takes it back */
  fail(error) {
    this.error = error;
    this.refresh();
  }

  /** Show what the node's widget says now. */
  refresh() {
    const { shown: photo } = this.pages;
    renderPage(this, this.#sentence(photo), text("facesBeforeRun"));
    // Where another face will be cut out, only the next run knows.
    this.crop.hidden = !photo?.crop?.place || this.#chosen(photo) !== photo.chosen;
    for (const [index, box] of this.#boxes.entries()) {
      const isChosen = index === this.#chosen(photo);
      const { score } = /** @type {FacesPhoto} */ (photo).faces[index];
      box.setAttribute("aria-checked", String(isChosen));
      box.tabIndex = isChosen || (index === 0 && this.#chosen(photo) === null) ? 0 : -1;
      box.title = text(isChosen ? "faceChosen" : "faceOther", { number: index, score: score.toFixed(2) });
      box.setAttribute("aria-label", box.title);
    }
  }

  /** Another photo: its faces get their boxes. */
  #turned() {
    const { shown: photo } = this.pages;
    renderPicture(this);
    if (photo?.crop?.place) putAt(this.crop, photo.crop.place);
    this.boxes.replaceChildren(...(photo?.faces ?? []).map((face, index) => this.#makeBox(face, index)));
    this.refresh();
  }

  /**
   * @param {import("../lib/faces_data.js").Face} face
   * @param {number} index
   */
  #makeBox(face, index) {
    const box = element(
      "button",
      { type: "button", role: "radio", class: "consistentid-face", onclick: () => this.host.choose(index) },
      element("span", {}, String(index)),
    );
    putAt(box, face);
    return box;
  }

  get #boxes() {
    return /** @type {HTMLElement[]} */ ([...this.boxes.children]);
  }

  /** @param {FacesPhoto | undefined} photo */
  #chosen(photo) {
    return this.host.chosen() ?? photo?.chosen ?? null;
  }

  /** @param {FacesPhoto | undefined} photo */
  #sentence(photo) {
    if (this.error) return this.error;
    if (!photo) return "";
    if (this.pages.isGone) return text("filesGone");
    if (photo.faces.length === 0) return text(photo.crop ? "cropNobody" : "facesNone");
    if (this.#chosen(photo) !== photo.chosen) return text("changed");
    return this.pages.limit || (photo.crop ? cropSentence(photo.crop, this.host.locale()) : "");
  }

  /** @param {KeyboardEvent} event */
  #moveFocus(event) {
    const boxes = this.#boxes;
    const focused = boxes.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const next = focused < 0 ? null : stepByKey(event.key, focused, boxes.length);
    if (next === null) return;
    event.preventDefault();
    boxes[next].focus();
  }
}

/**
 * @param {HTMLElement} box
 * @param {import("../lib/faces_data.js").Place} place
 */
function putAt(box, place) {
  for (const side of /** @type {const} */ (["left", "top", "width", "height"])) {
    box.style[side] = `${100 * place[side]}%`;
  }
}
