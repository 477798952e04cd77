//! Stochastic gradient descent: Δw = −η·∂E/∂w. With η = 0.5 and a gradient of −0.0471 the change is 0.0236.

/// Not −(η·g): where the gradient is 0 the change is 0, not −0.
pub fn change(learning_rate: f64, gradient: f64) -> f64 {
    0.0 - learning_rate * gradient
}
