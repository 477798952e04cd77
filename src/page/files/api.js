// Talks to the server, and remembers what was said: every number on the page comes through here.

/** A refusal, in the server's own words. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? `status ${status}`);
    this.status = status;
    this.code = problem.code;
    this.problem = problem;
  }
}

/** What a browser's promise of something from the server brings; where it fails, the reason in plain words. */
export function answered(promise) {
  return promise.catch(() => {
    throw new Refusal(0, { code: "unreachable", detail: "The server does not answer. Is it still running?" });
  });
}

const REMEMBERED = 60;
const listeners = new Set();

/** All requests so far, the newest first: `{ method, path, body, accept, why, times, status, milliseconds,
 * answer }`. An action that is done several `times` is asked for by the first of its requests; the others are repeats. */
export const requests = [];

/** Calls back for every request, when it is asked and when it is answered. */
export function onRequest(listener) {
  listeners.add(listener);
}

/** A request that a visitor asked for by a button. */
export function act(method, path, body, options = {}) {
  return ask(method, path, body, { why: "action", ...options });
}

/** A request that the page makes to draw something. */
export function look(method, path, body, options = {}) {
  return ask(method, path, body, { why: "drawing", ...options });
}

async function ask(method, path, body, options) {
  const request = remember(method, path, body, options);
  const started = performance.now();
  try {
    const response = await send(method, path, body, options);
    request.status = response.status;
    const text = await answered(response.text());
    request.answer = text;
    const isJson = /[/+]json/.test(response.headers.get("content-type") ?? "");
    if (!response.ok) throw new Refusal(response.status, isJson ? JSON.parse(text) : {});
    if (options.raw) return { text, type: response.headers.get("content-type") ?? "" };
    return text === "" ? null : JSON.parse(text);
  } finally {
    request.milliseconds = performance.now() - started;
    tell();
  }
}

/** Asks for a stream; gives the response as soon as its head is there. */
export async function stream(method, path, body, { accept, signal }) {
  const request = remember(method, path, body, { why: "action", accept });
  const response = await send(method, path, body, { accept, signal });
  request.status = response.status;
  tell();
  if (!response.ok) throw new Refusal(response.status, await response.json());
  return response;
}

function send(method, path, body, { accept, signal, keepalive }) {
  const headers = {};
  if (body !== undefined) headers["content-type"] = "application/json";
  if (accept) headers.accept = accept;
  const payload = body === undefined ? undefined : JSON.stringify(body);
  return answered(fetch(path, { method, headers, body: payload, signal, keepalive }));
}

function remember(method, path, body, { why, accept, times }) {
  const request = { method, path, body, accept, why, times };
  requests.unshift(request);
  requests.length = Math.min(requests.length, REMEMBERED);
  tell();
  return request;
}

function tell() {
  for (const listener of listeners) listener();
}
