// Reads the text format of Prometheus, and sums up runs by plugin.

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const GOOD = new Set(["ok", "success", "succeeded"]);

// Returns [{name, labels, value}] of every sample.
export function samples(text) {
  return text
    .split("\n")
    .filter((line) => line && !line.startsWith("#"))
    .map((line) => LINE.exec(line))
    .filter(Boolean)
    .map(([, name, labels = "", value]) => ({ name, labels: labelsOf(labels), value: Number(value) }));
}

function labelsOf(text) {
  const unescaped = (value) => value.replace(/\\(.)/g, (_, sign) => (sign === "n" ? "\n" : sign));
  return Object.fromEntries([...text.matchAll(LABEL)].map(([, name, value]) => [name, unescaped(value)]));
}

// Returns a Map from each plugin's name to {runs, failed, seconds}, as counted since the service started.
export function runsByPlugin(text) {
  const found = new Map();
  const of = (plugin) => {
    if (!found.has(plugin)) found.set(plugin, { runs: 0, failed: 0, seconds: 0, timed: 0 });
    return found.get(plugin);
  };
  for (const { name, labels, value } of samples(text)) {
    if (!("plugin" in labels)) continue;
    if (name === "micro_runs_total") {
      of(labels.plugin).runs += value;
      if (!GOOD.has(labels.outcome)) of(labels.plugin).failed += value;
    }
    if (name === "micro_run_seconds_sum") of(labels.plugin).seconds += value;
    if (name === "micro_run_seconds_count") of(labels.plugin).timed += value;
  }
  return found;
}

// Returns what happened between two looks, some seconds apart: runs a second, and seconds a run (null: none).
export function between(before, after, apart) {
  const runs = Math.max(0, after.runs - before.runs);
  const timed = after.timed - before.timed;
  return { rate: runs / apart, mean: timed > 0 ? (after.seconds - before.seconds) / timed : null };
}
