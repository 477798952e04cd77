//! E = ½ Σ_k (y_k − ŷ_k)²: the tutorial's loss. The half cancels the 2 of the derivative, so that the error is
//! simply what is missing, y − ŷ.

pub fn term(y: f64, output: f64) -> f64 {
    let missing = y - output;
    missing * missing
}

pub fn example(sum: f64, _outputs: usize) -> f64 {
    0.5 * sum
}

/// −∂E/∂ŷ = y − ŷ
pub fn error(y: f64, output: f64, _outputs: usize) -> f64 {
    y - output
}
