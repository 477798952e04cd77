// The four stages of a step, and what each one says about the numbers on the picture.

import { h } from "./element.js";
import { show } from "./numbers.js";
import { isPlain } from "./trace.js";

/** Each stage's number, and what its button says. */
export const STAGES = {
  forward: { number: "1", verb: "Forward: what does it answer?" },
  error: { number: "2", verb: "Error: how wrong is that?" },
  backward: { number: "3", verb: "Backward: who is to blame?" },
  update: { number: "4", verb: "Update: learn from it" },
};

/** The stage after each. */
export const NEXT = { ready: "forward", forward: "error", error: "backward", backward: "update", update: "forward" };

/** What is to be seen, in two or three sentences. */
export function told(state) {
  return h("p", {}, { ready, forward, error, backward, update }[state.stage](state));
}

function list(names, values) {
  return values.map((value, at) => `${names(at)} = ${show(value)}`).join(", ");
}

function ready({ naming, inputs, targets }) {
  return ["In come ", strong(list(naming.input, inputs)), ". Out should come ", strong(list(naming.target, targets)),
    ". The numbers on the lines are the weights: what the network knows. Press ", strong("1 Forward"), " to hear its answer."];
}

function forward({ naming, trace, sizes }) {
  const outputs = trace.forward.outputs[0];
  const last = sizes.length - 2;
  return ["Each unit adds up what comes in, each number times its weight (the sum stands above it), and bends the sum by its activation. The answer: ",
    strong(list((j) => naming.output(last, j), outputs)), "."];
}

function error({ naming, targets, trace }) {
  return ["It should have been ", strong(list(naming.target, targets)), ". How far off that is, as one number, is the error ",
    strong(`E = ${show(trace.loss.value)}`), ". Learning means making it smaller."];
}

function backward({ naming, trace, sizes }) {
  const deltas = trace.backward.layers[0].deltas?.[0] ?? [];
  const last = sizes.length - 2;
  return ["The error goes back the way the answer came. The output is to blame directly (", strong(list((j) => naming.delta(last, j), deltas)),
    "); units below get their part through the weights, times their own slope. A thick line means a weight that matters much."];
}

function update({ trace }) {
  const { optimizer } = trace.update;
  const moves = trace.update.layers.some(({ parameters }) => Object.values(parameters ?? {}).some(({ change }) => change.flat().some(Boolean)));
  const how = isPlain(optimizer) ? "a little, against the error and in proportion to its part in it" : `by as much as the rule of ${optimizer.kind} says`;
  return [moves ? `Every weight moves ${how}. The error was ` : "No weight moves: nothing of the error reaches any of them. The error was ", strong(show(trace.loss.value)),
    " and is now ", strong(show(trace.update.loss_after)), "."];
}

function strong(text) {
  return h("b", {}, text);
}
