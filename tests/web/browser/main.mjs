// @ts-check
/** node main.mjs SCENARIO OPTIONS: plays a scenario and prints what it found as JSON, on the last line. */

import { inComfyUI } from "./session.mjs";

const [scenario, options] = process.argv.slice(2);
const { play } = await import(`./${scenario}.mjs`);
const settings = JSON.parse(options);
console.log(JSON.stringify(await inComfyUI(settings, (page) => play(page, settings))));
