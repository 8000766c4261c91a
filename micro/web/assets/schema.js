// Prepares a plugin's JSON Schema for the form: chooses the field, label and hint of each parameter.

import { fill } from "./format.js";
import texts from "./texts.js";

const words = texts.form;
const SCALARS = ["string", "integer", "number", "boolean"];
const DEEPEST = 6;

// Returns the schema of all parameters for the form. Each scalar names its kind of field in "x-field".
export function prepare(schema) {
  const { properties, required, $defs = {} } = schema;
  const prepared = prepareObject({ properties, required }, { definitions: $defs, open: [] });
  // Drop keys that are undefined: jedison would resolve them to the root schema, without end.
  return JSON.parse(JSON.stringify({ ...prepared, title: "" }));
}

function prepareAny(given, name, required, context) {
  const { schema, context: inside } = resolved(given, context);
  const label = { title: labelled(name, required), "x-name": name };
  if (inside === null || inside.open.length > DEEPEST) return json(schema, label);
  const union = schema.anyOf ?? schema.oneOf;
  if (union) return prepareUnion(schema, union, name, required, inside);
  if ("const" in schema || schema.enum) return choice(schema, schema.enum ?? [schema.const], label);
  if (SCALARS.includes(schema.type)) return scalar(schema, label);
  if (schema.type === "array" && (schema.items || schema.prefixItems)) return { ...prepareArray(schema, inside), ...label };
  if (schema.type === "object" && schema.properties) return { ...prepareObject(schema, inside), ...label };
  if (schema.type === "null") return { type: "null", ...label, description: "" };
  return json(schema, label);
}

// Resolves references. A recursive one returns no context, and the user fills it in as JSON.
function resolved(schema, context) {
  if (schema === true || schema === undefined) return { schema: {}, context };
  if (schema.allOf?.length === 1) return resolved({ ...schema, ...schema.allOf[0], allOf: undefined }, context);
  if (!schema.$ref) return { schema, context };
  const name = schema.$ref.replace("#/$defs/", "").replaceAll("~1", "/").replaceAll("~0", "~");
  const { $ref, ...beside } = schema;
  if (context.open.includes(name) || !(name in context.definitions)) return { schema: beside, context: null };
  return resolved({ ...context.definitions[name], ...beside }, { ...context, open: [...context.open, name] });
}

function prepareObject(schema, context) {
  const { properties = {}, required = [] } = schema;
  const prepared = Object.entries(properties).map(([name, each]) => [
    name,
    prepareAny(each, name, required.includes(name), context),
  ]);
  return {
    type: "object",
    properties: Object.fromEntries(prepared),
    required,
    additionalProperties: false,
    description: described(schema, []),
    default: schema.default ?? {},
  };
}

function prepareArray(schema, context) {
  const item = (each, index) => prepareAny(each, fill(words.item, { number: index ?? "{{ i1 }}" }), null, context);
  const { minItems, maxItems } = schema;
  const isTuple = Boolean(schema.prefixItems) && !schema.items;
  const first = schema.prefixItems?.map((each, index) => item(each, index + 1));
  return {
    type: "array",
    ...(isTuple ? { "x-arrayAdd": false, "x-arrayDelete": false, "x-arrayMove": false, "x-enforceMinItems": false } : {}),
    ...(first ? { prefixItems: first } : {}),
    ...(schema.items ? { items: item(schema.items) } : {}),
    ...(minItems === undefined ? {} : { minItems }),
    ...(maxItems === undefined ? {} : { maxItems }),
    description: described(schema, isTuple ? [] : [bounds(minItems, maxItems, "items", "min_items", "max_items")]),
    default: schema.default ?? (isTuple ? first.map((each) => each.default ?? null) : []),
  };
}

function prepareUnion(schema, union, name, required, context) {
  const { anyOf, oneOf, discriminator, ...beside } = schema;
  const branches = union.map((each) => resolved(each, context));
  const nullable = branches.some((each) => each.schema.type === "null");
  const others = branches.filter((each) => each.schema.type !== "null");
  const only = others.length === 1 ? prepareAny({ ...others[0].schema, ...beside }, name, required, others[0].context ?? context) : null;
  if (only && (only["x-field"] || !nullable)) return withNull(only, nullable);
  if (isDecimal(others)) return withNull(scalar({ ...beside, type: "string", "x-decimal": true }, label(name, required)), nullable);
  const options = others.map((each) => ({
    ...prepareAny({ ...each.schema, description: each.schema.description ?? beside.description }, name, required, each.context ?? context),
    "x-switcherTitle": each.schema.title ?? words.kinds[each.schema.type] ?? words.kinds.any,
  }));
  // If one type has to be written as JSON, write all of them as JSON, and offer no choice.
  if (options.some(isJson)) return withNull(json(beside, label(name, required)), nullable);
  const none = { type: "null", ...label(name, required), description: described(beside, []), "x-switcherTitle": words.not_given };
  return {
    anyOf: nullable ? [none, ...options] : options,
    ...label(name, required),
    // A default of null is left out: "not given" comes first, so it is shown without a default.
    ...((beside.default ?? null) === null ? {} : { default: beside.default }),
  };
}

const isJson = (prepared) => prepared["x-field"] === "json" || prepared["x-field"] === "json-or-text";
const label = (name, required) => ({ title: labelled(name, required), "x-name": name });

// Returns true for the two types of a Python Decimal: a number, or text that keeps all digits.
function isDecimal(branches) {
  const types = branches.map((each) => each.schema.type).sort();
  return types.length === 2 && types[0] === "number" && types[1] === "string" && branches.some((each) => each.schema.pattern);
}

function withNull(prepared, nullable) {
  return nullable ? { ...prepared, "x-nullable": true } : prepared;
}

function scalar(schema, labels) {
  const { title, description, ...kept } = schema;
  const boolean = schema.type === "boolean";
  const withDefault = "default" in schema ? schema.default : boolean ? false : null;
  if (boolean && withDefault === null) return choice(schema, [true, false], labels);
  return { ...kept, default: withDefault, "x-field": fieldFor(schema), ...labels, description: described(schema, hints(schema)) };
}

function fieldFor(schema) {
  if (schema.type === "boolean") return "checkbox";
  if (schema.type !== "string") return "number";
  if (schema.writeOnly || schema.format === "password") return "secret";
  const encoded = schema.contentEncoding?.startsWith("base64");
  if (encoded || schema.format?.startsWith("base64") || schema.format === "binary") return "file";
  if (["date", "time", "date-time"].includes(schema.format)) return schema.format;
  const short = schema.format || schema.pattern || schema.maxLength <= 100 || schema["x-decimal"];
  return short ? "text" : "long-text";
}

function choice(schema, values, labels) {
  const { title, description, ...kept } = schema;
  const only = values.length === 1 ? values[0] : null;
  return {
    ...kept,
    type: schema.type ?? "string",
    default: schema.default ?? only,
    "x-field": "choice",
    "x-choices": values.filter((each) => each !== null),
    "x-nullable": values.includes(null) || undefined,
    ...labels,
    description: described(schema, []),
  };
}

function json(schema, labels) {
  const structured = schema.type === "object" || schema.type === "array";
  const hint = structured ? words.json_structure_hint : words.json_hint;
  return {
    type: "string",
    default: schema.default ?? null,
    "x-field": structured ? "json" : "json-or-text",
    "x-nullable": !schema.type || undefined,
    ...labels,
    description: described(schema, [hint]),
  };
}

function labelled(name, required) {
  const mark = required === null ? "" : ` <span class="mark">${required ? words.required : words.optional}</span>`;
  return escaped(name, required === null) + mark;
}

function described(schema, all) {
  const told = [schema.description, ...all].filter(Boolean).map((each) => escaped(each));
  return told.join(" · ");
}

// Escapes text for jedison, which treats labels as HTML and double braces as its own templates.
function escaped(text, keepTemplate = false) {
  const safe = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
  return keepTemplate ? safe : safe.replaceAll("{{", "{&#123;");
}

function hints(schema) {
  const all = words.hints;
  if (schema["x-decimal"]) return [all.number];
  if (schema.type === "string") {
    return [all[schema.format], bounds(schema.minLength, schema.maxLength, "length", "min_length", "max_length")];
  }
  if (schema.type === "boolean") return [];
  const step = schema.multipleOf === undefined ? null : fill(all.multiple, { step: schema.multipleOf });
  return [all[schema.type], range(schema), step];
}

function range({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }) {
  const all = words.hints;
  if (minimum !== undefined && maximum !== undefined) return fill(all.range, { low: minimum, high: maximum });
  const low = minimum === undefined ? exclusiveMinimum : minimum;
  const high = maximum === undefined ? exclusiveMaximum : maximum;
  const parts = [
    low === undefined ? null : fill(minimum === undefined ? all.more_than : all.at_least, { low }),
    high === undefined ? null : fill(maximum === undefined ? all.less_than : all.at_most, { high }),
  ];
  return parts.filter(Boolean).join(", ");
}

function bounds(low, high, both, least, most) {
  const all = words.hints;
  if (low !== undefined && high !== undefined) return fill(all[both], { low, high });
  if (low !== undefined) return fill(all[least], { low });
  return high === undefined ? null : fill(all[most], { high });
}
