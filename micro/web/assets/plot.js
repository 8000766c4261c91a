// Draws a small line plot as SVG, with a text label for screen readers.

import { fill, number } from "./format.js";
import texts from "./texts.js";

const SPACE = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, EDGE, FOOT] = [640, 200, 64, 10, 22];
const MOST_POINTS = 1200;

// A missing number (null) interrupts the line. `format` formats the values at the axis.
export function linePlot(values, path, { format = number, label, from = null } = {}) {
  const known = values.filter((each) => each !== null);
  const [low, high] = limits(known, from);
  const told = label ?? fill(texts.result.plot_label, { path, count: values.length, low: format(low), high: format(high) });
  const x = (index) => LEFT + (index / Math.max(1, values.length - 1)) * (WIDTH - LEFT - EDGE);
  const y = (value) => HEIGHT - FOOT - ((value - low) / (high - low || 1)) * (HEIGHT - FOOT - EDGE);
  const grid = ticks(low, high).map((value) => [
    svg("line", { x1: LEFT, x2: WIDTH - EDGE, y1: y(value), y2: y(value), class: "grid" }),
    svg("text", { x: LEFT - 8, y: y(value) + 4, class: "tick", "text-anchor": "end" }, format(value)),
  ]);
  const ends = [
    svg("text", { x: LEFT, y: HEIGHT - 4, class: "tick" }, "1"),
    svg("text", { x: WIDTH - EDGE, y: HEIGHT - 4, class: "tick", "text-anchor": "end" }, number(values.length)),
  ];
  const line = svg("path", { d: drawn(values, x, y), class: "line" });
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": told, class: "plot" }, ...grid.flat(), ...(label ? [] : ends), line);
}

// Returns two to five round values between the limits, for the marks of the axis.
function ticks(low, high) {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= rough) ?? rough;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

function limits(known, from) {
  if (!known.length) return [0, 1];
  const least = known.reduce((a, b) => Math.min(a, b));
  const most = known.reduce((a, b) => Math.max(a, b));
  const low = from === null ? least : Math.min(from, least);
  return low === most ? [low, low + (Math.abs(low) || 1)] : [low, most];
}

function drawn(values, x, y) {
  const step = Math.max(1, Math.ceil(values.length / MOST_POINTS));
  let path = "";
  let broken = true;
  for (let index = 0; index < values.length; index += step) {
    const value = values[index];
    if (value !== null) path += `${broken ? "M" : "L"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
    broken = value === null;
  }
  // A line of a single point is drawn as a dot, by its round cap.
  return path.includes("L") || path === "" ? path : `${path}h0.01`;
}

function svg(tag, attributes, ...children) {
  const made = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
