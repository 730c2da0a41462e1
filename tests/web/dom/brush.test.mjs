import assert from "node:assert/strict";
import { test } from "node:test";

import { hold, onPage, picture, point, press, settle, textOf } from "./page.mjs";
import { PartsView } from "../../../web/js/dom/parts_view.js";

/** @typedef {import("../../../web/js/lib/brush_data.js").Corrections} Corrections */

const file = (/** @type {string} */ filename) => ({ filename, subfolder: "", type: "temp" });
picture("a.jpg");
picture("left.png", { grey: (x) => (x < 0.5 ? 255 : 0) });

/** @param {string} region @param {object} [more] */
const part = (region, more) => ({
  ...{ region, label: region, colour: "#6e78ff", area: 0.25, enabled: true, mask: file("left.png"), source: null },
  ...{ strength: 1, twin: null, ...more },
});

/** @param {object | null} [brush] @returns {any} */
const photo = (brush = {}) => ({
  ...{ index: 0, total: 1, width: 100, height: 80, photo: file("a.jpg"), faces: 0, tiny: [] },
  parts: [part("face"), part("nose", { mask: null })],
  brush: brush && { photo: "id", file: "", is_aside: false, masks: {}, ...brush },
});

/** A view on a node whose widget names a file. @param {Record<string, Corrections>} [files] @param {string} [named] */
function viewOf(files = {}, named = "") {
  const node = { file: named, opened: "", fails: false };
  let count = 0;
  const view = onPage(
    new PartsView({
      urlOf: ({ filename }) => filename,
      switchOf: () => null,
      toggle() {},
      setStrength() {},
      locale: () => "en",
      brush: {
        file: () => node.file,
        read: async (name) => (name === "" ? {} : (files[name] ?? Promise.reject(new Error("404")))),
        async write(corrections) {
          node.file = Object.keys(corrections).length > 0 ? `${++count}.json` : "";
          files[node.file] = corrections;
          if (node.fails) throw new Error("507 Disk full");
        },
        opened: () => node.opened,
        open: (region) => (node.opened = region),
      },
    }),
  );
  return { view, node, files };
}

/** @param {PartsView} view @returns {HTMLElement[]} */
const pencils = (view) => [...view.root.querySelectorAll(".consistentid-pencil")].map((one) => /** @type {HTMLElement} */ (one));

/** @param {PartsView} view @returns {HTMLElement[]} */
const tools = (view) => [...view.root.querySelectorAll(".consistentid-brush-bar button")].map((one) => /** @type {HTMLElement} */ (one));

/** @param {PartsView} view */
const brushOf = (view) => /** @type {import("../../../web/js/dom/brush.js").Brush} */ (view.brush);

/** @param {PartsView} view @param {number} index */
async function open(view, index) {
  pencils(view)[index].click();
  await settle();
}

/** @param {PartsView} view */
const lineOf = (view) => textOf(view.root, ".consistentid-line");

test("each part has a pencil where the node has a brush, and none where it has not", async () => {
  const { view } = viewOf();
  view.show([photo()]);
  await settle();
  assert.deepEqual(pencils(view).map((one) => one.getAttribute("aria-label")), [
    "Correct with a brush: face",
    "Correct with a brush: nose",
  ]);
  view.show([photo(null)]);
  await settle();
  assert.ok(pencils(view).every((one) => one.hidden));
});

test("a stroke is kept in shares of the photo, with the part it is for", async () => {
  const { view, node, files } = viewOf();
  view.show([photo()]);
  await settle();
  await open(view, 1);
  const { canvas } = brushOf(view);
  point(canvas, "pointerdown", { x: 0.25, y: 0.5 });
  point(canvas, "pointermove", { x: 0.75, y: 0.5 });
  point(canvas, "pointerup", { x: 0.75, y: 0.5 });
  await settle();
  const { width, height, strokes } = files[node.file].id;
  assert.deepEqual([width, height, strokes[0].region, strokes[0].adds], [100, 80, "nose", true]);
  assert.deepEqual(strokes[0].points, [0.25, 0.5, 0.75, 0.5]);
  assert.equal(lineOf(view), "Changed since the last run.");
  assert.ok(brushOf(view).maskOf("nose"));
  assert.equal(brushOf(view).maskOf("face"), undefined);
});

test("painting switches no part", async () => {
  const { view } = viewOf();
  let clicks = 0;
  view.show([photo()]);
  await settle();
  await open(view, 0);
  view.stage.addEventListener("click", () => clicks++);
  point(brushOf(view).canvas, "click", { x: 0.25, y: 0.5 });
  assert.equal(clicks, 0);
});

test("undo takes a stroke back and keeps the focus; without strokes it does nothing", async () => {
  const { view, node, files } = viewOf();
  view.show([photo()]);
  await settle();
  await open(view, 1);
  const undo = tools(view)[2];
  assert.equal(undo.getAttribute("aria-disabled"), "true");
  press(" ");
  press(" ");
  await settle();
  assert.equal(files[node.file].id.strokes.length, 2);
  undo.focus();
  undo.click();
  assert.equal(files[node.file].id.strokes.length, 1);
  undo.click();
  assert.deepEqual([node.file, document.activeElement], ["", undo]);
  undo.click();
  assert.equal(node.file, "");
});

test("reset takes back the strokes on its part alone", async () => {
  const { view, node, files } = viewOf();
  view.show([photo()]);
  await settle();
  await open(view, 0);
  press("Enter");
  await open(view, 1);
  press("Enter");
  press("Enter");
  tools(view)[3].click();
  assert.deepEqual(files[node.file].id.strokes.map(({ region }) => region), ["face"]);
});

test("keys move the brush, set its size and put it down", async () => {
  const { view, node, files } = viewOf();
  view.show([photo()]);
  await settle();
  await open(view, 1);
  press("ArrowRight");
  press("ArrowUp");
  press(" ");
  press("]");
  press(" ");
  await settle();
  const [first, second] = files[node.file].id.strokes;
  assert.ok(first.points[0] > 0.5 && first.points[1] < 0.5);
  assert.ok(second.radius > first.radius);
  press("Escape");
  assert.ok(brushOf(view).canvas.hidden);
  assert.equal(node.opened, "");
});

test("erasing is remembered for the next stroke", async () => {
  const { view, node, files } = viewOf();
  view.show([photo()]);
  await settle();
  await open(view, 0);
  tools(view)[1].click();
  assert.equal(tools(view)[1].getAttribute("aria-pressed"), "true");
  brushOf(view).canvas.focus();
  press(" ");
  assert.equal(files[node.file].id.strokes[0].adds, false);
  tools(view)[0].click();
});

test("strokes of a workflow that was opened are there, and can be taken back", async () => {
  const stroke = { region: "nose", adds: true, radius: 0.1, points: [0.5, 0.5] };
  const before = { id: { width: 100, height: 80, strokes: [stroke] } };
  const { view, node } = viewOf({ "old.json": before }, "old.json");
  view.show([photo({ file: "old.json", masks: { nose: null } })]);
  await settle();
  assert.equal(lineOf(view), "");
  assert.ok(brushOf(view).hasStrokes("nose"));
  await open(view, 1);
  tools(view)[2].click();
  assert.equal(node.file, "");
  assert.equal(lineOf(view), "Changed since the last run.");
});

test("strokes of another photo are kept when this one is painted", async () => {
  const other = { other: { width: 5, height: 5, strokes: [{ region: "face", adds: true, radius: 0.1, points: [0, 0] }] } };
  const { view, node, files } = viewOf({ "old.json": other }, "old.json");
  view.show([photo({ file: "old.json", is_aside: true })]);
  await settle();
  assert.equal(lineOf(view), "The brush strokes are of another photo and are kept aside.");
  await open(view, 0);
  press(" ");
  assert.deepEqual(Object.keys(files[node.file]).sort(), ["id", "other"]);
});

test("a file that is gone is told, and painting goes on", async () => {
  const { view, node, files } = viewOf({}, "gone.json");
  view.show([photo({ file: "gone.json" })]);
  await settle();
  assert.equal(lineOf(view), "The brush strokes cannot be read: gone.json. Paint again, or put the file back.");
  await open(view, 0);
  press(" ");
  assert.equal(files[node.file].id.strokes.length, 1);
});

test("strokes that cannot be saved are told", async () => {
  const { view, node } = viewOf();
  node.fails = true;
  view.show([photo()]);
  await settle();
  await open(view, 0);
  press(" ");
  await settle();
  assert.equal(lineOf(view), "The brush strokes are not saved: 507 Disk full");
});

test("a stroke that comes before the masks do is kept, and so is the next", async () => {
  picture("slow.png");
  const release = hold("slow.png");
  const { view, node, files } = viewOf();
  view.show([{ ...photo(), parts: [part("face"), part("nose", { mask: null })] }]);
  await settle();
  view.show([photo({ masks: { nose: file("slow.png") } })]);
  await settle();
  pencils(view)[1].click();
  await settle();
  press(" ");
  release();
  await settle();
  assert.equal(brushOf(view).hasStrokes("nose"), true);
  press(" ");
  await settle();
  assert.equal(files[node.file].id.strokes.length, 2);
});

test("a stroke that another photo interrupts is on neither", async () => {
  const { view, node } = viewOf();
  view.show([photo()]);
  await settle();
  await open(view, 1);
  const { canvas } = brushOf(view);
  point(canvas, "pointerdown", { x: 0.25, y: 0.5 });
  view.show([photo({ photo: "another" })]);
  await settle();
  point(canvas, "pointerup", { x: 0.75, y: 0.5 });
  await settle();
  assert.equal(node.file, "");
  assert.equal(brushOf(view).points.length, 0);
});

test("a file takes no more strokes than the node draws, and says so", async () => {
  const stroke = { region: "nose", adds: true, radius: 0.1, points: [0.5, 0.5] };
  const full = { id: { width: 100, height: 80, strokes: Array(2000).fill(stroke) } };
  const { view, node } = viewOf({ "full.json": full }, "full.json");
  view.show([photo({ file: "full.json", masks: { nose: null } })]);
  await settle();
  await open(view, 1);
  press(" ");
  await settle();
  assert.equal(node.file, "full.json");
  assert.equal(lineOf(view), "The last stroke is not kept: the brush file takes no more. Take others back.");
  tools(view)[2].click();
  await settle();
  assert.equal(lineOf(view), "Changed since the last run.");
});

test("a view made anew by undo goes on painting", async () => {
  const { view, node } = viewOf();
  node.opened = "nose";
  view.show([photo()]);
  await settle();
  assert.ok(!brushOf(view).canvas.hidden);
});
