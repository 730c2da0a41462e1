// @ts-check
/** Building DOM elements. */

/**
 * An element with attributes, listeners (names that start with "on") and children.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) made.style.setProperty(name, value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

const ICONS = {
  closer: "M6.5 1.5a5 5 0 1 0 0 10a5 5 0 1 0 0-10ZM10.2 10.2L14.5 14.5M4.3 6.5H8.7M6.5 4.3V8.7",
  farther: "M6.5 1.5a5 5 0 1 0 0 10a5 5 0 1 0 0-10ZM10.2 10.2L14.5 14.5M4.3 6.5H8.7",
  pencil: "M2.5 13.5L3.3 10.3L11 2.6L13.4 5L5.7 12.7ZM9.4 4.2L11.8 6.6",
  eraser: "M6 13L2.5 9.5L9 3L13.5 7.5L8 13ZM5.7 6.3L10.3 10.8M6 13.5H14",
  undo: "M5.5 3L2.5 6L5.5 9M2.5 6H10A3.6 3.6 0 0 1 10 13.2H6",
  reset: "M2.5 4H13.5M6 4V2.3H10V4M4 4L4.7 13.7H11.3L12 4M6.7 6.7V11M9.3 6.7V11",
  done: "M2.5 8.5L6.2 12.2L13.5 4",
  contrast: "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13ZM8 1.5V14.5M8 4H12.5M8 6.7H14M8 9.4H14M8 12H12.5",
};

/**
 * A small line drawing in the colour of the text.
 * @param {keyof typeof ICONS} name
 */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("viewBox", "0 0 16 16");
  drawing.setAttribute("class", "consistentid-icon");
  drawing.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", ICONS[name]);
  drawing.append(path);
  return drawing;
}

/** Load the widgets' style sheet, once per page. */
export function loadStyles() {
  const href = new URL("../../css/consistentid.css", import.meta.url).href;
  if (!document.querySelector(`link[href="${href}"]`)) {
    document.head.append(element("link", { rel: "stylesheet", href }));
  }
}

/**
 * Load a picture completely; rejects if it cannot be shown.
 * @param {string} url
 */
export async function loadPicture(url) {
  const picture = new Image();
  picture.src = url;
  await picture.decode();
  return picture;
}
