// The parts of a job that several pages show: its state, progress and times.

import { element } from "./dom.js";
import { duration, fill, number, seconds } from "./format.js";
import texts from "./texts.js";

const FINISHED = new Set(["succeeded", "failed", "cancelled"]);

export const isFinished = (job) => FINISHED.has(job.state);

export function badge(state) {
  return element("span", { class: `badge ${state}` }, texts.states[state] ?? state);
}

export function jobAddress(id) {
  return `job?id=${encodeURIComponent(id)}`;
}

// Returns how long the job ran, or has been running, in seconds; null if it has not started.
export function lasted(job) {
  return job.started ? seconds(job.started, job.finished) : null;
}

// Returns an element that shows the progress of a run; null if the run has reported none.
export function progressBar(progress, job) {
  if (!progress) return null;
  const { done, total, message } = progress;
  const share = total ? Math.min(1, Math.max(0, done / total)) : null;
  const told = total ? fill(texts.job.done_of, { done: number(done), total: number(total) }) : fill(texts.job.done, { done: number(done) });
  const eta = isFinished(job) ? null : left(share, lasted(job));
  const notes = [told, message, eta && fill(texts.job.eta, { duration: duration(eta) })].filter(Boolean).join(" · ");
  const bar = element("progress", { class: job.state, max: 1, value: share ?? undefined, "aria-label": texts.job.progress });
  return element("div", { class: "progress" }, share === null ? null : bar, element("span", { class: "fine" }, notes));
}

function left(share, spent) {
  return share && share < 1 && spent !== null ? (spent * (1 - share)) / share : null;
}
