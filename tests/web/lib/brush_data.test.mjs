import assert from "node:assert/strict";
import { test } from "node:test";

import {
  correctionsFrom,
  nameOf,
  radiusOf,
  strokesOf,
  textOf,
  tidied,
  withoutAll,
  withoutLast,
  withStroke,
} from "../../../web/js/lib/brush_data.js";

const PHOTO = { id: "a", width: 40, height: 30 };

/** @param {string} region @param {number[]} points */
const stroke = (region, points = [0.5, 0.5]) => ({ region, adds: true, radius: 0.1, points });

const painted = [stroke("nose"), stroke("eyes"), stroke("nose", [0.1, 0.1])].reduce(
  (corrections, one) => withStroke(corrections, PHOTO, one),
  withStroke({}, { id: "b", width: 1, height: 2 }, stroke("nose")),
);

test("strokes come one after the other, and other photos keep theirs", () => {
  assert.deepEqual(painted.a.strokes.map(({ region }) => region), ["nose", "eyes", "nose"]);
  assert.deepEqual([painted.a.width, painted.a.height], [40, 30]);
  assert.equal(painted.b.strokes.length, 1);
});

test("a file whose strokes cannot be drawn is none", () => {
  const whole = { region: "nose", adds: true, radius: 0.1, points: [0.5, 0.5] };
  /** @param {any} stroke */
  const read = (stroke) => correctionsFrom({ format: "consistentid_brush", version: 1, photos: { a: { width: 1, height: 1, strokes: [stroke] } } });
  assert.equal(read(whole).a.strokes.length, 1);
  const wrong = [{ points: undefined }, { points: [] }, { points: [0.5] }, { points: [0.5, "1"] }, { radius: null }, { region: 1 }];
  for (const stroke of [null, "stroke", ...wrong.map((one) => ({ ...whole, ...one }))]) assert.throws(() => read(stroke), /no file of brush strokes/);
});

test("the last stroke on a part is taken back, whatever was painted after it", () => {
  const without = withoutLast(painted, "a", "eyes");
  assert.deepEqual(without.a.strokes.map(({ region }) => region), ["nose", "nose"]);
  assert.equal(strokesOf(withoutLast(painted, "a", "nose"), "a", "nose").length, 1);
  assert.equal(painted.a.strokes.length, 3);
});

test("of a part nothing is left after all was taken back, and of a photo neither", () => {
  const without = withoutAll(painted, "a", "nose");
  assert.deepEqual(without.a.strokes.map(({ region }) => region), ["eyes"]);
  assert.deepEqual(Object.keys(withoutAll(without, "a", "eyes")), ["b"]);
  assert.deepEqual(withoutAll({}, "a", "eyes"), {});
});

test("what was written is read again", () => {
  assert.deepEqual(correctionsFrom(JSON.parse(textOf(painted))), painted);
});

for (const content of [null, 5, {}, { format: "consistentid_brush", version: 2, photos: {} }, { format: "x", version: 1, photos: {} }]) {
  test(`${JSON.stringify(content)} is no file of brush strokes`, () => {
    assert.throws(() => correctionsFrom(content), /no file of brush strokes/);
  });
}

test("a file has the name of its content", () => {
  const text = textOf(painted);
  assert.match(nameOf(text), /^brush_[0-9a-f]{16}\.json$/);
  assert.equal(nameOf(text), nameOf(text));
  assert.notEqual(nameOf(text), nameOf(textOf(withoutLast(painted, "a", "nose"))));
});

test("a stroke keeps its ends and no more points than are seen", () => {
  const points = [...Array(101).keys()].flatMap((index) => [0.2 + index / 1000, 0.5]);
  const tidy = tidied(points, 0.04);
  assert.deepEqual([tidy.slice(0, 2), tidy.slice(-2)], [[0.2, 0.5], [0.3, 0.5]]);
  assert.ok(tidy.length / 2 <= 11, String(tidy.length));
  assert.deepEqual(tidied([0.123456789, 0.5], 0.1), [0.1235, 0.5]);
  assert.deepEqual(tidied([-3, 0.5, 9, 0.5], 0.1), [-0.5, 0.5, 1.5, 0.5]);
});

test("the slider goes from a spot to a broad brush", () => {
  assert.deepEqual([0, 100].map(radiusOf), [0.002, 0.15]);
  assert.ok(radiusOf(50) < 0.05);
});
