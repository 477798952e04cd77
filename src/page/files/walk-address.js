// What the address says of a walk beside its session: the numbers that go in, where it stands, and back again.

import { writeAddress } from "./address.js";
import { RULES, complaint, fitting } from "./fields.js";
import { counted } from "./numbers.js";
import { NEXT, STAGES } from "./stages.js";

/** What `state` is told by the address: `{ inputs, targets, learningRate, at, stage }`, without what is not said; `complain(text)` hears of what cannot be. */
export function readWalk(address, state, isSession, complain) {
  const said = {};
  const take = (field, into, value, allowed) => {
    if (address[field] === undefined) return;
    if (value === null) complain(complaint(`The address’s ${field}`, address[field], { allowed }));
    else said[into] = value;
  };
  for (const [field, into] of [["x", "inputs"], ["y", "targets"]]) {
    const { length } = state[into];
    const given = (address[field] ?? "").split(",").map((text) => fitting(text, RULES.number));
    take(field, into, given.length === length && !given.includes(null) ? given : null,
      counted(length, "number") + (length > 1 ? " with commas between them" : ""));
  }
  take("rate", "learningRate", fitting(address.rate ?? "", RULES.rate), RULES.rate.allowed);
  const at = isSession && /^\d{1,15}$/.test(address.at) && Number(address.at) <= state.head ? Number(address.at) : null;
  take("at", "at", at, isSession ? `a step from 0 to ${state.head}` : "a step of a session that is named beside it");
  take("stage", "stage", address.stage in NEXT ? address.stage : null, `one of ${Object.keys(STAGES).join(", ")}`);
  return said;
}

/** Writes a walk into the address: without a session, what was changed of what the preset gives. */
export function writeWalk(state, session, usual) {
  const { stage, past, made, trace, preset, given, inputs, targets, learningRate } = state;
  const unless = (value, same) => (session.name || String(value) !== String(same) ? String(value) : null);
  // A step keeps its own.
  const isKept = made === "update";
  writeAddress("walk", {
    session: session.name, preset: session.name || preset === usual ? null : preset,
    stage: stage === "ready" ? null : stage, at: past ?? (isKept ? trace.step : null),
    x: isKept ? null : unless(inputs, given.inputs), y: isKept ? null : unless(targets, given.targets),
    rate: unless(learningRate, given.learningRate),
  });
}
