// @ts-check
/** What ID Embedding reports about the faces it found, read with care: it may come from an older version of the node. */

import { formatShare } from "./parts_data.js";
import { photoEntries } from "./photo_entries.js";
import { text } from "./texts.js";

/**
 * @typedef {{ left: number, top: number, width: number, height: number }} Place shares of the photo, 0..1
 * @typedef {Place & { score: number }} Face
 * @typedef {{ place: Place | null, share: number | null }} Crop what Crop Face cut out of a photo; `place` null: nothing. `share`:
 *   the face's longer side as a part of the photo's shorter one; null: no face.
 * @typedef {import("./photo_entries.js").PhotoEntry & { chosen: number | null, faces: Face[], crop: Crop | null }} FacesPhoto
 *   The faces are numbered from 0 as listed. `crop`: null for nodes that do not crop.
 */

/** The key of a node's result that holds the photos. */
export const FACES_KEY = "consistentid_faces";
/** The key of what Crop Face cut out of each of them. */
export const CROPS_KEY = "consistentid_face_crops";

/**
 * The photos in a node's result; what cannot be shown is left out.
 * @param {any} output
 * @returns {FacesPhoto[]}
 */
export function facePhotosFrom(output) {
  const crops = cropsFrom(output);
  return photoEntries(output, FACES_KEY, "faces", (entry) => ({
    chosen: Number.isInteger(entry.chosen) ? entry.chosen : null,
    faces: facesOf(entry.faces),
    crop: crops[Number(entry.index) || 0] ?? null,
  }));
}

/** The faces of an entry. @param {any[]} faces @returns {Face[]} */
export function facesOf(faces) {
  return faces.map((face) => ({ ...placeOf(face?.box), score: Number(face?.score) || 0 }));
}

/** What was cut out of the photos of a node's result. @param {any} output @returns {Crop[]} */
export function cropsFrom(output) {
  const crops = output?.[CROPS_KEY];
  if (!Array.isArray(crops)) return [];
  return crops.map((crop) => ({
    place: Array.isArray(crop?.box) ? placeOf(crop.box) : null,
    share: crop?.share > 0 ? crop.share : null,
  }));
}

/**
 * What a user is told of a crop.
 * @param {Crop} crop
 * @param {string} [locale]
 */
export function cropSentence({ place, share }, locale) {
  if (share === null) return text("cropNobody");
  return text(place ? "cropTaken" : "cropWhole", { share: formatShare(share, locale) });
}

/** @param {any} box left, top, right, bottom @returns {Place} */
function placeOf(box) {
  const [left, top, right, bottom] = box ?? [0, 0, 0, 0];
  return { left, top, width: right - left, height: bottom - top };
}
