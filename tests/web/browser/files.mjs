// @ts-check
/** The lines for model files on ConsistentID (simple): all there, one gone, another one, and the way back. */

import { look, photograph, settle } from "./session.mjs";

/** @typedef {import("playwright-core").Page} Page */

const SIMPLE = 24;
const VIEW = ".consistentid-files-view";

/**
 * @param {Page} page
 * @param {import("./session.mjs").Options} options models: file names, by what they are
 */
export async function play(page, options) {
  // By name: stand-ins of several sizes may lie side by side.
  const inputs = { prompt: "a person", negative_prompt: "", model_name: options.models.consistentid, face_parser: "auto" };
  await page.evaluate((data) => app.loadApiJson(data, "test"), { [SIMPLE]: { class_type: "ConsistentIDSimple", inputs } });
  await page.evaluate(() => app.loadGraphData(JSON.parse(JSON.stringify(app.rootGraph.serialize()))));
  await look(page, SIMPLE, 0.8);
  await summary(page, /are there|see to/);
  const auto = await read(page);
  await photograph(page, SIMPLE, options, "files_found");

  await page.locator(`${VIEW} summary`).click();
  await settle(page);
  const opened = await read(page);
  await look(page, SIMPLE, 0.8);
  await photograph(page, SIMPLE, options, "files_opened");
  await page.locator(`${VIEW} summary`).click();

  await choose(page, "face_parser", options.models.consistentid);
  await summary(page, /1 to see to/);
  const other = await read(page);

  await choose(page, "face_parser", "gone.pth");
  await page.waitForSelector(`${VIEW} a`);
  await look(page, SIMPLE, 0.8);
  const missing = await read(page);
  await photograph(page, SIMPLE, options, "files_missing");

  await choose(page, "face_parser", "auto");
  await summary(page, /are there/);
  await page.locator(`${VIEW} summary`).click();
  const asked = page.waitForRequest(/consistentid\/files/);
  await page.locator(`${VIEW} button`).click();
  await asked;
  return { auto, opened, other, missing, back: await read(page) };
}

/** @param {Page} page @param {RegExp} pattern */
function summary(page, pattern) {
  return page.locator(`${VIEW} summary`).filter({ hasText: pattern }).waitFor();
}

/**
 * Choose as the widget's own menu does.
 * @param {Page} page
 * @param {string} name
 * @param {string} value
 */
async function choose(page, name, value) {
  await page.evaluate(
    ({ id, name, value }) => {
      const node = app.graph.getNodeById(id);
      const widget = node.widgets.find((/** @type {any} */ one) => one.name === name);
      widget.value = value;
      widget.callback?.(value);
    },
    { id: SIMPLE, name, value },
  );
  await settle(page);
}

/** @param {Page} page */
function read(page) {
  return page.evaluate((selector) => {
    const view = /** @type {HTMLElement} */ (document.querySelector(selector));
    const details = /** @type {HTMLDetailsElement} */ (view.querySelector("details"));
    const box = view.getBoundingClientRect();
    const parts = document.querySelector(".consistentid-view:has(.consistentid-chips)")?.getBoundingClientRect();
    return {
      summary: view.querySelector("summary")?.textContent,
      isOpen: details.open,
      lines: [...view.querySelectorAll("li:not(.consistentid-files-action)")].map((line) => ({
        state: line.className.replace("consistentid-file-", ""),
        title: line.querySelector("strong")?.textContent,
        text: line.textContent,
        link: line.querySelector("a")?.href ?? null,
      })),
      command: view.querySelector(".consistentid-files-action code")?.textContent ?? null,
      isInside: details.getBoundingClientRect().bottom <= box.bottom + 1,
      isApart: !parts || parts.top >= box.bottom - 1,
    };
  }, VIEW);
}
