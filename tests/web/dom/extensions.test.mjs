import assert from "node:assert/strict";
import { test } from "node:test";

import { addNode, failIn, setWidget, settings, steps } from "./comfyui.mjs";
import { picture, settle, textOf } from "./page.mjs";

for (const extension of ["faces", "parts", "presets", "prompt", "simple"]) await import(`../../../web/js/${extension}.js`);

const FILE = { filename: "a.jpg", subfolder: "", type: "temp" };
picture("/view?filename=a.jpg&subfolder=&type=temp", { grey: () => 255 });

const result = (/** @type {string[]} */ ...regions) => ({
  consistentid_parts: [
    { index: 0, total: 1, photo: FILE, parts: regions.map((region) => ({ region, area: 0.1, enabled: true, mask: FILE })) },
  ],
});

/** @param {HTMLElement} view */
const chipsOf = (view) => /** @type {HTMLElement[]} */ ([...view.querySelectorAll(".consistentid-chip")]);

/** @param {HTMLElement} view */
const onOf = (view) =>
  chipsOf(view)
    .filter((chip) => chip.getAttribute("aria-checked") === "true")
    .map((chip) => chip.dataset.region);

test("a part that the node and its result know has a chip, without the scripts naming it", async () => {
  const node = addNode("ConsistentIDFaceParser", { face: true, hair: true, pair: "both" });
  node.onExecuted(result("face", "hair"));
  await settle();
  const view = node.view("parts_preview");
  assert.deepEqual(onOf(view), ["face", "hair"]);
  chipsOf(view)[1].click();
  assert.equal(node.value("hair"), false);
  assert.equal(steps.made, 1);
  setWidget(node, "hair", true);
  assert.deepEqual(onOf(view), ["face", "hair"]);
});

test("a switch that is changed outside the view moves its chip", async () => {
  const node = addNode("ConsistentIDSimple", { prompt: "a person", face: true, nose: true });
  node.onExecuted(result("face", "nose"));
  await settle();
  setWidget(node, "nose", false);
  assert.deepEqual(onOf(node.view("parts_preview")), ["face"]);
});

test("a node without switches shows its parts and switches nothing", async () => {
  const node = addNode("ConsistentIDBestFaceParts", {});
  node.onExecuted(result("face", "nose"));
  await settle();
  const [face] = chipsOf(node.view("parts_preview"));
  assert.equal(face.getAttribute("aria-disabled"), "true");
});

test("the strength of the colours is a setting that reaches every view", () => {
  const node = addNode("ConsistentIDFaceParser", { face: true });
  const slider = /** @type {HTMLInputElement} */ (node.view("parts_preview").querySelector("input"));
  assert.equal(slider.value, "45");
  slider.value = "80";
  slider.dispatchEvent(new window.Event("input"));
  slider.dispatchEvent(new window.Event("change"));
  assert.equal(settings.get("ConsistentID.Preview.Strength"), 80);
});

for (const [comfyClass, name] of [
  ["ConsistentIDFaceParser", "parts_preview"],
  ["ConsistentIDEmbedding", "faces_preview"],
  ["ConsistentIDFaceEncoder", "prompt_preview"],
]) {
  const messageOf = (/** @type {any} */ node) => textOf(node.view(name), ".consistentid-message");

  test(`${comfyClass} says why it failed, and no other node does`, () => {
    const [node, other] = [addNode(comfyClass, {}), addNode(comfyClass, {})];
    failIn(node, "No face. ");
    assert.equal(messageOf(node), "No face.");
    assert.match(messageOf(other), /^Run the workflow/);
  });

  test(`${comfyClass} takes an error back when a run begins`, () => {
    const node = addNode(comfyClass, {});
    failIn(node, "No face.");
    node.onExecutionStart();
    assert.match(messageOf(node), /^Run the workflow/);
  });

  test(`${comfyClass} takes an error back when a run is asked for that the server may refuse`, () => {
    const node = addNode(comfyClass, {});
    failIn(node, "No face.");
    for (const widget of node.widgets) widget.beforeQueued?.();
    assert.match(messageOf(node), /^Run the workflow/);
  });

  test(`${comfyClass} sends nothing of its view to the server`, () => {
    const node = addNode(comfyClass, {});
    assert.equal(node.widgets.find((/** @type {any} */ widget) => widget.name === name).serialize, false);
  });
}

const crops = (/** @type {any} */ ...list) => ({ consistentid_face_crops: list });

test("the simple node says that it cropped, and takes it back when it is told not to", async () => {
  const node = addNode("ConsistentIDSimple", { prompt: "a person", face: true, crop: "auto" });
  const line = () => textOf(node.view("parts_preview"), ".consistentid-line");
  node.onExecuted(crops({ box: [0.1, 0.1, 0.4, 0.4], share: 0.1 }));
  node.onExecuted(result("face"));
  await settle();
  assert.match(line(), /takes 10% .* cut out around it/);
  setWidget(node, "crop", "off");
  assert.equal(line(), "");
  setWidget(node, "crop", "auto");
  node.onExecuted(crops({ box: null, share: 0.5 }));
  assert.equal(line(), "");
});

test("a new simple node crops small faces, one saved before it could goes on as it was", () => {
  const make = () => addNode("ConsistentIDSimple", { prompt: "", crop: "off" });
  assert.equal(make().value("crop"), "auto");
  for (const [saved, wanted] of [[["a"], "off"], [["a", null], "off"], [["a", "off"], "off"], [["a", "auto"], "auto"], [undefined, "off"]]) {
    const node = make();
    if (saved?.[1]) node.widgets[1].value = saved[1]; // as the interface does before it calls the hook
    node.onConfigure({ widgets_values: saved });
    assert.equal(node.value("crop"), wanted);
  }
});

test("a workflow for the API that says nothing of cropping is opened as the queue runs it", async () => {
  /** As the interface does: at once, and twice. @param {[string, string][]} inputs */
  const opened = (...inputs) => {
    const node = addNode("ConsistentIDSimple", { prompt: "", crop: "off" });
    for (const [name, value] of [...inputs, ...inputs]) setWidget(node, name, value);
    return node;
  };
  assert.equal(opened(["prompt", "a"]).value("crop"), "off");
  assert.equal(opened(["prompt", "a"], ["crop", "auto"]).value("crop"), "auto");
  assert.equal(opened(["crop", "auto"], ["prompt", "a"]).value("crop"), "auto");
  const node = opened();
  await settle();
  setWidget(node, "prompt", "typed");
  assert.equal(node.value("crop"), "auto");
  const saved = opened();
  saved.widgets[1].value = "auto";
  saved.onConfigure({ widgets_values: ["a", "auto"] });
  setWidget(saved, "prompt", "by another extension");
  assert.equal(saved.value("crop"), "auto");
});

test("Crop Face shows its faces, and a click chooses one", async () => {
  const node = addNode("ConsistentIDCropFace", { face_index: 0 });
  const faces = [0.1, 0.6].map((left) => ({ box: [left, 0.2, left + 0.2, 0.6], score: 0.9 }));
  node.onExecuted({
    consistentid_faces: [{ index: 0, total: 1, photo: FILE, chosen: 0, faces }],
    ...crops({ box: [0, 0, 0.5, 0.5], share: 0.2 }),
  });
  await settle();
  const view = node.view("faces_preview");
  assert.match(textOf(view, ".consistentid-line"), /cut out around it/);
  /** @type {HTMLElement} */ (view.querySelectorAll(".consistentid-face")[1]).click();
  assert.equal(node.value("face_index"), 1);
});

test("a preset sets the node's own widgets in one step, and is pressed as long as they say so", () => {
  const settings = { weight: 1, merge_percent: 0.6, lora_weight: 1, start_percent: 0 };
  const node = addNode("ConsistentIDSimple", settings);
  const buttons = () => /** @type {HTMLElement[]} */ ([...node.view("presets").querySelectorAll("button")]);
  const pressed = () => buttons().filter((one) => one.getAttribute("aria-pressed") === "true").map((one) => one.textContent);
  assert.deepEqual(pressed(), ["original"]);
  const before = steps.made;
  /** @type {HTMLElement} */ (buttons().find((one) => one.textContent === "prompt first")).click();
  assert.deepEqual(
    Object.keys(settings).map((name) => node.value(name)),
    [0.8, 0.7, 0.8, 0.2],
  );
  assert.deepEqual([pressed(), steps.made - before], [["prompt first"], 1]);
  setWidget(node, "weight", 0.9);
  assert.deepEqual(pressed(), []);
});

test("presets cannot set what another node decides", () => {
  const node = addNode("ConsistentIDSimple", { weight: 1, merge_percent: 0.6, lora_weight: 1, start_percent: 0 });
  node.inputs[0].link = 7;
  node.onConnectionsChange();
  const buttons = [...node.view("presets").querySelectorAll("button")];
  assert.ok(buttons.length > 0 && buttons.every((/** @type {any} */ button) => button.disabled));
});
