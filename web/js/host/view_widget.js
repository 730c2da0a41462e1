// @ts-check
/** Putting a view into a node, in the classic canvas as well as in Nodes 2.0. */

import { app } from "../../../../scripts/app.js";
import { loadStyles } from "../dom/element.js";
import { locatorOf } from "../lib/nodes.js";

/** No core widget has this type: Nodes 2.0 then shows the element as it is. */
const WIDGET_TYPE = "CONSISTENTID_VIEW";

/** Around a view in the classic canvas, where it counts as part of the widget's height. */
const MARGIN = 8;

const MIDDLE_BUTTON = 1;
const MIDDLE_BUTTON_HELD = 4;

/** The height that each view asks for. @type {WeakMap<HTMLElement, number>} */
const heights = new WeakMap();

const FOCUSABLE = "button, input, canvas, [tabindex]";
/** So many milliseconds a new view has for its pictures. */
const FOCUS_WAIT = 2000;

/** What has the focus in a view, or had it until it was taken off the page. @type {{ root: HTMLElement, part: Element } | null} */
let focused = null;

let isListening = false;

/** The latest view of each node, by the node's place. @type {Map<string, WeakRef<HTMLElement>>} */
const roots = new Map();

/**
 * Add a view below a node's widgets. It is not saved in the workflow and no input of the node.
 * @param {HostNode} node
 * @param {string} name
 * @param {HTMLElement} root
 * @param {{ minWidth: number, minHeight: number, isFixed?: boolean }} size of the node's width and the view's height;
 *   isFixed: what room there is more is for other views
 * @returns the widget
 */
export function addView(node, name, root, { minWidth, minHeight, isFixed = false }) {
  loadStyles();
  heights.set(root, minHeight);
  root.style.setProperty("--min-height", `${minHeight}px`);
  const outer = () => (heights.get(root) ?? minHeight) + 2 * MARGIN;
  const widget = node.addDOMWidget(name, WIDGET_TYPE, root, {
    serialize: false,
    hideOnZoom: false,
    margin: MARGIN,
    getMinHeight: outer,
    ...(isFixed ? { getMaxHeight: outer } : {}),
  });
  widget.serialize = false;
  passThrough(root);
  followFocus(root);
  takeOver(node, name, root);
  const [width, height] = node.computeSize();
  node.setSize([Math.max(minWidth, width), Math.max(node.size[1], height)]);
  return widget;
}

/**
 * Give a view another height; the node grows if it must, and never shrinks.
 * @param {HostNode} node
 * @param {HTMLElement} root
 * @param {number} minHeight
 */
export function setViewHeight(node, root, minHeight) {
  if (heights.get(root) === minHeight) return;
  heights.set(root, minHeight);
  root.style.setProperty("--min-height", `${minHeight}px`);
  const [width, height] = node.computeSize();
  node.setSize([Math.max(node.size[0], width), Math.max(node.size[1], height)]);
  app.canvas.setDirty(true, true);
}

/**
 * The scripts of the pack come in any order, and so would the views of a node.
 * @param {HostNode} node
 * @param {string} name of the widget to move
 * @param {string} before which, if it is there already
 */
export function putBefore(node, name, before) {
  const widgets = node.widgets ?? [];
  const [from, to] = [name, before].map((one) => widgets.findIndex((widget) => widget.name === one));
  if (to >= 0 && to < from) widgets.splice(to, 0, ...widgets.splice(from, 1));
}

/**
 * Take the place of the view that the node had before. Undoing makes all nodes anew, but Nodes 2.0 go on showing the
 * element of a widget whose node and name stay the same.
 * @param {HostNode} node
 * @param {string} name
 * @param {HTMLElement} root
 */
function takeOver(node, name, root) {
  const onAdded = node.onAdded;
  node.onAdded = function (graph) {
    onAdded?.call(this, graph);
    const place = `${app.rootGraph?.id}/${locatorOf(node)}/${name}`;
    const before = roots.get(place)?.deref();
    if (before && before !== root) giveFocus(before, root);
    if (before && before !== root && isInNodes2(before)) before.replaceWith(root);
    roots.set(place, new WeakRef(root));
  };
}

/**
 * Remember what has the focus in a view, until the user goes elsewhere.
 * @param {HTMLElement} root
 */
function followFocus(root) {
  root.addEventListener("focusin", (event) => (focused = { root, part: /** @type {Element} */ (event.target) }));
  if (isListening) return;
  isListening = true;
  for (const type of ["pointerdown", "focusin"]) {
    document.addEventListener(
      type,
      ({ target }) => {
        if (!focused?.root.contains(/** @type {Node} */ (target))) focused = null;
      },
      { capture: true },
    );
  }
}

/**
 * Let what had the focus in the view before have it in the new one, as soon as it is there: who undoes with the keyboard
 * goes on with the keyboard.
 * @param {HTMLElement} before
 * @param {HTMLElement} root
 */
function giveFocus(before, root) {
  if (focused?.root !== before) return;
  const place = placeOf(focused.part);
  const end = Date.now() + FOCUS_WAIT;
  const look = () => {
    const alike = [...root.querySelectorAll(FOCUSABLE)].find((one) => placeOf(one) === place);
    const isFree = !document.activeElement || document.activeElement === document.body || !document.activeElement.isConnected;
    if (alike && alike.getClientRects().length > 0) {
      if (isFree) /** @type {HTMLElement} */ (alike).focus({ preventScroll: true });
    } else if (Date.now() < end) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

/** What tells elements of a view apart that come again in the next. @param {Element} element */
function placeOf(element) {
  const chip = element.closest(".consistentid-chip-group")?.firstElementChild ?? element;
  return [element.tagName, element.classList[0], /** @type {HTMLElement} */ (chip).dataset.region, element.getAttribute("aria-label")].join("|");
}

/**
 * Leave zooming and panning to the canvas while the pointer is over a view.
 * @param {HTMLElement} root
 */
function passThrough(root) {
  root.addEventListener(
    "wheel",
    (event) => {
      if (!isInNodes2(root) && !scrolls(event)) app.canvas.processMouseWheel(event);
    },
    { passive: false },
  );
  root.addEventListener("pointerdown", (event) => {
    if (event.button === MIDDLE_BUTTON) app.canvas.processMouseDown(event);
  });
  root.addEventListener("pointermove", (event) => {
    if ((event.buttons & MIDDLE_BUTTON_HELD) === MIDDLE_BUTTON_HELD) app.canvas.processMouseMove(event);
  });
  root.addEventListener("pointerup", (event) => {
    if (event.button === MIDDLE_BUTTON) app.canvas.processMouseUp(event);
  });
  // Space and arrow keys are for the view's buttons, not for panning the canvas.
  root.addEventListener("keydown", (event) => {
    const isForCanvas = event.ctrlKey || event.metaKey || event.altKey;
    if (!isForCanvas && /^( |Enter|Arrow.*|Home|End)$/.test(event.key)) event.stopPropagation();
  });
}

/** Whether the wheel is for a text that has been clicked, as in Nodes 2.0. @param {WheelEvent} event */
function scrolls(event) {
  const area = /** @type {Element} */ (event.target).closest("[data-capture-wheel]");
  return area?.contains(document.activeElement) ?? false;
}

/** Nodes 2.0 pass the wheel on by themselves. @param {HTMLElement} root */
function isInNodes2(root) {
  return root.closest(".lg-node") !== null;
}
