import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { text, useTranslations } from "../../../web/js/lib/texts.js";

afterEach(() => useTranslations(null));

test("names in braces are filled in", () => {
  assert.equal(text("firstOfMany", { shown: 8, total: 64 }), "The first 8 of 64 photos are shown.");
});

test("a sentence comes in the user's language where there is one", () => {
  useTranslations({ firstOfMany: "{total} 张照片中的前 {shown} 张。" });
  assert.equal(text("firstOfMany", { shown: 8, total: 64 }), "64 张照片中的前 8 张。");
  assert.match(text("filesGone"), /gone/);
});

test("a translation that is none leaves the English", () => {
  for (const texts of [undefined, null, "x", { filesGone: "" }]) {
    useTranslations(texts);
    assert.match(text("filesGone"), /gone/);
  }
});
