// @ts-check
/** The faces that ID Embedding or Crop Face found; a click sets which of them is the person. */

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { FacesView } from "./dom/faces_view.js";
import { showErrors } from "./host/errors.js";
import { onNodeOutputsUpdated, showResults } from "./host/results.js";
import { onWidgetsChanged, setWidget } from "./host/switches.js";
import { addView } from "./host/view_widget.js";
import { CROPS_KEY, FACES_KEY, facePhotosFrom } from "./lib/faces_data.js";
import { viewPath } from "./lib/files.js";
import { isLinked, widgetNamed } from "./lib/nodes.js";

const NODES = ["ConsistentIDEmbedding", "ConsistentIDCropFace"];
const FACE_INDEX = "face_index";

app.registerExtension({
  name: "ConsistentID.Faces",
  nodeCreated(node) {
    if (!NODES.includes(node.comfyClass ?? "")) return;
    const view = new FacesView({
      urlOf: (file) => api.apiURL(viewPath(file)),
      chosen: () => (isLinked(node, FACE_INDEX) ? null : (widgetNamed(node, FACE_INDEX)?.value ?? null)),
      choose(index) {
        if (!isLinked(node, FACE_INDEX)) setWidget(node, FACE_INDEX, index);
      },
      locale: () => app.extensionManager.setting.get("Comfy.Locale"),
    });
    const widget = addView(node, "faces_preview", view.root, { minWidth: 320, minHeight: 240 });
    onWidgetsChanged(node, [FACE_INDEX], () => view.refresh());
    showResults(node, [FACES_KEY, CROPS_KEY], (output) => view.show(facePhotosFrom(output)));
    showErrors(node, widget, (message) => view.fail(message));
  },
  onNodeOutputsUpdated,
});
