// @ts-check
/** A row of chips, one for each part of a face: colour, name and something about it; a click switches it. */

import { stepByKey } from "../lib/keys.js";
import { text } from "../lib/texts.js";
import { element, icon } from "./element.js";

/**
 * @typedef {{
 *   region: string, colour: string, name: string, detail: string, title: string, pictureUrl: string | null,
 *   isOn: boolean, isDisabled: boolean, isMissing: boolean, brush?: { title: string, isOpen: boolean } | null,
 * }} Chip What a chip shows. pictureUrl: a close-up of the part, in place of its colour. brush: of a part with a pencil.
 */

export class PartChips {
  /** @param {{ click: (index: number) => void, point: (index: number) => void, paint?: (index: number) => void }} told
   *   point: -1 for none any more.  paint: the pencil was pressed */
  constructor(told) {
    this.told = told;
    this.root = element("div", {
      class: "consistentid-chips",
      role: "toolbar",
      "aria-label": text("parts"),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.#moveFocus(event),
    });
  }

  /** @param {Chip[]} chips */
  render(chips) {
    // Elements are kept: replacing the one that is being clicked or focused would end that.
    while (this.root.children.length > chips.length) this.root.lastElementChild?.remove();
    while (this.root.children.length < chips.length) this.root.append(this.#make(this.root.children.length));
    const focused = Math.max(0, this.#focused());
    for (const [index, chip] of chips.entries()) {
      const button = this.#buttons[index];
      renderPencil(pencilBeside(button), chip, index === focused);
      button.dataset.region = chip.region;
      button.style.setProperty("--part", chip.colour);
      button.title = chip.title;
      button.tabIndex = index === focused ? 0 : -1;
      button.setAttribute("aria-checked", String(chip.isOn));
      button.setAttribute("aria-disabled", String(chip.isDisabled));
      button.classList.toggle("consistentid-missing", chip.isMissing);
      const [dot, name, detail] = /** @type {HTMLElement[]} */ ([...button.children]);
      dot.style.backgroundImage = chip.pictureUrl ? `url("${chip.pictureUrl}")` : "";
      name.textContent = chip.name;
      detail.textContent = chip.detail;
    }
  }

  /** @param {number} highlighted index, or -1 */
  highlight(highlighted) {
    for (const [index, button] of this.#buttons.entries()) {
      button.classList.toggle("consistentid-highlighted", index === highlighted);
    }
  }

  get #buttons() {
    return /** @type {HTMLElement[]} */ ([...this.root.querySelectorAll(".consistentid-chip")]);
  }

  /** The place of the chip that has the focus, or its pencil has; -1 for none. */
  #focused() {
    return [...this.root.children].findIndex((place) => place.contains(document.activeElement));
  }

  /** @param {number} index */
  #make(index) {
    const chip = element(
      "button",
      {
        type: "button",
        role: "switch",
        class: "consistentid-chip",
        onclick: () => this.told.click(index),
        onpointerenter: () => this.told.point(index),
        onpointerleave: () => this.told.point(-1),
        onfocus: () => this.told.point(index),
        onblur: () => this.told.point(-1),
      },
      element("i"),
      element("span"),
      " ",
      element("small"),
    );
    const { paint } = this.told;
    if (!paint) return chip;
    const pencil = element(
      "button",
      { type: "button", class: "consistentid-pencil", onclick: () => paint(index) },
      icon("pencil"),
    );
    return element("span", { class: "consistentid-chip-group" }, chip, pencil);
  }

  /** One chip is a stop of the tab key, arrow keys lead to the others. @param {KeyboardEvent} event */
  #moveFocus(event) {
    const focused = this.#focused();
    const next = focused < 0 ? null : stepByKey(event.key, focused, this.#buttons.length);
    if (next === null) return;
    event.preventDefault();
    for (const [index, button] of this.#buttons.entries()) {
      button.tabIndex = index === next ? 0 : -1;
      const pencil = pencilBeside(button);
      if (pencil) pencil.tabIndex = button.tabIndex;
    }
    this.#buttons[next].focus();
  }
}

/** The pencil of a chip, where parts can be painted. @param {HTMLElement} chip */
function pencilBeside(chip) {
  const beside = chip.nextElementSibling;
  return beside?.classList.contains("consistentid-pencil") ? /** @type {HTMLElement} */ (beside) : null;
}

/**
 * @param {HTMLElement | null} pencil
 * @param {Chip} chip
 * @param {boolean} isStop whether the tab key leads to it
 */
function renderPencil(pencil, { brush, colour }, isStop) {
  if (!pencil) return;
  pencil.hidden = !brush;
  pencil.style.setProperty("--part", colour);
  pencil.tabIndex = isStop ? 0 : -1;
  if (!brush) return;
  pencil.title = brush.title;
  pencil.setAttribute("aria-label", brush.title);
  pencil.setAttribute("aria-pressed", String(brush.isOpen));
}
