import assert from "node:assert/strict";
import { test } from "node:test";

import { promptFrom } from "../../../web/js/lib/prompt_data.js";

const CROP = { region: "eyes", label: "Eyes", colour: "#ffda48", filename: "a.png", subfolder: "", type: "temp" };

/** @param {any} entry @param {any[]} [crops] */
const result = (entry, crops) => ({ consistentid_prompt: [entry], consistentid_crops: crops });

test("a word carries the part of its piece", () => {
  const prompt = promptFrom(
    result({ pieces: [{ text: "one " }, { text: "face", region: "face", label: "Face", colour: "#6e78ff" }] }),
  );
  assert.deepEqual(prompt?.pieces, [
    { text: "one ", carries: null },
    { text: "face", carries: { label: "Face", colour: "#6e78ff", isOther: false } },
  ]);
});

test("a word that names another part than it carries says so", () => {
  const prompt = promptFrom(result({ pieces: [{ text: "Ears", region: "eyes" }, { text: "Nose", region: "nose" }] }));
  assert.deepEqual(
    prompt?.pieces.map((piece) => piece.carries?.isOther),
    [true, false],
  );
});

test("the node knows the forms of the words", () => {
  const pieces = [
    { text: "lips", region: "mouth", is_other: false },
    { text: "lips", region: "eyes", is_other: true },
  ];
  assert.deepEqual(
    promptFrom(result({ pieces }))?.pieces.map((piece) => piece.carries?.isOther),
    [false, true],
  );
});

test("notes and crops come along", () => {
  const prompt = promptFrom(result({ pieces: [], notes: ["Too long."] }, [CROP]));
  assert.deepEqual(prompt?.notes, ["Too long."]);
  assert.deepEqual(prompt?.crops, [
    { label: "Eyes", colour: "#ffda48", file: { filename: "a.png", subfolder: "", type: "temp" } },
  ]);
});

test("a result without pieces is shown as plain text", () => {
  assert.deepEqual(promptFrom(result({ text: "a face" }))?.pieces, [{ text: "a face", carries: null }]);
});

for (const output of [undefined, null, {}, { consistentid_prompt: [] }, { consistentid_prompt: null }]) {
  test(`there is no prompt in ${JSON.stringify(output)}`, () => assert.equal(promptFrom(output), null));
}

test("what is no piece, note or crop is left out", () => {
  const prompt = promptFrom(result({ pieces: [null, {}, { text: 3 }], notes: "x" }, [null, {}]));
  assert.deepEqual(prompt, { pieces: [], notes: [], crops: [] });
});
