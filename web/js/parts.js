// @ts-check
/** The parts of a face, shown on the nodes that find them; a click switches a part off or on. */

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { PartsView } from "./dom/parts_view.js";
import { BRUSH, brushOf } from "./host/brush_files.js";
import { showErrors } from "./host/errors.js";
import { onNodeOutputsUpdated, showResults } from "./host/results.js";
import { onWidgetsChanged, setWidget } from "./host/switches.js";
import { addView } from "./host/view_widget.js";
import { CROPS_KEY, cropSentence, cropsFrom } from "./lib/faces_data.js";
import { viewPath } from "./lib/files.js";
import { isLinked, switchesOf, widgetNamed } from "./lib/nodes.js";
import { PARTS_KEY, photosFrom } from "./lib/parts_data.js";
import { PROMPT_KEY, promptFrom } from "./lib/prompt_data.js";

const NODES = [
  "ConsistentIDFaceParser",
  "ConsistentIDFacePartsFromMap",
  "ConsistentIDSimple",
  // Without switches: each part with the photo it is taken from.
  "ConsistentIDMixFaceParts",
  "ConsistentIDBestFaceParts",
];
/** The simple node's widget for Crop Face. */
const CROP = "crop";
const STRENGTH = "ConsistentID.Preview.Strength";

/** The views there are, so that the setting reaches all of them. @type {Set<WeakRef<PartsView>>} */
const views = new Set();

app.registerExtension({
  name: "ConsistentID.Parts",
  settings: [
    {
      id: STRENGTH,
      name: "Strength of the colours over the parts of a face",
      tooltip:
        "How strongly the nodes that find the parts of a face colour them in their preview, in percent. " +
        "The slider on the node changes this as well.",
      category: ["ConsistentID", "Preview", "Strength"],
      type: "slider",
      attrs: { min: 0, max: 100, step: 1 },
      defaultValue: 45,
      onChange: (/** @type {number} */ percent) => setStrengths(percent),
    },
  ],
  nodeCreated(node) {
    if (!NODES.includes(node.comfyClass ?? "")) return;
    const view = new PartsView({
      urlOf: (file) => api.apiURL(viewPath(file)),
      switchOf(region) {
        const widget = widgetNamed(node, region);
        if (!widget) return null;
        return { isOn: widget.value !== false, isLinked: isLinked(node, region), label: translationOf(widget) };
      },
      toggle: (region) => setWidget(node, region, widgetNamed(node, region)?.value === false),
      setStrength: (strength) => app.extensionManager.setting.set(STRENGTH, Math.round(strength * 100)),
      locale: localeOfHost,
      brush: brushOf(node),
    });
    view.setStrength(app.extensionManager.setting.get(STRENGTH) / 100);
    views.add(new WeakRef(view));
    const widget = addView(node, "parts_preview", view.root, { minWidth: 340, minHeight: 320 });
    onWidgetsChanged(node, switchesOf(node), () => view.refresh());
    onWidgetsChanged(node, [BRUSH], () => view.brush?.show(view.brush.photo));
    showResults(node, [PARTS_KEY], (output) =>
      view.show(photosFrom(output), { isEmpty: output[PARTS_KEY].length === 0 }),
    );
    // Of the simple node: it has no room for the prompt, but what was left out of it must be said.
    showResults(node, [PROMPT_KEY], (output) => view.note(PROMPT_KEY, promptFrom(output)?.notes ?? []));
    // Nor for the photo that was cropped.
    /** @type {import("./lib/faces_data.js").Crop | undefined} */
    let cropped;
    const tellCrop = () => {
      const isTold = cropped && widgetNamed(node, CROP)?.value === "auto";
      view.note(CROPS_KEY, cropped && isTold ? [cropSentence(cropped, localeOfHost())] : []);
    };
    showResults(node, [CROPS_KEY], (output) => {
      cropped = cropsFrom(output).find(({ place }) => place);
      tellCrop();
    });
    onWidgetsChanged(node, [CROP], tellCrop);
    showErrors(node, widget, (message) => view.fail(message));
  },
  onNodeOutputsUpdated,
});

function localeOfHost() {
  return app.extensionManager.setting.get("Comfy.Locale");
}

/** A widget's name in the user's language, or nothing: the server then knows a better one. @param {HostWidget} widget */
function translationOf(widget) {
  return widget.label === widget.name ? undefined : widget.label;
}

/** @param {number} percent */
function setStrengths(percent) {
  for (const reference of views) {
    const view = reference.deref();
    if (view) view.setStrength(percent / 100);
    else views.delete(reference);
  }
}
