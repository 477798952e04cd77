// The playground: data, a network, and training before one's eyes.

import { look } from "./api.js";
import { writeAddress } from "./address.js";
import { drawAnatomy, isSmall } from "./anatomy.js";
import { drawBuilder } from "./builder.js";
import { dataChoices, extent, loadData, noData, ownData, presetData, readPoints, writePoints } from "./data.js";
import { byId, h, replace } from "./element.js";
import { RULES, complaint, fitting, forget, numberField, waits } from "./fields.js";
import { drawable } from "./layout.js";
import { drawLearning } from "./learning.js";
import { extend, freshLine, lastLearned, lineOf, readLearned, shorten, writeLearned } from "./lineage.js";
import { counted, shortened } from "./numbers.js";
import { firstRecipe, layersOf, readRecipe, sessionBody, suited, writeLayers } from "./recipe.js";
import { Session } from "./session.js";
import { drawAxes, drawPoints, askSurface, paint, pointList } from "./surface.js";
import { sizesOf } from "./trace.js";
import { askDepth, goBack, oneStep, running, train } from "./training.js";

/** Data that are not chosen from the list. */
const OTHER_DATA = { preset: "What belongs to the network", none: "Nothing of its shape is here" };

let state;
let session;
let presets;
let choices;

/** Shows what the address says: a session that learns, or a recipe and its data from the start. */
export async function showPlay(address) {
  await leavePlay();
  [presets, choices] = await Promise.all([look("GET", "/v1/presets"), dataChoices()]);
  const complaints = [];
  const complain = (text) => complaints.push(text);
  const said = readRecipe(address, presets.presets.map(({ name }) => name), complain);
  const noise = address.noise === undefined ? null : fitting(address.noise, RULES.share);
  if (address.noise !== undefined && noise === null) complain(complaint("The address’s noise", address.noise, RULES.share));
  const points = readPoints(address.points ?? "");
  if (!points) complain(complaint("The address’s points", address.points, { allowed: "a list like 0,0,0;0.5,1,1 (x₁, x₂ and what should come out)" }));
  const isKnown = choices.some(({ name }) => name === address.data);
  if (address.data !== undefined && !isKnown) {
    complain(complaint("The address’s data", address.data, { allowed: `one of ${choices.map(({ name }) => name).join(", ")}` }));
  }
  const source = isKnown ? address.data : choices[0].name;
  const recipe = { ...firstRecipe(), ...said };
  state = { recipe, batch: 10, source, noise, brush: 1, data: null, ...nothingLearned() };
  listen();
  forget("play");
  await takeData(points?.inputs.length ? points : undefined);
  if (!recipe.preset) Object.assign(recipe, suited(state.data), said);
  else if (said.rate !== undefined) recipe.rate = said.rate;
  const opened = address.session && (await Session.open(address.session));
  if (address.session && !opened) complain(`The session ${address.session} is not here any more. This is a fresh start.`);
  if (opened) await takeSession(opened, { ...address, ...said, isKnown }, complain);
  else fresh();
  notice(...complaints);
  await redraw();
  // A session without a step of a run had none, or it is so new that One step finds it.
  if (state.line.history?.steps.at(-1).kind === "train") await takeUp();
}

/** What is known of a network that has learned nothing. */
function nothingLearned() {
  return { surface: null, norms: [], line: freshLine(), latest: null, isChanged: false, verdict: null, foreign: false };
}

/** A run is paused when the playground is left: what comes next may want to change its session. */
export async function leavePlay() {
  const { run } = state ?? {};
  if (!run) return;
  state.isLeft = true;
  await run.stop();
  await run.over.catch(() => {});
}

async function takeData(points) {
  const { recipe, source, noise } = state;
  if (recipe.preset) {
    state.preset = await look("GET", `/v1/presets/${recipe.preset}`);
    state.data = presetData(state.preset);
    recipe.rate = state.preset.optimizer.learning_rate;
  } else if (source === "own") {
    state.data = ownData(points);
  } else {
    state.data = await loadData({ name: source, noise });
  }
}

/** A session from the recipe; it is made when it first learns or answers. */
function fresh() {
  session = new Session({ body: sessionBody(state.recipe, state.data.shape) });
  Object.assign(state, nothingLearned());
}

/** A session that exists: the form shows what it is, and the data are those that it can learn from. */
async function takeSession(opened, { learned, rate, isKnown }, complain) {
  session = opened;
  const { network, optimizer, seed, data } = session.view;
  state.line = await lineOf(session, readLearned(learned));
  const { recipe } = state;
  if (!recipe.preset) {
    const layers = layersOf(network);
    state.foreign = !layers;
    Object.assign(recipe, { layers: layers ?? [], optimizer: optimizer.kind, seed, rate: rate ?? optimizer.learning_rate });
  }
  const shape = { inputs: network.inputs, targets: network.layers.findLast(({ units }) => units)?.units };
  const fits = ({ shape: { inputs, targets } }) => inputs === shape.inputs && targets === shape.targets;
  if (fits(state.data) && (isKnown || recipe.preset || !data)) return;
  state.data = data ? presetData({ data }) : noData(shape);
  if (!data) complain(`The session ${session.name} takes ${shape.inputs} numbers and gives ${shape.targets}: no data here are of that shape. It is shown as it is.`);
}

/** Where a run was begun before this page was opened, it is followed, and can be paused. */
async function takeUp() {
  if (!session.isOwn) return;
  const run = await running(session, told);
  carryOn(run).catch(trouble);
}

/** After the recipe or the data were changed: another network, from its start. */
async function rebuild() {
  const old = session;
  fresh();
  await old.discard();
  await redraw();
}

async function redraw() {
  await session.path();
  await askPicture();
  draw();
}

async function askPicture() {
  const { data } = state;
  if (data.shape.inputs === 2) state.surface = await askSurface(session, extent(data.inputs), isSmall(session.view.network));
}

/** Hears of a step or of a run's progress. It is drawn with the next frame, whatever else is told until then. */
function told(progress) {
  Object.assign(state, { latest: progress, isChanged: false });
  if (progress.norms.length) state.norms = progress.norms;
  extend(state.line, progress);
  session.view = { ...session.view, step: progress.step };
  if (state.planned) return;
  state.planned = true;
  const mine = state;
  requestAnimationFrame(() => {
    mine.planned = false;
    if (mine !== state || byId("view-play").hidden) return;
    drawLearning(state);
    remember();
    follow(mine).catch(trouble);
  });
}

/** While it learns, the pictures come one after the other, each asked for when the one before has come. */
async function follow(mine) {
  if (mine.asking || !mine.run || mine.data.shape.inputs !== 2) return;
  mine.asking = true;
  try {
    await askPicture();
    if (mine === state) drawPicture();
  } finally {
    mine.asking = false;
  }
}

async function toggle() {
  if (state.run) {
    await state.run.stop();
    return;
  }
  if (waits("play")) return;
  notice();
  const { recipe, batch, data } = state;
  await carryOn(train(session, data, { rate: recipe.rate, batch, seed: recipe.seed }, told));
}

/** Follows a run to its end. */
async function carryOn(run) {
  if (!run) return;
  const mine = state;
  Object.assign(mine, { run, verdict: null, isLeft: false });
  draw();
  try {
    await run.over;
    notice();
  } catch (error) {
    mine.run = null;
    await trouble(error);
  }
  if (mine.run === run) mine.run = null;
  if (mine !== state || mine.isLeft) return;
  // Before the server is asked again: whatever it says, the buttons are those of a network at rest.
  draw();
  await settle();
}

/** What is asked when nothing runs: the whole picture once more, and the depth insight. */
async function settle() {
  await redraw();
  try {
    state.verdict = state.line.learned && state.data.inputs.length ? await askDepth(session, state.data) : null;
  } catch (error) {
    state.verdict = { refusal: error.message };
  }
  draw();
}

async function single() {
  if (waits("play")) return;
  told(await oneStep(session, state.data, state.recipe.rate));
  await settle();
}

/** The step before the one that was learned last. */
async function back() {
  const entry = await lastLearned(session, state.line.head);
  if (!entry) return;
  await goBack(session, entry.step - 1);
  await shorten(state.line, session, entry);
  state.latest = null;
  await settle();
}

/** Shows other data than were learned from: what was said of those is not said of these. */
async function takeOthers(data) {
  Object.assign(state, { data, verdict: null, isChanged: true });
  await redraw();
}

const on = {
  add: (x, y) => guarded(async () => {
    const round = (value) => Number(value.toFixed(3));
    await takeOthers(ownData({ inputs: [...state.data.inputs, [round(x), round(y)]], targets: [...state.data.targets, [state.brush]] }));
  }),
  remove: (at) => guarded(async () => {
    if (state.data.inputs.length === 1) throw new Error("One point must stay: a network without data has nothing to learn.");
    const without = (rows) => rows.filter((_, index) => index !== at);
    await takeOthers(ownData({ inputs: without(state.data.inputs), targets: without(state.data.targets) }));
  }),
};

async function guarded(work) {
  if (state.busy) return;
  if (state.run) {
    notice("It is learning: pause it first.");
    drawForm();
    return;
  }
  state.busy = true;
  byId("view-play").setAttribute("aria-busy", "true");
  try {
    notice();
    await work();
  } catch (error) {
    trouble(error);
  } finally {
    state.busy = false;
    byId("view-play").removeAttribute("aria-busy");
    draw();
  }
}

function trouble(error) {
  if (error.code !== "training") return notice(shortened(error.message));
  notice("The session is being trained: Pause ends that.");
  return takeUp();
}

function notice(...texts) {
  replace(byId("play-notice"), texts.map((text) => h("p", { class: "refusal" }, text)));
}

function draw() {
  if (byId("view-play").hidden) return;
  drawForm();
  drawPicture();
  drawLearning(state);
  remember();
}

function drawForm() {
  const { recipe, data, source, foreign } = state;
  const option = (name, title, chosen) => h("option", { value: name, selected: name === chosen }, title);
  replace(byId("play-preset"), option("", "Build your own", recipe.preset ?? ""), presets.presets.map(({ name, title }) => option(name, title, recipe.preset)));
  const given = OTHER_DATA[data.name];
  replace(byId("play-data"), given && option("", given, ""), choices.map(({ name, title }) => option(name, name === "own" ? title : `${name}: ${title}`, given ? "" : source)));
  byId("play-data").disabled = Boolean(recipe.preset);
  byId("brushes").hidden = !data.own;
  replace(byId("play-points"), data.own && h("details", { open: byId("play-points").querySelector("details")?.open },
    h("summary", {}, `${counted(data.inputs.length, "point")} as a list`), pointList(data, on)));
  replace(byId("play-noise"), !data.own && data.kind === "generated" && numberField("Noise", "play", "noise", state.noise ?? 0, RULES.share,
    (noise) => guarded(async () => {
      state.noise = noise;
      await takeData();
      await takeOthers(state.data);
    })));
  drawBuilder(byId("play-builder"), { ...recipe, foreign }, data.shape, ({ foreign: _, ...changed }) => guarded(async () => {
    state.recipe = changed;
    await rebuild();
  }));
  replace(byId("play-rate"), numberField("Learning rate η", "play", "rate", recipe.rate, RULES.rate, (rate) => {
    state.recipe = { ...state.recipe, rate };
    remember();
  }));
}

function drawPicture() {
  const { data, surface } = state;
  const flat = data.shape.inputs === 2;
  byId("surface-card").hidden = !flat;
  if (flat && surface) {
    paint(byId("surface"), surface.side, surface.outputs.map((row) => row[0]));
    if (state.drawn !== data) {
      drawPoints(byId("surface-points"), data, extent(data.inputs), on);
      drawAxes(byId("surface-x"), byId("surface-y"), extent(data.inputs));
    }
    state.drawn = data;
  }
  const { network } = session.view ?? {};
  if (!network) return;
  byId("anatomy-title").textContent = isSmall(network) ? "What each unit has learned to see" : "The network, layer by layer";
  drawAnatomy(byId("play-network"), network, surface);
  const sizes = sizesOf(network);
  const walk = byId("play-walk");
  walk.hidden = !(sizes && drawable(sizes) && session.name && data.inputs.length);
  walk.href = `#walk?${new URLSearchParams({ session: session.name, x: data.inputs[0], y: data.targets[0], rate: state.recipe.rate })}`;
}

function remember() {
  const { recipe, source, data, noise, line } = state;
  const built = !recipe.preset && !state.foreign;
  writeAddress("play", {
    session: line.head ? session.name : null, learned: writeLearned(line), preset: recipe.preset,
    data: recipe.preset || data.name === "preset" || !data.inputs.length ? null : source,
    layers: built ? writeLayers(recipe.layers) : null, optimizer: built ? recipe.optimizer : null,
    rate: recipe.rate, seed: recipe.seed, noise, points: data.own ? writePoints(data) : null,
  });
}

let listening = false;

function listen() {
  if (listening) return;
  listening = true;
  byId("play-train").addEventListener("click", () => (state.run ? toggle() : !state.busy && toggle().catch(trouble)));
  byId("play-step").addEventListener("click", () => guarded(single));
  byId("play-back").addEventListener("click", () => guarded(back));
  byId("play-restart").addEventListener("click", () => guarded(async () => {
    forget("play");
    await rebuild();
  }));
  byId("play-preset").addEventListener("change", (event) => guarded(async () => {
    state.recipe = { ...state.recipe, preset: event.target.value || null };
    await takeData();
    await rebuild();
  }));
  byId("play-data").addEventListener("change", (event) => guarded(async () => {
    const old = suited(state.data);
    state.source = event.target.value;
    await takeData();
    // A network that was built stays; one that was proposed gives way to what the new data need.
    const { layers, ...pace } = suited(state.data);
    const isBuilt = writeLayers(state.recipe.layers) !== writeLayers(old.layers);
    state.recipe = { ...state.recipe, ...pace, ...(!isBuilt && { layers }) };
    forget("play");
    await rebuild();
  }));
  for (const brush of document.querySelectorAll("#brushes input[name=brush]")) brush.addEventListener("change", () => (state.brush = Number(brush.value)));
  byId("point-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const fields = [["x₁", byId("point-x")], ["x₂", byId("point-y")]];
    const [x, y] = fields.map(([, input]) => fitting(input.value, RULES.number));
    const wrong = fields.find(([, input]) => fitting(input.value, RULES.number) === null);
    byId("point-wrong").textContent = wrong ? complaint(wrong[0], wrong[1].value, RULES.number) : "";
    if (wrong) wrong[1].focus();
    else on.add(x, y);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => state && draw());
  new ResizeObserver(() => state?.data && session?.view && draw()).observe(byId("play-network").parentElement);
}
