// Makes a session learn: single steps, and runs of many, which the server makes and tells of while it does.

import { act, answered, look, stream } from "./api.js";

/** Steps after which Train pauses by itself. */
const RUN = 20_000;
/** A run is made in portions, each a request, so that it is seen from its first step on. Where steps take no time it can be watched and paused
 * between them: after the first step they are of so many, later of an eighth of what was made until then. Others tell of themselves while they are
 * made, and theirs double. */
const [PORTION, GROWTH] = [5, 8];
/** Weights times rows up to which steps take no time. */
const QUICK = 50_000;
/** Milliseconds between two looks at what was learned. */
const TICK = 100;
/** Rows that the depth insight looks at. */
const LOOKED_AT = 100;

const LEARNS = ["dense", "batch_norm", "layer_norm"];

/** The norm of each layer that learns, those inside of residual blocks among them, from the output down. */
function normsOf(layers) {
  return layers.flatMap(({ name, kind, gradient_norm: value, layers: inner }) => [
    ...(LEARNS.includes(kind) ? [{ name, value }] : []), ...normsOf(inner ?? [])]);
}

/**
 * What a step or a run's progress told: `{ step, loss, accuracy, whole, norms: [{ name, value }] }`, loss and accuracy of the step's own rows
 * before its update; `whole` of all rows when they were looked at last: `{ isNow, loss, accuracy, testLoss, testAccuracy }`.
 */
function fromTrace(trace) {
  return { step: trace.step, loss: trace.loss.value, whole: { isNow: true, loss: trace.update.loss_after }, norms: normsOf(trace.backward.layers).reverse() };
}

function fromProgress(progress) {
  return {
    step: progress.step, loss: progress.loss, accuracy: progress.accuracy,
    whole: {
      isNow: progress.evaluated_at === progress.step, loss: progress.train_loss, accuracy: progress.train_accuracy,
      testLoss: progress.test_loss, testAccuracy: progress.test_accuracy,
    },
    norms: (progress.gradient_norms ?? []).map(({ layer, value }) => ({ name: layer, value })),
  };
}

/** What is learned from: a dataset by its name, other rows themselves. */
function rowsOf({ dataset, inputs, targets }) {
  return dataset ? { dataset } : { inputs, targets };
}

/** One step over all rows that are learned from. */
export async function oneStep(session, data, rate) {
  if (data.dataset) {
    const body = { ...rowsOf(data), steps: 1, batch_size: data.examples, learning_rate: rate };
    return fromProgress(await act("POST", await session.pathToChange("train"), body));
  }
  const path = await session.pathToChange("step");
  return fromTrace(await act("POST", `${path}?trace=summary`, { ...rowsOf(data), learning_rate: rate }));
}

/** A run that can be stopped: `run.stop()`; `tell` hears of its progress, and `run.over` is kept when it has ended. */
export function train(session, data, settings, tell) {
  const run = { stopped: false, stop: async () => (run.stopped = true) };
  run.over = make(run, session, data, settings, tell);
  return run;
}

async function make(run, session, data, { rate, batch, seed }, tell) {
  const path = await session.pathToChange("train");
  const isQuick = session.view.parameters * data.inputs.length <= QUICK;
  if (!isQuick) run.stop = () => end(run, path);
  let head = session.view.step;
  const heard = (progress) => {
    head = progress.step;
    tell(progress);
  };
  for (let made = 0; made < RUN && !run.stopped;) {
    const steps = Math.min(portionAfter(made, isQuick), RUN - made);
    const tick = new Promise((resolve) => setTimeout(resolve, TICK));
    // Each portion shuffles its rows by a seed of its own: none begins like the one before.
    const body = { ...rowsOf(data), steps, batch_size: Math.min(batch, data.inputs.length), learning_rate: rate,
      seed: (seed + head) % Number.MAX_SAFE_INTEGER };
    const answer = await stream("POST", path, body, { accept: "text/event-stream" });
    // Paused before the server had begun with this portion: it hears of it now.
    if (run.stopped && !isQuick) await end(run, path);
    await follow(answer, heard);
    made += steps;
    if (isQuick) await tick;
  }
}

function portionAfter(made, isQuick) {
  if (made === 0) return 1;
  return isQuick ? Math.max(PORTION, Math.ceil(made / GROWTH)) : made;
}

async function end(run, path) {
  run.stopped = true;
  await act("DELETE", path);
}

async function follow(response, tell) {
  for await (const { event, data } of events(response.body)) {
    const told = JSON.parse(data);
    // A run that cannot go on tells why; so does a stream that could not be begun.
    const problem = told.problem ?? (event === "problem" ? told : null);
    if (problem) throw new Error(problem.detail ?? problem.title);
    if (told.loss != null) tell(fromProgress(told));
  }
}

/** A run that goes on in a session, begun before this page was opened; null if there is none. */
export async function running(session, tell) {
  const path = await session.path("train");
  if (!isOn(await look("GET", path))) return null;
  const run = { stop: () => end(run, path) };
  run.over = watch(path, tell);
  return run;
}

async function watch(path, tell) {
  for (;;) {
    const told = await look("GET", path);
    if (told.loss != null) tell(fromProgress(told));
    if (!isOn(told)) return;
    await new Promise((resolve) => setTimeout(resolve, TICK));
  }
}

function isOn({ state }) {
  return state === "running" || state === "interrupted";
}

/** The events of a stream: `{ event, data }` each. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await answered(reader.read());
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

/** Goes back to a step. */
export async function goBack(session, to) {
  session.view = await act("POST", await session.pathToChange("rewind"), { to });
}

/** What the depth insight says of the network on this data, of many rows on the first ones. */
export async function askDepth(session, { inputs, targets }) {
  return look("POST", await session.path("depth"), { inputs: inputs.slice(0, LOOKED_AT), targets: targets.slice(0, LOOKED_AT) });
}
