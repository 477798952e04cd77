//! A model: a spec whose parts fit each other, checked once and immutable afterwards.

use std::collections::HashMap;

use thiserror::Error;

pub use super::batch::{BatchError, Inputs, Targets};

use super::activation::Activation;
use super::layer::activation::ActivationLayer;
use super::layer::dense::Dense;
use super::layer::dropout::Dropout;
use super::layer::normalization::{Normalization, Over};
use super::layer::residual::Residual;
use super::layer::{Layer, LayerKind, LayerSize, NamedLayer};
use super::loss::Loss;
use super::matrix::Matrix;
use super::mode::Mode;
use super::name::{LayerName, LayerPath};
use super::optimizer::Optimizer;
use super::random::Stream;
use super::spec::{BiasStart, LayerKindSpec, LayerSpec, ModelSpec, ResidualSpec, WeightsStart};
use super::state::State;
use crate::limits::Limits;

/// A network with its loss and optimizer.
#[derive(Clone, Debug)]
pub struct Model {
    inputs: usize,
    layers: Vec<NamedLayer>,
    loss: Loss,
    optimizer: Optimizer,
    parameters: usize,
    spec: ModelSpec,
}

/// Why a spec is no model; `at` is where the layer stands.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum ModelError {
    #[error("a network, and a residual block, needs at least one layer")]
    NoLayers { at: LayerPath },
    #[error("a network has at most {limit} layers, those inside of others counted, and this one has {count}")]
    TooManyLayers { count: usize, limit: usize },
    #[error("a network has 1 to {limit} inputs, and this one has {count}")]
    Inputs { count: usize, limit: usize },
    #[error("a network has at most {limit} parameters, and this one has at least {count}")]
    TooManyParameters { count: usize, limit: usize },
    #[error("layer {name}: {fault}")]
    Layer { at: LayerPath, name: LayerName, fault: LayerFault },
    #[error("cross_entropy reads probabilities: give the last layer, {name}, the activation softmax")]
    CrossEntropyWithoutSoftmax { at: LayerPath, name: LayerName },
}

/// What is wrong with one layer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum LayerFault {
    #[error("a layer has 1 to {limit} units, and this one has {count}")]
    Units { count: usize, limit: usize },
    #[error("the name stands for {first} already; names are unique in a network")]
    NameTaken { first: LayerPath },
    #[error(
        "{inputs} inputs from below and {units} units need weights of shape [{inputs}][{units}], not [{rows}][{columns}]"
    )]
    Weights { inputs: usize, units: usize, rows: usize, columns: usize },
    #[error("{units} units need {units} numbers in {field}, not {given}")]
    Vector { field: &'static str, units: usize, given: usize },
    #[error("the branch makes {outputs} units of {inputs}, so an identity cannot meet it; use shortcut projection")]
    Shortcut { inputs: usize, outputs: usize },
}

impl Model {
    /// Checks a spec, sizes first and before anything of these sizes is allocated.
    pub fn new(spec: ModelSpec, limits: &Limits) -> Result<Self, ModelError> {
        let network = &spec.network;
        if network.inputs == 0 || network.inputs > limits.units {
            return Err(ModelError::Inputs { count: network.inputs, limit: limits.units });
        }
        let count = count_layers(&network.layers);
        if count > limits.layers {
            return Err(ModelError::TooManyLayers { count, limit: limits.layers });
        }
        let root = LayerPath::default();
        check_names(&network.layers, &root, &mut HashMap::new())?;
        let mut parameters = 0;
        check_sizes(network.inputs, &network.layers, &root, &mut parameters, limits)?;
        let layers = build(network.inputs, &network.layers, &root)?;
        check_end(spec.loss, &network.layers)?;
        Ok(Self {
            inputs: network.inputs,
            layers,
            loss: spec.loss,
            optimizer: spec.optimizer.clone(),
            parameters,
            spec,
        })
    }

    /// What the model was made from.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// Inputs of an example.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The layers from the inputs up, at least one.
    pub fn layers(&self) -> &[NamedLayer] {
        &self.layers
    }

    /// The layer of that name, inside of others too, with its path.
    pub fn layer(&self, name: &str) -> Option<(LayerPath, &NamedLayer)> {
        find(&self.layers, name, &LayerPath::default())
    }

    /// The layer at a path of this model.
    pub fn at(&self, path: &LayerPath) -> Option<&NamedLayer> {
        let (first, inner) = path.indices().split_first()?;
        inner.iter().try_fold(self.layers.get(*first)?, |named, &index| named.layer.inner().get(index))
    }

    /// The path of the same layer where layers are listed from the outputs down, as the way back and the update do.
    pub fn from_the_top(&self, path: &LayerPath) -> LayerPath {
        let mut level = &self.layers[..];
        LayerPath::new(path.indices().iter().map(|&index| {
            let from_the_top = level.len() - 1 - index;
            level = level[index].layer.inner();
            from_the_top
        }))
    }

    /// The names of all layers from the inputs up, those inside of others behind those that hold them.
    pub fn names(&self) -> impl Iterator<Item = &LayerName> {
        flat(&self.layers).into_iter().map(|named| &named.name)
    }

    /// All layers from the inputs up, those inside of others behind those that hold them.
    pub fn all_layers(&self) -> Vec<&NamedLayer> {
        flat(&self.layers)
    }

    /// Whether the next step depends on how many there were before.
    pub fn counts_updates(&self) -> bool {
        let drops = |named: &&NamedLayer| named.layer.kind() == LayerKind::Dropout;
        self.optimizer.counts_updates() || flat(&self.layers).iter().any(drops)
    }

    /// What the outputs are judged by.
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// How gradients become changes.
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// The number of parameters.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// The state that the seed and the explicit values give, the same every time.
    pub fn start(&self) -> State {
        let mut stream = Stream::new(self.spec.seed.value());
        let start = |named: &NamedLayer| named.layer.start(&mut stream).remembered_by(&self.optimizer);
        State::new(self.layers.iter().map(start).collect(), 0)
    }

    /// The inputs, where they fit the first layer.
    pub fn check_inputs(&self, inputs: Matrix, mode: Mode, limits: &Limits) -> Result<Inputs, BatchError> {
        if inputs.rows() > limits.examples {
            return Err(BatchError::TooManyExamples { count: inputs.rows(), limit: limits.examples });
        }
        if inputs.columns() != self.inputs {
            let layer = self.layers[0].name.clone();
            return Err(BatchError::Inputs { layer, expected: self.inputs, got: inputs.columns() });
        }
        if mode == Mode::Train
            && inputs.rows() == 1
            && let Some(named) = flat(&self.layers).iter().find(|named| named.layer.kind() == LayerKind::BatchNorm)
        {
            return Err(BatchError::BatchNormOfOne { layer: named.name.clone() });
        }
        Ok(Inputs::of_checked_rows(inputs))
    }

    /// The targets, where they fit the inputs, the last layer and the loss.
    pub fn check_targets(&self, inputs: &Inputs, targets: Matrix) -> Result<Targets, BatchError> {
        let last = &self.layers[self.layers.len() - 1];
        let expected = last.layer.size().outputs;
        if targets.columns() != expected {
            return Err(BatchError::Targets { layer: last.name.clone(), expected, got: targets.columns() });
        }
        if targets.rows() != inputs.matrix().rows() {
            return Err(BatchError::Rows { inputs: inputs.matrix().rows(), targets: targets.rows() });
        }
        if self.loss.of_probabilities()
            && let Some(at) = targets.values().iter().position(|target| !(0.0..=1.0).contains(target))
        {
            let index = [at / expected, at % expected];
            let value = targets.values()[at];
            return Err(BatchError::TargetNotAProbability { loss: self.loss.as_str(), index, value });
        }
        Ok(Targets::of_checked_rows(targets))
    }
}

fn flat(layers: &[NamedLayer]) -> Vec<&NamedLayer> {
    layers.iter().flat_map(|named| [named].into_iter().chain(flat(named.layer.inner()))).collect()
}

fn find<'m>(layers: &'m [NamedLayer], name: &str, outer: &LayerPath) -> Option<(LayerPath, &'m NamedLayer)> {
    layers.iter().enumerate().find_map(|(index, named)| {
        let path = outer.inside(index);
        if named.name.as_str() == name { Some((path, named)) } else { find(named.layer.inner(), name, &path) }
    })
}

fn count_layers(layers: &[LayerSpec]) -> usize {
    let inside = |layer: &LayerSpec| match &layer.kind {
        LayerKindSpec::Residual(residual) => 1 + count_layers(&residual.layers),
        _ => 1,
    };
    layers.iter().map(inside).sum()
}

fn check_names<'s>(
    layers: &'s [LayerSpec],
    outer: &LayerPath,
    places: &mut HashMap<&'s LayerName, LayerPath>,
) -> Result<(), ModelError> {
    if layers.is_empty() {
        return Err(ModelError::NoLayers { at: outer.clone() });
    }
    for (index, LayerSpec { name, kind }) in layers.iter().enumerate() {
        let at = outer.inside(index);
        if let Some(first) = places.insert(name, at.clone()) {
            return Err(ModelError::Layer { at, name: name.clone(), fault: LayerFault::NameTaken { first } });
        }
        if let LayerKindSpec::Residual(residual) = kind {
            check_names(&residual.layers, &at, places)?;
        }
    }
    Ok(())
}

/// Follows the units up, and counts the parameters; answers the units of the last layer.
fn check_sizes(
    inputs: usize,
    layers: &[LayerSpec],
    outer: &LayerPath,
    count: &mut usize,
    limits: &Limits,
) -> Result<usize, ModelError> {
    let mut below = inputs;
    for (index, LayerSpec { name, kind }) in layers.iter().enumerate() {
        let at = outer.inside(index);
        let (units, parameters) = match kind {
            LayerKindSpec::Dense(dense) => {
                if dense.units == 0 || dense.units > limits.units {
                    let fault = LayerFault::Units { count: dense.units, limit: limits.units };
                    return Err(ModelError::Layer { at, name: name.clone(), fault });
                }
                let biases = if dense.bias == BiasStart::None { 0 } else { dense.units };
                (dense.units, below.saturating_mul(dense.units).saturating_add(biases))
            }
            LayerKindSpec::BatchNorm(_) | LayerKindSpec::LayerNorm(_) => (below, 2 * below),
            LayerKindSpec::Activation(_) | LayerKindSpec::Dropout { .. } => (below, 0),
            LayerKindSpec::Residual(residual) => {
                let outputs = check_sizes(below, &residual.layers, &at, count, limits)?;
                (outputs, if residual.projection.is_some() { below.saturating_mul(outputs) } else { 0 })
            }
        };
        *count = count.saturating_add(parameters);
        if *count > limits.parameters {
            return Err(ModelError::TooManyParameters { count: *count, limit: limits.parameters });
        }
        below = units;
    }
    Ok(below)
}

/// The layers of a spec whose names and sizes are checked, each upon the units of the one below.
fn build(inputs: usize, layers: &[LayerSpec], outer: &LayerPath) -> Result<Vec<NamedLayer>, ModelError> {
    let mut below = inputs;
    let mut built = Vec::with_capacity(layers.len());
    for (index, LayerSpec { name, kind }) in layers.iter().enumerate() {
        let at = outer.inside(index);
        let layer = match kind {
            LayerKindSpec::Residual(residual) => {
                let inner = build(below, &residual.layers, &at)?;
                Layer::Residual(Residual::new(below, inner, residual.projection.clone()))
            }
            LayerKindSpec::Dense(dense) => Layer::Dense(Dense::new(below, dense.clone())),
            LayerKindSpec::Activation(activation) => Layer::Activation(ActivationLayer::new(below, *activation)),
            LayerKindSpec::BatchNorm(norm) => {
                Layer::Normalization(Normalization::new(below, Over::Examples, norm.clone()))
            }
            LayerKindSpec::LayerNorm(norm) => {
                Layer::Normalization(Normalization::new(below, Over::Units, norm.clone()))
            }
            LayerKindSpec::Dropout { rate } => Layer::Dropout(Dropout::new(below, *rate)),
        };
        check_values(kind, layer.size()).map_err(|fault| ModelError::Layer { at, name: name.clone(), fault })?;
        below = layer.size().outputs;
        built.push(NamedLayer { name: name.clone(), layer });
    }
    Ok(built)
}

/// Whether explicit values have the layer's shape, and the two ways of a residual block meet.
fn check_values(kind: &LayerKindSpec, LayerSize { inputs, outputs: units, .. }: LayerSize) -> Result<(), LayerFault> {
    let vector = |field, values: Option<&Vec<f64>>| match values {
        Some(values) if values.len() != units => Err(LayerFault::Vector { field, units, given: values.len() }),
        _ => Ok(()),
    };
    let weights = |start: &WeightsStart| match start {
        WeightsStart::Values(weights) if weights.size() != (inputs, units) => {
            let (rows, columns) = weights.size();
            Err(LayerFault::Weights { inputs, units, rows, columns })
        }
        _ => Ok(()),
    };
    match kind {
        LayerKindSpec::Dense(dense) => {
            weights(&dense.weights)?;
            vector("bias", if let BiasStart::Values(bias) = &dense.bias { Some(bias) } else { None })
        }
        LayerKindSpec::BatchNorm(norm) | LayerKindSpec::LayerNorm(norm) => {
            vector("gamma", norm.gamma.as_ref())?;
            vector("beta", norm.beta.as_ref())
        }
        LayerKindSpec::Residual(ResidualSpec { projection: Some(start), .. }) => weights(start),
        LayerKindSpec::Residual(_) if inputs != units => Err(LayerFault::Shortcut { inputs, outputs: units }),
        LayerKindSpec::Residual(_) | LayerKindSpec::Activation(_) | LayerKindSpec::Dropout { .. } => Ok(()),
    }
}

fn check_end(loss: Loss, layers: &[LayerSpec]) -> Result<(), ModelError> {
    let Some(LayerSpec { name, kind }) = layers.last().filter(|_| loss == Loss::CrossEntropy) else { return Ok(()) };
    let softmax = match kind {
        LayerKindSpec::Dense(dense) => dense.activation == Activation::Softmax,
        LayerKindSpec::Activation(activation) => *activation == Activation::Softmax,
        _ => false,
    };
    if softmax {
        return Ok(());
    }
    let at = LayerPath::default().inside(layers.len() - 1);
    Err(ModelError::CrossEntropyWithoutSoftmax { at, name: name.clone() })
}
