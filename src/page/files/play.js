// The playground: data, a network, and training before one's eyes.

import { look } from "./api.js";
import { writeAddress } from "./address.js";
import { drawAnatomy, isSmall } from "./anatomy.js";
import { drawBuilder, numberField } from "./builder.js";
import { dataChoices, extent, loadData, ownData, presetData, readPoints, writePoints } from "./data.js";
import { byId, h, replace } from "./element.js";
import { drawFlow } from "./flow.js";
import { drawable } from "./layout.js";
import { percent, read, show } from "./numbers.js";
import { drawCurve, stepsOf } from "./past.js";
import { firstRecipe, readLayers, sessionBody, suited, writeLayers } from "./recipe.js";
import { Session } from "./session.js";
import { drawPoints, askSurface, paint, pointList } from "./surface.js";
import { sizesOf } from "./trace.js";
import { askDepth, goBack, lineage, oneStep, train } from "./training.js";

let state;
let session;
let presets;
let choices;

/** Shows what the address says: a session that learns, or a recipe and its data from the start. */
export async function showPlay(address) {
  await state?.run?.stop();
  [presets, choices] = await Promise.all([look("GET", "/v1/presets"), dataChoices()]);
  const recipe = firstRecipe();
  const layers = readLayers(address.layers ?? "4.tanh");
  const [rate, seed] = [read(address.rate ?? ""), read(address.seed ?? "")];
  if (layers) recipe.layers = layers;
  if (rate >= 0) recipe.rate = rate;
  if (Number.isInteger(seed) && seed >= 0) recipe.seed = seed;
  if (address.optimizer) recipe.optimizer = address.optimizer;
  if (presets.presets.some(({ name }) => name === address.preset)) recipe.preset = address.preset;
  const source = choices.some(({ name }) => name === address.data) ? address.data : choices[0].name;
  const points = readPoints(address.points ?? "");
  state = { recipe, batch: 10, source, noise: read(address.noise ?? ""), running: null, brush: 1, data: null, surface: null, norms: [], trail: { line: [], at: 0 } };
  listen();
  await takeData(points?.inputs.length ? points : undefined);
  if (!(rate >= 0) && !address.optimizer && !recipe.preset) Object.assign(recipe, suited(state.data));
  const opened = address.session && (await Session.open(address.session));
  if (opened) await takeSession(opened);
  else fresh();
  await redraw();
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
    state.data = await loadData({ name: source, noise: Number.isFinite(noise) ? noise : null });
  }
}

/** A session from the recipe; it is made when it first learns or answers. */
function fresh() {
  session = new Session({ body: sessionBody(state.recipe, state.data.shape) });
  Object.assign(state, { surface: null, norms: [], trail: { line: [], at: 0 }, latest: null, verdict: null });
}

async function takeSession(opened) {
  session = opened;
  state.trail = lineage(await stepsOf(session));
}

/** After the recipe or the data were changed: another network, from its start. */
async function rebuild() {
  const old = session;
  fresh();
  await old.discard();
  await redraw();
}

async function redraw() {
  const { data } = state;
  await session.path();
  const { network } = session.view;
  if (data.shape.inputs === 2) state.surface = await askSurface(session, extent(data.inputs), isSmall(network));
  draw();
}

/** Tells of a step or of a run's progress; of surfaces one is asked for at a time. */
async function told(progress) {
  state.latest = progress;
  if (progress.norms.length) state.norms = progress.norms;
  state.trail.line.push({ step: progress.step, loss: progress.loss, testLoss: progress.testLoss });
  state.trail.at = progress.step;
  if (state.asking) return;
  state.asking = true;
  redraw().catch(trouble).finally(() => (state.asking = false));
}

async function toggle() {
  if (state.run) {
    await state.run.stop();
    return;
  }
  notice("");
  const { recipe, batch, data } = state;
  state.verdict = null;
  state.run = train(session, data, { rate: recipe.rate, batch, seed: recipe.seed }, told);
  draw();
  try {
    await state.run.over;
  } catch (error) {
    trouble(error);
  }
  state.run = null;
  await settle();
}

/** What is asked when nothing runs: the whole picture once more, and the depth insight. */
async function settle() {
  await redraw();
  try {
    state.verdict = state.trail.line.length ? await askDepth(session, state.data) : null;
  } catch (error) {
    state.verdict = { verdict: error.code, because: error.message };
  }
  draw();
}

async function single() {
  await told(await oneStep(session, state.data, state.recipe.rate));
  await settle();
}

/** The step before the one whose state the session has. */
async function back() {
  const { line } = state.trail;
  const to = line.at(-2)?.step ?? 0;
  await goBack(session, to);
  state.trail = { line: line.slice(0, -1), at: to };
  state.latest = null;
  await settle();
}

const on = {
  add: (x, y) => guarded(async () => {
    const round = (value) => Number(value.toFixed(3));
    state.data = ownData({ inputs: [...state.data.inputs, [round(x), round(y)]], targets: [...state.data.targets, [state.brush]] });
    await redraw();
  }),
  remove: (at) => guarded(async () => {
    if (state.data.inputs.length === 1) throw new Error("One point must stay: a network without data has nothing to learn.");
    const without = (rows) => rows.filter((_, index) => index !== at);
    state.data = ownData({ inputs: without(state.data.inputs), targets: without(state.data.targets) });
    await redraw();
  }),
};

async function guarded(work) {
  if (state.busy || state.run) return;
  state.busy = true;
  byId("view-play").setAttribute("aria-busy", "true");
  try {
    notice("");
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
  notice(error.message);
}

function notice(text) {
  replace(byId("play-notice"), text && h("p", { class: "refusal" }, text));
}

function draw() {
  if (byId("view-play").hidden) return;
  drawForm();
  drawPicture();
  drawProgress();
  remember();
}

function drawForm() {
  const { recipe, data, source } = state;
  const option = (name, title, chosen) => h("option", { value: name, selected: name === chosen }, title);
  replace(byId("play-preset"), option("", "Build your own", recipe.preset ?? ""), presets.presets.map(({ name, title }) => option(name, title, recipe.preset)));
  replace(byId("play-data"), choices.map(({ name, title }) => option(name, title, source)));
  byId("play-data").disabled = Boolean(recipe.preset);
  byId("brushes").hidden = !data.own;
  replace(byId("play-points"), data.own && h("details", { open: byId("play-points").querySelector("details")?.open },
    h("summary", {}, `${data.inputs.length} points as a list`), pointList(data, on)));
  replace(byId("play-noise"), !data.own && data.kind === "generated" && numberField("Noise", "noise", Number.isFinite(state.noise) ? state.noise : 0,
    (noise) => noise >= 0, (noise) => guarded(async () => {
      state.noise = noise;
      await takeData();
      await redraw();
    })));
  drawBuilder(byId("play-builder"), recipe, data.shape, (changed) => guarded(async () => {
    state.recipe = changed;
    await rebuild();
  }));
  replace(byId("play-rate"), numberField("Learning rate η", "rate", recipe.rate, (rate) => rate >= 0, (rate) => {
    state.recipe = { ...recipe, rate };
    remember();
  }));
}

function drawPicture() {
  const { data, surface } = state;
  const flat = data.shape.inputs === 2;
  byId("surface-card").hidden = !flat;
  if (flat && surface) {
    paint(byId("surface"), surface.side, surface.outputs.map((row) => row[0]));
    drawPoints(byId("surface-points"), data, extent(data.inputs), on);
  }
  const { network } = session.view ?? {};
  if (!network) return;
  drawAnatomy(byId("play-network"), network, surface);
  const sizes = sizesOf(network);
  const walk = byId("play-walk");
  walk.hidden = !(sizes && drawable(sizes) && session.name);
  walk.href = `#walk?${new URLSearchParams({ session: session.name, x: data.inputs[0], y: data.targets[0], rate: state.recipe.rate })}`;
}

function drawProgress() {
  const { run, trail, latest, norms, verdict } = state;
  const { line } = trail;
  byId("play-train").textContent = run ? "Pause" : line.length ? "Go on" : "Train";
  for (const id of ["play-step", "play-restart"]) byId(id).disabled = Boolean(run);
  byId("play-back").disabled = Boolean(run) || !line.length;
  const last = line.at(-1);
  const { accuracy, testAccuracy } = latest ?? {};
  replace(byId("play-loss"), last
    ? [`after ${line.length === 1 ? "one step" : `${trail.at} steps`}: loss `, h("b", {}, show(last.loss)),
      accuracy != null && `, right ${percent(accuracy)}`, testAccuracy != null && `, on unseen data ${percent(testAccuracy)}`]
    : "not trained yet");
  const points = (field) => line.map((one, at) => [at + 1, one[field]]).filter(([, value]) => value != null);
  drawCurve(byId("play-curve"), [{ name: "train", points: points("loss") }, { name: "test", points: points("testLoss") }], { label: "Loss" });
  drawFlow(byId("play-flow"), norms);
  replace(byId("play-verdict"), verdict && [`The depth insight says `, h("b", {}, verdict.verdict), `: ${verdict.because}.`]);
}

function remember() {
  const { recipe, source, data, noise } = state;
  writeAddress("play", {
    session: state.trail.line.length ? session.name : null, preset: recipe.preset, data: recipe.preset ? null : source,
    layers: recipe.preset ? null : writeLayers(recipe.layers), optimizer: recipe.preset ? null : recipe.optimizer,
    rate: recipe.rate, seed: recipe.seed, noise: Number.isFinite(noise) ? noise : null, points: data.own ? writePoints(data) : null,
  });
}

let listening = false;

function listen() {
  if (listening) return;
  listening = true;
  byId("play-train").addEventListener("click", () => (state.run ? toggle() : !state.busy && toggle().catch(trouble)));
  byId("play-step").addEventListener("click", () => guarded(single));
  byId("play-back").addEventListener("click", () => guarded(back));
  byId("play-restart").addEventListener("click", () => guarded(rebuild));
  byId("play-preset").addEventListener("change", (event) => guarded(async () => {
    state.recipe = { ...state.recipe, preset: event.target.value || null };
    await takeData();
    await rebuild();
  }));
  byId("play-data").addEventListener("change", (event) => guarded(async () => {
    state.source = event.target.value;
    await takeData();
    Object.assign(state.recipe, suited(state.data));
    await rebuild();
  }));
  for (const brush of document.querySelectorAll("#brushes input[name=brush]")) brush.addEventListener("change", () => (state.brush = Number(brush.value)));
  byId("point-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const [x, y] = [read(byId("point-x").value), read(byId("point-y").value)];
    if (Number.isFinite(x) && Number.isFinite(y)) on.add(x, y);
    else notice("A point is two numbers.");
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => state && draw());
  new ResizeObserver(() => state?.data && session?.view && draw()).observe(byId("play-network").parentElement);
}
