import assert from "node:assert/strict";
import { test } from "node:test";

import { HitMap } from "../../../web/js/lib/hit_map.js";

test("the part added last lies on top", () => {
  const map = new HitMap(2, 1);
  map.add(0, new Uint8ClampedArray([255, 255]));
  map.add(3, new Uint8ClampedArray([0, 255]));
  assert.equal(map.at({ x: 0.25, y: 0.5 }), 0);
  assert.equal(map.at({ x: 0.75, y: 0.5 }), 3);
});

test("a soft edge counts from its middle on", () => {
  const map = new HitMap(2, 1);
  map.add(0, new Uint8ClampedArray([127, 128]));
  assert.deepEqual([map.at({ x: 0, y: 0 }), map.at({ x: 0.5, y: 0 })], [-1, 0]);
});

test("the last row and column belong to the map", () => {
  const map = new HitMap(2, 2);
  map.add(1, new Uint8ClampedArray([0, 0, 0, 255]));
  assert.equal(map.at({ x: 0.9999999, y: 0.9999999 }), 1);
  assert.equal(map.at({ x: 1, y: 1 }), 1);
});

test("outside the picture there is no part", () => {
  assert.equal(new HitMap(2, 2).at(null), -1);
});
