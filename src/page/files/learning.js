// The playground's card of what is learned: how far, the curve of the losses, and how much of the gradient reaches each layer.

import { byId, h, replace } from "./element.js";
import { drawFlow } from "./flow.js";
import { percent, shortened, show } from "./numbers.js";
import { drawCurve, leftOut } from "./past.js";

/** Draws what the playground's state knows of it. */
export function drawLearning({ run, line, latest, norms, verdict, data, isChanged }) {
  const { points, learned, history } = line;
  const nothing = !data.inputs.length;
  byId("play-train").textContent = run ? "Pause" : learned ? "Go on" : "Train";
  byId("play-train").disabled = nothing;
  byId("play-step").disabled = Boolean(run) || nothing;
  byId("play-restart").disabled = Boolean(run);
  byId("play-back").disabled = Boolean(run) || !learned;
  replace(byId("play-loss"), learned
    ? [`after ${learned === 1 ? "one step" : `${learned} steps`}: loss `, h("b", {}, show(points.at(-1)?.loss)), " on the rows of the last step",
      right(latest?.accuracy), isChanged ? ", before the data were changed." : ". ", !isChanged && h("span", { class: "whole" }, latest ? overAll(latest.whole) : "Over all rows: told with the next step.")]
    : "not trained yet");
  const of = (field) => points.map((point) => [point.at, point[field]]).filter(([, value]) => value != null);
  const drawn = of("loss").length;
  const notes = [drawn < learned ? `Loss of ${drawn} of these steps, each on its own rows.` : "Loss of each step, on its own rows.", of("testLoss").length > 0 && "Dashed: on unseen data.", history && leftOut(history)];
  drawCurve(byId("play-curve"), [{ name: "train", points: of("loss") }, { name: "test", points: of("testLoss") }],
    { label: "Loss of each step", note: notes.filter(Boolean).join(" ") });
  drawFlow(byId("play-flow"), norms, learned > 0);
  replace(byId("play-verdict"), verdict && (verdict.refusal ? `The depth insight gives no answer: ${shortened(verdict.refusal)}.`
    : ["The depth insight says ", h("b", {}, verdict.verdict ?? "nothing"), `: ${shortened(verdict.because)}.`]));
}

/** What is known of all rows together, in sentences. */
function overAll({ isNow, loss, accuracy, testLoss, testAccuracy }) {
  const told = (rows, lost, share) => lost != null && `${rows}: loss ${show(lost)}${right(share)}. `;
  const when = isNow ? "" : " when last looked at";
  return [told(`Over all rows it learns from${when}`, loss, accuracy), told(`On unseen data${when}`, testLoss, testAccuracy)];
}

function right(share) {
  return share == null ? "" : `, right ${percent(share).replace(" ", "\u00a0")}`;
}
