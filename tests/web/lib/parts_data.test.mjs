import assert from "node:assert/strict";
import { test } from "node:test";

import { formatShare, hasChanged, photosFrom } from "../../../web/js/lib/parts_data.js";

const FILE = { filename: "a.jpg", subfolder: "", type: "temp" };
const NOSE = { region: "nose", label: "Nose", colour: "#e47a3e", area: 0.01, enabled: true, present: true, mask: FILE };

/** @param {object[]} parts */
const result = (...parts) => ({
  consistentid_parts: [{ index: 0, total: 1, width: 5, height: 4, photo: FILE, parts }],
});

test("a photo keeps its size, file and parts", () => {
  const [photo] = photosFrom(result(NOSE));
  assert.deepEqual([photo.width, photo.height, photo.photo], [5, 4, FILE]);
  assert.deepEqual(photo.parts, [
    {
      region: "nose",
      label: "Nose",
      colour: "#e47a3e",
      area: 0.01,
      enabled: true,
      mask: FILE,
      source: null,
      strength: 1,
      twin: null,
    },
  ]);
});

test("a part of a pair has the mask of its twin, a photo what is to be said of it", () => {
  const output = result({ ...NOSE, twin: FILE });
  Object.assign(output.consistentid_parts[0], { faces: 2, tiny: ["nose"] });
  const [photo] = photosFrom(output);
  assert.deepEqual([photo.parts[0].twin, photo.faces, photo.tiny], [FILE, 2, ["nose"]]);
  assert.deepEqual([photosFrom(result(NOSE))[0].faces, photosFrom(result(NOSE))[0].tiny], [0, []]);
});

test("a part that is absent has no mask", () => {
  assert.equal(photosFrom(result({ ...NOSE, present: false }))[0].parts[0].mask, null);
  assert.equal(photosFrom(result({ ...NOSE, mask: null }))[0].parts[0].mask, null);
});

test("a part of an older version gets what it lacks", () => {
  assert.deepEqual(photosFrom(result({ region: "nose" }))[0].parts, [
    {
      region: "nose",
      label: "nose",
      colour: "#9aa0a6",
      area: 0,
      enabled: true,
      mask: null,
      source: null,
      strength: 1,
      twin: null,
    },
  ]);
});

test("a part of a mixed face has the photo it is from and its strength", () => {
  const [part] = photosFrom(result({ ...NOSE, source: FILE, source_index: 2, strength: 0.5 }))[0].parts;
  assert.deepEqual([part.source, part.strength], [{ file: FILE, index: 2 }, 0.5]);
});

test("a colour that is no colour is not passed on to the page", () => {
  assert.equal(photosFrom(result({ ...NOSE, colour: "red;background:url(x)" }))[0].parts[0].colour, "#9aa0a6");
});

for (const output of [
  undefined,
  null,
  {},
  [],
  "",
  { consistentid_parts: null },
  { consistentid_parts: "x" },
  { consistentid_parts: [null, {}, { photo: {} }, { photo: FILE }, { photo: FILE, parts: {} }] },
]) {
  test(`nothing is shown, and nothing thrown, for ${JSON.stringify(output)}`, () => {
    assert.deepEqual(photosFrom(output), []);
  });
}

test("parts that are no parts are left out", () => {
  assert.deepEqual(photosFrom(result(/** @type {any} */ (null), {}, { region: 3 }))[0].parts, []);
});

test("a switch that differs from the last run is a change", () => {
  const [photo] = photosFrom(result(NOSE));
  assert.equal(
    hasChanged(photo, () => false),
    true,
  );
  assert.equal(
    hasChanged(photo, () => true),
    false,
  );
});

test("a node without switches changes nothing", () => {
  const [photo] = photosFrom(result({ ...NOSE, enabled: false }));
  assert.equal(
    hasChanged(photo, () => null),
    false,
  );
});

test("the switch of a part that was not found changes nothing", () => {
  const [photo] = photosFrom(result({ ...NOSE, present: false }));
  assert.equal(
    hasChanged(photo, () => false),
    false,
  );
});

for (const [share, expected] of /** @type {const} */ ([
  [0, "<0.01%"],
  [0.000008, "<0.01%"],
  [0.00082, "0.08%"],
  [0.0123, "1%"],
  [0.034, "3%"],
  [0.123, "12%"],
  [1, "100%"],
])) {
  test(`${share} is shown as ${expected}`, () => assert.equal(formatShare(share, "en"), expected));
}
