// Parses the Prometheus text format, and adds up the numbers that the service page shows.

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
// The count that the samples of each metric are added to.
const FIELDS = { micro_runs_total: "runs", micro_run_seconds_sum: "seconds", micro_run_seconds_count: "timed" };

// Returns every sample as {name, labels, value}.
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

const NONE = { runs: 0, refused: 0, failed: 0, seconds: 0, timed: 0 };

// Returns a Map from each plugin's name to its counts since the service started.
export function runsByPlugin(all) {
  const found = new Map();
  for (const { name, labels, value } of all) {
    const field = FIELDS[name];
    if (!field) continue;
    const counts = found.get(labels.plugin) ?? { ...NONE };
    counts[field] += value;
    if (field === "runs" && labels.outcome in counts) counts[labels.outcome] += value;
    found.set(labels.plugin, counts);
  }
  return found;
}

// Returns the runs per second and the mean seconds per run (null if none ran) between two sets of counts that
// were taken `apart` seconds apart.
export function between(before = NONE, after, apart) {
  const timed = after.timed - before.timed;
  const mean = timed > 0 ? (after.seconds - before.seconds) / timed : null;
  return { rate: Math.max(0, after.runs - before.runs) / apart, mean };
}

// Returns an object like that of /status, as far as the metrics contain it.
export function statusFrom(all) {
  const of = (name) => all.filter((each) => each.name === name);
  const jobs = Object.fromEntries(of("micro_jobs").map(({ labels, value }) => [labels.state, value]));
  return {
    version: of("micro_build_info")[0]?.labels.version ?? null,
    plugins: { loaded: of("micro_plugin_info").length, failed: [] },
    jobs: { queued: jobs.queued ?? null, running: jobs.running ?? null },
    queues: of("micro_queue_depth").map(({ labels, value }) => ({ name: labels.queue, depth: value })),
  };
}
