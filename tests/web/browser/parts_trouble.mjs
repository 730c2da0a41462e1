// @ts-check
/** No face, a batch of 64, files that are gone, results of other versions, a switch that another node decides. */

import { clickChip, PARTS, read, sentSwitches, shown, workflow } from "./parts_page.mjs";
import { load, look, photograph, ready, run, settle, values } from "./session.mjs";

/** @typedef {import("playwright-core").Page} Page */

/**
 * @param {Page} page
 * @param {import("./session.mjs").Options} options
 */
export async function play(page, options) {
  return {
    noFace: await withoutFace(page, options),
    missing: await withoutEars(page, options),
    allOff: await switchAllOff(page),
    batch: await manyPhotos(page, options),
    linked: await linkSwitch(page),
    odd: await receiveOddResults(page),
    gone: await loseFiles(page, options),
  };
}

/**
 * @param {Page} page
 * @param {import("./session.mjs").Options} options
 */
async function withoutFace(page, options) {
  await load(page, workflow({ labels: "only_background.png" }));
  await look(page, PARTS);
  const end = await run(page);
  await closeDialog(page);
  const { isShown, message } = await read(page);
  await photograph(page, PARTS, options, "parts_no_face");
  return { end, isShown, message, afterRefusal: await beRefused(page) };
}

/** Ask for a run that the server does not begin; what the widget says then. @param {Page} page */
async function beRefused(page) {
  const errors = await page.evaluate(async () => {
    const [photo] = app.graph.findNodesByType("LoadImage");
    photo.widgets.find((/** @type {any} */ { name }) => name === "image").value = "there is no such file.png";
    await app.queuePrompt(0, 1);
    return Object.keys(app.lastNodeErrors ?? {}).length;
  });
  await closeDialog(page);
  return { errors, message: (await read(page)).message };
}

/**
 * A part that is not in the photo.
 * @param {Page} page
 * @param {import("./session.mjs").Options} options
 */
async function withoutEars(page, options) {
  await load(page, workflow({ labels: "no_ears.png" }));
  await look(page, PARTS);
  await run(page);
  await shown(page);
  await look(page, PARTS);
  await clickChip(page, "ears");
  await photograph(page, PARTS, options, "parts_missing");
  return { ears: (await read(page)).chips.find((chip) => chip.region === "ears"), values: await values(page, PARTS) };
}

/** @param {Page} page */
async function switchAllOff(page) {
  await load(page, workflow());
  await look(page, PARTS);
  await run(page);
  await shown(page);
  for (const region of ["face", "eyes", "ears", "nose", "mouth"]) await clickChip(page, region);
  const { line } = await read(page);
  const end = await run(page);
  await closeDialog(page);
  const afterRun = await read(page);
  await clickChip(page, "nose");
  const recovered = await run(page);
  return { line, end, error: afterRun.line, isShown: afterRun.isShown, recovered };
}

/**
 * @param {Page} page
 * @param {import("./session.mjs").Options} options
 */
async function manyPhotos(page, options) {
  await load(page, workflow({ batch: 64 }));
  await look(page, PARTS);
  await run(page, 120_000);
  await shown(page);
  await look(page, PARTS);
  const first = await read(page);
  const next = page.locator(".consistentid-pager button").last();
  for (let turn = 0; turn < 3; turn++) await next.click();
  await settle(page);
  const fourth = await read(page);
  await photograph(page, PARTS, options, "parts_batch");
  for (let turn = 0; turn < 20 && (await next.isEnabled()); turn++) await next.click();
  await settle(page);
  const last = await read(page);
  return { first: first.page, fourth: fourth.page, last: last.page, line: last.line, chips: last.chips.length };
}

/** Another node sets a part's switch. @param {Page} page */
async function linkSwitch(page) {
  await load(page, workflow());
  await page.evaluate((id) => {
    const source = /** @type {any} */ (window).LiteGraph.createNode("PrimitiveBoolean");
    source.pos = [20, 940];
    app.graph.add(source);
    const parts = app.graph.getNodeById(id);
    const slot = parts.inputs.findIndex((/** @type {any} */ input) => input.name === "nose");
    source.connect(0, parts, slot);
    source.widgets[0].value = false;
  }, PARTS);
  await look(page, PARTS);
  await run(page);
  await shown(page);
  await look(page, PARTS);
  const before = (await read(page)).chips.find((chip) => chip.region === "nose");
  await clickChip(page, "nose");
  const after = (await read(page)).chips.find((chip) => chip.region === "nose");
  return { before, after, sent: (await sentSwitches(page)).switches.nose };
}

/** What other versions of the node might have reported; nothing of it may throw. @param {Page} page */
async function receiveOddResults(page) {
  await load(page, workflow());
  await look(page, PARTS);
  const states = [];
  const file = { filename: "gone.jpg", subfolder: "", type: "temp" };
  for (const result of [
    [],
    [null],
    ["text"],
    [{ photo: file }],
    [{ photo: file, parts: [null, {}, { region: "nose" }, { region: "horn", mask: file }] }],
    [{ photo: file, parts: [{ region: "nose", colour: 3, area: "x", mask: "m" }] }],
  ]) {
    await page.evaluate(
      ({ id, result }) => {
        const detail = { node: String(id), display_node: String(id), output: { consistentid_parts: result } };
        app.api.dispatchEvent(new CustomEvent("executed", { detail }));
      },
      { id: PARTS, result },
    );
    await settle(page);
    const { isShown, message } = await read(page);
    states.push({ isShown, message });
  }
  return states;
}

/**
 * The server was started again: its temporary files are gone, but the page remembers the result.
 * @param {Page} page
 * @param {import("./session.mjs").Options} options
 */
async function loseFiles(page, options) {
  await load(page, workflow());
  await look(page, PARTS);
  await run(page);
  await shown(page);
  await page.waitForTimeout(1500); // ComfyUI saves a draft of the workflow a moment after a change
  const pictures = /view\?.*filename=preview_/;
  await page.route(pictures, (route) => route.fulfill({ status: 404 }));
  await page.reload({ waitUntil: "domcontentloaded" });
  await ready(page);
  await page.waitForFunction((id) => app.graph.getNodeById(id), PARTS);
  await look(page, PARTS);
  await page.waitForTimeout(500);
  const lost = await read(page);
  await photograph(page, PARTS, options, "parts_gone");
  await page.unroute(pictures);
  await run(page);
  await shown(page);
  return { isShown: lost.isShown, message: lost.message, afterRun: (await read(page)).isShown };
}

/** An error opens a dialog or a panel over the canvas. @param {Page} page */
async function closeDialog(page) {
  await page.keyboard.press("Escape");
  await settle(page);
}
