// @ts-check
/** Rectangles, and where a pointer is in a picture that is fitted into a box. */

/** @typedef {{ left: number, top: number, width: number, height: number }} Box */

/** Room around a face, as a share of its larger side. */
const MARGIN = 0.3;
/** Width to height of a close look; about that of the space for it in a node. */
const ASPECT = 1.25;
/** A face that takes more of a photo's side than this is not zoomed in on. */
const LARGE = 0.75;

/**
 * The box of all pixels that are set in any of several masks of one size; null if there is none.
 * @param {readonly { data: ArrayLike<number>, width: number }[]} masks `data` is one value per pixel, set from 128
 * @returns {Box | null} in pixels
 */
export function boundsOf(masks) {
  let [left, top, right, bottom] = [Infinity, Infinity, -1, -1];
  for (const { data, width } of masks) {
    for (let pixel = 0; pixel < data.length; pixel++) {
      if (data[pixel] < 128) continue;
      const column = pixel % width;
      const row = (pixel - column) / width;
      if (column < left) left = column;
      if (column > right) right = column;
      if (row < top) top = row;
      if (row > bottom) bottom = row;
    }
  }
  return right < 0 ? null : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/**
 * What to show of a picture to see a face in it well: the face and some room, moved or cut where the picture ends.
 * @param {Box | null} face
 * @param {number} width of the picture
 * @param {number} height
 * @returns {Box} the whole picture if that shows the face as well
 */
export function closeUp(face, width, height) {
  const whole = { left: 0, top: 0, width, height };
  if (!face) return whole;
  const side = Math.max(face.width, face.height) * (1 + 2 * MARGIN);
  if (side > LARGE * Math.max(width, height)) return whole;
  const size = { width: Math.min(side * ASPECT, width), height: Math.min(side, height) };
  return {
    left: clamp(face.left + face.width / 2 - size.width / 2, 0, width - size.width),
    top: clamp(face.top + face.height / 2 - size.height / 2, 0, height - size.height),
    ...size,
  };
}

/**
 * @param {Box} box on screen, any zoom
 * @param {number} width of the picture fitted into it, any unit, as with `object-fit: contain`
 * @param {number} height
 * @param {number} x of the pointer on screen
 * @param {number} y
 * @returns {{ x: number, y: number } | null} 0..1 from the picture's left and top edge; null beside the picture
 */
export function pointInPicture(box, width, height, x, y) {
  const point = placeInPicture(box, width, height, x, y);
  return point.x >= 0 && point.x < 1 && point.y >= 0 && point.y < 1 ? point : null;
}

/**
 * The same beside the picture too: below 0 or above 1 then; not a number while nothing is shown.
 * @param {Box} box
 * @param {number} width
 * @param {number} height
 * @param {number} x
 * @param {number} y
 * @returns {{ x: number, y: number }}
 */
export function placeInPicture(box, width, height, x, y) {
  const scale = Math.min(box.width / width, box.height / height);
  if (!(scale > 0)) return { x: NaN, y: NaN };
  const left = box.left + (box.width - width * scale) / 2;
  const top = box.top + (box.height - height * scale) / 2;
  return { x: (x - left) / (width * scale), y: (y - top) / (height * scale) };
}

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
