// @ts-check
/** Turning the pages of a batch. */

import { text } from "../lib/texts.js";
import { element } from "./element.js";

/** Two buttons and the number of the photo; hidden for a single one. */
export class Pager {
  /** @param {(page: number) => void} turnTo */
  constructor(turnTo) {
    this.page = 0;
    this.previous = element("button", {
      type: "button",
      title: text("previousPhoto"),
      "aria-label": text("previousPhoto"),
      onclick: () => turnTo(this.page - 1),
    });
    this.next = element("button", {
      type: "button",
      title: text("nextPhoto"),
      "aria-label": text("nextPhoto"),
      onclick: () => turnTo(this.page + 1),
    });
    this.previous.textContent = "‹";
    this.next.textContent = "›";
    this.number = element("span", { "aria-live": "polite" });
    this.root = element("div", { class: "consistentid-pager" }, this.previous, this.number, this.next);
  }

  /**
   * @param {number} page from 0
   * @param {number} pages that can be turned to
   * @param {number} total photos there are
   */
  render(page, pages, total) {
    this.page = page;
    this.root.hidden = pages < 2;
    this.previous.disabled = page <= 0;
    this.next.disabled = page >= pages - 1;
    this.number.textContent = `${page + 1} / ${total}`;
    this.number.title = text("photoOf", { number: page + 1, total });
  }
}
