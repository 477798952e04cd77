// The telephone game: blame passed down through very many layers, and its three cures, side by side.

import { act } from "./api.js";
import { writeAddress } from "./address.js";
import { byId, h, replace, s } from "./element.js";
import { complaint, fitting, whole } from "./fields.js";
import { shortened, show } from "./numbers.js";

const CURES = ["relu", "residual", "batch_norm"];
const TITLES = { sigmoid: "Sigmoid everywhere", relu: "Cure: ReLU", residual: "Cure: residual connections", batch_norm: "Cure: batch normalization" };
const SHORT = { relu: "ReLU", residual: "residual connections", batch_norm: "batch normalization" };
const [WIDTH, SEED, DEPTH] = [16, 3, 10];
const [HEIGHT, LEFT, BOTTOM, TOP] = [230, 58, 40, 12];

/** How wide the names of the first layer and of the output are. */
const [FIRST, OUTPUT] = [126, 44];

const DEPTHS = whole(2, 100);

let state;
let asked = 0;
let answered = 0;
let listening = false;

/** Shows the game at the depth and with the cures that the address names. */
export async function showTelephone(address) {
  const named = (address.cures ?? "").split(",").filter(Boolean);
  const cures = CURES.filter((cure) => named.includes(cure));
  const depth = fitting(address.depth ?? "", DEPTHS);
  state = { depth: depth ?? DEPTH, cures, answer: null, complaints: [] };
  if (address.depth !== undefined && depth === null) state.complaints.push(complaint("The address’s depth", address.depth, DEPTHS));
  for (const cure of named.filter((one) => !CURES.includes(one))) {
    state.complaints.push(complaint("The address’s cures", cure, { allowed: `one or more of ${CURES.join(", ")}` }));
  }
  byId("depth").value = state.depth;
  for (const box of document.querySelectorAll("#cures input")) box.checked = cures.includes(box.value);
  listen();
  await play();
}

function listen() {
  if (listening) return;
  listening = true;
  byId("depth").addEventListener("input", (event) => {
    Object.assign(state, { depth: Number(event.target.value), complaints: [] });
    play();
  });
  byId("cures").addEventListener("change", () => {
    state.cures = [...document.querySelectorAll("#cures input:checked")].map((box) => box.value);
    play();
  });
  new ResizeObserver(() => state?.answer && !byId("view-telephone").hidden && draw()).observe(byId("telephone-charts"));
}

/** Asks for the game as it is set; of answers that overtake each other the newest stays. */
async function play() {
  asked += 1;
  const mine = asked;
  byId("depth-shown").textContent = state.depth;
  writeAddress("telephone", { depth: state.depth, cures: state.cures.join(",") });
  try {
    const variants = ["sigmoid", ...CURES.filter((cure) => state.cures.includes(cure))];
    const answer = await act("POST", "/v1/depth", { depth: state.depth, width: WIDTH, seed: SEED, variants });
    if (mine < answered) return;
    answered = mine;
    Object.assign(state, { answer, refusal: null });
  } catch (error) {
    state.refusal = error.message;
  }
  draw();
}

function draw() {
  const { answer, refusal, complaints } = state;
  replace(byId("telephone-notice"), [...complaints, refusal].filter(Boolean).map((text) => h("p", { class: "refusal" }, text)));
  if (!answer) return;
  const [sick] = answer.variants;
  replace(byId("telephone-told"), headline(sick), cured(answer.variants.slice(1)));
  const lowest = Math.min(-1, ...answer.variants.flatMap(({ layers }) => layers.map((layer) => Math.min(layer.log10_ratio, layer.log10_bound))));
  const highest = Math.max(0, ...answer.variants.flatMap(({ layers }) => layers.map((layer) => layer.log10_ratio)));
  const box = byId("telephone-charts");
  const columns = box.clientWidth > 900 && answer.variants.length > 1 ? 2 : 1;
  const width = Math.max(260, (box.clientWidth - 20 * (columns - 1)) / columns - 42);
  replace(box, answer.variants.map((variant) => card(variant, width, lowest, Math.ceil(highest))));
}

function headline({ layers }) {
  const [output, first] = [layers[0], layers.at(-1)];
  return h("p", {}, "In one step the last layer changes by ", h("b", {}, show(output.change_norm)), ", the first layer, ",
    `${first.distance} ${first.distance === 1 ? "layer" : "layers"} further down, by `, h("b", { class: "down" }, show(first.change_norm)), ".");
}

/** What the cures make of it, in a sentence. */
function cured(variants) {
  if (!variants.length) return h("p", { class: "muted" }, "Switch on a cure to hear what it makes of that.");
  const heard = variants.flatMap(({ name, layers }, at) => [
    at === 0 ? "With " : at === variants.length - 1 ? ", and with " : ", with ", `${SHORT[name]} it changes by `, h("b", { class: "up" }, show(layers.at(-1).change_norm)), ` (and its last layer by ${show(layers[0].change_norm)})`]);
  return h("p", {}, heard, ".");
}

function card({ name, story, layers, verdict, because }, width, lowest, highest) {
  const first = layers.at(-1);
  return h("section", { class: "card", "data-variant": name, "aria-label": TITLES[name] },
    h("div", { class: "variant-head" },
      h("h2", {}, TITLES[name]), h("span", { class: `verdict ${verdict}`, title: shortened(because) }, verdict)),
    h("p", { class: "muted" }, `${story.charAt(0).toUpperCase()}${story.slice(1)}.`),
    chart(name, layers, width, lowest, highest),
    h("p", { class: "whisper" }, "What the first layer hears of the blame: ",
      h("b", {}, show(first.ratio_to_output)), " of what the output hears."));
}

/** Bars by distance from the output, on the right, down a logarithmic scale; the line is (¼)^distance. */
function chart(name, layers, width, lowest, highest) {
  const count = layers.length;
  const slot = (width - LEFT - 8) / count;
  const x = (distance) => width - 8 - (distance + 0.5) * slot;
  const floor = Math.floor(lowest);
  const y = (log) => TOP + ((highest - log) / (highest - floor)) * (HEIGHT - TOP - BOTTOM);
  const bar = Math.max(1, Math.min(34, slot * 0.72));
  const first = layers.at(-1);
  const bound = layers.map((layer) => `${x(layer.distance).toFixed(1)},${y(layer.log10_bound).toFixed(1)}`).join(" ");
  return s("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", class: "depth-chart",
    "aria-label": `${TITLES[name]}: blame by distance from the output, from 1 at the output to ${show(first.ratio_to_output)} at the first layer, ${first.distance} away` },
  ticks(floor, highest).map((log) => [
    s("line", { class: "axis", x1: LEFT, x2: width - 8, y1: y(log), y2: y(log) }),
    s("text", { class: "tick end", x: LEFT - 8, y: y(log) + 4 }, log === 0 ? "1" : `1e${log}`.replace("-", "−"))]),
  layers.map((layer) => s("rect", {
    class: "depth-bar", x: x(layer.distance) - bar / 2, width: bar, y: y(layer.log10_ratio), height: Math.max(1, y(floor) - y(layer.log10_ratio)),
  }, s("title", {}, `${layer.name}: ${show(layer.ratio_to_output)}`))),
  s("polyline", { class: "bound", points: bound }),
  // Below their bars, as far as the picture goes.
  s("text", { class: "tick middle", x: Math.max(x(first.distance), LEFT + FIRST / 2), y: HEIGHT - 20 }, `first layer (${first.distance} away)`),
  s("text", { class: "tick middle", x: Math.min(x(0), width - 8 - OUTPUT / 2), y: HEIGHT - 20 }, "output"),
  s("text", { class: "tick bound-name", x: LEFT, y: HEIGHT - 3 }, "dotted: a quarter left at each layer"));
}

/** Powers of ten, not too many. */
function ticks(floor, highest) {
  const step = [1, 2, 5, 10, 20, 50].find((one) => (highest - floor) / one <= 6) ?? 50;
  return Array.from({ length: Math.floor((highest - floor) / step) + 1 }, (_, at) => Math.floor(highest / step) * step - at * step)
    .filter((log) => log >= floor && log <= highest);
}
