//! The row-major matrix and the only loops that sum.
//!
//! The promise kept here: every sum runs in index order and starts from its first term; a product is rounded
//! before it is added (no fused multiply-add). Vector instructions run across *different* sums, so that the
//! order inside each one is untouched and every [`Kernel`] gives the same bits.

mod product;

use std::num::NonZeroUsize;

use serde::de::{self, Deserialize, Deserializer};
use serde::{Serialize, Serializer, ser::SerializeSeq};

use super::math::sqrt;
use product::product;
pub use product::{Finish, Kernel, Operand, Packing, Work, product_into, product_then};

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
        Self::product_of(self.operand(), right.operand())
    }

    /// The matrix to be multiplied, as it lies or with rows and columns exchanged.
    pub fn operand(&self) -> Operand<'_> {
        Operand::of(self)
    }

    /// The product of two operands.
    #[must_use]
    pub fn product_of(left: Operand, right: Operand) -> Self {
        product(left, right, Kernel::fastest(), NonZeroUsize::MIN)
    }

    /// The product by a chosen kernel on so many threads; all give the same bits.
    #[must_use]
    pub fn product_by(left: Operand, right: Operand, kernel: Kernel, threads: NonZeroUsize) -> Self {
        product(left, right, kernel, threads)
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
