//! A dataset parted into rows to learn from and rows to be tested on, and inputs brought to one scale.

use std::sync::Arc;

use super::Dataset;
use super::order::shuffled;
use crate::engine::math::sqrt;
use crate::engine::matrix::{Matrix, sum};
use crate::engine::random::Stream;

/// How a dataset is parted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split {
    /// The share of the rows that is for testing, from 0 up to but not 1
    pub test: f64,
    /// Which rows these are
    pub seed: u64,
}

/// Rows to learn from and rows to be tested on, each in the dataset's order.
#[derive(Clone, Debug)]
pub struct Parted {
    /// To learn from
    pub train: Arc<Part>,
    /// To be tested on, where there are any
    pub test: Option<Part>,
    /// What the inputs were standardized with, where they were
    pub scaling: Option<Scaling>,
}

/// Some rows of a dataset.
#[derive(Clone, Debug)]
pub struct Part {
    /// x, `[examples][inputs]`
    pub inputs: Matrix,
    /// y, `[examples][targets]`
    pub targets: Matrix,
}

/// Mean and deviation of each input over the training rows: a standardized input is (x − mean)/std.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    /// Σ x/n, summed in the order of the rows; of an input that never changes its one value, `[inputs]`
    pub mean: Vec<f64>,
    /// √(Σ (x − mean)²/n); 1 for an input that never changes, and where a double rounds that to 0, `[inputs]`
    pub std: Vec<f64>,
}

impl Split {
    /// 80 : 20 by the seed 0.
    pub const DEFAULT: Self = Self { test: 0.2, seed: 0 };
    /// Everything is learned from.
    pub const NONE: Self = Self { test: 0.0, seed: 0 };

    /// How many of so many rows are for testing: ⌈test·rows⌉, and at least one is left to learn from.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rows are limited far below 2^53"
    )]
    pub fn tests(self, rows: usize) -> usize {
        ((self.test * rows as f64).ceil() as usize).min(rows - 1)
    }

    /// Which rows are for testing: the first of them in the order that the stream of `default_rng(seed)` shuffles.
    fn is_test(self, rows: usize) -> Vec<bool> {
        let mut is_test = vec![false; rows];
        for place in shuffled(rows, &mut Stream::new(self.seed)).into_iter().take(self.tests(rows)) {
            is_test[place] = true;
        }
        is_test
    }

    /// Parts a dataset.
    pub fn part(self, dataset: &Dataset, standardize: bool) -> Parted {
        let is_test = self.is_test(dataset.rows());
        let rows = |test: bool| -> Vec<usize> { (0..dataset.rows()).filter(|&row| is_test[row] == test).collect() };
        let mut train = Part::of(dataset, &rows(false));
        let tests = rows(true);
        let mut test = (!tests.is_empty()).then(|| Part::of(dataset, &tests));
        let scaling = standardize.then(|| Scaling::of(&train.inputs));
        if let Some(scaling) = &scaling {
            for part in [Some(&mut train), test.as_mut()].into_iter().flatten() {
                scaling.apply(&mut part.inputs);
            }
        }
        Parted { train: Arc::new(train), test, scaling }
    }
}

impl Part {
    fn of(dataset: &Dataset, rows: &[usize]) -> Self {
        Self { inputs: chosen(dataset.inputs(), rows), targets: chosen(dataset.targets(), rows) }
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.inputs.rows()
    }

    /// Some of the rows, in an order.
    #[must_use]
    pub fn chosen(&self, rows: &[usize]) -> Self {
        Self { inputs: chosen(&self.inputs, rows), targets: chosen(&self.targets, rows) }
    }
}

fn chosen(matrix: &Matrix, rows: &[usize]) -> Matrix {
    let mut values = Vec::with_capacity(rows.len() * matrix.columns());
    for &row in rows {
        values.extend_from_slice(matrix.row(row));
    }
    Matrix::new(rows.len(), matrix.columns(), values)
}

impl Scaling {
    #[allow(clippy::cast_precision_loss, reason = "rows are limited far below 2^53")]
    fn of(inputs: &Matrix) -> Self {
        let n = inputs.rows() as f64;
        let column = |column: usize| inputs.iter_rows().map(move |row| row[column]);
        // Whether it changes is told by its values: a mean that is rounded is none of them.
        let only = |at: usize| column(at).next().filter(|first| column(at).all(|x| x == *first));
        let only: Vec<Option<f64>> = (0..inputs.columns()).map(only).collect();
        let mean = |at: usize| only[at].unwrap_or_else(|| sum(column(at)) / n);
        let mean: Vec<f64> = (0..inputs.columns()).map(mean).collect();
        let deviation = |at: usize| {
            if only[at].is_some() {
                return 1.0;
            }
            let squares = column(at).map(|x| (x - mean[at]) * (x - mean[at]));
            let std = sqrt(sum(squares) / n);
            if std == 0.0 { 1.0 } else { std }
        };
        let std = (0..inputs.columns()).map(deviation).collect();
        Self { mean, std }
    }

    fn apply(&self, inputs: &mut Matrix) {
        for row in inputs.iter_rows_mut() {
            for ((x, mean), std) in row.iter_mut().zip(&self.mean).zip(&self.std) {
                *x = (*x - mean) / std;
            }
        }
    }
}
