// @ts-check
/** How like the person pictures are: of the whole face on Face Likeness, part by part on Part Likeness. */

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { LikenessView } from "./dom/likeness_view.js";
import { PartLikenessView } from "./dom/part_likeness_view.js";
import { showErrors } from "./host/errors.js";
import { onNodeOutputsUpdated, showResults } from "./host/results.js";
import { addView } from "./host/view_widget.js";
import { viewPath } from "./lib/files.js";
import { LIKENESS_KEY, PART_LIKENESS_KEY, SCALE_KEY, likenessFrom, partLikenessFrom } from "./lib/likeness_data.js";

/** @param {import("./lib/files.js").FileRef} file */
const urlOf = (file) => api.apiURL(viewPath(file));

app.registerExtension({
  name: "ConsistentID.Likeness",
  nodeCreated(node) {
    if (node.comfyClass === "ConsistentIDLikeness") {
      const view = new LikenessView(urlOf);
      const widget = addView(node, "likeness_preview", view.root, { minWidth: 360, minHeight: 380 });
      showResults(node, [LIKENESS_KEY, SCALE_KEY], (output) => view.show(likenessFrom(output)));
      showErrors(node, widget, (message) => view.fail(message));
    }
    if (node.comfyClass === "ConsistentIDPartLikeness") {
      const view = new PartLikenessView(urlOf);
      const widget = addView(node, "part_likeness_preview", view.root, { minWidth: 380, minHeight: 320 });
      showResults(node, [PART_LIKENESS_KEY], (output) => view.show(partLikenessFrom(output)));
      showErrors(node, widget, (message) => view.fail(message));
    }
  },
  onNodeOutputsUpdated,
});
