// What stands around the network of a walk: the stages, the learning rate, and the past.

import { byId, replace } from "./element.js";
import { RULES, numberField } from "./fields.js";
import { SEEN } from "./network.js";
import { describe, drawCurve, learns, leftOut } from "./past.js";
import { NEXT, STAGES } from "./stages.js";

/** The four stages, and the button that goes on. */
export function drawStages(state) {
  for (const button of document.querySelectorAll("#walk-stages button")) {
    const { stage } = button.dataset;
    if (stage === state.stage) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
    button.classList.toggle("done", SEEN[stage] <= SEEN[state.made]);
  }
  const following = NEXT[state.stage];
  byId("walk-next").textContent = state.stage === "update" ? "Next round: forward again" : `${STAGES[following].number} ${STAGES[following].verb}`;
}

/** The field of the learning rate; `set(rate)` hears of another one. */
export function drawRate({ learningRate }, set) {
  const box = byId("walk-rate-field");
  // Whoever is typing there is not disturbed.
  if (box.contains(document.activeElement)) return;
  const field = numberField("Learning rate η", "walk", "rate", learningRate, RULES.rate, set);
  field.querySelector("input").id = "walk-rate";
  replace(box, field);
}

/** The curve of the losses, the slider along it, and what can be done with the step that is looked at. */
export function drawPast({ history, head, past, entry, made, trace }, session) {
  const { steps } = history;
  const shown = past ?? (made === "update" ? trace.step : head);
  const slider = byId("walk-scrub");
  slider.max = head;
  slider.value = shown;
  slider.disabled = head === 0;
  const text = describe(steps.find(({ step }) => step === shown) ?? (entry?.step === shown ? entry : null)) || "no step yet";
  slider.setAttribute("aria-valuetext", text);
  byId("walk-step").textContent = past === null ? text : `${text}, of ${head}`;
  for (const id of ["walk-rewind", "walk-now"]) byId(id).hidden = past === null;
  byId("walk-branch").disabled = !session.name;
  byId("walk-session").textContent = session.name ? `session ${session.name}${session.isOwn ? "" : " (not yours: changes go into a copy)"}` : "";
  const points = steps.filter((one) => learns(one) && one.loss !== null).map(({ step, loss }) => [step, loss]);
  drawCurve(byId("walk-curve"), [{ name: "train", points }], { mark: shown, note: leftOut(history) });
}
