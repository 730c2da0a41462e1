// @ts-check
/** The photos of a result and the one of them that is shown. */

import { text } from "../lib/texts.js";
import { loadPicture } from "./element.js";

/**
 * A photo is shown once its pictures are loaded; until then the one before it stays, with everything about it.
 *
 * @template {{ total: number }} Photo
 */
export class Pages {
  /**
   * @param {(photo: Photo) => (string | null)[]} urlsOf the addresses of a photo's pictures; null for one it has not
   * @param {() => void} changed another photo is shown
   */
  constructor(urlsOf, changed) {
    this.urlsOf = urlsOf;
    this.changed = changed;
    /** @type {Photo[]} */
    this.photos = [];
    /** The place of the photo that was asked for. */
    this.page = 0;
    /** @type {Photo | undefined} */
    this.shown = undefined;
    /** Its pictures, as `urlsOf` names them. @type {any[]} */
    this.pictures = [];
    /** Whether its files are no longer there. */
    this.isGone = false;
    /** Counts what was asked for: pictures that arrive late are not shown. */
    this.requests = 0;
  }

  /** @param {Photo[]} photos of a new result; the page stays, if there still is one */
  show(photos) {
    this.photos = photos;
    return this.turnTo(Math.min(this.page, Math.max(0, photos.length - 1)));
  }

  /** @param {number} page */
  async turnTo(page) {
    this.page = page;
    const request = ++this.requests;
    const photo = this.photos.at(page);
    /** @type {any[] | null} */
    let pictures = null;
    try {
      pictures = await Promise.all((photo ? this.urlsOf(photo) : []).map((url) => url && loadPicture(url)));
    } catch {
      // Told by isGone.
    }
    if (request !== this.requests) return;
    this.shown = photo;
    this.pictures = pictures ?? [];
    this.isGone = pictures === null;
    this.changed();
  }

  /** What to say on the last page if it is not the last photo; otherwise "". */
  get limit() {
    const { length } = this.photos;
    if (!this.shown || this.shown.total <= length || this.page !== length - 1) return "";
    return text("firstOfMany", { shown: length, total: this.shown.total });
  }
}
