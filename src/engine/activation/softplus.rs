//! The smooth rectifier ln(1 + e^a), with PyTorch's threshold: above 20 it is a itself.

use super::sigmoid;
use crate::engine::math;

pub const THRESHOLD: f64 = 20.0;

pub fn value(a: f64) -> f64 {
    if a > THRESHOLD { a } else { math::log1p(math::exp(a)) }
}

/// σ(a), and 1 above the threshold.
pub fn derivative(a: f64, _h: f64) -> f64 {
    if a > THRESHOLD { 1.0 } else { sigmoid::value(a) }
}
