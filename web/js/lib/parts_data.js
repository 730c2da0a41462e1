// @ts-check
/** What the Face Parser reports about its photos, read with care: it may come from an older version of the node. */

import { isFile } from "./files.js";
import { photoEntries } from "./photo_entries.js";

/**
 * @typedef {import("./files.js").FileRef} FileRef
 * @typedef {{
 *   region: string, label: string, colour: string, area: number, enabled: boolean, mask: FileRef | null,
 *   source: { file: FileRef, index: number } | null, strength: number, twin: FileRef | null,
 * }} Part A part without a mask was not found in the photo. `area` is a share of the photo, 0..1. `source`: of a face
 *   mixed from several photos, a close-up and the index of the photo the part is taken from. `twin`: the mask of the other one of a pair, which is not used.
 * @typedef {{ photo: string, file: string, is_aside: boolean, masks: Record<string, FileRef | null> }} BrushState The photo's
 *   id, the file of the last run ("" for none), whether that is of other photos, and the masks without it.
 * @typedef {import("./photo_entries.js").PhotoEntry & {
 *   parts: Part[], faces: number, tiny: string[], brush?: BrushState | null,
 * }} Photo `faces`: how many the parts are of, if of several, else 0. `tiny`: the regions of which CLIP sees next to nothing.
 *   `brush`: none if the node has none.
 */

/** The key of a node's result that holds the photos. */
export const PARTS_KEY = "consistentid_parts";

/** A colour for parts that come without one. */
const NO_COLOUR = "#9aa0a6";

/**
 * The photos in a node's result; what cannot be shown is left out.
 * @param {any} output
 * @returns {Photo[]}
 */
export function photosFrom(output) {
  return photoEntries(output, PARTS_KEY, "parts", (entry) => ({
    parts: entry.parts.filter((/** @type {any} */ part) => typeof part?.region === "string").map(toPart),
    faces: entry.faces > 1 ? entry.faces : 0,
    tiny: Array.isArray(entry.tiny) ? entry.tiny : [],
    brush: brushState(entry.brush),
  }));
}

/** @param {any} brush @returns {BrushState | null} */
function brushState(brush) {
  if (typeof brush?.photo !== "string") return null;
  const masks = Object.entries(brush.masks ?? {}).map(([region, mask]) => [region, isFile(mask) ? mask : null]);
  return {
    photo: brush.photo,
    file: typeof brush.file === "string" ? brush.file : "",
    is_aside: brush.is_aside === true,
    masks: Object.fromEntries(masks),
  };
}

/** @param {any} part @returns {Part} */
function toPart(part) {
  return {
    region: part.region,
    label: typeof part.label === "string" ? part.label : part.region,
    colour: /^#[0-9a-f]{6}$/i.test(part.colour) ? part.colour : NO_COLOUR,
    area: part.area > 0 ? Math.min(1, part.area) : 0,
    enabled: part.enabled !== false,
    mask: part.present !== false && isFile(part.mask) ? part.mask : null,
    source: isFile(part.source) ? { file: part.source, index: Number(part.source_index) || 0 } : null,
    strength: Number.isFinite(part.strength) ? part.strength : 1,
    twin: isFile(part.twin) ? part.twin : null,
  };
}

/**
 * Whether the switches say something else than the last run did.
 * @param {Photo} photo
 * @param {(region: string) => boolean | null} isOn null: the node has no such switch
 */
export function hasChanged(photo, isOn) {
  return photo.parts.some(({ mask, region, enabled }) => mask !== null && (isOn(region) ?? enabled) !== enabled);
}

/** Smaller shares are not told apart. */
const SMALLEST_SHARE = 0.0001;

/**
 * A share of the picture for people to read: two digits are enough.
 * @param {number} share 0..1
 * @param {string} [locale]
 */
export function formatShare(share, locale) {
  const format = new Intl.NumberFormat(locale, { style: "percent", maximumSignificantDigits: share < 0.1 ? 1 : 2 });
  return share < SMALLEST_SHARE ? `<${format.format(SMALLEST_SHARE)}` : format.format(share);
}
