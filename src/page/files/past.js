// The history of a session: its list, any past step again, and the curve of its losses.

import { look } from "./api.js";
import { h, replace, s } from "./element.js";
import { show } from "./numbers.js";
import { after, before } from "./trace.js";

const PAGE = 1000;
const PAGES = 10;

/** The steps of a session, oldest first; of a very long history the first ones. */
export async function stepsOf(session) {
  const path = await session.path("steps");
  const steps = [];
  let next = "";
  for (let page = 0; page < PAGES && next !== null; page += 1) {
    const answer = await look("GET", `${path}?limit=${PAGE}${next === "" ? "" : `&after=${next}`}`);
    steps.push(...answer.steps);
    next = answer.next;
  }
  return steps;
}

/** What a step was answered with; null for a step without a trace. */
export async function recall(session, entry, ask = look) {
  const answer = await ask("GET", `${await session.path("steps")}/${entry.step}?trace=full`);
  return answer.format ? answer : null;
}

/** The parameters as a step left them, found where the history tells them; null where nothing does. */
export async function parametersAt(session, steps, step) {
  const entry = steps.find((one) => one.step === step);
  if (!entry) return null;
  if (entry.kind === "step") return after(await recall(session, entry));
  if (entry.kind === "rewind") return parametersAt(session, steps, entry.asked.to);
  const answer = await look("GET", `${await session.path("steps")}/${step}`);
  if (answer.layers) return answer.layers;
  const next = steps.find((one) => one.step === step + 1);
  return next?.kind === "step" ? before(await recall(session, next)) : null;
}

/** What kind of change a step was, in words. */
export function describe(entry) {
  if (!entry) return "";
  const { step, kind, loss, asked } = entry;
  if (kind === "create") return "step 0: the session was made";
  if (kind === "rewind") return `step ${step}: went back to step ${asked.to}`;
  if (kind === "weights") return `step ${step}: weights were set by hand`;
  return `step ${step}: loss ${show(loss)}`;
}

/**
 * A curve of losses. `series` are `[{ name, points: [[x, loss], …] }]`; `mark` is the x that is looked at. The axes' ends are
 * written, for the rest it is a picture.
 */
export function drawCurve(box, series, { mark, label = "Loss by step" } = {}) {
  const points = series.flatMap((one) => one.points);
  if (points.length < 2) {
    replace(box, h("p", { class: "muted" }, "The loss of each step will be drawn here."));
    return;
  }
  const [width, height, left, bottom] = [Math.max(box.clientWidth, 200), 150, 52, 22];
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const [x0, x1, top] = [Math.min(...xs), Math.max(...xs), Math.max(...ys) || 1];
  const x = (value) => left + ((value - x0) / (x1 - x0 || 1)) * (width - left - 12);
  const y = (value) => 10 + (1 - value / top) * (height - bottom - 10);
  const line = (one) => s("polyline", {
    class: `curve ${one.name}`, points: one.points.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(" "),
  });
  const at = series[0].points.find(([px]) => px === mark);
  const last = series[0].points.at(-1);
  replace(box, s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `${label}: from ${show(series[0].points[0][1])} to ${show(last[1])}` },
  s("line", { class: "axis", x1: left, y1: y(0), x2: width - 12, y2: y(0) }),
  s("line", { class: "axis", x1: left, y1: 10, x2: left, y2: y(0) }),
  s("text", { class: "tick end", x: left - 6, y: 16 }, show(top, 3)), s("text", { class: "tick end", x: left - 6, y: y(0) + 1 }, "0"),
  s("text", { class: "tick", x: left, y: height - 4 }, x0), s("text", { class: "tick end", x: width - 12, y: height - 4 }, x1),
  series.map(line), at && s("circle", { class: "mark", cx: x(at[0]), cy: y(at[1]), r: 5 })));
}
