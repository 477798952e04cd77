// How numbers and names are written. Nothing is computed here but the rounding.

const DIGITS = 4;
const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const LOWERED = "₀₁₂₃₄₅₆₇₈₉";

/**
 * A number in four significant digits, or as many as are asked for, and exactly where fewer are enough, as the server's own
 * documents write it: 0.6384, 0.5, −0.04710, 3.2e−49.
 */
export function show(number, digits = DIGITS) {
  if (number == null) return "–";
  if (number === 0) return "0";
  const shortest = number.toExponential();
  const isExact = shortest.split("e")[0].replace(/\D/g, "").length <= digits;
  const [mantissa, power] = (isExact ? shortest : number.toExponential(digits - 1)).split("e");
  const text = power < -4 || power > 5 ? `${mantissa}e${power}`
    : isExact ? String(number) : Number(`${mantissa}e${power}`).toFixed(Math.max(0, digits - 1 - power));
  return text.replaceAll("-", "−");
}

/** The same as a number from 1 to 10 times a power of ten. */
export function scientific(number, digits = DIGITS) {
  if (!number) return show(number);
  const [mantissa, power] = number.toExponential(digits - 1).split("e");
  return `${Number(mantissa)}e${power}`.replaceAll("-", "−");
}

/** A number in a sentence, and not a part of a name, a version or a hash. */
const LONG = /(?<![\p{L}\d_.])-?\d+(\.\d+)?(e[-+]?\d+)?(?![\p{L}\d_]|\.\d)/giu;

/** A sentence of the server's with its long numbers written like all others. */
export function shortened(sentence) {
  return sentence.replace(LONG, (text) => {
    const number = Number(text);
    return /[.e]/i.test(text) && Number.isFinite(number) ? show(number) : text;
  });
}

/** The same with a plus before what is not below zero. */
export function signed(number, digits = DIGITS, write = show) {
  return `${number < 0 ? "" : "+"}${write(number, digits)}`;
}

/** A part of a whole in percent. */
export function percent(share) {
  return `${Number((share * 100).toPrecision(3))} %`;
}

/** How many there are of something: 1 point, 2 points. */
export function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** A number as text that reads back as the same double. */
export function exact(number) {
  return String(number);
}

/** What somebody typed, as a decimal number: a comma or a true minus will do; NaN if it is none. */
export function read(text) {
  const plain = text.trim().replace(",", ".").replaceAll("−", "-");
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(plain) ? Number(plain) : NaN;
}

export function lowered(number) {
  return String(number).replace(/\d/g, (digit) => LOWERED[digit]);
}

export function raised(number) {
  return String(number).replace(/\d/g, (digit) => RAISED[digit]);
}

/** Two places in one: ₁₂, with a comma where one of them has two digits. */
function pair(i, j) {
  return i < 9 && j < 9 ? lowered(`${i + 1}${j + 1}`) : lowered(`${i + 1}`) + "," + lowered(`${j + 1}`);
}

/**
 * The names of a network's quantities, those of the worked solution. One hidden layer has the tutorial's: x₁ w₁₁ a₁ h₁ v₁ b ŷ,
 * and biases c₁ and d; any other has the layer raised: w²₁₁ joins unit 1 of layer 1 with unit 1 of layer 2. `units` are the units of each dense layer.
 */
export function names(units) {
  const last = units.length - 1;
  const alone = units[last] === 1;
  const tutorial = units.length === 2;
  const place = (layer) => (tutorial ? "" : raised(layer + 1));
  return {
    input: (i) => `x${lowered(i + 1)}`,
    target: (k) => (alone ? "y" : `y${lowered(k + 1)}`),
    weight: (layer, i, j) => {
      if (!tutorial) return `w${place(layer)}${pair(i, j)}`;
      if (layer === 0) return `w${pair(i, j)}`;
      return alone ? `v${lowered(i + 1)}` : `v${pair(i, j)}`;
    },
    bias: (layer, j) => `${tutorial && layer === last ? "d" : "c"}${place(layer)}${layer === last && alone ? "" : lowered(j + 1)}`,
    sum: (layer, j) => {
      if (tutorial && layer === last) return alone ? "b" : `b${lowered(j + 1)}`;
      return `a${place(layer)}${layer === last && alone ? "" : lowered(j + 1)}`;
    },
    output: (layer, j) => {
      if (layer === last) return alone ? "ŷ" : `ŷ${lowered(j + 1)}`;
      return `h${place(layer)}${lowered(j + 1)}`;
    },
    delta: (layer, j) => {
      if (layer === last) return alone ? "δ" : `δ${lowered(j + 1)}`;
      return tutorial ? `δₕ${lowered(j + 1)}` : `δ${place(layer)}${lowered(j + 1)}`;
    },
  };
}

/** How an activation is written in a formula. */
export function activationName(kind) {
  return { sigmoid: "σ", linear: "id" }[kind] ?? kind;
}
