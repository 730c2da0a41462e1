import assert from "node:assert/strict";
import { test } from "node:test";

import { onPage, textOf } from "./page.mjs";
import { PromptView } from "../../../web/js/dom/prompt_view.js";

const CARRIES = { label: "Eyes", colour: "#ffda48", isOther: false };
const PROMPT = {
  pieces: [
    { text: "two ", carries: null },
    { text: "eyes", carries: CARRIES },
    { text: ", two ", carries: null },
    { text: "ears", carries: { ...CARRIES, isOther: true } },
  ],
  notes: ["Cut."],
  crops: [{ label: "Eyes", colour: "#ffda48", file: { filename: "eyes.png", subfolder: "", type: "temp" } }],
};

const viewOf = () => onPage(new PromptView(({ filename }) => filename));

/** @param {PromptView} view */
const isShown = (view) => !view.root.classList.contains("consistentid-empty");

test("before the first run it says what to do", () => {
  const view = viewOf();
  assert.ok(!isShown(view));
  assert.match(textOf(view.root, ".consistentid-message"), /^Run the workflow/);
});

test("the words that carry a part are marked, with the part where it is another one", () => {
  const view = viewOf();
  view.show(PROMPT);
  assert.ok(isShown(view));
  assert.equal(view.words.textContent, "two eyes, two ears ← Eyes");
  assert.deepEqual([...view.words.querySelectorAll("mark")].map((mark) => mark.title), [
    "Carries this part of the face: Eyes",
    "Carries this part of the face: Eyes",
  ]);
});

test("notes and crops are those of the last run alone", () => {
  const view = viewOf();
  view.show(PROMPT);
  assert.deepEqual([view.notes.textContent, view.crops.textContent], ["Cut.", "Eyes"]);
  view.show({ ...PROMPT, notes: [], crops: [] });
  assert.deepEqual([view.notes.children.length, view.crops.children.length], [0, 0]);
});

test("a prompt is text, whatever is in it", () => {
  const view = viewOf();
  view.show({ ...PROMPT, pieces: [{ text: "<b>bold</b>", carries: null }] });
  assert.equal(view.words.textContent, "<b>bold</b>");
  assert.equal(view.words.querySelector("b"), null);
});

test("a crop whose file is gone is left out", () => {
  const view = viewOf();
  view.show(PROMPT);
  const crop = /** @type {HTMLElement} */ (view.crops.querySelector("img"));
  crop.dispatchEvent(new window.Event("error"));
  assert.equal(view.crops.children.length, 0);
});

test("an error takes the prompt's place until it is taken back", () => {
  const view = viewOf();
  view.show(PROMPT);
  view.fail("Too long.");
  assert.deepEqual([isShown(view), textOf(view.root, ".consistentid-message")], [false, "Too long."]);
  view.fail("");
  assert.ok(isShown(view));
});
