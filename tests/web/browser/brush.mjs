// @ts-check
/** Paint on a part with a real mouse and with keys, run, undo, reset, reload. */

import { maskArea, PARTS, read, shown, workflow } from "./parts_page.mjs";
import { load, look, photograph, ready, run, settle, values } from "./session.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** The tools by their place in the bar. */
const [ADD, ERASE, UNDO, RESET, DONE] = [0, 1, 2, 3, 4];

/**
 * @param {Page} page
 * @param {import("./session.mjs").Options} options
 */
export async function play(page, options) {
  /** @type {Record<string, any>} */
  const found = {};
  await load(page, workflow());
  await look(page, PARTS);
  found.pencilsBeforeRun = await page.locator(".consistentid-pencil:visible").count();
  await run(page);
  await shown(page);
  await look(page, PARTS);
  found.plain = { ...(await state(page)), mask: await maskArea(page), isInputSeen: await isInputSeen(page) };
  await photograph(page, PARTS, options, "brush_pencils");

  await pencil(page, "nose").click();
  await settle(page);
  found.opened = await bar(page);
  // Above the face, from left to right.
  await stroke(page, [0.2, 0.12], [0.8, 0.12]);
  found.painted = await state(page);
  found.file = await contentOf(page, found.painted.file);
  await photograph(page, PARTS, options, "brush_painted");
  await run(page);
  await shown(page);
  found.afterRun = { ...(await state(page)), mask: await maskArea(page) };

  await tool(page, ERASE);
  await stroke(page, [0.35, 0.12], [0.35, 0.12]);
  found.erased = await state(page);
  await page.mouse.move(...(await at(page, 0.6, 0.12)));
  await settle(page);
  await photographHere(page, options, "brush_erased");
  await run(page);
  await shown(page);
  found.afterErasing = { ...(await state(page)), mask: await maskArea(page) };

  found.undone = await tool(page, UNDO);
  found.undoneByHost = await undoInHost(page);
  found.isOpenAfterUndo = (await bar(page)).isShown;
  found.keyboard = await useKeys(page);
  found.reset = await tool(page, RESET);
  found.focusAfterReset = await page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
  await tool(page, ADD);
  await stroke(page, [0.2, 0.12], [0.8, 0.12]);
  await tool(page, DONE);
  found.closed = await bar(page);
  await run(page);
  await shown(page);
  found.last = { ...(await state(page)), mask: await maskArea(page) };
  await photograph(page, PARTS, options, "brush_done");

  await page.waitForTimeout(1500); // ComfyUI saves a draft of the workflow a moment after a change
  await page.reload({ waitUntil: "domcontentloaded" });
  await ready(page);
  await page.waitForFunction((id) => app.graph.getNodeById(id), PARTS);
  await look(page, PARTS);
  await shown(page);
  found.reloaded = await state(page);
  await run(page);
  await shown(page);
  found.reloadedRun = { ...(await state(page)), mask: await maskArea(page) };

  // Another photo behind the same brush.
  await load(page, otherPhoto(found.last.file));
  await look(page, PARTS);
  await run(page);
  await shown(page);
  found.otherPhoto = await state(page);
  await photograph(page, PARTS, options, "brush_other_photo");
  // A file that is not there.
  await load(page, otherPhoto("consistentid/brush_gone.json"));
  await look(page, PARTS);
  found.goneEnd = await run(page);
  await settle(page);
  found.gone = await read(page);
  await photograph(page, PARTS, options, "brush_gone");
  return found;
}

/** @param {string} file */
function otherPhoto(file) {
  const data = workflow();
  const nodes = /** @type {any[]} */ (data.nodes);
  for (const { type, id, widgets_values } of nodes) {
    if (type === "LoadImage") widgets_values[0] = id === 1 ? "mirrored.png" : "mirrored_labels.png";
    if (id === PARTS) widgets_values.push("error", "one person", file);
  }
  return data;
}

/** @param {Page} page @param {string} region */
function pencil(page, region) {
  return page.locator(`.consistentid-chip[data-region=${region}] + .consistentid-pencil`);
}

/** What the node and its view say. @param {Page} page */
async function state(page) {
  const { brush } = await values(page, PARTS);
  const { line, chips } = await read(page);
  const sent = await page.evaluate(async () => {
    const { output } = await app.graphToPrompt();
    const nodes = /** @type {any[]} */ (Object.values(output));
    return nodes.find(({ class_type }) => class_type === "ConsistentIDFacePartsFromMap").inputs.brush;
  });
  return { file: brush, sent, line, nose: chips.find(({ region }) => region === "nose")?.text };
}

/** @param {Page} page @param {string} file */
function contentOf(page, file) {
  return page.evaluate(async (file) => {
    const [subfolder, filename] = file.split("/");
    const response = await app.api.fetchApi(`/view?${new URLSearchParams({ filename, subfolder, type: "input" })}`);
    return response.ok ? response.json() : { status: response.status, file };
  }, file);
}

/** @param {Page} page */
function bar(page) {
  return page.evaluate(() => {
    const bar = /** @type {HTMLElement} */ (document.querySelector(".consistentid-brush-bar"));
    const view = /** @type {HTMLElement} */ (bar.closest(".consistentid-view"));
    const [inner, outer, done] = [bar, view, bar.lastElementChild ?? bar].map((element) => element.getBoundingClientRect());
    return {
      isShown: bar.getClientRects().length > 0,
      label: bar.getAttribute("aria-label"),
      isInside: inner.right <= outer.right + 1 && inner.bottom <= outer.bottom + 1 && done.right <= outer.right + 1,
      focused: document.activeElement?.classList.contains("consistentid-brush"),
    };
  });
}

/** A point of the picture on the page. @param {Page} page @param {number} x @param {number} y @returns {Promise<[number, number]>} */
async function at(page, x, y) {
  const box = await page.locator(".consistentid-brush").boundingBox();
  if (!box) throw new Error("There is no brush.");
  const { width, height } = await page.evaluate(() => {
    const { width, height } = /** @type {HTMLCanvasElement} */ (document.querySelector(".consistentid-brush"));
    return { width, height };
  });
  const scale = Math.min(box.width / width, box.height / height);
  const [left, top] = [box.x + (box.width - width * scale) / 2, box.y + (box.height - height * scale) / 2];
  return [left + x * width * scale, top + y * height * scale];
}

/** @param {Page} page @param {[number, number]} from @param {[number, number]} to */
async function stroke(page, from, to) {
  await page.mouse.move(...(await at(page, ...from)));
  await page.mouse.down();
  await page.mouse.move(...(await at(page, ...to)), { steps: 12 });
  await page.mouse.up();
  await settle(page);
}

/** Press a tool of the bar. @param {Page} page @param {number} index */
async function tool(page, index) {
  await page.locator(".consistentid-brush-bar button").nth(index).click();
  await settle(page);
  return state(page);
}

/** @param {Page} page */
async function undoInHost(page) {
  const before = JSON.stringify(await values(page, PARTS));
  await page.keyboard.press("Control+z");
  for (let wait = 0; wait < 50; wait++) {
    await page.waitForTimeout(100);
    await shown(page);
    if (JSON.stringify(await values(page, PARTS)) !== before) break;
  }
  return state(page);
}

/** Tab to a pencil, open it, move, dab. @param {Page} page */
async function useKeys(page) {
  await page.keyboard.press("Escape");
  await page.focus(".consistentid-chip[data-region=face]");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Tab");
  const label = await page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
  await page.keyboard.press("Enter");
  await settle(page);
  const opened = await bar(page);
  const before = await state(page);
  const offset = () => page.evaluate(() => JSON.stringify([...app.canvas.ds.offset]));
  const place = await offset();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("]");
  await page.keyboard.press("Space");
  await settle(page);
  const after = await state(page);
  const content = await contentOf(page, after.file);
  const hasMoved = place !== (await offset());
  await page.keyboard.press("Escape");
  await settle(page);
  const closed = await bar(page);
  await page.focus(".consistentid-chip[data-region=ears]");
  await page.keyboard.press("Space");
  await settle(page);
  await undoInHost(page);
  await page.waitForTimeout(600);
  const focusAfterUndo = await page.evaluate(() => ({
    region: /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.region ?? document.activeElement?.className,
    isVisible: document.activeElement?.matches(":focus-visible"),
  }));
  await pencil(page, "nose").click();
  await settle(page);
  return { focusAfterUndo, label, opened, before, after, content, hasMoved, closed };
}

/** Whether the name of the file is shown as an input of the node. @param {Page} page */
function isInputSeen(page) {
  return page.evaluate((id) => {
    const node = app.graph.getNodeById(id);
    const widget = node.widgets.find((/** @type {any} */ { name }) => name === "brush");
    const inVue = [...document.querySelectorAll(".lg-node")].some((one) => /\bbrush\b/i.test(/** @type {HTMLElement} */ (one).innerText));
    return { isHidden: widget.hidden === true, inVue, height: node.size[1] };
  }, PARTS);
}

/** As {@link photograph}, with the pointer where it is. @param {Page} page @param {import("./session.mjs").Options} options @param {string} name */
async function photographHere(page, options, name) {
  if (!options.screenshots) return;
  const box = await page.locator(".consistentid-view").first().boundingBox();
  if (box) await page.screenshot({ path: `${options.screenshots}/${name}_${options.renderer}_dark.png`, clip: box });
}
