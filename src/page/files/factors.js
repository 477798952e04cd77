// The factors of a path of the chain rule by the names of the picture: the server tells a layer and a unit of each.

/** What a name or a formula may call by one letter, which the picture has many of. */
const LETTERS = /(?<![\p{L}\p{N}_])(ŷ|y|h|w|a|x)(?![\p{L}\p{N}_(])/gu;

/**
 * The factors of one path to a weight as they are called on the picture, and the units that it goes `through` where it could go through others,
 * from the output down. Only names are changed.
 */
export function namedFactors(factors, { naming, layers, sizes }, weight) {
  const { gap, index } = weight;
  const isBias = weight.parameter === "bias";
  let upper = { name: "E" };
  const through = [];
  const named = factors.slice(0, -1).map((factor) => {
    const at = layers.findIndex(({ name }) => name === factor.layer);
    const isOutput = /[hŷ]/u.test(factor.name.split("/∂")[1]);
    const lower = { at, unit: factor.unit, name: (isOutput ? naming.output : naming.sum)(at, factor.unit) };
    if (isOutput && at > gap && sizes[at + 1] > 1) through.push(lower.name);
    const made = called(factor, upper, lower, {
      ŷ: naming.output(at, factor.unit), h: naming.output(at, factor.unit), y: naming.target(factor.unit), a: naming.sum(at, factor.unit),
      w: upper.at > at ? naming.weight(upper.at, factor.unit, upper.unit) : "w",
    });
    upper = lower;
    return made;
  });
  const last = { name: isBias ? naming.bias(gap, index[0]) : naming.weight(gap, ...index) };
  const below = isBias ? "" : gap === 0 ? naming.input(index[0]) : naming.output(gap - 1, index[0]);
  return { factors: [...named, called(factors.at(-1), upper, last, { x: below })], through: through.join(", ") };
}

function called(factor, upper, lower, letters) {
  // A formula over several units at once has its own letters for them.
  const formula = factor.formula.includes("_") ? factor.formula : factor.formula.replace(LETTERS, (letter) => letters[letter] ?? letter);
  return { ...factor, name: `∂${upper.name}/∂${lower.name}`, formula };
}
