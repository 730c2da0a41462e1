// @ts-check
/** Which of the model files that ConsistentID (simple) needs are there, on the node, before a run and after. */

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { FilesView } from "./dom/files_view.js";
import { onWidgetsChanged } from "./host/switches.js";
import { addView, putBefore, setViewHeight } from "./host/view_widget.js";
import { filesPath, modelFilesFrom } from "./lib/model_files.js";
import { widgetNamed } from "./lib/nodes.js";

const NODES = ["ConsistentIDSimple"];
const CHOICES = ["model_name", "face_parser"];

/** Of the view, in pixels: the one line, and with all of them. */
const CLOSED = 24;
const OPEN = 210;

/** Each view's way to ask again, for when the lists are refreshed. @type {Set<WeakRef<() => void>>} */
const looks = new Set();

app.registerExtension({
  name: "ConsistentID.Files",
  nodeCreated(node) {
    if (!NODES.includes(node.comfyClass ?? "")) return;
    let latest = 0;
    const look = async () => {
      const number = ++latest;
      const choices = CHOICES.map((name) => [name, widgetNamed(node, name)?.value ?? "auto"]);
      let files = null;
      try {
        const answer = await api.fetchApi(filesPath(Object.fromEntries(choices)));
        files = answer.ok ? modelFilesFrom(await answer.json()) : null;
      } catch {
        // The view says that there was no answer.
      }
      if (number === latest) view.show(files);
    };
    const view = new FilesView(look);
    // The view keeps it alive as long as there is the node.
    looks.add(new WeakRef(look));
    addView(node, "model_files", view.root, { minWidth: 340, minHeight: CLOSED, isFixed: true });
    putBefore(node, "model_files", "parts_preview");
    view.details.addEventListener("toggle", () => setViewHeight(node, view.root, view.details.open ? OPEN : CLOSED));
    onWidgetsChanged(node, CHOICES, look);
    const onExecutionStart = node.onExecutionStart;
    node.onExecutionStart = function () {
      onExecutionStart?.call(this);
      look();
    };
    look();
  },
  /** R was pressed: files may have come or gone. */
  refreshComboInNodes() {
    for (const reference of looks) {
      const look = reference.deref();
      if (look) look();
      else looks.delete(reference);
    }
  },
});
