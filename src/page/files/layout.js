// Where the parts of a small network stand: columns of units, edges between them, and labels that keep clear of each
// other. Pixels in, pixels out.

const CLOSE = { radius: 24, row: 186, chip: [52, 36], column: 112, margin: 31, above: 50, under: 64, digits: 3 };
const WIDE = { radius: 33, row: 190, chip: [84, 40], column: 180, margin: 64, above: 112, under: 122, digits: 4 };

/** How far texts at the edge of the picture stay from it. */
export const EDGE = 2;

/** Edges of one gap that can carry a label each. */
const LABELLED = 8;
/** Units of a column that are drawn with room for labels between them. */
const FEW = 4;
/** By how much columns of a deeper narrow network stand further apart. */
const AMPLE = 42;
/** How much wider names are that tell their layer. */
const RAISED = 8;
/** Room below the lowest target, for the loss. */
const UNDER_TARGETS = 38;

/** How far below its unit's circle a bias stands, where the unit's blame stands between them. */
export const BIAS = 42;

/** How wide a bias is written, which names itself, where a weight's label is a chip of `[wide, high]`. */
export function biasWidth([wide]) {
  return wide + 10;
}

/** How wide the field of an input or a target is, as units of this radius are drawn. */
export function fieldWidth(radius) {
  return 2 * radius + 6;
}

/** Whether all weights of a network can be written on its edges. */
export function fits(sizes) {
  return sizes.length <= 5 && Math.max(...sizes) <= FEW && gaps(sizes).every(([from, to]) => from * to <= LABELLED);
}

/** Whether units can be drawn one by one at all. */
export function drawable(sizes) {
  return sizes.length <= 7 && Math.max(...sizes) <= 8;
}

/** Why a network of these sizes cannot be walked through by hand; null where it can. One with other layers than dense has none. */
export function whyNot(sizes) {
  if (!sizes) return "has layers other than dense ones, and only dense ones are walked by hand";
  return drawable(sizes) ? null : "has too many units to be walked by hand";
}

function gaps(sizes) {
  return sizes.slice(1).map((to, at) => [sizes[at], to]);
}

/**
 * The layout of columns of `sizes` units in a box of `width`: `{ width, height, radius, units: [column][unit] → {x, y},
 * targets: [k] → {x, y}, edges: [gap] → [{ i, j, from, to, label }] }`, and how many `digits` there is room for. Where units are `biased`,
 * there is room for that, too.
 */
export function layout(sizes, width, biased) {
  const most = Math.max(...sizes);
  const narrow = most > FEW || 2 * WIDE.margin + sizes.length * WIDE.column > width;
  const { radius, row, chip, column, margin, above, under, digits } = narrow ? CLOSE : WIDE;
  // On a narrow picture targets stand below their outputs, where there are few; else they are a column of their own.
  const below = narrow && sizes.at(-1) <= 2;
  const aside = radius + (biased ? 94 : 62);
  const columns = sizes.length + (below ? 0 : 1);
  // What has to be scrolled anyway may take more room.
  const between = narrow && columns > 3 ? column + AMPLE : column;
  const needed = Math.max(width, 2 * margin + (columns - 1) * between);
  const step = (needed - 2 * margin) / (columns - 1);
  const distance = (most > FEW ? 2 * radius + 50 : row) + (biased ? 56 : 0);
  // A single column of few units has room above and below for what is written there.
  const middle = Math.max((most - 1) * distance + 2 * radius + (biased ? 140 : 96), narrow ? 370 : 300) / 2;
  const place = (at, unit, count) => ({
    x: margin + at * step,
    y: middle + (unit - (count - 1) / 2) * distance,
  });
  const units = sizes.map((count, at) => Array.from({ length: count }, (_, unit) => place(at, unit, count)));
  const last = units.at(-1);
  const targets = last.map(({ x, y }) => (below ? { x, y: y + aside } : { x: x + step, y }));
  const height = Math.max(2 * middle, targets.at(-1).y + radius + UNDER_TARGETS);
  const labelled = fits(sizes);
  const edges = gaps(sizes).map(([from, to], at) => {
    // Units, and what is written above and below them, are in the way as well. At the edge texts end where it ends.
    const text = (x, y, wide) => ({ x: Math.min(x, needed - EDGE - wide / 2), y, wide, high: 14 });
    const raised = sizes.length > 3 ? RAISED : 0;
    const upper = ({ x, y }) => [{ x, y, wide: 2 * radius, high: 2 * radius }, text(x, y - radius - 14, above + raised)];
    const around = ({ x, y }) => [
      ...upper({ x, y }), text(x, y + radius + 14, under),
      ...(biased ? [{ x, y: y + radius + BIAS, wide: biasWidth(chip), high: 34 }] : []),
    ];
    const asides = below && at === sizes.length - 2 ? targets.map(({ x, y }) => ({ x, y, wide: fieldWidth(radius), high: 60 })) : [];
    // Nothing is written below inputs.
    const placed = [...units[at].flatMap(at === 0 ? upper : around), ...units[at + 1].flatMap(around), ...asides];
    return pairs(from, to).map(([i, j]) => {
      const [start, end] = [units[at][i], units[at + 1][j]];
      const others = pairs(from, to).filter(([k, l]) => k !== i || l !== j).map(([k, l]) => [units[at][k], units[at + 1][l]]);
      return { i, j, from: start, to: end, label: labelled && spot(start, end, chip, placed, others) };
    });
  });
  return { width: needed, height, radius, narrow, below, units, targets, edges, chip, digits };
}

/** Straight edges first, for they have the least choice of where their label stands. */
function pairs(from, to) {
  const all = Array.from({ length: from * to }, (_, at) => [Math.floor(at / to), at % to]);
  const slope = ([i, j]) => Math.abs(i - (from - 1) / 2 - (j - (to - 1) / 2));
  return all.sort((one, other) => slope(one) - slope(other));
}

/** Pixels around a label that are kept clear where they can be. */
const ROOM = 4;
/** How bad it is that another edge runs below a label, for each hundredth of the edge; covered pixels count one each. */
const CROSSED = 40;

/** How much worse it is to cover what is written than to come close to it. */
const HIDDEN = 4;
/** By how much a place has to be better than one nearer to the middle. */
const CLEARLY = 10;
/** Places on an edge, from its middle outwards. */
const PLACES = Array.from({ length: 25 }, (_, at) => 0.5 + 0.025 * Math.ceil(at / 2) * (at % 2 ? -1 : 1));
/** How much worse it is to cover a label than what is written at a unit. */
const LABEL = 5;

/** The place on an edge where a label covers least of what is placed already and of other edges, near the middle if it can be. */
function spot(start, end, [wide, high], placed, others) {
  const along = ([from, to], t) => ({ x: from.x + t * (to.x - from.x), y: from.y + t * (to.y - from.y) });
  const hundredths = others.flatMap((edge) => Array.from({ length: 101 }, (_, at) => along(edge, at / 100)));
  const over = (one, other, room) => {
    const x = (one.wide + other.wide) / 2 + room - Math.abs(one.x - other.x);
    const y = (one.high + other.high) / 2 + room - Math.abs(one.y - other.y);
    return x > 0 && y > 0 ? x * y * (other.isLabel ? LABEL : 1) : 0;
  };
  const covered = (one) => placed.reduce((sum, other) => sum + over(one, other, ROOM) + HIDDEN * over(one, other, 0), 0)
    + CROSSED * hundredths.filter(({ x, y }) => Math.abs(x - one.x) < wide / 2 + ROOM && Math.abs(y - one.y) < high / 2 + ROOM).length;
  const choices = PLACES.map((t) => ({ ...along([start, end], t), wide, high }));
  const best = choices.reduce((best, one) => (covered(one) < covered(best) - CLEARLY ? one : best));
  placed.push({ ...best, isLabel: true });
  return best;
}
