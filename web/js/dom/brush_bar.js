// @ts-check
/** The brush's tools: add or erase, its size, undo, reset, done. */

import { radiusOf } from "../lib/brush_data.js";
import { text } from "../lib/texts.js";
import { element, icon } from "./element.js";

/** What was chosen last, in whatever view. */
const last = { adds: true, percent: 40 };
/** How far a key moves the slider. */
const STEP = 8;

export class BrushBar {
  /** @param {{ undo: () => void, reset: () => void, close: () => void, changed: () => void }} told */
  constructor(told) {
    this.told = told;
    this.add = this.#button("pencil", "brushAdd", () => this.#choose(true));
    this.erase = this.#button("eraser", "brushErase", () => this.#choose(false));
    this.size = element("input", {
      type: "range",
      min: 0,
      max: 100,
      step: 1,
      class: "consistentid-slider",
      title: text("brushSize"),
      "aria-label": text("brushSize"),
      oninput: () => {
        last.percent = Number(this.size.value);
        told.changed();
      },
    });
    this.undo = this.#button("undo", "brushUndo", () => this.#hasStrokes && told.undo());
    this.reset = this.#button("reset", "brushReset", () => this.#hasStrokes && told.reset());
    this.done = this.#button("done", "brushDone", () => told.close());
    this.root = element(
      "div",
      { class: "consistentid-brush-bar", role: "toolbar" },
      ...[this.add, this.erase, this.size, this.undo, this.reset, this.done],
    );
  }

  /** Whether strokes add; they erase otherwise. */
  get adds() {
    return last.adds;
  }

  /** The brush's radius, a share of the photo's longer side. */
  get radius() {
    return radiusOf(last.percent);
  }

  /** @param {1 | -1} direction */
  resize(direction) {
    last.percent = Math.min(100, Math.max(0, last.percent + direction * STEP));
    this.size.value = String(last.percent);
  }

  /** @param {{ isShown: boolean, part: string, hasStrokes: boolean }} state */
  render({ isShown, part, hasStrokes }) {
    this.root.hidden = !isShown;
    this.root.setAttribute("aria-label", text("brushOf", { part }));
    this.add.setAttribute("aria-pressed", String(last.adds));
    this.erase.setAttribute("aria-pressed", String(!last.adds));
    this.size.value = String(last.percent);
    // Not disabled: that would take the focus from whoever undoes the last stroke.
    for (const button of [this.undo, this.reset]) button.setAttribute("aria-disabled", String(!hasStrokes));
  }

  get #hasStrokes() {
    return this.undo.getAttribute("aria-disabled") !== "true";
  }

  /** @param {boolean} adds */
  #choose(adds) {
    last.adds = adds;
    this.add.setAttribute("aria-pressed", String(adds));
    this.erase.setAttribute("aria-pressed", String(!adds));
    this.told.changed();
  }

  /**
   * @param {Parameters<typeof icon>[0]} drawing
   * @param {Parameters<typeof text>[0]} label
   * @param {() => void} click
   */
  #button(drawing, label, click) {
    const title = text(label);
    return element("button", { type: "button", title, "aria-label": title, onclick: click }, icon(drawing));
  }
}
