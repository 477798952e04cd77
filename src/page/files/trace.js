// Finds its way in a trace. What a trace does not say is not worked out here.

/**
 * The dense layers from the inputs up, each with its parts: `{ name, forward, backward, update }`; `update` by parameter. A trace that ends
 * earlier has no backward and no update.
 */
export function layersOf(trace) {
  if (!trace?.forward?.layers) return [];
  const find = (layers, name) => layers?.find((layer) => layer.name === name);
  return trace.forward.layers.filter((layer) => layer.kind === "dense").map((forward) => ({
    name: forward.name,
    forward,
    backward: find(trace.backward?.layers, forward.name),
    update: find(trace.update?.layers, forward.name)?.parameters,
  }));
}

/** The layers of a network, or what they became: `[{ name, parameters }]`, as `GET …/weights` gives them. */
export function before(trace) {
  return layersOf(trace).map(({ name, forward }) => ({ name, parameters: forward.parameters }));
}

/** The parameters after the update of a trace. */
export function after(trace) {
  return layersOf(trace).map(({ name, update }) => ({
    name,
    parameters: Object.fromEntries(Object.entries(update).map(([parameter, { after }]) => [parameter, after])),
  }));
}

/** The units of each column of a network of dense layers, the inputs first; null where it has other layers. */
export function sizesOf(network) {
  if (!network.layers.every((layer) => layer.kind === "dense")) return null;
  return [network.inputs, ...network.layers.map((layer) => layer.units)];
}

/** Whether an optimizer's change is the learning rate times the gradient, and nothing besides. */
export function isPlain({ kind, momentum, weight_decay: decay, clip_norm: clip }) {
  return kind === "sgd" && !momentum && !decay && !clip;
}
