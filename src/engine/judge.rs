//! How good a model is on rows that it is shown: mean loss and, where that has a meaning, the share that it gets right.

use super::dataset::split::Part;
use super::matrix::{Matrix, sum};
use super::mode::Mode;
use super::model::{Inputs, Model, Targets};
use super::pass::{Pass, PassError};
use super::state::State;

/// What it means that an output is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Of one output: it is at least ½ where the target is 1, and below where it is 0
    Threshold,
    /// Of several: the largest (the first of equals) stands where the target's 1 does
    Largest,
}

/// How good a model is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// The mean over the rows, summed in their order
    pub loss: f64,
    /// The share of rows that it gets right
    pub accuracy: Option<f64>,
}

impl Measure {
    /// What these targets can be measured by: 0 and 1 in one column, or rows with one 1 and zeros besides.
    pub fn of(targets: &Matrix) -> Option<Self> {
        let binary = |value: &f64| *value == 0.0 || *value == 1.0;
        if !targets.values().iter().all(binary) {
            return None;
        }
        if targets.columns() == 1 {
            return Some(Self::Threshold);
        }
        let hot = |row: &[f64]| row.iter().filter(|value| **value == 1.0).count() == 1;
        targets.iter_rows().all(hot).then_some(Self::Largest)
    }

    /// The share of rows that are right.
    #[allow(clippy::cast_precision_loss, reason = "rows are limited far below 2^53")]
    pub fn accuracy(self, targets: &Matrix, outputs: &Matrix) -> f64 {
        let right = targets.iter_rows().zip(outputs.iter_rows()).filter(|(y, output)| match self {
            Self::Threshold => (output[0] >= 0.5) == (y[0] == 1.0),
            Self::Largest => largest(output) == largest(y),
        });
        right.count() as f64 / targets.rows() as f64
    }
}

fn largest(values: &[f64]) -> usize {
    let mut at = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[at] {
            at = index;
        }
    }
    at
}

/// Judges a model in one of its states, as it is used: batch normalization takes its running statistics, and nothing
/// is dropped.
#[allow(clippy::cast_precision_loss, reason = "rows are limited far below 2^53")]
pub fn judge(model: &Model, state: &State, part: &Part, measure: Option<Measure>) -> Result<Judged, PassError> {
    /// Rows that go through at a time, so that memory does not grow with the dataset.
    const PIECE: usize = 256;
    let mut losses = Vec::with_capacity(part.rows());
    let mut right = 0.0;
    let places: Vec<usize> = (0..part.rows()).collect();
    for places in places.chunks(PIECE) {
        let piece = part.chosen(places);
        let inputs = Inputs::of_checked_rows(piece.inputs);
        let targets = Targets::of_checked_rows(piece.targets);
        let pass = Pass { model, state, inputs: &inputs, mode: Mode::Eval, learning_rate: None };
        let trace = pass.forward(Some(&targets))?;
        losses.extend(trace.loss.into_iter().flat_map(|loss| loss.per_example));
        if let Some(measure) = measure {
            right += measure.accuracy(targets.matrix(), &trace.forward.outputs) * places.len() as f64;
        }
    }
    let n = part.rows() as f64;
    // A sum of whole numbers that were divided and multiplied by one of at most 256 again.
    Ok(Judged { loss: sum(losses) / n, accuracy: measure.map(|_| right.round() / n) })
}
