// What a playground's network is made from, as a form fills it in and as the address writes it, and what the server is asked for.

import { RULES, complaint, fitting, whole } from "./fields.js";

/** What units may make of their sums. */
export const ACTIVATIONS = ["sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "linear"];

/** The most layers that the form offers; the server takes more. */
export const LAYERS = 12;

/** How many units the form gives a layer. */
export const UNITS = whole(1, 64);

/** What may be learned with, and the rate that the form proposes for it. */
export const OPTIMIZERS = { sgd: 0.5, rmsprop: 0.01, adam: 0.02, adamw: 0.02, adagrad: 0.1 };

/** A layer as the form starts it. */
export function freshLayer() {
  return { units: 4, activation: "tanh", bias: true, residual: false, norm: false };
}

/** The recipe that the playground opens with. */
export function firstRecipe() {
  return { preset: null, layers: [freshLayer()], optimizer: "sgd", rate: 0.5, seed: 7 };
}

/** What learns these data well: few units do for the plane and for the irises, not for pictures. */
export function suited({ shape }) {
  if (shape.inputs <= 2) return { optimizer: "sgd", rate: 0.5, layers: [freshLayer()] };
  if (shape.inputs <= 8) return { optimizer: "adam", rate: 0.01, layers: [{ ...freshLayer(), units: 8 }] };
  return { optimizer: "adam", rate: 0.003, layers: [{ ...freshLayer(), units: 32, activation: "relu" }] };
}

/** What the address says of a recipe, `complain(text)` hearing of what it says that cannot be. */
export function readRecipe(address, presets, complain) {
  const said = {};
  const take = (field, value, fits, allowed) => {
    if (value === undefined) return;
    if (fits) said[field] = value;
    else complain(complaint(`The address’s ${field}`, String(address[field]), { allowed }));
  };
  const number = (field, rule) => {
    const value = fitting(address[field] ?? "", rule);
    take(field, address[field] === undefined ? undefined : value, value !== null, rule.allowed);
  };
  take("preset", address.preset, presets.includes(address.preset), `one of ${presets.join(", ")}`);
  const layers = readLayers(address.layers ?? "");
  take("layers", address.layers === undefined ? undefined : layers, layers, `none, or at most ${LAYERS} layers like 4.tanh, each of at most 64 units`);
  take("optimizer", address.optimizer, address.optimizer in OPTIMIZERS, `one of ${Object.keys(OPTIMIZERS).join(", ")}`);
  number("rate", RULES.rate);
  number("seed", RULES.seed);
  return said;
}

/** How the address says that there is none. */
const NO_LAYERS = "none";

/** Layers as text for the address: `4.tanh,8.relu.nobias.residual.norm`, or `none`. */
export function writeLayers(layers) {
  return layers.map(({ units, activation, bias, residual, norm }) =>
    [units, activation, !bias && "nobias", residual && "residual", norm && "norm"].filter(Boolean).join(".")).join(",") || NO_LAYERS;
}

/** The same read again; null where the text is no such list. */
export function readLayers(text) {
  if (text === NO_LAYERS) return [];
  const layers = text.split(",").map((part) => {
    const [units, activation, ...more] = part.split(".");
    const count = fitting(units, UNITS);
    if (count === null || !ACTIVATIONS.includes(activation)) return null;
    return { units: count, activation, bias: !more.includes("nobias"), residual: more.includes("residual"), norm: more.includes("norm") };
  });
  return layers.length <= LAYERS && layers.every(Boolean) ? layers : null;
}

/** The body of POST /v1/sessions for a recipe and the shape of the data. */
export function sessionBody({ preset, layers, optimizer, rate, seed }, { inputs, targets }) {
  if (preset) return { preset };
  let below = inputs;
  const hidden = layers.flatMap((layer) => {
    const made = layerBodies(layer, below);
    below = layer.units;
    return made;
  });
  const output = { kind: "dense", units: targets, activation: targets === 1 ? "sigmoid" : "softmax" };
  return {
    network: { inputs, layers: [...hidden, output] },
    loss: targets === 1 ? "binary_cross_entropy" : "cross_entropy",
    optimizer: { kind: optimizer, learning_rate: rate },
    seed,
  };
}

function layerBodies({ units, activation, bias, residual, norm }, below) {
  const layers = norm
    ? [{ kind: "dense", units, bias }, { kind: "batch_norm" }, { kind: "activation", activation }]
    : [{ kind: "dense", units, activation, bias }];
  if (!residual) return layers;
  return [{ kind: "residual", layers, shortcut: units === below ? "identity" : "projection" }];
}

/** The form's layers that a network is made of, below its output; null where the form cannot make such a network. */
export function layersOf({ inputs, layers }) {
  let below = inputs;
  const found = [];
  const hidden = layers.slice(0, -1);
  while (hidden.length) {
    const [first] = hidden;
    const residual = first.kind === "residual";
    const [dense, norm, bend] = residual ? first.layers : hidden;
    const isNormed = norm?.kind === "batch_norm" && bend?.kind === "activation";
    const inner = isNormed ? 3 : 1;
    const activation = isNormed ? bend.activation : dense.activation;
    if (dense.kind !== "dense" || !ACTIVATIONS.includes(activation) || fitting(String(dense.units), UNITS) === null) return null;
    if (residual && (first.layers.length !== inner || (first.shortcut === "identity") !== (dense.units === below))) return null;
    if (isNormed && dense.activation !== "linear") return null;
    found.push({ units: dense.units, activation, bias: Boolean(dense.bias), residual, norm: isNormed });
    below = dense.units;
    hidden.splice(0, residual ? 1 : inner);
  }
  return found.length <= LAYERS ? found : null;
}
