// @ts-check
/** Handing a node's results to its view: after a run, and whenever the node is loaded again. */

import { app } from "../../../../scripts/app.js";
import { Memory } from "../lib/memory.js";
import { locatorOf, nodeByLocator } from "../lib/nodes.js";

const memory = new Memory(storage());

/** Who shows the results of a node. @type {WeakMap<HostNode, ((output: any) => void)[]>} */
const views = new WeakMap();

/**
 * Show what a node reports.
 * @param {HostNode} node
 * @param {readonly string[]} keys of its results; those without the first key are not for the view
 * @param {(output: any) => void} show
 */
export function showResults(node, keys, show) {
  const [mainKey] = keys;
  const showIfMeant = (/** @type {any} */ output) => output?.[mainKey] && show(output);
  views.set(node, [...(views.get(node) ?? []), showIfMeant]);

  const onExecuted = node.onExecuted;
  node.onExecuted = function (output) {
    onExecuted?.call(this, output);
    // A node that expands into others gets the results of all of them, one after the other.
    if (!output?.[mainKey]) return;
    memory.keep(nameOf(node, mainKey), Object.fromEntries(keys.map((key) => [key, output[key]])));
    show(output);
  };

  const onConfigure = node.onConfigure;
  node.onConfigure = function (data) {
    onConfigure?.call(this, data);
    const outputs = app.nodeOutputs?.[locatorOf(node)];
    showIfMeant(outputs?.[mainKey] ? outputs : memory.recall(nameOf(node, mainKey)));
  };
}

/**
 * The hook of the same name: results were loaded, for example from the queue's history.
 * @param {Record<string, any>} outputs by the place of their node
 */
export function onNodeOutputsUpdated(outputs) {
  for (const [locator, output] of Object.entries(outputs ?? {})) {
    const node = nodeByLocator(app.rootGraph, locator);
    for (const show of (node && views.get(node)) ?? []) show(output);
  }
}

/**
 * @param {HostNode} node
 * @param {string} key
 */
function nameOf(node, key) {
  return `${app.rootGraph?.id}/${locatorOf(node)}/${key}`;
}

function storage() {
  try {
    return window.localStorage;
  } catch {
    return null; // the browser forbids it
  }
}
