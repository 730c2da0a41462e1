// @ts-check
/**
 * The last result of each node, kept in the browser: names of files in ComfyUI's temporary folder and numbers.
 *
 * ComfyUI forgets results when its page is reloaded, and of a node that expands into others it keeps only the last
 * one's. Such a node does not even report again in a run that finds everything in the server's cache.
 */

const PREFIX = "ConsistentID.result.";

/** So many results are kept; then the oldest goes. */
const MAX_RESULTS = 100;

export class Memory {
  /** @param {Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length"> | null} storage */
  constructor(storage) {
    this.storage = storage;
  }

  /**
   * @param {string} name
   * @param {unknown} result
   */
  keep(name, result) {
    try {
      this.storage?.removeItem(PREFIX + name);
      this.#makeRoom();
      this.storage?.setItem(PREFIX + name, JSON.stringify({ time: Date.now(), result }));
    } catch {
      // Full or forbidden: then a reload shows nothing until the next run, as for any other node.
    }
  }

  /**
   * @param {string} name
   * @returns {any} null if there is none
   */
  recall(name) {
    try {
      return JSON.parse(this.storage?.getItem(PREFIX + name) ?? "null")?.result ?? null;
    } catch {
      return null;
    }
  }

  #makeRoom() {
    const storage = this.storage;
    if (!storage) return;
    const kept = [];
    for (let index = 0; index < storage.length; index++) {
      const key = storage.key(index);
      if (key?.startsWith(PREFIX)) kept.push({ key, time: timeOf(storage.getItem(key)) });
    }
    kept.sort((one, other) => one.time - other.time);
    for (const { key } of kept.slice(0, Math.max(0, kept.length - MAX_RESULTS + 1))) storage.removeItem(key);
  }
}

/** @param {string | null} entry */
function timeOf(entry) {
  try {
    return Number(JSON.parse(entry ?? "")?.time) || 0;
  } catch {
    return 0;
  }
}
