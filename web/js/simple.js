// @ts-check
/**
 * A new simple node crops small faces; one of a workflow that was saved before it could goes on as it was, and so does one
 * of a workflow for the API that does not say it. The schema's default is the old way, because ComfyUI gives it to
 * workflows that lack the input.
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
    // Only a workflow for the API sets widgets in the moment the node is made; ComfyUI calls nothing else for it.
    let isBeingMade = true;
    setTimeout(() => (isBeingMade = false));
    for (const one of node.widgets ?? []) {
      const callback = one.callback;
      one.callback = function (...change) {
        if (isBeingMade && one !== widget) widget.value = AS_BEFORE;
        isBeingMade = false;
        return callback?.apply(this, change);
      };
    }
    const onConfigure = node.onConfigure;
    node.onConfigure = function (data) {
      isBeingMade = false;
      const saved = data?.widgets_values?.[node.widgets?.indexOf(widget) ?? -1];
      if (![NEW, AS_BEFORE].includes(saved)) widget.value = AS_BEFORE;
      onConfigure?.call(this, data);
    };
  },
});
