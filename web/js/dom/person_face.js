// @ts-check
/** A person's picture, or the first letter of the name where there is none. */

import { text } from "../lib/texts.js";
import { element } from "./element.js";

/** @param {import("../lib/people_data.js").Person} person */
export function faceOf({ pictureUrl, title, files }) {
  const letter = element("span", { class: "consistentid-letter", "aria-hidden": "true" }, files > 0 ? "∗" : letterOf(title));
  if (!pictureUrl) return letter;
  const picture = element("img", { src: pictureUrl, alt: "", loading: "lazy", draggable: "false" });
  picture.addEventListener("error", () => {
    letter.title = text("peoplePictureDamaged");
    picture.replaceWith(letter);
  });
  return picture;
}

/** @param {string} title */
function letterOf(title) {
  return ([...title.trim()][0] ?? "?").toUpperCase();
}
