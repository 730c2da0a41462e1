import assert from "node:assert/strict";
import { test } from "node:test";

import { hold, onPage, picture, point, settle, textOf } from "./page.mjs";
import { PartsView } from "../../../web/js/dom/parts_view.js";

/** @typedef {import("../../../web/js/lib/parts_data.js").Part} Part */

const LEFT = { x: 0.25, y: 0.5 };
const RIGHT = { x: 0.75, y: 0.5 };

const file = (/** @type {string} */ filename) => ({ filename, subfolder: "", type: "temp" });

for (const name of ["a.jpg", "b.jpg", "c.jpg"]) picture(name);
picture("all.png", { grey: () => 255 });
picture("left.png", { grey: (x) => (x < 0.5 ? 255 : 0) });
picture("right.png", { grey: (x) => (x >= 0.5 ? 255 : 0) });

/** @param {string} region @param {Partial<Part>} [more] @returns {Part} */
const part = (region, more) => ({
  region,
  label: region,
  colour: "#6e78ff",
  area: 0.25,
  enabled: true,
  mask: file("all.png"),
  source: null,
  strength: 1,
  twin: null,
  ...more,
});

/** @param {string} name @param {Part[]} parts @param {{ index?: number, total?: number, faces?: number, tiny?: string[] }} [more] */
const photo = (name, parts, { index = 0, total = 1, faces = 0, tiny = [] } = {}) => ({
  index,
  total,
  width: 100,
  height: 80,
  photo: file(name),
  parts,
  faces,
  tiny,
});

/**
 * @param {Record<string, boolean>} switches of the node
 * @param {{ linked?: string[] }} [options]
 */
function viewOf(switches, { linked = [] } = {}) {
  const view = onPage(
    new PartsView({
      urlOf: ({ filename }) => filename,
      switchOf: (region) =>
        region in switches ? { isOn: switches[region], isLinked: linked.includes(region) } : null,
      toggle(region) {
        switches[region] = !switches[region];
        view.refresh();
      },
      setStrength() {},
      locale: () => "en",
    }),
  );
  return view;
}

/** @param {PartsView} view */
const chipsOf = (view) => /** @type {HTMLElement[]} */ ([...view.chips.root.children]);

/** @param {PartsView} view */
const isOnOf = (view) => chipsOf(view).map((chip) => chip.getAttribute("aria-checked") === "true");

/** @param {PartsView} view */
const lineOf = (view) => textOf(view.root, ".consistentid-line");

/** @param {PartsView} view */
const isShown = (view) => !view.root.classList.contains("consistentid-empty");

test("before the first run it says what to do", () => {
  const view = viewOf({});
  assert.ok(!isShown(view));
  assert.equal(textOf(view.root, ".consistentid-message"), "Run the workflow to see the parts of the face here.");
});

test("a result without photos says why there is no picture", async () => {
  const view = viewOf({});
  view.show([], { isEmpty: true });
  await settle();
  assert.match(textOf(view.root, ".consistentid-message"), /the face comes from a file/);
});

test("every part of the photo has a chip, whatever parts there are", async () => {
  const view = viewOf({ face: true, hair: false });
  view.show([photo("a.jpg", [part("face"), part("hair", { area: 0.008 })])]);
  await settle();
  assert.ok(isShown(view));
  assert.deepEqual(chipsOf(view).map((chip) => chip.textContent), ["face 25%", "hair 0.8%"]);
  assert.deepEqual(isOnOf(view), [true, false]);
});

test("a chip switches its part, and says that the last run did not know", async () => {
  const switches = { face: true, nose: true };
  const view = viewOf(switches);
  view.show([photo("a.jpg", [part("face"), part("nose")])]);
  await settle();
  chipsOf(view)[1].click();
  assert.deepEqual(switches, { face: true, nose: false });
  assert.deepEqual(isOnOf(view), [true, false]);
  assert.equal(lineOf(view), "Changed since the last run.");
  chipsOf(view)[1].click();
  assert.equal(lineOf(view), "");
});

test("a click in the picture switches the part that lies on top there", async () => {
  const switches = { face: true, nose: true };
  const view = viewOf(switches);
  view.show([photo("a.jpg", [part("face"), part("nose", { mask: file("right.png") })])]);
  await settle();
  point(view.canvas, "click", RIGHT);
  assert.deepEqual(switches, { face: true, nose: false });
  point(view.canvas, "click", LEFT);
  assert.deepEqual(switches, { face: false, nose: false });
});

test("pointing at a part highlights its chip and says what a click does", async () => {
  const view = viewOf({ eyes: true, nose: false });
  view.show([photo("a.jpg", [part("eyes", { mask: file("left.png") }), part("nose", { mask: file("right.png") })])]);
  await settle();
  point(view.canvas, "pointermove", LEFT);
  const lit = () => chipsOf(view).map((chip) => chip.classList.contains("consistentid-highlighted"));
  assert.deepEqual(lit(), [true, false]);
  assert.equal(view.canvas.title, "eyes: 25% of the photo. Click to leave it out.");
  point(view.canvas, "pointermove", RIGHT);
  assert.deepEqual(lit(), [false, true]);
  assert.equal(view.canvas.title, "nose: left out. Click to use it.");
});

test("a part that is not in the photo cannot be switched", async () => {
  const switches = { ears: true, nose: true };
  const view = viewOf(switches);
  view.show([photo("a.jpg", [part("ears", { mask: null }), part("nose")])]);
  await settle();
  const [ears] = chipsOf(view);
  ears.click();
  assert.deepEqual(switches, { ears: true, nose: true });
  assert.equal(ears.textContent, "ears not found");
  assert.match(ears.title, /not found in this photo/);
});

test("a switch that another node decides shows what the last run used, and is left alone", async () => {
  const switches = { nose: true };
  const view = viewOf(switches, { linked: ["nose"] });
  view.show([photo("a.jpg", [part("nose", { enabled: false })])]);
  await settle();
  chipsOf(view)[0].click();
  assert.deepEqual([switches.nose, isOnOf(view)], [true, [false]]);
});

test("all parts off is told before the run", async () => {
  const view = viewOf({ face: false, nose: false });
  view.show([photo("a.jpg", [part("face"), part("nose")])]);
  await settle();
  assert.equal(lineOf(view), "All parts are switched off. Switch on at least one.");
});

test("a part of a mixed face says which photo it is from, how strong it is, and leads there", async () => {
  const from = (/** @type {number} */ index) => ({ source: { file: file("a.jpg"), index } });
  const parts = [part("face", from(0)), part("eyes", { ...from(1), strength: 0.5 }), part("nose", { ...from(0), strength: 0 })];
  const view = viewOf({});
  view.show([photo("a.jpg", parts, { total: 2 }), photo("b.jpg", parts, { index: 1, total: 2 })]);
  await settle();
  assert.deepEqual(chipsOf(view).map((chip) => chip.textContent), ["face photo 1", "eyes photo 2 ×0.50", "nose photo 1 ×0.00"]);
  assert.deepEqual(isOnOf(view), [true, true, false]);
  assert.equal(lineOf(view), "");
  chipsOf(view)[1].click();
  await settle();
  assert.equal(textOf(view.root, ".consistentid-pager span"), "2 / 2");
});

test("the last photo shown says that there are more", async () => {
  const view = viewOf({ face: true });
  view.show([0, 1].map((index) => photo("a.jpg", [part("face")], { index, total: 64 })));
  await settle();
  assert.equal(lineOf(view), "");
  view.pager.next.click();
  await settle();
  assert.equal(lineOf(view), "The first 2 of 64 photos are shown.");
});

test("a new result stays on the page, or on the last one there is", async () => {
  const view = viewOf({ face: true });
  const photos = [0, 1, 2].map((index) => photo("a.jpg", [part("face")], { index, total: 3 }));
  view.show(photos);
  view.pager.next.click();
  await settle();
  view.pager.next.click();
  await settle();
  view.show(photos.slice(0, 2));
  await settle();
  assert.equal(view.pages.page, 1);
});

test("while a photo loads, the one before it stays with its own parts", async () => {
  const switches = { face: true, nose: true };
  const view = viewOf(switches);
  view.show([photo("a.jpg", [part("nose")])]);
  await settle();
  const release = hold("b.jpg");
  view.show([photo("b.jpg", [part("face"), part("nose")])]);
  await settle();
  assert.deepEqual(chipsOf(view).map(({ dataset }) => dataset.region), ["nose"]);
  point(view.canvas, "click", LEFT);
  assert.deepEqual(switches, { face: true, nose: false });
  release();
  await settle();
  assert.deepEqual(chipsOf(view).map(({ dataset }) => dataset.region), ["face", "nose"]);
});

test("a photo that arrives late does not replace a later one", async () => {
  const view = viewOf({});
  const release = hold("c.jpg");
  view.show([photo("c.jpg", [part("nose")])]);
  view.show([photo("a.jpg", [part("face")])]);
  await settle();
  release();
  await settle();
  assert.deepEqual(chipsOf(view).map(({ dataset }) => dataset.region), ["face"]);
});

test("pictures that are gone are told, and nothing can be switched without them", async () => {
  const view = viewOf({ face: true });
  view.show([photo("gone.jpg", [part("face")])]);
  await settle();
  assert.ok(!isShown(view));
  assert.match(textOf(view.root, ".consistentid-message"), /The pictures of the last run are gone/);
  assert.equal(chipsOf(view).length, 0);
});

test("an error stands under the picture of the run before, until it is taken back", async () => {
  const view = viewOf({ face: true });
  view.show([photo("a.jpg", [part("face")])]);
  await settle();
  view.fail("No face.");
  assert.ok(isShown(view));
  assert.equal(lineOf(view), "No face.");
  assert.ok(view.line.classList.contains("consistentid-error"));
  view.fail("");
  assert.equal(lineOf(view), "");
  assert.ok(!view.line.classList.contains("consistentid-error"));
});

test("without a picture the error is the message, and the next result takes its place", async () => {
  const view = viewOf({ face: true });
  view.fail("No face.");
  assert.equal(textOf(view.root, ".consistentid-message"), "No face.");
  view.show([photo("a.jpg", [part("face")])]);
  await settle();
  assert.ok(isShown(view));
  assert.equal(lineOf(view), "");
});

test("what was left out of a prompt is told in the line", async () => {
  const view = viewOf({ face: true });
  view.show([photo("a.jpg", [part("face")])]);
  view.note("prompt", ["Cut."]);
  await settle();
  assert.equal(lineOf(view), "Cut.");
  view.note("prompt", []);
  assert.equal(lineOf(view), "");
});

test("the slider shows the strength it is given", () => {
  const view = viewOf({});
  view.setStrength(0.8);
  assert.equal(view.slider.value, "80");
});

test("of a pair of which one is used, the chip says so and why", async () => {
  const view = viewOf({ eyes: true, nose: true });
  view.show([photo("a.jpg", [part("eyes", { mask: file("left.png"), twin: file("right.png") }), part("nose")])]);
  await settle();
  const [eyes, nose] = chipsOf(view);
  assert.deepEqual([eyes.textContent, nose.textContent], ["eyes 1 of 2, 25%", "nose 25%"]);
  assert.match(eyes.title, /^eyes: 25% of the photo\. Click to leave it out\. Of the two, one is used/);
  assert.doesNotMatch(nose.title, /Of the two/);
});

test("parts of several faces or too small for CLIP are said, with the node that helps", async () => {
  const view = viewOf({ eyes: true, nose: true });
  view.show([photo("a.jpg", [part("eyes"), part("nose")], { faces: 3, tiny: ["eyes"] })]);
  await settle();
  assert.match(lineOf(view), /^These parts are of 3 faces.* Crop Face .* next to nothing of: eyes\. Put Crop Face/);
});
