import assert from "node:assert/strict";
import { test } from "node:test";

import { describe, findPeople, foldersOf, peopleFrom, unknownPerson } from "../../../web/js/lib/people_data.js";

const LIST = [
  { file: "anna_00001_.safetensors", stamp: "a", name: "Anna", caption: "red hair", photos: 2, has_parts: true, has_thumbnail: true },
  { file: "friends/bert.safetensors", stamp: "b", name: "", caption: "", photos: 1, has_parts: false, has_thumbnail: false },
  { file: "friends/cleo.safetensors", problem: "This is no file of Save ID Embedding." },
  { file: "friends/*", files: 2 },
];
const people = peopleFrom(LIST, (path) => `/api${path}`);

/** @param {string} words @param {string} [folder] */
const found = (words, folder = "") => findPeople(people, { words, folder }).map(({ title }) => title);

test("a person has a name, or that of the file", () => {
  assert.deepEqual(people.map(({ title }) => title), ["Anna", "bert", "cleo", "friends"]);
});

test("a picture has an address that changes with its file", () => {
  assert.equal(people[0].pictureUrl, "/api/consistentid/people/thumbnail?file=anna_00001_.safetensors&stamp=a");
  assert.equal(people[1].pictureUrl, null);
});

test("each file says what it holds", () => {
  assert.deepEqual(people.map(describe), [
    "of 2 photo(s), with parts of the face",
    "of 1 photo(s), without parts of the face",
    "This is no file of Save ID Embedding.",
    "all 2 files of the folder",
  ]);
});

test("words are looked for in names, files and captions, all of them", () => {
  assert.deepEqual(found("RED anna"), ["Anna"]);
  assert.deepEqual(found("friends"), ["bert", "cleo", "friends"]);
  assert.deepEqual(found("red bert"), []);
});

test("a folder shows what is in it", () => {
  assert.deepEqual(foldersOf(people), ["friends"]);
  assert.deepEqual(found("", "friends"), ["bert", "cleo", "friends"]);
  assert.deepEqual(found("b", "friends"), ["bert"]);
});

test("what the server does not say does no harm", () => {
  assert.deepEqual(peopleFrom("no list", String), []);
  assert.deepEqual(peopleFrom([null, {}, { file: 5 }], String), []);
  assert.equal(describe(unknownPerson("x/y_00001_.safetensors")), "");
  assert.equal(unknownPerson("x/y_00001_.safetensors").title, "y_00001");
});
