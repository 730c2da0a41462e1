// @ts-check
/** The widget with the parts of a face, as a user sees it, and a small workflow that shows it. */

import { settle } from "./session.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** Ids of the workflow's nodes. */
export const PARTS = 3;
export const MASK = 4;

const REGIONS = ["face", "eyes", "ears", "nose", "mouth"];

/**
 * Photo and label map -> parts -> their mask: no model is needed.
 * @param {{ labels?: string, batch?: number }} [options] labels: the file of the label map
 */
export function workflow({ labels = "astronaut_labels.png", batch = 1 } = {}) {
  const image = (/** @type {number[]} */ ...links) => [
    { name: "IMAGE", type: "IMAGE", links },
    { name: "MASK", type: "MASK", links: [] },
  ];
  return {
    id: "7b0b0c52-6f0e-4f9c-9a57-0d2b1ad5a001",
    version: 0.4,
    last_node_id: 5,
    last_link_id: 4,
    nodes: [
      node(1, "LoadImage", [20, 60], [280, 330], [], image(1), ["astronaut.png", "image"]),
      node(2, "LoadImage", [20, 440], [280, 330], [], image(3), [labels, "image"]),
      node(5, "RepeatImageBatch", [20, 820], [280, 60], [{ name: "image", type: "IMAGE", link: 1 }], image(2).slice(0, 1), [batch]),
      node(
        PARTS,
        "ConsistentIDFacePartsFromMap",
        [360, 60],
        [340, 640],
        [
          { name: "image", type: "IMAGE", link: 2 },
          { name: "label_map", type: "IMAGE,MASK", link: 3 },
        ],
        [
          { name: "face_parts", type: "FACE_PARTS", links: [] },
          { name: "mask", type: "MASK", links: [4] },
          { name: "overlay", type: "IMAGE", links: [] },
        ],
        [true, true, true, true, true, "both"],
      ),
      node(MASK, "MaskPreview", [760, 60], [300, 330], [{ name: "mask", type: "MASK", link: 4 }], [], []),
    ],
    links: [
      [1, 1, 0, 5, 0, "IMAGE"],
      [2, 5, 0, PARTS, 0, "IMAGE"],
      [3, 2, 0, PARTS, 1, "IMAGE"],
      [4, PARTS, 1, MASK, 0, "MASK"],
    ],
    groups: [],
    config: {},
    extra: {},
  };
}

/**
 * A node of a workflow in the interface's format.
 * @param {number} id
 * @param {string} type
 * @param {number[]} pos
 * @param {number[]} size
 * @param {object[]} inputs
 * @param {object[]} outputs
 * @param {unknown[]} widgets_values
 */
export function node(id, type, pos, size, inputs, outputs, widgets_values) {
  return { id, type, pos, size, flags: {}, order: id, mode: 0, inputs, outputs, properties: {}, widgets_values };
}

/**
 * Wait until a photo with its parts is shown.
 * @param {Page} page
 * @param {number | string} [id]
 */
export async function shown(page, id = PARTS) {
  await page.waitForFunction((id) => {
    const widgets = app.canvas.graph?.getNodeById(id)?.widgets;
    const view = widgets?.find((/** @type {any} */ { name }) => name === "parts_preview")?.element;
    return view?.querySelector(".consistentid-chip")?.getClientRects().length > 0;
  }, id);
  await settle(page);
}

/**
 * The widget's element on a node of the graph that is open.
 * @param {Page} page
 * @param {number | string} id
 */
async function viewOf(page, id) {
  const handle = await page.evaluateHandle((id) => {
    const { widgets } = app.canvas.graph.getNodeById(id);
    return /** @type {HTMLElement} */ (widgets.find((/** @type {any} */ { name }) => name === "parts_preview").element);
  }, id);
  return handle.asElement();
}

/**
 * What the widget says.
 * @param {Page} page
 * @param {number | string} [id]
 */
export async function read(page, id = PARTS) {
  const view = await viewOf(page, id);
  return view.evaluate((view) => {
    const isSeen = (/** @type {Element | null} */ element) => (element?.getClientRects().length ?? 0) > 0;
    const textOf = (/** @type {string} */ selector) => {
      const element = view.querySelector(selector);
      return isSeen(element) ? (element?.textContent ?? "") : "";
    };
    return {
      isShown: isSeen(view) && !view.classList.contains("consistentid-empty"),
      message: textOf(".consistentid-message"),
      line: textOf(".consistentid-line"),
      page: isSeen(view.querySelector(".consistentid-pager")) ? textOf(".consistentid-pager span") : "",
      chips: [...view.querySelectorAll(".consistentid-chip")].map((chip) => ({
        region: /** @type {HTMLElement} */ (chip).dataset.region,
        text: chip.textContent,
        isOn: chip.getAttribute("aria-checked") === "true",
        isDisabled: chip.getAttribute("aria-disabled") === "true",
        isHighlighted: chip.classList.contains("consistentid-highlighted"),
        title: /** @type {HTMLElement} */ (chip).title,
      })),
    };
  });
}

/**
 * Which parts the chips show as switched on.
 * @param {Page} page
 * @param {number | string} [id]
 */
export async function switchedOn(page, id = PARTS) {
  return (await read(page, id)).chips.filter((chip) => chip.isOn).map((chip) => chip.region);
}

/**
 * @param {Page} page
 * @param {string} region
 * @param {number | string} [id]
 */
export async function clickChip(page, region, id = PARTS) {
  const chip = await (await viewOf(page, id)).$(`.consistentid-chip[data-region=${region}]`);
  // Forced: also where the chip says that a click does nothing.
  await chip?.click({ force: true });
  await settle(page);
}

/**
 * Where a part can be clicked in the picture: in the middle of the places where its chip lights up; null if it does not.
 * @param {Page} page
 * @param {string} region
 */
export async function pointOf(page, region) {
  return page.evaluate((region) => {
    const canvas = /** @type {HTMLElement} */ (
      [...document.querySelectorAll(".consistentid-stage canvas + canvas")].find((one) => one.getClientRects().length > 0)
    );
    const chip = canvas.closest(".consistentid-view")?.querySelector(`[data-region=${region}]`);
    const box = canvas.getBoundingClientRect();
    /** Look at every so many pixels. @param {number} step */
    const search = (step) => {
      const hits = [];
      // Whole numbers, as a click's place is rounded.
      for (let y = Math.ceil(box.top); y < box.bottom; y += step) {
        for (let x = Math.ceil(box.left); x < box.right; x += step) {
          canvas.dispatchEvent(new PointerEvent("pointermove", { clientX: x, clientY: y, bubbles: true }));
          if (chip?.classList.contains("consistentid-highlighted")) hits.push({ x, y });
        }
      }
      return hits;
    };
    let hits = search(16);
    for (const step of [8, 4, 2]) if (hits.length < 5) hits = search(step);
    return hits[Math.floor(hits.length / 2)] ?? null;
  }, region);
}

/**
 * How many pixels the MASK output selects, from the preview of the mask.
 * @param {Page} page
 */
export function maskArea(page) {
  return page.evaluate(async (id) => {
    const [file] = app.nodeOutputs[id].images;
    const picture = new Image();
    picture.src = app.api.apiURL(`/view?${new URLSearchParams(file)}`);
    await picture.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: picture.width, height: picture.height });
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.drawImage(picture, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let area = 0;
    for (let pixel = 0; pixel < data.length; pixel += 4) area += data[pixel] / 255;
    return area;
  }, MASK);
}

/**
 * The value each part's switch has in the prompt that would be sent to the server.
 * @param {Page} page
 */
export async function sentSwitches(page) {
  const inputs = await page.evaluate(async () => {
    const { output } = await app.graphToPrompt();
    const nodes = Object.values(output);
    return nodes.find((/** @type {any} */ { class_type }) => class_type === "ConsistentIDFacePartsFromMap")?.inputs;
  });
  return { switches: Object.fromEntries(REGIONS.map((region) => [region, inputs[region]])), names: Object.keys(inputs) };
}
