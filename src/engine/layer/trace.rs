//! What the layers leave in a trace, whatever kind they are.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::activation::{ActivationBackward, ActivationForward};
use super::dense::{DenseBackward, DenseForward};
use super::dropout::{DropoutBackward, DropoutForward};
use super::normalization::{NormBackward, NormForward};
use super::residual::{ResidualBackward, ResidualForward};
use super::{Below, LayerKind};
use crate::engine::matrix::Matrix;
use crate::engine::name::LayerName;
use crate::engine::non_finite::Operand;
use crate::engine::tap::Tap;
use crate::engine::tensor::{Gradients, Parameters};
use crate::engine::trace::Walker;

/// What a layer did on the way up.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(no_recursion)]
pub enum LayerForward {
    /// A dense layer's quantities
    Dense(DenseForward),
    /// An activation's
    Activation(ActivationForward),
    /// A normalization's
    Normalization(NormForward),
    /// A dropout's
    Dropout(DropoutForward),
    /// A residual block's
    Residual(ResidualForward),
}

/// What a layer did on the way down.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(no_recursion)]
pub enum LayerBackward {
    /// A dense layer's quantities
    Dense(DenseBackward),
    /// An activation's
    Activation(ActivationBackward),
    /// A normalization's
    Normalization(NormBackward),
    /// A dropout's
    Dropout(DropoutBackward),
    /// A residual block's
    Residual(ResidualBackward),
}

impl LayerForward {
    /// The layer's name.
    pub fn name(&self) -> &LayerName {
        each_kind!(LayerForward, self, layer => &layer.name)
    }

    /// The layer's kind.
    pub fn kind(&self) -> LayerKind {
        each_kind!(LayerForward, self, layer => layer.kind)
    }

    /// h, `[examples][units]`
    pub fn outputs(&self) -> &Arc<Matrix> {
        match self {
            Self::Dense(layer) => layer.activated.outputs(),
            Self::Activation(layer) => layer.activated.outputs(),
            Self::Normalization(layer) => &layer.outputs,
            Self::Dropout(layer) => &layer.outputs,
            Self::Residual(layer) => &layer.outputs,
        }
    }

    /// The parameters that the pass used; most layers without weights have none.
    pub fn parameters(&self) -> Option<&Parameters> {
        match self {
            Self::Dense(layer) => Some(&layer.parameters),
            Self::Normalization(layer) => Some(&layer.parameters),
            Self::Residual(layer) => layer.parameters.as_deref(),
            Self::Activation(_) | Self::Dropout(_) => None,
        }
    }

    /// The layers inside, from below.
    pub fn inner(&self) -> &[LayerForward] {
        match self {
            Self::Residual(layer) => &layer.layers,
            _ => &[],
        }
    }

    /// From the errors of this layer's outputs down: its own quantities, and what it passes to the layer below
    /// unless that is not wanted; `inputs` as they were on the way up.
    pub fn backward(
        &self,
        inputs: &Arc<Matrix>,
        mut errors: Arc<Matrix>,
        below: Below,
        tap: &mut Tap,
    ) -> (LayerBackward, Option<Arc<Matrix>>) {
        tap.shared("errors", &mut errors);
        match self {
            Self::Dense(layer) => {
                let (backward, passed) = layer.backward(inputs, errors, below, tap);
                (LayerBackward::Dense(backward), passed)
            }
            Self::Activation(layer) => {
                let backward = layer.backward(errors, tap);
                let passed = Arc::clone(&backward.deltas);
                (LayerBackward::Activation(backward), Some(passed))
            }
            Self::Normalization(layer) => {
                let backward = layer.backward(errors, tap);
                let passed = Arc::clone(&backward.deltas);
                (LayerBackward::Normalization(backward), Some(passed))
            }
            Self::Dropout(layer) => {
                let backward = layer.backward(errors, tap);
                let passed = Arc::clone(&backward.deltas);
                (LayerBackward::Dropout(backward), Some(passed))
            }
            Self::Residual(layer) => {
                let backward = layer.backward(inputs, errors, tap);
                let passed = Arc::clone(&backward.deltas);
                (LayerBackward::Residual(backward), Some(passed))
            }
        }
    }

    /// The numbers that one of this layer's own quantities was computed from on the way up.
    pub(in crate::engine) fn operands(&self, quantity: &str, index: &[usize], inputs: &Matrix) -> Vec<Operand> {
        each_kind!(LayerForward, self, layer => layer.operands(quantity, index, inputs))
    }

    /// The same for a quantity of the way down, but for the errors, which come from above.
    pub(in crate::engine) fn operands_backward(
        &self,
        backward: &LayerBackward,
        quantity: &[&str],
        index: &[usize],
        inputs: &Matrix,
    ) -> Vec<Operand> {
        match (self, backward) {
            (Self::Dense(up), LayerBackward::Dense(down)) => up.operands_backward(down, quantity, index, inputs),
            (Self::Activation(up), LayerBackward::Activation(down)) => up.operands_backward(down, quantity, index),
            (Self::Normalization(up), LayerBackward::Normalization(down)) => {
                up.operands_backward(down, quantity, index)
            }
            (Self::Dropout(up), LayerBackward::Dropout(down)) => up.operands_backward(down, index),
            (Self::Residual(up), LayerBackward::Residual(down)) => up.operands_backward(down, quantity, index, inputs),
            _ => unreachable!("a layer goes down as it went up"),
        }
    }

    /// What one error was computed from that this layer passed down.
    pub(in crate::engine) fn operands_of_error_below(&self, backward: &LayerBackward, index: &[usize]) -> Vec<Operand> {
        match (self, backward) {
            (Self::Dense(up), LayerBackward::Dense(down)) => up.operands_of_error_below(down, index),
            // All others pass down their deltas as they are.
            _ => vec![],
        }
    }

    pub(in crate::engine) fn walk<'t>(&'t self, walker: &mut Walker<'_, 't>) {
        each_kind!(LayerForward, self, layer => layer.walk(walker));
    }
}

impl LayerBackward {
    /// The layer's name.
    pub fn name(&self) -> &LayerName {
        each_kind!(LayerBackward, self, layer => &layer.name)
    }

    /// The layer's kind.
    pub fn kind(&self) -> LayerKind {
        each_kind!(LayerBackward, self, layer => layer.kind)
    }

    /// −∂E/∂h, what arrived from above, `[examples][units]`
    pub fn errors(&self) -> &Arc<Matrix> {
        each_kind!(LayerBackward, self, layer => &layer.errors)
    }

    /// −∂E/∂a: behind the local slope. For a dense layer `[examples][units]`; for all others this is what they pass
    /// down, `[examples][inputs]`.
    pub fn deltas(&self) -> &Matrix {
        match self {
            Self::Dense(layer) => &layer.deltas,
            Self::Activation(layer) => &layer.deltas,
            Self::Normalization(layer) => &layer.deltas,
            Self::Dropout(layer) => &layer.deltas,
            Self::Residual(layer) => &layer.deltas,
        }
    }

    /// ∂E/∂w of the mean loss, one for each parameter.
    pub fn gradients(&self) -> Option<&Gradients> {
        match self {
            Self::Dense(layer) => Some(&layer.gradients),
            Self::Normalization(layer) => Some(&layer.gradients),
            Self::Residual(layer) => layer.gradients.as_ref(),
            Self::Activation(_) | Self::Dropout(_) => None,
        }
    }

    /// The layers inside, the top one first.
    pub fn inner(&self) -> &[LayerBackward] {
        match self {
            Self::Residual(layer) => &layer.layers,
            _ => &[],
        }
    }

    pub(in crate::engine) fn walk<'t>(&'t self, walker: &mut Walker<'_, 't>) {
        walker.matrix("errors", self.errors());
        each_kind!(LayerBackward, self, layer => layer.walk(walker));
    }
}
