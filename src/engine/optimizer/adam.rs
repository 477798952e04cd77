//! Adam (Kingma and Ba 2015): fading means of the gradients and of their squares, m ← β₁·m + (1 − β₁)·g and
//! v ← β₂·v + (1 − β₂)·g², each corrected for its start at zero, m̂ = m/(1 − β₁ᵗ) and v̂ = v/(1 − β₂ᵗ);
//! Δw = −η·m̂/(√v̂ + ε).
//!
//! AdamW (Loshchilov and Hutter 2019) is the same, but weight decay λ pulls at the weights themselves instead of
//! passing through the means: Δw = −η·(m̂/(√v̂ + ε) + λ·w).

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::Turned;
use crate::engine::math::{pow, sqrt};
use crate::engine::tap::Tap;
use crate::engine::tensor::{Named, SlotName, Slots, Tensor};

/// Adam's settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// β₁, from 0 up to but not 1
    pub beta1: f64,
    /// β₂, from 0 up to but not 1
    pub beta2: f64,
    /// ε
    pub epsilon: f64,
}

/// The two means, corrected for their start at zero.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Corrected {
    /// m̂ = m/(1 − β₁^t), in the parameter's shape
    pub first_moment: Tensor,
    /// v̂ = v/(1 − β₂^t), in the parameter's shape
    pub second_moment: Tensor,
}

pub(super) const SLOTS: &[SlotName] = &[SlotName::FirstMoment, SlotName::SecondMoment];

/// β·m + (1 − β)·g
pub fn faded(beta: f64, mean: f64, g: f64) -> f64 {
    beta * mean + (1.0 - beta) * g
}

/// 1 − β^t, what a mean that began at zero is divided by
#[allow(clippy::cast_precision_loss, reason = "nobody makes 2^53 steps")]
pub fn start(beta: f64, timestep: u64) -> f64 {
    1.0 - pow(beta, timestep as f64)
}

/// m̂/(√v̂ + ε)
pub fn direction(epsilon: f64, first: f64, second: f64) -> f64 {
    first / (sqrt(second) + epsilon)
}

pub(super) fn turn(moments: Moments, timestep: u64, g: &Tensor, slots: &Slots, tap: &mut Tap) -> Turned {
    let Moments { beta1, beta2, epsilon } = moments;
    let mut first = slots[SlotName::FirstMoment].zip(g, |m, g| faded(beta1, m, g));
    tap.slot(SlotName::FirstMoment, &mut first);
    let mut second = slots[SlotName::SecondMoment].zip(g, |v, g| faded(beta2, v, g * g));
    tap.slot(SlotName::SecondMoment, &mut second);
    let (start1, start2) = (start(beta1, timestep), start(beta2, timestep));
    let mut corrected =
        Corrected { first_moment: first.map(|m| m / start1), second_moment: second.map(|v| v / start2) };
    tap.within("corrected", |tap| {
        tap.tensor("first_moment", &mut corrected.first_moment);
        tap.tensor("second_moment", &mut corrected.second_moment);
    });
    let along = corrected.first_moment.zip(&corrected.second_moment, |m, v| direction(epsilon, m, v));
    let after = [(SlotName::FirstMoment, Arc::new(first)), (SlotName::SecondMoment, Arc::new(second))];
    Turned { after: Named::new(after), corrected: Some(corrected), direction: along }
}
