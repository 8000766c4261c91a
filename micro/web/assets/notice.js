// Shows an error with a button to retry or to enter an API key.

import { byId, element } from "./dom.js";
import { fill } from "./format.js";
import { askForKey } from "./key.js";
import texts from "./texts.js";

export function showProblem(target, problem, again) {
  const id = problem.fields?.request_id;
  const needsKey = problem.status === 401;
  const summary = byId("summary");
  if (summary.textContent === texts.loading) summary.textContent = "";
  target.replaceChildren(
    element(
      "div",
      { class: "notice bad", role: "alert" },
      element("p", {}, problem.message),
      id && element("p", { class: "fine" }, fill(texts.errors.request, { id })),
      again && element("button", { type: "button", click: () => repeat(needsKey, again) }, needsKey ? texts.key.enter : texts.again),
    ),
  );
}

async function repeat(needsKey, again) {
  if (!needsKey || (await askForKey())) again();
}

export function empty(title, hint) {
  return element("div", { class: "empty" }, element("p", { class: "title" }, title), element("p", {}, hint));
}
