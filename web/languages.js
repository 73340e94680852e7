// What a model can be asked for, and languages in the words of the page's own.

import { locale, say } from "./i18n.js";

const $ = (id) => document.getElementById(id);

// Of a model's code, such as "en" or "yue".
export function languageName(code) {
  try {
    return new Intl.DisplayNames(locale(), { type: "language" }).of(code);
  } catch {
    return code;  // no code that browsers know
  }
}

// Offers what the model takes, `{languages, tasks}` of /v1/models; the choice stays where the model has it.
export function showAbilities(model) {
  const languages = model?.languages ?? [];
  const select = $("spoken"), chosen = select.value;
  const any = new Option("", "");
  say(any, "spokenAny");
  const order = new Intl.Collator(locale());
  const known = languages.map((code) => new Option(languageName(code), code));
  known.sort((a, b) => order.compare(a.text, b.text));
  select.replaceChildren(any, ...known);
  select.value = languages.includes(chosen) ? chosen : "";
  $("spoken-field").hidden = languages.length < 2;
  $("translate-field").hidden = !model?.tasks?.includes("translate");
}

// The fields of /v1/transcribe that say what was chosen; none where there was no choice.
export function chosenSearch() {
  const fields = {};
  if (!$("spoken-field").hidden && $("spoken").value) fields.language = $("spoken").value;
  if (!$("translate-field").hidden && $("translate").checked) fields.task = "translate";
  return fields;
}

// Says in which language a recording was, where the model tells.
export function showHeard(element, code, translated) {
  element.hidden = !code;
  if (code) say(element, translated ? "heardTranslated" : "heard", { language: () => languageName(code) });
}
