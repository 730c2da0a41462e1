// @ts-check
/** Keeping brush strokes: as small files in ComfyUI's input folder, named in a widget of the node. */

import { app } from "../../../../scripts/app.js";
import { api } from "../../../../scripts/api.js";
import { correctionsFrom, FOLDER, nameOf, textOf } from "../lib/brush_data.js";
import { viewPath } from "../lib/files.js";
import { locatorOf, widgetNamed } from "../lib/nodes.js";
import { setWidget } from "./switches.js";

/** @typedef {import("../lib/brush_data.js").Corrections} Corrections */

export const BRUSH = "brush";

/** What was read or written, by name: a name never gets another content. @type {Map<string, Promise<Corrections>>} */
const files = new Map();

/** Which part is being painted, by the node's place: undoing makes all nodes anew. @type {Map<string, string>} */
const opened = new Map();

/**
 * What a view needs to keep strokes in a node's widget; nothing for nodes without that widget.
 * @param {HostNode} node
 * @returns {import("../dom/brush.js").Host | undefined}
 */
export function brushOf(node) {
  const widget = widgetNamed(node, BRUSH);
  if (!widget) return undefined;
  // Nobody types the name of a file that the brush writes.
  widget.hidden = true;
  widget.options = { ...widget.options, hidden: true };
  let saved = Promise.resolve();
  // The workflow is sent when the file is there.
  widget.serializeValue = async () => {
    await saved.catch(() => {}); // said by the brush; the server misses the file
    return widget.value;
  };
  const place = () => `${app.rootGraph?.id}/${locatorOf(node)}`;
  return {
    file: () => String(widget.value ?? ""),
    read,
    write(corrections) {
      const text = textOf(corrections);
      const isEmpty = Object.keys(corrections).length === 0;
      const name = nameOf(text);
      const file = isEmpty ? "" : `${FOLDER}/${name}`;
      if (!isEmpty) files.set(file, Promise.resolve(corrections));
      setWidget(node, BRUSH, file);
      saved = isEmpty ? Promise.resolve() : upload(text, name);
      return saved;
    },
    opened: () => opened.get(place()) ?? "",
    open: (region) => void (region ? opened.set(place(), region) : opened.delete(place())),
  };
}

/**
 * The corrections in a file; none for an empty name.
 * @param {string} file
 * @returns {Promise<Corrections>} rejects if it is gone or something else
 */
function read(file) {
  if (!file) return Promise.resolve({});
  const known = files.get(file);
  if (known) return known;
  const found = fetched(file);
  files.set(file, found);
  found.catch(() => files.delete(file)); // it may come back
  return found;
}

/** @param {string} file */
async function fetched(file) {
  const [filename, ...folders] = file.split("/").reverse();
  const response = await api.fetchApi(viewPath({ filename, subfolder: folders.reverse().join("/"), type: "input" }));
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  return correctionsFrom(await response.json());
}

/**
 * As the host's own mask editor does it.
 * @param {string} text
 * @param {string} name
 */
async function upload(text, name) {
  const body = new FormData();
  body.append("image", new File([text], name, { type: "application/json" }));
  body.append("subfolder", FOLDER);
  body.append("type", "input");
  body.append("overwrite", "true"); // by the same content
  const response = await api.fetchApi("/upload/image", { method: "POST", body });
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
}
