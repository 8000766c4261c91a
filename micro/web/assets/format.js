// Formats numbers, times and texts for display.

import texts from "./texts.js";

export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export function counted(count, one, many) {
  return count === 1 ? one : fill(many, { count: number(count) });
}

const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });
const plain = new Intl.NumberFormat("en", { maximumSignificantDigits: 6 });

export function number(value) {
  return Math.abs(value) >= 1e15 || (value !== 0 && Math.abs(value) < 1e-4)
    ? String(value)
    : plain.format(value);
}

export function duration(seconds) {
  const units = texts.units;
  if (seconds < 0.9995) return fill(units.ms, { value: seconds < 0.1 ? short.format(seconds * 1000) : Math.round(seconds * 1000) });
  if (seconds < 59.95) return fill(units.s, { value: seconds < 10 ? seconds.toFixed(1) : Math.round(seconds) });
  const whole = Math.round(seconds);
  const [minutes, hours, days] = [Math.floor(whole / 60), Math.floor(whole / 3600), Math.floor(whole / 86400)];
  if (hours < 1) return fill(units.min, { minutes, seconds: whole % 60 });
  if (days < 1) return fill(units.h, { hours, minutes: minutes % 60 });
  return fill(units.d, { days, hours: hours % 24 });
}

// Shortens file paths to their last two names.
export function shortPaths(text) {
  return text.replace(/(?:\/[^/\s'"]+)+(\/[^/\s'"]+\/[^/\s'"]+)/g, "…$1");
}

const time = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const dateAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function moment(iso) {
  const date = new Date(iso);
  const today = date.toDateString() === new Date().toDateString();
  return (today ? time : dateAndTime).format(date);
}

export function seconds(from, to) {
  return Math.max(0, ((to ? new Date(to) : new Date()) - new Date(from)) / 1000);
}

export function size(bytes) {
  const units = texts.units;
  if (bytes < 1000) return fill(units.bytes, { value: bytes });
  if (bytes < 1e6) return fill(units.kb, { value: (bytes / 1000).toFixed(1) });
  return fill(units.mb, { value: (bytes / 1e6).toFixed(1) });
}
