// The playground's card of what is learned: how far, the curve of the losses, and how much of the gradient reaches each layer.

import { byId, h, replace } from "./element.js";
import { drawFlow } from "./flow.js";
import { percent, shortened, show } from "./numbers.js";
import { drawCurve, leftOut } from "./past.js";

/** Draws what the playground's state knows of it. */
export function drawLearning({ run, line, latest, norms, verdict, data }) {
  const { points, learned, history } = line;
  const nothing = !data.inputs.length;
  byId("play-train").textContent = run ? "Pause" : learned ? "Go on" : "Train";
  byId("play-train").disabled = nothing;
  byId("play-step").disabled = Boolean(run) || nothing;
  byId("play-restart").disabled = Boolean(run);
  byId("play-back").disabled = Boolean(run) || !learned;
  const { accuracy, trainAccuracy, testAccuracy } = latest ?? {};
  const right = trainAccuracy != null ? `, right ${percent(trainAccuracy)}` : accuracy != null && `, right ${percent(accuracy)} of its last rows`;
  replace(byId("play-loss"), learned
    ? [`after ${learned === 1 ? "one step" : `${learned} steps`}: loss `, h("b", {}, show(points.at(-1)?.loss)),
      right, testAccuracy != null && `, on unseen data ${percent(testAccuracy)}`]
    : "not trained yet");
  const of = (field) => points.map((point) => [point.at, point[field]]).filter(([, value]) => value != null);
  drawCurve(byId("play-curve"), [{ name: "train", points: of("loss") }, { name: "test", points: of("testLoss") }],
    { label: "Loss", note: [of("testLoss").length ? "Dashed: on unseen data." : null, history && leftOut(history)].filter(Boolean).join(" ") });
  drawFlow(byId("play-flow"), norms);
  replace(byId("play-verdict"), verdict && (verdict.refusal ? `The depth insight gives no answer: ${shortened(verdict.refusal)}.`
    : ["The depth insight says ", h("b", {}, verdict.verdict ?? "nothing"), `: ${shortened(verdict.because)}.`]));
}
