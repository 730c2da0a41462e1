import assert from "node:assert/strict";
import { test } from "node:test";

import { likenessFrom, partLikenessFrom, placeOf } from "../../../web/js/lib/likeness_data.js";

const FILE = { filename: "a.jpg", subfolder: "", type: "temp" };
const LEVEL = { kind: "same", typical: 0.5, low: 0.3, high: 0.7, pairs: 3, source: "" };
const entry = (/** @type {object} */ more = {}) => ({
  index: 0,
  total: 1,
  width: 4,
  height: 2,
  photo: FILE,
  chosen: 0,
  faces: [{ box: [0, 0, 0.5, 0.5], score: 0.9 }],
  score: 0.6,
  scores: [{ best: 0.6, mean: 0.5 }],
  ...more,
});
const scale = (/** @type {object} */ more = {}) => ({
  scores: [0.6],
  recognisers: [{ name: "judge", flatters: false, levels: [LEVEL] }],
  ...more,
});

test("pictures, scores and levels are read", () => {
  const { photos, scores, recognisers } = likenessFrom({
    consistentid_likeness: [entry()],
    consistentid_likeness_scale: [scale()],
  });
  assert.deepEqual([photos[0].score, photos[0].scores, photos[0].faces[0].width], [0.6, [{ best: 0.6, mean: 0.5 }], 0.5]);
  assert.deepEqual([scores, recognisers], [[0.6], [{ name: "judge", flatters: false, levels: [LEVEL] }]]);
});

test("the results of a list of pictures are put together", () => {
  const { photos, scores } = likenessFrom({
    consistentid_likeness: [entry(), entry({ score: 0.1 })],
    consistentid_likeness_scale: [scale(), scale({ scores: [0.1] })],
  });
  assert.deepEqual(photos.map(({ total }) => total), [2, 2]);
  assert.deepEqual(scores, [0.6, 0.1]);
});

test("levels that are no numbers are left out", () => {
  const levels = [{ ...LEVEL, low: null }, { ...LEVEL, kind: "twin" }, LEVEL];
  const recognisers = [{ name: "judge", levels }];
  const found = likenessFrom({ consistentid_likeness: [entry()], consistentid_likeness_scale: [scale({ recognisers })] });
  assert.deepEqual(found.recognisers[0].levels, [LEVEL]);
});

for (const output of [undefined, null, {}, { consistentid_likeness: {} }, { consistentid_likeness: [null, { photo: FILE }] }]) {
  test(`nothing is shown, and nothing thrown, for ${JSON.stringify(output)}`, () => {
    assert.deepEqual(likenessFrom(output), { photos: [], scores: [], recognisers: [] });
    assert.deepEqual(partLikenessFrom(output), []);
  });
}

test("the scale goes from a little below 0 to 1 and ends there", () => {
  const places = [-1, -0.2, 0.4, 1, 2].map((score) => Number(placeOf(score).toFixed(6)));
  assert.deepEqual(places, [0, 0, 0.5, 1, 1]);
});

test("parts that cannot be compared have no score, and unusable files are left out", () => {
  const parts = [
    { region: "eyes", label: "Eyes", colour: "#ffda48", score: 0.8, reference: FILE, picture: FILE },
    { region: "nose", score: null, reference: {}, picture: null, colour: "red" },
    { label: "no region" },
  ];
  const [compared] = partLikenessFrom({
    consistentid_part_likeness: [{ index: 0, total: 1, encoder: "dino", mean: 0.8, coverage: 1, parts }],
  });
  assert.deepEqual(compared.parts, [
    { region: "eyes", label: "Eyes", colour: "#ffda48", score: 0.8, reference: FILE, picture: FILE },
    { region: "nose", label: "nose", colour: "#9aa0a6", score: null, reference: null, picture: null },
  ]);
});
