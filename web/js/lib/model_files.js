// @ts-check
/** What the server says of the model files of a node, read with care. */

import { TEXTS, text } from "./texts.js";

/**
 * @typedef {"found" | "missing" | "several" | "other"} State
 * @typedef {{ title: string, state: State, where: string, note: string, name: string, size: string, address: string,
 *   place: string, licence: string, isPackage: boolean }} ModelFile
 *   where: its path; note: what is the matter, or the command that installs packages. What is not known is "".
 */

const STATES = ["found", "missing", "several", "other"];

/** The licences of the catalogue that are sentences; the others are names. @type {Record<string, keyof typeof TEXTS>} */
const LICENCES = {
  "not stated by its source": "licenceNotStated",
  "non-commercial research only": "licenceResearch",
  "trained on CelebAMask-HQ, for non-commercial research": "licenceCelebA",
};

/**
 * Where to ask for them.
 * @param {Record<string, any>} choices of the node's widgets
 */
export function filesPath(choices) {
  return `/consistentid/files?${new URLSearchParams(choices)}`;
}

/**
 * @param {any} answer
 * @returns {ModelFile[] | null} null if it is none
 */
export function modelFilesFrom(answer) {
  if (!Array.isArray(answer?.files)) return null;
  return answer.files
    .filter((/** @type {any} */ entry) => typeof entry?.key === "string" && STATES.includes(entry.state))
    .map(toModelFile);
}

/** How many of them stand in the way of a run: of adapters one will do. @param {readonly ModelFile[]} files */
export function toSeeTo(files) {
  return files.filter(({ state }) => state !== "found");
}

/** @param {any} entry @returns {ModelFile} */
function toModelFile({ key, what, state, where, note, name, size, address, place, licence }) {
  return {
    title: titleOf(key, what),
    state,
    where: textOr(where),
    note: noteOf(key, state, textOr(note)),
    name: textOr(name),
    size: sizeText(size),
    address: /^https:\/\//.test(address) ? address : "",
    place: textOr(place),
    licence: LICENCES[licence] ? text(LICENCES[licence]) : textOr(licence),
    isPackage: key === "packages",
  };
}

/** @param {string} key @param {any} what */
function titleOf(key, what) {
  const name = `file${key.replace(/(^|-)(\w)/g, (_, __, letter) => letter.toUpperCase())}`;
  return name in TEXTS ? text(/** @type {keyof typeof TEXTS} */ (name)) : textOr(what) || key;
}

/** @param {string} key @param {State} state @param {string} note */
function noteOf(key, state, note) {
  if (note === "" || key === "packages" || state === "several") return note;
  return state === "missing" ? text("fileGone", { name: note }) : text("fileIs", { kind: note });
}

/** @param {any} value */
function textOr(value) {
  return typeof value === "string" ? value : "";
}

/** @param {any} bytes */
function sizeText(bytes) {
  if (typeof bytes !== "number" || !(bytes > 0)) return "";
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
}
