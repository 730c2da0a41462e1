// @ts-check
/** Drawing strokes of the brush as `consistentid_core/faces/brush.py` does. */

/** A painted mask has this many pixels on its longer side. */
const SIDE = 768;

/**
 * A part's mask with strokes, in grey, as large as pictures are shown.
 * @param {HTMLImageElement | null} base the mask without them; null for a part that was not found
 * @param {import("../lib/brush_data.js").Stroke[]} strokes
 * @param {{ width: number, height: number }} photo its size
 */
export function paintedMask(base, strokes, photo) {
  const scale = Math.min(1, SIDE / Math.max(photo.width, photo.height));
  const width = Math.max(1, Math.round(photo.width * scale));
  const height = Math.max(1, Math.round(photo.height * scale));
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const target = context(canvas);
  target.fillStyle = "#000";
  target.fillRect(0, 0, width, height);
  if (base) target.drawImage(base, 0, 0, width, height);
  for (const { adds, radius, points } of strokes) {
    const pixels = points.map((value, index) => value * (index % 2 === 0 ? width : height));
    drawStroke(target, pixels, radius * Math.max(width, height), adds ? "#fff" : "#000");
  }
  // Masks are pictures elsewhere, which have their size under another name.
  return Object.assign(canvas, { naturalWidth: width, naturalHeight: height });
}

/**
 * A line with round ends and corners.
 * @param {CanvasRenderingContext2D} target
 * @param {number[]} points x and y in turn, in pixels
 * @param {number} radius in pixels
 * @param {string} colour
 */
export function drawStroke(target, points, radius, colour) {
  target.strokeStyle = colour;
  target.lineWidth = Math.max(1, 2 * radius);
  target.lineCap = "round";
  target.lineJoin = "round";
  target.beginPath();
  target.moveTo(points[0], points[1]);
  // A line to its own beginning is a dot.
  for (let index = points.length > 2 ? 2 : 0; index < points.length; index += 2) {
    target.lineTo(points[index], points[index + 1]);
  }
  target.stroke();
}

/** @param {HTMLCanvasElement} canvas */
export function context(canvas) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}
