// @ts-check
/** Run, click parts, run again; save, reload, copy, undo. */

import { clickChip, maskArea, PARTS, pointOf, read, sentSwitches, shown, switchedOn, workflow } from "./parts_page.mjs";
import { load, look, photograph, ready, run, settle, values } from "./session.mjs";

/** @typedef {import("playwright-core").Page} Page */

/**
 * @param {Page} page
 * @param {import("./session.mjs").Options} options
 */
export async function play(page, options) {
  /** @type {Record<string, any>} */
  const found = {};
  await load(page, workflow());
  await look(page, PARTS);
  found.beforeRun = await read(page);
  await photograph(page, PARTS, options, "parts_before");

  await run(page);
  await shown(page);
  await look(page, PARTS);
  found.afterRun = await read(page);
  found.files = await page.evaluate((id) => app.nodeOutputs[id].consistentid_parts, PARTS);
  found.painted = await paintedPixels(page);
  found.maskOfAll = await maskArea(page);
  await photograph(page, PARTS, options, "parts");

  // In the picture.
  const nose = await pointOf(page, "nose");
  await page.mouse.move(nose.x, nose.y);
  await settle(page);
  found.hovered = (await read(page)).chips.filter((chip) => chip.isHighlighted).map((chip) => chip.region);
  await page.mouse.click(nose.x, nose.y);
  await settle(page);
  found.afterPictureClick = { values: await values(page, PARTS), line: (await read(page)).line, sent: await sentSwitches(page) };

  // With a chip.
  await clickChip(page, "ears");
  found.afterChipClick = { on: await switchedOn(page), values: await values(page, PARTS) };
  await photograph(page, PARTS, options, "parts_off");
  await run(page);
  found.afterSecondRun = { line: (await read(page)).line, mask: await maskArea(page) };

  // The node's own switch moves the chip.
  await page.evaluate((id) => {
    const node = app.graph.getNodeById(id);
    const widget = node.widgets.find((/** @type {any} */ { name }) => name === "ears");
    widget.value = true;
    widget.callback(true, app.canvas, node);
  }, PARTS);
  await settle(page);
  found.afterOwnSwitch = await switchedOn(page);

  found.undone = await undo(page);
  found.pasted = await paste(page);
  found.stored = await page.evaluate((id) => {
    return app.graph.serialize().nodes.find((/** @type {any} */ node) => node.id === id).widgets_values;
  }, PARTS);

  await page.evaluate(() => app.extensionManager.command.execute("Comfy.NewBlankWorkflow"));
  await settle(page);
  await page.evaluate(() => app.extensionManager.command.execute("Workspace.PreviousOpenedWorkflow"));
  await page.waitForFunction((id) => app.graph.getNodeById(id), PARTS);
  await shown(page);
  found.afterTabSwitch = { on: await switchedOn(page), values: await values(page, PARTS) };

  await settle(page);
  await page.waitForTimeout(1500); // ComfyUI saves a draft of the workflow a moment after a change
  await page.reload({ waitUntil: "domcontentloaded" });
  await ready(page);
  await page.waitForFunction((id) => app.graph.getNodeById(id), PARTS);
  await look(page, PARTS);
  await shown(page);
  found.afterReload = { on: await switchedOn(page), values: await values(page, PARTS) };
  return found;
}

/**
 * Click a part, undo, redo.
 * @param {Page} page
 */
async function undo(page) {
  const before = await switchedOn(page);
  await clickChip(page, "mouth");
  const clicked = await switchedOn(page);
  const undone = await press(page, "Control+z");
  // The view that is shown now belongs to a new node: it must work as well.
  await clickChip(page, "eyes");
  const clickedAgain = { on: await switchedOn(page), values: await values(page, PARTS) };
  const undoneAgain = await press(page, "Control+z");
  const redone = await press(page, "Control+Shift+z");
  await press(page, "Control+z");
  return { before, clicked, undone, clickedAgain, undoneAgain, redone };
}

/**
 * Press keys that undo or redo; the switches afterwards.
 * @param {Page} page
 * @param {string} keys
 */
async function press(page, keys) {
  const before = JSON.stringify(await switchedOn(page));
  await page.keyboard.press(keys);
  for (let wait = 0; wait < 50; wait++) {
    await page.waitForTimeout(100);
    await shown(page);
    if (JSON.stringify(await switchedOn(page)) !== before) break;
  }
  return switchedOn(page);
}

/**
 * Copy the node; the copy has the values, and its switches are its own.
 * @param {Page} page
 */
async function paste(page) {
  const copy = await page.evaluate((id) => {
    const before = new Set(app.graph._nodes.map((/** @type {any} */ node) => node.id));
    app.canvas.selectItems([app.graph.getNodeById(id)]);
    app.canvas.copyToClipboard();
    app.canvas.pasteFromClipboard();
    return app.graph._nodes.find((/** @type {any} */ node) => !before.has(node.id)).id;
  }, PARTS);
  await settle(page);
  const original = await values(page, PARTS);
  const copied = await values(page, copy);
  await page.evaluate((id) => {
    const node = app.graph.getNodeById(id);
    const widget = node.widgets.find((/** @type {any} */ { name }) => name === "face");
    widget.value = false;
    widget.callback(false, app.canvas, node);
  }, copy);
  const afterwards = await values(page, PARTS);
  await page.evaluate((id) => app.graph.remove(app.graph.getNodeById(id)), copy);
  await settle(page);
  return { original, copied, afterwards };
}

/** How many pixels the parts colour in the picture. @param {Page} page */
function paintedPixels(page) {
  return page.evaluate(() => {
    const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector(".consistentid-stage canvas + canvas"));
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let painted = 0;
    for (let pixel = 0; pixel < data.length; pixel += 4) {
      if (data[pixel + 3] > 0 && data[pixel] + data[pixel + 1] + data[pixel + 2] > 0) painted++;
    }
    return painted / (canvas.width * canvas.height);
  });
}
