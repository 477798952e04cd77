// How much room a text takes, and how a number is written where there is little: smaller, then with fewer digits, never cut off.

import { scientific, show } from "./numbers.js";

let context;

/** How wide a text is in the page's own letters, as bold as values are. */
export function widthOf(text, size) {
  context ??= document.createElement("canvas").getContext("2d");
  context.font = `650 ${size}px ${getComputedStyle(document.body).fontFamily}`;
  return context.measureText(text).width;
}

/** The size at which a text fits into `room` pixels, at most `size`. */
export function sizeFor(text, room, size) {
  return Math.min(size, Math.floor((2 * size * room) / widthOf(text, size)) / 2);
}

function plainly(number, digits, how) {
  return how(number, digits);
}

/** A number for a place `room` pixels wide, as `write` writes it: `{ text, size }`, in letters of at most `size` and at least `least` pixels. */
export function fitted(number, room, { size, least, digits, write = plainly }) {
  let found;
  for (let kept = digits; kept > 0; kept -= 1) {
    for (const text of [write(number, kept, show), write(number, kept, scientific)]) {
      found = { text, size: sizeFor(text, room, size) };
      if (found.size >= least) return found;
    }
  }
  return found;
}
