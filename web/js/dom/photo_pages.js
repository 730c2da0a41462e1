// @ts-check
/** What views of several photos show alike: pages, a line below, a message where there is no photo. */

/**
 * @typedef {{
 *   root: HTMLElement, stage: HTMLElement, message: HTMLElement, line: HTMLElement, pager: import("./pager.js").Pager,
 *   pages: import("./pages.js").Pages<any>, error: string,
 * }} View error: why there is no new result; "" if there is one.
 */

/**
 * Everything but the photo itself.
 * @param {View} view
 * @param {string} sentence on what is shown, or why nothing is
 * @param {string} beforeRun what stands there before the first run
 * @returns {boolean} whether there is a photo to show
 */
export function renderPage({ root, stage, message, line, pager, pages, error }, sentence, beforeRun) {
  const { shown, isGone, page, photos } = pages;
  const isShown = shown !== undefined && !isGone;
  root.classList.toggle("consistentid-empty", !isShown);
  stage.classList.toggle("consistentid-stale", error !== "");
  pager.render(page, photos.length, shown?.total ?? 0);
  message.textContent = isShown ? "" : sentence || beforeRun;
  line.textContent = isShown ? sentence : "";
  line.hidden = line.textContent === "";
  for (const place of [line, message]) place.classList.toggle("consistentid-error", error !== "");
  return isShown;
}

/**
 * The photo of this page in its frame, which takes its shape.
 * @param {{ frame: HTMLElement, picture: HTMLImageElement, pages: import("./pages.js").Pages<any> }} view
 */
export function renderPicture({ frame, picture, pages }) {
  const [loaded] = pages.pictures;
  if (!loaded) return;
  picture.src = loaded.src;
  frame.style.setProperty("--ratio", String(loaded.naturalWidth / loaded.naturalHeight));
}
