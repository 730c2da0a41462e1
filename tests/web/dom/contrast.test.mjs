import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const CSS = readFileSync(new URL("../../../web/css/consistentid.css", import.meta.url), "utf-8");

/** What WCAG 2.1 asks of small text. */
const READABLE = 4.5;

/**
 * What ComfyUI's themes give the style sheet, and what its texts lie on: the node and the widget on it, in the classic
 * canvas and in Nodes 2.0.  Source: the palettes and style sheet of comfyui-frontend-package 1.47.12.
 */
const THEMES = {
  dark: {
    variables: { "input-text": "#dddddd", "descrip-text": "#999999", "error-text": "#ff4444" },
    backgrounds: ["#353535", "#222222", "#262729", "#313235"],
  },
  light: {
    variables: { "input-text": "#222222", "descrip-text": "#444444", "error-text": "#f44336" },
    backgrounds: ["#f5f5f5", "#c9c9c9", "#ffffff", "#e9e9e9"],
  },
};

/** @param {string} colour `#rrggbb` */
const channels = (colour) => [1, 3, 5].map((start) => Number.parseInt(colour.slice(start, start + 2), 16) / 255);

/** @param {number[]} colour sRGB, 0..1 */
function luminance(colour) {
  const linear = colour.map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

/** @param {number[]} one @param {number[]} other */
function contrast(one, other) {
  const [darker, lighter] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

/**
 * The colour that the style sheet gives a variable of its own in a theme.
 * @param {string} name
 * @param {Record<string, string>} variables
 * @returns {number[]}
 */
function colourOf(name, variables) {
  if (name in variables) return channels(variables[name]);
  const value = CSS.match(new RegExp(`--${name}: (.*);`))?.[1] ?? "";
  const mixed = value.match(/^color-mix\(in srgb, var\(--([\w-]+)(?:, #\w+)?\) (\d+)%, var\(--([\w-]+)\)\)$/);
  if (!mixed) return colourOf(value.match(/^var\(--([\w-]+), #\w+\)$/)?.[1] ?? assert.fail(`--${name}: ${value}`), variables);
  const [one, other] = [mixed[1], mixed[3]].map((part) => colourOf(part, variables));
  return one.map((channel, index) => channel * (Number(mixed[2]) / 100) + other[index] * (1 - Number(mixed[2]) / 100));
}

for (const [theme, { variables, backgrounds }] of Object.entries(THEMES)) {
  for (const name of ["text", "quiet", "error"]) {
    test(`the ${name} colour can be read in the ${theme} theme`, () => {
      const colour = colourOf(name, variables);
      for (const background of backgrounds) {
        const ratio = contrast(colour, channels(background));
        assert.ok(ratio >= READABLE, `${ratio.toFixed(2)} on ${background}`);
      }
    });
  }
}

test("no text has a theme's colour for errors or descriptions unmixed", () => {
  assert.doesNotMatch(CSS, /[\s;]color: var\(--(error|descrip)-text/);
});

test("the style sheet closes what it opens, and opens nothing inside", () => {
  let depth = 0;
  for (const [number, line] of CSS.split("\n").entries()) {
    depth += line.split("{").length - line.split("}").length;
    assert.ok(depth === 0 || depth === 1, `line ${number + 1}: ${line}`);
  }
  assert.equal(depth, 0);
});
