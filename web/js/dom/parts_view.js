// @ts-check
/** The picture of a parsed face with its parts, a chip for each part, and a pager for several photos. */

import { pointInPicture } from "../lib/geometry.js";
import { formatShare, hasChanged } from "../lib/parts_data.js";
import { text } from "../lib/texts.js";
import { Brush } from "./brush.js";
import { element, icon } from "./element.js";
import { Overlay } from "./overlay.js";
import { Pager } from "./pager.js";
import { Pages } from "./pages.js";
import { PartChips } from "./part_chips.js";

/**
 * @typedef {import("../lib/parts_data.js").Photo} Photo
 * @typedef {import("../lib/parts_data.js").Part} Part
 * @typedef {import("../lib/files.js").FileRef} FileRef
 *
 * @typedef {{
 *   urlOf: (file: FileRef) => string,
 *   switchOf: (region: string) => { isOn: boolean, isLinked: boolean, label?: string } | null,
 *   toggle: (region: string) => void,
 *   setStrength: (strength: number) => void,
 *   locale: () => string | undefined,
 *   brush?: import("./brush.js").Host,
 * }} Host What the view needs to know and to do. switchOf: null if the node has no such switch. brush: of nodes with one.
 */

export class PartsView {
  /** @param {Host} host */
  constructor(host) {
    this.host = host;
    this.highlighted = -1;
    this.strength = 0.45;
    this.error = "";
    /** What is said while there is nothing to show. */
    this.empty = text("partsBeforeRun");
    /** What else the user should know about the last run, by what it is about. @type {Record<string, string[]>} */
    this.notes = {};
    this.isClose = true;
    /** Of each photo the photo itself, the masks of its parts and those of their twins. @type {Pages<Photo>} */
    this.pages = new Pages(
      ({ photo, parts }) =>
        [photo, ...parts.map(({ mask }) => mask), ...parts.map(({ twin }) => twin)].map(
          (file) => file && host.urlOf(file),
        ),
      () => this.#turned(),
    );

    this.overlay = new Overlay();
    this.canvas = this.overlay.canvas;
    for (const canvas of [this.overlay.photo, this.canvas]) canvas.className = "consistentid-picture";
    this.brush = host.brush && this.#makeBrush(host.brush);
    this.message = element("div", { class: "consistentid-message" });
    this.pager = new Pager((page) => this.pages.turnTo(page));
    this.closeUp = element("button", {
      type: "button",
      class: "consistentid-close-up",
      onclick: () => this.#zoom(!this.isClose),
    });
    this.stage = element(
      "div",
      {
        class: "consistentid-stage",
        onpointermove: (/** @type {PointerEvent} */ event) => this.#highlight(this.#partUnder(event)),
        onpointerleave: () => this.#highlight(-1),
        onclick: (/** @type {MouseEvent} */ event) => this.#click(this.#partUnder(event)),
      },
      this.overlay.photo,
      this.canvas,
      this.message,
      ...(this.brush ? [this.brush.canvas] : []),
      this.closeUp,
      this.pager.root,
    );
    this.chips = new PartChips({
      click: (index) => this.#click(index),
      point: (index) => this.#highlight(index),
      ...(this.brush ? { paint: (/** @type {number} */ index) => this.#paintWithBrush(index) } : {}),
    });
    this.slider = element("input", {
      type: "range",
      min: 0,
      max: 100,
      step: 1,
      class: "consistentid-slider",
      title: text("strength"),
      "aria-label": text("strength"),
      oninput: () => this.setStrength(Number(this.slider.value) / 100),
      onchange: () => this.host.setStrength(this.strength),
    });
    this.line = element("div", { class: "consistentid-line", role: "status" });
    const strength = element("label", { class: "consistentid-strength" }, icon("contrast"), this.slider);
    this.footer = element("div", { class: "consistentid-footer" }, this.line, strength);
    // Beside the picture: what lies on it cannot be painted.
    const bar = this.brush ? [this.brush.bar.root] : [];
    this.root = element("div", { class: "consistentid-view" }, this.stage, ...bar, this.chips.root, this.footer);
    this.#render();
  }

  /**
   * @param {Photo[]} photos of a new result
   * @param {{ isEmpty?: boolean }} [options] isEmpty: the result has parts, and no photo of them
   */
  show(photos, { isEmpty = false } = {}) {
    this.error = "";
    this.empty = text(isEmpty ? "partsWithoutPhoto" : "partsBeforeRun");
    this.pages.show(photos);
  }

  /** @param {string} error why there is no new result; "" takes it back */
  fail(error) {
    this.error = error;
    this.#render();
  }

  /**
   * @param {string} about what the notes are about; those of before are replaced
   * @param {string[]} notes
   */
  note(about, notes) {
    this.notes[about] = notes;
    this.#render();
  }

  /** @param {number} strength 0..1 */
  setStrength(strength) {
    this.strength = strength;
    this.#paint();
    this.slider.value = String(Math.round(strength * 100));
  }

  /** Show what the switches say now. */
  refresh() {
    this.#render();
    this.#paint();
  }

  get #photo() {
    return this.pages.shown;
  }

  /** Another photo is shown. */
  #turned() {
    this.#highlight(-1);
    // While a photo is painted, a run must not move it under the brush.
    const { isOpen = false, photo } = this.brush ?? {};
    const isKept = isOpen && photo?.brush?.photo === this.#photo?.brush?.photo;
    this.#zoom(this.isClose, { isKept });
    this.brush?.show(this.#photo);
  }

  /** @param {import("./brush.js").Host} host */
  #makeBrush(host) {
    return new Brush(host, {
      changed: () => this.#zoom(this.isClose, { isKept: this.brush?.isOpen }),
      urlOf: this.host.urlOf,
      nameOf: (region) => this.#chipNamed(region)?.name ?? "",
      view: () => ({ box: this.overlay.view, photo: this.overlay.size, canvas: this.canvas }),
    });
  }

  /** @param {number} index */
  #paintWithBrush(index) {
    const part = this.#photo?.parts[index];
    if (!part || !this.brush) return;
    if (this.brush.region === part.region) this.brush.close();
    else this.brush.open(part.region);
  }

  /** @param {string} region */
  #chipNamed(region) {
    const part = this.#photo?.parts.find((candidate) => candidate.region === region);
    return part && this.#chipOf(part);
  }

  /**
   * @param {boolean} isClose
   * @param {{ isKept?: boolean }} [options] isKept: show the same of the photo, whatever the parts are now
   */
  #zoom(isClose, { isKept = false } = {}) {
    this.isClose = isClose;
    const [picture, ...masks] = this.pages.pictures;
    if (picture) {
      const parts = this.#photo?.parts ?? [];
      const layers = parts.map(({ colour, region }, index) => ({
        colour,
        mask: this.brush?.maskOf(region) ?? masks[index],
        twin: masks[parts.length + index],
        isFace: region === "face",
      }));
      this.overlay.load(picture, layers, { isClose, isKept });
      this.brush?.fit();
    }
    this.refresh();
  }

  #render() {
    const photo = this.#photo;
    const isShown = photo !== undefined && !this.pages.isGone;
    this.root.classList.toggle("consistentid-empty", !isShown);
    this.stage.classList.toggle("consistentid-stale", this.error !== "");
    this.pager.render(this.pages.page, this.pages.photos.length, photo?.total ?? 0);
    this.closeUp.hidden = !isShown || !this.overlay.hasCloseUp;
    this.closeUp.title = text(this.isClose ? "wholePhoto" : "closeUp");
    this.closeUp.setAttribute("aria-label", this.closeUp.title);
    this.closeUp.replaceChildren(icon(this.isClose ? "farther" : "closer"));
    this.chips.render(isShown ? photo.parts.map((part) => this.#chipOf(part)) : []);
    const line = this.#sentence(photo);
    this.message.textContent = isShown ? "" : this.error || line || this.empty;
    this.line.textContent = isShown ? line : "";
    this.line.title = this.line.textContent;
    this.line.classList.toggle("consistentid-error", this.error !== "");
    this.message.classList.toggle("consistentid-error", this.error !== "");
  }

  /** @param {Photo | undefined} photo */
  #sentence(photo) {
    if (this.error) return this.error;
    if (!photo) return "";
    if (this.pages.isGone) return text("filesGone");
    const switches = photo.parts.filter(({ region }) => this.host.switchOf(region));
    if (switches.length > 0 && !switches.some(({ region }) => this.#isOn(region))) return text("partsAllOff");
    if (hasChanged(photo, (region) => this.host.switchOf(region) && this.#isOn(region))) return text("changed");
    if (this.brush?.sentence) return this.brush.sentence;
    if (photo.parts.every(({ mask, source }) => mask === null && source === null)) return text("facesNone");
    return this.pages.limit || [...this.#warningsOf(photo), ...Object.values(this.notes).flat()].join(" ");
  }

  /** What makes the parts poor material. @param {Photo} photo */
  #warningsOf({ faces, tiny, parts }) {
    const warnings = faces ? [text("partsOfSeveral", { faces })] : [];
    const labels = parts.filter(({ region }) => tiny.includes(region)).map((part) => this.#nameOf(part));
    if (labels.length > 0) warnings.push(text("partsTiny", { parts: labels.join(", ") }));
    return warnings;
  }

  /** @param {Part} part */
  #nameOf(part) {
    return this.host.switchOf(part.region)?.label || part.label;
  }

  /**
   * @param {Part} part
   * @returns {import("./part_chips.js").Chip}
   */
  #chipOf(part) {
    const state = this.host.switchOf(part.region);
    const isOn = this.#isOn(part.region);
    const name = this.#nameOf(part);
    const detail = this.#detailOf(part);
    const number = (part.source?.index ?? 0) + 1;
    return {
      region: part.region,
      colour: part.colour,
      name,
      detail,
      title: [
        text(reasonOf(part, state, isOn), { part: name, share: this.#shareOf(part), number }),
        ...(part.twin ? [text("partTwin")] : []),
      ].join(" "),
      pictureUrl: part.source && this.host.urlOf(part.source.file),
      isOn,
      isDisabled: !this.#canToggle(part),
      isMissing: part.mask === null && part.source === null,
      brush: this.#pencilOf(part, name),
    };
  }

  /**
   * @param {Part} part
   * @param {string} name
   */
  #pencilOf({ region }, name) {
    if (!this.brush || !this.#photo?.brush) return null;
    return { title: text("brushOf", { part: name }), isOpen: this.brush.region === region };
  }

  /** What a chip says behind the part's name. @param {Part} part */
  #detailOf(part) {
    if (part.source) return text("partFromShort", { number: part.source.index + 1 }) + strengthOf(part);
    if (!part.mask) return text("partMissingShort");
    return (part.twin ? `${text("partTwinShort")}, ` : "") + this.#shareOf(part);
  }

  /** @param {Part} part */
  #shareOf(part) {
    return formatShare(part.area, this.host.locale()) + strengthOf(part);
  }

  #paint() {
    const photo = this.#photo;
    if (!photo || this.pages.isGone) return;
    // What is painted stays in sight, wherever the pointer is.
    const painted = photo.parts.findIndex(({ region }) => region === this.brush?.region);
    this.overlay.paint({
      isOn: photo.parts.map(({ region }) => this.#isOn(region)),
      highlighted: painted < 0 ? this.highlighted : painted,
      strength: this.strength,
    });
  }

  /** @param {string} region */
  #isOn(region) {
    const state = this.host.switchOf(region);
    const part = this.#photo?.parts.find((candidate) => candidate.region === region);
    // A linked switch has its value elsewhere; what the last run used is the best that is known.
    return state === null || state.isLinked ? (part?.enabled ?? true) && part?.strength !== 0 : state.isOn;
  }

  /** @param {Part} part */
  #canToggle(part) {
    const state = this.host.switchOf(part.region);
    return part.mask !== null && state !== null && !state.isLinked;
  }

  /** @param {number} index */
  #click(index) {
    const part = this.#photo?.parts[index];
    if (!part || this.pages.isGone) return;
    if (this.#canToggle(part)) this.host.toggle(part.region);
    else if (part.source && part.source.index < this.pages.photos.length) this.pages.turnTo(part.source.index);
  }

  /** @param {number} index */
  #highlight(index) {
    if (index === this.highlighted) return;
    this.highlighted = index;
    const part = this.#photo?.parts[index];
    this.stage.classList.toggle("consistentid-clickable", part !== undefined && this.#canToggle(part));
    this.chips.highlight(index);
    this.canvas.title = part ? this.#chipOf(part).title : "";
    this.#paint();
  }

  /** @param {MouseEvent} event */
  #partUnder(event) {
    if (event.target !== this.canvas || this.pages.isGone || !this.#photo) return -1;
    const { width, height } = this.canvas;
    return this.overlay.partAt(
      pointInPicture(this.canvas.getBoundingClientRect(), width, height, event.clientX, event.clientY),
    );
  }
}

/**
 * @param {Part} part
 * @param {{ isLinked: boolean } | null} state
 * @param {boolean} isOn
 */
function reasonOf(part, state, isOn) {
  if (part.source) return "partFrom";
  if (!part.mask) return "partMissing";
  if (!state) return "partShown";
  if (state.isLinked) return "partLinked";
  return isOn ? "partOn" : "partOff";
}

/** How strongly a part is used, if that is not as usual. @param {Part} part */
function strengthOf(part) {
  return part.strength === 1 ? "" : ` ×${part.strength.toFixed(2)}`;
}
