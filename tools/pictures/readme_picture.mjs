// @ts-check
/** node readme_picture.mjs < JOB.json: opens a workflow, shows results in its nodes, and photographs a part of it. */

import { readFileSync } from "node:fs";

import { inComfyUI, load, settle } from "../../tests/web/browser/session.mjs";

/** The picture reaches from this group to this node: the loaders at the left and the result at the right are outside. */
const FROM = "The person";
const TO = "KSampler";

const job = JSON.parse(readFileSync(0, "utf-8"));
await inComfyUI(job, async (page) => {
  await page.setViewportSize({ width: 2800, height: 1800 });
  await page.evaluate(async () => {
    app.extensionManager.focusMode = true;
    for (const name of ["Comfy.Minimap.Visible", "Comfy.Graph.CanvasMenu", "Comfy.Graph.CanvasInfo"]) {
      await app.extensionManager.setting.set(name, false);
    }
  });
  await load(page, JSON.parse(readFileSync(job.workflow, "utf-8")));
  await page.evaluate((results) => {
    for (const [node, output] of Object.entries(results)) {
      app.api.dispatchCustomEvent("executed", { node, display_node: node, output, prompt_id: "", merge: false });
    }
  }, job.results);
  await page.waitForSelector(".consistentid-prompt mark");
  await page.waitForTimeout(1500);
  const clip = await page.evaluate(
    ({ from, to }) => {
      const groups = app.graph._groups;
      const left = groups.find((/** @type {any} */ { title }) => title === from).pos[0] - 14;
      const last = app.graph._nodes.find((/** @type {any} */ { title }) => title === to);
      const right = last.pos[0] + last.size[0] + 26;
      const top = Math.min(...groups.map((/** @type {any} */ { pos }) => pos[1])) - 12;
      const bottom = Math.max(...groups.map((/** @type {any} */ { pos, size }) => pos[1] + size[1])) + 12;
      const canvas = app.canvas.canvas.getBoundingClientRect();
      app.canvas.ds.scale = 1;
      app.canvas.ds.offset = [-left, -top];
      app.canvas.setDirty(true, true);
      return { x: canvas.x, y: canvas.y, width: right - left, height: bottom - top };
    },
    { from: FROM, to: TO },
  );
  await settle(page);
  await page.screenshot({ path: job.file, clip });
  return {};
});
