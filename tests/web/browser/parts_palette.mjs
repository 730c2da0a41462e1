// @ts-check
/** The widget in a palette's colours. */

import { PARTS, shown, workflow } from "./parts_page.mjs";
import { load, look, photograph, run } from "./session.mjs";

/**
 * @param {import("playwright-core").Page} page
 * @param {import("./session.mjs").Options} options
 */
export async function play(page, options) {
  await load(page, workflow());
  await look(page, PARTS);
  const surface = await page.evaluate(() => {
    const stage = /** @type {Element} */ (document.querySelector(".consistentid-stage"));
    return getComputedStyle(stage).backgroundColor;
  });
  await run(page);
  await shown(page);
  await look(page, PARTS);
  await photograph(page, PARTS, options, "parts_palette");
  const text = await page.evaluate(() => {
    const name = /** @type {Element} */ (document.querySelector(".consistentid-chip span"));
    return getComputedStyle(name).color;
  });
  return { surface, text };
}
