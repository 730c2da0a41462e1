// @ts-check
/** The widget inside a subgraph. */

import { clickChip, maskArea, PARTS, sentSwitches, shown, switchedOn, workflow } from "./parts_page.mjs";
import { load, look, photograph, run, settle, values } from "./session.mjs";

/**
 * @param {import("playwright-core").Page} page
 * @param {import("./session.mjs").Options} options
 */
export async function play(page, options) {
  /** @type {Record<string, any>} */
  const found = {};
  await load(page, workflow());
  const ids = await page.evaluate((id) => {
    const { node } = app.graph.convertToSubgraph(new Set([app.graph.getNodeById(id)]));
    return { outer: node.id, inner: node.subgraph._nodes[0].id };
  }, PARTS);
  await settle(page);
  await run(page);
  found.maskOfAll = await maskArea(page);

  await enter(page, ids);
  found.on = await switchedOn(page, ids.inner);
  await clickChip(page, "ears", ids.inner);
  found.afterClick = { on: await switchedOn(page, ids.inner), values: await values(page, ids.inner), sent: await sentSwitches(page) };
  await photograph(page, ids.inner, options, "parts_subgraph");
  await run(page);
  found.afterSecondRun = { mask: await maskArea(page), on: await switchedOn(page, ids.inner) };

  // Through a file, as saving and opening does.
  await page.evaluate(async () => app.loadGraphData(JSON.parse(JSON.stringify(app.rootGraph.serialize()))));
  await settle(page);
  await enter(page, ids);
  found.afterOpening = { on: await switchedOn(page, ids.inner), values: await values(page, ids.inner) };
  return found;
}

/**
 * Opens the subgraph and brings the widget into view.
 * @param {import("playwright-core").Page} page
 * @param {{ outer: number, inner: number }} ids
 */
async function enter(page, ids) {
  await page.evaluate(({ outer }) => {
    const node = app.graph.getNodeById(outer);
    app.canvas.openSubgraph(node.subgraph, node);
  }, ids);
  await settle(page);
  await look(page, ids.inner);
  await shown(page, ids.inner);
}
