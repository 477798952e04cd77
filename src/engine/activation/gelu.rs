//! The Gaussian error linear unit a·Φ(a) (Hendrycks and Gimpel 2016), exact as PyTorch's default: Φ is the normal
//! distribution, ½·(1 + erf(a/√2)).

use std::f64::consts::FRAC_1_SQRT_2;

use crate::engine::math;

/// 1/√(2π)
const NORMAL_AT_ZERO: f64 = 0.398_942_280_401_432_7;

pub fn value(a: f64) -> f64 {
    a * distribution(a)
}

/// Φ(a) + a·φ(a) with the density φ(a) = e^(−a²/2)/√(2π).
pub fn derivative(a: f64, _h: f64) -> f64 {
    distribution(a) + a * (NORMAL_AT_ZERO * math::exp(-0.5 * (a * a)))
}

fn distribution(a: f64) -> f64 {
    0.5 * (1.0 + math::erf(a * FRAC_1_SQRT_2))
}
