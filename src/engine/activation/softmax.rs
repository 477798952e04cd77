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
use crate::engine::matrix::{Matrix, sum};
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
    pub(super) fn walk<'t>(&'t self, walker: &mut Walker<'_, 't>) {
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

fn largest(row: &[f64]) -> f64 {
    row.iter().copied().reduce(|m, a| if a > m { a } else { m }).unwrap_or(0.0)
}

/// The outputs alone, into a buffer.
pub(super) fn outputs_into(a: &[f64], units: usize, outputs: &mut [f64]) {
    for (a, outputs) in a.chunks_exact(units).zip(outputs.chunks_exact_mut(units)) {
        let m = largest(a);
        outputs.iter_mut().zip(a).for_each(|(h, a)| *h = math::exp(a - m));
        let shared = sum(outputs.iter().copied());
        for h in outputs {
            *h /= shared;
        }
    }
}

/// δ_j = h_j·(e_j − Σ_k e_k·h_k), into a buffer.
pub(super) fn deltas_into(errors: &[f64], h: &[f64], units: usize, deltas: &mut [f64]) {
    let rows = errors.chunks_exact(units).zip(h.chunks_exact(units));
    for ((errors, h), deltas) in rows.zip(deltas.chunks_exact_mut(units)) {
        let shared = sum(errors.iter().zip(h).map(|(e, h)| e * h));
        deltas.iter_mut().zip(errors.iter().zip(h)).for_each(|(delta, (e, h))| *delta = h * (e - shared));
    }
}

pub(super) fn forward(a: &Matrix, tap: &mut Tap) -> SoftmaxForward {
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
