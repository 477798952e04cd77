// The line of learning: the steps that led to where a session stands, without those that were gone back from. A place on it is
// how many steps were learned until then, whatever the session counts beside them.

import { entryOf, learns, stepsOf } from "./past.js";

/** A line that nothing was learned on yet. `points` are `[{ at, step, loss, testLoss }]`, oldest first; `head` is the session's step. */
export function freshLine() {
  return { points: [], learned: 0, head: 0, history: null };
}

/** The line of a session. `known` is what somebody else knew of it: at the session's step `head` so many steps were `learned`. */
export async function lineOf(session, known) {
  const history = await stepsOf(session);
  const { points, learned } = follow(history, known?.head <= session.view.step ? known : null);
  return { points, learned, head: session.view.step, history };
}

/** Follows a history. Steps that were not read count as learned, unless it is known how many were. */
function follow({ steps, since }, known) {
  const stands = new Map();
  let [node, learned, last, shift] = [null, 0, -1, known && known.head < since ? known.learned - known.head : 0];
  for (const entry of steps) {
    const { step, kind, loss, asked } = entry;
    learned += Math.max(0, step - last - 1);
    last = step;
    if (kind === "rewind") {
      const stand = stands.get(asked.to);
      while (!stand && node && node.step > asked.to) node = node.before;
      [node, learned] = stand ?? [node, node ? node.at + asked.to - node.step : asked.to];
    } else if (learns(entry)) {
      learned += 1;
      node = { at: learned, step, loss, before: node };
    }
    stands.set(step, [node, learned]);
    if (step === known?.head) shift = known.learned - learned;
  }
  const points = [];
  for (; node; node = node.before) {
    const at = node.step >= since ? node.at + shift : node.at;
    if (node.loss != null && at < (points.at(-1)?.at ?? Infinity)) points.push({ at, step: node.step, loss: node.loss });
  }
  return { points: points.reverse(), learned: learned + shift };
}

/** Takes a line as far as a step told, which is the session's newest. */
export function extend(line, { step, loss, whole: { testLoss } }) {
  const last = line.points.at(-1);
  if (step === line.head && last?.step === step) {
    Object.assign(last, { loss, testLoss });
    return;
  }
  line.learned += step - line.head;
  line.head = step;
  line.points.push({ at: line.learned, step, loss, testLoss });
}

/** The last step that was learned on the way to a step; null where none was. */
export async function lastLearned(session, step) {
  let entry = await entryOf(session, [], step);
  while (entry?.step > 0 && !learns(entry)) {
    entry = await entryOf(session, [], entry.kind === "rewind" ? entry.asked.to : entry.step - 1);
  }
  return entry?.step > 0 ? entry : null;
}

/** After the session went back to before the entry that was learned last. */
export async function shorten(line, session, entry) {
  line.head = session.view.step;
  line.learned -= 1;
  line.points = line.points.filter(({ at }) => at <= line.learned);
  const before = line.points.at(-1)?.at === line.learned ? null : await lastLearned(session, entry.step - 1);
  if (before) line.points.push({ at: line.learned, step: before.step, loss: before.loss });
}

/** A line as the address tells it to others, where the session's step does not: `19991@20004`. */
export function writeLearned({ learned, head }) {
  return learned === head ? null : `${learned}@${head}`;
}

export function readLearned(text) {
  const found = /^(\d{1,15})@(\d{1,15})$/.exec(text ?? "");
  return found && { learned: Number(found[1]), head: Number(found[2]) };
}
