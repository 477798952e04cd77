//! h = a: the unit passes on its weighted sum.

pub fn value(a: f64) -> f64 {
    a
}

/// 1 everywhere.
pub fn derivative(_a: f64, _h: f64) -> f64 {
    1.0
}
