import assert from "node:assert/strict";
import { test } from "node:test";

import { hold, onPage, picture, press, settle, textOf } from "./page.mjs";
import { FacesView } from "../../../web/js/dom/faces_view.js";

for (const name of ["a.jpg", "b.jpg"]) picture(name, { width: 200, height: 100 });

const face = (/** @type {number} */ left) => ({ left, top: 0.25, width: 0.2, height: 0.5, score: 0.9 });

/** @typedef {import("../../../web/js/lib/faces_data.js").Crop} Crop */

/** @param {string} filename @param {number} faces @param {{ chosen?: number | null, total?: number, crop?: Crop | null }} [more] */
const photo = (filename, faces, { chosen = 0, total = 1, crop = null } = {}) => ({
  index: 0,
  total,
  width: 200,
  height: 100,
  photo: { filename, subfolder: "", type: "temp" },
  chosen: faces > 0 ? chosen : null,
  crop,
  faces: [...Array(faces).keys()].map((index) => face(index / 10)),
});

/** @param {number | null} index that the node's widget has; null if another node decides */
function viewOf(index) {
  const node = { index };
  const view = onPage(
    new FacesView({
      urlOf: ({ filename }) => filename,
      chosen: () => node.index,
      locale: () => "en",
      choose(chosen) {
        node.index = chosen;
        view.refresh();
      },
    }),
  );
  return { view, node };
}

/** @param {FacesView} view */
const boxesOf = (view) => /** @type {HTMLElement[]} */ ([...view.boxes.children]);

/** @param {FacesView} view */
const chosenOf = (view) => boxesOf(view).findIndex((box) => box.getAttribute("aria-checked") === "true");

/** @param {FacesView} view */
const lineOf = (view) => textOf(view.root, ".consistentid-line");

test("before the first run it says what to do", () => {
  assert.match(textOf(viewOf(0).view.root, ".consistentid-message"), /^Run the workflow/);
});

test("each face has a numbered box in its place", async () => {
  const { view } = viewOf(0);
  view.show([photo("a.jpg", 3)]);
  await settle();
  assert.deepEqual(boxesOf(view).map((box) => box.textContent), ["0", "1", "2"]);
  const { left, top, width, height } = boxesOf(view)[1].style;
  assert.deepEqual([left, top, width, height], ["10%", "25%", "20%", "50%"]);
  assert.equal(view.frame.style.getPropertyValue("--ratio"), "2");
});

test("a click chooses a face, and says that the last run did not know", async () => {
  const { view, node } = viewOf(0);
  view.show([photo("a.jpg", 3)]);
  await settle();
  assert.deepEqual([chosenOf(view), lineOf(view)], [0, ""]);
  boxesOf(view)[2].click();
  assert.deepEqual([node.index, chosenOf(view), lineOf(view)], [2, 2, "Changed since the last run."]);
});

test("where another node decides, the face of the last run is the chosen one", async () => {
  const { view } = viewOf(null);
  view.show([photo("a.jpg", 3, { chosen: 1 })]);
  await settle();
  assert.deepEqual([chosenOf(view), lineOf(view)], [1, ""]);
});

test("arrow keys lead from face to face", async () => {
  const { view } = viewOf(0);
  view.show([photo("a.jpg", 3)]);
  await settle();
  boxesOf(view)[0].focus();
  press("ArrowLeft");
  assert.equal(document.activeElement, boxesOf(view)[2]);
});

test("a photo without a face says so", async () => {
  const { view } = viewOf(0);
  view.show([photo("a.jpg", 0)]);
  await settle();
  assert.equal(lineOf(view), "No face was found in this photo.");
});

for (const faces of [1, 0]) {
  test(`refreshed while a photo with ${faces} faces loads, the three of the photo before stay`, async () => {
    const { view } = viewOf(0);
    view.show([photo("a.jpg", 3)]);
    await settle();
    const release = hold("b.jpg");
    view.show([photo("b.jpg", faces)]);
    view.refresh();
    assert.equal(boxesOf(view).length, 3);
    release();
    await settle();
    assert.equal(boxesOf(view).length, faces);
  });
}

test("refreshed while a result without photos arrives, nothing is thrown", async () => {
  const { view } = viewOf(0);
  view.show([photo("a.jpg", 3)]);
  await settle();
  view.show([]);
  view.refresh();
  await settle();
  assert.match(textOf(view.root, ".consistentid-message"), /^Run the workflow/);
});

test("pictures that are gone are told", async () => {
  const { view } = viewOf(0);
  view.show([photo("gone.jpg", 1)]);
  await settle();
  assert.match(textOf(view.root, ".consistentid-message"), /are gone/);
});

test("the last photo shown says that there are more", async () => {
  const { view } = viewOf(0);
  view.show([photo("a.jpg", 1, { total: 9 }), photo("b.jpg", 1, { total: 9 })]);
  await settle();
  view.pager.next.click();
  await settle();
  assert.equal(lineOf(view), "The first 2 of 9 photos are shown.");
});

test("an error stands under the photo of the run before, until it is taken back", async () => {
  const { view } = viewOf(0);
  view.show([photo("a.jpg", 1)]);
  await settle();
  view.fail("No face.");
  assert.equal(lineOf(view), "No face.");
  assert.ok(view.line.classList.contains("consistentid-error"));
  view.fail("");
  assert.equal(lineOf(view), "");
});

const PLACE = { left: 0.1, top: 0.2, width: 0.3, height: 0.4 };

test("what is cut out is shown, until another face is chosen", async () => {
  const { view } = viewOf(0);
  view.show([photo("a.jpg", 2, { crop: { place: PLACE, share: 0.125 } })]);
  await settle();
  const { left, top, width, height } = view.crop.style;
  assert.deepEqual([view.crop.hidden, left, top, width, height], [false, "10%", "20%", "30%", "40%"]);
  assert.equal(lineOf(view), "The face takes 13% of the photo's shorter side: cut out around it.");
  boxesOf(view)[1].click();
  assert.deepEqual([view.crop.hidden, lineOf(view)], [true, "Changed since the last run."]);
});

test("a photo that passes as it is says so and shows no cut", async () => {
  const { view } = viewOf(0);
  view.show([photo("a.jpg", 1, { crop: { place: null, share: 0.5 } })]);
  await settle();
  assert.ok(view.crop.hidden);
  assert.equal(lineOf(view), "The face takes 50% of the photo's shorter side: the photo passes as it is.");
});

test("a photo without a face that may pass says so", async () => {
  const { view } = viewOf(0);
  view.show([photo("a.jpg", 0, { crop: { place: null, share: null } })]);
  await settle();
  assert.equal(lineOf(view), "No face was found: the photo passes as it is.");
});

test("ID Embedding cuts nothing and says nothing of it", async () => {
  const { view } = viewOf(0);
  view.show([photo("a.jpg", 2)]);
  await settle();
  assert.deepEqual([view.crop.hidden, lineOf(view)], [true, ""]);
});
