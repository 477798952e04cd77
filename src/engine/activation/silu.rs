//! The sigmoid-weighted linear unit a·σ(a), also called swish (Elfwing, Uchibe and Doya 2018).

use super::sigmoid;

pub fn value(a: f64) -> f64 {
    a * sigmoid::value(a)
}

/// σ(a)·(1 + a·(1 − σ(a))).
pub fn derivative(a: f64, _h: f64) -> f64 {
    let s = sigmoid::value(a);
    s * (1.0 + a * (1.0 - s))
}
