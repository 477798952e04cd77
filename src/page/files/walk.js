// One step by hand: a small network walked through forward, error, backward and update, each stage a request.

import { act, look } from "./api.js";
import { writeAddress } from "./address.js";
import { byId, h, replace } from "./element.js";
import { formulas } from "./formulas.js";
import { drawInspector, inspect } from "./inspector.js";
import { drawable } from "./layout.js";
import { SEEN, drawNetwork, keyOf } from "./network.js";
import { exact, names, read, show } from "./numbers.js";
import { describe, drawCurve, parametersAt, recall, stepsOf } from "./past.js";
import { Session } from "./session.js";
import { showSolution } from "./solution.js";
import { NEXT, STAGES, told } from "./stages.js";
import { after, before, sizesOf } from "./trace.js";

const PRESET = "worked-example";

let state;
let session;

/** Shows what the address says: a session, or a preset from its start. */
export async function showWalk(address) {
  listen();
  const opened = address.session && (await Session.open(address.session));
  notice(address.session && !opened ? `The session ${address.session} is not here any more. This is a fresh start.` : "");
  await (opened ? takeSession(opened) : takePreset(address.preset ?? PRESET));
  for (const [field, list] of [["x", state.inputs], ["y", state.targets]]) {
    const given = (address[field] ?? "").split(",").map(read);
    if (given.length === list.length && given.every(Number.isFinite)) state[field === "x" ? "inputs" : "targets"] = given;
  }
  const rate = read(address.rate ?? "");
  if (Number.isFinite(rate) && rate >= 0) state.learningRate = rate;
  const at = Number(address.at);
  if (session.name && address.at && state.steps.some((entry) => entry.step === at)) await goTo(at);
  if (address.stage in SEEN) await guarded(() => goToStage(address.stage));
  draw();
}

async function takePreset(name) {
  const preset = await look("GET", `/v1/presets/${name}`).catch(() => look("GET", `/v1/presets/${PRESET}`));
  session = new Session({ body: { preset: preset.name } });
  const layers = preset.network.layers.map(({ name, weights, bias }) => ({
    name, parameters: { weights, ...(Array.isArray(bias) && { bias }) } }));
  start(preset, preset.data, layers, []);
  state.preset = preset.name;
}

async function takeSession(opened) {
  session = opened;
  const { network, data } = session.view;
  const steps = await stepsOf(session);
  const { layers } = await look("GET", await session.path("weights"));
  const example = { inputs: [Array(network.inputs).fill(0.5)], targets: [Array(network.layers.at(-1).units).fill(1)] };
  start(session.view, data ?? example, layers, steps);
}

function start({ network, optimizer, loss }, data, layers, steps) {
  const sizes = sizesOf(network);
  if (!sizes || !drawable(sizes)) throw new Error("This network is too large to be walked through by hand. The playground shows it.");
  state = {
    sizes, naming: names(sizes.slice(1)), layers, loss, steps, head: steps.at(-1)?.step ?? 0, past: null, trace: null, stage: "ready",
    made: "ready", inputs: data.inputs[0], targets: data.targets[0], learningRate: optimizer.learning_rate, selected: null, editing: null,
  };
}

/** The body of a pass, nothing left to a default: so its curl stands for itself. */
function body(...fields) {
  const all = { inputs: [state.inputs], targets: [state.targets], learning_rate: state.learningRate };
  return Object.fromEntries(fields.map((field) => [field, all[field]]));
}

/** What each stage asks for, and with what. */
const ASKED = {
  forward: ["forward", "inputs"],
  error: ["forward", "inputs", "targets"],
  backward: ["backward", "inputs", "targets", "learning_rate"],
  update: ["step", "inputs", "targets", "learning_rate"],
};

async function ask(stage) {
  const [pass, ...fields] = ASKED[stage];
  return act("POST", await (stage === "update" ? session.pathToChange(pass) : session.path(pass)), body(...fields));
}

/** The request that the worked solution of what is shown comes from; null where nothing was computed yet. */
function solved() {
  if (!state.trace || !session.name) return null;
  const path = `/v1/sessions/${session.name}`;
  if (state.made === "update") return { method: "GET", path: `${path}/steps/${state.past ?? state.trace.step}` };
  const [pass, ...fields] = ASKED[state.made];
  return { method: "POST", path: `${path}/${pass}`, body: body(...fields) };
}

/** Goes to a stage. What the trace has already is shown as it is; for more the server is asked. */
async function goToStage(stage) {
  if (SEEN[stage] > SEEN[state.made]) {
    state.trace = await ask(stage);
    state.made = stage;
    if (stage === "update") await refreshSteps();
  }
  state.stage = stage;
  state.layers = state.trace ? before(state.trace) : state.layers;
  await lookCloser();
}

/** The next round starts with what the last step has left. */
async function next() {
  if (state.stage === "update") await backToNow();
  await goToStage(NEXT[state.stage]);
}

async function backToNow() {
  const { layers } = await look("GET", await session.path("weights"));
  Object.assign(state, { layers, trace: null, stage: "ready", made: "ready", past: null });
}

/** After something was changed by hand: the same stage again, with the new numbers. */
async function again() {
  const stage = state.stage === "update" ? "backward" : state.stage;
  if (state.past !== null || state.made === "update") await backToNow();
  Object.assign(state, { trace: null, made: "ready", stage: "ready" });
  await goToStage(stage);
}

async function refreshSteps() {
  state.steps = await stepsOf(session);
  state.head = state.steps.at(-1).step;
  state.past = null;
}

/** Looks at a past step: its trace, as it was answered. */
async function goTo(step) {
  const entry = state.steps.find((one) => one.step === step);
  const trace = entry.kind === "step" ? await recall(session, entry, act) : null;
  state.past = step === state.head ? null : step;
  if (trace) {
    Object.assign(state, { trace, made: "update", stage: "update", layers: before(trace),
      inputs: trace.forward.inputs[0], targets: trace.loss.targets[0], learningRate: trace.update.optimizer.learning_rate });
  } else {
    const layers = await parametersAt(session, state.steps, step);
    Object.assign(state, { trace: null, made: "ready", stage: "ready", layers: layers ?? state.layers });
  }
  await lookCloser();
}

async function rewind() {
  const to = state.past;
  session.view = await act("POST", await session.pathToChange("rewind"), { to });
  await refreshSteps();
  await backToNow();
}

async function branch() {
  await takeSession(await session.fork(state.past ?? state.head));
}

async function restart() {
  const preset = state.preset;
  await session.discard();
  await takePreset(preset ?? PRESET);
}

const on = {
  select: (weight) => guarded(async () => {
    const key = keyOf(weight);
    // The second press on the same number is for typing over it.
    if (state.selected === key) state.editing = key;
    else {
      Object.assign(state, { selected: key, weight, editing: null });
      await lookCloser(act);
    }
  }),
  setWeight: (weight, number) => guarded(async () => {
    state.editing = null;
    if (number === undefined) return;
    const { name, parameters } = (state.stage === "update" ? after(state.trace) : state.layers)[weight.gap];
    const values = structuredClone(parameters[weight.parameter]);
    const [i, j] = weight.index;
    if (j === undefined) values[i] = number;
    else values[i][j] = number;
    await act("PUT", await session.pathToChange(`weights/${name}`), { layers: [{ name, parameters: { [weight.parameter]: values } }] });
    await refreshSteps();
    const { stage } = state;
    await backToNow();
    if (stage !== "ready") await goToStage(stage === "update" ? "backward" : stage);
  }),
  setInput: (i, number) => guarded(async () => {
    state.inputs = state.inputs.with(i, number);
    await again();
  }),
  setTarget: (k, number) => guarded(async () => {
    state.targets = state.targets.with(k, number);
    await again();
  }),
};

/** The chosen weight's chain and blame, as the network stands. */
async function lookCloser(ask = look) {
  Object.assign(state, { found: null, refusal: null, remark: null });
  if (!state.weight) return;
  if (state.past !== null) {
    state.remark = "A past step is shown. Go back to it, or branch off there, to take its gradients apart.";
    return;
  }
  if (state.made === "update") state.remark = "After the update: the network as it is now.";
  try {
    const { gap, parameter, index } = state.weight;
    state.found = await inspect(session, body("inputs", "targets"), { layer: state.layers[gap].name, parameter, index }, ask);
  } catch (error) {
    state.refusal = error.message;
  }
}

/** Runs one thing at a time; a refusal is told, and the page stays as it was. */
async function guarded(work) {
  if (state.busy) return;
  state.busy = true;
  byId("view-walk").setAttribute("aria-busy", "true");
  try {
    notice("");
    await work();
  } catch (error) {
    notice(error.message);
  } finally {
    state.busy = false;
    byId("view-walk").removeAttribute("aria-busy");
    draw();
  }
}

function notice(text) {
  replace(byId("walk-notice"), text && h("p", { class: "refusal" }, text));
}

function draw() {
  if (byId("view-walk").hidden) return;
  drawNetwork(byId("walk-network"), state, on);
  drawStages();
  replace(byId("walk-told"), told(state));
  replace(byId("walk-formulas"), formulas(state));
  showSolution(solved());
  drawInspector(byId("walk-inspector"), { state, ...state }, on);
  drawPast();
  const rate = byId("walk-rate");
  if (document.activeElement !== rate) rate.value = exact(state.learningRate);
  byId("walk-session").textContent = session.name ? `session ${session.name}${session.isOwn ? "" : " (not yours: changes go into a copy)"}` : "";
  remember();
}

function drawStages() {
  for (const button of document.querySelectorAll("#walk-stages button")) {
    const { stage } = button.dataset;
    if (stage === state.stage) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
    button.classList.toggle("done", SEEN[stage] <= SEEN[state.made]);
  }
  const following = NEXT[state.stage];
  byId("walk-next").textContent = state.stage === "update" ? "Next round: forward again" : `${STAGES[following].number} ${STAGES[following].verb}`;
}

function drawPast() {
  const { steps, head, past } = state;
  const shown = past ?? (state.made === "update" ? state.trace.step : head);
  const slider = byId("walk-scrub");
  slider.max = head;
  slider.value = shown;
  slider.disabled = head === 0;
  const text = describe(steps.find((entry) => entry.step === shown)) || "no step yet";
  slider.setAttribute("aria-valuetext", text);
  byId("walk-step").textContent = past === null ? text : `${text}, of ${head}`;
  const away = past !== null;
  for (const id of ["walk-rewind", "walk-now"]) byId(id).hidden = !away;
  byId("walk-branch").disabled = !session.name;
  const points = steps.filter(({ kind }) => kind === "step").map(({ step, loss }) => [step, loss]);
  drawCurve(byId("walk-curve"), [{ name: "train", points }], { mark: shown });
}

function remember() {
  const { stage, past, made, trace } = state;
  writeAddress("walk", {
    session: session.name, preset: session.name ? null : state.preset === PRESET ? null : state.preset,
    stage: stage === "ready" ? null : stage, at: past ?? (made === "update" ? trace.step : null),
    x: session.name && made !== "update" ? state.inputs.join(",") : null, y: session.name && made !== "update" ? state.targets.join(",") : null,
    rate: session.name ? state.learningRate : null,
  });
}

let listening = false;

function listen() {
  if (listening) return;
  listening = true;
  const click = (id, work) => byId(id).addEventListener("click", () => guarded(work));
  for (const button of document.querySelectorAll("#walk-stages button")) {
    button.addEventListener("click", () => guarded(() => goToStage(button.dataset.stage)));
  }
  click("walk-next", next);
  click("walk-ten", tenSteps);
  click("walk-restart", restart);
  click("walk-rewind", rewind);
  click("walk-branch", branch);
  click("walk-now", async () => {
    await backToNow();
    await lookCloser();
  });
  byId("walk-scrub").addEventListener("change", (event) => guarded(() => goTo(Number(event.target.value))));
  byId("walk-rate").addEventListener("change", (event) => guarded(async () => {
    const rate = read(event.target.value);
    if (!(rate >= 0)) throw new Error("A learning rate is a number that is not below zero.");
    state.learningRate = rate;
    if (state.made === "backward") await again();
  }));
  new ResizeObserver(() => state && !state.busy && draw()).observe(byId("walk-network").parentElement);
}

async function tenSteps() {
  if (state.past !== null) await backToNow();
  for (let step = 0; step < 10; step += 1) {
    state.trace = await act("POST", await session.pathToChange("step"), body("inputs", "targets", "learning_rate"));
  }
  Object.assign(state, { stage: "update", made: "update", layers: before(state.trace) });
  await refreshSteps();
}
