//! A rectifier that lets a hundredth through below zero (Maas, Hannun and Ng 2013; PyTorch's slope).

const NEGATIVE_SLOPE: f64 = 0.01;

pub fn value(a: f64) -> f64 {
    if a > 0.0 { a } else { NEGATIVE_SLOPE * a }
}

pub fn derivative(a: f64, _h: f64) -> f64 {
    if a > 0.0 { 1.0 } else { NEGATIVE_SLOPE }
}
