//! E = −Σ_k y_k ln ŷ_k, where ŷ comes out of softmax and y is one-hot or a row of probabilities: PyTorch's
//! `CrossEntropyLoss`, with softmax as a visible part of the network. 0·ln ŷ is 0, even for ŷ = 0.

use crate::engine::math;

pub fn term(y: f64, output: f64) -> f64 {
    if y == 0.0 { 0.0 } else { y * math::ln(output) }
}

pub fn example(sum: f64, _outputs: usize) -> f64 {
    // Not −sum: a perfect prediction has the loss 0, not −0.
    0.0 - sum
}

/// −∂E/∂ŷ = y/ŷ; through softmax this becomes δ = y − ŷ.
pub fn error(y: f64, output: f64, _outputs: usize) -> f64 {
    if y == 0.0 { 0.0 } else { y / output }
}
