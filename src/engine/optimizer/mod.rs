//! Optimizers: from gradients to changes of the parameters.
//!
//! Each algorithm has a file: what it remembers of a parameter, and the direction that it turns a gradient into.
//! The rest is common to all: clipping before it, weight decay, and change = 0 − η·direction, after = before + change.

pub(super) mod adagrad;
pub(super) mod adam;
mod rmsprop;
mod settings;
pub(super) mod sgd;

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

pub use adam::{Corrected, Moments};
pub use settings::{Algorithm, LearningRate, Optimizer, OptimizerKind};
pub use sgd::Momentum;

use super::non_finite::Operand;
use super::schema;
use super::tap::Tap;
use super::tensor::{Named, SlotName, SlotTensors, Slots, Tensor, WireName};
use super::trace::Walker;

/// What a step does to each of a layer's parameters.
pub type ParameterUpdates = Named<TensorUpdate>;

/// All gradients made smaller together, so that their common norm does not pass a limit.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Clip {
    /// The norm of all gradients together
    #[schema(value_type = schema::Number)]
    pub norm: f64,
    /// What every gradient is multiplied with, at most 1: clip_norm/(norm + 1e-6), as in PyTorch
    #[schema(value_type = schema::Number)]
    pub scale: f64,
}

/// What a step does to one parameter tensor.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TensorUpdate {
    /// The gradient made smaller, in the parameter's shape; only with clip_norm
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub clipped: Option<Tensor>,
    /// The gradient with the weight decay's pull λw, in the parameter's shape; only with weight_decay, not with adamw
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub decayed: Option<Tensor>,
    /// What the optimizer remembers of this parameter, before and after the step
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub state: Option<SlotsChange>,
    /// Adam's means, corrected for their start
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub corrected: Option<Corrected>,
    /// What is added to the parameter: `[in][out]` or `[out]`
    pub change: Tensor,
    /// The parameter after the step: before + change
    #[schema(value_type = Tensor)]
    pub after: Arc<Tensor>,
}

/// An optimizer's memory of one parameter around a step.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SlotsChange {
    /// The memory as the step found it, in the parameter's shape
    #[schema(value_type = SlotTensors)]
    pub before: Slots,
    /// The memory as the step left it, in the parameter's shape
    #[schema(value_type = SlotTensors)]
    pub after: Slots,
}

/// What an algorithm makes of a gradient.
struct Turned {
    after: Slots,
    corrected: Option<Corrected>,
    direction: Tensor,
}

/// What the update of one parameter starts from.
pub struct Before<'a> {
    /// The parameter
    pub parameter: &'a Tensor,
    /// What the optimizer remembers of it
    pub slots: &'a Slots,
    /// ∂E/∂w
    pub gradient: &'a Tensor,
}

/// What all parameters of one step share.
#[derive(Clone, Copy)]
pub struct Common {
    /// The number of this update, from 1
    pub timestep: u64,
    /// Where gradients are clipped
    pub clip: Option<Clip>,
}

impl Optimizer {
    /// How much all gradients are made smaller, where they are.
    pub fn clip(&self, norm: impl FnOnce() -> f64, tap: &mut Tap) -> Option<Clip> {
        /// As in `torch.nn.utils.clip_grad_norm_`.
        const EPSILON: f64 = 1e-6;
        self.clip_norm.map(|limit| {
            let mut norm = norm();
            tap.scalar("norm", &mut norm);
            let scale = limit / (norm + EPSILON);
            let mut scale = if scale < 1.0 { scale } else { 1.0 };
            tap.scalar("scale", &mut scale);
            Clip { norm, scale }
        })
    }

    /// What it remembers of a parameter before the first step: zeros.
    pub fn start(&self, parameter: &Tensor) -> Slots {
        Slots::new(self.slots().iter().map(|&slot| (slot, Arc::new(parameter.map(|_| 0.0)))))
    }

    /// One parameter's update.
    pub fn update(&self, before: &Before, common: Common, tap: &mut Tap) -> TensorUpdate {
        let &Before { parameter, slots, gradient } = before;
        let mut clipped = common.clip.map(|clip| gradient.map(|g| g * clip.scale));
        if let Some(clipped) = &mut clipped {
            tap.tensor("clipped", clipped);
        }
        let g = clipped.as_ref().unwrap_or(gradient);
        let decay = self.weight_decay;
        let through_the_gradient = decay != 0.0 && self.kind() != OptimizerKind::Adamw;
        let mut decayed = through_the_gradient.then(|| g.zip(parameter, |g, w| g + decay * w));
        if let Some(decayed) = &mut decayed {
            tap.tensor("decayed", decayed);
        }
        let Turned { after, corrected, direction } =
            self.turn(decayed.as_ref().unwrap_or(g), slots, common.timestep, tap);
        let rate = self.learning_rate.value();
        // Not −(η·d): where the direction is 0 the change is 0, not −0.
        let mut change = if decay != 0.0 && !through_the_gradient {
            direction.zip(parameter, |d, w| 0.0 - rate * (d + decay * w))
        } else {
            direction.map(|d| 0.0 - rate * d)
        };
        tap.tensor("change", &mut change);
        let mut result = parameter.zip(&change, |before, change| before + change);
        tap.tensor("after", &mut result);
        let state = (!after.is_empty()).then(|| SlotsChange { before: slots.clone(), after });
        TensorUpdate { clipped, decayed, state, corrected, change, after: Arc::new(result) }
    }

    fn turn(&self, g: &Tensor, slots: &Slots, timestep: u64, tap: &mut Tap) -> Turned {
        match self.algorithm {
            Algorithm::Sgd { momentum } => sgd::turn(momentum, g, slots, tap),
            Algorithm::Rmsprop { alpha, epsilon } => rmsprop::turn(alpha, epsilon, g, slots, tap),
            Algorithm::Adam(moments) | Algorithm::Adamw(moments) => adam::turn(moments, timestep, g, slots, tap),
            Algorithm::Adagrad { epsilon } => adagrad::turn(epsilon, g, slots, tap),
        }
    }
}

impl Tap<'_> {
    /// A memory of the optimizer as the step leaves it.
    fn slot(&mut self, name: SlotName, tensor: &mut Tensor) {
        self.within("state", |tap| tap.within("after", |tap| tap.tensor(name.as_str(), tensor)));
    }
}

impl TensorUpdate {
    pub(super) fn walk<'t>(&'t self, walker: &mut Walker<'_, 't>) {
        for (name, tensor) in [("clipped", &self.clipped), ("decayed", &self.decayed)] {
            if let Some(tensor) = tensor {
                walker.tensor(name, tensor);
            }
        }
        if let Some(state) = &self.state {
            walker.within("state", |walker| {
                walker.named("before", &state.before, |tensor, walker| walker.tensor_here(tensor));
                walker.named("after", &state.after, |tensor, walker| walker.tensor_here(tensor));
            });
        }
        if let Some(corrected) = &self.corrected {
            walker.within("corrected", |walker| {
                walker.tensor("first_moment", &corrected.first_moment);
                walker.tensor("second_moment", &corrected.second_moment);
            });
        }
        walker.tensor("change", &self.change);
        walker.tensor("after", &self.after);
    }

    /// What a number of one of its quantities was computed from.
    pub(super) fn operands(
        &self,
        optimizer: &Optimizer,
        before: &Before,
        clip: Option<Clip>,
        quantity: &[&str],
        index: &[usize],
    ) -> Vec<Operand> {
        let of = |name: &'static str, tensor: &Tensor| {
            tensor.at(index).map(|value| Operand::new(name, index.to_vec(), value)).into_iter().collect::<Vec<_>>()
        };
        let gradient = match (&self.decayed, &self.clipped) {
            (Some(decayed), _) if quantity != ["decayed"] => of("decayed", decayed),
            (_, Some(clipped)) => of("clipped", clipped),
            _ => of("gradients", before.gradient),
        };
        let state = self.state.as_ref();
        match quantity {
            ["clipped"] => {
                let scale = clip.map(|clip| Operand::new("scale", vec![], clip.scale));
                [of("gradients", before.gradient), scale.into_iter().collect()].concat()
            }
            ["decayed"] => {
                let decay = vec![Operand::new("weight_decay", vec![], optimizer.weight_decay)];
                [gradient, decay, of("parameter", before.parameter)].concat()
            }
            ["state", "after", slot] => {
                let named = before.slots.iter().find(|(name, _)| name.as_str() == *slot);
                [named.map(|(name, tensor)| of(name.as_str(), tensor)).unwrap_or_default(), gradient].concat()
            }
            ["corrected", slot] => {
                let named = state.and_then(|state| state.after.iter().find(|(name, _)| name.as_str() == *slot));
                named.map(|(name, tensor)| of(name.as_str(), tensor)).unwrap_or_default()
            }
            ["change"] => {
                let rate = vec![Operand::new("learning_rate", vec![], optimizer.learning_rate.value())];
                let slots = state.map(|state| {
                    state.after.iter().flat_map(|(name, tensor)| of(name.as_str(), tensor)).collect::<Vec<_>>()
                });
                [rate, gradient, slots.unwrap_or_default()].concat()
            }
            ["after"] => [of("parameter", before.parameter), of("change", &self.change)].concat(),
            _ => vec![],
        }
    }
}
