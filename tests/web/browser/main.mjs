// @ts-check
/**
 * node main.mjs CHROMIUM: plays a scenario for each line of its input, `{ scenario, options }`, and answers each with a
 * line: `{ found }`, or `{ error }` if the scenario came to no end.
 */

import { createInterface } from "node:readline";

import { Session } from "./session.mjs";

const session = await Session.begin(process.argv[2]);
for await (const line of createInterface({ input: process.stdin })) {
  const { scenario, options } = JSON.parse(line);
  /** @type {{ found?: object, error?: string }} */
  const answer = {};
  try {
    const { play } = await import(`./${scenario}.mjs`);
    answer.found = await session.play(options, (page) => play(page, options));
  } catch (error) {
    answer.error = error instanceof Error ? error.stack : String(error);
  }
  console.log(JSON.stringify(answer));
}
await session.end();
