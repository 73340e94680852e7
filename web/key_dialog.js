// Asks for an API key, once however many requests were refused at the same time.

import { key } from "./api.js";

const dialog = document.getElementById("key-dialog");
const form = document.getElementById("key-form");
const input = document.getElementById("key-input");
const wrong = document.getElementById("key-wrong");
const button = document.getElementById("key-button");
let asking = null;

// Resolves with true when there is a key to try. `refused` is the key that the server did not take.
export function askForKey(refused = key.get()) {
  button.hidden = false;
  if (key.get() !== refused) return Promise.resolve(true);  // another request asked meanwhile
  asking ??= new Promise((resolve) => {
    wrong.hidden = !refused;
    key.set("");
    input.value = "";
    dialog.showModal();
    input.focus();
    dialog.addEventListener("close", () => {
      asking = null;
      resolve(Boolean(key.get()));
    }, { once: true });
  });
  return asking;
}

// `onChanged` is called after each key that is given.
export function setUpKeyDialog(onChanged) {
  button.hidden = !key.get();
  button.addEventListener("click", () => {
    key.set("");
    askForKey();
  });
  document.getElementById("key-cancel").addEventListener("click", () => dialog.close());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    key.set(input.value.trim());
    input.value = "";
    dialog.close();
    onChanged();
  });
}
