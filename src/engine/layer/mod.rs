//! Layers: one file each, with forward, backward and the trace they leave side by side.
//!
//! A new kind is a file here and a line in each of the enums below; the compiler names the rest.

pub mod dense;

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::matrix::Matrix;
use super::name::LayerName;
use super::non_finite::Operand;
use super::random::Stream;
use super::tensor::{Gradients, Parameters};
use super::trace::Walker;
use dense::{Dense, DenseBackward, DenseForward};

/// The kind of a layer, as it stands in specs and traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LayerKind {
    /// Every unit joined to every unit below.
    Dense,
}

/// A layer of a checked network: it knows its sizes and cannot be wrong about them.
#[derive(Clone, Debug)]
pub enum Layer {
    /// Every unit joined to every unit below.
    Dense(Dense),
}

/// What a layer did on the way up.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum LayerForward {
    /// A dense layer's quantities
    Dense(DenseForward),
}

/// What a layer did on the way down.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum LayerBackward {
    /// A dense layer's quantities
    Dense(DenseBackward),
}

/// What a layer is given and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerSize {
    /// Units below
    pub inputs: usize,
    /// Units of the layer itself
    pub outputs: usize,
    /// Its parameters in all
    pub parameters: usize,
}

impl Layer {
    /// The layer's kind.
    pub fn kind(&self) -> LayerKind {
        match self {
            Self::Dense(_) => LayerKind::Dense,
        }
    }

    /// The layer's sizes.
    pub fn size(&self) -> LayerSize {
        match self {
            Self::Dense(dense) => dense.size(),
        }
    }

    /// The parameters to start from.
    pub fn start(&self, stream: &mut Stream) -> Parameters {
        match self {
            Self::Dense(dense) => dense.start(stream),
        }
    }

    /// From what comes from below, `[examples][inputs]`, to what the layer puts out.
    pub fn forward(&self, name: &LayerName, parameters: &Arc<Parameters>, below: &Matrix) -> LayerForward {
        match self {
            Self::Dense(dense) => LayerForward::Dense(dense.forward(name, parameters, below)),
        }
    }
}

impl LayerForward {
    /// The layer's name.
    pub fn name(&self) -> &LayerName {
        match self {
            Self::Dense(dense) => dense.name(),
        }
    }

    /// h, `[examples][units]`
    pub fn outputs(&self) -> &Arc<Matrix> {
        match self {
            Self::Dense(dense) => dense.outputs(),
        }
    }

    /// The parameters that the pass used.
    pub fn parameters(&self) -> &Parameters {
        match self {
            Self::Dense(dense) => dense.parameters(),
        }
    }

    /// From the errors of this layer's outputs to its deltas and gradients; `below` as it was on the way up.
    pub fn backward(&self, below: &Matrix, errors: Matrix) -> LayerBackward {
        match self {
            Self::Dense(dense) => LayerBackward::Dense(dense.backward(below, errors)),
        }
    }

    /// What this layer passes down: the errors of the outputs below, `[examples][inputs]`.
    pub fn errors_below(&self, backward: &LayerBackward) -> Matrix {
        match (self, backward) {
            (Self::Dense(dense), LayerBackward::Dense(backward)) => dense.errors_below(backward),
        }
    }

    /// The numbers that one of this layer's own quantities was computed from on the way up.
    pub fn operands(&self, quantity: &str, index: &[usize], below: &Matrix) -> Vec<Operand> {
        match self {
            Self::Dense(dense) => dense.operands(quantity, index, below),
        }
    }

    /// The same for a quantity of the way down, but for the errors, which come from above.
    pub fn operands_backward(
        &self,
        backward: &LayerBackward,
        quantity: &[&str],
        index: &[usize],
        below: &Matrix,
    ) -> Vec<Operand> {
        match (self, backward) {
            (Self::Dense(dense), LayerBackward::Dense(backward)) => {
                dense.operands_backward(backward, quantity, index, below)
            }
        }
    }

    /// What one error was computed from that this layer passed down.
    pub fn operands_of_error_below(&self, backward: &LayerBackward, index: &[usize]) -> Vec<Operand> {
        match (self, backward) {
            (Self::Dense(dense), LayerBackward::Dense(backward)) => dense.operands_of_error_below(backward, index),
        }
    }

    pub(super) fn walk(&self, walker: &mut Walker) {
        match self {
            Self::Dense(dense) => dense.walk(walker),
        }
    }
}

impl LayerBackward {
    /// The layer's name.
    pub fn name(&self) -> &LayerName {
        match self {
            Self::Dense(dense) => dense.name(),
        }
    }

    /// The layer's kind.
    pub fn kind(&self) -> LayerKind {
        match self {
            Self::Dense(_) => LayerKind::Dense,
        }
    }

    /// ∂E/∂w of the mean loss, one for each parameter.
    pub fn gradients(&self) -> &Gradients {
        match self {
            Self::Dense(dense) => dense.gradients(),
        }
    }

    pub(super) fn walk(&self, walker: &mut Walker) {
        match self {
            Self::Dense(dense) => dense.walk(walker),
        }
    }
}
