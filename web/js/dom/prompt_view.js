// @ts-check
/** The final prompt with its facial words in the colours of the parts they carry, notes about it, and the crops. */

import { text } from "../lib/texts.js";
import { CropWindow } from "./crop_window.js";
import { element } from "./element.js";

/**
 * @typedef {import("../lib/prompt_data.js").Prompt} Prompt
 * @typedef {import("../lib/prompt_data.js").Piece} Piece
 */

export class PromptView {
  /**
   * @param {(file: import("../lib/files.js").FileRef) => string} urlOf
   * @param {() => string | null} [portrait] the address of the picture that was made last; null for none
   */
  constructor(urlOf, portrait = () => null) {
    this.urlOf = urlOf;
    this.portrait = portrait;
    /** @type {Prompt | null} */
    this.prompt = null;
    this.message = element("div", { class: "consistentid-message" });
    this.words = element("div", { class: "consistentid-prompt", tabindex: 0, "data-capture-wheel": "true" });
    this.notes = element("ul", { class: "consistentid-notes" });
    this.crops = element("div", { class: "consistentid-crops", title: text("promptCrops") });
    this.root = element("div", { class: "consistentid-view" }, this.message, this.words, this.crops, this.notes);
    this.fail("");
  }

  /** @param {Prompt | null} prompt */
  show(prompt) {
    this.prompt = prompt;
    this.words.replaceChildren(...(prompt?.pieces ?? []).map(toNode));
    this.notes.replaceChildren(...(prompt?.notes ?? []).map((note) => element("li", {}, note)));
    this.crops.replaceChildren(
      ...(prompt?.crops ?? []).map(({ label, colour, file }, index) => {
        const picture = element("img", { src: this.urlOf(file), alt: label, draggable: "false" });
        // The files are gone after a restart; the text is still true.
        picture.addEventListener("error", () => figure.remove());
        const title = text("cropOpen", { part: label });
        const button = element(
          "button",
          { type: "button", title, "aria-label": title, onclick: () => this.#open(index) },
          picture,
        );
        const figure = element("figure", { "--part": colour }, button, element("figcaption", {}, label));
        return figure;
      }),
    );
    this.fail("");
  }

  /** @param {number} index */
  #open(index) {
    const crops = (this.prompt?.crops ?? []).map(({ label, colour, file }) => ({ label, colour, url: this.urlOf(file) }));
    const { photo } = this.prompt ?? {};
    new CropWindow().open(crops, index, { photo: photo ? this.urlOf(photo) : null, portrait: this.portrait() });
  }

  /** @param {string} error why there is no new result; "" takes it back */
  fail(error) {
    this.root.classList.toggle("consistentid-empty", error !== "" || this.prompt === null);
    this.message.classList.toggle("consistentid-error", error !== "");
    this.message.textContent = error || text("promptBeforeRun");
  }
}

/** @param {Piece} piece */
function toNode({ text: words, carries }) {
  if (!carries) return document.createTextNode(words);
  const mark = element("mark", { "--part": carries.colour, title: text("wordCarries", { part: carries.label }) }, words);
  if (carries.isOther) mark.append(element("small", {}, ` ← ${carries.label}`));
  return mark;
}
