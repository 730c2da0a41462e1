// @ts-check
/** Settings of the simple node that go together, by what a user wants. Each sets the same widgets, so that all is seen. */

/** Numbers of a node's widgets are compared with this precision. */
const PRECISION = 1e-6;

/** @typedef {{ weight: number, lora_weight: number, start_percent: number, merge_percent: number }} Settings */

/**
 * By their keys in the texts of the interface. Few steps: merge_percent 0.6 would leave the parts to the last of four.
 * @type {Record<"presetOriginal" | "presetLikeness" | "presetPrompt" | "presetStyle" | "presetFewSteps", Settings>}
 */
export const PRESETS = {
  presetOriginal: { weight: 1, lora_weight: 1, start_percent: 0, merge_percent: 0.6 },
  presetLikeness: { weight: 1, lora_weight: 1, start_percent: 0, merge_percent: 0.4 },
  presetPrompt: { weight: 0.8, lora_weight: 0.8, start_percent: 0.2, merge_percent: 0.7 },
  presetStyle: { weight: 1, lora_weight: 0.8, start_percent: 0.2, merge_percent: 0.6 },
  presetFewSteps: { weight: 1, lora_weight: 1, start_percent: 0, merge_percent: 0.3 },
};

/** The widgets that presets set. */
export const SETTINGS = /** @type {(keyof Settings)[]} */ (Object.keys(PRESETS.presetOriginal));

/**
 * Whether a node is set as a preset says.
 * @param {Settings} preset
 * @param {(name: keyof Settings) => any} valueOf a widget of the node
 */
export function isSet(preset, valueOf) {
  return SETTINGS.every((name) => Math.abs(Number(valueOf(name)) - preset[name]) < PRECISION);
}
