// @ts-check
/** What ID Embedding reports about the faces it found, read with care: it may come from an older version of the node. */

import { isFile } from "./files.js";

/**
 * @typedef {{ left: number, top: number, width: number, height: number, score: number }} Face shares of the photo, 0..1
 * @typedef {{
 *   index: number, total: number, width: number, height: number, photo: import("./files.js").FileRef,
 *   chosen: number | null, faces: Face[],
 * }} FacesPhoto The faces are numbered from 0 as listed.
 */

/** The key of a node's result that holds the photos. */
export const FACES_KEY = "consistentid_faces";

/**
 * The photos in a node's result; what cannot be shown is left out.
 * @param {any} output
 * @returns {FacesPhoto[]}
 */
export function facePhotosFrom(output) {
  const entries = output?.[FACES_KEY];
  if (!Array.isArray(entries)) return [];
  return entries
    .filter((entry) => isFile(entry?.photo) && Array.isArray(entry.faces))
    .map((entry, index, { length }) => ({
      index: entry.index ?? index,
      total: entry.total ?? length,
      width: entry.width > 0 ? entry.width : 1,
      height: entry.height > 0 ? entry.height : 1,
      photo: entry.photo,
      chosen: Number.isInteger(entry.chosen) ? entry.chosen : null,
      faces: entry.faces.map(toFace),
    }));
}

/** @param {any} face @returns {Face} */
function toFace(face) {
  const [left, top, right, bottom] = face?.box ?? [0, 0, 0, 0];
  return { left, top, width: right - left, height: bottom - top, score: Number(face?.score) || 0 };
}
