//! The matrix product, in blocks that fit the caches and tiles that fit the registers (Goto and van de Geijn 2008).
//!
//! Blocks and tiles divide what is summed *into different sums*; inside one sum the terms come in index order, block
//! after block, each product rounded before it is added. So no kernel, block size or number of threads changes a bit.

use std::num::NonZeroUsize;
use std::sync::LazyLock;
use std::thread;

use super::{Matrix, sum};

/// How a product is computed. The result does not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// One sum after the other: the reference that the others are compared with.
    Scalar,
    /// Tiles of sums, in whatever vector instructions every CPU of the target has.
    Portable,
    /// The same, compiled for AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// The same, compiled for AVX-512.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kernel {
    /// The fastest kernel that this CPU can run.
    pub fn fastest() -> Self {
        static FASTEST: LazyLock<Kernel> = LazyLock::new(|| *Kernel::all().last().unwrap_or(&Kernel::Portable));
        *FASTEST
    }

    /// The kernels that this CPU can run, the slowest first.
    pub fn all() -> Vec<Self> {
        let mut kernels = vec![Self::Scalar, Self::Portable];
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            kernels.push(Self::Avx2);
            if std::arch::is_x86_feature_detected!("avx512f") {
                kernels.push(Self::Avx512);
            }
        }
        kernels
    }

    /// The name that /v1/info shows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
        }
    }
}

/// A matrix to be read as it lies, or with rows and columns exchanged.
#[derive(Clone, Copy)]
pub struct Operand<'a> {
    values: &'a [f64],
    rows: usize,
    columns: usize,
    /// From one row to the next, and from one column to the next
    strides: (usize, usize),
}

impl<'a> Operand<'a> {
    pub(super) fn of(matrix: &'a Matrix) -> Self {
        Self::of_values(matrix.values(), matrix.rows(), matrix.columns())
    }

    /// Values that lie row by row. Panics where there are not as many as the sizes say: a programmer's error.
    pub fn of_values(values: &'a [f64], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns, "{rows} × {columns} values");
        Self { values, rows, columns, strides: (columns, 1) }
    }

    /// With rows and columns exchanged.
    #[must_use]
    pub fn turned(self) -> Self {
        let (down, across) = self.strides;
        Self { rows: self.columns, columns: self.rows, strides: (across, down), ..self }
    }

    fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.strides.0 + column * self.strides.1]
    }

    /// Where a column has its values side by side.
    fn is_turned(&self) -> bool {
        self.strides.1 != 1
    }

    /// Some of the rows.
    fn rows(self, from: usize, count: usize) -> Self {
        Self { values: &self.values[from * self.strides.0..], rows: count, ..self }
    }
}

/// Where operands are laid out for the tiles: kept from one product to the next it is not made anew for each.
#[derive(Clone, Debug, Default)]
pub struct Packing {
    left: Vec<f64>,
    right: Vec<f64>,
}

/// `[n][k]` by `[k][m]` into `[n][m]`, row by row, on as many threads as asked for.
pub(super) fn product(left: Operand, right: Operand, kernel: Kernel, threads: NonZeroUsize) -> Matrix {
    assert_eq!(left.columns, right.rows, "the inner sizes of a product");
    let (n, m) = (left.rows, right.columns);
    let mut out = vec![0.0; n * m];
    // Whole tiles for each thread.
    let share = n.div_ceil(threads.get()).next_multiple_of(TILE_ROWS_MOST);
    if threads.get() == 1 || share >= n {
        product_on_one(left, right, kernel, &mut out, &mut Packing::default());
        return Matrix::new(n, m, out);
    }
    thread::scope(|scope| {
        for (index, out) in out.chunks_mut(share * m).enumerate() {
            let left = left.rows(index * share, out.len() / m);
            scope.spawn(move || product_on_one(left, right, kernel, out, &mut Packing::default()));
        }
    });
    Matrix::new(n, m, out)
}

/// The same into a buffer, on this thread, by the fastest kernel.
pub fn product_into(left: Operand, right: Operand, out: &mut [f64], packing: &mut Packing) {
    assert_eq!(left.columns, right.rows, "the inner sizes of a product");
    assert_eq!(out.len(), left.rows * right.columns, "the sizes of a product");
    product_on_one(left, right, Kernel::fastest(), out, packing);
}

fn product_on_one(left: Operand, right: Operand, kernel: Kernel, out: &mut [f64], packing: &mut Packing) {
    match kernel {
        Kernel::Scalar => scalar(left, right, out),
        // Too little to be worth the packing.
        _ if left.rows * left.columns * right.columns <= PACKED_FROM => small(left, right, out),
        Kernel::Portable => blocked::<4, 4>(left, right, out, packing),
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx2 => {
            assert!(std::arch::is_x86_feature_detected!("avx2"), "a CPU with AVX2");
            // SAFETY: the function needs nothing but AVX2, which the line above has made sure of.
            unsafe { blocked_avx2(left, right, out, packing) }
        }
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx512 => {
            assert!(std::arch::is_x86_feature_detected!("avx512f"), "a CPU with AVX-512");
            // SAFETY: the function needs nothing but AVX-512F, which the line above has made sure of.
            unsafe { blocked_avx512(left, right, out, packing) }
        }
    }
}

fn scalar(left: Operand, right: Operand, out: &mut [f64]) {
    let (k, m) = (left.columns, right.columns);
    for (row, out) in out.chunks_exact_mut(m).enumerate() {
        for (column, out) in out.iter_mut().enumerate() {
            *out = sum((0..k).map(|i| left.at(row, i) * right.at(i, column)));
        }
    }
}

/// A product of a few numbers: sum by sum where both sides lie along the terms, else all sums of a row side by side.
fn small(left: Operand, right: Operand, out: &mut [f64]) {
    if !right.is_turned() {
        return row_by_row(left, right, out);
    }
    if left.is_turned() {
        return scalar(left, right, out);
    }
    let (k, m) = (left.columns, right.columns);
    for (left, out) in left.values.chunks_exact(k).zip(out.chunks_exact_mut(m)) {
        for (right, out) in right.values.chunks_exact(k).zip(out) {
            *out = sum(left.iter().zip(right).map(|(a, b)| a * b));
        }
    }
}

/// The tiles compiled with AVX2's wider registers. Without `fma` in the list nothing can be fused.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn blocked_avx2(left: Operand, right: Operand, out: &mut [f64], packing: &mut Packing) {
    blocked::<4, 8>(left, right, out, packing);
}

/// The same with AVX-512's registers, twice as wide and twice as many. Nothing is fused: Rust never does by itself.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn blocked_avx512(left: Operand, right: Operand, out: &mut [f64], packing: &mut Packing) {
    blocked::<8, 16>(left, right, out, packing);
}

/// Multiply-adds from which on packing pays.
const PACKED_FROM: usize = 2_000;
/// Terms of a block: a tile's strips of both operands stay in the nearest cache.
const BLOCK_TERMS: usize = 256;
/// Rows of a block: its packed left side stays in the second cache.
const BLOCK_ROWS: usize = 96;
/// Columns of a block: its packed right side stays in the second or third cache.
const BLOCK_COLUMNS: usize = 512;
/// Rows of the largest tile
const TILE_ROWS_MOST: usize = 8;

/// A block of terms and of columns after the other: within each sum the blocks of terms come in order.
#[allow(clippy::inline_always, reason = "compiled once for each set of instructions that it is called under")]
#[inline(always)]
fn blocked<const ROWS: usize, const COLUMNS: usize>(
    left: Operand,
    right: Operand,
    out: &mut [f64],
    packing: &mut Packing,
) {
    let (n, k, m) = (left.rows, left.columns, right.columns);
    if n.min(k) < ROWS && !right.is_turned() {
        return row_by_row(left, right, out);
    }
    for column in (0..m).step_by(BLOCK_COLUMNS) {
        let columns = BLOCK_COLUMNS.min(m - column);
        for term in (0..k).step_by(BLOCK_TERMS) {
            let terms = BLOCK_TERMS.min(k - term);
            pack::<COLUMNS>(right.turned(), (column, columns), (term, terms), &mut packing.right);
            for row in (0..n).step_by(BLOCK_ROWS) {
                let rows = BLOCK_ROWS.min(n - row);
                pack::<ROWS>(left, (row, rows), (term, terms), &mut packing.left);
                let block = Block { row, rows, column, columns, terms, m, first: term == 0 };
                tiles::<ROWS, COLUMNS>(block, &packing.left, &packing.right, out);
            }
        }
    }
}

/// Few rows, or few terms of each sum: all sums of a row side by side, term after term, as the right side lies.
#[allow(clippy::inline_always, reason = "compiled once for each set of instructions that it is called under")]
#[inline(always)]
fn row_by_row(left: Operand, right: Operand, out: &mut [f64]) {
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

/// A block of the result, and of the terms that are added to it.
#[derive(Clone, Copy)]
struct Block {
    row: usize,
    rows: usize,
    column: usize,
    columns: usize,
    terms: usize,
    /// Columns of the whole result
    m: usize,
    /// Whether these are the first terms
    first: bool,
}

/// Lays some rows of a matrix out in strips of `WIDTH` rows, `[term][row of the strip]`; where the rows run out the
/// strip is filled with zeros, whose sums nobody reads.
#[allow(clippy::inline_always, reason = "compiled once for each set of instructions that it is called under")]
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
            for (term, packed) in packed.chunks_exact_mut(WIDTH).enumerate() {
                packed.copy_from_slice(&from.values[start + term * across..][..WIDTH]);
            }
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

/// Every tile of a block.
#[allow(clippy::inline_always, reason = "compiled once for each set of instructions that it is called under")]
#[inline(always)]
fn tiles<const ROWS: usize, const COLUMNS: usize>(block: Block, left: &[f64], right: &[f64], out: &mut [f64]) {
    let Block { row, rows, column, columns, terms, m, first } = block;
    for (strip, right) in right.chunks_exact(COLUMNS * terms).enumerate() {
        let column = column + strip * COLUMNS;
        let wide = COLUMNS.min(block.column + columns - column);
        for (strip, left) in left.chunks_exact(ROWS * terms).enumerate() {
            let row = row + strip * ROWS;
            let high = ROWS.min(block.row + rows - row);
            let mut sums = [[0.0; COLUMNS]; ROWS];
            if !first {
                for (r, sums) in sums.iter_mut().enumerate().take(high) {
                    sums[..wide].copy_from_slice(&out[(row + r) * m + column..][..wide]);
                }
            }
            tile(left, right, first, &mut sums);
            for (r, sums) in sums.iter().enumerate().take(high) {
                out[(row + r) * m + column..][..wide].copy_from_slice(&sums[..wide]);
            }
        }
    }
}

/// `ROWS` × `COLUMNS` sums side by side, each in the order of its terms.
#[allow(clippy::inline_always, reason = "compiled once for each set of instructions that it is called under")]
#[inline(always)]
fn tile<const ROWS: usize, const COLUMNS: usize>(
    left: &[f64],
    right: &[f64],
    first: bool,
    out: &mut [[f64; COLUMNS]; ROWS],
) {
    let (left, _) = left.as_chunks::<ROWS>();
    let (right, _) = right.as_chunks::<COLUMNS>();
    let mut terms = left.iter().zip(right);
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
