// @ts-check
/** Choose a saved person by face: with the mouse, by typing, and with arrow keys; in a window as large as a phone too. */

import { node } from "./parts_page.mjs";
import { load, look, photograph, settle, values } from "./session.mjs";

/** @typedef {import("playwright-core").Page} Page */

const LOADER = 1;

/**
 * @param {Page} page
 * @param {import("./session.mjs").Options} options
 */
export async function play(page, options) {
  /** @type {Record<string, any>} */
  const found = {};
  const loader = node(LOADER, "ConsistentIDLoadEmbedding", [20, 60], [300, 200], [], [], ["anna.safetensors", "norm mean"]);
  await load(page, { version: 0.4, last_node_id: 1, last_link_id: 0, nodes: [loader], links: [], groups: [], config: {}, extra: {} });
  await look(page, LOADER);
  await page.waitForFunction(() => document.querySelector(".consistentid-current img")?.getClientRects().length);
  found.shown = await page.locator(".consistentid-current").innerText();
  await photograph(page, LOADER, options, "people_node");

  await page.locator(".consistentid-current").click();
  await page.waitForSelector(".consistentid-dialog[open]");
  await page.waitForFunction(() => [...document.images].every((image) => image.complete));
  found.cards = await cards(page);
  found.isLoaded = await page.evaluate(() => document.querySelector("dialog img")?.getBoundingClientRect().width);
  if (options.screenshots) await page.screenshot({ path: `${options.screenshots}/people_${options.renderer}.png` });
  await page.locator(".consistentid-person", { hasText: "Bert" }).last().click();
  await settle(page);
  found.clicked = (await values(page, LOADER)).name;

  await page.locator(".consistentid-current").click();
  await page.waitForSelector(".consistentid-dialog[open]");
  await page.keyboard.type("anna");
  found.typed = await cards(page);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await settle(page);
  found.entered = (await values(page, LOADER)).name;

  await page.locator(".consistentid-current").click();
  await page.waitForSelector(".consistentid-dialog[open]");
  await page.setViewportSize({ width: 390, height: 700 });
  await settle(page);
  found.isInside = await page.evaluate(() => {
    const { left, right, top, bottom } = /** @type {Element} */ (document.querySelector("dialog")).getBoundingClientRect();
    return left >= 0 && top >= 0 && right <= window.innerWidth && bottom <= window.innerHeight;
  });
  if (options.screenshots) await page.screenshot({ path: `${options.screenshots}/people_phone_${options.renderer}.png` });
  await page.keyboard.press("Escape");
  await settle(page);
  found.isClosed = (await page.locator("dialog").count()) === 0;
  return found;
}

/** @param {Page} page */
function cards(page) {
  return page.evaluate(() => [...document.querySelectorAll("dialog .consistentid-person strong")].map((name) => name.textContent));
}
