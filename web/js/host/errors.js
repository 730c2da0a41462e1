// @ts-check
/** Telling a node's view why the node failed. */

import { app } from "../../../../scripts/app.js";
import { api } from "../../../../scripts/api.js";
import { nodeAt } from "../lib/nodes.js";

/** @type {WeakMap<HostNode, (message: string) => void>} */
const views = new WeakMap();

let isListening = false;

/**
 * @param {HostNode} node
 * @param {HostWidget} widget with the view
 * @param {(message: string) => void} show "" when another run is asked for or begins
 */
export function showErrors(node, widget, show) {
  views.set(node, show);
  // A run that the server refuses never begins: its reason must not stand beside that of the run before.
  widget.beforeQueued = () => show("");
  const onExecutionStart = node.onExecutionStart;
  node.onExecutionStart = function () {
    onExecutionStart?.call(this);
    show("");
  };
  if (isListening) return;
  isListening = true;
  api.addEventListener("execution_error", ({ detail }) => {
    const failed = nodeAt(app.rootGraph, detail?.node_id);
    if (failed) views.get(failed)?.(String(detail.exception_message ?? "").trim());
  });
}
