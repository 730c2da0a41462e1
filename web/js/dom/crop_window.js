// @ts-check
/**
 * A window with what CLIP sees of each part, large, and the photo beside the portrait that was made of it.
 *
 * The host's own slider for two pictures belongs to its node and to its newer renderer, out of reach of an extension.
 */

import { text } from "../lib/texts.js";
import { element } from "./element.js";

/** @typedef {{ label: string, colour: string, url: string }} Crop */

export class CropWindow {
  constructor() {
    /** @type {Crop[]} */
    this.crops = [];
    this.index = 0;
    this.picture = element("img", { draggable: "false" });
    this.name = element("strong", { "aria-live": "polite" });
    this.previous = this.#button("‹", "cropPrevious", () => this.#turn(-1));
    this.next = this.#button("›", "cropNext", () => this.#turn(1));
    this.photo = element("img", { alt: "", draggable: "false" });
    this.portrait = element("img", { alt: "", draggable: "false" });
    this.slider = element("input", {
      type: "range",
      min: 0,
      max: 100,
      class: "consistentid-slider",
      title: text("compare"),
      "aria-label": text("compare"),
      oninput: () => this.#cut(),
    });
    this.comparison = element(
      "div",
      { class: "consistentid-comparison" },
      element("div", { class: "consistentid-two" }, this.photo, this.portrait),
      this.slider,
    );
    this.root = element(
      "dialog",
      {
        class: "consistentid-view consistentid-dialog consistentid-crop-window",
        "aria-label": text("promptCrops"),
        // The dialog itself is what is hit beside its contents.
        onclick: (/** @type {MouseEvent} */ event) => event.target === this.root && this.root.close(),
        onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
        onclose: () => this.root.remove(),
      },
      element(
        "div",
        { class: "consistentid-dialog-body" },
        element(
          "div",
          { class: "consistentid-dialog-head" },
          ...[this.previous, this.name, this.next],
          this.#button("×", "close", () => this.root.close()),
        ),
        element("div", { class: "consistentid-pictures" }, this.picture, this.comparison),
      ),
    );
  }

  /**
   * @param {Crop[]} crops
   * @param {number} index of the one to show
   * @param {{ photo: string | null, portrait: string | null }} compared addresses; without both, nothing is compared
   */
  open(crops, index, { photo, portrait }) {
    this.crops = crops;
    this.index = index;
    this.comparison.hidden = !photo || !portrait;
    this.photo.src = photo ?? "";
    this.portrait.src = portrait ?? "";
    this.slider.value = "50";
    this.#cut();
    this.#turn(0);
    document.body.append(this.root);
    this.root.showModal();
    this.next.focus();
  }

  /** @param {number} step */
  #turn(step) {
    this.index = (this.index + step + this.crops.length) % this.crops.length;
    const { label, colour, url } = this.crops[this.index];
    this.picture.src = url;
    this.picture.alt = label;
    this.picture.style.setProperty("--part", colour);
    this.name.textContent = label;
  }

  #cut() {
    this.portrait.style.setProperty("clip-path", `inset(0 0 0 ${this.slider.value}%)`);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    event.stopPropagation(); // the canvas has keys of its own
    if (event.target === this.slider) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) this.#turn(step);
  }

  /**
   * @param {string} sign
   * @param {Parameters<typeof text>[0]} label
   * @param {() => void} click
   */
  #button(sign, label, click) {
    const title = text(label);
    return element("button", { type: "button", class: "consistentid-close", title, "aria-label": title, onclick: click }, sign);
  }
}
