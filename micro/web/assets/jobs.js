// The page of all jobs: newest first, with filters, updated every two seconds.

import { get } from "./api.js";
import { byId, element, update } from "./dom.js";
import { counted, duration, fill, moment } from "./format.js";
import { badge, isFinished, jobAddress, lasted, progressBar } from "./jobparts.js";
import { empty } from "./notice.js";
import { poll } from "./poll.js";
import texts from "./texts.js";

const words = texts.jobs;
const PAGE = 50;
const MOST = 500;
const filters = { plugin: byId("plugin"), state: byId("state") };
let wanted = PAGE;

async function look() {
  const query = new URLSearchParams(chosen());
  let jobs = [];
  let next = `jobs?${new URLSearchParams([...query, ["limit", Math.min(wanted, PAGE)]])}`;
  while (next && jobs.length < wanted) {
    const page = await get(next);
    jobs = jobs.concat(page.jobs);
    next = page.next && `jobs${new URL(page.next, location.href).search}`;
  }
  show(jobs, Boolean(next));
}

function chosen() {
  return Object.entries(filters).filter(([, field]) => field.value).map(([name, field]) => [name, field.value]);
}

function show(jobs, more) {
  byId("list").hidden = jobs.length === 0;
  byId("none").hidden = jobs.length > 0;
  byId("older").hidden = !more || wanted >= MOST;
  const [title, hint] = chosen().length ? [words.no_match, words.no_match_hint] : [words.none, words.none_hint];
  if (!jobs.length) byId("none").replaceChildren(empty(title, hint));
  update(byId("summary"), more ? fill(words.count_more, { count: jobs.length }) : counted(jobs.length, words.count_one, words.count));
  keepRows(jobs);
}

// Reuses the elements of the rows, so that a focused link keeps the focus.
function keepRows(jobs) {
  const body = byId("jobs");
  const rows = new Map([...body.children].map((row) => [row.dataset.id, row]));
  const kept = jobs.map((job) => {
    const row = rows.get(job.id) ?? newRow(job);
    fillRow(row, job);
    return row;
  });
  if (kept.length !== body.children.length || kept.some((row, index) => body.children[index] !== row)) body.replaceChildren(...kept);
}

function newRow(job) {
  const link = element("a", { href: jobAddress(job.id) }, job.plugin, element("span", { class: "hidden" }, ` ${job.id}`));
  return element(
    "tr",
    { "data-id": job.id },
    element("th", { scope: "row" }, link, element("span", { class: "fine id" }, job.id.slice(-12))),
    ...["", "wide", "", "number"].map((kind) => element("td", { class: kind || null })),
  );
}

function fillRow(row, job) {
  const [, state, progress, created, lasting] = row.children;
  const now = JSON.stringify([job.state, job.progress, job.cancel_requested]);
  if (row.dataset.shown !== now) {
    row.dataset.shown = now;
    state.replaceChildren(badge(job.state));
  }
  progress.replaceChildren(progressBar(isFinished(job) ? null : job.progress, job) ?? summary(job));
  update(created, moment(job.created));
  const spent = lasted(job);
  update(lasting, spent === null ? "" : duration(spent));
}

function summary(job) {
  return element("span", { class: "fine" }, job.error?.error ?? "");
}

async function offerPlugins() {
  for (const { name } of await get("plugins").catch(() => [])) {
    if ([...filters.plugin.options].some((each) => each.value === name)) continue;
    filters.plugin.append(element("option", { value: name }, name));
  }
}

function readAddress() {
  const query = new URLSearchParams(location.search);
  filters.state.value = query.get("state") ?? "";
  const plugin = query.get("plugin");
  if (!plugin) return;
  filters.plugin.append(element("option", { value: plugin }, plugin));
  filters.plugin.value = plugin;
}

function writeAddress() {
  const query = new URLSearchParams(chosen()).toString();
  history.replaceState(null, "", query ? `?${query}` : location.pathname);
}

readAddress();
const lookNow = poll(look, 2);
for (const field of Object.values(filters)) {
  field.addEventListener("change", () => {
    wanted = PAGE;
    writeAddress();
    lookNow();
  });
}
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("older").addEventListener("click", () => {
  wanted += PAGE;
  lookNow();
});
offerPlugins();
