import assert from "node:assert/strict";
import { test } from "node:test";

import { isLinked, locatorOf, nodeAt, nodeByLocator, switchesOf, widgetNamed } from "../../../web/js/lib/nodes.js";

/** @param {string} id @param {any[]} nodes @param {any} [more] */
function graphOf(id, nodes, more) {
  const graph = {
    id,
    isRootGraph: more?.isRootGraph ?? false,
    subgraphs: more?.subgraphs,
    getNodeById: (/** @type {any} */ wanted) => nodes.find((node) => node.id === wanted),
  };
  for (const node of nodes) node.graph = graph;
  return graph;
}

const inner = { id: 3 };
const subgraph = graphOf("sub", [inner]);
const outer = { id: 7, subgraph };
const named = { id: "a-name" };
const root = graphOf("root", [outer, named], { isRootGraph: true, subgraphs: new Map([["sub", subgraph]]) });

test("a node of the root graph has its id as place", () => {
  assert.equal(locatorOf(/** @type {any} */ (outer)), "7");
});

test("a node in a subgraph has the subgraph's id before its own", () => {
  assert.equal(locatorOf(/** @type {any} */ (inner)), "sub:3");
});

test("a node is found at its place", () => {
  for (const node of [outer, inner, named]) {
    assert.equal(nodeByLocator(root, locatorOf(/** @type {any} */ (node))), node);
  }
});

test("an execution id leads through subgraphs", () => {
  assert.equal(nodeAt(root, "7"), outer);
  assert.equal(nodeAt(root, 7), outer);
  assert.equal(nodeAt(root, "7:3"), inner);
});

test("a place or execution id that leads nowhere finds nothing", () => {
  for (const id of ["8", "7:4", "7:3:1", "", null, undefined]) assert.equal(nodeAt(root, id), null);
  for (const id of ["8", "sub:4", "gone:3", ""]) assert.equal(nodeByLocator(root, id), null);
  assert.equal(nodeAt(undefined, "7"), null);
});

test("a widget is found by its name, on nodes without widgets too", () => {
  const nose = { name: "nose", value: true };
  assert.equal(widgetNamed(/** @type {any} */ ({ widgets: [{ name: "face" }, nose] }), "nose"), nose);
  assert.equal(widgetNamed(/** @type {any} */ ({}), "nose"), undefined);
});

test("the switches are the widgets that are on or off", () => {
  const widgets = [
    { name: "prompt", value: "true" },
    { name: "nose", value: false },
    { name: "pair", value: 0 },
    { name: "face", value: true },
    { name: "view", value: undefined },
  ];
  assert.deepEqual(switchesOf(/** @type {any} */ ({ widgets })), ["nose", "face"]);
  assert.deepEqual(switchesOf(/** @type {any} */ ({})), []);
});

test("a widget is linked if its input is", () => {
  const node = /** @type {any} */ ({
    inputs: [
      { name: "nose", link: 0, widget: { name: "nose" } },
      { name: "face", link: null, widget: { name: "face" } },
      { name: "mouth", link: 4 },
    ],
  });
  assert.deepEqual(
    ["nose", "face", "mouth", "ears"].map((name) => isLinked(node, name)),
    [true, false, false, false],
  );
  assert.equal(isLinked(/** @type {any} */ ({}), "nose"), false);
});
