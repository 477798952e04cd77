//! The transcendental functions, all correctly rounded (CORE-MATH). Nobody else calls a mathematical library.
//!
//! A correctly rounded function has exactly one right answer, whoever computes it: the platform's own
//! `exp` gives other bits on another CPU. `sqrt` is correctly rounded by IEEE 754 itself.

use std::hint::black_box;

/// e^x.
pub fn exp(x: f64) -> f64 {
    core_math::exp(x)
}

/// e^x − 1, exact near zero.
pub fn expm1(x: f64) -> f64 {
    core_math::expm1(x)
}

/// The error function 2/√π ∫₀ˣ e^(−t²) dt.
pub fn erf(x: f64) -> f64 {
    core_math::erf(x)
}

/// x^y.
pub fn pow(x: f64, y: f64) -> f64 {
    core_math::pow(x, y)
}

/// The natural logarithm.
pub fn ln(x: f64) -> f64 {
    core_math::log(x)
}

/// ln(1 + x), exact near zero.
pub fn log1p(x: f64) -> f64 {
    core_math::log1p(x)
}

/// The logarithm to the base 10.
pub fn log10(x: f64) -> f64 {
    core_math::log10(x)
}

/// The hyperbolic tangent.
pub fn tanh(x: f64) -> f64 {
    core_math::tanh(x)
}

/// sin(π·x).
pub fn sinpi(x: f64) -> f64 {
    core_math::sinpi(x)
}

/// cos(π·x).
pub fn cospi(x: f64) -> f64 {
    core_math::cospi(x)
}

/// The square root.
pub fn sqrt(x: f64) -> f64 {
    x.sqrt()
}

/// Whether this thread's floating point is the IEEE 754 arithmetic that every answer rests on: subnormal numbers are
/// kept and rounding is to nearest, ties to even. A library that switched on flush-to-zero would fail it.
pub fn arithmetic_is_ieee() -> bool {
    let smallest = black_box(5e-324_f64);
    let keeps_subnormals = black_box(smallest * 2.0) == 1e-323 && black_box(1e-323 / 2.0) > 0.0;
    let one = black_box(1.0_f64);
    let half_ulp = black_box(f64::EPSILON / 2.0);
    let ties_to_even = one + half_ulp == 1.0 && (one + f64::EPSILON) + half_ulp == 1.0 + 2.0 * f64::EPSILON;
    let to_nearest = -one - half_ulp == -1.0;
    keeps_subnormals && ties_to_even && to_nearest
}
