// @ts-check
/** Reading and changing a node's own widgets from its view. */

import { app } from "../../../../scripts/app.js";
import { widgetNamed } from "../lib/nodes.js";

/**
 * Set a widget as if the user had: as one step of undo, and with the widget's callback.
 * @param {HostNode} node
 * @param {string} name
 * @param {any} value
 */
export function setWidget(node, name, value) {
  setWidgets(node, { [name]: value });
}

/**
 * {@link setWidget} of several, as one step; names the node does not have are left out.
 * @param {HostNode} node
 * @param {Record<string, any>} values
 */
export function setWidgets(node, values) {
  const changed = Object.keys(values).filter((name) => widgetNamed(node, name));
  if (changed.length === 0) return;
  app.canvas.emitBeforeChange();
  try {
    for (const name of changed) {
      const widget = /** @type {HostWidget} */ (widgetNamed(node, name));
      widget.value = values[name];
      widget.callback?.(values[name], app.canvas, node);
    }
  } finally {
    app.canvas.emitAfterChange();
  }
  app.canvas.setDirty(true, true);
}

/**
 * Be told when widgets change, whoever changes them.
 * @param {HostNode} node
 * @param {readonly string[]} names
 * @param {() => void} changed
 */
export function onWidgetsChanged(node, names, changed) {
  for (const name of names) {
    const widget = widgetNamed(node, name);
    if (!widget) continue;
    const callback = widget.callback;
    widget.callback = function (...change) {
      const result = callback?.apply(this, change);
      changed();
      return result;
    };
  }
  // Loading a workflow and pasting set values without a callback.
  const onConfigure = node.onConfigure;
  node.onConfigure = function (data) {
    onConfigure?.call(this, data);
    changed();
  };
  const onConnectionsChange = node.onConnectionsChange;
  node.onConnectionsChange = function (...change) {
    const result = onConnectionsChange?.apply(this, change);
    changed();
    return result;
  };
}
