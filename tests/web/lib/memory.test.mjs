import assert from "node:assert/strict";
import { test } from "node:test";

import { Memory } from "../../../web/js/lib/memory.js";

class Store {
  /** @type {Map<string, string>} */
  entries = new Map();
  get length() {
    return this.entries.size;
  }
  /** @param {number} index */
  key(index) {
    return [...this.entries.keys()][index] ?? null;
  }
  /** @param {string} key */
  getItem(key) {
    return this.entries.get(key) ?? null;
  }
  /** @param {string} key @param {string} value */
  setItem(key, value) {
    this.entries.set(key, value);
  }
  /** @param {string} key */
  removeItem(key) {
    this.entries.delete(key);
  }
}

test("a result is recalled by another page", () => {
  const store = new Store();
  new Memory(store).keep("graph/1", { parts: [1] });
  assert.deepEqual(new Memory(store).recall("graph/1"), { parts: [1] });
});

test("what was never kept is not recalled", () => {
  assert.equal(new Memory(new Store()).recall("graph/1"), null);
});

test("old results make room for new ones, and only they", () => {
  const store = new Store();
  store.setItem("another pack's", "not JSON");
  const memory = new Memory(store);
  for (let run = 0; run < 150; run++) memory.keep(`graph/${run}`, run);
  assert.equal(store.length, 101);
  assert.equal(store.getItem("another pack's"), "not JSON");
  assert.equal(memory.recall("graph/149"), 149);
});

test("a damaged entry is as good as none", () => {
  const store = new Store();
  const memory = new Memory(store);
  memory.keep("graph/1", 1);
  for (const key of store.entries.keys()) store.setItem(key, "{");
  assert.equal(memory.recall("graph/1"), null);
  memory.keep("graph/2", 2);
  assert.equal(memory.recall("graph/2"), 2);
});

test("a browser that stores nothing is no error", () => {
  const full = new Store();
  full.setItem = () => {
    throw new Error("QuotaExceededError");
  };
  for (const store of [null, full]) {
    const memory = new Memory(store);
    memory.keep("graph/1", 1);
    assert.equal(memory.recall("graph/1"), null);
  }
});
