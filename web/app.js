// The page: takes recordings, shows them as cards, and what the service does beside them.

import { getJson } from "./api.js";
import { Card } from "./card.js";
import { firstLanguage, locale, say, setLanguage, text } from "./i18n.js";
import { askForKey, setUpKeyDialog } from "./key_dialog.js";
import { chosenSearch, showAbilities } from "./languages.js";
import { clockText } from "./numbers.js";
import { canRecord, startRecording } from "./recorder.js";
import { watchStatus } from "./status_view.js";

const $ = (id) => document.getElementById(id);

function announce(key, parameters) {
  say($("announce"), key, parameters);
}

function take(files) {
  const fields = { channels: $("split").checked ? "split" : "mix", ...chosenSearch() };
  if ($("model").value) fields.model = $("model").value;
  for (const file of files) {
    const card = new Card(file, fields, announce);
    $("cards").prepend(card.root);
    card.run();
  }
}

let abilities = new Map();  // of the models, by id

function showAbilitiesOfModel() {
  showAbilities(abilities.get($("model").value));
}

async function askAbilities() {
  try {
    const { data } = await getJson("v1/models");
    abilities = new Map(data.map((model) => [model.id, model]));
  } catch {
    abilities = new Map();  // they are asked for again with the next change of models
  }
  showAbilitiesOfModel();
}

function showModels(models) {
  const select = $("model");
  const ids = models.map(({ id }) => id);
  if (ids.join("\n") === [...select.options].map(({ value }) => value).join("\n")) return;
  const chosen = select.value;
  select.replaceChildren(...ids.map((id) => new Option(id, id)));
  if (ids.includes(chosen)) select.value = chosen;
  select.disabled = ids.length < 2;
  askAbilities();
}

// From the start, or again with a new key.
function connect() {
  watchStatus({ onStatus: (status) => showModels(status.models), onLocked: () => askForKey() });
}

function setUpFiles() {
  $("choose").addEventListener("click", () => $("files").click());
  $("files").addEventListener("change", () => {
    take([...$("files").files]);
    $("files").value = "";
  });
  // Anywhere on the page is the right place to drop a file.
  let depth = 0;
  const hover = (over) => $("drop").classList.toggle("over", over);
  addEventListener("dragenter", () => hover(++depth > 0));
  addEventListener("dragleave", () => hover(--depth > 0));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    hover((depth = 0) > 0);
    take([...event.dataTransfer.files]);
  });
}

function setUpRecorder() {
  const button = $("record");
  const caption = button.querySelector("span"), icon = button.querySelector("use");
  if (!canRecord()) {
    button.disabled = true;
    say($("record-note"), "recordUnsafe");
    return;
  }
  let stop = null;
  const show = (recording) => {
    button.setAttribute("aria-pressed", String(recording));
    say(caption, recording ? "recordStop" : "record");
    icon.setAttribute("href", recording ? "#i-stop" : "#i-mic");
    $("recording").hidden = !recording;
  };
  button.addEventListener("click", async () => {
    button.disabled = true;
    $("record-note").textContent = "";
    try {
      if (stop) {
        const { blob, extension } = await stop();
        stop = null;
        const time = new Date().toLocaleTimeString(locale(), { hour: "2-digit", minute: "2-digit", second: "2-digit" });
        const name = text("recordName", { time }).replaceAll(":", ".");
        take([new File([blob], `${name}.${extension}`, { type: blob.type })]);
      } else {
        stop = await startRecording((seconds, level) => {
          $("record-time").textContent = clockText(seconds);
          $("level").value = level;
        });
      }
    } catch {
      say($("record-note"), "recordDenied");
    }
    button.disabled = false;
    show(Boolean(stop));
  });
}

for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    setLanguage(button.dataset.language, true);
    showAbilitiesOfModel();  // in the order of the new language
  });
}
setLanguage(firstLanguage());
$("model").addEventListener("change", showAbilitiesOfModel);
setUpFiles();
setUpRecorder();
setUpKeyDialog(connect);
connect();
