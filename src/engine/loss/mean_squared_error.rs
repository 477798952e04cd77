//! E = Σ_k (y_k − ŷ_k)² / K over the K outputs: PyTorch's `MSELoss`.

pub use super::half_squared_error::term;

#[allow(clippy::cast_precision_loss, reason = "units are limited far below 2^53")]
pub fn example(sum: f64, outputs: usize) -> f64 {
    sum / outputs as f64
}

/// −∂E/∂ŷ = 2(y − ŷ)/K
#[allow(clippy::cast_precision_loss, reason = "units are limited far below 2^53")]
pub fn error(y: f64, output: f64, outputs: usize) -> f64 {
    2.0 * (y - output) / outputs as f64
}
