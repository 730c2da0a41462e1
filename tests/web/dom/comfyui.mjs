// @ts-check
/** ComfyUI's interface as far as the pack's extensions use it, for tests without a browser: import it before them. */

import { register } from "node:module";

import "./page.mjs";

// The extensions import the interface by its place on the server.
const hooks = `export function resolve(specifier, context, next) {
  const isHost = /\\/scripts\\/(app|api)\\.js$/.test(specifier);
  return isHost ? { url: ${JSON.stringify(import.meta.url)}, shortCircuit: true } : next(specifier, context);
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

/** @type {Map<string, any>} */
export const settings = new Map([["Comfy.Locale", "en"]]);

/** @type {HostExtension[]} */
const extensions = [];

/** @type {any[]} */
const nodes = [];

/** The steps of undo that the extensions made. */
export const steps = { made: 0 };

export const app = {
  rootGraph: {
    id: "graph",
    isRootGraph: true,
    getNodeById: (/** @type {number} */ id) => nodes.find((node) => node.id === id) ?? null,
  },
  nodeOutputs: {},
  canvas: { emitBeforeChange() {}, emitAfterChange: () => steps.made++, setDirty() {} },
  extensionManager: {
    setting: {
      get: (/** @type {string} */ id) => settings.get(id),
      async set(/** @type {string} */ id, /** @type {any} */ value) {
        settings.set(id, value);
      },
    },
  },
  /** The user refreshes the lists of files. */
  refresh() {
    for (const extension of extensions) extension.refreshComboInNodes?.();
  },
  registerExtension(/** @type {any} */ extension) {
    for (const { id, defaultValue } of extension.settings ?? []) settings.set(id, defaultValue);
    extensions.push(extension);
  },
};

/** What the server answers, by the beginning of the path. @type {Map<string, (path: string) => any>} */
export const answers = new Map();

export const api = Object.assign(new EventTarget(), {
  apiURL: (/** @type {string} */ path) => path,
  async fetchApi(/** @type {string} */ path) {
    const answer = answers.get(path.split("?")[0]);
    const body = await answer?.(path);
    return { ok: answer !== undefined, json: async () => body };
  },
});

/**
 * A node as the interface makes it, with the pack's views; `view` finds a view's element by its widget's name.
 * @param {string} comfyClass
 * @param {Record<string, any>} values of its widgets
 */
export function addNode(comfyClass, values) {
  const widgets = Object.entries(values).map(([name, value]) => /** @type {any} */ ({ name, value }));
  const node = {
    id: nodes.length + 1,
    comfyClass,
    graph: app.rootGraph,
    size: [300, 200],
    widgets,
    inputs: widgets.map(({ name }) => ({ name, link: /** @type {number | null} */ (null), widget: { name } })),
    setSize() {},
    computeSize: () => [300, 200],
    addDOMWidget(/** @type {string} */ name, /** @type {string} */ type, /** @type {HTMLElement} */ element) {
      const widget = { name, type, element };
      widgets.push(widget);
      return widget;
    },
    /** @returns {HTMLElement} */
    view: (/** @type {string} */ name) => widgets.find((widget) => widget.name === name).element,
    value: (/** @type {string} */ name) => widgets.find((widget) => widget.name === name).value,
  };
  nodes.push(node);
  for (const extension of extensions) extension.nodeCreated?.(/** @type {any} */ (node));
  return /** @type {any} */ (node);
}

/**
 * The user changes a widget of a node.
 * @param {any} node
 * @param {string} name
 * @param {any} value
 */
export function setWidget(node, name, value) {
  const widget = node.widgets.find((/** @type {any} */ one) => one.name === name);
  widget.value = value;
  widget.callback?.(value);
}

/**
 * The server says that a node failed.
 * @param {any} node
 * @param {string} message
 */
export function failIn(node, message) {
  const detail = { node_id: String(node.id), exception_message: message };
  api.dispatchEvent(Object.assign(new Event("execution_error"), { detail }));
}
