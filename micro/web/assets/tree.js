// Shows a JSON value as a collapsible tree. Long lists and texts are shortened, with a button to show more.

import { element } from "./dom.js";
import { counted } from "./format.js";
import texts from "./texts.js";

const words = texts.result;
const FIRST = 50;
const LONGEST_TEXT = 300;
const LONGEST_DATA = 60;
const OPEN_DEPTH = 2;

export function tree(value) {
  return element("div", { class: "tree" }, branch(value, 0));
}

function branch(value, depth) {
  if (value === null || typeof value !== "object") return leaf(value);
  const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  if (!entries.length) return element("span", { class: "none" }, Array.isArray(value) ? words.empty_array : words.empty_object);
  const list = element("dl", {});
  addRows(list, entries, 0, depth);
  return list;
}

function addRows(list, entries, from, depth) {
  const part = entries.slice(from, from + FIRST);
  list.append(...part.map(([key, each]) => row(key, each, depth)));
  const next = from + part.length;
  if (next >= entries.length) return;
  const more = element("button", { type: "button", class: "more", click: () => (more.parentElement.remove(), addRows(list, entries, next, depth)) }, texts.more);
  list.append(element("div", { class: "row" }, element("dt", {}, "…"), element("dd", {}, more)));
}

function row(key, value, depth) {
  const name = element("dt", {}, String(key));
  const nested = value !== null && typeof value === "object" && Object.keys(value).length > 0;
  if (!nested) return element("div", { class: "row" }, name, element("dd", {}, branch(value, depth)));
  return element("div", { class: "row nested" }, name, element("dd", {}, fold(value, depth + 1)));
}

function fold(value, depth) {
  const count = Object.keys(value).length;
  const isList = Array.isArray(value);
  const told = counted(count, isList ? words.items_one : words.members_one, isList ? words.items : words.members);
  const place = element("details", { open: depth < OPEN_DEPTH && count <= FIRST }, element("summary", {}, told));
  const open = () => place.open && place.children.length === 1 && place.append(branch(value, depth));
  place.addEventListener("toggle", open);
  open();
  return place;
}

function leaf(value) {
  if (value === null) return element("span", { class: "none" }, words.nothing);
  if (typeof value === "boolean") return element("span", { class: "value" }, value ? words.yes : words.no);
  if (typeof value === "number") return element("span", { class: "value number" }, String(value));
  return text(value);
}

function text(value) {
  const longest = value.startsWith("data:") ? LONGEST_DATA : LONGEST_TEXT;
  const shown = element("span", { class: "value text" }, value.slice(0, longest));
  if (value.length <= longest) return shown;
  const more = element("button", { type: "button", class: "more", click: () => (more.remove(), (shown.textContent = value)) }, texts.more);
  return element("span", {}, shown, "… ", more);
}
