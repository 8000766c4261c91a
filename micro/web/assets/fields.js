// The fields of the form: each turns the user's input into a JSON value, or null if it is empty.

import { element } from "./dom.js";
import { fill, size } from "./format.js";
import texts from "./texts.js";

const words = texts.form;
const { Jedison } = globalThis;
const INPUT_TYPES = { secret: "password", date: "date", time: "time", "date-time": "datetime-local" };

// Shows only the service's errors, which stay until the next run. jedison's own validation would add and remove
// errors while the user types, and move the form under the mouse, so that clicks miss.
const keepingErrors = (Editor) =>
  class extends Editor {
    showValidationErrors(errors, force = false) {
      if (force) super.showValidationErrors(errors, force);
    }
  };

class Field extends keepingErrors(Jedison.Editor) {
  config(more) {
    const id = this.getIdFromPath(this.instance.path);
    return { title: this.getTitle(), description: this.getDescription(), id, ...more };
  }

  addEventListeners() {
    this.control.input.addEventListener("change", () => this.instance.setValue(this.read(), true, "user"));
  }

  refreshUI() {
    super.refreshUI();
    this.show(this.instance.getValue());
  }
}

const resolving = (...fields) => (schema) => fields.includes(schema["x-field"]);

class TextField extends Field {
  static resolves = resolving("text", "secret", "date", "time", "date-time");

  build() {
    const type = INPUT_TYPES[this.instance.schema["x-field"]] ?? "text";
    this.control = this.theme.getInputControl(this.config({ type }));
    const { input } = this.control;
    input.autocomplete = type === "password" ? "new-password" : "off";
    if (type === "text") input.spellcheck = false;
    if (type === "time" || type === "datetime-local") input.step = "1";
  }

  read() {
    return this.control.input.value || null;
  }

  show(value) {
    const { input } = this.control;
    const text = typeof value === "object" && value ? JSON.stringify(value) : String(value ?? "");
    input.value = text;
    // A date input drops a value that it cannot show, such as one with a time zone. Show it in a text input.
    if (text && !input.value) {
      input.type = "text";
      input.value = text;
    }
  }
}

class LongTextField extends TextField {
  static resolves = resolving("long-text");

  build() {
    this.control = this.theme.getTextareaControl(this.config());
    this.control.input.rows = 1;
  }
}

class NumberField extends Field {
  static resolves = resolving("number");

  build() {
    this.control = this.theme.getInputControl(this.config({ type: "text" }));
    this.control.input.inputMode = this.instance.schema.type === "integer" ? "numeric" : "decimal";
    this.control.input.autocomplete = "off";
  }

  // Returns text that is not a number unchanged, so that the service reports what it expected.
  read() {
    const text = this.control.input.value.trim();
    if (text === "") return null;
    return Number.isFinite(Number(text)) ? Number(text) : text;
  }

  show(value) {
    this.control.input.value = value ?? "";
  }
}

class CheckboxField extends Field {
  static resolves = resolving("checkbox");

  build() {
    this.control = this.theme.getCheckboxControl(this.config());
  }

  read() {
    return this.control.input.checked;
  }

  show(value) {
    this.control.input.checked = value === true;
  }
}

class ChoiceField extends Field {
  static resolves = resolving("choice");

  build() {
    const { schema } = this.instance;
    const choices = schema["x-choices"];
    const empty = schema["x-nullable"] ? words.nothing : words.choose;
    const named = (value) => (value === true ? words.yes : value === false ? words.no : String(value));
    const values = ["", ...choices.map((each) => JSON.stringify(each))];
    this.control = this.theme.getSelectControl(this.config({ values, titles: [empty, ...choices.map(named)] }));
  }

  read() {
    const { value } = this.control.input;
    return value === "" ? null : JSON.parse(value);
  }

  show(value) {
    this.control.input.value = value === null ? "" : JSON.stringify(value);
  }
}

class FileField extends Field {
  static resolves = resolving("file");

  build() {
    this.control = this.theme.getInputControl(this.config({ type: "file" }));
    const { input } = this.control;
    this.kept = element("span", { class: "fine" });
    this.clear = element("button", { type: "button", click: () => this.empty() }, words.file_clear);
    const place = element("div", { class: "file" });
    input.replaceWith(place);
    place.append(input, this.kept, this.clear);
  }

  addEventListeners() {
    this.control.input.addEventListener("change", async () => {
      const [file] = this.control.input.files;
      if (file) this.instance.setValue(await asBase64(file), true, "user");
    });
  }

  empty() {
    this.control.input.value = "";
    this.instance.setValue(null, true, "user");
    this.control.input.focus();
  }

  show(value) {
    this.clear.hidden = !value;
    this.kept.textContent = value ? fill(words.file_kept, { size: size(Math.floor((value.length * 3) / 4)) }) : "";
  }
}

// Returns a file as base64. Works in chunks, as a function call takes a limited number of arguments.
async function asBase64(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let start = 0; start < bytes.length; start += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  }
  return btoa(text);
}

class JsonField extends Field {
  static resolves = resolving("json", "json-or-text");

  build() {
    this.control = this.theme.getTextareaControl(this.config());
    this.control.input.rows = 1;
    this.control.input.spellcheck = false;
    this.control.input.classList.add("code-field");
  }

  read() {
    const text = this.control.input.value.trim();
    if (text === "") return null;
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  }

  show(value) {
    // Show text without quotes unless it would then be read as another JSON value.
    const bare = typeof value === "string" && isNoJson(value);
    this.control.input.value = value === null ? "" : bare ? value : JSON.stringify(value, null, 2);
  }
}

function isNoJson(text) {
  try {
    JSON.parse(text);
    return false;
  } catch {
    return text.trim() === text && text !== "";
  }
}

// jedison inserts all fields of a group again whenever one changes. That loses a click in progress, such as the
// one that leaves a field and so changes it. Group and List insert fields again only if their order has changed.
class Group extends keepingErrors(Jedison.EditorObject) {
  static resolves = (schema) => schema.type === "object";

  refreshEditors() {
    const shown = [...this.control.childrenSlot.children];
    const wanted = this.instance.children.filter((each) => each.isActive).map((each) => each.ui.control.container);
    if (shown.length !== wanted.length || shown.some((each, index) => each !== wanted[index])) super.refreshEditors();
  }
}

class List extends keepingErrors(Jedison.EditorArray) {
  static resolves = (schema) => schema.type === "array";

  refreshUI() {
    const { children } = this.instance;
    const same = this.shown?.length === children.length && this.shown.every((each, index) => each === children[index]);
    this.shown = [...children];
    if (same) return;
    const removed = this.control.childrenSlot.contains(document.activeElement);
    super.refreshUI();
    // The focused "remove" button is gone. Move the focus, or the Tab key would start at the top of the page.
    if (removed) this.control.addBtn.focus();
  }

  addEventListeners() {
    super.addEventListeners();
    this.instance.on("item-add", (initiator, item) => {
      if (initiator === "user") item.ui.control.container.querySelector("input, select, textarea")?.focus();
    });
  }
}

export const FIELDS = [
  Group,
  List,
  TextField,
  LongTextField,
  NumberField,
  CheckboxField,
  ChoiceField,
  FileField,
  JsonField,
];
