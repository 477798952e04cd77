// What the address bar says: which view, and what stands in it. Whoever opens the same address sees the same.

/** `#play?session=noble-stork-3759` as `{ view: "play", session: "noble-stork-3759" }`. */
export function readAddress() {
  const [view, query = ""] = location.hash.slice(1).split("?");
  return { ...Object.fromEntries(new URLSearchParams(query)), view: view || "walk" };
}

/** Writes what stands in a view, as long as it is open; nothing is loaded by that, and going back skips it. */
export function writeAddress(view, fields) {
  if (readAddress().view !== view) return;
  const given = Object.entries(fields).filter(([, value]) => value != null && value !== "");
  const query = new URLSearchParams(given).toString();
  const hash = `#${view}${query && `?${query}`}`;
  if (hash !== location.hash) history.replaceState(null, "", hash);
  // Whoever comes back from another view finds what was left there.
  document.querySelector(`nav a[data-view="${view}"]`).setAttribute("href", hash);
}
