// @ts-check
/** A page of ComfyUI in a browser, and what the scenarios do in it. */

import { chromium } from "playwright-core";

/**
 * @typedef {import("playwright-core").Page} Page
 * @typedef {{ url: string, chromium: string, renderer: "classic" | "nodes2", palette?: "dark" | "light", locale?: string,
 *   screenshots: string | null, [more: string]: any }} Options  screenshots: the folder for pictures; null for none
 */

/** Time for a node to run that needs no model, and for one that needs CLIP. */
export const SOON = 30_000;
export const LATER = 300_000;

/** The address of the pack's scripts: what they report is a failure. */
const OURS = /extensions\/consistentid\//;

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"];
const VIEWPORT = { width: 1600, height: 1000 };

/**
 * Open ComfyUI, do some work in it, close it.
 * @param {Options} options
 * @param {(page: Page) => Promise<object>} work
 * @returns {Promise<object>} what the work found, and `problems`: errors and warnings from the pack's scripts
 */
export async function inComfyUI(options, work) {
  const session = await Session.begin(options.chromium);
  try {
    return await session.play(options, work);
  } finally {
    await session.end();
  }
}

/** A browser in which one piece of work follows the other, as far as possible on the same page. */
export class Session {
  /** @param {string} path of Chromium */
  static async begin(path) {
    return new Session(await chromium.launch({ executablePath: path, headless: true, args: FLAGS }));
  }

  /** @param {import("playwright-core").Browser} browser */
  constructor(browser) {
    this.browser = browser;
    /** @type {Page | null} */
    this.page = null;
    /** What must be the same for a page to be used again. */
    this.kind = "";
    /** @type {string[]} */
    this.problems = [];
  }

  /**
   * @param {Options} options
   * @param {(page: Page) => Promise<object>} work
   * @returns {Promise<object>} as of {@link inComfyUI}
   */
  async play(options, work) {
    this.problems = [];
    const page = await this.#pageFor(options);
    try {
      return { ...(await work(page)), problems: this.problems };
    } catch (error) {
      await this.#close(); // whatever state it is in
      throw error;
    }
  }

  end() {
    return this.browser.close();
  }

  /** @param {Options} options */
  async #pageFor({ url, renderer, palette = "dark", locale = "en" }) {
    const kind = JSON.stringify([url, renderer, palette, locale]);
    if (this.page && this.kind === kind) {
      await clear(this.page);
      return this.page;
    }
    await this.#close();
    await set(url, "Comfy.TutorialCompleted", true);
    await set(url, "Comfy.Workflow.ShowMissingModelsWarning", false);
    await set(url, "Comfy.VueNodes.Enabled", renderer === "nodes2");
    await set(url, "Comfy.ColorPalette", palette);
    await set(url, "Comfy.Locale", locale);
    const page = await this.browser.newPage({ viewport: VIEWPORT });
    page.setDefaultTimeout(SOON);
    this.#collectProblems(page);
    page.on("dialog", (dialog) => dialog.accept());
    await open(page, url);
    this.page = page;
    this.kind = kind;
    return page;
  }

  async #close() {
    await this.page?.close();
    this.page = null;
  }

  /** What goes wrong in the pack's own scripts. @param {Page} page */
  #collectProblems(page) {
    page.on("pageerror", (error) => {
      if (OURS.test(error.stack ?? "")) this.problems.push(String(error.stack));
    });
    page.on("console", (message) => {
      const isBad = message.type() === "error" || message.type() === "warning";
      if (isBad && OURS.test(`${message.location().url} ${message.text()}`)) this.problems.push(message.text());
    });
  }
}

/**
 * @param {Page} page
 * @param {string} url
 */
async function open(page, url) {
  await page.goto(url, { waitUntil: "domcontentloaded" });
  await ready(page);
  await page.keyboard.press("Escape"); // the template browser of a first visit
}

/** Make a page as good as new: nothing open, nothing remembered. @param {Page} page */
async function clear(page) {
  await page.unrouteAll();
  await page.setViewportSize(VIEWPORT);
  await page.keyboard.press("Escape");
  await page.mouse.move(2, 500);
  await page.evaluate(() => {
    for (const key of Object.keys(localStorage)) if (key.startsWith("ConsistentID.")) localStorage.removeItem(key);
  });
}

/** Wait until the page can take a workflow. @param {Page} page */
export async function ready(page) {
  await page.waitForFunction(() => /** @type {any} */ (window).app?.extensionManager?.workflow?.activeWorkflow, null, {
    timeout: 90_000,
  });
  await page.waitForFunction(() => app.isGraphReady);
}

/**
 * @param {string} url
 * @param {string} id
 * @param {unknown} value
 */
async function set(url, id, value) {
  await fetch(`${url}/api/settings/${id}`, { method: "POST", body: JSON.stringify(value) });
}

/**
 * Load a workflow in the interface's format and wait until its nodes are on the page.
 * @param {Page} page
 * @param {object} workflow
 */
export async function load(page, workflow) {
  await page.evaluate((data) => app.loadGraphData(data), workflow);
  await settle(page);
}

/** Wait until the page has drawn what it was told to. @param {Page} page */
export async function settle(page) {
  await page.evaluate(async () => {
    for (let frame = 0; frame < 3; frame++) await new Promise((resolve) => requestAnimationFrame(resolve));
  });
  await page.waitForTimeout(30);
}

/**
 * Run the workflow on the page and wait for its end.
 * @param {Page} page
 * @param {number} [timeout]
 * @returns {Promise<"execution_success" | "execution_error">}
 */
export async function run(page, timeout = SOON) {
  const ended = page.evaluate(
    (milliseconds) =>
      new Promise((resolve, reject) => {
        const ends = ["execution_success", "execution_error"];
        const listener = (/** @type {Event} */ { type }) => {
          for (const end of ends) app.api.removeEventListener(end, listener);
          resolve(type);
        };
        for (const end of ends) app.api.addEventListener(end, listener);
        setTimeout(() => reject(new Error("The workflow did not end.")), milliseconds);
        app.queuePrompt(0, 1).then(() => {
          const errors = Object.values(app.lastNodeErrors ?? {});
          if (errors.length > 0) reject(new Error(`The server refused the workflow: ${JSON.stringify(errors)}`));
        });
      }),
    timeout,
  );
  const end = await ended;
  await settle(page);
  return /** @type {any} */ (end);
}

/**
 * Bring a node to the middle of the page.
 * @param {Page} page
 * @param {number | string} id
 * @param {number} [scale]
 */
export async function look(page, id, scale = 1.25) {
  await page.evaluate(
    ({ id, scale }) => {
      const node = app.canvas.graph.getNodeById(id);
      const { width, height } = app.canvas.canvas.getBoundingClientRect();
      app.canvas.ds.scale = scale;
      app.canvas.ds.offset = [
        width / scale / 2 - node.pos[0] - node.size[0] / 2,
        height / scale / 2 - node.pos[1] - node.size[1] / 2 + 15,
      ];
      app.canvas.setDirty(true, true);
    },
    { id, scale },
  );
  await settle(page);
}

/**
 * The values of a node's widgets.
 * @param {Page} page
 * @param {number | string} id
 * @returns {Promise<Record<string, any>>}
 */
export function values(page, id) {
  return page.evaluate((id) => {
    const widgets = app.canvas.graph.getNodeById(id).widgets;
    return Object.fromEntries(
      widgets.filter((/** @type {any} */ widget) => widget.name).map((/** @type {any} */ widget) => [widget.name, widget.value]),
    );
  }, id);
}

/**
 * A picture of a node with a little room around it, if pictures are wanted.
 * @param {Page} page
 * @param {number | string} id
 * @param {Options} options
 * @param {string} name
 */
export async function photograph(page, id, options, name) {
  await page.mouse.move(2, 500);
  await settle(page);
  if (!options.screenshots) return;
  const clip = await page.evaluate((id) => {
    const node = app.canvas.graph.getNodeById(id);
    const { left, top } = app.canvas.canvas.getBoundingClientRect();
    const { scale, offset } = app.canvas.ds;
    const box = node.getBounding();
    return {
      x: left + (box[0] + offset[0] - 16) * scale,
      y: top + (box[1] + offset[1] - 16) * scale,
      width: (box[2] + 32) * scale,
      height: (box[3] + 48) * scale,
    };
  }, id);
  const { width, height } = page.viewportSize() ?? { width: 0, height: 0 };
  const x = Math.max(0, clip.x);
  const y = Math.max(0, clip.y);
  await page.screenshot({
    path: `${options.screenshots}/${name}_${options.renderer}_${options.palette ?? "dark"}.png`,
    clip: { x, y, width: Math.min(clip.x + clip.width, width) - x, height: Math.min(clip.y + clip.height, height) - y },
  });
}
