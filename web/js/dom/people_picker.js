// @ts-check
/** A window with the faces of all saved people: search, folders, and a card for each to choose. */

import { stepByKey } from "../lib/keys.js";
import { describe, findPeople, foldersOf } from "../lib/people_data.js";
import { text } from "../lib/texts.js";
import { element } from "./element.js";
import { faceOf } from "./person_face.js";

/** @typedef {import("../lib/people_data.js").Person} Person */

export class PeoplePicker {
  /** @param {{ choose: (file: string) => void }} told */
  constructor(told) {
    this.told = told;
    /** @type {Person[]} */
    this.people = [];
    this.chosen = "";
    this.search = element("input", {
      type: "search",
      placeholder: text("peopleSearch"),
      "aria-label": text("peopleSearch"),
      autocomplete: "off",
      oninput: () => this.#render(),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.#fromSearch(event),
    });
    this.folder = element("select", { "aria-label": text("peopleFolders"), onchange: () => this.#render() });
    this.cards = element("div", {
      class: "consistentid-people",
      role: "listbox",
      "aria-label": text("people"),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.#moveFocus(event),
    });
    this.line = element("div", { class: "consistentid-line", role: "status" });
    const close = element(
      "button",
      { type: "button", class: "consistentid-close", "aria-label": text("close"), title: text("close"), onclick: () => this.root.close() },
      "×",
    );
    this.root = element(
      "dialog",
      {
        class: "consistentid-view consistentid-dialog",
        "aria-label": text("people"),
        // The dialog itself is what is hit beside its contents.
        onclick: (/** @type {MouseEvent} */ event) => event.target === this.root && this.root.close(),
        onkeydown: (/** @type {KeyboardEvent} */ event) => event.stopPropagation(), // the canvas has keys of its own
        onclose: () => this.root.remove(),
      },
      element(
        "div",
        { class: "consistentid-dialog-body" },
        element("div", { class: "consistentid-dialog-head" }, this.search, this.folder, close),
        this.cards,
        this.line,
      ),
    );
  }

  /**
   * @param {Person[]} people
   * @param {string} chosen the file that the node names
   * @param {string} [problem] why there is no list
   */
  open(people, chosen, problem = "") {
    this.people = people;
    this.chosen = chosen;
    this.problem = problem;
    this.search.value = "";
    const folders = foldersOf(people);
    this.folder.replaceChildren(
      element("option", { value: "" }, text("peopleAllFolders")),
      ...folders.map((folder) => element("option", { value: folder }, folder)),
    );
    this.folder.hidden = folders.length === 0;
    this.#render();
    if (!this.root.open) {
      document.body.append(this.root);
      this.root.showModal();
    }
    this.search.focus();
    this.#cards.find((card) => card.getAttribute("aria-selected") === "true")?.scrollIntoView?.({ block: "nearest" });
  }

  get #cards() {
    return /** @type {HTMLElement[]} */ ([...this.cards.children]);
  }

  #render() {
    const found = findPeople(this.people, { words: this.search.value, folder: this.folder.value });
    this.cards.replaceChildren(...found.map((person) => this.#card(person)));
    const stop = this.#cards.find((card) => card.getAttribute("aria-selected") === "true") ?? this.#cards[0];
    for (const card of this.#cards) card.tabIndex = card === stop ? 0 : -1;
    this.line.textContent =
      this.problem || text(this.people.length === 0 ? "peopleNone" : "peopleFound", { found: found.length, all: this.people.length });
  }

  /** @param {Person} person */
  #card(person) {
    const what = describe(person);
    return element(
      "button",
      {
        type: "button",
        class: "consistentid-person",
        role: "option",
        "aria-selected": person.file === this.chosen,
        "aria-disabled": person.problem !== "" || null,
        title: [person.file, person.caption].filter(Boolean).join("\n"),
        onclick: () => this.#choose(person),
      },
      faceOf(person),
      element("strong", {}, person.title),
      element("small", {}, what),
    );
  }

  /** @param {Person} person */
  #choose(person) {
    if (person.problem) return;
    this.root.close();
    this.told.choose(person.file);
  }

  /** Down leads to the cards, enter takes the first. @param {KeyboardEvent} event */
  #fromSearch(event) {
    const [first] = this.#cards;
    if (event.key === "ArrowDown") this.#cards.find((card) => card.tabIndex === 0)?.focus();
    else if (event.key === "Enter") first?.click();
    else return;
    event.preventDefault();
  }

  /** @param {KeyboardEvent} event */
  #moveFocus(event) {
    const cards = this.#cards;
    const focused = cards.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (focused < 0) return;
    const next = vertical(event.key, focused, cards) ?? stepByKey(event.key, focused, cards.length);
    if (next === null) return;
    event.preventDefault();
    for (const card of cards) card.tabIndex = card === cards[next] ? 0 : -1;
    cards[next].focus();
  }
}

/**
 * Up and down go by rows; null for other keys, and at the ends.
 * @param {string} key
 * @param {number} index
 * @param {HTMLElement[]} cards
 */
function vertical(key, index, cards) {
  if (key !== "ArrowUp" && key !== "ArrowDown") return null;
  const columns = cards.findIndex((card) => card.offsetTop > cards[0].offsetTop);
  const next = index + (key === "ArrowDown" ? 1 : -1) * (columns < 1 ? cards.length : columns);
  return Math.min(Math.max(next, 0), cards.length - 1);
}
