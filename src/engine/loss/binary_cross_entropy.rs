//! E = −Σ_k (y_k ln ŷ_k + (1 − y_k) ln(1 − ŷ_k)) / K for outputs between 0 and 1: PyTorch's `BCELoss`, with its two
//! constants: a logarithm is at least −100, and the slope's denominator ŷ(1 − ŷ) at least 1e-12.

use crate::engine::math;

const LOGARITHM_MIN: f64 = -100.0;
const DENOMINATOR_MIN: f64 = 1e-12;

pub use super::mean_squared_error::example;

pub fn term(y: f64, output: f64) -> f64 {
    let at_least = |logarithm: f64| if logarithm < LOGARITHM_MIN { LOGARITHM_MIN } else { logarithm };
    (y - 1.0) * at_least(math::log1p(-output)) - y * at_least(math::ln(output))
}

/// −∂E/∂ŷ = (y − ŷ) / (ŷ(1 − ŷ)) / K
#[allow(clippy::cast_precision_loss, reason = "units are limited far below 2^53")]
pub fn error(y: f64, output: f64, outputs: usize) -> f64 {
    let product = (1.0 - output) * output;
    let denominator = if product < DENOMINATOR_MIN { DENOMINATOR_MIN } else { product };
    (y - output) / denominator / outputs as f64
}
