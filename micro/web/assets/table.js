// Shows a list of similar objects as a table; a button shows more rows.

import { element } from "./dom.js";
import { fill, number } from "./format.js";
import texts from "./texts.js";

const words = texts.result;
const FIRST = 50;

export function table(records, path) {
  const names = Object.keys(records[0]);
  const numeric = names.map((name) => records.every((each) => each[name] === null || typeof each[name] === "number"));
  const cell = (value, index) => element("td", { class: numeric[index] ? "number" : null }, shown(value));
  const row = (record) => element("tr", {}, names.map((name, index) => cell(record[name], index)));
  const head = names.map((name, index) => element("th", { scope: "col", class: numeric[index] ? "number" : null }, name));
  const body = element("tbody", {}, records.slice(0, FIRST).map(row));
  const scroll = element(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": fill(words.table, { path }) },
    element("table", {}, element("thead", {}, element("tr", {}, head)), body),
  );
  if (records.length <= FIRST) return scroll;
  const more = element("button", { type: "button", class: "more", click: () => (more.remove(), body.append(...records.slice(FIRST).map(row))) },
    `${texts.more} (${fill(words.rows, { count: number(records.length) })})`);
  return element("div", {}, scroll, more);
}

function shown(value) {
  if (value === null) return element("span", { class: "none" }, words.nothing);
  if (typeof value === "boolean") return value ? words.yes : words.no;
  return String(value);
}
