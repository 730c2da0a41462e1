// @ts-check
/** Crop Face under the mouse, and the simple node's choice to crop: of a new node, and of one from an older workflow. */

import { LATER, load, look, photograph, run, settle, values } from "./session.mjs";

/** @typedef {import("playwright-core").Page} Page */

const CROP = 2;

/**
 * @param {Page} page
 * @param {import("./session.mjs").Options} options
 */
export async function play(page, options) {
  return { crop: await cropFaces(page, options), simple: await placeSimple(page) };
}

/**
 * @param {Page} page
 * @param {import("./session.mjs").Options} options
 */
async function cropFaces(page, options) {
  const prompt = {
    1: { class_type: "LoadImage", inputs: { image: "two_faces.png" } },
    [CROP]: { class_type: "ConsistentIDCropFace", inputs: { image: ["1", 0], order: "left_to_right", smallest: 128 } },
    3: { class_type: "PreviewImage", inputs: { images: [String(CROP), 0] } },
  };
  await page.evaluate((data) => app.loadApiJson(data, "test"), prompt);
  await reopen(page);
  await look(page, CROP, 1);
  const before = (await read(page)).message;
  await run(page, LATER);
  await page.waitForSelector(".consistentid-face");
  await look(page, CROP, 1);
  const first = await read(page);
  await photograph(page, CROP, options, "crop_face");
  // The second face lies in the dark, outside what is cut out.
  const box = await page.locator(".consistentid-face").nth(1).boundingBox();
  if (!box) throw new Error("The second face has no box.");
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  await settle(page);
  const clicked = { ...(await read(page)), value: (await values(page, CROP)).face_index };
  await run(page, LATER);
  await page.waitForFunction(() => !(/** @type {HTMLElement} */ (document.querySelector(".consistentid-crop")).hidden));
  await settle(page);
  const second = await read(page);
  await page.evaluate((id) => {
    const { widgets } = app.graph.getNodeById(id);
    widgets.find((/** @type {any} */ { name }) => name === "below_share").value = 0.3;
  }, CROP);
  await run(page, LATER);
  await settle(page);
  const portrait = await read(page);
  await photograph(page, CROP, options, "crop_face_whole");
  return { before, first, clicked, second, portrait };
}

/** Add the node to an empty canvas as the interface does, then open it as an older workflow has it. @param {Page} page */
async function placeSimple(page) {
  await load(page, { nodes: [], links: [], groups: [], version: 0.4 });
  await page.evaluate(() => void app.graph.add(/** @type {any} */ (window).LiteGraph.createNode("ConsistentIDSimple")));
  await settle(page);
  const crop = () =>
    page.evaluate(() => app.graph.nodes[0].widgets.find((/** @type {any} */ { name }) => name === "crop")?.value);
  const fresh = await crop();
  await reopen(page);
  const reopened = await crop();
  await page.evaluate(() => {
    const workflow = JSON.parse(JSON.stringify(app.rootGraph.serialize()));
    const [node] = workflow.nodes;
    const place = app.graph.nodes[0].widgets.findIndex((/** @type {any} */ { name }) => name === "crop");
    node.widgets_values = node.widgets_values.slice(0, place);
    node.inputs = node.inputs.filter((/** @type {any} */ { name }) => name !== "crop");
    return app.loadGraphData(workflow);
  });
  await settle(page);
  return { fresh, reopened, older: await crop() };
}

/** Save the workflow and open it again. @param {Page} page */
async function reopen(page) {
  await page.evaluate(() => app.loadGraphData(JSON.parse(JSON.stringify(app.rootGraph.serialize()))));
  await settle(page);
}

/** @param {Page} page */
function read(page) {
  return page.evaluate(() => {
    const image = document.querySelector(".consistentid-frame img")?.getBoundingClientRect() ?? new DOMRect();
    const cut = /** @type {HTMLElement | null} */ (document.querySelector(".consistentid-crop"));
    const place = cut?.getBoundingClientRect() ?? new DOMRect();
    const boxes = [...document.querySelectorAll(".consistentid-face")];
    return {
      message: document.querySelector(".consistentid-message")?.textContent ?? "",
      numbers: boxes.map((box) => box.textContent),
      chosen: boxes.findIndex((box) => box.getAttribute("aria-checked") === "true"),
      isCut: cut !== null && !cut.hidden,
      // As shares of the photo.
      middle: (place.left + place.width / 2 - image.left) / image.width,
      width: place.width / image.width,
      line: document.querySelector(".consistentid-line")?.textContent ?? "",
    };
  });
}
