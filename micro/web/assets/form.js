// The form for a plugin's parameters: renders it, reads it, and shows errors at their fields.

import { element } from "./dom.js";
import { FIELDS } from "./fields.js";
import { prepare } from "./schema.js";
import texts from "./texts.js";
import { filledIn } from "./values.js";

const words = texts.form;
const { Jedison } = globalThis;

class Theme extends Jedison.Theme {
  getErrorFeedback({ message }) {
    return element("p", { class: "jedi-error" }, message);
  }

  getSwitcherSelectInline(config) {
    const made = super.getSwitcherSelectInline(config);
    made.input.setAttribute("aria-label", words.kind);
    return made;
  }

  getDeleteItemBtn(config) {
    return symbol(super.getDeleteItemBtn(config), "✕", config.content);
  }

  getMoveUpItemBtn(config) {
    return symbol(super.getMoveUpItemBtn(config), "↑", config.content);
  }

  getMoveDownItemBtn(config) {
    return symbol(super.getMoveDownItemBtn(config), "↓", config.content);
  }
}

function symbol(button, sign, meaning) {
  button.replaceChildren(sign);
  button.setAttribute("aria-label", meaning);
  button.title = meaning;
  return button;
}

const TRANSLATIONS = {
  arrayAdd: words.add,
  arrayDelete: words.remove,
  arrayMoveUp: words.up,
  arrayMoveDown: words.down,
};

export class ParameterForm {
  constructor(container, schema, onChange) {
    this.container = container;
    this.schema = prepare(schema);
    this.onChange = onChange;
    this.isEmpty = Object.keys(this.schema.properties).length === 0;
    this.show({});
  }

  // Fills in the form with these parameters; the others get their defaults.
  show(params) {
    this.jedison?.destroy();
    const known = Object.entries(params).filter(([name]) => name in this.schema.properties);
    this.rest = Object.fromEntries(Object.entries(params).filter(([name]) => !(name in this.schema.properties)));
    this.jedison = new Jedison.Create({
      container: this.container,
      theme: new Theme(),
      schema: structuredClone(this.schema),
      data: Object.fromEntries(known),
      customEditors: FIELDS,
      showErrors: "never",
      switcherInput: "select-inline",
      purifyHtml: false,
      useConstraintAttributes: false,
      keepMissingSchemaFields: true,
      objectAdd: false,
      arrayDeleteConfirm: false,
      translations: { en: TRANSLATIONS },
      id: "parameter",
    });
    this.jedison.on("change", () => this.onChange());
  }

  // Returns the parameters as they are sent.
  value() {
    return { ...filledIn(this.jedison.getValue(), this.schema), ...this.rest };
  }

  // Shows each error at its field or at the nearest group around it. Returns the errors that have neither.
  showErrors(errors) {
    const placed = new Map();
    const homeless = [];
    for (const { pointer, message } of errors) {
      const found = this.nearest(pointer);
      if (!found) homeless.push({ pointer, message });
      else placed.set(found.path, [...(placed.get(found.path) ?? []), found.rest ? `${found.rest}: ${message}` : message]);
    }
    for (const instance of this.jedison.instances.values()) {
      const messages = placed.get(instance.path);
      const editor = leaf(instance).ui;
      editor.showValidationErrors(messages ? [{ type: "error", path: instance.path, messages }] : [], true);
    }
    this.container.querySelector('[aria-invalid="true"], .jedi-error')?.focus();
    return homeless;
  }

  nearest(pointer) {
    const parts = pointer.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
    for (let depth = parts.length; depth > 0; depth -= 1) {
      const path = ["#", ...parts.slice(0, depth)].join("/");
      if (this.jedison.getInstance(path)) return { path, rest: parts.slice(depth).join("/") };
    }
    return null;
  }
}

// Returns the instance that is shown: for a choice of several types, the one of the chosen type.
function leaf(instance) {
  return instance.isMultiple ? leaf(instance.activeInstance) : instance;
}
