//! The row-major matrix and the only loops that sum.
//!
//! The promise kept here: every sum runs in index order and starts from its first term; a product is rounded
//! before it is added (no fused multiply-add). Vector instructions run across *different* sums, so that the
//! order inside each one is untouched and every [`Kernel`] gives the same bits.

use std::sync::LazyLock;

use serde::de::{self, Deserialize, Deserializer};
use serde::{Serialize, Serializer, ser::SerializeSeq};

use super::math::sqrt;

/// A contiguous row-major matrix of binary64, never empty: `[rows][columns]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// A matrix from its row-major values. Panics where the sizes do not agree: a programmer's error.
    pub fn new(rows: usize, columns: usize, values: Vec<f64>) -> Self {
        assert!(rows > 0 && columns > 0, "a matrix has at least one row and one column");
        assert_eq!(values.len(), rows * columns, "{rows} × {columns} values");
        Self { rows, columns, values }
    }

    /// A matrix with `value(row, column)` everywhere, filled row by row.
    pub fn from_fn(rows: usize, columns: usize, mut value: impl FnMut(usize, usize) -> f64) -> Self {
        let cells = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        Self::new(rows, columns, cells.map(|(row, column)| value(row, column)).collect())
    }

    /// A matrix with one value everywhere.
    pub fn filled(rows: usize, columns: usize, value: f64) -> Self {
        Self::new(rows, columns, vec![value; rows * columns])
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All values, row by row.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// All values, row by row, to be changed in place.
    pub fn values_mut(&mut self) -> &mut [f64] {
        &mut self.values
    }

    /// One row.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }

    /// The rows in order.
    pub fn iter_rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.columns)
    }

    /// The rows in order, to be changed in place.
    pub fn iter_rows_mut(&mut self) -> impl Iterator<Item = &mut [f64]> {
        self.values.chunks_exact_mut(self.columns)
    }

    /// The value at a row and a column.
    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.columns + column]
    }

    /// The matrix with rows and columns exchanged.
    #[must_use]
    pub fn transposed(&self) -> Self {
        let mut values = Vec::with_capacity(self.values.len());
        for column in 0..self.columns {
            values.extend(self.values[column..].iter().step_by(self.columns));
        }
        Self::new(self.columns, self.rows, values)
    }

    /// `f` of every value.
    #[must_use]
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self { values: self.values.iter().map(|&value| f(value)).collect(), ..*self }
    }

    /// `f` of every value with its row and column.
    #[must_use]
    pub fn map_at(&self, f: impl Fn((usize, usize), f64) -> f64) -> Self {
        let mut values = Vec::with_capacity(self.values.len());
        for (row, numbers) in self.iter_rows().enumerate() {
            values.extend(numbers.iter().enumerate().map(|(column, &value)| f((row, column), value)));
        }
        Self { values, ..*self }
    }

    /// `f` of every pair of values at the same place. Panics where the sizes differ.
    #[must_use]
    pub fn zip(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        assert_eq!((self.rows, self.columns), (other.rows, other.columns), "matrices of one size");
        let pairs = self.values.iter().zip(&other.values);
        Self { values: pairs.map(|(&a, &b)| f(a, b)).collect(), ..*self }
    }

    /// The matrix product: `[n][k]` by `[k][m]` is `[n][m]`, each sum over k in order.
    #[must_use]
    pub fn product(&self, right: &Self) -> Self {
        self.product_by(right, Kernel::fastest())
    }

    /// The matrix product by a chosen kernel; all give the same bits.
    #[must_use]
    pub fn product_by(&self, right: &Self, kernel: Kernel) -> Self {
        assert_eq!(self.columns, right.rows, "the inner sizes of a product");
        let mut values = vec![0.0; self.rows * right.columns];
        let sizes = Sizes { n: self.rows, k: self.columns, m: right.columns };
        match kernel {
            Kernel::Scalar => scalar(sizes, &self.values, &right.values, &mut values),
            Kernel::Portable => tiled(sizes, &self.values, &right.values, &mut values),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => {
                assert!(std::arch::is_x86_feature_detected!("avx2"), "a CPU with AVX2");
                // SAFETY: the function needs nothing but AVX2, which the line above has made sure of.
                unsafe { tiled_avx2(sizes, &self.values, &right.values, &mut values) }
            }
        }
        Self::new(self.rows, right.columns, values)
    }

    /// Each row's sum over the columns, in order: `[rows]`.
    pub fn row_sums(&self) -> Vec<f64> {
        self.iter_rows().map(|row| sum(row.iter().copied())).collect()
    }

    /// Each column's sum over the rows, in order: `[columns]`.
    pub fn column_sums(&self) -> Vec<f64> {
        let mut sums = self.row(0).to_vec();
        for row in self.iter_rows().skip(1) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += value;
            }
        }
        sums
    }
}

/// A matrix is an array of its rows.
/// From rows of one length, at least one of each.
impl<'de> Deserialize<'de> for Matrix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows = Vec::<Vec<f64>>::deserialize(deserializer)?;
        let columns = rows.first().map_or(0, Vec::len);
        if columns == 0 || rows.iter().any(|row| row.len() != columns) {
            return Err(de::Error::custom("rows of one length were expected"));
        }
        Ok(Self::new(rows.len(), columns, rows.concat()))
    }
}

impl Serialize for Matrix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.rows))?;
        for row in self.iter_rows() {
            rows.serialize_element(row)?;
        }
        rows.end()
    }
}

/// The sum in order, starting from the first term; 0.0 where there is none.
pub fn sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    terms.into_iter().reduce(|sum, term| sum + term).unwrap_or(0.0)
}

/// √(Σ v²) in order, scaled by the largest |v| so that no square overflows or vanishes: L·√(Σ (v/L)²).
pub fn norm(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = values.clone().map(f64::abs).fold(0.0, |largest: f64, v| if v > largest { v } else { largest });
    if largest == 0.0 {
        return 0.0;
    }
    largest * sqrt(sum(values.map(|v| (v / largest) * (v / largest))))
}

/// How a product is computed. The result does not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// One sum after the other: the reference that the others are compared with.
    Scalar,
    /// Tiles of sums, in whatever vector instructions every CPU of the target has.
    Portable,
    /// The same tiles, compiled for AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx2,
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
        }
    }
}

/// `[n][k]` by `[k][m]`.
#[derive(Clone, Copy)]
struct Sizes {
    n: usize,
    k: usize,
    m: usize,
}

fn scalar(Sizes { n, k, m }: Sizes, left: &[f64], right: &[f64], out: &mut [f64]) {
    for row in 0..n {
        for column in 0..m {
            out[row * m + column] = sum((0..k).map(|i| left[row * k + i] * right[i * m + column]));
        }
    }
}

/// The tiles compiled with AVX2's wider registers. Without `fma` in the list nothing can be fused.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn tiled_avx2(sizes: Sizes, left: &[f64], right: &[f64], out: &mut [f64]) {
    tiled(sizes, left, right, out);
}

/// Rows and columns of a tile: its sums fill eight of the sixteen AVX2 registers and leave the rest for operands.
const TILE_ROWS: usize = 4;
const TILE_COLUMNS: usize = 8;

#[allow(clippy::inline_always, reason = "compiled once for each set of instructions that it is called under")]
#[inline(always)]
fn tiled(sizes: Sizes, left: &[f64], right: &[f64], out: &mut [f64]) {
    let full_rows = sizes.n - sizes.n % TILE_ROWS;
    for row in (0..full_rows).step_by(TILE_ROWS) {
        tile_row::<TILE_ROWS>(sizes, row, left, right, out);
    }
    for row in full_rows..sizes.n {
        tile_row::<1>(sizes, row, left, right, out);
    }
}

/// `ROWS` rows of the result, tile by tile, then column by column where the columns run out.
#[allow(clippy::inline_always, reason = "compiled once for each set of instructions that it is called under")]
#[inline(always)]
fn tile_row<const ROWS: usize>(sizes: Sizes, row: usize, left: &[f64], right: &[f64], out: &mut [f64]) {
    let full_columns = sizes.m - sizes.m % TILE_COLUMNS;
    for column in (0..full_columns).step_by(TILE_COLUMNS) {
        tile::<ROWS, TILE_COLUMNS>(sizes, row, column, left, right, out);
    }
    for column in full_columns..sizes.m {
        tile::<ROWS, 1>(sizes, row, column, left, right, out);
    }
}

/// `ROWS` × `COLUMNS` sums side by side, each in the order of k.
#[allow(clippy::inline_always, reason = "compiled once for each set of instructions that it is called under")]
#[inline(always)]
fn tile<const ROWS: usize, const COLUMNS: usize>(
    Sizes { k, m, .. }: Sizes,
    row: usize,
    column: usize,
    left: &[f64],
    right: &[f64],
    out: &mut [f64],
) {
    let mut sums = [[0.0; COLUMNS]; ROWS];
    for i in 0..k {
        let across = &right[i * m + column..][..COLUMNS];
        for (r, sums) in sums.iter_mut().enumerate() {
            let factor = left[(row + r) * k + i];
            for (sum, value) in sums.iter_mut().zip(across) {
                let term = factor * value;
                // A sum starts from its first term: 0.0 + (−0.0) would lose the sign.
                *sum = if i == 0 { term } else { *sum + term };
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        out[(row + r) * m + column..][..COLUMNS].copy_from_slice(sums);
    }
}
