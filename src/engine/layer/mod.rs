//! Layers: one file each, with forward, backward and the trace they leave side by side.
//!
//! A new kind is a file here, a variant in each of the enums below and a line in [`each_kind!`]; the compiler names
//! the rest.

/// `$body` for whatever kind it is.
macro_rules! each_kind {
    ($kinds:ident, $value:expr, $layer:ident => $body:expr) => {
        match $value {
            $kinds::Dense($layer) => $body,
            $kinds::Activation($layer) => $body,
            $kinds::Normalization($layer) => $body,
            $kinds::Dropout($layer) => $body,
            $kinds::Residual($layer) => $body,
        }
    };
}

pub mod activation;
pub mod dense;
pub mod dropout;
pub mod normalization;
pub mod residual;
mod trace;

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::activation::Activation;
use super::matrix::Matrix;
use super::mode::Mode;
use super::name::LayerName;
use super::random::Stream;
use super::state::LayerState;
use super::tap::Tap;
pub use trace::{LayerBackward, LayerForward};

use activation::ActivationLayer;
use dense::Dense;
use dropout::Dropout;
use normalization::Normalization;
use residual::Residual;

/// The kind of a layer, as it stands in specs and traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LayerKind {
    /// Every unit joined to every unit below
    Dense,
    /// A function of what comes from below, without parameters
    Activation,
    /// Every unit brought to mean 0 and variance 1 over the batch
    BatchNorm,
    /// Every row brought to mean 0 and variance 1
    LayerNorm,
    /// In training some numbers are dropped at random
    Dropout,
    /// Layers with a way around them
    Residual,
}

impl LayerKind {
    /// Every kind.
    pub const ALL: &'static [Self] =
        &[Self::Dense, Self::Activation, Self::BatchNorm, Self::LayerNorm, Self::Dropout, Self::Residual];
}

/// A layer of a checked network: it knows its sizes and cannot be wrong about them.
#[derive(Clone, Debug)]
pub enum Layer {
    /// Every unit joined to every unit below
    Dense(Dense),
    /// A function of what comes from below
    Activation(ActivationLayer),
    /// Mean 0 and variance 1, over the batch or over a row
    Normalization(Normalization),
    /// Some numbers dropped at random
    Dropout(Dropout),
    /// Layers with a way around them
    Residual(Residual),
}

/// A layer and its name.
#[derive(Clone, Debug)]
pub struct NamedLayer {
    /// Unique in the network
    pub name: LayerName,
    /// The layer
    pub layer: Layer,
}

/// What a layer is given and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerSize {
    /// Units below
    pub inputs: usize,
    /// Units of the layer itself
    pub outputs: usize,
    /// Its own parameters; inner layers have theirs
    pub parameters: usize,
}

/// What one layer's part of a pass costs, inner layers not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerCost {
    /// Multiplications of an example's way up
    pub products: usize,
    /// Numbers that an example leaves on the way up
    pub up: usize,
    /// Numbers that an example leaves on the way down
    pub down: usize,
    /// Numbers that the batch leaves on both ways
    pub batch: usize,
}

/// What a pass carries along on its way up.
pub struct Way<'a, 't> {
    /// Training or use
    pub mode: Mode,
    /// Where dropout's random numbers come from
    pub random: &'a mut Stream,
    /// Who looks on
    pub tap: &'a mut Tap<'t>,
}

impl Layer {
    /// The layer's kind.
    pub fn kind(&self) -> LayerKind {
        match self {
            Self::Dense(_) => LayerKind::Dense,
            Self::Activation(_) => LayerKind::Activation,
            Self::Normalization(norm) => norm.kind(),
            Self::Dropout(_) => LayerKind::Dropout,
            Self::Residual(_) => LayerKind::Residual,
        }
    }

    /// What it makes of each pre-activation, where it is one that does so.
    pub fn activation(&self) -> Option<Activation> {
        match self {
            Self::Dense(dense) => Some(dense.activation()),
            Self::Activation(layer) => Some(layer.activation()),
            _ => None,
        }
    }

    /// The layer's sizes.
    pub fn size(&self) -> LayerSize {
        each_kind!(Layer, self, layer => layer.size())
    }

    /// What the layer's part of a pass costs.
    pub fn cost(&self) -> LayerCost {
        each_kind!(Layer, self, layer => layer.cost())
    }

    /// The layers inside, from below; most layers have none.
    pub fn inner(&self) -> &[NamedLayer] {
        match self {
            Self::Residual(residual) => residual.inner(),
            _ => &[],
        }
    }

    /// What the layer starts from.
    pub fn start(&self, stream: &mut Stream) -> LayerState {
        each_kind!(Layer, self, layer => layer.start(stream))
    }

    /// From what comes from below, `[examples][inputs]`, to what the layer puts out.
    pub fn forward(&self, name: &LayerName, state: &LayerState, below: &Arc<Matrix>, way: &mut Way) -> LayerForward {
        match self {
            Self::Dense(layer) => LayerForward::Dense(layer.forward(name, state, below, way.tap)),
            Self::Activation(layer) => LayerForward::Activation(layer.forward(name, below, way.tap)),
            Self::Normalization(layer) => LayerForward::Normalization(layer.forward(name, state, below, way)),
            Self::Dropout(layer) => LayerForward::Dropout(layer.forward(name, below, way)),
            Self::Residual(layer) => LayerForward::Residual(layer.forward(name, state, below, way)),
        }
    }
}

/// One layer after the other, from `below` up: what each did, and what the last one put out.
pub fn climb(layers: &[NamedLayer], states: &[LayerState], below: &Arc<Matrix>, way: &mut Way) -> Vec<LayerForward> {
    let mut done: Vec<LayerForward> = Vec::with_capacity(layers.len());
    for (index, (named, state)) in layers.iter().zip(states).enumerate() {
        let below = done.last().map_or(below, LayerForward::outputs);
        let below = Arc::clone(below);
        let random = &mut *way.random;
        let mode = way.mode;
        let layer = way.tap.within("layers", |tap| {
            tap.at(index, |tap| named.layer.forward(&named.name, state, &below, &mut Way { mode, random, tap }))
        });
        done.push(layer);
    }
    done
}

/// Whether what a layer passes down is wanted: the inputs of a network take no blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Below {
    /// Another layer waits for its errors.
    Waits,
    /// There is nothing below.
    Ends,
}

/// One layer after the other from the top down: what each did, the top one first, and what the lowest one passes
/// down if it is wanted.
pub fn descend(
    layers: &[LayerForward],
    inputs: &Arc<Matrix>,
    errors: Arc<Matrix>,
    below: Below,
    tap: &mut Tap,
) -> (Vec<LayerBackward>, Option<Arc<Matrix>>) {
    let mut passed = Some(errors);
    let mut done = Vec::with_capacity(layers.len());
    for (index, layer) in layers.iter().enumerate().rev() {
        let (inputs, below) = if index == 0 { (inputs, below) } else { (layers[index - 1].outputs(), Below::Waits) };
        let Some(errors) = passed.take() else { break };
        let (backward, errors) = tap
            .within("layers", |tap| tap.at(layers.len() - 1 - index, |tap| layer.backward(inputs, errors, below, tap)));
        done.push(backward);
        passed = errors;
    }
    (done, passed)
}

/// The mean over a batch of what points downhill, turned uphill. Not −sum: where nothing has influence the gradient
/// is 0, not −0.
#[allow(clippy::cast_precision_loss, reason = "examples are limited far below 2^53")]
pub fn mean_uphill(examples: usize) -> impl Fn(f64) -> f64 {
    move |sum| 0.0 - sum / examples as f64
}
