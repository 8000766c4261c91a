// Generates code that calls a plugin with given parameters: with curl, in Python, over Celery.

import { root } from "./api.js";
import { codeBlock } from "./code.js";
import { element } from "./dom.js";
import { storedKey } from "./key.js";
import { tabs } from "./tabs.js";
import texts from "./texts.js";

const NAME = /^[A-Za-z_]\w*$/;

export function showCalls(name, params) {
  return tabs(texts.calls.label, [
    { title: texts.calls.curl, content: codeBlock(curl(name, params)) },
    { title: texts.calls.python, content: codeBlock(python(name, params)) },
    { title: texts.calls.celery, content: [codeBlock(celery(name, params)), element("p", { class: "fine" }, texts.calls.celery_hint)] },
  ]);
}

function address() {
  return new URL(root, location.href).href.replace(/\/$/, "");
}

function curl(name, params) {
  const quoted = JSON.stringify(params).replaceAll("'", "'\\''");
  const key = storedKey() ? ` \\\n  -H "X-API-Key: $MICRO_API_KEY"` : "";
  return `curl -H 'Content-Type: application/json'${key} \\\n  -d '${quoted}' \\\n  '${address()}/run/${encodeURIComponent(name).replaceAll("'", "%27")}'`;
}

function python(name, params) {
  return [
    "from micro.client import connect",
    "",
    `with connect(${literal(address())}) as micro:`,
    `    print(micro.run(${[literal(name), ...keywords(params)].join(", ")}))`,
  ].join("\n");
}

function celery(name, params) {
  const queue = document.documentElement.dataset.queue;
  return [
    "from micro.api.endpoints import Requests",
    "",
    `requests = Requests("BROKER_URL", ${literal(queue)})`,
    `print(requests.run.delay(${[literal(name), ...keywords(params)].join(", ")}).wait())`,
  ].join("\n");
}

function keywords(params) {
  const [named, others] = [{}, {}];
  for (const [name, value] of Object.entries(params)) (NAME.test(name) ? named : others)[name] = value;
  const written = Object.entries(named).map(([name, value]) => `${name}=${literal(value)}`);
  return Object.keys(others).length ? [...written, `**${literal(others)}`] : written;
}

export function literal(value) {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${literal(each)}`).join(", ")}}`;
}

// Returns the parameters to show while the form is empty: those of the first example, else of the schema.
export function sampleParameters(info, help) {
  const example = help.examples?.[0]?.params;
  if (example) return example;
  const { properties = {}, required = [], $defs = {} } = info.parameters ?? {};
  return Object.fromEntries(required.map((name) => [name, sample(properties[name] ?? {}, $defs)]));
}

function sample(schema, definitions, depth = 0) {
  if (schema.$ref && depth < 5) return sample(definitions[schema.$ref.split("/").pop()] ?? {}, definitions, depth + 1);
  if ("default" in schema) return schema.default;
  if ("const" in schema) return schema.const;
  if (schema.enum) return schema.enum[0];
  const union = schema.anyOf ?? schema.oneOf;
  if (union && depth < 5) return sample(union[0], definitions, depth + 1);
  if (schema.type === "object" && depth < 5) {
    const names = schema.required ?? [];
    return Object.fromEntries(names.map((name) => [name, sample(schema.properties?.[name] ?? {}, definitions, depth + 1)]));
  }
  const numeric = schema.minimum ?? (schema.exclusiveMinimum === undefined ? 1 : schema.exclusiveMinimum + 1);
  return { integer: numeric, number: numeric, boolean: true, array: [], object: {}, null: null }[schema.type] ?? "…";
}
