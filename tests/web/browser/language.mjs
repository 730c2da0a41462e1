// @ts-check
/** The widget in another language. */

import { PARTS, read, shown, workflow } from "./parts_page.mjs";
import { load, look, run } from "./session.mjs";

/** @param {import("playwright-core").Page} page */
export async function play(page) {
  await load(page, workflow());
  await look(page, PARTS);
  const before = await read(page);
  await run(page);
  await shown(page);
  return { before, after: await read(page) };
}
