// The bar at the bottom: the curl command that does what was just done here, and those before it.

import { onRequest, requests } from "./api.js";
import { byId, h, replace } from "./element.js";

/** Characters of a command that are shown; copied it is whole. */
const SHOWN = 4000;

/** A request as a command for a shell. */
export function curl({ method, path, body, accept, times }) {
  const parts = ["curl -s"];
  if (method !== (body === undefined ? "GET" : "POST")) parts.push(`-X ${method}`);
  parts.push(quoted(location.origin + path));
  if (accept) parts.push(`-N -H ${quoted(`accept: ${accept}`)}`);
  if (body !== undefined) parts.push(`--json ${quoted(JSON.stringify(body))}`);
  const command = parts.join(" ");
  return times > 1 ? `for i in $(seq ${times}); do ${command}; done` : command;
}

function quoted(text) {
  return /^[\w:/.?=&-]+$/.test(text) && !text.includes("?") ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Keeps the bar up to date. */
export function showCurls() {
  const bar = byId("curl");
  let shown;
  const list = byId("curl-list");
  const open = byId("curl-more");
  const draw = () => {
    // Before anything was done: what the first picture came from.
    const action = requests.find((request) => request.why === "action") ?? requests[0];
    bar.hidden = !action;
    if (action && action !== shown) {
      shown = action;
      const command = curl(action);
      byId("curl-text").textContent = command.length > SHOWN ? `${command.slice(0, SHOWN)} …` : command;
    }
    if (open.getAttribute("aria-expanded") === "true") replace(list, requests.map(entry));
  };
  byId("curl-copy").addEventListener("click", (event) => copy(event.currentTarget, curl(shown)));
  open.addEventListener("click", () => {
    const opened = open.getAttribute("aria-expanded") !== "true";
    open.setAttribute("aria-expanded", opened);
    list.hidden = !opened;
    draw();
  });
  let planned = false;
  onRequest(() => {
    if (planned) return;
    planned = true;
    requestAnimationFrame(() => {
      planned = false;
      draw();
    });
  });
  draw();
}

function entry(request) {
  const { method, path, status, milliseconds, why } = request;
  const time = milliseconds === undefined ? "…" : `${Math.max(1, Math.round(milliseconds))} ms`;
  const command = curl({ ...request, times: 1 });
  return h("li", { class: why },
    h("details", {},
      h("summary", {},
        h("code", {}, `${method} ${path}`), h("span", { class: "muted" }, ` ${status ?? ""} · ${time}`)),
      h("pre", { tabindex: 0 }, shortened(command)),
      request.answer && h("pre", { tabindex: 0, class: "answer" }, shortened(request.answer))),
    h("button", { type: "button", class: "quiet", "aria-label": `Copy the curl for ${method} ${path}`,
      onclick: (event) => copy(event.currentTarget, command) }, "Copy"));
}

function shortened(text) {
  return text.length > SHOWN ? `${text.slice(0, SHOWN)} …` : text;
}

/** Copies a text, and says so on the button. */
export async function copy(button, text) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // Outside of https and localhost browsers give no clipboard: the text is selected instead.
    const range = document.createRange();
    range.selectNodeContents(byId("curl-text"));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    button.textContent = "Press Ctrl+C";
  }
  setTimeout(() => (button.textContent = before), 1600);
}
