//! A batch that fits a model: only the model that checked it makes one.

use std::sync::Arc;

use thiserror::Error;

use super::matrix::Matrix;
use super::name::LayerName;

/// Why numbers are no batch for a model.
#[derive(Clone, Debug, Error, PartialEq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum BatchError {
    #[error("a batch has at most {limit} examples, and this one has {count}")]
    TooManyExamples { count: usize, limit: usize },
    #[error("layer {layer} takes {expected} inputs, and the rows have {got}")]
    Inputs { layer: LayerName, expected: usize, got: usize },
    #[error("layer {layer} puts out {expected} values, and the target rows have {got}")]
    Targets { layer: LayerName, expected: usize, got: usize },
    #[error("each input row needs its target row; there are {inputs} of inputs and {targets} of targets")]
    Rows { inputs: usize, targets: usize },
    #[error(
        "layer {layer} takes mean and variance over the batch, and one example has none; send two or more, or mode eval"
    )]
    BatchNormOfOne { layer: LayerName },
    #[error("{loss} compares with probabilities: a target lies between 0 and 1, and target {} of example {} is {value}", .index[1], .index[0])]
    TargetNotAProbability { loss: &'static str, index: [usize; 2], value: f64 },
}

/// Inputs `[examples][inputs]` that fit the model that checked them.
#[derive(Clone, Debug)]
pub struct Inputs(Arc<Matrix>);

/// Targets `[examples][outputs]` that fit the model that checked them.
#[derive(Clone, Debug)]
pub struct Targets(Arc<Matrix>);

impl Inputs {
    /// Rows out of such as were checked together.
    pub(super) fn of_checked_rows(rows: Matrix) -> Self {
        Self(Arc::new(rows))
    }

    /// `[examples][inputs]`
    pub fn matrix(&self) -> &Arc<Matrix> {
        &self.0
    }
}

impl Targets {
    /// Rows out of such as were checked together.
    pub(super) fn of_checked_rows(rows: Matrix) -> Self {
        Self(Arc::new(rows))
    }

    /// `[examples][outputs]`
    pub fn matrix(&self) -> &Arc<Matrix> {
        &self.0
    }
}
