//! The trace: every number of a forward pass, a backward pass and an update.
//!
//! It is not a copy made for a reader: it is the memory that the backward pass runs on. Matrices are
//! `[examples][units]`, parameters `[in][out]` and `[out]`. `error` and `delta` point downhill: error = −∂E/∂h,
//! delta = −∂E/∂a, each of one example's own loss. `gradients` are ∂E/∂w of the mean loss. Field order is fixed.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::layer::{LayerBackward, LayerForward};
use super::loss::Loss;
use super::matrix::Matrix;
use super::name::LayerName;
use super::optimizer::{Clip, Optimizer, ParameterUpdates, TensorUpdate};
use super::schema;
use super::tensor::{Named, Tensor, WireName};

/// The format's id, in every trace.
pub const FORMAT: &str = "chainrule.trace/1";

/// What one pass computed: always forward, then as far as it was asked to go.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Trace {
    /// From the inputs up to the outputs
    pub forward: Forward,
    /// How far the outputs are from the targets, where there are targets
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<LossTrace>,
    /// From the loss down to every gradient
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backward: Option<Backward>,
    /// What a step changes
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<Update>,
}

/// The forward pass.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Forward {
    /// x, `[examples][inputs]`
    #[schema(value_type = schema::Matrix)]
    pub inputs: Arc<Matrix>,
    /// What each layer did, from the inputs up
    pub layers: Vec<LayerForward>,
    /// ŷ: the last layer's outputs, `[examples][outputs]`
    #[schema(value_type = schema::Matrix)]
    pub outputs: Arc<Matrix>,
}

/// The loss of a batch.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LossTrace {
    /// Which loss it is
    pub kind: Loss,
    /// y, `[examples][outputs]`
    #[schema(value_type = schema::Matrix)]
    pub targets: Arc<Matrix>,
    /// Each example's loss, `[examples]`
    #[schema(value_type = schema::PerExample)]
    pub per_example: Vec<f64>,
    /// The mean of per_example: the loss of the batch
    #[schema(value_type = schema::Number)]
    pub value: f64,
}

/// The backward pass.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Backward {
    /// The layers from the outputs down
    pub layers: Vec<LayerBackward>,
}

/// What a step changes, or would change.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Update {
    /// The optimizer with the settings that this step used
    pub optimizer: Optimizer,
    /// adam, adamw: the number t of this update, from 1
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Count, required = false)]
    pub timestep: Option<u64>,
    /// Only with clip_norm: how much all gradients were made smaller
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub clip: Option<Clip>,
    /// The layers from the outputs down
    pub layers: Vec<LayerUpdate>,
    /// The same batch's loss with the parameters after the step; only where the step was made
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Number, required = false)]
    pub loss_after: Option<f64>,
}

/// One layer's part of an update.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(no_recursion)]
pub struct LayerUpdate {
    /// The layer's name
    #[schema(value_type = schema::Name)]
    pub name: LayerName,
    /// Each parameter's change and its value after it; only where the layer has parameters
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub parameters: ParameterUpdates,
    /// batch_norm in training: its running statistics
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub running: Option<RunningUpdate>,
    /// The layers inside, the top one first
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, no_recursion)]
    pub layers: Vec<LayerUpdate>,
}

/// What a step does to running statistics.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RunningUpdate {
    /// The weight of this batch in the running statistics
    #[schema(value_type = schema::Share)]
    pub momentum: f64,
    /// (1 − momentum)·before + momentum·(the batch's mean)
    pub mean: StatisticUpdate,
    /// (1 − momentum)·before + momentum·(the batch's unbiased variance)
    pub variance: StatisticUpdate,
}

/// What a step does to one of the running statistics.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StatisticUpdate {
    /// The statistic as the step found it, `[units]`
    #[schema(value_type = schema::Row)]
    pub before: Vec<f64>,
    /// The statistic as the step left it, `[units]`
    #[schema(value_type = schema::Row)]
    pub after: Vec<f64>,
}

impl LayerUpdate {
    fn walk<'t>(&'t self, walker: &mut Walker<'_, 't>) {
        if !self.parameters.is_empty() {
            walker.named("parameters", &self.parameters, TensorUpdate::walk);
        }
        if let Some(running) = &self.running {
            walker.within("running", |walker| {
                for (name, statistic) in [("mean", &running.mean), ("variance", &running.variance)] {
                    walker.within(name, |walker| {
                        walker.vector("before", &statistic.before);
                        walker.vector("after", &statistic.after);
                    });
                }
            });
        }
        if !self.layers.is_empty() {
            walker.each("layers", &self.layers, Self::walk);
        }
    }
}

impl Trace {
    /// Yields every quantity with its place, in the order of computation.
    pub fn walk<'t>(&'t self, visit: &mut dyn FnMut(&Place, Values<'t>)) {
        let mut walker = Walker { place: Place::default(), visit };
        walker.within("forward", |walker| {
            walker.matrix("inputs", &self.forward.inputs);
            walker.each("layers", &self.forward.layers, LayerForward::walk);
            walker.matrix("outputs", &self.forward.outputs);
        });
        if let Some(loss) = &self.loss {
            walker.within("loss", |walker| {
                walker.matrix("targets", &loss.targets);
                walker.vector("per_example", &loss.per_example);
                walker.scalar("value", loss.value);
            });
        }
        if let Some(backward) = &self.backward {
            walker.within("backward", |walker| walker.each("layers", &backward.layers, LayerBackward::walk));
        }
        if let Some(update) = &self.update {
            walker.within("update", |walker| {
                if let Some(clip) = &update.clip {
                    walker.within("clip", |walker| {
                        walker.scalar("norm", clip.norm);
                        walker.scalar("scale", clip.scale);
                    });
                }
                walker.each("layers", &update.layers, LayerUpdate::walk);
                if let Some(loss_after) = update.loss_after {
                    walker.scalar("loss_after", loss_after);
                }
            });
        }
    }
}

/// The numbers of one quantity.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// A single number.
    Scalar(f64),
    /// One index.
    Vector(&'a [f64]),
    /// Two indices, the row first.
    Matrix(&'a Matrix),
}

impl Values<'_> {
    /// The index of the first number that is infinite or not a number, and that number.
    pub fn first_non_finite(&self) -> Option<(Vec<usize>, f64)> {
        let first = |values: &[f64]| {
            // All at once first: without a way out on the way, the loop is made of vector instructions.
            if values.iter().fold(true, |fine, value| fine & value.is_finite()) {
                return None;
            }
            values.iter().position(|value| !value.is_finite()).map(|at| (at, values[at]))
        };
        match self {
            Self::Scalar(value) => first(&[*value]).map(|(_, value)| (vec![], value)),
            Self::Vector(values) => first(values).map(|(at, value)| (vec![at], value)),
            Self::Matrix(matrix) => {
                let columns = matrix.columns();
                first(matrix.values()).map(|(at, value)| (vec![at / columns, at % columns], value))
            }
        }
    }
}

/// One step on the way to a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// A field's name.
    Name(&'static str),
    /// A place in a list.
    Index(usize),
}

/// Where a quantity stands in the trace. It displays as an RFC 6901 pointer; no name in a trace needs escaping.
#[derive(Clone, Debug, Default)]
pub struct Place(Vec<Segment>);

impl Place {
    /// The steps from the root.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The names on the way, in order.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().filter_map(Segment::name).collect()
    }

    /// The indices of layers on the way, in order; the last one may lie inside of the others.
    pub fn layer_indices(&self) -> Vec<usize> {
        self.0.iter().filter_map(Segment::index).collect()
    }

    pub(super) fn push(&mut self, segment: Segment) {
        self.0.push(segment);
    }

    pub(super) fn pop(&mut self) {
        self.0.pop();
    }
}

impl Segment {
    /// The field's name, where it is one.
    pub fn name(&self) -> Option<&'static str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Index(_) => None,
        }
    }

    /// The place in a list, where it is one.
    pub fn index(&self) -> Option<usize> {
        match self {
            Self::Name(_) => None,
            Self::Index(index) => Some(*index),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|segment| match segment {
            Segment::Name(name) => write!(f, "/{name}"),
            Segment::Index(index) => write!(f, "/{index}"),
        })
    }
}

/// Walks through a trace and knows where it is.
pub struct Walker<'v, 't> {
    place: Place,
    visit: &'v mut dyn FnMut(&Place, Values<'t>),
}

impl<'t> Walker<'_, 't> {
    pub(super) fn within(&mut self, name: &'static str, inside: impl FnOnce(&mut Self)) {
        self.at(Segment::Name(name), inside);
    }

    fn at(&mut self, segment: Segment, inside: impl FnOnce(&mut Self)) {
        self.place.0.push(segment);
        inside(self);
        self.place.0.pop();
    }

    fn quantity(&mut self, name: &'static str, values: Values<'t>) {
        self.within(name, |walker| (walker.visit)(&walker.place, values));
    }

    pub(super) fn each<T>(&mut self, name: &'static str, items: &'t [T], mut inside: impl FnMut(&'t T, &mut Self)) {
        self.within(name, |walker| {
            for (index, item) in items.iter().enumerate() {
                walker.at(Segment::Index(index), |walker| inside(item, walker));
            }
        });
    }

    /// One entry for each parameter of a layer, or for whatever else has names.
    pub(super) fn named<T, N: WireName>(
        &mut self,
        name: &'static str,
        named: &'t Named<T, N>,
        inside: impl Fn(&'t T, &mut Self),
    ) {
        self.within(name, |walker| {
            for (parameter, value) in named.iter() {
                walker.within(parameter.as_str(), |walker| inside(value, walker));
            }
        });
    }

    /// A single number.
    pub(super) fn scalar(&mut self, name: &'static str, value: f64) {
        self.quantity(name, Values::Scalar(value));
    }

    /// `[examples]` or `[out]`
    pub(super) fn vector(&mut self, name: &'static str, values: &'t [f64]) {
        self.quantity(name, Values::Vector(values));
    }

    /// `[examples][units]` or `[in][out]`
    pub(super) fn matrix(&mut self, name: &'static str, matrix: &'t Matrix) {
        self.quantity(name, Values::Matrix(matrix));
    }

    /// A parameter or what belongs to it.
    pub(super) fn tensor(&mut self, name: &'static str, tensor: &'t Tensor) {
        self.within(name, |walker| walker.tensor_here(tensor));
    }

    /// A parameter at the place where the walker already is.
    pub(super) fn tensor_here(&mut self, tensor: &'t Tensor) {
        let values = match tensor {
            Tensor::Vector(values) => Values::Vector(values),
            Tensor::Matrix(matrix) => Values::Matrix(matrix),
        };
        (self.visit)(&self.place, values);
    }
}
