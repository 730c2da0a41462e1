// @ts-check
/** A brush on the picture of a face: adds to or erases from the mask of one part. */

import { isTooMuch, strokesOf, tidied, withoutAll, withoutLast, withStroke } from "../lib/brush_data.js";
import { placeInPicture } from "../lib/geometry.js";
import { text } from "../lib/texts.js";
import { BrushBar } from "./brush_bar.js";
import { context, drawStroke, paintedMask } from "./brush_drawing.js";
import { element, loadPicture } from "./element.js";

/**
 * @typedef {import("../lib/brush_data.js").Corrections} Corrections
 * @typedef {import("../lib/brush_data.js").Stroke} Stroke
 * @typedef {import("../lib/parts_data.js").Photo} Photo
 * @typedef {import("../lib/geometry.js").Box} Box
 *
 * @typedef {{
 *   file: () => string,
 *   read: (file: string) => Promise<Corrections>,
 *   write: (corrections: Corrections) => Promise<void>,
 *   opened: () => string,
 *   open: (region: string) => void,
 * }} Host Where strokes are kept. file: which one the node names.  opened, open: the part that is being painted, "" for none,
 *   known beyond the life of the view.
 *
 * @typedef {{
 *   changed: () => void,
 *   urlOf: (file: import("../lib/files.js").FileRef) => string,
 *   nameOf: (region: string) => string,
 *   view: () => { box: Box, photo: { width: number, height: number }, canvas: HTMLCanvasElement },
 * }} Parts The view it paints on. changed: masks or sentences are others now. view: the box of the photo that a canvas shows.
 */

/** How far an arrow key moves the brush, in its own radii. */
const STEP = 1;

export class Brush {
  /**
   * @param {Host} host
   * @param {Parts} parts
   */
  constructor(host, parts) {
    this.host = host;
    this.parts = parts;
    /** The part that is painted; "" for none. */
    this.region = "";
    /** @type {Photo | undefined} */
    this.photo = undefined;
    /** What is painted now, and what the last run knew. @type {Corrections} */
    this.now = {};
    /** @type {Corrections} */
    this.before = {};
    /** The masks before any stroke, by region. @type {Record<string, HTMLImageElement | null>} */
    this.bases = {};
    /** Why strokes are not kept or not known. */
    this.error = "";
    /** Counts what was asked for: what arrives late is not shown. */
    this.requests = 0;
    /** Where the brush is, as shares of what is shown; null while it is elsewhere. @type {{ x: number, y: number } | null} */
    this.place = null;
    /** The stroke under way, in shares of the photo. @type {number[]} */
    this.points = [];

    this.bar = new BrushBar({
      undo: () => this.#commit(withoutLast(this.now, this.#id, this.region)),
      reset: () => this.#commit(withoutAll(this.now, this.#id, this.region)),
      close: () => this.close(),
      changed: () => this.#draw(),
    });
    this.canvas = element("canvas", {
      class: "consistentid-picture consistentid-brush",
      tabindex: 0,
      role: "application",
      onpointerdown: (/** @type {PointerEvent} */ event) => this.#begin(event),
      onpointermove: (/** @type {PointerEvent} */ event) => this.#move(event),
      onpointerup: (/** @type {PointerEvent} */ event) => this.#end(event),
      onpointercancel: (/** @type {PointerEvent} */ event) => this.#end(event),
      onpointerleave: () => this.#leave(),
      // The picture below is for switching parts.
      onclick: (/** @type {Event} */ event) => event.stopPropagation(),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
    });
    this.bar.root.addEventListener("keydown", (event) => event.key === "Escape" && this.#escape(event));
    this.#render();
  }

  get isOpen() {
    return this.region !== "";
  }

  /** Another photo, another result, or another file. @param {Photo | undefined} photo */
  async show(photo) {
    const request = ++this.requests;
    // A stroke under way was begun on another one.
    if (photo?.brush?.photo !== this.#id) this.points = [];
    this.photo = photo;
    if (!photo?.brush) return this.#take({}, {}, {});
    const { file, masks } = photo.brush;
    /** @param {string} name */
    const known = (name) => this.host.read(name).catch(() => null);
    const before = await known(file);
    const isPainted = this.host.file() !== "" || file !== "" || this.host.opened() !== "";
    /** @type {Record<string, HTMLImageElement | null>} */
    const bases = {};
    for (const { region, mask } of isPainted ? photo.parts : []) {
      const base = region in masks ? masks[region] : mask;
      bases[region] = base && (await loadPicture(this.parts.urlOf(base)).catch(() => null));
    }
    // Last, and as often as it takes: what was painted meanwhile is in another file.
    let [named, now] = ["", /** @type {Corrections | null} */ (null)];
    do {
      if (request !== this.requests) return;
      named = this.host.file();
      now = await known(named);
    } while (named !== this.host.file() || request !== this.requests);
    this.error = now ? "" : text("brushGone", { file: this.host.file() });
    this.#take(now ?? {}, before ?? {}, bases);
  }

  /**
   * Paint a part.
   * @param {string} region
   */
  open(region) {
    this.region = region;
    this.host.open(region);
    this.#render();
    this.show(this.photo);
    this.canvas.focus({ preventScroll: true });
  }

  close() {
    this.region = "";
    this.place = null;
    this.points = [];
    this.host.open("");
    this.#render();
    this.parts.changed();
  }

  /**
   * A part's mask as it is painted now; undefined where that is what the last run had.
   * @param {string} region
   */
  maskOf(region) {
    const strokes = strokesOf(this.now, this.#id, region);
    const isAsBefore = JSON.stringify(strokes) === JSON.stringify(strokesOf(this.before, this.#id, region));
    if (isAsBefore || !this.photo) return undefined;
    return paintedMask(this.bases[region] ?? null, strokes, this.photo);
  }

  /** Whether a part has strokes. @param {string} region */
  hasStrokes(region) {
    return strokesOf(this.now, this.#id, region).length > 0;
  }

  /** What to say of the strokes; "" for nothing. */
  get sentence() {
    if (this.error) return this.error;
    const { brush } = this.photo ?? {};
    if (!brush) return "";
    if (brush.file !== this.host.file()) return text("changed");
    return brush.is_aside ? text("brushAside") : "";
  }

  /** The picture was painted anew: the brush's own lies over it. */
  fit() {
    const { canvas } = this.parts.view();
    if (this.canvas.width !== canvas.width) this.canvas.width = canvas.width;
    if (this.canvas.height !== canvas.height) this.canvas.height = canvas.height;
    this.#draw();
  }

  get #id() {
    return this.photo?.brush?.photo ?? "";
  }

  /**
   * @param {Corrections} now
   * @param {Corrections} before
   * @param {Record<string, HTMLImageElement | null>} bases
   */
  #take(now, before, bases) {
    this.now = now;
    this.before = before;
    this.bases = bases;
    if (!this.photo?.brush) this.region = "";
    else this.region = this.host.opened();
    this.#render();
    this.parts.changed();
  }

  /** @param {Corrections} corrections */
  #commit(corrections) {
    this.now = corrections;
    this.error = "";
    this.host.write(corrections).catch((error) => {
      this.error = text("brushUnsaved", { reason: error.message });
      this.parts.changed();
    });
    this.#render();
    this.parts.changed();
  }

  #render() {
    const part = this.parts.nameOf(this.region);
    this.canvas.hidden = !this.isOpen;
    this.canvas.setAttribute("aria-label", text("brushCanvas", { part }));
    this.bar.render({ isShown: this.isOpen, part, hasStrokes: this.hasStrokes(this.region) });
  }

  /** @param {PointerEvent} event */
  #begin(event) {
    if (event.button !== 0) return;
    event.stopPropagation();
    // A press elsewhere in a view takes the focus away from a text; here too.
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture?.(event.pointerId);
    this.points = [];
    this.#add(event);
    this.#draw();
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (event.buttons & ~1) return; // the canvas is being moved
    event.stopPropagation();
    this.place = this.#placeOf(event);
    if (this.points.length > 0) {
      const events = event.getCoalescedEvents?.() ?? [];
      for (const one of events.length > 0 ? events : [event]) this.#add(one);
    }
    this.#draw();
  }

  /** @param {PointerEvent} event */
  #end(event) {
    if (this.points.length === 0) return;
    event.stopPropagation();
    this.#finish();
  }

  #leave() {
    this.place = null;
    this.#draw();
  }

  #finish() {
    const { radius, adds } = this.bar;
    const stroke = { region: this.region, adds, radius, points: tidied(this.points, radius) };
    this.points = [];
    const { width, height } = /** @type {Photo} */ (this.photo);
    const corrections = withStroke(this.now, { id: this.#id, width, height }, stroke);
    if (isTooMuch(corrections)) {
      this.error = text("brushFull");
      this.parts.changed();
    } else this.#commit(corrections);
    this.#draw();
  }

  /** @param {MouseEvent} event */
  #add(event) {
    this.place = this.#placeOf(event);
    this.points.push(...this.#inPhoto(this.place));
  }

  /** Arrow keys move the brush, space and enter dab, brackets set its size. @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return this.#escape(event);
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (step) {
      const { across, down } = this.#reach;
      const { x, y } = this.place ?? { x: 0.5, y: 0.5 };
      this.place = { x: within(x + STEP * step[0] * across), y: within(y + STEP * step[1] * down) };
    } else if (event.key === " " || event.key === "Enter") {
      this.place ??= { x: 0.5, y: 0.5 };
      this.points = this.#inPhoto(this.place);
      this.#finish();
    } else if (event.key === "[" || event.key === "]") {
      this.bar.resize(event.key === "]" ? 1 : -1);
    } else return;
    event.preventDefault();
    event.stopPropagation();
    this.#draw();
  }

  /** @param {Event} event */
  #escape(event) {
    event.preventDefault();
    event.stopPropagation();
    this.close();
  }

  /** The radius of the brush, as shares of what is shown. */
  get #reach() {
    const { box, photo } = this.parts.view();
    const radius = this.bar.radius * Math.max(photo.width, photo.height);
    return { across: radius / box.width, down: radius / box.height };
  }

  /** @param {MouseEvent} event */
  #placeOf({ clientX, clientY }) {
    const { width, height } = this.canvas;
    return placeInPicture(this.canvas.getBoundingClientRect(), width, height, clientX, clientY);
  }

  /** @param {{ x: number, y: number }} place */
  #inPhoto({ x, y }) {
    const { box, photo } = this.parts.view();
    return [(box.left + x * box.width) / photo.width, (box.top + y * box.height) / photo.height];
  }

  /** The stroke under way, and a ring as large as the brush. */
  #draw() {
    const target = context(this.canvas);
    const { width, height } = this.canvas;
    target.clearRect(0, 0, width, height);
    if (!this.isOpen) return;
    const { across } = this.#reach;
    const radius = across * width;
    const { box, photo } = this.parts.view();
    if (this.points.length > 0) {
      const points = this.points.map((value, index) =>
        index % 2 === 0
          ? ((value * photo.width - box.left) / box.width) * width
          : ((value * photo.height - box.top) / box.height) * height,
      );
      const colour = this.photo?.parts.find(({ region }) => region === this.region)?.colour ?? "#fff";
      target.globalAlpha = 0.6;
      drawStroke(target, points, radius, this.bar.adds ? colour : "#000");
      target.globalAlpha = 1;
    }
    if (!this.place) return;
    for (const [colour, line] of /** @type {const} */ ([["#000", 3.5], ["#fff", 1.5]])) {
      target.beginPath();
      target.arc(this.place.x * width, this.place.y * height, Math.max(1, radius), 0, 2 * Math.PI);
      target.strokeStyle = colour;
      target.lineWidth = line;
      target.stroke();
    }
  }
}

/** @param {number} share */
function within(share) {
  return Math.min(Math.max(share, 0), 1);
}
