// @ts-check
/** The person that a node loads: picture, name, what the file holds; a click opens the list of all. */

import { describe, unknownPerson } from "../lib/people_data.js";
import { text } from "../lib/texts.js";
import { element } from "./element.js";
import { faceOf } from "./person_face.js";

export class PersonView {
  /** @param {{ open: () => void }} told */
  constructor(told) {
    this.face = element("span", { class: "consistentid-portrait" });
    this.title = element("strong");
    this.what = element("small");
    this.button = element(
      "button",
      { type: "button", class: "consistentid-person consistentid-current", onclick: () => told.open() },
      this.face,
      element("span", {}, this.title, this.what),
      element("em", {}, text("peopleChoose")),
    );
    this.root = element("div", { class: "consistentid-view" }, this.button);
  }

  /**
   * @param {string} file that the node names
   * @param {import("../lib/people_data.js").Person[]} people
   */
  show(file, people) {
    const person = people.find((one) => one.file === file) ?? unknownPerson(file);
    this.face.replaceChildren(faceOf(person));
    this.title.textContent = person.title;
    this.what.textContent = person.caption || describe(person);
    this.button.title = [file, describe(person), person.caption].filter(Boolean).join("\n");
  }
}
