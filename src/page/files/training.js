// Makes a session learn: single steps, and runs of many, which the server makes and tells of while it does.

import { act, look, stream } from "./api.js";

/** Steps of one run: a visitor presses Pause long before. */
const RUN = 20_000;

/** What a step or a run's progress told: `{ step, loss, testLoss, accuracy, testAccuracy, norms: [{ name, value }] }`. */
function fromTrace(trace) {
  return { step: trace.step, loss: trace.loss.value, norms: normsOf(trace.backward.layers).reverse() };
}

const LEARNS = ["dense", "batch_norm", "layer_norm"];

/** The norm of each layer that learns, those inside of residual blocks among them, from the output down. */
function normsOf(layers) {
  return layers.flatMap(({ name, kind, gradient_norm: value, layers: inner }) => [
    ...(LEARNS.includes(kind) ? [{ name, value }] : []), ...normsOf(inner ?? [])]);
}

function fromProgress(progress) {
  return {
    step: progress.step, loss: progress.loss, accuracy: progress.accuracy, testLoss: progress.test_loss, testAccuracy: progress.test_accuracy,
    speed: progress.steps_per_second, norms: (progress.gradient_norms ?? []).map(({ layer, value }) => ({ name: layer, value })),
  };
}

/** One step over all rows. */
export async function oneStep(session, data, rate) {
  const path = await session.pathToChange("step");
  return fromTrace(await act("POST", `${path}?trace=summary`, { inputs: data.inputs, targets: data.targets, learning_rate: rate }));
}

/** A run that can be stopped: `run.stop()`; `tell` hears of its progress, and `run.over` is kept when it has ended. */
export function train(session, data, settings, tell) {
  const run = { stopped: false, stop: async () => (run.stopped = true) };
  run.over = follow(run, session, data, settings, tell);
  return run;
}

async function follow(run, session, data, { rate, batch, seed }, tell) {
  const path = await session.pathToChange("train");
  const rows = data.dataset ? { dataset: data.dataset } : { inputs: data.inputs, targets: data.targets };
  const body = { ...rows, steps: RUN, batch_size: Math.min(batch, data.inputs.length), learning_rate: rate, seed, progress_every: 5 };
  run.stop = async () => {
    run.stopped = true;
    await act("DELETE", path).catch(() => {});
  };
  const response = await stream("POST", path, body, { accept: "text/event-stream" });
  for await (const { event, data: text } of events(response.body)) {
    const told = JSON.parse(text);
    if (event === "problem") throw new Error(told.detail ?? told.title);
    if (told.loss != null) await tell(fromProgress(told));
  }
}

/** The events of a stream: `{ event, data }` each. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value.replaceAll("\r\n", "\n");
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const lines = text.slice(0, end).split("\n");
      text = text.slice(end + 2);
      const field = (name) => lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trimStart());
      const data = field("data").join("\n");
      if (data) yield { event: field("event")[0] ?? "message", data };
    }
  }
}

/**
 * The line that led to where a session stands: its steps without those that were gone back from, as `[{ step, loss }]`, oldest
 * first. `at` is the step whose state it has.
 */
export function lineage(steps) {
  let [line, at] = [[], 0];
  const lines = new Map();
  for (const { step, kind, loss, asked } of steps) {
    if (kind === "rewind") [line, at] = lines.get(asked.to) ?? [[], asked.to];
    else at = step;
    if (loss != null) line = [...line, { step, loss }];
    lines.set(step, [line, at]);
  }
  return { line, at };
}

/** Goes back to a step. */
export async function goBack(session, to) {
  return act("POST", await session.pathToChange("rewind"), { to });
}

/** What the depth insight says of the network on this data. */
export async function askDepth(session, data) {
  return look("POST", await session.path("depth"), { inputs: data.inputs, targets: data.targets });
}
