// How much of the gradient reaches each layer: bars on a logarithmic scale, from the inputs to the output.

import { h, replace, s } from "./element.js";
import { show } from "./numbers.js";

const [HEIGHT, LEFT, BOTTOM] = [150, 48, 22];

/** Draws norms `[{ name, value }]` into `box`, the layer next to the inputs on the left; without them says when there are some. */
export function drawFlow(box, norms, isLearned) {
  const seen = norms.filter(({ value }) => value > 0);
  if (!seen.length) {
    replace(box, isLearned && !norms.length && h("p", { class: "muted" }, "It is told with the next step."));
    return;
  }
  const logs = seen.map(({ value }) => Math.log10(value));
  const high = Math.ceil(Math.max(...logs));
  const low = Math.min(high - 2, Math.floor(Math.min(...logs)));
  const width = Math.max(box.clientWidth, 200);
  const slot = (width - LEFT - 8) / norms.length;
  const y = (log) => 10 + ((high - log) / (high - low)) * (HEIGHT - BOTTOM - 10);
  const few = slot > 62;
  const bars = norms.map(({ name, value }, at) => {
    const x = LEFT + (at + 0.5) * slot;
    const thick = Math.max(1, Math.min(40, slot * 0.7));
    const top = value > 0 ? y(Math.log10(value)) : y(low);
    return [
      s("rect", { class: "flow-bar", x: x - thick / 2, y: top, width: thick, height: y(low) - top + 1 }, s("title", {}, `${name}: ${show(value)}`)),
      few && s("text", { class: "tick middle", x, y: HEIGHT - 6 }, name),
      few && s("text", { class: "tick middle", x, y: Math.min(top, HEIGHT - BOTTOM) - 3 }, show(value, 2)),
    ];
  });
  const last = norms.at(-1);
  replace(box, s("svg", { width, height: HEIGHT, viewBox: `0 -8 ${width} ${HEIGHT + 8}`, role: "img",
    "aria-label": `Size of the gradient by layer: ${show(norms[0].value)} at ${norms[0].name}, ${show(last.value)} at ${last.name}` },
  [high, low].map((log) => [s("line", { class: "axis", x1: LEFT, x2: width - 8, y1: y(log), y2: y(log) }),
    s("text", { class: "tick end", x: LEFT - 6, y: y(log) + 4 }, `1e${log}`.replace("-", "−"))]),
  bars, !few && s("text", { class: "tick", x: LEFT, y: HEIGHT - 6 }, norms[0].name), !few && s("text", { class: "tick end", x: width - 8, y: HEIGHT - 6 }, last.name)));
}
