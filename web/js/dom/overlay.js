// @ts-check
/** Parts of a face painted over their photo, as translucent colours with a bright outline. */

import { boundsOf, closeUp } from "../lib/geometry.js";
import { HitMap } from "../lib/hit_map.js";

/** The picture is painted at this size, whatever it is shown at, so that zooming the canvas costs nothing. */
const LONGER_SIDE = 720;
/** How much weaker the face is painted: it lies under the other parts and would hide the person. */
const FACE_STRENGTH = 0.7;
/** How dark the photo becomes around the parts, at full strength. */
const DIMMING = 0.8;
const OUTLINE_WHITENESS = 0.4;
const OUTLINE_WIDTH = 1.6;
/** The directions in which a shape is moved to get its outline. */
const DIRECTIONS = [...Array(16).keys()].map((index) => (index / 16) * 2 * Math.PI);

/**
 * @typedef {HTMLImageElement | HTMLCanvasElement & { naturalWidth: number, naturalHeight: number }} Picture
 * @typedef {{ colour: string, mask: Picture | null, twin?: HTMLImageElement | null, isFace: boolean }} Layer
 *   twin: the other one of a pair, which is only outlined
 * @typedef {{ shape: HTMLCanvasElement, outline: HTMLCanvasElement, broadOutline: HTMLCanvasElement,
 *   twin: HTMLCanvasElement | null }} Shapes
 */

export class Overlay {
  constructor() {
    /** The photo, and over it what is painted. */
    this.photo = document.createElement("canvas");
    this.canvas = document.createElement("canvas");
    this.scratch = document.createElement("canvas");
    /** @type {Layer[]} */
    this.layers = [];
    /** @type {(Shapes | null)[]} */
    this.shapes = [];
    this.hits = new HitMap(0, 0);
    /** Whether the face is small enough for a closer look. */
    this.hasCloseUp = false;
    /** What of the photo is shown, and the size of the photo it counts in. */
    this.view = { left: 0, top: 0, width: 1, height: 1 };
    this.size = { width: 1, height: 1 };
  }

  /**
   * Take another photo and its parts; of the parts, nothing is painted yet.
   * @param {HTMLImageElement} picture
   * @param {Layer[]} layers the later ones lie on top
   * @param {{ isClose: boolean, isKept?: boolean }} options isClose: only show the face.  isKept: show what is shown
   */
  load(picture, layers, { isClose, isKept = false }) {
    const { naturalWidth: width, naturalHeight: height } = picture;
    const whole = { left: 0, top: 0, width, height };
    const close = closeUp(boundsOf(layers.flatMap(({ mask }) => maskData(mask, width, height))), width, height);
    this.hasCloseUp = close.width < width || close.height < height;
    const view = isKept ? this.view : isClose ? close : whole;
    this.view = view;
    this.size = { width, height };
    const scale = LONGER_SIDE / Math.max(view.width, view.height);
    const size = { width: Math.round(view.width * scale), height: Math.round(view.height * scale) };
    for (const canvas of [this.photo, this.canvas, this.scratch]) Object.assign(canvas, size);
    drawView(context(this.photo), picture, view, picture);

    this.layers = layers;
    this.hits = new HitMap(size.width, size.height);
    this.shapes = layers.map(({ mask, twin, colour }, index) => {
      if (!mask) return null;
      const { shape, alphas } = shapeOf(mask, view, picture, size);
      this.hits.add(index, alphas);
      return {
        shape,
        outline: outlineOf(shape, OUTLINE_WIDTH, whitened(colour)),
        broadOutline: outlineOf(shape, 2 * OUTLINE_WIDTH, "#fff"),
        twin: twin ? dashed(outlineOf(shapeOf(twin, view, picture, size).shape, OUTLINE_WIDTH, whitened(colour))) : null,
      };
    });
  }

  /**
   * @param {{ isOn: boolean[], highlighted: number, strength: number }} state
   *   highlighted: index of the part under the pointer, or -1.  strength: opacity of the colours, 0..1
   */
  paint({ isOn, highlighted, strength }) {
    const target = context(this.canvas);
    target.globalAlpha = 1;
    target.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.#draw(this.#surroundings(isOn), DIMMING * strength);
    for (const [index, { isFace, colour }] of this.layers.entries()) {
      if (!this.shapes[index] || !isOn[index]) continue;
      const weight = (isFace ? FACE_STRENGTH : 1) * (highlighted < 0 || highlighted === index ? 1 : 0.55);
      const more = highlighted === index ? 0.2 : 0;
      this.#draw(this.#fill(index, colour, isOn), Math.min(0.9, strength * weight + more));
    }
    const lines = Math.min(1, strength * 4);
    for (const [index, shapes] of this.shapes.entries()) {
      if (shapes && index !== highlighted) this.#draw(shapes.outline, (isOn[index] ? 0.9 : 0.3) * lines);
      if (shapes?.twin) this.#draw(shapes.twin, (isOn[index] ? 0.9 : 0.3) * lines);
    }
    const pointed = this.shapes[highlighted];
    if (pointed) {
      if (!isOn[highlighted]) this.#draw(this.#fill(highlighted, hatching(target), isOn), 0.5);
      this.#draw(pointed.broadOutline, 0.95);
    }
  }

  /** @param {{ x: number, y: number } | null} point 0..1 @returns {number} index of the part, or -1 */
  partAt(point) {
    return this.hits.at(point);
  }

  /**
   * Black around the parts in use.
   * @param {boolean[]} isOn
   */
  #surroundings(isOn) {
    const scratch = this.#clearedScratch();
    scratch.fillStyle = "#000";
    scratch.fillRect(0, 0, this.canvas.width, this.canvas.height);
    scratch.globalCompositeOperation = "destination-out";
    for (const [index, shapes] of this.shapes.entries()) {
      if (shapes && isOn[index]) scratch.drawImage(shapes.shape, 0, 0);
    }
    return this.scratch;
  }

  /**
   * A part in one colour, without the parts in use that lie over it.
   * @param {number} index
   * @param {string | CanvasPattern} paint
   * @param {boolean[]} isOn
   */
  #fill(index, paint, isOn) {
    const scratch = this.#clearedScratch();
    for (const [other, shapes] of this.shapes.entries()) {
      if (shapes && (other === index || (other > index && isOn[other]))) scratch.drawImage(shapes.shape, 0, 0);
      // The part itself comes first, what lies over it is cut out.
      if (other === index) scratch.globalCompositeOperation = "destination-out";
    }
    scratch.globalCompositeOperation = "source-in";
    scratch.fillStyle = paint;
    scratch.fillRect(0, 0, this.canvas.width, this.canvas.height);
    return this.scratch;
  }

  #clearedScratch() {
    const scratch = context(this.scratch);
    scratch.globalCompositeOperation = "source-over";
    scratch.clearRect(0, 0, this.canvas.width, this.canvas.height);
    return scratch;
  }

  /**
   * @param {HTMLCanvasElement} layer
   * @param {number} opacity
   */
  #draw(layer, opacity) {
    const target = context(this.canvas);
    target.globalAlpha = opacity;
    target.drawImage(layer, 0, 0);
  }
}

/**
 * A mask's grey values at a size; nothing for a part that was not found.
 * @param {Picture | null} mask
 * @param {number} width
 * @param {number} height
 */
function maskData(mask, width, height) {
  if (!mask) return [];
  const target = context(canvasOf({ width, height }));
  target.drawImage(mask, 0, 0, width, height);
  return [{ data: greys(target.getImageData(0, 0, width, height)), width }];
}

/**
 * A grey mask as opacity, as large as the view is painted, with edges as crisp as if it had been made at that size.
 * @param {Picture} mask
 * @param {import("../lib/geometry.js").Box} view of the photo
 * @param {HTMLImageElement} photo that the mask is stretched over
 * @param {{ width: number, height: number }} size
 */
function shapeOf(mask, view, photo, size) {
  const shape = canvasOf(size);
  const target = context(shape);
  drawView(target, mask, view, photo);
  const image = target.getImageData(0, 0, size.width, size.height);
  const alphas = greys(image);
  const enlarged = Math.max(1, (size.width / view.width) * (photo.naturalWidth / mask.naturalWidth));
  for (let pixel = 0; pixel < alphas.length; pixel++) {
    alphas[pixel] = (alphas[pixel] - 128) * enlarged + 128;
    image.data[4 * pixel + 3] = alphas[pixel];
  }
  target.putImageData(image, 0, 0);
  return { shape, alphas };
}

/** @param {ImageData} image */
function greys({ data }) {
  const values = new Uint8ClampedArray(data.length / 4);
  for (let pixel = 0; pixel < values.length; pixel++) values[pixel] = data[4 * pixel];
  return values;
}

/**
 * Draw a part of the photo, or of something that is stretched over it, on the whole canvas.
 * @param {CanvasRenderingContext2D} target
 * @param {Picture} image
 * @param {import("../lib/geometry.js").Box} view in pixels of the photo
 * @param {HTMLImageElement} photo
 */
function drawView(target, image, view, photo) {
  const across = image.naturalWidth / photo.naturalWidth;
  const down = image.naturalHeight / photo.naturalHeight;
  target.imageSmoothingQuality = "high";
  target.drawImage(
    image,
    ...[view.left * across, view.top * down, view.width * across, view.height * down],
    ...[0, 0, target.canvas.width, target.canvas.height],
  );
}

/**
 * A line around a shape: the shape moved in all directions, without the shape itself.
 * @param {HTMLCanvasElement} shape
 * @param {number} line width in pixels
 * @param {string} colour
 */
function outlineOf(shape, line, colour) {
  const outline = canvasOf(shape);
  const target = context(outline);
  for (const angle of DIRECTIONS) target.drawImage(shape, line * Math.cos(angle), line * Math.sin(angle));
  target.globalCompositeOperation = "destination-out";
  target.drawImage(shape, 0, 0);
  target.globalCompositeOperation = "source-in";
  target.fillStyle = colour;
  target.fillRect(0, 0, shape.width, shape.height);
  return outline;
}

/**
 * A line with gaps: cut by diagonal stripes, which cross every direction but one.
 * @param {HTMLCanvasElement} outline
 */
function dashed(outline) {
  const target = context(outline);
  target.globalCompositeOperation = "destination-in";
  target.fillStyle = hatching(target, 5);
  target.fillRect(0, 0, outline.width, outline.height);
  return outline;
}

/**
 * White diagonal stripes.
 * @param {CanvasRenderingContext2D} target
 * @param {number} [width] of a stripe, in pixels; they are 8.5 apart
 */
function hatching(target, width = 2) {
  const tile = canvasOf({ width: 12, height: 12 });
  const stripes = context(tile);
  stripes.strokeStyle = "#fff";
  stripes.lineWidth = width;
  for (const offset of [-12, 0, 12]) {
    stripes.moveTo(offset - 2, 14);
    stripes.lineTo(offset + 14, -2);
  }
  stripes.stroke();
  return /** @type {CanvasPattern} */ (target.createPattern(tile, "repeat"));
}

/** @param {string} colour `#rrggbb` */
function whitened(colour) {
  const channels = [1, 3, 5].map((start) => Number.parseInt(colour.slice(start, start + 2), 16));
  return `rgb(${channels.map((value) => Math.round(value + (255 - value) * OUTLINE_WHITENESS)).join(" ")})`;
}

/** @param {{ width: number, height: number }} size */
function canvasOf({ width, height }) {
  return Object.assign(document.createElement("canvas"), { width, height });
}

/** @param {HTMLCanvasElement} canvas */
function context(canvas) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}
