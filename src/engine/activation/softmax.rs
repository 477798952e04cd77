//! Softmax: h_j = e^a_j / Σ_k e^a_k, the units of a row share 1.
//!
//! The row's largest pre-activation m is taken off first, so that no exponential overflows:
//! h_j = e^(a_j − m) / Σ_k e^(a_k − m). Every unit hangs on every pre-activation of its row, so there is no single
//! slope a unit: ∂h_k/∂a_j = h_k·([k = j] − h_j), and from errors e the deltas are
//! δ_j = h_j·(e_j − s) with s = Σ_k e_k·h_k.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::Blamed;
use crate::engine::matrix::Matrix;
use crate::engine::tap::Tap;
use crate::engine::trace::Walker;
use crate::engine::{math, schema};

/// What softmax computes on its way to its outputs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SoftmaxForward {
    /// Each row's largest pre-activation m, `[examples]`
    #[schema(value_type = schema::PerExample)]
    pub maxima: Vec<f64>,
    /// e^(a − m), `[examples][units]`
    #[schema(value_type = schema::Matrix)]
    pub exponentials: Matrix,
    /// Each row's Σ e^(a − m), `[examples]`
    #[schema(value_type = schema::PerExample)]
    pub sums: Vec<f64>,
    /// h = exponentials/sums: what the units put out, `[examples][units]`
    #[schema(value_type = schema::Matrix)]
    pub outputs: Arc<Matrix>,
}

impl SoftmaxForward {
    pub(super) fn walk(&self, walker: &mut Walker) {
        walker.vector("maxima", &self.maxima);
        walker.matrix("exponentials", &self.exponentials);
        walker.vector("sums", &self.sums);
        walker.matrix("outputs", &self.outputs);
    }

    pub(super) fn backward(&self, errors: &Matrix, tap: &mut Tap) -> Blamed {
        let mut shared = errors.zip(&self.outputs, |e, h| e * h).row_sums();
        tap.vector("weighted_errors", &mut shared);
        let delta = |row, unit| self.outputs.at(row, unit) * (errors.at(row, unit) - shared[row]);
        Blamed { deltas: Matrix::from_fn(errors.rows(), errors.columns(), delta), weighted_errors: Some(shared) }
    }
}

pub(super) fn forward(a: &Matrix, tap: &mut Tap) -> SoftmaxForward {
    let largest = |row: &[f64]| row.iter().copied().reduce(|m, a| if a > m { a } else { m }).unwrap_or(0.0);
    let mut maxima: Vec<f64> = a.iter_rows().map(largest).collect();
    tap.vector("maxima", &mut maxima);
    let mut exponentials = a.map_at(|(row, _), a| math::exp(a - maxima[row]));
    tap.matrix("exponentials", &mut exponentials);
    let mut sums = exponentials.row_sums();
    tap.vector("sums", &mut sums);
    let mut outputs = exponentials.map_at(|(row, _), e| e / sums[row]);
    tap.matrix("outputs", &mut outputs);
    SoftmaxForward { maxima, exponentials, sums, outputs: Arc::new(outputs) }
}
