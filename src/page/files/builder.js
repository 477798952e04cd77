// The form that a network is built with: its layers, how it learns, and where its random numbers start.

import { h, replace } from "./element.js";
import { RULES, numberField } from "./fields.js";
import { counted } from "./numbers.js";
import { ACTIVATIONS, LAYERS, OPTIMIZERS, UNITS, freshLayer } from "./recipe.js";

/** Draws the form for a recipe; `change(recipe)` hears of every change. */
export function drawBuilder(box, recipe, shape, change) {
  const setLayer = (at, fields) => change({ ...recipe, layers: recipe.layers.map((layer, place) => (place === at ? { ...layer, ...fields } : layer)) });
  const layers = recipe.layers.map((layer, at) => layerRow(layer, at, (fields) => setLayer(at, fields),
    () => change({ ...recipe, layers: recipe.layers.filter((_, place) => place !== at) })));
  replace(box,
    recipe.foreign && h("p", { class: "muted" }, "This form cannot build such a network; it is drawn below."),
    !recipe.preset && !recipe.foreign && [
      h("p", { class: "muted" }, counted(shape.inputs, "input")),
      h("ol", { class: "layers" }, layers),
      h("div", { class: "controls" },
        h("button", { type: "button", "data-key": "add-layer", disabled: recipe.layers.length >= LAYERS,
          onclick: () => change({ ...recipe, layers: [...recipe.layers, { ...(recipe.layers.at(-1) ?? freshLayer()) }] }) }, "Add a layer"),
        recipe.layers.length >= LAYERS && h("span", { class: "muted" }, `${LAYERS} layers are the most here.`),
        h("span", { class: "muted" }, shape.targets === 1 ? "then 1 output (sigmoid)" : `then ${shape.targets} outputs (softmax)`)),
      h("div", { class: "controls settings" },
        h("label", { class: "inline" }, "Optimizer ", h("select", { "data-key": "optimizer",
          onchange: (event) => change({ ...recipe, optimizer: event.target.value, rate: OPTIMIZERS[event.target.value] }) },
        Object.keys(OPTIMIZERS).map((kind) => h("option", { value: kind, selected: kind === recipe.optimizer }, kind)))),
        numberField("Seed", "play", "seed", recipe.seed, RULES.seed, (seed) => change({ ...recipe, seed }))),
    ]);
}

function layerRow({ units, activation, bias, residual, norm }, at, set, remove) {
  const name = `Layer ${at + 1}`;
  const check = (key, label, on) => h("label", { class: "inline" },
    h("input", { type: "checkbox", checked: on, "data-key": `${key}-${at}`, "aria-label": `${name}: ${label}`, onchange: (event) => set({ [key]: event.target.checked }) }), label);
  return h("li", {},
    numberField("Units", "play", `units-${at}`, units, UNITS, (count) => set({ units: count }), `${name}: units`),
    h("select", { "aria-label": `${name}: activation`, "data-key": `activation-${at}`, onchange: (event) => set({ activation: event.target.value }) },
      ACTIVATIONS.map((kind) => h("option", { value: kind, selected: kind === activation }, kind))),
    check("bias", "bias", bias), check("residual", "residual", residual), check("norm", "batch norm", norm),
    h("button", { type: "button", class: "quiet", "aria-label": `Remove layer ${at + 1}`, onclick: remove }, "Remove"));
}
