// Opens the view that the address names, and keeps the parts that all views share.

import { readAddress } from "./address.js";
import { copy, showCurls } from "./curl.js";
import { byId, h, replace } from "./element.js";
import { complaint } from "./fields.js";
import { leavePlay, showPlay } from "./play.js";
import { share } from "./session.js";
import { showTelephone } from "./telephone.js";
import { showWalk } from "./walk.js";

const VIEWS = { walk: showWalk, play: showPlay, telephone: showTelephone };

/** How often a view was opened. */
let opened = 0;

async function open() {
  const address = readAddress();
  const name = address.view in VIEWS ? address.view : "walk";
  opened += 1;
  const mine = opened;
  for (const view of document.querySelectorAll("main > section")) view.hidden = view.id !== `view-${name}`;
  for (const link of document.querySelectorAll("nav a[data-view]")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  showLoading(byId(`view-${name}`));
  try {
    if (name !== "play") await leavePlay();
    await VIEWS[name](address);
    replace(byId("trouble"), name !== address.view && h("p", { class: "refusal" },
      complaint("The address’s view", address.view, { allowed: `one of ${Object.keys(VIEWS).join(", ")}` })));
  } catch (error) {
    replace(byId("trouble"), h("p", { class: "refusal" }, error.message));
  }
  // Another view may have been opened meanwhile, and be loading.
  if (mine === opened) showLoading(null);
  document.body.dataset.ready = name;
}

/** Says that a view is loading, and that none is by null. */
function showLoading(view) {
  byId("loading").hidden = !view;
  for (const section of document.querySelectorAll("main > section")) section.inert = section === view;
}

addEventListener("hashchange", open);
// The address says which view is open: the way past the header is no address.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
byId("share").addEventListener("click", (event) => {
  const { session } = readAddress();
  if (session) share(session);
  copy(event.currentTarget, location.href);
});
showCurls();
open();
