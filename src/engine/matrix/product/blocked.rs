//! The product in blocks that fit the caches and tiles that fit the registers (Goto and van de Geijn 2008).
//!
//! Blocks and tiles divide what is summed *into different sums*; inside one sum the terms come in index order, block
//! after block, each product rounded before it is added. So no kernel, block size or number of threads changes a bit.
#![allow(clippy::inline_always, reason = "compiled once for each set of instructions that it is called under")]

use super::{Finish, Operand, Packing, Work};

/// Terms of a block: a tile's strips of both operands stay in the nearest cache.
const BLOCK_TERMS: usize = 256;
/// Rows of a block: its packed left side stays in the second cache.
const BLOCK_ROWS: usize = 96;
/// Columns of a block: its packed right side stays in the second or third cache.
const BLOCK_COLUMNS: usize = 512;
/// Rows of the largest tile
pub(super) const TILE_ROWS_MOST: usize = 8;
/// Rows of the result up to which the right side is read as it lies: it is not read often enough to be worth packing.
const UNPACKED_ROWS: usize = 64;
/// Numbers of a block of the right side that stays in the nearest cache.
const NEAR: usize = 4096;

/// A block of the result, and of the terms that are added to it.
#[derive(Clone, Copy)]
struct Block {
    row: usize,
    rows: usize,
    column: usize,
    columns: usize,
    term: usize,
    terms: usize,
    /// Columns of the whole result
    m: usize,
    /// Whether these are the first terms, and the last ones
    first: bool,
    last: bool,
    /// Whether the right side is read as it lies
    in_place: bool,
}

/// A product to be made in tiles of so many sums.
pub(super) struct Tiled<'p, const ROWS: usize, const COLUMNS: usize, F> {
    pub(super) left: Operand<'p>,
    pub(super) right: Operand<'p>,
    pub(super) out: &'p mut [f64],
    pub(super) packing: &'p mut Packing,
    pub(super) finish: &'p mut F,
}

impl<const ROWS: usize, const COLUMNS: usize, F: Finish> Work for Tiled<'_, ROWS, COLUMNS, F> {
    type Result = ();

    #[inline(always)]
    fn run(self) {
        let Self { left, right, out, packing, finish } = self;
        if left.rows.min(left.columns) < ROWS && !right.is_turned() {
            row_by_row(left, right, out);
            finish.take(0, out);
        } else {
            blocked::<ROWS, COLUMNS>(left, right, out, packing, finish);
        }
    }
}

/// A block of terms and of columns after the other: within each sum the blocks of terms come in order.
#[inline(always)]
fn blocked<const ROWS: usize, const COLUMNS: usize>(
    left: Operand,
    right: Operand,
    out: &mut [f64],
    packing: &mut Packing,
    finish: &mut impl Finish,
) {
    let (n, k, m) = (left.rows, left.columns, right.columns);
    let in_place = n <= UNPACKED_ROWS && !right.is_turned();
    for column in (0..m).step_by(BLOCK_COLUMNS) {
        let columns = BLOCK_COLUMNS.min(m - column);
        for term in (0..k).step_by(BLOCK_TERMS) {
            let terms = BLOCK_TERMS.min(k - term);
            // What lies in place in whole strips is not packed.
            let skipped = if in_place { columns - columns % COLUMNS } else { 0 };
            pack::<COLUMNS>(right.turned(), (column + skipped, columns - skipped), (term, terms), &mut packing.right);
            for row in (0..n).step_by(BLOCK_ROWS) {
                let rows = BLOCK_ROWS.min(n - row);
                pack::<ROWS>(left, (row, rows), (term, terms), &mut packing.left);
                let (first, last) = (term == 0, term + terms == k);
                let block = Block { row, rows, column, columns, term, terms, m, first, last, in_place };
                tiles::<ROWS, COLUMNS>(block, right, packing, out, finish);
            }
        }
    }
}

/// Few rows, or few terms of each sum: all sums of a row side by side, term after term, as the right side lies.
#[inline(always)]
pub(super) fn row_by_row(left: Operand, right: Operand, out: &mut [f64]) {
    let m = right.columns;
    for (row, out) in out.chunks_exact_mut(m).enumerate() {
        let mut rights = right.values.chunks_exact(m).enumerate();
        if let Some((_, right)) = rights.next() {
            let factor = left.at(row, 0);
            for (out, value) in out.iter_mut().zip(right) {
                *out = factor * value;
            }
        }
        for (i, right) in rights {
            let factor = left.at(row, i);
            for (out, value) in out.iter_mut().zip(right) {
                *out += factor * value;
            }
        }
    }
}

/// Lays some rows of a matrix out in strips of `WIDTH` rows, `[term][row of the strip]`; where the rows run out the
/// strip is filled with zeros, whose sums nobody reads.
#[inline(always)]
fn pack<const WIDTH: usize>(
    from: Operand,
    (first_row, rows): (usize, usize),
    (first_term, terms): (usize, usize),
    packed: &mut Vec<f64>,
) {
    packed.resize(rows.next_multiple_of(WIDTH) * terms, 0.0);
    let (down, across) = from.strides;
    for (strip, packed) in packed.chunks_exact_mut(WIDTH * terms).enumerate() {
        let row = first_row + strip * WIDTH;
        let wide = WIDTH.min(first_row + rows - row);
        if wide < WIDTH {
            packed.fill(0.0);
        }
        let start = row * down + first_term * across;
        if from.is_turned() && wide == WIDTH {
            // The strip's values lie side by side.
            let lying = from.values[start..].chunks(across).filter_map(<[f64]>::first_chunk::<WIDTH>);
            packed.as_chunks_mut().0.iter_mut().zip(lying).for_each(|(packed, values)| *packed = *values);
            continue;
        }
        for r in 0..wide {
            let values = from.values[start + r * down..].iter().step_by(across);
            for (to, value) in packed[r..].iter_mut().step_by(WIDTH).zip(values) {
                *to = *value;
            }
        }
    }
}

/// Every tile of a block, in the order in which the larger of both sides is read once.
#[inline(always)]
fn tiles<const ROWS: usize, const COLUMNS: usize>(
    block: Block,
    right: Operand,
    packing: &Packing,
    out: &mut [f64],
    finish: &mut impl Finish,
) {
    let strips = (block.rows.div_ceil(ROWS), block.columns.div_ceil(COLUMNS));
    let by_rows = strips.1 * COLUMNS * block.terms <= NEAR;
    let (outer, inner) = if by_rows { strips } else { (strips.1, strips.0) };
    for outer in 0..outer {
        for inner in 0..inner {
            let (down, across) = if by_rows { (outer, inner) } else { (inner, outer) };
            one_tile::<ROWS, COLUMNS>(block, (down, across), right, packing, out, finish);
        }
    }
}

/// The tile of a strip of rows and a strip of columns.
#[inline(always)]
fn one_tile<const ROWS: usize, const COLUMNS: usize>(
    block: Block,
    (down, across): (usize, usize),
    right: Operand,
    packing: &Packing,
    out: &mut [f64],
    finish: &mut impl Finish,
) {
    let Block { m, term, terms, first, last, in_place, .. } = block;
    let (row, column) = (block.row + down * ROWS, block.column + across * COLUMNS);
    let (high, wide) = (ROWS.min(block.row + block.rows - row), COLUMNS.min(block.column + block.columns - column));
    let mut sums = [[0.0; COLUMNS]; ROWS];
    if !first {
        for (r, sums) in sums.iter_mut().enumerate().take(high) {
            let out = &out[(row + r) * m + column..];
            match out.first_chunk() {
                Some(out) if wide == COLUMNS => *sums = *out,
                _ => sums[..wide].copy_from_slice(&out[..wide]),
            }
        }
    }
    let left = packing.left[down * ROWS * terms..].as_chunks::<ROWS>().0.iter().take(terms);
    if in_place && wide == COLUMNS {
        let lying = right.values[term * m + column..].chunks(m).filter_map(<[f64]>::first_chunk::<COLUMNS>);
        tile(left.zip(lying), first, &mut sums);
    } else {
        let strip = if in_place { 0 } else { across };
        let packed = packing.right[strip * COLUMNS * terms..].as_chunks::<COLUMNS>().0.iter();
        tile(left.zip(packed), first, &mut sums);
    }
    for (r, sums) in sums.iter().enumerate().take(high) {
        let at = (row + r) * m + column;
        store(at, sums, wide, out, last, finish);
    }
}

/// One row of a tile, to where it belongs.
#[inline(always)]
fn store<const COLUMNS: usize, F: Finish>(
    at: usize,
    sums: &[f64; COLUMNS],
    wide: usize,
    out: &mut [f64],
    last: bool,
    finish: &mut F,
) {
    if wide == COLUMNS {
        if !last || F::STAY {
            out[at..][..COLUMNS].copy_from_slice(sums);
        }
        if last {
            finish.take(at, sums);
        }
    } else {
        if !last || F::STAY {
            out[at..][..wide].copy_from_slice(&sums[..wide]);
        }
        if last {
            finish.take(at, &sums[..wide]);
        }
    }
}

/// `ROWS` × `COLUMNS` sums side by side, each in the order of its terms.
#[inline(always)]
fn tile<'t, const ROWS: usize, const COLUMNS: usize>(
    mut terms: impl Iterator<Item = (&'t [f64; ROWS], &'t [f64; COLUMNS])>,
    first: bool,
    out: &mut [[f64; COLUMNS]; ROWS],
) {
    let mut sums = *out;
    // A sum starts from its first term: 0.0 + (−0.0) would lose the sign.
    if first && let Some((left, right)) = terms.next() {
        for r in 0..ROWS {
            for c in 0..COLUMNS {
                sums[r][c] = left[r] * right[c];
            }
        }
    }
    for (left, right) in terms {
        for r in 0..ROWS {
            for c in 0..COLUMNS {
                sums[r][c] += left[r] * right[c];
            }
        }
    }
    *out = sums;
}
