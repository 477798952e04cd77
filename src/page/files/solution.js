// The worked solution of what stands on the picture, as the server writes it: its own page, taken in beside the network.

import { look } from "./api.js";
import { byId, h, replace } from "./element.js";

/** What is shown now: the request's path and body, as text. */
let shown;

/** Shows the solution of a stage, once a visitor has opened it. `where` is the request whose trace it is of, if there is one. */
export function showSolution(where) {
  const details = byId("walk-solution");
  const draw = () => details.open && where && fetchInto(byId("walk-solution-text"), where);
  details.hidden = !where;
  details.ontoggle = draw;
  draw();
}

async function fetchInto(box, { method, path, body }) {
  const request = JSON.stringify([method, path, body]);
  if (request === shown) return;
  shown = request;
  const page = `${path}?format=html`;
  try {
    const { text } = await look(method, page, body, { raw: true });
    if (request !== shown) return;
    // Its style stays out: what is taken in looks as this page does.
    // Where a line may end between words, the bars of a size stay with what stands between them.
    const main = text.slice(text.indexOf("<main>"), text.indexOf("</main>")).replaceAll("|δ|", "|\u2060δ\u2060|");
    const { childNodes } = new DOMParser().parseFromString(main, "text/html").querySelector("main");
    const parts = [...childNodes].filter((node) => !["H1", "NAV"].includes(node.nodeName));
    replace(box, method === "GET" && h("p", {}, h("a", { href: page }, "Open it as a page of its own")), parts.map((node) => document.adoptNode(node)));
  } catch (error) {
    shown = null;
    replace(box, h("p", { class: "refusal" }, error.message));
  }
}
