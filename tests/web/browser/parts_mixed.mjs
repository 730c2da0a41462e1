// @ts-check
/** A face mixed from two photos: each part says where it is from, and leads there. */

import { clickChip, read, shown } from "./parts_page.mjs";
import { load, look, photograph, run, settle } from "./session.mjs";

const MIXED = 7;

/**
 * @param {import("playwright-core").Page} page
 * @param {import("./session.mjs").Options} options
 */
export async function play(page, options) {
  const parts = (/** @type {string} */ image, /** @type {string} */ labels) => ({
    class_type: "ConsistentIDFacePartsFromMap",
    inputs: { image: [image, 0], label_map: [labels, 0] },
  });
  const picture = (/** @type {string} */ image) => ({ class_type: "LoadImage", inputs: { image } });
  await page.evaluate((prompt) => app.loadApiJson(prompt, "test"), {
    1: picture("astronaut.png"),
    2: picture("astronaut_labels.png"),
    3: picture("mirrored.png"),
    4: picture("mirrored_labels.png"),
    5: parts("1", "2"),
    6: parts("3", "4"),
    [MIXED]: {
      class_type: "ConsistentIDMixFaceParts",
      inputs: { face_parts: ["5", 0], nose: ["6", 0], eyes_strength: 0.5, mouth_strength: 0 },
    },
    8: { class_type: "PreviewAny", inputs: { source: [String(MIXED), 0] } },
  });
  await load(page, await page.evaluate(() => JSON.parse(JSON.stringify(app.rootGraph.serialize()))));
  await run(page);
  await look(page, MIXED, 1);
  await shown(page, MIXED);
  await page.waitForFunction(() => document.querySelectorAll(".consistentid-chip i[style*=url]").length > 0);
  const before = await read(page, MIXED);
  await photograph(page, MIXED, options, "parts_mixed");
  await clickChip(page, "nose", MIXED);
  await settle(page);
  const after = await read(page, MIXED);
  await photograph(page, MIXED, options, "parts_mixed_second");
  return { before, after };
}
