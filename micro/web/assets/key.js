// Asks for an API key, and stores it until the tab is closed.

import { byId, element } from "./dom.js";
import texts from "./texts.js";

const STORED = "micro.key";
let asking = null;

export function storedKey() {
  return sessionStorage.getItem(STORED);
}

export function forgetKey() {
  sessionStorage.removeItem(STORED);
  showForget();
}

// Resolves to true if there is a key to try, to false if the user cancelled.
export function askForKey() {
  asking ??= ask().finally(() => (asking = null));
  return asking;
}

function ask() {
  const refused = storedKey() !== null;
  const input = element("input", { type: "password", id: "key", autocomplete: "off", required: true });
  const dialog = element(
    "dialog",
    { class: "dialog", "aria-labelledby": "key-title" },
    element(
      "form",
      { submit: (event) => (event.preventDefault(), dialog.close(input.value.trim())) },
      element("h2", { id: "key-title" }, texts.key.title),
      element("p", {}, texts.key.explain),
      refused && element("p", { class: "notice bad", role: "alert" }, texts.key.wrong),
      element("label", { for: "key" }, texts.key.label),
      input,
      element(
        "div",
        { class: "actions" },
        element("button", { type: "submit", class: "primary" }, texts.key.use),
        element("button", { type: "button", click: () => dialog.close("") }, texts.key.cancel),
      ),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (dialog.returnValue) sessionStorage.setItem(STORED, dialog.returnValue);
      showForget();
      resolve(Boolean(dialog.returnValue));
    });
  });
}

function showForget() {
  byId("forget").hidden = storedKey() === null;
}

byId("forget").addEventListener("click", () => {
  forgetKey();
  location.reload();
});
showForget();
