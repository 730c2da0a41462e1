// @ts-check
/** The picture that a workflow made last from what a node gave it. */

import { app } from "../../../../scripts/app.js";
import { isFile, viewPath } from "../lib/files.js";
import { locatorOf } from "../lib/nodes.js";

/**
 * Where the last picture behind a node is; null if none was made. Of several nodes that show pictures, the nearest one.
 * @param {HostNode} node
 * @returns {string | null} for `api.apiURL`
 */
export function portraitBehind(node) {
  const seen = new Set([node]);
  // The set grows while it is gone through: whatever follows comes behind.
  for (const one of seen) {
    const file = one === node ? null : app.nodeOutputs?.[locatorOf(one)]?.images?.at(-1);
    if (isFile(file)) return viewPath(file);
    for (const link of (one.outputs ?? []).flatMap(({ links }) => links ?? [])) {
      const target = one.graph?.getLink?.(link)?.target_id;
      const follower = target === undefined ? null : one.graph?.getNodeById(target);
      if (follower) seen.add(follower);
    }
  }
  return null;
}
