// Calls the service's JSON API, with the API key if there is one. Throws a Problem for every failure.

import { fill } from "./format.js";
import { askForKey, storedKey } from "./key.js";
import texts from "./texts.js";

export const root = document.documentElement.dataset.root;

// A failed request: the message, the HTTP status (0 if there was no answer), and the fields of the error body.
export class Problem extends Error {
  constructor(sentence, status = 0, fields = {}) {
    super(sentence);
    this.status = status;
    this.fields = fields;
  }
}

export async function call(path, { method = "GET", body, headers = {}, signal, quiet = false } = {}) {
  const response = await send(path, { method, body, headers, signal });
  if (response.status !== 401 || quiet) return response.ok ? response : fail(response);
  if (!(await askForKey())) throw new Problem(texts.errors.no_key, 401);
  return call(path, { method, body, headers, signal });
}

export async function get(path, options) {
  return read(await call(path, options));
}

export async function read(response) {
  try {
    return await response.json();
  } catch {
    throw new Problem(texts.errors.unreadable, response.status);
  }
}

async function send(path, { method, body, headers, signal }) {
  const key = storedKey();
  const all = { ...headers };
  if (key) all["X-API-Key"] = key;
  if (body !== undefined) all["Content-Type"] = "application/json";
  try {
    return await fetch(root + path, { method, body, headers: all, signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(texts.errors.unreachable);
  }
}

async function fail(response) {
  const fields = await response.json().catch(() => ({}));
  const sentence = fields.error ?? fill(texts.errors.status, { status: response.status });
  throw new Problem(sentence, response.status, fields);
}
