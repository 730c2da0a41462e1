import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { PRESETS, SETTINGS, isSet } from "../../../web/js/lib/presets.js";
import { TEXTS } from "../../../web/js/lib/texts.js";

test("every preset has a name, sets the same widgets and differs from the others", () => {
  for (const [name, preset] of Object.entries(PRESETS)) {
    assert.ok(name in TEXTS);
    assert.deepEqual(Object.keys(preset), SETTINGS);
  }
  const all = Object.values(PRESETS).map((preset) => JSON.stringify(preset));
  assert.equal(new Set(all).size, all.length);
});

test("a node is set to a preset if all its widgets are", () => {
  const values = { ...PRESETS.presetLikeness, merge_percent: 0.4000000001 };
  assert.ok(isSet(PRESETS.presetLikeness, (name) => values[name]));
  assert.ok(!isSet(PRESETS.presetOriginal, (name) => values[name]));
  assert.ok(!isSet(PRESETS.presetOriginal, () => undefined));
});

test("the help page says what they set", () => {
  const page = readFileSync(new URL("../../../web/docs/ConsistentIDSimple.md", import.meta.url), "utf-8");
  for (const [name, preset] of Object.entries(PRESETS)) {
    const title = /** @type {Record<string, string>} */ (TEXTS)[name].split(" (")[0];
    const row = page.split("\n").find((line) => line.startsWith(`| ${title}`));
    assert.deepEqual(row?.split("|").slice(2, -1).map(Number), SETTINGS.map((setting) => preset[setting]), title);
  }
});
