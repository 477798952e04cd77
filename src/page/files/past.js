// The history of a session: as much of it as is drawn, any past step again, and the curve of its losses.

import { look } from "./api.js";
import { h, replace, s } from "./element.js";
import { show } from "./numbers.js";
import { after, before } from "./trace.js";

/** Entries of one page. */
const PAGE = 1000;
/** A history of at most so many steps is read whole. */
const WHOLE = 3 * PAGE;
/** Of a longer one its first page is read, for there most is learned, and its last one; of what is between, samples of so many entries in so
 * many places. */
const [SAMPLES, FEW] = [16, 2];
/** More columns of points than this are not told apart on a curve. */
const DRAWN = 400;

/** What became of a session, oldest first: `{ steps, since }`, where steps after the first page and before `since` are samples. */
export async function stepsOf(session) {
  const head = session.view.step;
  if (head <= WHOLE) return { steps: await page(session, -1, head + 1), since: 0 };
  const since = head - PAGE + 1;
  const places = Array.from({ length: SAMPLES }, (_, at) => PAGE + Math.floor((at * (since - PAGE)) / SAMPLES) - 1);
  const parts = await Promise.all([page(session, -1, PAGE), ...places.map((place) => page(session, place, FEW)), page(session, since - 1, PAGE)]);
  return { steps: parts.flat(), since };
}

/** The same, taken further to where the session stands now. */
export async function goOn(session, { steps, since }) {
  return { steps: [...steps, ...(await page(session, steps.at(-1)?.step ?? -1, Infinity))], since };
}

/** One entry, whether it was read before or not. */
export async function entryOf(session, steps, step) {
  return steps.find((one) => one.step === step) ?? (await page(session, step - 1, 1))[0];
}

/** So many entries behind a step; −1 is before the creation. */
async function page(session, behind, count) {
  const path = await session.path("steps");
  const steps = [];
  for (let next = behind; steps.length < count && next !== null;) {
    const limit = Math.min(PAGE, count - steps.length);
    const answer = await look("GET", `${path}?limit=${limit}${next < 0 ? "" : `&after=${next}`}`);
    steps.push(...answer.steps);
    next = answer.next;
  }
  return steps;
}

/** Whether a step learned something. */
export function learns({ kind }) {
  return kind === "step" || kind === "train";
}

/** What a step was answered with. */
export async function recall(session, { step }, ask = look) {
  return ask("GET", `${await session.path("steps")}/${step}?trace=full`);
}

/** The parameters as a step left them, found where the history tells them; null where nothing does. `ask` is how that is asked for. */
export async function parametersAt(session, steps, step, ask = look) {
  const entry = await entryOf(session, steps, step);
  if (!entry) return null;
  if (learns(entry)) return after(await recall(session, entry, ask));
  if (entry.kind === "rewind") return parametersAt(session, steps, entry.asked.to, ask);
  const answer = await ask("GET", `${await session.path("steps")}/${step}`);
  if (answer.layers) return answer.layers;
  const next = step < session.view.step && (await entryOf(session, steps, step + 1));
  return next && learns(next) ? before(await recall(session, next)) : null;
}

/** What kind of change a step was, in words. */
export function describe(entry) {
  if (!entry) return "";
  const { step, kind, loss, asked } = entry;
  if (step === 0) return "step 0: the session was made";
  if (kind === "rewind") return `step ${step}: went back to step ${asked.to}`;
  if (kind === "weights") return `step ${step}: weights were set by hand`;
  return `step ${step}: loss ${show(loss)}`;
}

/** What a curve leaves out of a long history, in words. */
export function leftOut({ since }) {
  return since ? `Of the steps from ${PAGE} to ${since - 1} the curve shows a few.` : null;
}

/**
 * A curve of losses. `series` are `[{ name, points: [[x, loss], …] }]`; `mark` is the x that is looked at; `note` is written
 * below it. The axes' ends are written, for the rest it is a picture.
 */
export function drawCurve(box, series, { mark, label = "Loss by step", note } = {}) {
  const points = series.flatMap((one) => one.points);
  if (!points.length) {
    replace(box, h("p", { class: "muted" }, "The loss of each step will be drawn here."));
    return;
  }
  const range = (at) => points.reduce(([low, high], point) => [Math.min(low, point[at]), Math.max(high, point[at])], [Infinity, -Infinity]);
  const [[x0, x1], [, most]] = [range(0), range(1)];
  const top = most || 1;
  const highest = show(top, 3);
  const [width, height, left, bottom] = [Math.max(box.clientWidth, 200), 150, Math.max(52, 14 + 8 * highest.length), 22];
  const x = (value) => left + ((value - x0) / (x1 - x0 || 1)) * (width - left - 12);
  const y = (value) => 10 + (1 - value / top) * (height - bottom - 10);
  const line = (one) => s("polyline", {
    class: `curve ${one.name}`, points: thinned(one.points).map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(" "),
  });
  const [first, last] = [series[0].points[0], series[0].points.at(-1)];
  const at = x0 === x1 ? first : series[0].points.find(([px]) => px === mark);
  const tick = (place, words, end) => s("text", { class: end ? "tick end" : "tick", x: place, y: height - 4 }, words);
  replace(box, s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `${label}: from ${show(first[1])} at step ${first[0]} to ${show(last[1])} at step ${last[0]}` },
  s("line", { class: "axis", x1: left, y1: y(0), x2: width - 12, y2: y(0) }),
  s("line", { class: "axis", x1: left, y1: 10, x2: left, y2: y(0) }),
  s("text", { class: "tick end", x: left - 6, y: 16 }, highest), s("text", { class: "tick end", x: left - 6, y: y(0) + 1 }, "0"),
  tick(left, `step ${x0}`), x1 > x0 && tick(width - 12, x1, true),
  series.map(line), at && s("circle", { class: "mark", cx: x(at[0]), cy: y(at[1]), r: 5 })),
  note && h("p", { class: "muted" }, note));
}

/** Of points that are many: the first and the last, and in each column of the picture the lowest and the highest, so that the shape stays. */
function thinned(points) {
  if (points.length <= DRAWN) return points;
  const [[start], [end]] = [points[0], points.at(-1)];
  const columns = Map.groupBy(points, ([x]) => Math.floor(((x - start) / (end - start)) * DRAWN));
  const kept = new Set([points[0], points.at(-1)]);
  for (const column of columns.values()) {
    kept.add(column.reduce((low, one) => (one[1] < low[1] ? one : low)));
    kept.add(column.reduce((high, one) => (one[1] > high[1] ? one : high)));
  }
  return points.filter((one) => kept.has(one));
}
