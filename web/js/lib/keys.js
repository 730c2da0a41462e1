// @ts-check
/** Moving through a row of buttons with the keyboard. */

/**
 * The place after a step through a ring of places, for arrow keys, Home and End; null for other keys.
 * @param {string} key
 * @param {number} index
 * @param {number} count
 */
export function stepByKey(key, index, count) {
  if (key === "ArrowRight" || key === "ArrowDown") return (index + 1) % count;
  if (key === "ArrowLeft" || key === "ArrowUp") return (index + count - 1) % count;
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  return null;
}
