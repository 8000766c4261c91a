// The page of one job: live progress and log, result or error, buttons to cancel it and to run it again.

import { call, get, read, root } from "./api.js";
import { byId, element, update } from "./dom.js";
import { follow } from "./events.js";
import { duration, fill, moment, seconds } from "./format.js";
import { badge, isFinished, jobAddress, lasted, progressBar } from "./jobparts.js";
import { empty, showProblem } from "./notice.js";
import { showResult } from "./result.js";
import texts from "./texts.js";
import { tree } from "./tree.js";

const MOST_LINES = 5000;
const words = texts.job;
const id = new URLSearchParams(location.search).get("id");
const path = `jobs/${encodeURIComponent(id ?? "")}`;
let job = null;

async function load() {
  byId("notice").replaceChildren();
  if (!id) return byId("notice").replaceChildren(empty(words.missing, ""));
  try {
    await refresh();
    byId("page").hidden = false;
    setInterval(() => isFinished(job) || showTimes(), 1000);
    await follow(id, take, tellAway);
    if (!isFinished(job)) await refresh();
  } catch (problem) {
    if (problem.status === undefined) throw problem;
    showProblem(byId("notice"), problem, () => location.reload());
  }
}

async function refresh() {
  job = await get(path);
  document.title = `${job.plugin} · ${texts.titles.job} · ${texts.brand}`;
  showState();
  showFacts();
  byId("parameters").replaceChildren(parametersOf(job));
  if (isFinished(job)) await showOutcome();
}

function parametersOf({ params }) {
  const isEmpty = !params || Object.keys(params).length === 0;
  return isEmpty ? element("p", { class: "fine" }, words.no_parameters) : tree(params);
}

function take(kind, data) {
  if (kind === "state") refresh().catch((problem) => showProblem(byId("notice"), problem, load));
  if (kind === "progress") {
    job = { ...job, progress: data };
    showTimes();
  }
  if (kind === "log") addLine(data);
}

function tellAway(problem) {
  const notice = problem && element("p", { class: "notice warn", role: "status" }, texts.live.away);
  byId("notice").replaceChildren(...(notice ? [notice] : []));
}

function addLine({ level, text, time }) {
  const log = byId("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const when = new Date(typeof time === "number" ? time * 1000 : time);
  const stamp = Number.isNaN(when.getTime()) ? "" : when.toLocaleTimeString([], { hour12: false });
  byId("log-empty").hidden = true;
  log.hidden = false;
  log.firstElementChild.append(
    element("li", { class: String(level).toLowerCase() }, element("time", {}, stamp), element("b", {}, level), element("span", {}, text)),
  );
  if (log.firstElementChild.children.length > MOST_LINES) log.firstElementChild.firstElementChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function showState() {
  byId("name").replaceChildren(job.plugin, " ", badge(job.state));
  update(byId("state"), job.cancel_requested && !isFinished(job) ? words.cancelling : "");
  byId("cancel").hidden = isFinished(job);
  byId("cancel").disabled = job.cancel_requested;
  byId("retry").hidden = byId("again").hidden = !isFinished(job);
  if (isFinished(job)) update(byId("log-empty"), words.log_empty);
  showTimes();
}

function showTimes() {
  const spent = lasted(job);
  const since = job.started ? `${words.began} ${moment(job.started)}` : `${words.created} ${moment(job.created)}`;
  update(byId("summary"), spent === null ? since : `${since} · ${duration(spent)}`);
  byId("progress").replaceChildren(progressBar(job.progress, job) ?? element("p", { class: "fine" }, words.no_progress));
}

function showFacts() {
  const waited = job.started ? duration(seconds(job.created, job.started)) : null;
  const spent = isFinished(job) ? lasted(job) : null;
  const parent = job.parent && element("a", { href: jobAddress(job.parent) }, job.parent.slice(-12));
  const facts = [
    [words.created, moment(job.created)],
    [words.waited, waited],
    [words.began, job.started && moment(job.started)],
    [words.finished, job.finished && moment(job.finished)],
    [words.duration, spent === null ? null : duration(spent)],
    [words.attempt, job.attempt ? fill(words.attempt_of, { attempt: job.attempt, attempts: job.attempts }) : null],
    [words.worker, job.worker],
    [words.queue, job.queue],
    [words.generation, job.generation],
    [words.transport, job.transport],
    [words.parent, parent],
    [words.id, job.id],
  ].filter(([, value]) => value);
  byId("facts").replaceChildren(...facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

async function showOutcome() {
  const place = byId("outcome");
  if (!place.hidden) return;
  if (job.state === "succeeded") showResult(byId("result"), await get(`${path}/result`));
  else showError();
  place.hidden = false;
}

function showError() {
  update(byId("result-title"), words.error);
  const sentence = job.state === "cancelled" ? words.was_cancelled : (job.error?.error ?? texts.states.failed);
  const kind = job.state === "cancelled" ? "warn" : "bad";
  const errors = job.error?.errors ?? [];
  const rest = { ...job.error };
  for (const shown of ["error", "errors"]) delete rest[shown];
  byId("result").replaceChildren(
    element("div", { class: `notice ${kind} apart` }, element("p", {}, sentence), ...errors.map((each) => element("p", {}, `${each.pointer}: ${each.message}`))),
    ...(Object.keys(rest).length ? [tree(rest)] : []),
  );
}

async function act(button, action, then) {
  byId("problems").replaceChildren();
  button.disabled = true;
  try {
    await then(await read(await call(`${path}/${action}`, { method: "POST" })));
  } catch (problem) {
    button.disabled = false;
    showProblem(byId("problems"), problem);
  }
}

byId("cancel").addEventListener("click", (event) => act(event.target, "cancel", refresh));
byId("retry").addEventListener("click", (event) => act(event.target, "retry", (made) => (location.href = jobAddress(made.id))));
byId("again").addEventListener("click", () => {
  sessionStorage.setItem(`micro.again.${job.plugin}`, JSON.stringify(job.params ?? {}));
  location.href = `${root}ui/plugin?name=${encodeURIComponent(job.plugin)}`;
});
load();
