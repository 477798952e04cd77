// Makes elements: the page's only way to put something on the screen. Texts are texts, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element: `h("button", { class: "chip", onclick: f }, "text", child)`. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** The element of the page with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Puts these children in the place of all others, and keeps the focus on what has the same `data-key`. */
export function replace(parent, ...children) {
  const active = document.activeElement;
  const key = parent.contains(active) ? active.dataset.key : undefined;
  parent.replaceChildren(...children.flat(Infinity).filter((child) => child != null && child !== false));
  if (key !== undefined) focusKey(parent, key);
}

/** Puts the focus on the element with this key. */
export function focusKey(parent, key) {
  parent.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

const colours = new Map();

/** The value of a colour of the style sheet, for canvases: [red, green, blue], as it stands in light or dark. */
export function colour(name) {
  const key = `${name} ${matchMedia("(prefers-color-scheme: dark)").matches}`;
  if (!colours.has(key)) {
    const probe = h("span", { class: `probe probe-${name}` });
    document.body.append(probe);
    colours.set(key, getComputedStyle(probe).color.match(/[\d.]+/g).map(Number).slice(0, 3));
    probe.remove();
  }
  return colours.get(key);
}

/** Whether movement is unwelcome. */
export function still() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
}
