//! The logistic function σ(a) = 1/(1 + e^−a), between 0 and 1. σ(0.26) ≈ 0.5646.

use crate::engine::math;

/// Computed with the exponential that cannot overflow: e^−a for a ≥ 0, e^a below.
pub fn value(a: f64) -> f64 {
    if a >= 0.0 {
        1.0 / (1.0 + math::exp(-a))
    } else {
        let e = math::exp(a);
        e / (1.0 + e)
    }
}

/// σ′ = σ·(1 − σ), at most ¼: the reason why blame fades on its way through many sigmoid layers.
pub fn derivative(_a: f64, h: f64) -> f64 {
    h * (1.0 - h)
}
