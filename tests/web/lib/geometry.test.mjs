import assert from "node:assert/strict";
import { test } from "node:test";

import { boundsOf, closeUp, pointInPicture } from "../../../web/js/lib/geometry.js";

/** @param {...string} rows `#` is set */
const mask = (...rows) => ({
  width: rows[0].length,
  data: [...rows.join("")].map((character) => (character === "#" ? 255 : 0)),
});

test("the bounds are those of all masks together", () => {
  const masks = [mask("....", ".#..", "...."), mask("....", "..#.", "..#.")];
  assert.deepEqual(boundsOf(masks), { left: 1, top: 1, width: 2, height: 2 });
});

test("empty masks have no bounds", () => {
  assert.equal(boundsOf([mask("..", "..")]), null);
  assert.equal(boundsOf([]), null);
});

test("a close look holds the face, inside the photo", () => {
  for (const [left, top] of [[0, 0], [420, 60], [200, 420]]) {
    const view = closeUp({ left, top, width: 80, height: 90 }, 512, 512);
    assert.ok(view.left <= left && view.left + view.width >= left + 80);
    assert.ok(view.top <= top && view.top + view.height >= top + 90);
    assert.ok(view.left >= 0 && view.top >= 0);
    assert.ok(view.left + view.width <= 512.001 && view.top + view.height <= 512.001);
    assert.ok(view.width < 256);
  }
});

test("a photo that a face fills is shown whole", () => {
  const whole = { left: 0, top: 0, width: 300, height: 400 };
  assert.deepEqual(closeUp({ left: 20, top: 20, width: 250, height: 300 }, 300, 400), whole);
  assert.deepEqual(closeUp(null, 300, 400), whole);
});

test("a close look at a very wide photo is as high as the photo at most", () => {
  const view = closeUp({ left: 400, top: 5, width: 80, height: 90 }, 2000, 100);
  assert.deepEqual([view.top, view.height], [0, 100]);
});

const BOX = { left: 100, top: 50, width: 400, height: 200 };

test("a point in a fitted picture is told as shares of the picture", () => {
  // A square picture is 200 x 200 in the middle of the box.
  assert.deepEqual(pointInPicture(BOX, 10, 10, 200, 50), { x: 0, y: 0 });
  assert.deepEqual(pointInPicture(BOX, 10, 10, 300, 150), { x: 0.5, y: 0.5 });
  assert.deepEqual(pointInPicture(BOX, 4, 2, 200, 100), { x: 0.25, y: 0.25 });
});

test("beside the picture there is no point", () => {
  assert.equal(pointInPicture(BOX, 10, 10, 199, 100), null);
  assert.equal(pointInPicture(BOX, 10, 10, 400, 100), null);
  assert.equal(pointInPicture(BOX, 10, 1, 300, 60), null);
});

test("a box that is not shown holds no point", () => {
  assert.equal(pointInPicture({ left: 0, top: 0, width: 0, height: 0 }, 10, 10, 0, 0), null);
});
