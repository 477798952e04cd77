// Draws a playground's network: units as small pictures of what each answers over the plane, joined by their weights; large
// and deep networks as layers.

import { h, replace, s } from "./element.js";
import { show } from "./numbers.js";
import { paint, rangeOf } from "./surface.js";

const UNITS = 8;
const COLUMNS = 6;
const [TILE, ROW] = [38, 50];
/** So many layers in a row are looked at as one that may be repeated. */
const BLOCK = 4;

/** Whether every unit gets a picture of its own. */
export function isSmall(network) {
  return network.inputs === 2 && network.layers.length < COLUMNS && network.layers.every((layer) => layer.kind === "dense" && layer.units <= UNITS);
}

/** Draws the network; `surface` is what `askSurface` gave, with all units for a small one. */
export function drawAnatomy(box, network, surface) {
  if (isSmall(network) && surface?.layers.length) drawUnits(box, network, surface);
  else drawLayers(box, network);
}

function drawUnits(box, network, { side, layers }) {
  const sizes = [2, ...network.layers.map((layer) => layer.units)];
  const width = Math.max(box.clientWidth, sizes.length * 76);
  const height = Math.max(...sizes) * ROW + 16;
  const place = (column, unit) => ({
    x: 30 + (column / (sizes.length - 1)) * (width - 60), y: height / 2 + (unit - (sizes[column] - 1) / 2) * ROW });
  const lines = layers.flatMap(({ parameters: { weights } }, gap) => {
    const most = Math.max(...weights.flat().map(Math.abs)) || 1;
    return weights.flatMap((row, i) => row.map((weight, j) => {
      const [from, to] = [place(gap, i), place(gap + 1, j)];
      return s("line", { x1: from.x, y1: from.y, x2: to.x, y2: to.y, class: `edge ${weight < 0 ? "down" : "up"}`,
        style: { "stroke-width": 0.5 + 5 * Math.abs(weight) / most } }, s("title", {}, show(weight)));
    }));
  });
  const tile = (column, unit, ...inside) => h("div", { class: "tile", style: {
    left: `${place(column, unit).x - TILE / 2}px`, top: `${place(column, unit).y - TILE / 2}px` } }, inside);
  const inputs = ["x₁", "x₂"].map((name, at) => tile(0, at, name));
  const tiles = layers.flatMap(({ outputs, activation }, layer) => outputs[0].map((_, unit) => {
    const canvas = h("canvas", { "aria-hidden": "true" });
    paint(canvas, side, outputs.map((row) => row[unit]), ...rangeOf(activation));
    return tile(layer + 1, unit, canvas);
  }));
  const units = sizes.slice(1).join(", ");
  replace(box, h("div", { class: "anatomy", role: "img", style: { width: `${width}px`, height: `${height}px` },
    "aria-label": `2 inputs, then layers of ${units} units, each with a small picture of what it answers` },
  s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, class: "network" }, lines), inputs, tiles));
}

/** One box a layer, in the order of the pass; what a residual block holds stands inside it, and what is repeated in one box. */
function drawLayers(box, network) {
  const repeated = (times) => times > 1 && h("b", { class: "times" }, `× ${times}`);
  const item = (layer, times) => h("li", { class: layer.kind },
    h("b", {}, layer.kind === "residual" ? "around" : layer.units ?? ""), h("span", {}, layer.activation ?? layer.kind.replace("_", " ")),
    layer.layers && h("ol", {}, items(layer.layers)), repeated(times));
  const items = (layers) => runs(layers).map(({ block, times }) =>
    (block.length === 1 ? item(block[0], times) : h("li", { class: "block" }, h("ol", {}, block.map((layer) => item(layer, 1))), repeated(times))));
  replace(box, h("ol", { class: "layer-strip", tabindex: "0", "aria-label": `${network.layers.length} layers` },
    h("li", { class: "inputs" }, h("b", {}, network.inputs), h("span", {}, "inputs")), items(network.layers)));
}

/** Layers, or a few of them in a row, that follow each other and differ in nothing but their names, counted: `[{ block, times }]`. */
function runs(layers) {
  const alike = layers.map((layer) => JSON.stringify(layer, (key, value) => (key === "name" ? undefined : value)));
  const found = [];
  for (let at = 0; at < layers.length;) {
    const times = (length) => {
      let count = 1;
      const same = (next) => Array.from({ length }, (_, place) => alike[at + place] === alike[next + place]).every(Boolean);
      while (at + (count + 1) * length <= layers.length && same(at + count * length)) count += 1;
      return count;
    };
    const lengths = Array.from({ length: BLOCK }, (_, less) => less + 1).filter((length) => length === 1 || times(length) > 1);
    const best = lengths.reduce((best, length) => (length * times(length) > best * times(best) ? length : best));
    found.push({ block: layers.slice(at, at + best), times: times(best) });
    at += best * times(best);
  }
  return found;
}
