// @ts-check
/** The widget in the colours of two palettes: what is written in it, and what it is written on. */

import { PARTS, shown, workflow } from "./parts_page.mjs";
import { load, look, photograph, run, settle } from "./session.mjs";

/**
 * @param {import("playwright-core").Page} page
 * @param {import("./session.mjs").Options} options
 */
export async function play(page, options) {
  await load(page, workflow());
  await look(page, PARTS);
  await run(page);
  await shown(page);
  /** @type {Record<string, object>} */
  const found = {};
  for (const palette of /** @type {const} */ (["light", "dark"])) {
    await page.evaluate((palette) => app.extensionManager.setting.set("Comfy.ColorPalette", palette), palette);
    await settle(page);
    await photograph(page, PARTS, { ...options, palette }, "parts_palette");
    found[palette] = await page.evaluate(measure);
    await photograph(page, PARTS, { ...options, palette }, "parts_palette_error");
    await page.evaluate(() => /** @type {any} */ (window).restore());
  }
  return found;
}

/** In the page: `[text, background]` of everything that is written in a place, as red, green and blue. */
function measure() {
  const { LiteGraph } = /** @type {any} */ (window);
  const view = /** @type {HTMLElement} */ (document.querySelector(".consistentid-view"));
  const brush = /** @type {CanvasRenderingContext2D} */ (
    Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true })
  );

  /** Paint colours over each other. @param {string[]} colours */
  const mixed = (...colours) => {
    for (const colour of colours) {
      brush.fillStyle = colour;
      brush.fillRect(0, 0, 1, 1);
    }
    return [...brush.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  };

  /** The backgrounds behind an element, from the node's own on. @param {Element} element */
  const backgrounds = (element) => {
    const colours = [];
    const end = element.closest(".lg-node")?.parentElement ?? view.parentElement;
    for (let one = /** @type {Element | null} */ (element); one && one !== end; one = one.parentElement) {
      colours.unshift(getComputedStyle(one).backgroundColor);
    }
    return [LiteGraph.NODE_DEFAULT_BGCOLOR, ...colours];
  };

  /** @param {string} selector */
  const colours = (selector) =>
    [...view.querySelectorAll(selector)].map((element) => {
      const behind = backgrounds(element);
      return [mixed(...behind, getComputedStyle(element).color), mixed(...behind)];
    });

  const line = /** @type {HTMLElement} */ (view.querySelector(".consistentid-line"));
  const message = /** @type {HTMLElement} */ (view.querySelector(".consistentid-message"));
  line.textContent = "Something to read, long enough to take more than a line of the node that is looked at.";
  const found = {
    chip: colours(".consistentid-chip span"),
    share: colours(".consistentid-chip small"),
    line: colours(".consistentid-line"),
    message: colours(".consistentid-message"),
    surface: mixed(...backgrounds(/** @type {Element} */ (view.querySelector(".consistentid-stage")))),
  };
  for (const place of [line, message]) place.classList.add("consistentid-error");
  /** @type {any} */ (window).restore = () => {
    for (const place of [line, message]) place.classList.remove("consistentid-error");
    line.textContent = "";
  };
  return { ...found, errorLine: colours(".consistentid-line"), errorMessage: colours(".consistentid-message") };
}
