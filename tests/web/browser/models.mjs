// @ts-check
/** The views of nodes that need models: faces to choose, the prompt in colour, the simple node. */

import { clickChip, read, shown } from "./parts_page.mjs";
import { LATER, look, photograph, run, settle, values } from "./session.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** Ids of the workflows' nodes that are looked at. */
const FACES = 2;
const PROMPT = 14;
const PARSER = 32;
const SIMPLE = 24;

const LONG_PROMPT = "a very long description of a person ".repeat(12);

/**
 * @param {Page} page
 * @param {import("./session.mjs").Options} options models: file names, by what they are
 */
export async function play(page, options) {
  return {
    faces: await chooseFace(page, options),
    prompt: await showPrompt(page, options),
    parser: await parseFace(page, options),
    simple: await runSimple(page, options),
  };
}

/**
 * Load a workflow in the API's format.
 * @param {Page} page
 * @param {Record<string, object>} prompt
 */
async function loadPrompt(page, prompt) {
  await page.evaluate((data) => app.loadApiJson(data, "test"), prompt);
  await reopen(page);
}

/** Save the workflow and open it again. @param {Page} page */
async function reopen(page) {
  await page.evaluate(() => app.loadGraphData(JSON.parse(JSON.stringify(app.rootGraph.serialize()))));
  await settle(page);
}

/**
 * @param {Page} page
 * @param {import("./session.mjs").Options} options
 */
async function chooseFace(page, options) {
  const inputs = { image: ["1", 0], order: "left_to_right", face_index: 0, det_threshold: 0.5 };
  await loadPrompt(page, {
    1: { class_type: "LoadImage", inputs: { image: "two_faces.png" } },
    [FACES]: { class_type: "ConsistentIDEmbedding", inputs },
    3: { class_type: "PreviewImage", inputs: { images: [String(FACES), 1] } },
  });
  await look(page, FACES);
  await run(page, LATER);
  await page.waitForSelector(".consistentid-face");
  await look(page, FACES);
  const first = await readFaces(page);
  await page.locator(".consistentid-face").nth(1).click();
  await settle(page);
  const clicked = { ...(await readFaces(page)), value: (await values(page, FACES)).face_index };
  await run(page, LATER);
  const afterRun = await readFaces(page);
  await photograph(page, FACES, options, "faces");
  await page.keyboard.press("Control+z");
  await page.waitForFunction(
    (id) => app.graph.getNodeById(id).widgets.find((/** @type {any} */ { name }) => name === "face_index").value === 0,
    FACES,
  );
  await page.waitForSelector(".consistentid-face");
  await settle(page);
  return { first, clicked, afterRun, undone: { ...(await readFaces(page)), value: (await values(page, FACES)).face_index } };
}

/** @param {Page} page */
function readFaces(page) {
  return page.evaluate(() => {
    const image = document.querySelector(".consistentid-frame img")?.getBoundingClientRect() ?? new DOMRect();
    const boxes = [...document.querySelectorAll(".consistentid-face")];
    return {
      numbers: boxes.map((box) => box.textContent),
      chosen: boxes.findIndex((box) => box.getAttribute("aria-checked") === "true"),
      // The middle of each box, as a share of the photo.
      places: boxes.map((box) => {
        const { left, width } = box.getBoundingClientRect();
        return (left + width / 2 - image.left) / image.width;
      }),
      line: document.querySelector(".consistentid-line")?.textContent ?? "",
    };
  });
}

/**
 * @param {Page} page
 * @param {import("./session.mjs").Options} options
 */
async function showPrompt(page, options) {
  const { models, renderer } = options;
  const words = `A portrait of a woman on the beach at the golden hour, ${renderer}`;
  await loadPrompt(page, {
    1: { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: models.checkpoint } },
    2: { class_type: "CLIPVisionLoader", inputs: { clip_name: models.clip_vision } },
    3: { class_type: "ConsistentIDModelLoader", inputs: { model_name: models.consistentid } },
    4: { class_type: "LoadImage", inputs: { image: "astronaut.png" } },
    5: { class_type: "LoadImage", inputs: { image: "astronaut_labels.png" } },
    6: { class_type: "ConsistentIDFacePartsFromMap", inputs: { image: ["4", 0], label_map: ["5", 0] } },
    [PROMPT]: {
      class_type: "ConsistentIDFaceEncoder",
      inputs: {
        clip: ["1", 1],
        clip_vision: ["2", 0],
        consistentid: ["3", 0],
        face_parts: ["6", 0],
        prompt: words,
        negative_prompt: "blurry",
        caption: "The person has one face, one nose, two eyes, two ears, and one mouth.",
        mode: "original",
        merge_percent: 0.6,
      },
    },
    15: { class_type: "PreviewAny", inputs: { source: [String(PROMPT), 0] } },
  });
  await look(page, PROMPT);
  const before = await readPrompt(page);
  await run(page, LATER);
  await page.waitForSelector(".consistentid-prompt mark");
  await page.waitForFunction(() =>
    [...document.querySelectorAll(".consistentid-crops img")].every((image) => /** @type {any} */ (image).naturalWidth > 0),
  );
  await look(page, PROMPT);
  const after = await readPrompt(page);
  await photograph(page, PROMPT, options, "prompt");
  await page.evaluate(
    ({ id, text }) => {
      const node = app.graph.getNodeById(id);
      node.widgets.find((/** @type {any} */ widget) => widget.name === "prompt").value = text;
    },
    { id: PROMPT, text: `${LONG_PROMPT} ${renderer}` },
  );
  await run(page, LATER);
  const long = await readPrompt(page);
  await photograph(page, PROMPT, options, "prompt_long");
  return { words, before, after, long };
}

/** @param {Page} page */
function readPrompt(page) {
  return page.evaluate(() => {
    const view = /** @type {HTMLElement} */ (document.querySelector(".consistentid-view:has(.consistentid-prompt)"));
    const box = view.getBoundingClientRect();
    return {
      message: view.classList.contains("consistentid-empty") ? view.querySelector(".consistentid-message")?.textContent : "",
      text: [...(view.querySelector(".consistentid-prompt")?.childNodes ?? [])]
        .map((piece) => piece.firstChild?.textContent ?? piece.textContent)
        .join(""),
      marks: [...view.querySelectorAll("mark")].map((mark) => ({
        word: mark.firstChild?.textContent,
        carries: mark.title,
        colour: mark.style.getPropertyValue("--part"),
      })),
      crops: [...view.querySelectorAll("figcaption")].map((caption) => caption.textContent),
      notes: [...view.querySelectorAll("li")].map((note) => note.textContent),
      isInside: [...view.children].every((child) => child.getBoundingClientRect().bottom <= box.bottom + 1),
    };
  });
}

/**
 * @param {Page} page
 * @param {import("./session.mjs").Options} options
 */
async function parseFace(page, options) {
  await loadPrompt(page, {
    30: { class_type: "ConsistentIDFaceParserLoader", inputs: { model_name: options.models.face_parser } },
    31: { class_type: "LoadImage", inputs: { image: "astronaut.png" } },
    [PARSER]: { class_type: "ConsistentIDFaceParser", inputs: { face_parser: ["30", 0], image: ["31", 0] } },
    33: { class_type: "MaskPreview", inputs: { mask: [String(PARSER), 1] } },
  });
  await look(page, PARSER, 1);
  await run(page, LATER);
  await shown(page, PARSER);
  await look(page, PARSER, 1);
  const after = await read(page, PARSER);
  await photograph(page, PARSER, options, "parser");
  const [present] = after.chips.filter((chip) => !chip.isDisabled);
  await clickChip(page, present.region ?? "", PARSER);
  return { after, clicked: { region: present.region, values: await values(page, PARSER) } };
}

/**
 * @param {Page} page
 * @param {import("./session.mjs").Options} options
 */
async function runSimple(page, options) {
  const { models, renderer } = options;
  const switches = { face: true, eyes: true, ears: true, nose: true, mouth: true };
  await loadPrompt(page, {
    21: { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: models.checkpoint } },
    22: { class_type: "CLIPVisionLoader", inputs: { clip_name: models.clip_vision } },
    23: { class_type: "LoadImage", inputs: { image: "astronaut.png" } },
    [SIMPLE]: {
      class_type: "ConsistentIDSimple",
      inputs: {
        model: ["21", 0],
        clip: ["21", 1],
        clip_vision: ["22", 0],
        image: ["23", 0],
        prompt: `${LONG_PROMPT} ${renderer}`,
        negative_prompt: "blurry",
        model_name: models.consistentid,
        face_parser: models.face_parser,
        weight: 1,
        merge_percent: 0.6,
        ...switches,
      },
    },
    25: { class_type: "PreviewAny", inputs: { source: [String(SIMPLE), 1] } },
  });
  await look(page, SIMPLE, 1);
  const end = await run(page, LATER);
  await shown(page, SIMPLE);
  await look(page, SIMPLE, 1);
  const after = await read(page, SIMPLE);
  await photograph(page, SIMPLE, options, "simple");
  const [present] = after.chips.filter((chip) => !chip.isDisabled);
  await clickChip(page, present.region ?? "", SIMPLE);
  const clicked = { region: present.region, values: await values(page, SIMPLE) };
  await reopen(page);
  await look(page, SIMPLE, 1);
  await shown(page, SIMPLE);
  return { end, after, clicked, opened: await read(page, SIMPLE) };
}
