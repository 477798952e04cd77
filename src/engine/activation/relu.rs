//! The rectifier max(a, 0) (Glorot, Bordes and Bengio 2011). Never −0.

pub fn value(a: f64) -> f64 {
    if a > 0.0 { a } else { 0.0 }
}

/// 1 above zero, else 0; at the kink 0, as in PyTorch.
pub fn derivative(a: f64, _h: f64) -> f64 {
    if a > 0.0 { 1.0 } else { 0.0 }
}
