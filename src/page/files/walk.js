// One step by hand: a small network walked through forward, error, backward and update, each stage a request.

import { act, look } from "./api.js";
import { drawPast, drawRate, drawStages } from "./board.js";
import { byId, h, replace, still } from "./element.js";
import { complaint, forget, waits } from "./fields.js";
import { formulas } from "./formulas.js";
import { drawInspector, inspect } from "./inspector.js";
import { whyNot } from "./layout.js";
import { SEEN, drawNetwork, keyOf } from "./network.js";
import { names, shortened } from "./numbers.js";
import { entryOf, goOn, learns, parametersAt, recall, stepsOf } from "./past.js";
import { Session } from "./session.js";
import { showSolution } from "./solution.js";
import { NEXT, told } from "./stages.js";
import { after, before, sizesOf } from "./trace.js";
import { readWalk, writeWalk } from "./walk-address.js";

const PRESET = "worked-example";
const TEN = 10;

let state;
let session;

/** Shows what the address says: a session, or a preset from its start. */
export async function showWalk(address) {
  listen();
  forget("walk");
  const complaints = [];
  const opened = address.session && (await Session.open(address.session));
  const hindrance = opened && whyNot(sizesOf(opened.view.network));
  if (address.session && !opened) complaints.push(`The session ${address.session} is not here any more. This is a fresh start.`);
  if (hindrance) {
    complaints.push(["The session ", h("a", { href: `#play?session=${opened.name}` }, opened.name), ` ${hindrance}. The playground shows it. This is a fresh start.`]);
  }
  await (opened && !hindrance ? takeSession(opened) : takePreset(address.preset ?? PRESET, complaints));
  // What else the address says is said of the session that it names.
  if (!address.session || session.name) await takeRest(address, complaints);
  notice(...complaints);
  draw();
}

async function takeRest(address, complaints) {
  const { at, stage, ...numbers } = readWalk(address, state, Boolean(session.name), (text) => complaints.push(text));
  Object.assign(state, numbers);
  if (at !== undefined) await goTo(at);
  if (stage !== undefined && stage !== "ready") await goToStage(stage).catch((error) => complaints.push(error.message));
  // A step is shown with the rate that it was made with; the next ones are made with the one that stands here.
  if (numbers.learningRate !== undefined) state.learningRate = numbers.learningRate;
}

async function takePreset(name, complaints, ask = look) {
  const { presets } = await look("GET", "/v1/presets");
  const isKnown = presets.some((one) => one.name === name);
  if (!isKnown) complaints.push(complaint("The address’s preset", name, { allowed: `one of ${presets.map((one) => one.name).join(", ")}` }));
  const preset = await ask("GET", `/v1/presets/${isKnown ? name : PRESET}`);
  const hindrance = whyNot(sizesOf(preset.network));
  if (hindrance) {
    complaints.push(["The preset ", h("a", { href: `#play?preset=${name}` }, name), ` ${hindrance}. The playground shows it.`]);
    return takePreset(PRESET, complaints);
  }
  session = new Session({ body: { preset: preset.name } });
  const layers = preset.network.layers.map(({ name, weights, bias }) => ({
    name, parameters: { weights, ...(Array.isArray(bias) && { bias }) } }));
  start(preset, preset.data, layers, { steps: [], since: 0 });
  state.preset = preset.name;
  return undefined;
}

async function takeSession(opened) {
  session = opened;
  const { network, data } = session.view;
  const history = await stepsOf(session);
  const { layers } = await look("GET", await session.path("weights"));
  const example = { inputs: [Array(network.inputs).fill(0.5)], targets: [Array(network.layers.at(-1).units).fill(1)] };
  start(session.view, data ?? example, layers, history);
}

function start({ network, optimizer, loss }, data, layers, history) {
  const sizes = sizesOf(network);
  const given = { inputs: data.inputs[0], targets: data.targets[0], learningRate: optimizer.learning_rate };
  state = {
    sizes, naming: names(sizes.slice(1)), layers, loss, optimizer, history, head: history.steps.at(-1)?.step ?? 0, past: null, now: null, trace: null,
    stage: "ready", made: "ready", given, ...given, selected: null, editing: null,
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

async function ask(stage, how) {
  const [pass, ...fields] = ASKED[stage];
  return how("POST", await (stage === "update" ? session.pathToChange(pass) : session.path(pass)), body(...fields));
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
async function goToStage(stage, how = act) {
  if (SEEN[stage] > SEEN[state.made]) {
    if (state.past !== null) await (stage === "update" ? learnFromHere() : leavePast());
    state.trace = await ask(stage, how);
    state.made = stage;
    if (stage === "update") await refreshSteps();
  }
  state.stage = stage;
  state.layers = state.trace ? before(state.trace) : state.layers;
  await lookCloser();
}

/** The next round starts with what the last step has left. */
async function next() {
  if (state.stage === "update") await (state.past === null ? backToNow() : leavePast());
  await goToStage(NEXT[state.stage]);
}

/** The session as it stands, with the numbers that are shown, or that were left for a look at the past. */
async function backToNow() {
  const { layers } = await look("GET", await session.path("weights"));
  Object.assign(state, numbersOf(state.now ?? state), { layers, trace: null, stage: "ready", made: "ready", past: null, now: null });
}

function numbersOf({ inputs, targets, learningRate }) {
  return { inputs, targets, learningRate };
}

/** Something is to be computed, and a past step is shown: it is done with the network as it stands. */
async function leavePast() {
  await backToNow();
  remark("A past step keeps the numbers that it was made with: this is the network as it is now.");
}

/** Something is to be learned, and a past step is shown: the session goes back there first. */
async function learnFromHere() {
  const to = state.past;
  await rewind();
  remark(`You were looking at step ${to}: the session went back there, and learns on from it.`);
}

/** After an input or a target was changed: the same stage again, with the new numbers. */
async function again() {
  const stage = state.stage === "update" ? "backward" : state.stage;
  // What was typed stays, and what stands beside it.
  state.now = null;
  if (state.past !== null) await leavePast();
  else if (state.made === "update") await backToNow();
  Object.assign(state, { trace: null, made: "ready", stage: "ready" });
  await goToStage(stage);
}

async function refreshSteps() {
  state.history = await goOn(session, state.history);
  state.head = state.history.steps.at(-1).step;
  session.view = { ...session.view, step: state.head };
  Object.assign(state, { past: null, now: null });
}

/** Looks at a past step: its trace, as it was answered. What is left for that is found again as it was. */
async function goTo(step, ask = act) {
  if (step === state.head && state.now) return returnToNow();
  const { steps } = state.history;
  const entry = await entryOf(session, steps, step);
  const trace = learns(entry) ? await recall(session, entry, ask) : null;
  const layers = trace ? before(trace) : await parametersAt(session, steps, step, ask);
  const { stage, made, ...left } = state;
  const now = state.now ?? { ...numbersOf(left), stage, made, layers: left.layers, trace: left.trace };
  Object.assign(state, step === state.head ? { past: null, now: null } : { past: step, now }, { entry, trace, layers: layers ?? state.layers });
  if (trace) {
    Object.assign(state, { made: "update", stage: "update",
      inputs: trace.forward.inputs[0], targets: trace.loss.targets[0], learningRate: trace.update.optimizer.learning_rate });
  } else {
    Object.assign(state, { made: "ready", stage: "ready" }, numbersOf(now));
  }
  await lookCloser();
}

async function returnToNow() {
  Object.assign(state, state.now, { past: null, now: null });
  await lookCloser();
}

/** The step whose state stands on the picture: before an update is shown, that of the step before it. */
function standsAt() {
  if (state.made === "update") return state.stage === "update" ? state.trace.step : state.trace.step - 1;
  return state.past ?? state.head;
}

async function goBack(to) {
  session.view = await act("POST", await session.pathToChange("rewind"), { to });
}

async function rewind() {
  await goBack(state.past);
  await refreshSteps();
  await backToNow();
}

/** Goes on in a branch, with all that is shown as it is. */
async function branch() {
  const { stage, made, preset, weight, selected, ...shown } = state;
  const [from, at] = [session.name, state.past ?? state.head];
  await takeSession(await session.fork(at));
  Object.assign(state, { preset, weight, selected }, numbersOf(shown));
  if (made === "update") await goTo(at, look);
  state.learningRate = shown.learningRate;
  if (stage !== "ready") await goToStage(stage, look);
  else await lookCloser();
  remark(`This is a branch of ${from}, from its step ${at} on. ${from} stays as it is.`);
}

async function restart() {
  const preset = state.preset;
  forget("walk");
  await session.discard();
  await takePreset(preset ?? PRESET, [], act);
}

const on = {
  select: async (weight) => {
    await guarded(async () => {
      const key = keyOf(weight);
      // The second press on the same number is for typing over it.
      if (state.selected === key) state.editing = key;
      else {
        Object.assign(state, { selected: key, weight, editing: null });
        await lookCloser(act);
      }
    });
    // What there is to see of it may lie below the window's edge.
    if (!state.editing) byId("walk-inspector").parentElement.scrollIntoView({ behavior: still() ? "instant" : "smooth", block: "nearest" });
  },
  setWeight: (weight, number) => guarded(async () => {
    state.editing = null;
    if (number === undefined) return;
    const { stage } = state;
    const { name, parameters } = (stage === "update" ? after(state.trace) : state.layers)[weight.gap];
    const values = structuredClone(parameters[weight.parameter]);
    const [i, j] = weight.index;
    if (j === undefined) values[i] = number;
    else values[i][j] = number;
    // One network has one state: what was shown becomes that of the session before a weight of it is set.
    const to = standsAt();
    if (to !== state.head) {
      await goBack(to);
      remark(`The weights that you saw were those of step ${to}: the session went back there, and then this one was set.`);
    }
    await act("PUT", await session.pathToChange(`weights/${name}`), { layers: [{ name, parameters: { [weight.parameter]: values } }] });
    await refreshSteps();
    await backToNow();
    if (stage !== "ready") await goToStage(stage === "update" ? "backward" : stage, look);
    else await lookCloser();
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
    notice();
    await work();
  } catch (error) {
    notice(shortened(error.message));
  } finally {
    state.busy = false;
    byId("view-walk").removeAttribute("aria-busy");
    draw();
  }
}

function notice(...texts) {
  replace(byId("walk-notice"), texts.map((text) => h("p", { class: "refusal" }, text)));
}

/** Says what was done beside what was asked for. */
function remark(text) {
  replace(byId("walk-notice"), h("p", { class: "note" }, text));
}

function draw() {
  if (byId("view-walk").hidden) return;
  drawNetwork(byId("walk-network"), state, on);
  drawStages(state);
  replace(byId("walk-told"), told(state));
  replace(byId("walk-formulas"), formulas(state));
  showSolution(solved());
  drawInspector(byId("walk-inspector"), { state, ...state }, on);
  drawPast(state, session);
  drawRate(state, setRate);
  writeWalk(state, session, PRESET);
}

function setRate(rate) {
  return guarded(async () => {
    state.learningRate = rate;
    if (state.made === "backward") await again();
  });
}

let listening = false;

function listen() {
  if (listening) return;
  listening = true;
  const click = (id, work) => byId(id).addEventListener("click", () => guarded(work));
  // What computes with the numbers on the page waits until all of them are numbers.
  const reckon = (button, work) => button.addEventListener("click", () => waits("walk") || guarded(work));
  for (const button of document.querySelectorAll("#walk-stages button")) reckon(button, () => goToStage(button.dataset.stage));
  reckon(byId("walk-next"), next);
  reckon(byId("walk-ten"), tenSteps);
  click("walk-restart", restart);
  click("walk-rewind", rewind);
  click("walk-branch", branch);
  click("walk-now", returnToNow);
  byId("walk-scrub").addEventListener("change", (event) => guarded(() => goTo(Number(event.target.value))));
  new ResizeObserver(() => state && !state.busy && draw()).observe(byId("walk-network").parentElement);
}

async function tenSteps() {
  if (state.past !== null) await learnFromHere();
  for (let step = 0; step < TEN; step += 1) {
    const path = await session.pathToChange("step");
    state.trace = await act("POST", path, body("inputs", "targets", "learning_rate"), step === 0 ? { times: TEN } : { why: "repeat" });
  }
  Object.assign(state, { stage: "update", made: "update", layers: before(state.trace) });
  await refreshSteps();
  await lookCloser();
}
