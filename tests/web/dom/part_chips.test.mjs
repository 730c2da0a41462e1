import assert from "node:assert/strict";
import { test } from "node:test";

import { onPage, press } from "./page.mjs";
import { PartChips } from "../../../web/js/dom/part_chips.js";

/** @typedef {import("../../../web/js/dom/part_chips.js").Chip} Chip */

/** @param {string} region @param {Partial<Chip>} [more] @returns {Chip} */
const chip = (region, more) => ({
  region,
  colour: "#6e78ff",
  name: region,
  detail: "3%",
  title: "",
  pictureUrl: null,
  isOn: true,
  isDisabled: false,
  isMissing: false,
  ...more,
});

/** @param {Chip[]} chips */
function rowOf(...chips) {
  /** @type {[string, number][]} */
  const told = [];
  const row = onPage(
    new PartChips({ click: (index) => told.push(["click", index]), point: (index) => told.push(["point", index]) }),
  );
  row.render(chips);
  const buttons = /** @type {HTMLElement[]} */ ([...row.root.children]);
  return { row, told, buttons };
}

test("a chip says its part, what there is about it and whether it is on", () => {
  const { buttons } = rowOf(chip("nose", { detail: "0.3%", isOn: false, isDisabled: true, title: "Why" }));
  const [button] = buttons;
  assert.equal(button.textContent, "nose 0.3%");
  assert.equal(button.title, "Why");
  assert.deepEqual(
    ["aria-checked", "aria-disabled"].map((name) => button.getAttribute(name)),
    ["false", "true"],
  );
});

test("there are as many chips as parts, however many there were", () => {
  const { row } = rowOf(chip("face"), chip("eyes"), chip("ears"));
  row.render([chip("hair")]);
  assert.deepEqual([...row.root.children].map((button) => button.textContent), ["hair 3%"]);
  row.render([chip("face"), chip("eyes")]);
  assert.equal(row.root.children.length, 2);
});

test("a chip that is shown anew stays the same element, and keeps the focus", () => {
  const { row, buttons } = rowOf(chip("face"), chip("eyes"));
  buttons[1].focus();
  row.render([chip("face"), chip("eyes", { isOn: false })]);
  assert.equal(document.activeElement, buttons[1]);
  assert.deepEqual(buttons.map(({ tabIndex }) => tabIndex), [-1, 0]);
});

test("a close-up takes the place of the colour", () => {
  const { row, buttons } = rowOf(chip("nose", { pictureUrl: "/view?filename=nose.jpg" }));
  const dot = /** @type {HTMLElement} */ (buttons[0].firstElementChild);
  assert.match(dot.style.backgroundImage, /nose\.jpg/);
  row.render([chip("nose")]);
  assert.equal(dot.style.backgroundImage, "");
});

test("a click and a focus are told with the chip's place", () => {
  const { told, buttons } = rowOf(chip("face"), chip("eyes"));
  buttons[1].click();
  buttons[1].focus();
  buttons[1].blur();
  assert.deepEqual(told, [["click", 1], ["point", 1], ["point", -1]]);
});

test("arrow keys lead around, and only the chip they end at is a stop of the tab key", () => {
  const { buttons } = rowOf(chip("face"), chip("eyes"), chip("ears"));
  buttons[0].focus();
  press("ArrowLeft");
  assert.equal(document.activeElement, buttons[2]);
  press("ArrowRight");
  press("ArrowRight");
  assert.equal(document.activeElement, buttons[1]);
  assert.deepEqual(buttons.map(({ tabIndex }) => tabIndex), [-1, 0, -1]);
});

test("one chip at most is highlighted", () => {
  const { row, buttons } = rowOf(chip("face"), chip("eyes"));
  const lit = () => buttons.map((button) => button.classList.contains("consistentid-highlighted"));
  row.highlight(1);
  assert.deepEqual(lit(), [false, true]);
  row.highlight(-1);
  assert.deepEqual(lit(), [false, false]);
});
