import assert from "node:assert/strict";
import { test } from "node:test";

import { addNode, api, setWidget, steps } from "./comfyui.mjs";
import { press, settle } from "./page.mjs";

await import("../../../web/js/people.js");

const LIST = [
  { file: "anna.safetensors", stamp: "a", name: "Anna", caption: "red hair", photos: 2, has_parts: true, has_thumbnail: true },
  { file: "friends/bert.safetensors", stamp: "b", name: "", caption: "", photos: 1, has_parts: false, has_thumbnail: false },
  { file: "friends/odd.safetensors", problem: "This is no file of Save ID Embedding." },
  { file: "friends/*", files: 2 },
];
let answer = { ok: true, status: 200, statusText: "OK", json: async () => /** @type {any} */ (LIST) };
Object.assign(api, { fetchApi: async () => answer });

const dialog = () => /** @type {HTMLDialogElement} */ (document.querySelector("dialog"));
const cards = () => /** @type {HTMLElement[]} */ ([...dialog().querySelectorAll(".consistentid-person")]);
const titles = () => cards().map((card) => card.querySelector("strong")?.textContent);
const search = () => /** @type {HTMLInputElement} */ (dialog().querySelector("input"));

async function open(name = "anna.safetensors") {
  document.body.replaceChildren();
  const node = addNode("ConsistentIDLoadEmbedding", { name, combine: "norm mean" });
  document.body.append(node.view("person_preview"));
  await settle();
  const button = /** @type {HTMLElement} */ (node.view("person_preview").querySelector("button"));
  button.click();
  await settle();
  return node;
}

/** Windows that were opened. */
const shown = { count: 0 };
const dialogs = Object.getPrototypeOf(document.createElement("dialog"));
const { showModal } = dialogs;
dialogs.showModal = function () {
  shown.count++;
  // As browsers do, for one that was moved while it was open.
  if (this.open) throw new Error("InvalidStateError");
  showModal.call(this);
};

/** @param {string} words */
function type(words) {
  search().value = words;
  search().dispatchEvent(new window.Event("input"));
}

test("the node shows who is loaded, with what the file says", async () => {
  const node = addNode("ConsistentIDLoadEmbedding", { name: "anna.safetensors" });
  await settle();
  const view = node.view("person_preview");
  assert.match(view.textContent, /Anna.*red hair/);
  assert.match(view.querySelector("img").src, /thumbnail\?file=anna/);
  setWidget(node, "name", "friends/bert.safetensors");
  await settle();
  assert.match(view.textContent, /Bbert.*without parts/);
  assert.equal(view.querySelector("img"), null);
});

test("everybody has a card, with a face or what the file holds", async () => {
  await open();
  assert.deepEqual(titles(), ["Anna", "bert", "odd", "friends"]);
  assert.equal(cards()[0].getAttribute("aria-selected"), "true");
  assert.match(cards()[1].textContent ?? "", /of 1 photo\(s\), without parts/);
});

test("a click chooses, as one step of undo", async () => {
  const node = await open();
  const before = steps.made;
  cards()[1].click();
  assert.equal(node.value("name"), "friends/bert.safetensors");
  assert.equal(steps.made, before + 1);
  assert.equal(document.querySelector("dialog"), null);
});

test("two quick clicks open one window", async () => {
  document.body.replaceChildren();
  const node = addNode("ConsistentIDLoadEmbedding", { name: "anna.safetensors" });
  document.body.append(node.view("person_preview"));
  await settle();
  const button = /** @type {HTMLElement} */ (node.view("person_preview").querySelector("button"));
  const before = shown.count;
  button.click();
  button.click();
  await settle();
  assert.equal(shown.count, before + 1);
  type("bert");
  assert.deepEqual([document.querySelectorAll("dialog").length, titles()], [1, ["bert"]]);
  dialog().close();
});

test("a person saved since the list was made is shown", async () => {
  const node = addNode("ConsistentIDLoadEmbedding", { name: "anna.safetensors" });
  await settle();
  answer = { ...answer, json: async () => [...LIST, { ...LIST[0], file: "carla.safetensors", name: "Carla" }] };
  setWidget(node, "name", "carla.safetensors");
  await settle();
  assert.match(node.view("person_preview").textContent, /Carla/);
  answer = { ...answer, json: async () => LIST };
});

test("what is no person cannot be chosen and says why", async () => {
  const node = await open();
  cards()[2].click();
  assert.equal(node.value("name"), "anna.safetensors");
  assert.match(cards()[2].textContent ?? "", /This is no file of Save ID Embedding/);
});

test("typing searches, and enter takes the first", async () => {
  const node = await open();
  assert.equal(document.activeElement, search());
  type("friends b");
  assert.deepEqual(titles(), ["bert"]);
  assert.match(dialog().textContent ?? "", /1 of 4/);
  press("Enter");
  assert.equal(node.value("name"), "friends/bert.safetensors");
});

test("a folder shows its people alone", async () => {
  await open();
  const select = /** @type {HTMLSelectElement} */ (dialog().querySelector("select"));
  select.value = "friends";
  select.dispatchEvent(new window.Event("change"));
  assert.deepEqual(titles(), ["bert", "odd", "friends"]);
});

test("arrow keys lead from the search to the cards and around", async () => {
  await open();
  press("ArrowDown");
  assert.equal(document.activeElement, cards()[0]);
  press("ArrowRight");
  assert.equal(document.activeElement, cards()[1]);
  press("End");
  assert.equal(document.activeElement, cards()[3]);
  assert.deepEqual(cards().map((card) => card.tabIndex), [-1, -1, -1, 0]);
});

test("a picture that is damaged gives way to a letter that says so", async () => {
  await open();
  const [anna] = cards();
  anna.querySelector("img")?.dispatchEvent(new window.Event("error"));
  assert.equal(anna.querySelector("img"), null);
  assert.match(/** @type {HTMLElement} */ (anna.querySelector(".consistentid-letter")).title, /damaged/);
});

test("a server that gives no list is told, and so is an empty one", async () => {
  answer = { ...answer, json: async () => [] };
  await open();
  assert.match(dialog().textContent ?? "", /no saved people yet/);
  answer = { ...answer, ok: false, status: 500, statusText: "Broken" };
  await open();
  assert.match(dialog().textContent ?? "", /500 Broken/);
});
