// The page of the service: processes, queues, failures, and runs of each plugin.

import { call, get } from "./api.js";
import { byId, element, update } from "./dom.js";
import { duration, fill, moment, number } from "./format.js";
import { jobAddress } from "./jobparts.js";
import { between, runsByPlugin, samples, statusFrom } from "./metrics.js";
import { linePlot } from "./plot.js";
import { poll } from "./poll.js";
import texts from "./texts.js";

const words = texts.service;
const EVERY_SECONDS = 3;
const POINTS = 100;
const FAILURES = 8;
const MOST_PLUGINS = 12;
const history = new Map();
let last = null;

const fine = (text) => element("p", { class: "fine" }, text);
const unknown = (value) => (value === null || value === undefined ? words.unknown : String(value));

async function look() {
  const [status, metrics, failures] = await Promise.all([
    offered(get("status")),
    offered(call("metrics").then((response) => response.text())),
    offered(get(`jobs?state=failed&limit=${FAILURES}`)),
  ]);
  const measured = metrics === null ? null : samples(metrics);
  const known = { ...(measured && statusFrom(measured)), ...told(status) };
  byId("page").hidden = false;
  update(byId("summary"), status || measured ? "" : words.no_status);
  showNumbers(known);
  showProcesses(status);
  showQueues(known);
  showFailures(failures?.jobs ?? [], status?.last_failure);
  showRuns(measured);
}

// Removes the members of the status that are null: they are not known.
const told = (status) => Object.fromEntries(Object.entries(status ?? {}).filter(([, value]) => value !== null));

// Returns null for a page that the service does not have (404) or that this API key may not see (403).
async function offered(answer) {
  try {
    return await answer;
  } catch (problem) {
    if (problem.status === 404 || problem.status === 403) return null;
    throw problem;
  }
}

function showNumbers(status) {
  const { plugins, jobs } = status;
  const failed = plugins?.failed?.length ?? 0;
  const facts = [
    [words.version, status.version],
    [words.generation, status.generation],
    [words.plugins, plugins?.loaded, failed ? fill(words.plugins_failed, { failed }) : null],
    [words.jobs_queued, jobs?.queued],
    [words.jobs_running, jobs?.running],
    [words.up_since, status.started && moment(status.started)],
  ].filter(([, value]) => value !== null && value !== undefined);
  const size = (value) => (String(value).length > 12 ? "long" : null);
  const made = facts.map(([name, value, note]) =>
    element(
      "div",
      {},
      element("dt", {}, name),
      element("dd", { class: size(value) }, String(value), note && element("span", { class: "fine" }, note)),
    ),
  );
  byId("numbers").replaceChildren(...made);
}

function showProcesses(status) {
  const processes = status?.processes ?? [];
  const heads = [words.process, words.state, words.pid, words.restarts, words.generation, words.since];
  const rows = processes.map((each) => [
    each.name,
    element("span", { class: `badge ${each.state === "up" ? "good" : ""}` }, unknown(each.state)),
    unknown(each.pid),
    unknown(each.restarts),
    unknown(each.generation),
    each.since ? moment(each.since) : words.unknown,
  ]);
  byId("processes").closest("section").hidden = status === null;
  byId("processes").replaceChildren(rows.length ? grid(words.processes, heads, rows) : fine(words.no_processes));
}

function showQueues(status) {
  const rows = (status.queues ?? []).map((each) => [each.name, unknown(each.depth)]);
  byId("queues").replaceChildren(rows.length ? grid(words.queues, [words.queue, words.depth], rows) : fine(words.no_queues));
}

function showFailures(jobs, failure) {
  const items = jobs.map((job) =>
    element(
      "li",
      {},
      element("a", { href: jobAddress(job.id) }, job.plugin),
      element("span", { class: "fine" }, ` ${moment(job.finished ?? job.created)}`),
      element("p", { class: "fine" }, job.error?.error ?? ""),
    ),
  );
  const process = failure && [
    element("h3", { class: "spaced" }, words.failure),
    element("p", {}, failure.what, element("span", { class: "fine" }, ` ${moment(failure.time)}`)),
    element("p", { class: "fine" }, failure.reason),
  ];
  const list = items.length ? element("ul", { class: "plain" }, items) : fine(words.no_failures);
  byId("failures").replaceChildren(list, ...(process || []));
}

function grid(label, heads, rows) {
  const head = heads.map((each) => element("th", { scope: "col" }, each));
  const body = rows.map(([first, ...others]) =>
    element("tr", {}, element("th", { scope: "row" }, first), others.map((each) => element("td", {}, each))),
  );
  const made = element("table", {}, element("thead", {}, element("tr", {}, head)), element("tbody", {}, body));
  return element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, made);
}

function showRuns(measured) {
  if (measured === null) return byId("runs").replaceChildren(fine(words.no_metrics));
  const runs = runsByPlugin(measured);
  const now = performance.now() / 1000;
  if (last) remember(runs, now - last.now);
  last = { runs, now };
  const known = [...runs].filter(([, each]) => each.runs > 0).sort((a, b) => b[1].runs - a[1].runs);
  if (!known.length) return byId("runs").replaceChildren(fine(words.no_runs));
  const shown = known.slice(0, MOST_PLUGINS);
  update(byId("runs-note"), shown.length < known.length ? fill(words.runs_most, { count: shown.length }) : words.runs_note);
  byId("runs").replaceChildren(element("ul", { class: "runs" }, shown.map(([name, each]) => runsOf(name, each))));
}

function remember(runs, apart) {
  for (const [name, each] of runs) {
    const points = history.get(name) ?? [];
    points.push(between(last.runs.get(name), each, apart));
    history.set(name, points.slice(-POINTS));
  }
}

function runsOf(name, { runs, refused, failed, seconds, timed }) {
  const points = history.get(name) ?? [];
  const facts = [
    [words.runs_total, number(runs)],
    [words.runs_refused, number(refused)],
    [words.runs_failed, number(failed)],
    [words.latency, timed ? duration(seconds / timed) : words.unknown],
  ];
  const plot = (title, key, format) =>
    element("figure", {}, element("figcaption", {}, title), linePlot(points.map((each) => each[key]), name, { label: `${title}: ${name}`, format, from: 0 }));
  return element(
    "li",
    {},
    element("div", {}, element("h3", {}, name), element("dl", { class: "facts" }, facts.flatMap(([key, value]) => [element("dt", {}, key), element("dd", {}, value)]))),
    plot(words.runs_plot, "rate", number),
    plot(words.latency_plot, "mean", duration),
  );
}

poll(look, EVERY_SECONDS);
