// @ts-check
/** Open each shipped workflow as the template browser does, and look at what is on the page. */

import { settle } from "./session.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** The pack's folder below custom_nodes, and so its name in the template browser. */
const PACK = "consistentid";

/** What is in front of the canvas; the settings are kept on the server, so they are put back. */
const OVERLAYS = ["Comfy.Minimap.Visible", "Comfy.Graph.CanvasMenu", "Comfy.Graph.CanvasInfo"];

/**
 * @param {Page} page
 * @param {import("./session.mjs").Options} options
 */
export async function play(page, options) {
  await page.route(/^https:/, (route) => route.abort()); // the sizes of missing models are asked for
  const offered = await page.evaluate(() => app.api.getWorkflowTemplates());
  /** @type {Record<string, any>} */
  const workflows = {};
  const putBack = await showCanvasAlone(page);
  for (const name of offered[PACK]) {
    await openTemplate(page, name);
    workflows[name] = await page.evaluate(examine);
    if (options.screenshots) await photographAll(page, `${options.screenshots}/workflow_${name}_${options.renderer}.png`);
  }
  await putBack();
  return { workflows };
}

/**
 * As a click in the template browser.
 * @param {Page} page
 * @param {string} name
 */
async function openTemplate(page, name) {
  await page.evaluate(
    async ({ pack, name }) => {
      const answer = await fetch(app.api.apiURL(`/workflow_templates/${encodeURIComponent(pack)}/${name}.json`));
      await app.loadGraphData(await answer.json(), true, true, name, { openSource: "template" });
      const pictures = app.graph._nodes.flatMap((/** @type {any} */ node) => node.imgs ?? []);
      await Promise.all(pictures.map((/** @type {HTMLImageElement} */ picture) => picture.decode().catch(() => {})));
    },
    { pack: PACK, name },
  );
  await settle(page);
}

/** In the page: what is on the canvas, and what would be sent to the server. */
async function examine() {
  const { LiteGraph } = /** @type {any} */ (window);
  const { output } = await app.graphToPrompt();
  const nodes = app.graph._nodes;
  const titleHeight = LiteGraph.NODE_TITLE_HEIGHT;
  const canvas = app.canvas.canvas.getBoundingClientRect();
  const { scale, offset } = app.canvas.ds;

  /** A node's box with its title, in the canvas's units; in Nodes 2.0 as the page shows it. */
  const boxes = nodes.map((/** @type {any} */ node) => {
    const element = document.querySelector(`.lg-node[data-node-id="${node.id}"]`);
    if (element) {
      const { left, top, right, bottom } = element.getBoundingClientRect();
      const x = (/** @type {number} */ value) => (value - canvas.left) / scale - offset[0];
      const y = (/** @type {number} */ value) => (value - canvas.top) / scale - offset[1];
      return { title: node.title, left: x(left), top: y(top), right: x(right), bottom: y(bottom) };
    }
    const [left, top] = node.pos;
    return { title: node.title, left, top: top - titleHeight, right: left + node.size[0], bottom: top + node.size[1] };
  });
  const overlaps = [];
  for (const [index, one] of boxes.entries()) {
    for (const other of boxes.slice(index + 1)) {
      const isApart =
        one.right <= other.left || other.right <= one.left || one.bottom <= other.top || other.bottom <= one.top;
      if (!isApart) overlaps.push(`${one.title} / ${other.title}`);
    }
  }
  const outside = boxes
    .filter((/** @type {any} */ box) => box.title !== "What to change")
    .filter(
      (/** @type {any} */ box) =>
        !app.graph._groups.some((/** @type {any} */ group) => {
          const [left, top] = group.pos;
          const [width, height] = group.size;
          return box.left >= left && box.top >= top && box.right <= left + width && box.bottom <= top + height;
        }),
    )
    .map((/** @type {any} */ box) => box.title);
  return {
    prompt: output,
    nodes: nodes.length,
    links: app.graph.links.size ?? Object.keys(app.graph.links).length,
    missingNodes: nodes
      .filter((/** @type {any} */ node) => !(node.type in LiteGraph.registered_node_types))
      .map((/** @type {any} */ node) => node.type),
    overlaps,
    outside,
    missingModels: missingModels(),
  };

  /** What the interface tells the user to fetch. */
  function missingModels() {
    const root = /** @type {any} */ (document.querySelector("#vue-app"));
    const { missingModelCandidates } = root.__vue_app__.config.globalProperties.$pinia.state.value.missingModel;
    return (missingModelCandidates ?? []).map((/** @type {any} */ { name, directory, url, hash, hashType }) => {
      return { name, directory, url, ...(hash ? { hash, hash_type: hashType } : {}) };
    });
  }
}

/**
 * Room to draw a whole workflow, and nothing in front of it.
 * @param {Page} page
 * @returns puts everything back
 */
async function showCanvasAlone(page) {
  await page.setViewportSize({ width: 2400, height: 1200 });
  const before = await page.evaluate((names) => {
    const { canvas, extensionManager } = app;
    const smallestText = canvas.min_font_size_for_lod;
    extensionManager.focusMode = true;
    canvas.min_font_size_for_lod = 0; // texts at any zoom
    const settings = Object.fromEntries(names.map((name) => [name, extensionManager.setting.get(name)]));
    return { smallestText, settings };
  }, OVERLAYS);
  await change(page, Object.fromEntries(OVERLAYS.map((name) => [name, false])));
  return async () => {
    await page.evaluate((smallestText) => {
      app.extensionManager.focusMode = false;
      app.canvas.min_font_size_for_lod = smallestText;
    }, before.smallestText);
    await change(page, before.settings);
  };
}

/**
 * @param {Page} page
 * @param {Record<string, unknown>} settings
 */
async function change(page, settings) {
  await page.evaluate(async (values) => {
    for (const [name, value] of Object.entries(values)) await app.extensionManager.setting.set(name, value);
  }, settings);
  await settle(page);
}

/**
 * A picture of the whole workflow.
 * @param {Page} page
 * @param {string} path
 */
async function photographAll(page, path) {
  const clip = await page.evaluate(() => {
    const boxes = [
      ...app.graph._nodes.map((/** @type {any} */ node) => node.getBounding()),
      ...app.graph._groups.map((/** @type {any} */ { pos, size }) => [...pos, ...size]),
    ];
    const left = Math.min(...boxes.map(([x]) => x)) - 20;
    const top = Math.min(...boxes.map(([, y]) => y)) - 20;
    const right = Math.max(...boxes.map(([x, , width]) => x + width)) + 20;
    const bottom = Math.max(...boxes.map(([, y, , height]) => y + height)) + 20;
    const canvas = app.canvas.canvas.getBoundingClientRect();
    const scale = Math.min(canvas.width / (right - left), canvas.height / (bottom - top));
    app.canvas.ds.scale = scale;
    app.canvas.ds.offset = [-left, -top];
    app.canvas.setDirty(true, true);
    return { x: canvas.x, y: canvas.y, width: (right - left) * scale, height: (bottom - top) * scale };
  });
  await settle(page);
  await page.screenshot({ path, clip });
}
