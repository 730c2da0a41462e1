// @ts-check
/**
 * Corrections of parts with a brush: strokes by the photo they were painted on, and the text of the small file that keeps
 * them. `consistentid_core/faces/brush.py` describes the file and draws the strokes.
 */

/**
 * @typedef {{ region: string, adds: boolean, radius: number, points: number[] }} Stroke `adds`: erases otherwise.
 *   `radius`: a share of the photo's longer side. `points`: x and y in turn, shares of its width and height.
 * @typedef {{ width: number, height: number, strokes: Stroke[] }} Correction of one photo of this size
 * @typedef {Record<string, Correction>} Corrections by the photo's id
 */

const FORMAT = "consistentid_brush";
const VERSION = 1;

/** Where the files lie in ComfyUI's input folder. */
export const FOLDER = "consistentid";

/** The largest brush; the smallest is a spot. */
const MAX_RADIUS = 0.15;
const MIN_RADIUS = 0.002;
/** Coordinates are kept to a ten-thousandth of the photo. */
const DIGITS = 4;
/** What the node draws of one file; it refuses more. */
const MOST = { photos: 64, strokes: 2000, points: 20_000 };
/** How far outside the photo a point may lie. */
const BEYOND = 0.5;

/**
 * The corrections in a file's content.
 * @param {any} content
 * @returns {Corrections}
 * @throws {Error} if it is something else
 */
export function correctionsFrom(content) {
  if (content?.format !== FORMAT || content.version !== VERSION || typeof content.photos !== "object") {
    throw new Error("This is no file of brush strokes.");
  }
  const corrections = Object.entries(content.photos ?? {}).filter(([, correction]) => Array.isArray(correction?.strokes));
  if (!corrections.every(([, { strokes }]) => strokes.every(isStroke))) throw new Error("This is no file of brush strokes.");
  return Object.fromEntries(corrections);
}

/** Whether it can be drawn. @param {any} stroke */
function isStroke(stroke) {
  const { region, radius, points } = stroke ?? {};
  const isLine = Array.isArray(points) && points.length > 0 && points.length % 2 === 0 && points.every(Number.isFinite);
  return typeof region === "string" && Number.isFinite(radius) && isLine;
}

/** The text of a file. @param {Corrections} corrections */
export function textOf(corrections) {
  return JSON.stringify({ format: FORMAT, version: VERSION, photos: corrections });
}

/**
 * A file's name by its content: another content gets another name, so that a step back finds its own file.
 * @param {string} text
 */
export function nameOf(text) {
  return `brush_${hash(text, 0)}${hash(text, 1)}.json`;
}

/**
 * Corrections with one more stroke.
 * @param {Corrections} corrections
 * @param {{ id: string, width: number, height: number }} photo
 * @param {Stroke} stroke
 * @returns {Corrections}
 */
export function withStroke(corrections, { id, width, height }, stroke) {
  return { ...corrections, [id]: { width, height, strokes: [...(corrections[id]?.strokes ?? []), stroke] } };
}

/** Whether a file would hold more than the node draws. @param {Corrections} corrections */
export function isTooMuch(corrections) {
  const strokes = Object.values(corrections).flatMap((correction) => correction.strokes);
  const points = strokes.reduce((count, stroke) => count + stroke.points.length / 2, 0);
  return Object.keys(corrections).length > MOST.photos || strokes.length > MOST.strokes || points > MOST.points;
}

/**
 * Corrections without the last stroke on a part.
 * @param {Corrections} corrections
 * @param {string} id of the photo
 * @param {string} region
 */
export function withoutLast(corrections, id, region) {
  const last = strokesOf(corrections, id, region).at(-1);
  return kept(corrections, id, (stroke) => stroke !== last);
}

/**
 * Corrections without all strokes on a part.
 * @param {Corrections} corrections
 * @param {string} id of the photo
 * @param {string} region
 */
export function withoutAll(corrections, id, region) {
  return kept(corrections, id, (stroke) => stroke.region !== region);
}

/**
 * @param {Corrections} corrections
 * @param {string} id of the photo
 * @param {string} region
 */
export function strokesOf(corrections, id, region) {
  return (corrections[id]?.strokes ?? []).filter((stroke) => stroke.region === region);
}

/**
 * Points of a stroke as they are kept: rounded, inside the bounds of the file, and without those that change nothing.
 * @param {number[]} points x and y in turn
 * @param {number} radius
 */
export function tidied(points, radius) {
  /** @type {number[]} */
  const tidy = [];
  for (let index = 0; index < points.length; index += 2) {
    const [x, y] = [points[index], points[index + 1]].map((value) => rounded(Math.min(Math.max(value, -BEYOND), 1 + BEYOND)));
    const [before, above] = tidy.slice(-2);
    const isLast = index >= points.length - 2;
    const step = Math.hypot(x - before, y - above);
    // A quarter of the brush is not seen; the end of a stroke is where the pointer left it.
    if (tidy.length === 0 || step > radius / 4 || (isLast && step > 0)) tidy.push(x, y);
  }
  return tidy;
}

/** A brush's radius for the place of its slider. @param {number} percent 0..100 */
export function radiusOf(percent) {
  return rounded(MIN_RADIUS + (MAX_RADIUS - MIN_RADIUS) * (percent / 100) ** 2);
}

/**
 * @param {Corrections} corrections
 * @param {string} id
 * @param {(stroke: Stroke) => boolean} isKept
 * @returns {Corrections}
 */
function kept(corrections, id, isKept) {
  const { [id]: correction, ...others } = corrections;
  const strokes = (correction?.strokes ?? []).filter(isKept);
  return strokes.length > 0 ? { ...others, [id]: { ...correction, strokes } } : others;
}

/** @param {number} value */
function rounded(value) {
  return Number(value.toFixed(DIGITS));
}

/**
 * 32 bits of a text, in hexadecimal digits: FNV-1a, whose name only has to differ. (A browser's own hashes are for pages
 * over https alone.)
 * @param {string} text
 * @param {number} seed
 */
function hash(text, seed) {
  let value = 0x811c9dc5 ^ Math.imul(seed, 0x9e3779b1);
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return (value >>> 0).toString(16).padStart(8, "0");
}
