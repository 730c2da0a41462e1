import assert from "node:assert/strict";
import { test } from "node:test";

import { filesPath, modelFilesFrom, toSeeTo } from "../../../web/js/lib/model_files.js";
import { useTranslations } from "../../../web/js/lib/texts.js";

const MISSING = {
  key: "face-parser",
  what: "BiSeNet face parser",
  state: "missing",
  where: "",
  name: "face_parsing.pth",
  size: 53_289_463,
  address: "https://example.org/face_parsing.pth",
  place: "models/consistentid",
  licence: "trained on CelebAMask-HQ, for non-commercial research",
};

/** @param {any} entries */
const read = (...entries) => modelFilesFrom({ files: entries }) ?? [];

test("the choices of the node are asked about as they are", () => {
  assert.equal(
    filesPath({ model_name: "a b/ü&c.bin", face_parser: "auto" }),
    "/consistentid/files?model_name=a+b%2F%C3%BC%26c.bin&face_parser=auto",
  );
});

test("a missing file has its size, place, address and licence", () => {
  const [file] = read(MISSING);
  assert.deepEqual(
    [file.title, file.state, file.size, file.place, file.address],
    ["Face parser", "missing", "53 MB", "models/consistentid", MISSING.address],
  );
  assert.equal(read({ ...MISSING, size: 2_528_373_448 })[0].size, "2.5 GB");
  assert.equal(read({ ...MISSING, size: null })[0].size, "");
});

test("titles and licences are in the user's language, and unknown ones as they came", () => {
  useTranslations({ fileFaceParser: "人脸解析器", licenceCelebA: "仅限研究" });
  assert.deepEqual([read(MISSING)[0].title, read(MISSING)[0].licence], ["人脸解析器", "仅限研究"]);
  useTranslations({});
  const [file] = read({ ...MISSING, key: "new-thing", what: "a new thing", licence: "MIT" });
  assert.deepEqual([file.title, file.licence], ["a new thing", "MIT"]);
});

test("a note says what is the matter", () => {
  assert.equal(read({ ...MISSING, note: "old.pth" })[0].note, "old.pth is not there any more.");
  assert.equal(read({ ...MISSING, state: "other", note: "a LoRA" })[0].note, "It is a LoRA.");
  assert.equal(read({ ...MISSING, state: "several", note: "two fit" })[0].note, "two fit");
  const [packages] = read({ key: "packages", what: "", state: "missing", where: "", note: "pip install x" });
  assert.deepEqual([packages.note, packages.isPackage], ["pip install x", true]);
});

test("only what is not found is to see to", () => {
  const files = read(MISSING, { ...MISSING, state: "found", where: "/models/x.pth" }, { ...MISSING, state: "several" });
  assert.deepEqual(
    toSeeTo(files).map(({ state }) => state),
    ["missing", "several"],
  );
});

test("a link leads to a secure address or nowhere", () => {
  for (const address of ["javascript:alert(1)", "http://example.org", undefined, 3])
    assert.equal(read({ ...MISSING, address })[0].address, "");
});

test("what is no answer is none", () => {
  for (const answer of [null, {}, { files: "no" }, []]) assert.equal(modelFilesFrom(answer), null);
  assert.deepEqual(read(null, {}, { key: "x" }, { key: "x", state: "sold" }), []);
});
