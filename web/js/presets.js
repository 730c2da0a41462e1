// @ts-check
/** Presets of the simple node: a click sets its widgets, so that every setting can be seen and changed. */

import { app } from "../../../scripts/app.js";
import { PresetButtons } from "./dom/preset_buttons.js";
import { onWidgetsChanged, setWidgets } from "./host/switches.js";
import { addView } from "./host/view_widget.js";
import { isLinked, widgetNamed } from "./lib/nodes.js";
import { SETTINGS } from "./lib/presets.js";

app.registerExtension({
  name: "ConsistentID.Presets",
  nodeCreated(node) {
    if (node.comfyClass !== "ConsistentIDSimple") return;
    const buttons = new PresetButtons({
      valueOf: (name) => widgetNamed(node, name)?.value,
      labelOf: (name) => widgetNamed(node, name)?.label || name,
      isLinked: (name) => isLinked(node, name),
      set: (settings) => setWidgets(node, settings),
    });
    const widget = addView(node, "presets", buttons.root, { minWidth: 340, minHeight: 54 });
    putBefore(node, widget, "parts_preview");
    onWidgetsChanged(node, SETTINGS, () => buttons.refresh());
  },
});

/**
 * Extensions add their widgets in no certain order.
 * @param {HostNode} node
 * @param {HostWidget} widget
 * @param {string} name of another widget, which may come later
 */
function putBefore(node, widget, name) {
  const { widgets = [] } = node;
  const place = widgets.findIndex((one) => one.name === name);
  if (place < 0) return;
  widgets.splice(widgets.indexOf(widget), 1);
  widgets.splice(place, 0, widget);
}
