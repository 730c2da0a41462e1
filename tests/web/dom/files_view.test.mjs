import assert from "node:assert/strict";
import { test } from "node:test";

import { addNode, answers, app, setWidget } from "./comfyui.mjs";
import { onPage, settle, textOf } from "./page.mjs";
import { FilesView } from "../../../web/js/dom/files_view.js";

await import("../../../web/js/files.js");

const FOUND = {
  title: "Face parser",
  state: /** @type {"found"} */ ("found"),
  where: "/models/consistentid/x.pth",
  note: "",
  name: "",
  size: "",
  address: "",
  place: "",
  licence: "",
  isPackage: false,
};
const MISSING = {
  ...FOUND,
  state: /** @type {"missing"} */ ("missing"),
  where: "",
  name: "face_parsing.pth",
  size: "53 MB",
  address: "https://example.org/face_parsing.pth",
  place: "models/consistentid",
  licence: "free",
};

const viewOf = (look = () => {}) => onPage(new FilesView(look));

test("with all of them there it is one line, which opens to their places", () => {
  const view = viewOf();
  view.show([FOUND, FOUND]);
  assert.deepEqual([view.details.open, view.summary.textContent], [false, "All model files are there."]);
  assert.equal(view.lines.querySelectorAll(".consistentid-path").length, 2);
  assert.equal(textOf(view.root, ".consistentid-path"), FOUND.where);
  assert.equal(textOf(view.root, ".consistentid-files-action"), "Look again");
});

test("a missing file opens it, with name, link, size, folder, licence and the command", () => {
  const view = viewOf();
  view.show([FOUND, MISSING]);
  assert.deepEqual([view.details.open, view.summary.textContent], [true, "Model files: 1 to see to"]);
  const link = /** @type {HTMLAnchorElement} */ (view.lines.querySelector("a"));
  assert.deepEqual([link.textContent, link.getAttribute("href")], [MISSING.name, MISSING.address]);
  const line = /** @type {HTMLElement} */ (view.lines.querySelector(".consistentid-file-missing"));
  assert.match(line.textContent, /face_parsing.pth 53 MB, to models\/consistentid.*Licence: free/);
  assert.match(view.lines.textContent, /python -m consistentid_core.files fetch/);
});

test("what the user opened or closed stays so until something changes", () => {
  const view = viewOf();
  view.show([MISSING]);
  view.details.open = false;
  view.show([MISSING]);
  assert.equal(view.details.open, false);
  view.show([MISSING, MISSING]);
  assert.equal(view.details.open, true);
  view.show([FOUND]);
  assert.equal(view.details.open, false);
});

test("packages are installed and not fetched", () => {
  const view = viewOf();
  view.show([{ ...MISSING, name: "", note: "pip install x", isPackage: true }]);
  assert.equal(textOf(view.root, "code"), "pip install x");
  assert.doesNotMatch(view.lines.textContent, /fetch/);
});

test("names and paths are text, whatever is in them", () => {
  const view = viewOf();
  view.show([{ ...MISSING, name: "<b>x</b>" }, { ...FOUND, where: "<i>y</i>" }]);
  assert.equal(view.lines.querySelector("b, i"), null);
});

test("a button asks again", () => {
  let asked = 0;
  const view = viewOf(() => asked++);
  view.show([FOUND]);
  /** @type {HTMLElement} */ (view.lines.querySelector("button")).click();
  assert.equal(asked, 1);
});

const ENTRY = { key: "face-parser", what: "a parser", state: "found", where: "/x.pth" };
const CHOICES = { model_name: "auto", face_parser: "auto" };

/** @param {any} node */
const summaryOf = (node) => textOf(node.view("model_files"), "summary");

test("the node asks for its own choices, when it is made, changed, run, and when lists are refreshed", async () => {
  const asked = /** @type {string[]} */ ([]);
  answers.set("/consistentid/files", (path) => {
    asked.push(path);
    return { files: [ENTRY] };
  });
  const node = addNode("ConsistentIDSimple", CHOICES);
  await settle();
  assert.equal(summaryOf(node), "All model files are there.");
  assert.deepEqual(asked.splice(0), ["/consistentid/files?model_name=auto&face_parser=auto"]);
  setWidget(node, "face_parser", "x.pth");
  node.onExecutionStart();
  app.refresh();
  await settle();
  assert.deepEqual(asked, Array(3).fill("/consistentid/files?model_name=auto&face_parser=x.pth"));
});

test("a late answer to an earlier question is not shown", async () => {
  /** @type {((answer: any) => void)[]} */
  const waiting = [];
  answers.set("/consistentid/files", () => new Promise((resolve) => waiting.push(resolve)));
  const node = addNode("ConsistentIDSimple", CHOICES);
  setWidget(node, "face_parser", "x.pth");
  await settle();
  waiting[1]({ files: [ENTRY] });
  await settle();
  waiting[0]({ files: [{ ...ENTRY, state: "missing" }] });
  await settle();
  assert.equal(summaryOf(node), "All model files are there.");
});

test("without an answer it says so", async () => {
  for (const answer of [() => ({}), () => Promise.reject(new Error("offline"))]) {
    answers.set("/consistentid/files", answer);
    const node = addNode("ConsistentIDSimple", CHOICES);
    await settle();
    assert.match(summaryOf(node), /did not say/);
  }
});

test("it stands above the parts of the face, whichever script came first", async () => {
  await import("../../../web/js/parts.js");
  const node = addNode("ConsistentIDSimple", CHOICES);
  const names = node.widgets.map((/** @type {any} */ { name }) => name);
  assert.deepEqual(names, ["model_name", "face_parser", "model_files", "parts_preview"]);
  const other = addNode("ConsistentIDSimple", { ...CHOICES, parts_preview: null });
  assert.deepEqual(
    other.widgets.map((/** @type {any} */ { name }) => name).slice(0, 4),
    ["model_name", "face_parser", "model_files", "parts_preview"],
  );
});

test("other nodes have no such view", () => {
  const node = addNode("ConsistentIDFaceParser", {});
  assert.equal(node.widgets.some((/** @type {any} */ { name }) => name === "model_files"), false);
});
