import assert from "node:assert/strict";
import { test } from "node:test";

import { onPage, picture, settle, textOf } from "./page.mjs";
import { LikenessView } from "../../../web/js/dom/likeness_view.js";

for (const name of ["a.jpg", "b.jpg"]) picture(name, { width: 200, height: 100 });

const FACE = { left: 0.1, top: 0.25, width: 0.2, height: 0.5, score: 0.9 };
const SAME = /** @type {const} */ ({ kind: "same", typical: 0.46, low: 0.3, high: 0.77, pairs: 0, source: "ArcFace, 512 numbers" });
const OTHER = /** @type {const} */ ({ kind: "other", typical: 0.05, low: -0.1, high: 0.2, pairs: 0, source: "ArcFace, 512 numbers" });
const CONDITIONER = { name: "w600k_r50", flatters: true, levels: [SAME, OTHER] };

/** @param {string} filename @param {object} [more] */
const photo = (filename, more = {}) => ({
  index: 0,
  total: 1,
  width: 200,
  height: 100,
  photo: { filename, subfolder: "", type: "temp" },
  chosen: 0,
  faces: [FACE, { ...FACE, left: 0.6 }],
  score: 0.62,
  scores: [{ best: 0.62, mean: 0.62 }],
  ...more,
});

/** @param {any[]} photos @param {any[]} [recognisers] */
async function viewOf(photos, recognisers = [CONDITIONER]) {
  const view = onPage(new LikenessView(({ filename }) => filename));
  view.show({ photos, scores: photos.map(({ score }) => score), recognisers });
  await settle();
  return view;
}

/** @param {LikenessView} view @param {string} selector */
const all = (view, selector) => /** @type {HTMLElement[]} */ ([...view.root.querySelectorAll(selector)]);

/** @param {HTMLElement} element @param {string} name */
const varOf = (element, name) => element.style.getPropertyValue(name);

test("before the first run it says what to do", () => {
  const view = onPage(new LikenessView(({ filename }) => filename));
  assert.match(textOf(view.root, ".consistentid-message"), /^Run the workflow to see how like/);
  assert.ok(view.root.classList.contains("consistentid-empty"));
});

test("every face has a box, and the compared one its score", async () => {
  const view = await viewOf([photo("a.jpg", { chosen: 1 })]);
  const boxes = all(view, ".consistentid-face");
  assert.deepEqual(boxes.map((box) => box.textContent), ["", "0.62"]);
  assert.deepEqual(boxes.map((box) => box.hasAttribute("data-judged")), [false, true]);
  assert.equal(boxes[1].style.left, "60%");
});

test("score and levels lie on the scale where they belong", async () => {
  const view = await viewOf([photo("a.jpg", { score: 0.4 })]);
  assert.equal(varOf(all(view, ".consistentid-mark")[0], "--at"), "50.0%");
  const [same, other] = all(view, ".consistentid-band");
  assert.equal(varOf(same, "--low"), "41.7%");
  assert.equal(varOf(same, "--high"), "80.8%");
  assert.equal(varOf(same, "--typical"), "34.0%");
  assert.ok(other.classList.contains("consistentid-band-other"));
});

test("what the scale shows is said too", async () => {
  const view = await viewOf([photo("a.jpg")]);
  const scale = all(view, ".consistentid-scale")[0];
  assert.equal(scale.getAttribute("role"), "img");
  assert.match(scale.getAttribute("aria-label") ?? "", /^Likeness by w600k_r50: 0.62. Same person, other photo: 0.46 typical/);
  assert.deepEqual(all(view, ".consistentid-legend li").map((one) => one.textContent), [
    "Same person, other photo: 0.46 typical, 0.30 to 0.77 (not measured: usual for networks such as ArcFace, 512 numbers)",
    "Another person: 0.05 typical, -0.10 to 0.20 (not measured: usual for networks such as ArcFace, 512 numbers)",
  ]);
});

test("the recogniser that conditions the pictures is named as one that flatters", async () => {
  const told = (/** @type {LikenessView} */ view) => all(view, ".consistentid-said").map((one) => one.textContent);
  assert.match(told(await viewOf([photo("a.jpg")]))[1] ?? "", /^w600k_r50 conditions the pictures and flatters them/);
  const judge = { name: "sface", flatters: false, levels: [{ ...SAME, pairs: 3 }] };
  const both = photo("a.jpg", { scores: [{ best: 0.7, mean: 0.66 }, { best: 0.91, mean: 0.91 }] });
  const view = await viewOf([both], [judge, CONDITIONER]);
  assert.equal(told(view)[0], "sface: 0.70 (mean over the photos 0.66) · w600k_r50: 0.91");
  assert.match(told(view)[1] ?? "", /flatters/);
  assert.match(textOf(view.root, ".consistentid-legend"), /measured on 3 pairs of these photos/);
  assert.equal(told(await viewOf([photo("a.jpg")], [judge])).length, 1);
});

test("of a recogniser without levels it says that nothing is known", async () => {
  const view = await viewOf([photo("a.jpg")], [{ name: "odd", flatters: false, levels: [] }]);
  assert.match(view.judged.textContent ?? "", /Nothing is known about this recogniser/);
});

test("a picture without a face has no mark and says so", async () => {
  const view = await viewOf([photo("a.jpg", { chosen: null, faces: [], score: 0, scores: [] })]);
  assert.equal(all(view, ".consistentid-mark").length, 0);
  assert.equal(textOf(view.root, ".consistentid-line"), "No face was found in this picture: it counts as 0.");
});

test("turning the page moves the mark and keeps the dots of all pictures", async () => {
  const view = await viewOf([photo("a.jpg", { score: 0.4, total: 2 }), photo("b.jpg", { score: 0.1, total: 2 })]);
  view.pager.next.click();
  await settle();
  assert.equal(varOf(all(view, ".consistentid-mark")[0], "--at"), "25.0%");
  assert.deepEqual(all(view, ".consistentid-dot").map((dot) => varOf(dot, "--at")), ["50.0%", "25.0%"]);
});

test("an error stands under the picture of the run before, until it is taken back", async () => {
  const view = await viewOf([photo("a.jpg")]);
  view.fail("No face.");
  assert.equal(textOf(view.root, ".consistentid-line"), "No face.");
  assert.ok(view.line.classList.contains("consistentid-error"));
  view.fail("");
  assert.equal(textOf(view.root, ".consistentid-line"), "");
});

test("pictures that are gone are told", async () => {
  const view = await viewOf([photo("gone.jpg")]);
  assert.match(textOf(view.root, ".consistentid-message"), /are gone/);
});
