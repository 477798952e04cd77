// Draws what a network answers all over the plane, and the points that it is shown. The answers are the server's: one
// forward pass over a grid of points.

import { look } from "./api.js";
import { colour, h, replace, s } from "./element.js";
import { show } from "./numbers.js";

const FINE = 36;
const COARSE = 24;

/** Asks for the answers on a grid over an extent; with `units`, for every unit's as well. */
export async function askSurface(session, { x, y }, units) {
  const side = units ? COARSE : FINE;
  const at = ([low, high], part) => low + ((part + 0.5) / side) * (high - low);
  const inputs = Array.from({ length: side * side }, (_, cell) => [at(x, cell % side), at(y, side - 1 - Math.floor(cell / side))]);
  const path = await session.path("forward");
  const { forward } = await look("POST", `${path}?trace=${units ? "full" : "summary"}`, { inputs });
  return { side, outputs: forward.outputs, layers: forward.layers ?? [] };
}

/** Paints one column of outputs, low in one accent and high in the other, pale between. */
export function paint(canvas, side, values, low = 0, high = 1) {
  const [up, down, card] = [colour("up"), colour("down"), colour("card")];
  canvas.width = side;
  canvas.height = side;
  const context = canvas.getContext("2d");
  const image = context.createImageData(side, side);
  const middle = (low + high) / 2;
  values.forEach((value, at) => {
    const far = Math.max(-1, Math.min(1, (value - middle) / ((high - low) / 2)));
    const [accent, part] = [far < 0 ? down : up, 0.75 * Math.abs(far)];
    for (let channel = 0; channel < 3; channel += 1) {
      image.data[4 * at + channel] = card[channel] + part * (accent[channel] - card[channel]);
    }
    image.data[4 * at + 3] = 255;
  });
  context.putImageData(image, 0, 0);
}

/** The range that an activation's surface is painted over. */
export function rangeOf(activation) {
  if (activation === "sigmoid" || activation === "softmax") return [0, 1];
  return activation === "tanh" ? [-1, 1] : [-2, 2];
}

/** Draws the points over the surface; a press calls `on.add(x, y)`, on a point `on.remove(index)`. */
export function drawPoints(box, data, { x, y }, on) {
  const place = ([low, high], value) => ((value - low) / (high - low)) * 100;
  const dots = data.inputs.map(([px, py], at) => {
    const first = data.targets[at][0] >= 0.5;
    const spot = { cx: place(x, px), cy: 100 - place(y, py) };
    return s("g", { class: `dot ${first ? "up" : "down"}` },
      s("circle", { ...spot, r: data.inputs.length > 60 ? 1.2 : 2.2 }), s("title", {}, `${show(px)}, ${show(py)} → ${show(data.targets[at][0])}`));
  });
  const picture = s("svg", { viewBox: "0 0 100 100", class: data.own ? "points own" : "points", role: "img",
    "aria-label": `${data.inputs.length} points over what the network answers everywhere` }, dots);
  if (data.own) {
    picture.addEventListener("click", (event) => {
      const box = picture.getBoundingClientRect();
      const [px, py] = [(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height];
      const near = dots.findIndex((dot) => dot.contains(event.target));
      if (near >= 0) on.remove(near);
      else on.add(x[0] + px * (x[1] - x[0]), y[0] + py * (y[1] - y[0]));
    });
  }
  replace(box, picture);
}

/** Writes what the picture shows of the plane: each axis' name between its ends. */
export function drawAxes(across, up, { x, y }) {
  const axis = (name, ends) => [ends[0], name, ends[1]].map((part) => h("span", {}, part));
  const numbers = (range) => range.map((end) => show(end, 3));
  replace(across, axis("x₁", numbers(x)));
  replace(up, axis("x₂", numbers(y)));
}

/** The points as a list that a keyboard reaches. */
export function pointList(data, on) {
  return h("ul", { class: "point-list" }, data.inputs.map(([px, py], at) => h("li", {},
    `(${show(px, 3)}, ${show(py, 3)}) → ${show(data.targets[at][0])} `,
    h("button", { type: "button", class: "quiet", "data-key": `point-${at}`, "aria-label": `Remove point ${show(px, 3)}, ${show(py, 3)}`, onclick: () => on.remove(at) }, "Remove"))));
}
