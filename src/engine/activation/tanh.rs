//! The hyperbolic tangent, between −1 and 1.

use crate::engine::math;

pub fn value(a: f64) -> f64 {
    math::tanh(a)
}

/// tanh′ = 1 − tanh².
pub fn derivative(_a: f64, h: f64) -> f64 {
    1.0 - h * h
}
