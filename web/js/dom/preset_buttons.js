// @ts-check
/** A row of buttons, one for each preset; the one that the node is set to is pressed. */

import { PRESETS, SETTINGS, isSet } from "../lib/presets.js";
import { text } from "../lib/texts.js";
import { element } from "./element.js";

/** @typedef {import("../lib/presets.js").Settings} Settings */
/** @typedef {keyof typeof PRESETS} Name */

const NAMES = /** @type {Name[]} */ (Object.keys(PRESETS));

export class PresetButtons {
  /**
   * @param {{ valueOf: (name: keyof Settings) => any, labelOf: (name: keyof Settings) => string,
   *   isLinked: (name: keyof Settings) => boolean, set: (settings: Settings) => void }} host the node's widgets
   */
  constructor(host) {
    this.host = host;
    this.buttons = NAMES.map((name) =>
      element("button", { type: "button", class: "consistentid-preset", onclick: () => host.set(PRESETS[name]) }),
    );
    this.root = element(
      "div",
      { class: "consistentid-view consistentid-presets", role: "group", "aria-label": text("presets") },
      ...this.buttons,
    );
    this.refresh();
  }

  /** Show what the node's widgets say now. */
  refresh() {
    for (const [index, name] of NAMES.entries()) {
      const button = this.buttons[index];
      button.textContent = text(name);
      button.title = SETTINGS.map((setting) => `${this.host.labelOf(setting)} ${PRESETS[name][setting]}`).join(", ");
      button.setAttribute("aria-pressed", String(isSet(PRESETS[name], this.host.valueOf)));
      // What another node decides cannot be set here.
      button.disabled = SETTINGS.some((setting) => this.host.isLinked(setting));
    }
  }
}
