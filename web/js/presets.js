// @ts-check
/** Presets of the simple node: a click sets its widgets, so that every setting can be seen and changed. */

import { app } from "../../../scripts/app.js";
import { PresetButtons } from "./dom/preset_buttons.js";
import { onWidgetsChanged, setWidgets } from "./host/switches.js";
import { addView, putBefore } from "./host/view_widget.js";
import { isLinked, widgetNamed } from "./lib/nodes.js";
import { SETTINGS } from "./lib/presets.js";

/** Of the view: two rows, in pixels. */
const HEIGHT = 54;

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
    addView(node, "presets", buttons.root, { minWidth: 340, minHeight: HEIGHT, isFixed: true });
    for (const other of ["parts_preview", "model_files"]) putBefore(node, "presets", other);
    onWidgetsChanged(node, SETTINGS, () => buttons.refresh());
  },
});
