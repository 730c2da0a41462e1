// @ts-check
/** The widgets' sentences in the language that is set in ComfyUI. */

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { useTranslations } from "./lib/texts.js";

app.registerExtension({
  name: "ConsistentID.Language",
  async init() {
    const language = app.extensionManager.setting.get("Comfy.Locale");
    if (!language || language === "en") return;
    try {
      const translations = await (await api.fetchApi("/i18n")).json();
      useTranslations(translations[language]?.consistentid);
    } catch {
      // They stay English.
    }
  },
});
