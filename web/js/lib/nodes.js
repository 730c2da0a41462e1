// @ts-check
/** Finding nodes and widgets in a graph. */

/**
 * A node's place as ComfyUI writes it for node outputs: its id, behind the id of its subgraph if it is in one.
 * @param {HostNode} node
 */
export function locatorOf(node) {
  const graph = node.graph;
  return graph && !graph.isRootGraph ? `${graph.id}:${node.id}` : String(node.id);
}

/**
 * The node at a place as {@link locatorOf} writes it.
 * @param {HostGraph | null | undefined} root
 * @param {string} locator
 * @returns {HostNode | null}
 */
export function nodeByLocator(root, locator) {
  const [id, subgraph] = locator.split(":").reverse();
  const graph = subgraph === undefined ? root : root?.subgraphs?.get(subgraph);
  return graph?.getNodeById(toId(id)) ?? null;
}

/**
 * The node that an execution id names: ids from the outermost subgraph node inwards, joined by colons.
 * @param {HostGraph | null | undefined} graph the root graph
 * @param {string | number | null | undefined} executionId
 * @returns {HostNode | null}
 */
export function nodeAt(graph, executionId) {
  let inside = graph;
  /** @type {HostNode | null} */
  let node = null;
  for (const id of String(executionId ?? "").split(":")) {
    node = inside?.getNodeById(toId(id)) ?? null;
    if (!node) return null;
    inside = node.subgraph;
  }
  return node;
}

/**
 * @param {HostNode} node
 * @param {string} name
 * @returns {HostWidget | undefined}
 */
export function widgetNamed(node, name) {
  return node.widgets?.find((widget) => widget.name === name);
}

/**
 * The names of a node's on/off widgets. Those of the parts of a face are named like the parts.
 * @param {HostNode} node
 */
export function switchesOf(node) {
  return (node.widgets ?? []).filter(({ value }) => typeof value === "boolean").map(({ name }) => name);
}

/**
 * Whether another node decides a widget's value, or the subgraph the node is in.
 * @param {HostNode} node
 * @param {string} name
 */
export function isLinked(node, name) {
  return node.inputs?.some((input) => input.widget?.name === name && input.link != null) ?? false;
}

/** Ids are numbers in a graph, and text in messages about it. @param {string} id */
function toId(id) {
  return /^\d+$/.test(id) ? Number(id) : id;
}
