// @ts-check
/** Which part of a face lies topmost at each pixel. Parts may overlap: the face's mask covers eyes, nose and mouth. */

/** At this grey value and above, a pixel belongs to a mask. */
const INSIDE = 128;

export class HitMap {
  /**
   * @param {number} width
   * @param {number} height
   */
  constructor(width, height) {
    this.width = width;
    this.height = height;
    /** The part's index + 1; 0 where there is none. */
    this.tops = new Uint8Array(width * height);
  }

  /**
   * Put a part on top of those added before.
   * @param {number} index 0..254
   * @param {Uint8ClampedArray} alphas one value per pixel
   */
  add(index, alphas) {
    for (let pixel = 0; pixel < this.tops.length; pixel++) {
      if (alphas[pixel] >= INSIDE) this.tops[pixel] = index + 1;
    }
  }

  /**
   * The index of the topmost part at a point (0..1), or -1.
   * @param {{ x: number, y: number } | null} point
   */
  at(point) {
    if (!point) return -1;
    const column = Math.min(this.width - 1, Math.floor(point.x * this.width));
    const row = Math.min(this.height - 1, Math.floor(point.y * this.height));
    return this.tops[row * this.width + column] - 1;
  }
}
