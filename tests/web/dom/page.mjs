// @ts-check
/**
 * A page without a browser, for tests of what is in web/js/dom: import it before the view.
 *
 * It has no layout and paints nothing. Pictures are {@link picture}s by address; a canvas holds the picture that was
 * drawn on it last, so that grey masks can be read back.
 */

import { Window } from "happy-dom";

/**
 * @typedef {(x: number, y: number) => number} Grey a picture's value at a point, both 0..1: 0..255
 * @typedef {{ width: number, height: number, grey: Grey }} Drawing
 */

const window = new Window({ url: "http://127.0.0.1/" });

/** What an address leads to. @type {Map<string, Drawing>} */
const drawings = new Map();
/** Pictures that are still on their way. @type {Map<string, Promise<void>>} */
const held = new Map();

/**
 * Put a picture at an address.
 * @param {string} url
 * @param {Partial<Drawing>} [drawing]
 */
export function picture(url, { width = 100, height = 80, grey = () => 0 } = {}) {
  drawings.set(url, { width, height, grey });
}

/**
 * Let a picture arrive only when the returned function is called.
 * @param {string} url
 */
export function hold(url) {
  /** @type {() => void} */
  let release = () => {};
  held.set(url, new Promise((resolve) => (release = resolve)));
  return release;
}

/** Wait until everything that was under way has arrived. */
export async function settle() {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setTimeout(resolve));
}

/** Stands for the browser's pictures. */
class Picture {
  src = "";
  get #drawing() {
    return drawings.get(this.src);
  }
  get naturalWidth() {
    return this.#drawing?.width ?? 0;
  }
  get naturalHeight() {
    return this.#drawing?.height ?? 0;
  }
  get grey() {
    return this.#drawing?.grey ?? (() => 0);
  }
  async decode() {
    await held.get(this.src);
    if (!this.#drawing) throw new Error(`There is no picture at ${this.src}.`);
  }
}

/** Of a canvas: it keeps the last picture drawn on it, and where. */
class Context {
  /** @param {any} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    /** @type {Grey} */
    this.grey = () => 0;
  }
  /** @param {any} image @param {number[]} places */
  drawImage(image, ...places) {
    if (!(image instanceof Picture)) return;
    const { naturalWidth, naturalHeight, grey } = image;
    const [left, top, width, height] = places.length === 8 ? places : [0, 0, naturalWidth, naturalHeight];
    this.grey = (x, y) => grey((left + x * width) / naturalWidth, (top + y * height) / naturalHeight);
  }
  /** @param {number} left @param {number} top @param {number} width @param {number} height */
  getImageData(left, top, width, height) {
    const data = new Uint8ClampedArray(4 * width * height);
    for (let pixel = 0; pixel < width * height; pixel++) {
      const column = pixel % width;
      data[4 * pixel] = this.grey((column + 0.5) / width, ((pixel - column) / width + 0.5) / height);
    }
    return { data, width, height };
  }
  /** What was drawn, for tests of the brush. @type {string[]} */
  lines = [];
  clearRect() {}
  fillRect() {}
  beginPath() {}
  arc() {}
  putImageData() {}
  createPattern() {}
  moveTo() {}
  lineTo() {}
  strokeStyle = "";
  stroke() {
    this.lines.push(this.strokeStyle);
  }
}

/** @type {WeakMap<object, Context>} */
const contexts = new WeakMap();
Object.assign(window.HTMLCanvasElement.prototype, {
  /** @this {object} */
  getContext() {
    const context = contexts.get(this) ?? new Context(this);
    contexts.set(this, context);
    return context;
  },
});

Object.assign(globalThis, { window, document: window.document, Image: Picture });

/**
 * Press a key on the element that has the focus.
 * @param {string} key
 */
export function press(key) {
  document.activeElement?.dispatchEvent(/** @type {any} */ (new window.KeyboardEvent("keydown", { key, bubbles: true })));
}

/**
 * A pointer's event at a point of a canvas that is shown at its own size.
 * @param {HTMLCanvasElement} canvas
 * @param {string} type
 * @param {{ x: number, y: number }} point 0..1
 */
export function point(canvas, type, { x, y }) {
  const { width, height } = canvas;
  canvas.getBoundingClientRect = () => /** @type {DOMRect} */ ({ left: 0, top: 0, width, height });
  const place = { clientX: x * width, clientY: y * height, bubbles: true };
  canvas.dispatchEvent(/** @type {any} */ (new window.MouseEvent(type, place)));
}

/**
 * Put a view on the page, alone.
 * @template {{ root: HTMLElement }} View
 * @param {View} view
 */
export function onPage(view) {
  document.body.replaceChildren(view.root);
  return view;
}

/**
 * The text of an element that a user sees; "" if it is hidden.
 * @param {HTMLElement} root
 * @param {string} selector
 */
export function textOf(root, selector) {
  const found = /** @type {HTMLElement | null} */ (root.querySelector(selector));
  return found && !found.hidden ? (found.textContent ?? "") : "";
}
