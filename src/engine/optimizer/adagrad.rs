//! Adagrad (Duchi, Hazan and Singer 2011): each parameter's gradient is divided by the root of the sum of all its
//! squares so far, s ← s + g², Δw = −η·g/(√s + ε).

use std::sync::Arc;

use super::Turned;
use crate::engine::math::sqrt;
use crate::engine::tap::Tap;
use crate::engine::tensor::{Named, SlotName, Slots, Tensor};

pub(super) const SLOTS: &[SlotName] = &[SlotName::SquareSum];

/// s + g²
pub fn gathered(sum: f64, g: f64) -> f64 {
    sum + g * g
}

/// g/(√s + ε)
pub fn over(epsilon: f64, g: f64, squares: f64) -> f64 {
    g / (sqrt(squares) + epsilon)
}

pub(super) fn turn(epsilon: f64, g: &Tensor, slots: &Slots, tap: &mut Tap) -> Turned {
    let mut total = slots[SlotName::SquareSum].zip(g, gathered);
    tap.slot(SlotName::SquareSum, &mut total);
    let direction = g.zip(&total, |g, s| over(epsilon, g, s));
    Turned { after: Named::new([(SlotName::SquareSum, Arc::new(total))]), corrected: None, direction }
}
