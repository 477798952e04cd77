// One weight in close view: the chain rule's factors of its gradient, and its share of the blame. Both are the server's answers.

import { look } from "./api.js";
import { h, replace } from "./element.js";
import { namedFactors } from "./factors.js";
import { RULES, short, watched } from "./fields.js";
import { fits } from "./layout.js";
import { keyOf } from "./network.js";
import { exact, percent, show } from "./numbers.js";
import { after, isPlain } from "./trace.js";

const SHOWN = 5;

/** Asks for both, and gives what is to be drawn. `ask` is how the chain is asked for: by the visitor, or to draw. */
export async function inspect(session, body, weight, ask) {
  const [blame, chain] = await Promise.all([
    look("POST", await session.path("blame"), body),
    ask("POST", await session.path("chain"), { ...body, weight, top: SHOWN }),
  ]);
  return { chain, blame };
}

/** Draws into `box` what is known of the weight. */
export function drawInspector(box, { state, weight, found, refusal, remark }, on) {
  if (!weight) {
    replace(box, choice(state, weight, on), h("p", { class: "muted" },
      "Choose a weight on the picture: the chain rule takes its gradient apart here, factor by factor."));
    return;
  }
  const { gap, parameter, index } = weight;
  const isBias = parameter === "bias";
  const name = isBias ? state.naming.bias(gap, index[0]) : state.naming.weight(gap, ...index);
  const { parameters } = (state.stage === "update" ? after(state.trace) : state.layers)[gap];
  const value = isBias ? parameters.bias[index[0]] : parameters.weights[index[0]][index[1]];
  replace(box,
    choice(state, weight, on),
    h("div", { class: "inspector-head" },
      h("h3", {}, name, h("span", { class: "muted" }, ` ${where(state, weight)}`)),
      setting(weight, name, value, (number) => on.setWeight(weight, number))),
    remark && h("p", { class: "muted" }, remark),
    refusal && h("p", { class: "refusal", role: "alert" }, refusal),
    found && h("div", { class: "inspector-body" }, chainOf(found.chain, name, state.optimizer, (factors) => namedFactors(factors, state, weight)), blameOf(found, state, weight)));
}

function where({ naming }, { gap, parameter, index }) {
  const to = naming.output(gap, index.at(-1));
  if (parameter === "bias") return `the bias of ${to}`;
  return `joins ${gap === 0 ? naming.input(index[0]) : naming.output(gap - 1, index[0])} to ${to}`;
}

function setting({ gap, parameter, index }, name, value, set) {
  const input = h("input", { id: "weight-value", "data-key": "weight-value", inputmode: "decimal", title: exact(value) });
  const message = watched(input, {
    view: "walk", key: ["set", parameter, gap, ...index].join("-"), name, value, brief: short, rule: RULES.number, set });
  return h("div", { class: "field" }, h("label", { class: "inline", for: "weight-value" }, `Set ${name} to `, input), message);
}

function chainOf({ gradient, paths }, name, optimizer, named) {
  const ways = paths.heaviest.map((path) => ({ ...path, ...named(path.factors) }));
  const [heaviest] = ways;
  const rows = heaviest.factors.map((factor) => h("tr", {},
    h("th", { scope: "row" }, factor.name), h("td", {}, h("i", {}, factor.formula)),
    h("td", { class: "number" }, show(factor.value)), h("td", { class: "number strong" }, show(factor.running))));
  const many = paths.count !== "1";
  return h("div", {},
    h("h4", {}, many ? `The heaviest of ${paths.count} paths, through ${heaviest.through}` : "The chain rule, factor by factor"),
    h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "The factors" },
      h("table", { class: "factors" },
        h("thead", {}, h("tr", {}, ["factor", "formula", "value", "product so far"].map((text, at) =>
          h("th", { scope: "col", class: at > 1 ? "number" : null }, text)))),
        h("tbody", {}, rows))),
    many && h("p", {}, "Paths, heaviest first: ", ways.map(({ value, through }) => `${show(value)} through ${through}`).join("; "), ". All add up to ",
      h("b", {}, show(paths.sum)), "."),
    h("p", { class: "sum" }, `∂E/∂${name} = `, h("b", { class: gradient > 0 ? "down" : "up" }, show(gradient)),
      h("span", { class: "muted" }, `  – ${meaning(gradient, optimizer)}`)));
}

/** What a gradient's sign says. Where more than the gradient moves a weight, it does not say which way. */
function meaning(gradient, optimizer) {
  if (gradient === 0) return "the error does not change with it";
  const [change, made] = gradient > 0 ? ["the error grows with it", "smaller"] : ["the error shrinks as it grows", "larger"];
  return `${change}${isPlain(optimizer) ? `, so it is made ${made}` : `; the rule of ${optimizer.kind} has a say in which way it goes`}`;
}

/** A list of all weights, where there is no room for them on the picture to be pressed on. */
function choice(state, weight, on) {
  if (fits(state.sizes)) return null;
  const chosen = weight && keyOf(weight);
  const weights = new Map();
  const groups = state.layers.map(({ name, parameters }, gap) => {
    const options = parameters.weights.flatMap((row, i) => row.map((value, j) => {
      const one = { gap, parameter: "weights", index: [i, j] };
      weights.set(keyOf(one), one);
      return h("option", { value: keyOf(one), selected: keyOf(one) === chosen }, `${state.naming.weight(gap, i, j)} = ${show(value)}`);
    }));
    return h("optgroup", { label: name }, options);
  });
  const none = h("option", { value: "", selected: !weights.has(chosen) }, "none");
  return h("label", { class: "inline" }, "Weight ", h("select", { "data-key": "weight-choice",
    onchange: (event) => weights.has(event.target.value) && on.select(weights.get(event.target.value)) }, none, groups));
}

function blameOf({ blame }, { naming, layers }, { gap, index }) {
  const of = (at) => blame.layers.find((layer) => layer.name === layers[at].name);
  const unit = index.at(-1);
  const bars = [];
  bars.push(h("h4", {}, `Who carries the blame in ${layers[gap].name}`),
    share(of(gap).units.map((one) => ({ name: naming.output(gap, one.unit), value: one.delta, part: one.delta_share, own: one.unit === unit }))));
  if (gap > 0 && index.length === 2) {
    const received = of(gap - 1).units.map((one) => {
      const from = one.received.find((part) => part.layer === layers[gap].name && part.from === unit);
      return from && { name: naming.weight(gap, one.unit, unit), value: from.term, part: from.share, own: one.unit === index[0] };
    });
    bars.push(h("h4", {}, `How ${naming.output(gap, unit)} passes its blame down`), share(received.filter(Boolean)));
  }
  return h("div", {}, bars);
}

/** Bars of parts of a whole, the chosen one marked. */
function share(parts) {
  return h("ul", { class: "shares" }, parts.map(({ name, value, part, own }) =>
    h("li", { class: own ? "own" : null },
      h("span", { class: "who" }, name),
      h("span", { class: "bar", "aria-hidden": "true" },
        h("span", { class: value < 0 ? "down" : "up", style: { width: `${part * 100}%` } })),
      h("span", { class: "number" }, percent(part)), h("span", { class: "number muted" }, show(value)))));
}
