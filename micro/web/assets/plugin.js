// The page of one plugin: fill in the parameters, run it, see the result.

import { call, get, read, root } from "./api.js";
import { sampleParameters, showCalls } from "./calls.js";
import { byId, element, update } from "./dom.js";
import { counted, duration, fill } from "./format.js";
import { ParameterForm } from "./form.js";
import { empty, showProblem } from "./notice.js";
import { showResult } from "./result.js";
import texts from "./texts.js";

const words = texts.plugin;
const asked = new URLSearchParams(location.search).get("name");
const problems = byId("problems");
const buttons = [byId("run"), byId("submit")];
let form = null;
let info = null;
let sample = {};

async function load() {
  byId("notice").replaceChildren();
  if (!asked) return byId("notice").replaceChildren(empty(words.missing, ""));
  try {
    const path = encodeURIComponent(asked);
    const [found, help] = await Promise.all([get(`info/${path}`), get(`help/${path}`)]);
    info = found;
    sample = sampleParameters(info, help);
    show(help);
  } catch (problem) {
    showProblem(byId("notice"), problem, load);
  }
}

function show(help) {
  document.title = `${info.name} · ${texts.brand}`;
  byId("page").hidden = false;
  byId("name").replaceChildren(info.name, info.version ? element("span", { class: "version" }, info.version) : "");
  update(byId("summary"), info.description ?? "");
  form = new ParameterForm(byId("fields"), info.parameters ?? {}, showCall);
  if (form.isEmpty) byId("fields").replaceChildren(element("p", { class: "fine" }, words.no_parameters));
  showPresets(help.examples ?? []);
  showAbout(help);
  fillInAgain(`micro.again.${info.name}`);
  showCall();
}

// Fills in the parameters that the page of a job has stored for this page. Leaves out secrets, as jobs mask them.
function fillInAgain(key) {
  const given = JSON.parse(sessionStorage.getItem(key) ?? "{}");
  sessionStorage.removeItem(key);
  const known = Object.entries(given).filter(([name]) => form.schema.properties[name]?.["x-field"] !== "secret");
  if (known.length) form.show(Object.fromEntries(known));
}

function showPresets(examples) {
  const place = byId("presets");
  place.hidden = examples.length === 0;
  const preset = (title, params) => element("button", { type: "button", click: () => fillIn(params) }, title);
  const named = examples.map((each, index) => preset(fill(words.preset, { number: index + 1 }), each.params ?? {}));
  place.replaceChildren(element("span", {}, words.presets), ...named, preset(words.clear, {}));
}

function fillIn(params) {
  problems.replaceChildren();
  if (isJson()) byId("all-json").value = JSON.stringify(params, null, 2);
  else form.show(params);
  showCall();
}

function showAbout(help) {
  const website = /^https?:/.test(info.url ?? "") ? element("a", { href: info.url, rel: "noreferrer" }, info.url) : info.url;
  const facts = [
    [words.author, [info.author, info.author_email].filter(Boolean).join(", ")],
    [words.website, website],
    [words.origin, info.origin],
    [words.version, info.version],
  ].filter(([, value]) => value);
  const text = typeof help.help === "string" ? help.help : help.help && JSON.stringify(help.help, null, 2);
  byId("about").replaceChildren(
    ...[info.long_description, text].filter(Boolean).map((each) => element("p", { class: "prose" }, String(each))),
    element("dl", { class: "facts" }, facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
  );
}

function showCall() {
  const given = isJson() ? {} : form.value();
  byId("call").replaceChildren(showCalls(info.name, Object.keys(given).length ? given : sample));
}

const isJson = () => byId("as-json").getAttribute("aria-pressed") === "true";

function switchTo(json) {
  if (json === isJson()) return;
  let params = null;
  try {
    params = parameters();
  } catch (problem) {
    return showProblem(problems, problem);
  }
  problems.replaceChildren();
  byId("as-json").setAttribute("aria-pressed", String(json));
  byId("as-form").setAttribute("aria-pressed", String(!json));
  if (json) showJson(params);
  else form.show(params);
}

function showJson(params) {
  form.jedison.destroy();
  form.jedison = null;
  const area = element("textarea", { id: "all-json", spellcheck: "false", autocomplete: "off" });
  area.value = JSON.stringify(params, null, 2);
  byId("fields").replaceChildren(element("label", { for: "all-json", class: "jedi-label" }, words.json_label), area);
}

// Returns the parameters as filled in. Throws an error to show if the JSON text is not an object.
function parameters() {
  if (!isJson()) return form.value();
  try {
    const params = JSON.parse(byId("all-json").value || "{}");
    if (params === null || typeof params !== "object" || Array.isArray(params)) throw new Error(typeof params);
    return params;
  } catch (error) {
    throw new Error(fill(words.json_bad, { reason: error.message }));
  }
}

async function start(asJob) {
  problems.replaceChildren();
  if (form.jedison) form.showErrors([]);
  buttons.forEach((each) => (each.disabled = true));
  update(byId("state"), asJob ? words.submitting : words.running);
  try {
    await (asJob ? submit() : run());
  } catch (problem) {
    showErrors(problem);
  } finally {
    buttons.forEach((each) => (each.disabled = false));
    update(byId("state"), "");
  }
}

const post = (headers = {}) =>
  call(`run/${encodeURIComponent(info.name)}`, { method: "POST", body: JSON.stringify(parameters()), headers });

async function run() {
  const began = performance.now();
  const result = await read(await post());
  update(byId("took"), fill(words.took, { name: info.name, duration: duration((performance.now() - began) / 1000) }));
  showResult(byId("result"), result);
  if (matchMedia("(max-width: 60rem)").matches) byId("result-title").scrollIntoView();
}

async function submit() {
  const job = await read(await post({ Prefer: "respond-async" }));
  location.href = `${root}ui/job?id=${encodeURIComponent(job.id)}`;
}

function showErrors(problem) {
  const errors = problem.fields?.errors ?? [];
  const homeless = form.jedison ? form.showErrors(errors) : errors;
  const placed = errors.length - homeless.length;
  if (!errors.length) return showProblem(problems, problem, problem.status === 401 ? () => {} : undefined);
  const told = placed ? counted(placed, words.fields_bad_one, words.fields_bad) : null;
  problems.replaceChildren(
    element(
      "div",
      { class: "notice bad", role: "alert" },
      told && element("p", {}, told),
      ...homeless.map((each) => element("p", {}, `${each.pointer.slice(1)}: ${each.message}`)),
    ),
  );
}

byId("form").addEventListener("submit", (event) => (event.preventDefault(), start(false)));
byId("submit").addEventListener("click", () => start(true));
byId("as-form").addEventListener("click", () => switchTo(false));
byId("as-json").addEventListener("click", () => switchTo(true));
byId("form").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.target.dispatchEvent(new Event("change", { bubbles: true }));
  byId("form").requestSubmit();
});
load();
