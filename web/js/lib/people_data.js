// @ts-check
/** What the server says of saved people, read with care, and finding one of them. */

import { text } from "./texts.js";

/**
 * @typedef {{
 *   file: string, folder: string, title: string, caption: string, photos: number, hasParts: boolean, files: number,
 *   pictureUrl: string | null, problem: string,
 * }} Person An entry of the list of Load ID Embedding. `files`: of a whole folder, how many; 0 for one file. `pictureUrl`: null
 *   for a file without a picture. `problem`: why a file cannot be used.
 */

/** Where the server lists them, and where it shows a picture. */
export const PEOPLE = "/consistentid/people";
const THUMBNAIL = "/consistentid/people/thumbnail";

/**
 * @param {any} list
 * @param {(path: string) => string} urlOf
 * @returns {Person[]}
 */
export function peopleFrom(list, urlOf) {
  if (!Array.isArray(list)) return [];
  return list.filter((entry) => typeof entry?.file === "string").map((entry) => personFrom(entry, urlOf));
}

/**
 * A person of whom nothing is known but the file.
 * @param {string} file
 */
export function unknownPerson(file) {
  return personFrom({ file }, () => "");
}

/**
 * What a file holds, in words.
 * @param {Person} person
 */
export function describe({ files, photos, hasParts, problem }) {
  if (problem) return problem;
  if (files > 0) return text("peopleFolder", { files });
  if (photos === 0) return "";
  return text(hasParts ? "peopleWithParts" : "peopleWithoutParts", { photos });
}

/**
 * The people whose name, file or caption has every word that was typed, in a folder; "" for all folders.
 * @param {readonly Person[]} people
 * @param {{ words: string, folder: string }} wanted
 */
export function findPeople(people, { words, folder }) {
  const parts = words.toLowerCase().split(/\s+/).filter(Boolean);
  return people.filter((person) => {
    const all = `${person.title} ${person.file} ${person.caption}`.toLowerCase();
    const isInside = folder === "" || person.folder === folder || person.folder.startsWith(`${folder}/`);
    return isInside && parts.every((part) => all.includes(part));
  });
}

/** The folders of people, sorted. @param {readonly Person[]} people */
export function foldersOf(people) {
  return [...new Set(people.map(({ folder }) => folder))].filter(Boolean).sort();
}

/**
 * @param {any} entry
 * @param {(path: string) => string} urlOf
 * @returns {Person}
 */
function personFrom(entry, urlOf) {
  const [name, ...folders] = entry.file.split(/[\\/]/).reverse();
  const folder = folders.reverse().join("/");
  const files = entry.files > 0 ? entry.files : 0;
  const isNamed = typeof entry.name === "string" && entry.name !== "";
  const query = new URLSearchParams({ file: entry.file, stamp: String(entry.stamp ?? "") });
  return {
    file: entry.file,
    folder,
    title: isNamed ? entry.name : files > 0 || name === "*" ? folder : name.replace(/_?(\.safetensors)?$/, ""),
    caption: typeof entry.caption === "string" ? entry.caption : "",
    photos: entry.photos > 0 ? entry.photos : 0,
    hasParts: entry.has_parts === true,
    files,
    pictureUrl: entry.has_thumbnail === true ? urlOf(`${THUMBNAIL}?${query}`) : null,
    problem: typeof entry.problem === "string" ? entry.problem : "",
  };
}
