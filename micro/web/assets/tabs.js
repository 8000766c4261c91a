// Tabs with keyboard support: tabs(label, [{title, content}]). A function as content is called when first shown.

import { element, freshId } from "./dom.js";

export function tabs(label, pages) {
  const group = freshId("tabs");
  const buttons = pages.map((page, index) =>
    element(
      "button",
      { type: "button", role: "tab", id: `${group}-${index}`, "aria-controls": `${group}-panel-${index}`, click: () => open(index) },
      page.title,
    ),
  );
  const panels = pages.map((page, index) =>
    element(
      "div",
      { role: "tabpanel", id: `${group}-panel-${index}`, "aria-labelledby": `${group}-${index}`, tabindex: 0 },
      typeof page.content === "function" ? null : page.content,
    ),
  );
  function open(chosen, focus = false) {
    const { content } = pages[chosen];
    if (typeof content === "function" && !panels[chosen].hasChildNodes()) panels[chosen].append(content());
    buttons.forEach((button, index) => {
      button.setAttribute("aria-selected", String(index === chosen));
      button.tabIndex = index === chosen ? 0 : -1;
      panels[index].hidden = index !== chosen;
    });
    if (focus) buttons[chosen].focus();
  }
  function move(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    open((buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length, true);
  }
  open(0);
  const list = element("div", { role: "tablist", "aria-label": label, class: "tabs", keydown: move }, buttons);
  return element("div", { class: "tabbed" }, list, panels);
}
