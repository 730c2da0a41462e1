import assert from "node:assert/strict";
import { test } from "node:test";

import { onPage, press } from "./page.mjs";
import { CropWindow } from "../../../web/js/dom/crop_window.js";
import { PromptView } from "../../../web/js/dom/prompt_view.js";

const file = (/** @type {string} */ filename) => ({ filename, subfolder: "", type: "temp" });
const PROMPT = {
  pieces: [],
  notes: [],
  photo: file("photo.jpg"),
  crops: ["Face", "Eyes"].map((label) => ({ label, colour: "#ffda48", file: file(`${label}.png`) })),
};

const dialog = () => /** @type {HTMLDialogElement} */ (document.querySelector("dialog"));
const pictures = () => [...dialog().querySelectorAll("img")].map((picture) => picture.getAttribute("src"));

/** @param {string | null} portrait */
function open(portrait) {
  const view = onPage(new PromptView(({ filename }) => filename, () => portrait));
  view.show(PROMPT);
  /** @type {HTMLElement} */ (view.crops.querySelectorAll("button")[1]).click();
}

test("a click on a crop shows it large, with the photo beside the portrait", () => {
  open("portrait.png");
  assert.deepEqual(pictures(), ["Eyes.png", "photo.jpg", "portrait.png"]);
  assert.equal(dialog().querySelector("strong")?.textContent, "Eyes");
});

test("the slider cuts the portrait", () => {
  open("portrait.png");
  const slider = /** @type {HTMLInputElement} */ (dialog().querySelector("input"));
  slider.value = "30";
  slider.dispatchEvent(new window.Event("input"));
  const portrait = /** @type {HTMLElement} */ (dialog().querySelectorAll("img")[2]);
  assert.equal(portrait.style.getPropertyValue("clip-path"), "inset(0 0 0 30%)");
});

test("without a portrait nothing is compared", () => {
  open(null);
  assert.ok(/** @type {HTMLElement} */ (dialog().querySelector(".consistentid-comparison")).hidden);
});

test("arrow keys lead from part to part and around", () => {
  open(null);
  press("ArrowRight");
  assert.equal(dialog().querySelector("strong")?.textContent, "Face");
  press("ArrowLeft");
  assert.equal(dialog().querySelector("strong")?.textContent, "Eyes");
});

test("it is gone once it is closed", () => {
  const crops = new CropWindow();
  crops.open([{ label: "Face", colour: "#fff", url: "a" }], 0, { photo: null, portrait: null });
  crops.root.close();
  assert.equal(crops.root.isConnected, false);
});
