// @ts-check
/** What Encode Facial Prompt reports about its text, read with care: it may come from an older version of the node. */

import { isFile } from "./files.js";

/**
 * @typedef {import("./files.js").FileRef} FileRef
 * @typedef {{ text: string, carries: { label: string, colour: string, isOther: boolean } | null }} Piece
 *   A run of text, or a word that carries a part of the face; isOther: of another part than the word names.
 * @typedef {{ pieces: Piece[], notes: string[], crops: { label: string, colour: string, file: FileRef }[],
 *   photo?: FileRef }} Prompt photo: the first one the crops are of
 */

/** The key of a node's result that holds the prompt, and that of the crops that belong to it. */
export const PROMPT_KEY = "consistentid_prompt";
export const CROPS_KEY = "consistentid_crops";

/**
 * The prompt in a node's result; null if there is none.
 * @param {any} output
 * @returns {Prompt | null}
 */
export function promptFrom(output) {
  const entry = output?.[PROMPT_KEY]?.[0];
  if (!entry) return null;
  const pieces = Array.isArray(entry.pieces) ? entry.pieces : [{ text: entry.text }];
  const crops = Array.isArray(output[CROPS_KEY]) ? output[CROPS_KEY] : [];
  return {
    pieces: pieces.filter((/** @type {any} */ piece) => typeof piece?.text === "string").map(toPiece),
    notes: (Array.isArray(entry.notes) ? entry.notes : []).map(String),
    ...(isFile(entry.photo) ? { photo: entry.photo } : {}),
    crops: crops.filter(isFile).map((/** @type {any} */ { filename, subfolder = "", type = "temp", ...crop }) => ({
      label: crop.label ?? crop.name ?? crop.region ?? "",
      colour: crop.colour ?? "",
      file: { filename, subfolder, type },
    })),
  };
}

/** @param {any} piece @returns {Piece} */
function toPiece({ text, region, label = region, colour = "", is_other = text.toLowerCase() !== region }) {
  if (typeof region !== "string") return { text, carries: null };
  return { text, carries: { label, colour, isOther: is_other } };
}
