import assert from "node:assert/strict";
import { test } from "node:test";

import { onPage } from "./page.mjs";
import { Pager } from "../../../web/js/dom/pager.js";

/** @param {number} page @param {number} pages @param {number} total */
function pagerAt(page, pages, total) {
  /** @type {number[]} */
  const turns = [];
  const pager = onPage(new Pager((to) => turns.push(to)));
  pager.render(page, pages, total);
  return { pager, turns };
}

test("it tells the photo's number among all photos, of which not all can be turned to", () => {
  const { pager } = pagerAt(2, 8, 64);
  assert.equal(pager.number.textContent, "3 / 64");
  assert.equal(pager.number.title, "Photo 3 of 64");
});

test("its buttons lead to the photos beside this one", () => {
  const { pager, turns } = pagerAt(2, 8, 64);
  pager.next.click();
  pager.previous.click();
  assert.deepEqual(turns, [3, 1]);
});

test("it ends with the first and the last photo there is", () => {
  const states = [0, 1, 2].map((page) => {
    const { pager } = pagerAt(page, 3, 64);
    return [pager.previous.disabled, pager.next.disabled];
  });
  assert.deepEqual(states, [[true, false], [false, false], [false, true]]);
});

test("one photo needs no pager", () => {
  assert.deepEqual([0, 1, 2].map((pages) => pagerAt(0, pages, pages).pager.root.hidden), [true, true, false]);
});
