// Shows a result: its pictures, tables and plots, and the whole as a tree and as JSON.

import { codeBlock } from "./code.js";
import { element } from "./dom.js";
import { fill } from "./format.js";
import { linePlot } from "./plot.js";
import { table } from "./table.js";
import { tabs } from "./tabs.js";
import texts from "./texts.js";
import { tree } from "./tree.js";

const words = texts.result;
const PICTURE = /^data:image\/(png|jpeg|gif|webp|avif|bmp|svg\+xml)[;,]/;
const DEEPEST = 6;
const MOST_PIECES = 24;
const FEWEST_NUMBERS = 3;

export function showResult(target, value) {
  const found = pieces(value);
  const whole = tree(value);
  const view = found.length
    ? [...found, element("details", { class: "whole", open: !onlyPieces(value) }, element("summary", {}, words.all), whole)]
    : [whole];
  target.replaceChildren(
    tabs(words.label, [
      { title: words.view, content: view },
      { title: words.json, content: () => codeBlock(JSON.stringify(value, null, 2)) },
    ]),
  );
}

// Returns a figure for each part of the value that can be shown as a picture, table or plot.
function pieces(value, path = "", depth = 0, found = []) {
  if (found.length >= MOST_PIECES || depth > DEEPEST) return found;
  const piece = pieceOf(value, path);
  if (piece) found.push(piece);
  else if (value !== null && typeof value === "object") {
    const entries = Array.isArray(value) ? value.slice(0, MOST_PIECES).entries() : Object.entries(value);
    for (const [key, each] of entries) pieces(each, path ? `${path}.${key}` : String(key), depth + 1, found);
  }
  return found;
}

function pieceOf(value, path) {
  if (typeof value === "string" && PICTURE.test(value)) {
    return figure(path, element("img", { src: value, alt: fill(words.picture, { path }) }));
  }
  if (isSeries(value)) return figure(path, linePlot(value, path));
  if (isRecords(value)) return figure(path, table(value, path));
  return null;
}

function figure(caption, content) {
  return element("figure", {}, element("figcaption", {}, caption), content);
}

function isSeries(value) {
  return Array.isArray(value) && value.length >= FEWEST_NUMBERS && value.every((each) => typeof each === "number");
}

// Returns true for a list of flat objects that all have the same members.
function isRecords(value) {
  if (!Array.isArray(value) || value.length < 1 || !value.every(isFlat)) return false;
  const names = Object.keys(value[0]).join("\n");
  return names !== "" && value.every((each) => Object.keys(each).join("\n") === names);
}

function isFlat(value) {
  const isObject = value !== null && typeof value === "object" && !Array.isArray(value);
  return isObject && Object.values(value).every((each) => each === null || typeof each !== "object");
}

function onlyPieces(value) {
  return Object.values(value ?? {}).every((each) => pieceOf(each, "") !== null);
}
