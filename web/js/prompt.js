// @ts-check
/** The prompt that Encode Facial Prompt made, with the words that carry a part of the face. */

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { PromptView } from "./dom/prompt_view.js";
import { showErrors } from "./host/errors.js";
import { onNodeOutputsUpdated, showResults } from "./host/results.js";
import { portraitBehind } from "./host/portrait.js";
import { addView } from "./host/view_widget.js";
import { viewPath } from "./lib/files.js";
import { CROPS_KEY, PROMPT_KEY, promptFrom } from "./lib/prompt_data.js";

const NODES = ["ConsistentIDFaceEncoder"];

app.registerExtension({
  name: "ConsistentID.Prompt",
  nodeCreated(node) {
    if (!NODES.includes(node.comfyClass ?? "")) return;
    const view = new PromptView(
      (file) => api.apiURL(viewPath(file)),
      () => {
        const path = portraitBehind(node);
        return path && api.apiURL(path);
      },
    );
    const widget = addView(node, "prompt_preview", view.root, { minWidth: 400, minHeight: 220 });
    showResults(node, [PROMPT_KEY, CROPS_KEY], (output) => view.show(promptFrom(output)));
    showErrors(node, widget, (message) => view.fail(message));
  },
  onNodeOutputsUpdated,
});
