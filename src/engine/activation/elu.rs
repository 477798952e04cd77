//! The exponential linear unit (Clevert, Unterthiner and Hochreiter 2016) with PyTorch's α = 1: a above zero, else
//! e^a − 1.

use crate::engine::math;

pub fn value(a: f64) -> f64 {
    if a > 0.0 { a } else { math::expm1(a) }
}

/// 1 above zero, else e^a.
pub fn derivative(a: f64, _h: f64) -> f64 {
    if a > 0.0 { 1.0 } else { math::exp(a) }
}
