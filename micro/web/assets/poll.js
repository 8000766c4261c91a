// Polls the service while the page is visible.

import { showProblem } from "./notice.js";
import { byId, element } from "./dom.js";
import texts from "./texts.js";

// Calls look() now and then every `everySeconds` seconds. Returns a function that calls it at once.
export function poll(look, everySeconds) {
  const notice = byId("notice");
  let timer;
  let seen = false;
  let running = null;
  async function once() {
    clearTimeout(timer);
    try {
      await look();
      seen = true;
      notice.replaceChildren();
    } catch (problem) {
      if (problem.name === "AbortError") return;
      if (problem.status === undefined) throw problem;
      if (!tell(problem)) return;
    } finally {
      running = null;
    }
    if (!document.hidden) timer = setTimeout(now, everySeconds * 1000);
  }
  // Shows the problem; returns true if polling should go on.
  function tell(problem) {
    if (problem.status === 0 && seen) {
      notice.replaceChildren(element("p", { class: "notice warn", role: "status" }, texts.live.away));
      return true;
    }
    showProblem(notice, problem, now);
    return problem.status === 0 || problem.status >= 500;
  }
  function now() {
    running ??= once();
    return running;
  }
  document.addEventListener("visibilitychange", () => document.hidden || now());
  now();
  return now;
}
