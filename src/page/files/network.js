// Draws a small network with every number where it belongs: values in the units, weights on the edges, blame below.

import { h, replace, s } from "./element.js";
import { RULES, watched } from "./fields.js";
import { BIAS, EDGE, biasWidth, fieldWidth, layout } from "./layout.js";
import { exact, show, signed } from "./numbers.js";
import { fitted, sizeFor, widthOf } from "./room.js";
import { layersOf } from "./trace.js";

/** What there is to see at each stage: the later ones keep what the earlier ones brought. */
export const SEEN = { ready: 0, forward: 1, error: 2, backward: 3, update: 4 };

/**
 * Draws into `box`. `state` is `{ sizes, naming, layers, inputs, targets, trace, stage, selected, editing }`: `layers` have the
 * parameters to show; `on` has `select(weight)`, `setWeight(weight, number)`, `setInput(i, number)`, `setTarget(k, number)`.
 */
export function drawNetwork(box, state, on) {
  const plan = layout(state.sizes, box.clientWidth, state.layers.some(({ parameters }) => parameters?.bias));
  const seen = SEEN[state.stage];
  const parts = layersOf(state.trace);
  const picture = s("svg", {
    width: plan.width, height: plan.height, viewBox: `0 0 ${plan.width} ${plan.height}`, "aria-hidden": "true",
    class: `network stage-${state.stage}`,
  });
  const overlay = h("div", { class: plan.narrow ? "overlay close" : "overlay", style: { width: `${plan.width}px`, height: `${plan.height}px` } });
  const scene = { plan, seen, parts, state, on, picture, overlay };
  drawEdges(scene);
  drawInputs(scene);
  drawUnits(scene);
  drawTargets(scene);
  overlay.prepend(picture);
  replace(box, overlay);
  if (state.editing) box.querySelector("input.editing")?.select();
}

function drawEdges({ plan, seen, parts, state, on, picture, overlay }) {
  const steepest = Math.max(...parts.flatMap(({ backward }) => (backward?.gradients?.weights ?? []).flat().map(Math.abs)));
  plan.edges.forEach((edges, gap) => edges.forEach((edge) => {
    const { i, j, from, to, label } = edge;
    const weight = { gap, parameter: "weights", index: [i, j] };
    const key = keyOf(weight);
    const gradient = seen >= SEEN.backward ? parts[gap]?.backward?.gradients?.weights[i][j] : undefined;
    const classes = ["edge", gradient !== undefined && (gradient > 0 ? "down" : "up"), key === state.selected && "selected"];
    const line = { x1: from.x, y1: from.y, x2: to.x, y2: to.y };
    const thickness = gradient === undefined ? 1.5 : 1.5 + 7 * Math.abs(gradient) / (steepest || 1);
    picture.append(s("line", { ...line, class: classes.filter(Boolean).join(" "), style: { "stroke-width": thickness } }));
    if (seen === SEEN.forward || seen === SEEN.backward) {
      picture.append(s("line", { ...line, class: "flow", style: { "animation-delay": `${delay(plan, gap, seen)}ms` } }));
    }
    if (label) overlay.append(weightChip({ weight, key, label, state, parts, seen, on, plan }));
    else picture.append(s("line", { ...line, class: "reach", onclick: () => on.select(weight) }));
  }));
}

/** The later a layer's turn, the later its movement starts. */
function delay(plan, gap, seen) {
  return 350 * (seen === SEEN.forward ? gap : plan.edges.length - 1 - gap);
}

function weightChip({ weight, key, label, state, parts, seen, on, plan }) {
  const { gap, index: [i, j] } = weight;
  const name = state.naming.weight(gap, i, j);
  const update = seen >= SEEN.update ? parts[gap]?.update?.weights : undefined;
  const value = (update?.after ?? state.layers[gap].parameters.weights)[i][j];
  const place = { left: `${label.x}px`, top: `${label.y}px`, width: `${plan.chip[0]}px` };
  if (state.editing === key) return editor({ key, name, value, place, side: half(plan, label.y), done: (number) => on.setWeight(weight, number) });
  const whose = `from ${below(state, gap, i)} to ${state.naming.output(gap, j)}`;
  return chip({ weight, key, name, value, change: update?.change[i][j], place, kind: "", whose, state, on, plan });
}

/** What a chip's edges take of its room. */
const CHIP_EDGES = 5;

/** A parameter to be pressed on: its name, or how an update has changed it, and its value. */
function chip({ weight, key, name, value, change, place, kind, whose, state, on, plan }) {
  const isChanged = change !== undefined;
  const room = parseFloat(place.width) - CHIP_EDGES;
  const [small, large] = plan.narrow ? [11, 13] : [12, 14];
  const second = show(value, plan.digits);
  const moved = isChanged && fitted(change, room, { size: small, least: 9.5, digits: plan.digits, write: signed });
  const first = isChanged ? moved.text : name;
  const inOneLine = kind === "bias" && !isChanged;
  const size = inOneLine ? sizeFor(`${first} ${second}`, room, small) : sizeFor(second, room, kind === "bias" ? 12 : large);
  const letters = (pixels) => ({ "font-size": `${pixels}px` });
  const spoken = isChanged ? `changed by ${show(change)} to ${show(value)}` : show(value);
  return h("button", {
    type: "button", class: ["chip", kind, isChanged && "changed", key === state.selected && "selected"].filter(Boolean).join(" "), "data-key": key,
    style: place, "aria-pressed": key === state.selected, title: `${name} = ${exact(value)}`, "aria-label": `${name}, ${whose}: ${spoken}`,
    onclick: () => on.select(weight),
  }, h("span", { class: isChanged ? `change ${change < 0 ? "down" : "up"}` : "name", style: letters(inOneLine ? size : moved.size ?? small) }, first),
  h("b", { style: letters(size) }, second));
}

function below(state, gap, i) {
  return gap === 0 ? state.naming.input(i) : state.naming.output(gap - 1, i);
}

/** A number that is being typed: Enter and leaving take it if it is one, Escape leaves all as it was. */
function editor({ key, name, value, place, side, done }) {
  let over = false;
  const finish = (number) => {
    if (over) return;
    over = true;
    done(number === value ? undefined : number);
  };
  const isWrong = () => input.getAttribute("aria-invalid") === "true";
  const input = h("input", { class: "chip editing", "data-key": key, "aria-label": `New value of ${name}`, inputmode: "decimal" });
  const message = watched(input, { view: "walk", key: `edit-${key}`, name, value, rule: RULES.number, set: finish });
  input.addEventListener("keydown", (event) => {
    // What was typed and fits is taken by its change, which comes next.
    if (event.key === "Escape" || (event.key === "Enter" && input.value === exact(value) && !isWrong())) finish(undefined);
  });
  input.addEventListener("blur", () => isWrong() || finish(undefined));
  return h("div", { class: `typing ${side}`, style: place }, input, message);
}

/** Letters in the fields of inputs and targets, in pixels, and what their edges take of the room. */
const FIELD = { size: 16, least: 11, digits: 4 };
const FIELD_EDGES = 9;

/** A number that can be typed over at any time. */
function field({ key, name, label, value, place, side, room, done }) {
  const brief = (number) => {
    const { text, size } = fitted(number, room, FIELD);
    input.style.setProperty("font-size", `${size}px`);
    return text.replaceAll("−", "-");
  };
  const input = h("input", { "data-key": key, "aria-label": label, inputmode: "decimal", title: exact(value) });
  const message = watched(input, { view: "walk", key, name, value, brief, rule: RULES.number, set: done });
  input.addEventListener("focus", () => input.select());
  return h("div", { class: `pebble ${side}`, style: place }, h("span", { class: "name", "aria-hidden": "true" }, name), input, message);
}

/** Where a message has room: below what stands in the upper half, above what stands in the lower one. */
function half({ height }, y) {
  return y > height / 2 ? "low" : "high";
}

function drawInputs({ plan, state, on, overlay }) {
  plan.units[0].forEach(({ x, y }, i) => {
    const name = state.naming.input(i);
    const size = { left: `${x}px`, top: `${y}px`, width: `${fieldWidth(plan.radius)}px` };
    overlay.append(field({
      key: `x${i}`, name, label: `Input ${name}`, value: state.inputs[i], place: size, room: fieldWidth(plan.radius) - FIELD_EDGES, side: `left ${half(plan, y)}`,
      done: (number) => on.setInput(i, number),
    }));
  });
}

function drawUnits(scene) {
  const { plan, picture } = scene;
  plan.units.slice(1).forEach((units, layer) => units.forEach(({ x, y }, j) => {
    const unit = s("g", { class: "unit" });
    unit.append(s("circle", { cx: x, cy: y, r: plan.radius }));
    unit.append(...unitTexts(scene, layer, j, x, y));
    picture.append(unit);
    drawBias(scene, layer, j, x, y);
  }));
}

/** What a circle is narrower where its value stands than across its middle, its line among it. */
const CIRCLE_EDGES = 8;

function unitTexts({ plan, seen, parts, state }, layer, j, x, y) {
  const { forward, backward } = parts[layer] ?? {};
  const text = (dy, className, ...children) => s("text", { x, y: y + dy, class: className }, ...children);
  const name = state.naming.output(layer, j);
  if (seen < SEEN.forward || !forward) return [text(5, "name alone", name)];
  const number = (value) => show(value, plan.digits);
  // With its target below, the last column stands at the edge: there texts end where it ends.
  const edge = plan.below && layer === plan.edges.length - 1 ? { x: plan.width - EDGE, end: " end" } : { x, end: "" };
  const beside = (dy, className, words) => s("text", { x: edge.x, y: y + dy, class: `${className}${edge.end}` }, words);
  const output = number(forward.outputs[0][j]);
  const size = sizeFor(output, 2 * plan.radius - CIRCLE_EDGES, plan.narrow ? 13 : 15);
  const texts = [text(-7, "name", name), s("text", { x, y: y + 12, class: "value", style: { "font-size": `${size}px` } }, output)];
  const sum = number(forward.pre_activations?.[0][j] ?? forward.outputs[0][j]);
  texts.push(beside(-plan.radius - 10, "sum", `${state.naming.sum(layer, j)}${plan.narrow ? "" : " ="} ${sum}`));
  if (seen >= SEEN.backward && backward?.deltas) {
    const delta = backward.deltas[0][j];
    const words = plan.narrow ? `δ ${number(delta)}` : `${state.naming.delta(layer, j)} = ${number(delta)}`;
    texts.push(beside(plan.radius + 19, `delta ${delta < 0 ? "down" : "up"}`, words));
  }
  return texts;
}

/** Biases stand right below their units. */
function drawBias({ plan, state, on, overlay, seen, parts }, gap, j, x, y) {
  const bias = state.layers[gap].parameters.bias;
  if (!bias) return;
  const weight = { gap, parameter: "bias", index: [j] };
  const key = keyOf(weight);
  const name = state.naming.bias(gap, j);
  const place = { left: `${x}px`, top: `${y + plan.radius + (seen >= SEEN.backward ? BIAS : 18)}px`, width: `${biasWidth(plan.chip)}px` };
  const update = seen >= SEEN.update ? parts[gap]?.update?.bias : undefined;
  const value = (update?.after ?? bias)[j];
  if (state.editing === key) {
    overlay.append(editor({ key, name, value, place, side: half(plan, y), done: (number) => on.setWeight(weight, number) }));
    return;
  }
  overlay.append(chip({ weight, key, name, value, change: update?.change[j], place, kind: "bias", whose: `the bias of ${state.naming.output(gap, j)}`, state, on, plan }));
}

/** Letters of the loss, in pixels. */
const LOSS_SIZE = 15;

function drawTargets({ plan, seen, parts, state, on, picture, overlay }) {
  const last = plan.units.at(-1);
  plan.targets.forEach(({ x, y }, k) => {
    const output = last[k];
    const [from, to] = plan.below ? [{ x, y: output.y + plan.radius }, { x, y }] : [{ x: output.x + plan.radius, y }, { x, y }];
    // Below all texts, for where there is little room it runs past some.
    picture.prepend(s("line", { x1: from.x, y1: from.y, x2: to.x, y2: to.y, class: "compare" }));
    const name = state.naming.target(k);
    const place = { left: `${x}px`, top: `${y}px`, width: `${fieldWidth(plan.radius)}px` };
    overlay.append(field({
      key: `y${k}`, name, label: `Target ${name}`, value: state.targets[k], place, room: fieldWidth(plan.radius) - FIELD_EDGES, side: `right ${half(plan, y)}`,
      done: (number) => on.setTarget(k, number),
    }));
    const errors = parts.at(-1)?.backward?.errors;
    if (seen >= SEEN.backward && errors && !plan.below) {
      const error = errors[0][k];
      const middle = { x: (from.x + to.x - plan.radius) / 2, y: y - 12 };
      picture.append(s("text", { ...middle, class: `delta ${error < 0 ? "down" : "up"}` }, show(error, plan.digits)));
    }
  });
  if (seen >= SEEN.error && state.trace?.loss) {
    const lowest = plan.targets.at(-1);
    const words = `E = ${show(state.trace.loss.value)}`;
    const middle = Math.min(lowest.x, plan.width - EDGE - widthOf(words, LOSS_SIZE) / 2);
    const place = plan.below
      ? { x: plan.width - EDGE, y: lowest.y + plan.radius + 28, class: "loss end" } : { x: middle, y: lowest.y + plan.radius + 24, class: "loss" };
    picture.append(s("text", place, words));
  }
}

/** A parameter as one word. */
export function keyOf({ gap, parameter, index }) {
  return `${parameter}-${gap}-${index.join("-")}`;
}
