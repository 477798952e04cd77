//! Stochastic gradient descent: Δw = −η·∂E/∂w. With η = 0.5 and a gradient of −0.0471 the change is 0.0236.
//!
//! With momentum μ the gradients gather in a velocity, v ← μ·v + g, and the step goes along v; Nesterov's variant
//! looks one step ahead along g + μ·v (Sutskever and others 2013, in PyTorch's form). The first velocity is g itself.

use std::sync::Arc;

use super::Turned;
use crate::engine::tap::Tap;
use crate::engine::tensor::{Named, SlotName, Slots, Tensor};

/// Momentum with its setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Momentum {
    /// μ, above zero
    pub factor: f64,
    /// Whether the step looks ahead
    pub nesterov: bool,
}

pub(super) const SLOTS: &[SlotName] = &[SlotName::Velocity];

/// μ·v + g
pub fn gathered(factor: f64, velocity: f64, g: f64) -> f64 {
    factor * velocity + g
}

/// g + μ·v, by the new velocity
pub fn ahead(factor: f64, velocity: f64, g: f64) -> f64 {
    g + factor * velocity
}

pub(super) fn turn(momentum: Option<Momentum>, g: &Tensor, slots: &Slots, tap: &mut Tap) -> Turned {
    let Some(Momentum { factor, nesterov }) = momentum else {
        return Turned { after: Slots::new([]), corrected: None, direction: g.clone() };
    };
    let mut velocity = slots[SlotName::Velocity].zip(g, |v, g| gathered(factor, v, g));
    tap.slot(SlotName::Velocity, &mut velocity);
    let direction = if nesterov { g.zip(&velocity, |g, v| ahead(factor, v, g)) } else { velocity.clone() };
    Turned { after: Named::new([(SlotName::Velocity, Arc::new(velocity))]), corrected: None, direction }
}
