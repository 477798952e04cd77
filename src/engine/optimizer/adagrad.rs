//! Adagrad (Duchi, Hazan and Singer 2011): each parameter's gradient is divided by the root of the sum of all its
//! squares so far, s ← s + g², Δw = −η·g/(√s + ε).

use std::sync::Arc;

use super::Turned;
use crate::engine::math::sqrt;
use crate::engine::tap::Tap;
use crate::engine::tensor::{Named, SlotName, Slots, Tensor};

pub(super) const SLOTS: &[SlotName] = &[SlotName::SquareSum];

pub(super) fn turn(epsilon: f64, g: &Tensor, slots: &Slots, tap: &mut Tap) -> Turned {
    let mut total = slots[SlotName::SquareSum].zip(g, |s, g| s + g * g);
    tap.slot(SlotName::SquareSum, &mut total);
    let direction = g.zip(&total, |g, s| g / (sqrt(s) + epsilon));
    Turned { after: Named::new([(SlotName::SquareSum, Arc::new(total))]), corrected: None, direction }
}
