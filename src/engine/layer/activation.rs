//! The activation layer: a function of what comes from below, h = f(a), without parameters. It stands alone where a
//! dense layer's own activation would come too early, behind a normalization or a residual block.
//!
//! Its pre-activations a are the outputs of the layer below. Backward: δ = error·f′(a), which is also what goes down.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::{LayerCost, LayerKind, LayerSize};
use crate::engine::activation::{Activated, Activation};
use crate::engine::matrix::Matrix;
use crate::engine::name::LayerName;
use crate::engine::non_finite::Operand;
use crate::engine::random::Stream;
use crate::engine::schema;
use crate::engine::state::LayerState;
use crate::engine::tap::Tap;
use crate::engine::trace::Walker;

/// An activation layer upon so many units.
#[derive(Clone, Debug)]
pub struct ActivationLayer {
    units: usize,
    activation: Activation,
}

/// What an activation layer did on the way up.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ActivationForward {
    /// The layer's name
    #[schema(value_type = schema::Name)]
    pub name: LayerName,
    /// Always `activation`
    #[schema(value_type = schema::ActivationKind)]
    pub kind: LayerKind,
    /// f: what is made of each number
    pub activation: Activation,
    /// h and how it hangs on a
    #[serde(flatten)]
    pub activated: Activated,
}

/// What an activation layer did on the way down.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ActivationBackward {
    /// The layer's name
    #[schema(value_type = schema::Name)]
    pub name: LayerName,
    /// Always `activation`
    #[schema(value_type = schema::ActivationKind)]
    pub kind: LayerKind,
    /// −∂E/∂h: each example's error at the outputs of the units, `[examples][units]`
    #[schema(value_type = schema::Matrix)]
    pub errors: Arc<Matrix>,
    /// Softmax alone: Σ_k error_k·h_k, `[examples]`
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::PerExample, required = false)]
    pub weighted_errors: Option<Vec<f64>>,
    /// −∂E/∂a, `[examples][units]`; the errors of the layer below
    #[schema(value_type = schema::Matrix)]
    pub deltas: Arc<Matrix>,
}

impl ActivationLayer {
    /// This activation upon `units` units.
    pub fn new(units: usize, activation: Activation) -> Self {
        Self { units, activation }
    }

    /// f: what is made of each number
    pub fn activation(&self) -> Activation {
        self.activation
    }

    pub(super) fn size(&self) -> LayerSize {
        LayerSize { inputs: self.units, outputs: self.units, parameters: 0 }
    }

    pub(super) fn cost(&self) -> LayerCost {
        // Outputs and derivatives, or exponentials with two numbers a row; errors, deltas and a number a row.
        LayerCost { up: 2 * self.units + 2, down: 2 * self.units + 1, ..LayerCost::default() }
    }

    #[allow(clippy::unused_self, reason = "as every layer")]
    pub(super) fn start(&self, _stream: &mut Stream) -> LayerState {
        LayerState::default()
    }

    pub(super) fn forward(&self, name: &LayerName, below: &Matrix, tap: &mut Tap) -> ActivationForward {
        let activated = self.activation.forward(below, tap);
        ActivationForward { name: name.clone(), kind: LayerKind::Activation, activation: self.activation, activated }
    }
}

impl ActivationForward {
    pub(super) fn backward(&self, errors: Arc<Matrix>, tap: &mut Tap) -> ActivationBackward {
        let blamed = self.activated.backward(&errors, tap);
        ActivationBackward {
            name: self.name.clone(),
            kind: self.kind,
            errors,
            weighted_errors: blamed.weighted_errors,
            deltas: Arc::new(blamed.deltas),
        }
    }

    pub(super) fn walk<'t>(&'t self, walker: &mut Walker<'_, 't>) {
        self.activated.walk(walker);
    }

    #[allow(clippy::unused_self, reason = "as every layer")]
    pub(super) fn operands(&self, _quantity: &str, index: &[usize], inputs: &Matrix) -> Vec<Operand> {
        match *index {
            [example, unit] => vec![Operand::at("inputs", (example, unit), inputs)],
            _ => vec![],
        }
    }

    pub(super) fn operands_backward(
        &self,
        down: &ActivationBackward,
        quantity: &[&str],
        index: &[usize],
    ) -> Vec<Operand> {
        match (quantity, index) {
            (["weighted_errors"], &[example]) => self.activated.weighted_error_operands(&down.errors, example),
            (["deltas"], &[example, unit]) => {
                self.activated.delta_operands(&down.errors, down.weighted_errors.as_deref(), (example, unit))
            }
            _ => vec![],
        }
    }
}

impl ActivationBackward {
    pub(super) fn walk<'t>(&'t self, walker: &mut Walker<'_, 't>) {
        if let Some(sums) = &self.weighted_errors {
            walker.vector("weighted_errors", sums);
        }
        walker.matrix("deltas", &self.deltas);
    }
}
