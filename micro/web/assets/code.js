// Shows a block of code with a button to copy it.

import { element } from "./dom.js";
import texts from "./texts.js";

export function codeBlock(code) {
  const button = element("button", { type: "button", class: "copy", click: copy }, texts.copy);
  async function copy() {
    await navigator.clipboard?.writeText(code).catch(() => select());
    if (!navigator.clipboard) select();
    button.textContent = texts.copied;
    setTimeout(() => (button.textContent = texts.copy), 2000);
  }
  // Browsers offer the clipboard API on secure pages only. Elsewhere select the text, and copy that.
  function select() {
    getSelection().selectAllChildren(shown);
    document.execCommand("copy");
  }
  const shown = element("code", {}, code);
  return element("div", { class: "code" }, element("pre", { tabindex: 0 }, shown), button);
}
