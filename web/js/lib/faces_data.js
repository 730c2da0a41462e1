// @ts-check
/** What ID Embedding reports about the faces it found, read with care: it may come from an older version of the node. */

import { photoEntries } from "./photo_entries.js";

/**
 * @typedef {{ left: number, top: number, width: number, height: number, score: number }} Face shares of the photo, 0..1
 * @typedef {import("./photo_entries.js").PhotoEntry & { chosen: number | null, faces: Face[] }} FacesPhoto The faces are numbered from 0 as listed.
 */

/** The key of a node's result that holds the photos. */
export const FACES_KEY = "consistentid_faces";

/**
 * The photos in a node's result; what cannot be shown is left out.
 * @param {any} output
 * @returns {FacesPhoto[]}
 */
export function facePhotosFrom(output) {
  return photoEntries(output, FACES_KEY, "faces", (entry) => ({
    chosen: Number.isInteger(entry.chosen) ? entry.chosen : null,
    faces: entry.faces.map(toFace),
  }));
}

/** @param {any} face @returns {Face} */
function toFace(face) {
  const [left, top, right, bottom] = face?.box ?? [0, 0, 0, 0];
  return { left, top, width: right - left, height: bottom - top, score: Number(face?.score) || 0 };
}
