import assert from "node:assert/strict";
import { test } from "node:test";

import { onPage, picture, settle, textOf } from "./page.mjs";
import { PartLikenessView } from "../../../web/js/dom/part_likeness_view.js";

for (const name of ["a.jpg", "b.jpg"]) picture(name);

const file = (/** @type {string} */ filename) => ({ filename, subfolder: "", type: "temp" });
const part = (/** @type {string} */ region, /** @type {number | null} */ score, /** @type {object} */ more = {}) => ({
  region,
  label: region.toUpperCase(),
  colour: "#ffda48",
  score,
  reference: file("a.jpg"),
  picture: score === null ? null : file("b.jpg"),
  ...more,
});
const compared = (/** @type {any[]} */ parts, /** @type {object} */ more = {}) => ({
  total: 1,
  encoder: "dino-vits16",
  mean: 0.75,
  coverage: 1,
  parts,
  ...more,
});

/** @param {any[]} pictures */
async function viewOf(pictures) {
  const view = onPage(new PartLikenessView(({ filename }) => filename));
  view.show(pictures);
  await settle();
  return view;
}

/** @param {PartLikenessView} view */
const rowsOf = (view) => /** @type {HTMLElement[]} */ ([...view.rows.children]);

test("before the first run it says what to do", () => {
  const view = onPage(new PartLikenessView(({ filename }) => filename));
  assert.match(textOf(view.root, ".consistentid-message"), /^Run the workflow to see how alike the parts/);
  assert.ok(view.rows.hidden);
});

test("each part has its two crops, its name, its score and a bar in its colour", async () => {
  const view = await viewOf([compared([part("eyes", 0.4), part("nose", 0.9)])]);
  const [eyes, nose] = rowsOf(view);
  assert.deepEqual([...eyes.querySelectorAll("img")].map((image) => image.getAttribute("alt")), [
    "EYES of the photo",
    "EYES of the picture",
  ]);
  assert.equal(eyes.style.getPropertyValue("--part"), "#ffda48");
  assert.equal(/** @type {HTMLElement} */ (eyes.querySelector(".consistentid-bar i")).style.getPropertyValue("--at"), "50.0%");
  assert.deepEqual([textOf(nose, "span"), textOf(nose, "small")], ["NOSE", "0.90"]);
  assert.equal(eyes.getAttribute("aria-label"), "EYES: 0.40");
});

test("a part that one of them lacks has no bar and says so", async () => {
  const view = await viewOf([compared([part("eyes", 0.8), part("ears", null)])]);
  const [, ears] = rowsOf(view);
  assert.equal(ears.querySelector(".consistentid-bar i"), null);
  assert.equal(textOf(ears, "small"), "not in both");
  assert.equal(ears.querySelectorAll("img").length, 1);
  assert.equal(textOf(view.root, ".consistentid-line"), "Mean 0.75 over 1 of 2 parts, by dino-vits16");
});

test("a picture without any part says so, and the page can be turned", async () => {
  const nothing = compared([part("eyes", null)], { mean: null, total: 2 });
  const view = await viewOf([nothing, compared([part("eyes", 0.8)], { total: 2 })]);
  assert.equal(textOf(view.root, ".consistentid-line"), "There is no part of a face that photo and picture both show.");
  view.pager.next.click();
  await settle();
  assert.match(textOf(view.root, ".consistentid-line"), /^Mean 0.75 over 1 of 1 parts/);
});

test("an error and files that are gone are told", async () => {
  const view = await viewOf([compared([part("eyes", 0.8)])]);
  view.fail("No face.");
  assert.equal(textOf(view.root, ".consistentid-line"), "No face.");
  view.fail("");
  view.show([compared([part("eyes", 0.8, { picture: file("gone.jpg") })])]);
  await settle();
  assert.match(textOf(view.root, ".consistentid-message"), /are gone/);
});
