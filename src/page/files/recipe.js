// What a playground's network is made from, as a form fills it in and as the address writes it, and what the server is asked for.

/** What units may make of their sums. */
export const ACTIVATIONS = ["sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "linear"];

/** The most that the form offers; the server takes more. */
export const MOST = { layers: 12, units: 64 };

/** A layer as the form starts it. */
export function freshLayer() {
  return { units: 4, activation: "tanh", bias: true, residual: false, norm: false };
}

/** The recipe that the playground opens with. */
export function firstRecipe() {
  return { preset: null, layers: [freshLayer()], optimizer: "sgd", rate: 0.5, seed: 7 };
}

/** How the data are learned: a rate that is right for the plane overshoots where many numbers of any size go in. */
export function suited({ shape }) {
  return shape.inputs > 2 ? { optimizer: "adam", rate: 0.01 } : { optimizer: "sgd", rate: 0.5 };
}

/** Layers as text for the address: `4.tanh,8.relu.nobias.residual.norm`. */
export function writeLayers(layers) {
  return layers.map(({ units, activation, bias, residual, norm }) =>
    [units, activation, !bias && "nobias", residual && "residual", norm && "norm"].filter(Boolean).join(".")).join(",");
}

/** The same read again; null where the text is no such list. */
export function readLayers(text) {
  if (text === "") return [];
  const layers = text.split(",").map((part) => {
    const [units, activation, ...more] = part.split(".");
    const count = Number(units);
    if (!Number.isInteger(count) || count < 1 || count > MOST.units || !ACTIVATIONS.includes(activation)) return null;
    return { units: count, activation, bias: !more.includes("nobias"), residual: more.includes("residual"), norm: more.includes("norm") };
  });
  return layers.length <= MOST.layers && layers.every(Boolean) ? layers : null;
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
