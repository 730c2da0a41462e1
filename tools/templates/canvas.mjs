// @ts-check
/**
 * node canvas.mjs JOB.json: draws described workflows (graph.py) in ComfyUI's own interface and writes what it makes
 * of them: the workflow file and its twin for the queue API; then the pictures of the template browser.
 */

import { readFileSync, writeFileSync } from "node:fs";

import { inComfyUI, settle } from "../../tests/web/browser/session.mjs";

/**
 * @typedef {{ node: string, name: string }} Output
 * @typedef {{ key: string, type: string, title: string | null, values: Record<string, any>, models: object[],
 *   size: [number, number], is_muted: boolean }} Node
 * @typedef {{ title: string, colour: string, columns: Node[][] }} Group
 * @typedef {{ name: string, note: string, id: string, groups: Group[][],
 *   thumbnail: string }} Workflow
 * @typedef {import("../../tests/web/browser/session.mjs").Page} Page
 */

const job = JSON.parse(readFileSync(process.argv[2], "utf-8"));
await inComfyUI(job, async (page) => {
  for (const workflow of job.workflows) {
    await page.evaluate(draw, { workflow, pack: job.pack });
    await settle(page);
    const { ui, api } = await page.evaluate(arrange, workflow);
    writeFileSync(`${job.folder}/${workflow.name}.json`, `${JSON.stringify(ui, null, 1)}\n`);
    writeFileSync(`${job.api_folder}/${workflow.name}_api.json`, `${JSON.stringify(api, null, 2)}\n`);
  }
  for (const { name, thumbnail } of job.workflows) await photograph(page, thumbnail, `${job.folder}/${name}.jpg`);
  return {};
});

/**
 * Draw a card over the page, for the sake of its fonts.
 * @param {Page} page
 * @param {string} html
 * @param {string} path
 */
async function photograph(page, html, path) {
  const { width, height } = await page.evaluate(async (/** @type {string} */ html) => {
    document.getElementById("thumbnail")?.remove();
    const root = Object.assign(document.createElement("div"), { id: "thumbnail", innerHTML: html });
    document.body.append(root);
    await Promise.all([...root.querySelectorAll("img")].map((picture) => picture.decode()));
    await document.fonts.ready;
    return /** @type {HTMLElement} */ (root.querySelector(".card")).getBoundingClientRect().toJSON();
  }, html);
  await page.screenshot({ path, type: "jpeg", quality: 84, clip: { x: 0, y: 0, width, height } });
}

/**
 * In the page: an empty canvas, then every node, value and link.
 * @param {{ workflow: Workflow, pack: { name: string, version: string } }} options
 */
async function draw({ workflow, pack }) {
  const { LiteGraph, app } = /** @type {any} */ (window);
  await app.loadGraphData({ version: 0.4, nodes: [], links: [], groups: [], config: {}, extra: {} });
  const graph = app.graph;
  graph.id = workflow.id;
  const described = workflow.groups.flat().flatMap(({ columns }) => columns.flat());
  /** @type {Map<string, any>} */
  const nodes = new Map();

  const note = LiteGraph.createNode("MarkdownNote");
  note.title = "What to change";
  graph.add(note);
  note.widgets[0].value = workflow.note;

  for (const { key, type, title, models, is_muted } of described) {
    const node = LiteGraph.createNode(type);
    if (!node) throw new Error(`${workflow.name}: there is no node ${type}.`);
    if (nodes.has(key)) throw new Error(`${workflow.name}: two nodes are called ${key}.`);
    if (title) node.title = title;
    graph.add(node);
    const isOurs = type.startsWith("ConsistentID");
    node.properties.cnr_id = isOurs ? pack.name : "comfy-core";
    if (isOurs) node.properties.ver = pack.version;
    if (models.length) node.properties.models = models.map(entryOf);
    if (is_muted) node.mode = LiteGraph.NEVER;
    nodes.set(key, node);
  }
  for (const { key, values } of described) {
    for (const [name, value] of Object.entries(values)) {
      const node = nodes.get(key);
      if (value !== null && typeof value === "object") connect(value, node, name);
      else setWidget(node, name, value);
    }
  }

  /** @param {Output} output @param {any} node @param {string} name */
  function connect(output, node, name) {
    const origin = nodes.get(output.node);
    const from = origin?.outputs.findIndex((/** @type {any} */ slot) => slot.name === output.name) ?? -1;
    const to = node.inputs.findIndex((/** @type {any} */ slot) => slot.name === name);
    const link = from >= 0 && to >= 0 ? origin.connect(from, node, to) : null;
    if (!link) {
      throw new Error(`${workflow.name}: ${output.node}.${output.name} does not connect to ${node.type}.${name}.`);
    }
  }

  /** @param {any} model */
  function entryOf({ hash, ...model }) {
    return hash ? { ...model, hash, hash_type: "SHA256" } : model;
  }

  /** @param {any} node @param {string} name @param {unknown} value */
  function setWidget(node, name, value) {
    const widget = node.widgets?.find((/** @type {any} */ one) => one.name === name);
    if (!widget) throw new Error(`${workflow.name}: ${node.type} has no widget ${name}.`);
    widget.value = value;
    widget.callback?.(value, app.canvas, node);
    if (name === "seed") node.widgets.find((/** @type {any} */ one) => one.name === "control_after_generate").value = "fixed";
  }
}

/**
 * In the page: sizes, places, frames; then both formats.
 * @param {Workflow} workflow
 */
async function arrange(workflow) {
  const { LiteGraph, app } = /** @type {any} */ (window);
  const graph = app.graph;
  const TITLE = LiteGraph.NODE_TITLE_HEIGHT;
  const GAP = { node: { x: 40, y: 50 }, group: { x: 50, y: 50 } };
  const FRAME = { side: 20, top: 44, bottom: 48 };
  const WIDTH = 270;
  const NOTE = 380;
  // Nodes 2.0 need more room than the classic canvas that is measured here: for each text, for the bar below a node
  // whose model is missing, and for the note.
  const TEXT = 30;
  const ERROR = 28;
  const MODEL_FILE = /\.(safetensors|bin|pth)$/;
  const TALLER = 1.4;

  const [note, ...rest] = [...graph._nodes].sort((one, other) => one.id - other.id);
  place(note, -NOTE - GAP.group.x, TITLE, NOTE, 0);
  place(note, -NOTE - GAP.group.x, TITLE, NOTE, Math.round(TALLER * (await textHeight(note))) + 60);

  // Groups side by side where there are several in a column, so that rows belong together.
  const rows = [0];
  const queue = [...rest];
  let left = 0;
  /** @type {{ frame: any, nodes: any[], row: number }[]} */
  const frames = [];
  for (const groups of workflow.groups) {
    let right = left;
    const column = [];
    for (const [row, { title, colour, columns }] of groups.entries()) {
      const frame = new LiteGraph.LGraphGroup(title);
      const nodes = [];
      const inner = { x: left + FRAME.side, y: FRAME.top + TITLE };
      let bottom = inner.y;
      for (const described of columns) {
        const made = described.map(({ size, values }) => ({
          size,
          room: Object.values(values).some((value) => MODEL_FILE.test(value)) ? ERROR : 0,
          node: queue.shift(),
        }));
        const width = Math.max(WIDTH, ...made.map(({ size, node }) => Math.max(size[0], node.computeSize()[0])));
        let y = inner.y;
        for (const { size, room, node } of made) {
          place(node, inner.x, y, width, size[1]);
          y += node.size[1] + TITLE + GAP.node.y + room;
          nodes.push(node);
        }
        bottom = Math.max(bottom, y - TITLE - GAP.node.y);
        inner.x += width + GAP.node.x;
      }
      frame.color = colour;
      frame.font_size = 24;
      frame.pos = [left, 0];
      frame.size = [inner.x - GAP.node.x + FRAME.side - left, bottom + FRAME.bottom];
      graph.add(frame);
      right = Math.max(right, left + frame.size[0]);
      column.push({ frame, nodes, row });
    }
    for (const { frame } of column) frame.size = [right - left, frame.size[1]];
    if (column.length > 1) {
      for (const { frame, row } of column) rows[row + 1] = Math.max(rows[row + 1] ?? 0, frame.size[1] + GAP.group.y);
    }
    frames.push(...column);
    left = right + GAP.group.x;
  }
  for (const { frame, nodes, row } of frames) {
    const down = rows.slice(0, row + 1).reduce((sum, height) => sum + height, 0);
    frame.pos = [frame.pos[0], frame.pos[1] + down];
    for (const node of nodes) node.pos = [node.pos[0], node.pos[1] + down];
  }

  const { workflow: ui, output: api } = await app.graphToPrompt();
  delete ui.extra.ds; // templates are fitted to the window
  ui.id = workflow.id;
  return { ui, api };

  /** @param {any} node @param {number} x @param {number} y @param {number} width @param {number} height */
  function place(node, x, y, width, height) {
    node.pos = [x, y];
    const texts = node.widgets?.filter((/** @type {any} */ widget) => widget.type === "customtext").length ?? 0;
    node.setSize([width, Math.max(height, node.computeSize()[1] + texts * TEXT)]);
  }

  /** Of a note, once the page has laid it out in its width. @param {any} node */
  async function textHeight(node) {
    app.canvas.ds.scale = 1;
    app.canvas.ds.offset = [100 - node.pos[0], 100 - node.pos[1]]; // what is not in sight is not laid out
    app.canvas.setDirty(true, true);
    const text = node.widgets[0].element.querySelector(".tiptap");
    const isLaidOut = () => Math.abs(text.offsetWidth - node.size[0]) < 60;
    for (let frame = 0; frame < 300 && !isLaidOut(); frame++) await new Promise((resolve) => requestAnimationFrame(resolve));
    if (!isLaidOut()) throw new Error(`${workflow.name}: the note is ${text.offsetWidth} wide, not ${node.size[0]}.`);
    const [first, last] = [text.firstElementChild, text.lastElementChild];
    return last.offsetTop + last.offsetHeight - first.offsetTop;
  }
}
