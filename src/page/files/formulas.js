// The worked solution of a stage: each formula in symbols, then with this network's numbers in it, then what comes out.
// All three come from the trace; long sums are shortened, and layers with many units show the first ones.

import { h } from "./element.js";
import { activationName, show } from "./numbers.js";
import { isPlain, layersOf } from "./trace.js";

const UNITS = 4;
const TERMS = 4;

/** The lines of a stage as elements. `state` is what the network is drawn from. */
export function formulas(state) {
  const parts = layersOf(state.trace);
  const made = { ready, forward, error, backward, update }[state.stage](state, parts);
  return made.map((block) => h("section", { class: "formula" },
    h("h3", {}, block.title), block.lines.map(line), block.note && h("p", { class: "muted" }, block.note)));
}

/** A formula; what is only given or found has no symbols. */
function line([left, symbols, numbers, result]) {
  return h("p", { class: "line" },
    h("span", { class: "left" }, left, symbols && [" = ", h("i", {}, symbols)]),
    numbers && h("span", {}, "= ", numbers), h("span", { class: "result" }, "= ", h("b", {}, result)));
}

function ready({ naming, inputs, targets, learningRate }) {
  return [{
    title: "What is given",
    lines: [
      ...inputs.map((x, i) => [["input ", naming.input(i)], null, null, show(x)]),
      ...targets.map((y, k) => [["target ", naming.target(k)], null, null, show(y)]),
      ["learning rate η", null, null, show(learningRate)],
    ],
  }];
}

function forward({ naming, inputs }, parts) {
  return parts.map(({ forward }, layer) => {
    const { weights, bias } = forward.parameters;
    const values = layer === 0 ? inputs : parts[layer - 1].forward.outputs[0];
    const from = layer === 0 ? naming.input : (i) => naming.output(layer - 1, i);
    const lines = units(forward.outputs[0], (value, j) => {
      const sum = shortened(values.map((_, i) => `${from(i)}·${naming.weight(layer, i, j)}`), bias && naming.bias(layer, j));
      const put = shortened(values.map((x, i) => `${bracket(x)}·${bracket(weights[i][j])}`), bias && bracket(bias[j]));
      const total = forward.pre_activations?.[0][j] ?? value;
      const squeeze = activationName(forward.activation);
      const activated = [naming.output(layer, j), `${squeeze}(${naming.sum(layer, j)})`, `${squeeze}(${show(total)})`, show(value)];
      return [[naming.sum(layer, j), sum, put, show(total)], activated];
    });
    return { title: `Layer ${forward.name}`, lines, note: hidden(forward.outputs[0].length) };
  });
}

/** Of each loss: in symbols, the part of one output in numbers, and what is made of the sum of these parts. */
const LOSSES = {
  half_squared_error: ["½ Σ (y − ŷ)²", (y, p) => `½·(${show(y)} − ${bracket(p)})²`, (sum) => sum],
  mean_squared_error: ["mean of (y − ŷ)²", (y, p) => `(${show(y)} − ${bracket(p)})²`, (sum, count) => (count > 1 ? `(${sum}) / ${count}` : sum)],
  binary_cross_entropy: ["−(y·ln ŷ + (1 − y)·ln(1 − ŷ))", (y, p) => `${bracket(y)}·ln ${show(p)} + (1 − ${bracket(y)})·ln(1 − ${show(p)})`,
    (sum, count) => (count > 1 ? `−(${sum}) / ${count}` : `−(${sum})`)],
  cross_entropy: ["−Σ y·ln ŷ", (y, p) => `${bracket(y)}·ln ${show(p)}`, (sum) => `−(${sum})`],
};

function error({ targets, trace }) {
  const [symbols, put, whole] = LOSSES[trace.loss.kind];
  const outputs = trace.forward.outputs[0];
  const numbers = whole(shortened(targets.map((y, k) => put(y, outputs[k]))), targets.length);
  return [{
    title: "How wrong is it?",
    lines: [["E", targets.length === 1 ? symbols.replace("Σ ", "") : symbols, numbers, show(trace.loss.value)]],
    note: "This one number is what learning makes smaller.",
  }];
}

function backward({ naming, trace }, parts) {
  const last = parts.length - 1;
  return [...parts.keys()].reverse().map((layer) => {
    const { forward, backward } = parts[layer];
    const above = parts[layer + 1];
    const lines = units(backward.deltas?.[0] ?? [], (delta, j) => {
      const [error, slope] = [backward.errors[0][j], forward.derivatives?.[0][j]];
      const place = naming.sum(layer, j);
      const received = layer === last ? outputError(naming, trace, layer, j, error) : passedDown(naming, above, layer, j, error);
      const own = forward.activation === "softmax" ? ofSoftmax(naming, forward, backward, layer, j)
        : [naming.delta(layer, j), `error·${activationName(forward.activation)}′(${place})`,
          slope === undefined ? null : `${bracket(error)}·${bracket(slope)}`, show(delta)];
      return [received, own];
    });
    const title = layer === last ? `Blame of ${forward.name}: directly` : `Blame of ${forward.name}: passed down`;
    return { title, lines, note: hidden(backward.errors[0].length) };
  });
}

/** Each output of a softmax depends on every sum: what a unit is to blame for is its error against the others'. */
function ofSoftmax(naming, { outputs: [outputs] }, { errors: [errors], deltas: [deltas] }, layer, j) {
  const error = (k) => `error of ${naming.output(layer, k)}`;
  const all = shortened(outputs.map((p, k) => `${bracket(errors[k])}·${show(p)}`));
  return [naming.delta(layer, j), `${naming.output(layer, j)}·(${error(j)} − Σ error·ŷ)`,
    `${show(outputs[j])}·(${show(errors[j])} − (${all}))`, show(deltas[j])];
}

/** Of each loss, its error by y, ŷ (where it is divided by, and in a sum or a product) and how many outputs there are. */
const ERRORS = {
  half_squared_error: (y, p, q) => `${y} − ${q}`,
  mean_squared_error: (y, p, q, count) => `2·(${y} − ${q})${count > 1 ? `/${count}` : ""}`,
  binary_cross_entropy: (y, p, q, count) => `(${y} − ${q})/(${count > 1 ? `${count}·` : ""}${q}·(1 − ${q}))`,
  cross_entropy: (y, p) => `${y}/${p}`,
};

function outputError(naming, trace, layer, j, error) {
  const [y, output] = [trace.loss.targets[0][j], trace.forward.outputs[0][j]];
  const [write, count, name] = [ERRORS[trace.loss.kind], trace.loss.targets[0].length, naming.output(layer, j)];
  return [`error of ${name}`, write(naming.target(j), name, name, count), write(show(y), show(output), bracket(output), count), show(error)];
}

function passedDown(naming, above, layer, j, error) {
  const deltas = above.backward.deltas?.[0] ?? [];
  const row = above.forward.parameters.weights[j];
  return [`error of ${naming.output(layer, j)}`,
    shortened(deltas.map((_, k) => `${naming.delta(layer + 1, k)}·${naming.weight(layer + 1, j, k)}`)),
    shortened(deltas.map((delta, k) => `${bracket(delta)}·${bracket(row[k])}`)), show(error)];
}

function update({ naming, inputs, trace }, parts) {
  const { kind, learning_rate: rate } = trace.update.optimizer;
  const plain = isPlain(trace.update.optimizer);
  const blocks = [...parts.keys()].reverse().map((layer) => {
    const { forward, backward, update } = parts[layer];
    const values = layer === 0 ? inputs : parts[layer - 1].forward.outputs[0];
    const from = layer === 0 ? naming.input : (i) => naming.output(layer - 1, i);
    const lines = update.weights.change.slice(0, UNITS).flatMap((row, i) => row.slice(0, UNITS).map((change, j) => {
      const symbols = plain ? `η·${naming.delta(layer, j)}·${from(i)}` : `${kind}(∂E/∂${naming.weight(layer, i, j)})`;
      const numbers = plain && backward.deltas ? `${show(rate)}·${bracket(backward.deltas[0][j])}·${bracket(values[i])}` : null;
      return [`Δ${naming.weight(layer, i, j)}`, symbols, numbers, show(change)];
    }));
    const biases = (update.bias?.change ?? []).slice(0, UNITS).map((change, j) =>
      [`Δ${naming.bias(layer, j)}`, plain ? `η·${naming.delta(layer, j)}` : `${kind}(∂E/∂${naming.bias(layer, j)})`,
        plain && backward.deltas ? `${show(rate)}·${bracket(backward.deltas[0][j])}` : null, show(change)]);
    return { title: `What ${forward.name} learns`, lines: [...lines, ...biases] };
  });
  const lines = [["E before", null, null, show(trace.loss.value)], ["E after", null, null, show(trace.update.loss_after)]];
  return [...blocks, { title: "Did it help?", lines }];
}

function units(values, lines) {
  return values.slice(0, UNITS).flatMap(lines);
}

function hidden(count) {
  return count > UNITS ? `Units 1 to ${UNITS} of ${count} are shown; the JSON has them all.` : null;
}

/** A sum of which the middle is left out where it is long. */
function shortened(terms, ...more) {
  const shown = terms.length > TERMS ? [...terms.slice(0, TERMS - 1), "…", terms.at(-1)] : terms;
  return [...shown, ...more.filter(Boolean)].join(" + ");
}

function bracket(number) {
  return number < 0 ? `(${show(number)})` : show(number);
}
