//! Data to learn from: rows of inputs with rows of targets, and what their columns are called.
//!
//! A dataset never changes and is known by the hash of what it holds. Generators draw one from a seed ([`Generator`]),
//! two are real ([`real`]), and anybody may bring more. [`split`] parts one into rows for training and for testing.

mod generate;
mod order;
mod real;
pub mod split;

use sha2::{Digest, Sha256};
use thiserror::Error;

pub use generate::{Generator, NOISE_MAX};
pub use order::Order;
pub use real::{REAL, Real};

use super::matrix::Matrix;
use crate::limits::Limits;

/// Rows of numbers: what goes in, and what should come out.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    inputs: Matrix,
    targets: Matrix,
    columns: Columns,
    classes: Vec<String>,
}

/// The names of a dataset's columns, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// Of the inputs, `[inputs]`
    pub inputs: Vec<String>,
    /// Of the targets, `[targets]`
    pub targets: Vec<String>,
}

/// What there is to say about a dataset.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    /// The name on the wire
    pub name: &'static str,
    /// One line
    pub title: &'static str,
    /// What it is
    pub description: &'static str,
    /// Where it comes from
    pub source: &'static str,
    /// On which terms it may be used; nothing for numbers that are drawn here
    pub license: Option<&'static str>,
}

/// Why rows are no dataset.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum DatasetError {
    #[error("each input row needs its target row; there are {inputs} of inputs and {targets} of targets")]
    Rows { inputs: usize, targets: usize },
    #[error("a dataset has at most {limit} rows, and this one has {count}")]
    TooManyRows { count: usize, limit: usize },
    #[error("a row has at most {limit} {what}, and these have {count}")]
    TooManyColumns { what: &'static str, count: usize, limit: usize },
    #[error("a dataset has at most {limit} numbers, and this one has {count}")]
    TooManyNumbers { count: usize, limit: usize },
}

impl Dataset {
    /// Checks sizes. `columns` are as many as the matrices have; `classes` name the values of the targets, or are
    /// empty. Panics where columns and matrices do not agree: a programmer's error.
    pub fn new(
        inputs: Matrix,
        targets: Matrix,
        columns: Columns,
        classes: Vec<String>,
        limits: &Limits,
    ) -> Result<Self, DatasetError> {
        assert_eq!((columns.inputs.len(), columns.targets.len()), (inputs.columns(), targets.columns()), "columns");
        if inputs.rows() != targets.rows() {
            return Err(DatasetError::Rows { inputs: inputs.rows(), targets: targets.rows() });
        }
        if inputs.rows() > limits.dataset_rows {
            return Err(DatasetError::TooManyRows { count: inputs.rows(), limit: limits.dataset_rows });
        }
        for (what, count) in [("inputs", inputs.columns()), ("targets", targets.columns())] {
            if count > limits.units {
                return Err(DatasetError::TooManyColumns { what, count, limit: limits.units });
            }
        }
        let count = inputs.values().len() + targets.values().len();
        if count > limits.dataset_numbers {
            return Err(DatasetError::TooManyNumbers { count, limit: limits.dataset_numbers });
        }
        Ok(Self { inputs, targets, columns, classes })
    }

    /// What was checked before, or is small by its making.
    pub fn trusted(inputs: Matrix, targets: Matrix, columns: Columns, classes: Vec<String>) -> Self {
        Self { inputs, targets, columns, classes }
    }

    /// x, `[examples][inputs]`
    pub fn inputs(&self) -> &Matrix {
        &self.inputs
    }

    /// y, `[examples][targets]`
    pub fn targets(&self) -> &Matrix {
        &self.targets
    }

    /// What the columns are called.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The labels that the targets stand for: of one column those of 0 and 1, of several one each; or none.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.inputs.rows()
    }

    /// Numbers.
    pub fn numbers(&self) -> usize {
        self.inputs.values().len() + self.targets.values().len()
    }

    /// What tells it from every other one.
    ///
    /// SHA-256 over `chainrule.dataset/1⏎`; the number of rows, inputs, targets and classes as little-endian u64; the
    /// names of the inputs, of the targets and of the classes, each with its length as u64 before its UTF-8 bytes; and
    /// the values as little-endian doubles, all inputs row by row, then all targets.
    pub fn hash(&self) -> [u8; 32] {
        let mut sha = Sha256::new();
        sha.update(b"chainrule.dataset/1\n");
        for size in [self.rows(), self.inputs.columns(), self.targets.columns(), self.classes.len()] {
            sha.update((size as u64).to_le_bytes());
        }
        for name in self.columns.inputs.iter().chain(&self.columns.targets).chain(&self.classes) {
            sha.update((name.len() as u64).to_le_bytes());
            sha.update(name);
        }
        for value in self.inputs.values().iter().chain(self.targets.values()) {
            sha.update(value.to_le_bytes());
        }
        sha.finalize().into()
    }
}

impl Columns {
    /// Called `x1`, `x2`, … and `y1`, `y2`, … (one alone is `x` or `y`).
    pub fn numbered(inputs: usize, targets: usize) -> Self {
        let names = |letter: &str, count: usize| match count {
            1 => vec![letter.to_owned()],
            count => (1..=count).map(|number| format!("{letter}{number}")).collect(),
        };
        Self { inputs: names("x", inputs), targets: names("y", targets) }
    }
}
