// Fields that take a number. What is none, or none that may stand there, is told by its field and goes no further: it stays as it
// was typed, and nothing is learned until it is mended.

import { h } from "./element.js";
import { exact, read, show } from "./numbers.js";

/** What may stand in a field. */
export const RULES = {
  number: { fits: () => true, allowed: "a number, such as 0.5 or −2" },
  rate: { fits: (value) => value >= 0, allowed: "a number that is not below zero, such as 0.5" },
  share: { fits: (value) => value >= 0 && value <= 1, allowed: "a number from 0 to 1" },
  seed: whole(0, Number.MAX_SAFE_INTEGER),
};

/** Whole numbers from one to another. */
export function whole(least, most) {
  return { fits: (value) => Number.isInteger(value) && value >= least && value <= most, allowed: `a whole number from ${least} to ${most}` };
}

/** What was typed as a number; null where it does not fit. */
export function fitting(text, { fits }) {
  const number = read(text);
  return Number.isFinite(number) && fits(number) ? number : null;
}

/** What to say of a text that does not fit. */
export function complaint(name, text, { allowed }) {
  return `${name}: not ${text.trim() === "" ? "empty" : `“${text.slice(0, 40)}”`}, but ${allowed}.`;
}

/** What was typed and does not fit, by field. */
const wrong = new Map();

/** Forgets what does not fit in a view, for what stands there is another thing now. */
export function forget(view) {
  for (const key of wrong.keys()) if (key.startsWith(`${view} `)) wrong.delete(key);
}

/** Says that something waits for a field of this view to be mended, and takes the visitor there; false if none has to be. */
export function waits(view) {
  const input = document.querySelector(`#view-${view} [aria-invalid="true"]`);
  input?.focus();
  return Boolean(input);
}

/**
 * Gives an input its value, or what was typed into it and does not fit, and has it watched: `set(number)` hears of what fits.
 * `view` and `key` tell it from others; `name` is what its message calls it. Nobody being in it, it shows its number as `brief` writes it; else
 * whole, so that one digit of it can be changed. Gives the message's element, to be put beside it.
 */
export function watched(input, { view, key, name, value, brief = exact, rule, set }) {
  const place = `${view} ${key}`;
  const id = `wrong-${view}-${key}`;
  const message = h("span", { id, class: "wrong", role: "alert" });
  let held = value;
  const write = (how) => {
    if (!wrong.has(place)) input.value = how(held);
  };
  const tell = () => {
    const typed = wrong.get(place);
    if (typed !== undefined) input.setAttribute("aria-describedby", id);
    else input.removeAttribute("aria-describedby");
    input.setAttribute("aria-invalid", typed !== undefined);
    message.textContent = typed === undefined ? "" : complaint(name, typed, rule);
  };
  input.addEventListener("change", () => {
    const number = fitting(input.value, rule);
    if (number === null) wrong.set(place, input.value);
    else {
      wrong.delete(place);
      held = number;
    }
    tell();
    if (number !== null) set(number);
  });
  input.addEventListener("keydown", ({ key: pressed }) => {
    if (pressed !== "Escape" || !wrong.delete(place)) return;
    write(exact);
    tell();
  });
  input.addEventListener("focus", () => write(exact));
  input.addEventListener("blur", () => write(brief));
  input.value = wrong.get(place) ?? brief(value);
  tell();
  return message;
}

/** Characters that a field has room for. */
const LONG = 9;

/** A number as such a field shows it. */
export function short(number) {
  const whole = exact(number);
  return whole.length > LONG ? show(number).replaceAll("−", "-") : whole;
}

/** A number with a label, and the message below it. */
export function numberField(text, view, key, value, rule, set, label = null) {
  const input = h("input", { "data-key": key, "aria-label": label, inputmode: "decimal" });
  const message = watched(input, { view, key, name: label ?? text, value, brief: short, rule, set });
  return h("div", { class: "field" }, h("label", { class: "inline" }, `${text} `, input), message);
}
