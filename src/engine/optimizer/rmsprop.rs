//! RMSprop (Hinton 2012): each parameter's gradient is divided by the root of a fading mean of its squares,
//! s ← α·s + (1 − α)·g², Δw = −η·g/(√s + ε).

use std::sync::Arc;

use super::Turned;
use super::adagrad::over;
use super::adam::faded;
use crate::engine::tap::Tap;
use crate::engine::tensor::{Named, SlotName, Slots, Tensor};

pub(super) const SLOTS: &[SlotName] = &[SlotName::SquareAverage];

pub(super) fn turn(alpha: f64, epsilon: f64, g: &Tensor, slots: &Slots, tap: &mut Tap) -> Turned {
    let mut average = slots[SlotName::SquareAverage].zip(g, |s, g| faded(alpha, s, g * g));
    tap.slot(SlotName::SquareAverage, &mut average);
    let direction = g.zip(&average, |g, s| over(epsilon, g, s));
    Turned { after: Named::new([(SlotName::SquareAverage, Arc::new(average))]), corrected: None, direction }
}
