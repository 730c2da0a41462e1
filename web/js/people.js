// @ts-check
/** Saved people by their faces, on Load ID Embedding. */

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { PeoplePicker } from "./dom/people_picker.js";
import { PersonView } from "./dom/person_view.js";
import { onWidgetsChanged, setWidget } from "./host/switches.js";
import { addView } from "./host/view_widget.js";
import { widgetNamed } from "./lib/nodes.js";
import { PEOPLE, peopleFrom } from "./lib/people_data.js";

const NODES = ["ConsistentIDLoadEmbedding"];
const NAME = "name";

app.registerExtension({
  name: "ConsistentID.People",
  nodeCreated(node) {
    if (!NODES.includes(node.comfyClass ?? "")) return;
    const picker = new PeoplePicker({ choose: (file) => setWidget(node, NAME, file) });
    const view = new PersonView({
      async open() {
        const { people, problem } = await load();
        refresh();
        picker.open(people, file(), problem);
      },
    });
    const file = () => String(widgetNamed(node, NAME)?.value ?? "");
    const refresh = async () => {
      let { people } = await known();
      // Saved since the list was made.
      if (!people.some((one) => one.file === file())) ({ people } = await load());
      view.show(file(), people);
    };
    addView(node, "person_preview", view.root, { minWidth: 260, minHeight: 56 });
    onWidgetsChanged(node, [NAME], refresh);
    refresh();
  },
});

/** @typedef {{ people: import("./lib/people_data.js").Person[], problem: string }} List */

/** The list as it was asked for last. @type {Promise<List> | null} */
let list = null;

/** The list, asked for once. @returns {Promise<List>} */
function known() {
  return list ?? load();
}

/** The list as it is now. @returns {Promise<List>} */
function load() {
  list = ask();
  return list;
}

/** @returns {Promise<List>} */
async function ask() {
  try {
    const response = await api.fetchApi(PEOPLE);
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
    return { people: peopleFrom(await response.json(), (path) => api.apiURL(path)), problem: "" };
  } catch (error) {
    return { people: [], problem: error instanceof Error ? error.message : String(error) };
  }
}
