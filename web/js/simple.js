// @ts-check
/**
 * A new simple node crops small faces; one of a workflow that was saved before it could goes on as it was. The schema's
 * default is the old way, because ComfyUI gives it to workflows that lack the input.
 */

import { app } from "../../../scripts/app.js";
import { widgetNamed } from "./lib/nodes.js";

const CROP = "crop";
const NEW = "auto";
const AS_BEFORE = "off";

app.registerExtension({
  name: "ConsistentID.Simple",
  nodeCreated(node) {
    const widget = node.comfyClass === "ConsistentIDSimple" ? widgetNamed(node, CROP) : null;
    if (!widget) return;
    widget.value = NEW;
    const onConfigure = node.onConfigure;
    node.onConfigure = function (data) {
      const saved = data?.widgets_values?.[node.widgets?.indexOf(widget) ?? -1];
      if (![NEW, AS_BEFORE].includes(saved)) widget.value = AS_BEFORE;
      onConfigure?.call(this, data);
    };
  },
});
