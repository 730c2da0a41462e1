// @ts-check
/** A line for each model file a node needs: where it is, or where it comes from. */

import { toSeeTo } from "../lib/model_files.js";
import { text } from "../lib/texts.js";
import { element } from "./element.js";

/** @typedef {import("../lib/model_files.js").ModelFile} ModelFile */

const COMMAND = "python -m consistentid_core.files fetch";

const SIGNS = { found: "✓", missing: "✗", several: "?", other: "✗" };

/** @type {Record<import("../lib/model_files.js").State, "fileFound" | "fileMissing" | "fileSeveral" | "fileOther">} */
const STATES = { found: "fileFound", missing: "fileMissing", several: "fileSeveral", other: "fileOther" };

export class FilesView {
  /** @param {() => void} look ask the server again */
  constructor(look) {
    this.summary = element("summary", {}, text("files"));
    this.lines = element("ul", { class: "consistentid-files", "data-capture-wheel": "true" });
    this.details = element("details", {}, this.summary, this.lines);
    this.root = element("div", { class: "consistentid-view consistentid-files-view" }, this.details);
    this.look = look;
    /** How many were to see to. @type {number | null} */
    this.count = null;
  }

  /**
   * With all of them there one line is enough; it opens by itself when one is missing.
   * @param {readonly ModelFile[] | null} files null if the server gave no answer
   */
  show(files) {
    const open = toSeeTo(files ?? []);
    this.root.classList.toggle("consistentid-files-missing", open.length > 0);
    this.summary.textContent =
      files === null
        ? text("filesUnknown")
        : open.length
          ? text("filesMissing", { count: open.length })
          : text("filesThere");
    // What there is to do comes first: the list scrolls.
    const there = (files ?? []).filter((file) => !open.includes(file));
    const action = this.#action(open);
    const lines = [...open, ...there].map(toLine);
    this.lines.replaceChildren(...(open.length ? [action, ...lines] : [...lines, action]));
    if (open.length !== this.count) this.details.open = open.length > 0;
    this.count = open.length;
  }

  /** @param {readonly ModelFile[]} open that stand in the way of a run */
  #action(open) {
    const isFetched = open.some(({ state, isPackage }) => state === "missing" && !isPackage);
    const help = isFetched ? [element("div", {}, text("filesFetch")), element("code", {}, COMMAND)] : [];
    return element(
      "li",
      { class: "consistentid-files-action" },
      ...help,
      element("button", { type: "button", onclick: this.look }, text("filesLook")),
    );
  }
}

/** @param {ModelFile} file */
function toLine({ title, state, where, note, name, size, address, place, licence, isPackage }) {
  const line = element(
    "li",
    { class: `consistentid-file-${state}` },
    element("span", { "aria-hidden": "true" }, SIGNS[state]),
    element("strong", {}, title),
    element("em", {}, text(STATES[state])),
  );
  if (where) line.append(element("div", { class: "consistentid-path", title: where }, where));
  if (note) line.append(element(isPackage ? "code" : "div", {}, note));
  if (name) {
    const link = element("a", { href: address || null, target: "_blank", rel: "noopener noreferrer" }, name);
    const facts = [size, text("filePlace", { folder: place })].filter(Boolean).join(", ");
    line.append(element("div", {}, link, ` ${facts}`), element("small", {}, text("fileLicence", { licence })));
  }
  return line;
}
