import assert from "node:assert/strict";
import { test } from "node:test";

import { stepByKey } from "../../../web/js/lib/keys.js";

for (const [key, from, to] of /** @type {const} */ ([
  ["ArrowRight", 1, 2],
  ["ArrowDown", 4, 0],
  ["ArrowLeft", 0, 4],
  ["ArrowUp", 2, 1],
  ["Home", 3, 0],
  ["End", 0, 4],
  ["a", 0, null],
])) {
  test(`${key} leads from ${from} to ${to}`, () => assert.equal(stepByKey(key, from, 5), to));
}
