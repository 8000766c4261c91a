// Reads a job's event stream. Uses fetch, as the browser's EventSource cannot send an API key.

import { call } from "./api.js";

const PAUSE_MS = 1000;

// Calls take(kind, data) for each event until the last. Reconnects after the last event it received.
export async function follow(id, take, away) {
  let last = "";
  while (true) {
    try {
      const headers = { Accept: "text/event-stream", ...(last ? { "Last-Event-ID": last } : {}) };
      const response = await call(`jobs/${encodeURIComponent(id)}/events`, { headers });
      if (response.status === 204) return;
      away(null);
      for await (const event of eventsOf(response)) {
        if (event.id) last = event.id;
        if (event.data) take(event.event, JSON.parse(event.data));
      }
    } catch (problem) {
      // Give up at a client error (4xx) only. Reconnect after all else, such as a broken connection.
      if (problem.status > 0 && problem.status < 500) throw problem;
      away(problem);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function* eventsOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (true) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (text + value).split("\n\n");
    text = parts.pop();
    for (const part of parts) yield fieldsOf(part);
  }
}

function fieldsOf(part) {
  const lines = part.split("\n").filter((line) => line && !line.startsWith(":"));
  return Object.fromEntries(
    lines.map((line) => {
      const [name] = line.split(":", 1);
      return [name, line.slice(name.length + 1).trimStart()];
    }),
  );
}
