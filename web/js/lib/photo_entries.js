// @ts-check
/** What nodes report about photos begins the same for all: a list of entries with a picture each, maybe of an older version. */

import { isFile } from "./files.js";

/** @typedef {{ index: number, total: number, width: number, height: number, photo: import("./files.js").FileRef }} PhotoEntry */

/**
 * The entries under a key of a node's result that have a picture and the list of what was found in it.
 * @template T
 * @param {any} output
 * @param {string} key
 * @param {string} list name of what was found
 * @param {(entry: any) => T} rest what this kind of entry has besides
 * @returns {(PhotoEntry & T)[]}
 */
export function photoEntries(output, key, list, rest) {
  const entries = output?.[key];
  if (!Array.isArray(entries)) return [];
  return entries
    .filter((entry) => isFile(entry?.photo) && Array.isArray(entry[list]))
    .map((entry, index, { length }) => ({
      index: Number.isInteger(entry.index) ? entry.index : index,
      total: Number.isInteger(entry.total) ? entry.total : length,
      width: entry.width > 0 ? entry.width : 1,
      height: entry.height > 0 ? entry.height : 1,
      photo: entry.photo,
      ...rest(entry),
    }));
}
