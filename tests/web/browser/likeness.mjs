// @ts-check
/** Face Likeness and Part Likeness: boxes, scale and bars; Likeness Gate between them and a preview. */

import { LATER, look, photograph, run, settle } from "./session.mjs";

/** @typedef {import("playwright-core").Page} Page */

const LIKENESS = 10;
const GATE = 11;
const PREVIEW = 12;
const PARTS = 20;

/**
 * @param {Page} page
 * @param {import("./session.mjs").Options} options models: file names, by what they are; recogniser: another judge
 */
export async function play(page, options) {
  const { models } = options;
  await page.evaluate(
    (data) => app.loadApiJson(data, "test"),
    {
      1: { class_type: "LoadImage", inputs: { image: "astronaut.png" } },
      2: { class_type: "LoadImage", inputs: { image: "two_faces.png" } },
      3: { class_type: "ImageBatch", inputs: { image1: ["1", 0], image2: ["2", 0] } },
      4: { class_type: "ConsistentIDRecogniserLoader", inputs: { recogniser_name: "models/buffalo_l/w600k_r50.onnx" } },
      5: { class_type: "ConsistentIDFaceParserLoader", inputs: { model_name: models.face_parser } },
      6: { class_type: "CLIPVisionLoader", inputs: { clip_name: models.clip_vision } },
      [LIKENESS]: {
        class_type: "ConsistentIDLikeness",
        inputs: { image: ["3", 0], photos: ["1", 0], recogniser: ["4", 0], best_first: false, no_face: "count as 0" },
      },
      [GATE]: {
        class_type: "ConsistentIDLikenessGate",
        inputs: { image: [String(LIKENESS), 0], scores: [String(LIKENESS), 1], keep: "best", threshold: 0.4, count: 1 },
      },
      [PREVIEW]: { class_type: "PreviewImage", inputs: { images: [String(GATE), 0] } },
      [PARTS]: {
        class_type: "ConsistentIDPartLikeness",
        inputs: { face_parser: ["5", 0], photos: ["1", 0], image: ["3", 0], clip_vision: ["6", 0], dino: "none (connect clip_vision)" },
      },
    },
  );
  // Saved and opened again, as every node then has its final size.
  await page.evaluate(() => app.loadGraphData(JSON.parse(JSON.stringify(app.rootGraph.serialize()))));
  await settle(page);
  await look(page, LIKENESS);
  const before = await page.locator(".consistentid-message").first().textContent();
  const end = await run(page, LATER);
  await page.waitForSelector(".consistentid-mark");
  await look(page, LIKENESS);
  const likeness = await readLikeness(page);
  await photograph(page, LIKENESS, options, "likeness");
  await page.locator(".consistentid-view:has(.consistentid-judged) .consistentid-pager button").last().click();
  // The next picture is shown when it has loaded.
  await page.waitForFunction((score) => document.querySelector(".consistentid-mark")?.textContent !== score, likeness.score);
  await settle(page);
  const turned = await readLikeness(page);
  await look(page, PARTS);
  await page.waitForSelector(".consistentid-part-row img");
  const parts = await readParts(page);
  await photograph(page, PARTS, options, "part_likeness");
  const previews = await page.evaluate((id) => (app.nodeOutputs[id]?.images ?? []).length, PREVIEW);
  return { before, end, likeness, turned, parts, previews };
}

/** @param {Page} page */
function readLikeness(page) {
  return page.evaluate(() => {
    const view = document.querySelector(".consistentid-view:has(.consistentid-judged)");
    const rect = (/** @type {string} */ selector) => view?.querySelector(selector)?.getBoundingClientRect() ?? new DOMRect();
    const axis = rect(".consistentid-axis");
    const mark = rect(".consistentid-mark");
    const inside = (/** @type {DOMRect} */ one, /** @type {DOMRect} */ other) =>
      one.left >= other.left - 1 && one.right <= other.right + 1 && one.top >= other.top - 1 && one.bottom <= other.bottom + 1;
    return {
      score: view?.querySelector(".consistentid-mark")?.textContent,
      tags: [...(view?.querySelectorAll(".consistentid-face span") ?? [])].map((tag) => tag.textContent),
      place: (mark.left + mark.width / 2 - axis.left) / axis.width,
      bands: view?.querySelectorAll(".consistentid-band").length,
      said: [...(view?.querySelectorAll(".consistentid-said") ?? [])].map((one) => one.textContent),
      isInside: inside(rect(".consistentid-judged"), view?.getBoundingClientRect() ?? new DOMRect()),
    };
  });
}

/** @param {Page} page */
function readParts(page) {
  return page.evaluate(() =>
    [...document.querySelectorAll(".consistentid-part-row")].map((row) => ({
      label: row.querySelector("span")?.textContent,
      score: row.querySelector("small")?.textContent,
      crops: [...row.querySelectorAll("img")].map((image) => image.naturalWidth > 0 && image.clientHeight > 10),
      bar: (row.querySelector(".consistentid-bar i")?.clientWidth ?? 0) / (row.querySelector(".consistentid-bar")?.clientWidth ?? 1),
    })),
  );
}
