// The page of all plugins: search, code to call each plugin, and the plugins that failed to load.

import { call, get, read, root } from "./api.js";
import { sampleParameters, showCalls } from "./calls.js";
import { byId, element, update } from "./dom.js";
import { counted, fill, shortPaths } from "./format.js";
import { empty, showProblem } from "./notice.js";
import { poll } from "./poll.js";
import texts from "./texts.js";

const words = texts.catalogue;
const list = byId("plugins");
const search = byId("search");
let shown = null;
let plugins = [];
let generation = null;

async function look() {
  const response = await call("plugins");
  plugins = await read(response);
  generation = response.headers.get("Micro-Generation");
  const now = JSON.stringify([plugins, generation]);
  if (now !== shown) render();
  shown = now;
  showFailed(await get("status", { quiet: true }).catch(() => null));
}

function render() {
  const cards = new Map([...list.children].map((each) => [each.dataset.key, each]));
  const wanted = plugins.map((plugin) => {
    // The generation is part of the key: after a reload a plugin may have other parameters, so its card is new.
    const key = JSON.stringify([plugin, generation]);
    return cards.get(key) ?? card(plugin, key);
  });
  list.replaceChildren(...wanted);
  list.removeAttribute("aria-busy");
  filter();
}

function card(plugin, key) {
  const origin = element("p", { class: "fine origin" });
  const calls = element("details", {}, element("summary", {}, words.call));
  const made = element(
    "li",
    { class: "card", "data-key": key, "data-text": `${plugin.name} ${plugin.description ?? ""}`.toLowerCase() },
    element(
      "h2",
      {},
      element("a", { href: `${root}ui/plugin?name=${encodeURIComponent(plugin.name)}` }, plugin.name),
      plugin.version && element("span", { class: "version" }, plugin.version),
    ),
    element("p", { class: plugin.description ? null : "without" }, plugin.description || words.no_description),
    origin,
    calls,
  );
  whenSeen(made, async () => showOrigin(origin, (await details(plugin.name)).info.origin));
  calls.addEventListener("toggle", () => fillCalls(calls, plugin.name), { once: true });
  return made;
}

function showOrigin(target, origin) {
  update(target, `${words.origin} ${shortPaths(origin)}`);
  target.title = origin;
}

const details = (name) => {
  const path = encodeURIComponent(name);
  return Promise.all([get(`info/${path}`), get(`help/${path}`)]).then(([info, help]) => ({ info, help }));
};

async function fillCalls(target, name) {
  const place = element("div", {}, element("p", { class: "fine" }, texts.loading));
  target.append(place);
  try {
    const { info, help } = await details(name);
    place.replaceChildren(showCalls(info.name, sampleParameters(info, help)));
  } catch (problem) {
    showProblem(place, problem);
  }
}

const seen = new IntersectionObserver((entries) => {
  for (const entry of entries.filter((each) => each.isIntersecting)) {
    seen.unobserve(entry.target);
    entry.target.whenSeen().catch(() => {});
  }
});

function whenSeen(target, act) {
  target.whenSeen = act;
  seen.observe(target);
}

function filter() {
  const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const each of list.children) {
    each.hidden = !wanted.every((word) => each.dataset.text?.includes(word));
    found += each.hidden ? 0 : 1;
  }
  const count = plugins.length;
  const told = wanted.length ? fill(words.found, { found, count }) : counted(count, words.count_one, words.count);
  const suffix = generation ? ` · ${fill(words.generation, { generation })}` : "";
  update(byId("summary"), told + suffix);
  document.querySelector(".nothing")?.remove();
  if (found) return;
  const hint = count ? empty(words.no_match, words.no_match_hint) : empty(words.none, words.none_hint);
  hint.classList.add("nothing");
  list.after(hint);
}

function showFailed(status) {
  const failed = status?.plugins?.failed ?? [];
  const section = byId("failed");
  section.hidden = failed.length === 0;
  const items = failed.map(({ name, origin, cause }) =>
    element(
      "li",
      {},
      element("h3", {}, name, element("span", { class: "fine", title: origin }, ` ${words.origin.toLowerCase()} ${shortPaths(origin)}`)),
      element("p", { class: "cause", title: cause }, shortPaths(cause)),
    ),
  );
  const target = section.querySelector("ul");
  const now = JSON.stringify(failed);
  if (target.dataset.shown !== now) target.replaceChildren(...items);
  target.dataset.shown = now;
}

search.value = new URLSearchParams(location.search).get("q") ?? "";
search.addEventListener("input", () => {
  const address = new URL(location.href);
  if (search.value) address.searchParams.set("q", search.value);
  else address.searchParams.delete("q");
  history.replaceState(null, "", address);
  filter();
});
poll(look, 3);
