// @ts-check
/** Keyboard, zoom, node sizes, dragging, the slider and the close-up. */

import { PARTS, pointOf, read, shown, switchedOn, workflow } from "./parts_page.mjs";
import { load, look, photograph, run, settle } from "./session.mjs";

/** @typedef {import("playwright-core").Page} Page */

/**
 * @param {Page} page
 * @param {import("./session.mjs").Options} options
 */
export async function play(page, options) {
  await load(page, workflow());
  await look(page, PARTS);
  await run(page);
  await shown(page);
  await look(page, PARTS);
  return {
    keyboard: await useKeyboard(page),
    zooms: await clickAtZooms(page),
    sizes: await resize(page, options),
    dragged: await drag(page),
    slider: await slide(page),
    closeUp: await zoomOut(page, options),
    wheel: await turnWheel(page),
  };
}

/** Tab to the chips, move, switch. @param {Page} page */
async function useKeyboard(page) {
  /** @type {Record<string, any>} */
  const found = {};
  const focused = () =>
    page.evaluate(() => /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.region ?? null);
  await page.focus(".consistentid-close-up");
  await page.keyboard.press("Tab");
  found.first = await focused();
  found.highlighted = (await read(page)).chips.filter((chip) => chip.isHighlighted).map((chip) => chip.region);
  const offset = () => page.evaluate(() => [...app.canvas.ds.offset]);
  const before = await offset();
  await page.keyboard.press("ArrowRight");
  found.right = await focused();
  await page.keyboard.press("Space");
  await settle(page);
  found.afterSpace = { on: await switchedOn(page), focused: await focused() };
  await page.keyboard.press("Enter");
  await settle(page);
  found.afterEnter = await switchedOn(page);
  await page.keyboard.press("End");
  found.end = await focused();
  await page.keyboard.press("ArrowRight");
  found.around = await focused();
  found.hasCanvasMoved = JSON.stringify(before) !== JSON.stringify(await offset());
  await page.keyboard.press("Tab");
  found.pencil = await page.evaluate(() => document.activeElement?.className);
  await page.keyboard.press("Tab");
  found.next = await page.evaluate(() => document.activeElement?.className);
  return found;
}

/** Click the mouth in the picture, twice at each zoom. @param {Page} page */
async function clickAtZooms(page) {
  const found = [];
  for (const scale of [0.4, 0.9, 2.2]) {
    await look(page, PARTS, scale);
    const mouth = await pointOf(page, "mouth");
    await page.mouse.click(mouth.x, mouth.y);
    await settle(page);
    const off = await switchedOn(page);
    await page.mouse.click(mouth.x, mouth.y);
    await settle(page);
    found.push({ scale, off, on: await switchedOn(page) });
  }
  await look(page, PARTS);
  return found;
}

/**
 * Whether everything stays inside the node at several sizes.
 * @param {Page} page
 * @param {import("./session.mjs").Options} options
 */
async function resize(page, options) {
  const found = [];
  for (const size of [[220, 300], [620, 900], [340, 640]]) {
    await page.evaluate(
      ({ id, size }) => {
        const node = app.graph.getNodeById(id);
        const least = node.computeSize();
        node.setSize([Math.max(size[0], least[0]), Math.max(size[1], least[1])]);
        app.canvas.setDirty(true, true);
      },
      { id: PARTS, size },
    );
    await look(page, PARTS, 0.9);
    await photograph(page, PARTS, options, `parts_${size[0]}x${size[1]}`);
    found.push(
      await page.evaluate((id) => {
        const view = /** @type {HTMLElement} */ (document.querySelector(".consistentid-view"));
        const outer = view.getBoundingClientRect();
        const { scale, offset } = app.canvas.ds;
        const canvas = app.canvas.canvas.getBoundingClientRect();
        const box = app.graph.getNodeById(id).getBounding();
        const bottom = canvas.top + (box[1] + box[3] + offset[1]) * scale;
        const right = canvas.left + (box[0] + box[2] + offset[0]) * scale;
        const parts = [...view.querySelectorAll(".consistentid-chip, .consistentid-pencil, .consistentid-stage, .consistentid-footer input")];
        return {
          isInside: parts.every((part) => {
            const inner = part.getBoundingClientRect();
            return inner.right <= outer.right + 1 && inner.bottom <= outer.bottom + 1 && inner.left >= outer.left - 1;
          }),
          isInNode: outer.bottom <= bottom + 1 && outer.right <= right + 1,
          picture: view.querySelector(".consistentid-stage")?.getBoundingClientRect().height,
        };
      }, PARTS),
    );
  }
  return found;
}

/** Drag the node by its title; how often the widget paints or changes meanwhile. @param {Page} page */
async function drag(page) {
  await look(page, PARTS, 0.8);
  const start = await page.evaluate((id) => {
    const node = app.graph.getNodeById(id);
    const { left, top } = app.canvas.canvas.getBoundingClientRect();
    const { scale, offset } = app.canvas.ds;
    const counts = { paints: 0, changes: 0 };
    /** @type {any} */ (window).counts = counts;
    const { drawImage } = CanvasRenderingContext2D.prototype;
    /** @type {any} */ (window).uncount = () => {
      CanvasRenderingContext2D.prototype.drawImage = drawImage;
      observer.disconnect();
    };
    CanvasRenderingContext2D.prototype.drawImage = function (/** @type {any[]} */ ...what) {
      if (this.canvas.className === "consistentid-picture") counts.paints++;
      return drawImage.apply(this, /** @type {any} */ (what));
    };
    const view = /** @type {Element} */ (document.querySelector(".consistentid-view"));
    const observer = new MutationObserver((records) => (counts.changes += records.length));
    observer.observe(view, { subtree: true, childList: true, attributes: true, characterData: true });
    return { x: left + (node.pos[0] + 150 + offset[0]) * scale, y: top + (node.pos[1] - 15 + offset[1]) * scale, pos: [...node.pos] };
  }, PARTS);
  await page.mouse.move(start.x, start.y);
  await page.mouse.down();
  await page.mouse.move(start.x + 150, start.y + 60, { steps: 30 });
  await page.mouse.up();
  await settle(page);
  return page.evaluate(
    ({ id, pos }) => {
      const node = app.graph.getNodeById(id);
      /** @type {any} */ (window).uncount();
      return { .../** @type {any} */ (window).counts, moved: [node.pos[0] - pos[0], node.pos[1] - pos[1]] };
    },
    { id: PARTS, pos: start.pos },
  );
}

/** Move the slider; the setting follows. @param {Page} page */
async function slide(page) {
  await look(page, PARTS);
  const strength = () => page.evaluate(() => app.extensionManager.setting.get("ConsistentID.Preview.Strength"));
  const before = await strength();
  const box = await page.locator(".consistentid-footer .consistentid-slider").boundingBox();
  if (!box) return null;
  await page.mouse.click(box.x + box.width - 2, box.y + box.height / 2);
  await settle(page);
  const after = await strength();
  await page.evaluate(() => app.extensionManager.setting.set("ConsistentID.Preview.Strength", 45));
  await settle(page);
  return { before, after, reset: await page.inputValue(".consistentid-footer .consistentid-slider") };
}

/**
 * @param {Page} page
 * @param {import("./session.mjs").Options} options
 */
async function zoomOut(page, options) {
  const hasNose = async () => (await pointOf(page, "nose")) !== null;
  const label = () => page.getAttribute(".consistentid-close-up", "aria-label");
  const close = { label: await label(), hasNose: await hasNose() };
  await page.click(".consistentid-close-up");
  await settle(page);
  await photograph(page, PARTS, options, "parts_whole");
  const whole = { label: await label(), hasNose: await hasNose() };
  await page.click(".consistentid-close-up");
  return { close, whole };
}

/** The wheel over the picture zooms the canvas, as anywhere. @param {Page} page */
async function turnWheel(page) {
  await look(page, PARTS);
  const scale = () => page.evaluate(() => app.canvas.ds.scale);
  const before = await scale();
  const box = await page.locator(".consistentid-stage").boundingBox();
  if (!box) return null;
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.wheel(0, -240);
  await page.waitForTimeout(400);
  return { before, after: await scale() };
}
