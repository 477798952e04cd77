//! A model: a spec whose parts fit each other, checked once and immutable afterwards.

use std::collections::HashMap;
use std::sync::Arc;

use thiserror::Error;

use super::activation::Activation;
use super::layer::{Layer, dense::Dense};
use super::loss::Loss;
use super::matrix::Matrix;
use super::name::LayerName;
use super::optimizer::Optimizer;
use super::random::Stream;
use super::spec::{BiasStart, DenseSpec, LayerKindSpec, LayerSpec, ModelSpec, WeightsStart};
use super::state::State;
use crate::limits::Limits;

/// A network with its loss and optimizer.
#[derive(Clone, Debug)]
pub struct Model {
    inputs: usize,
    layers: Vec<NamedLayer>,
    loss: Loss,
    optimizer: Optimizer,
    spec: ModelSpec,
}

/// A layer and its name.
#[derive(Clone, Debug)]
pub struct NamedLayer {
    /// Unique in the network
    pub name: LayerName,
    /// The layer
    pub layer: Layer,
}

/// Why a spec is no model.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum ModelError {
    #[error("a network needs at least one layer")]
    NoLayers,
    #[error("a network has at most {limit} layers, and this one has {count}")]
    TooManyLayers { count: usize, limit: usize },
    #[error("a network has 1 to {limit} inputs, and this one has {count}")]
    Inputs { count: usize, limit: usize },
    #[error("a network has at most {limit} parameters, and this one has at least {count}")]
    TooManyParameters { count: usize, limit: usize },
    #[error("layer {index} ({name}): {fault}")]
    Layer { index: usize, name: LayerName, fault: LayerFault },
    #[error("cross_entropy reads probabilities: give the last layer, {name}, the activation softmax")]
    CrossEntropyWithoutSoftmax { index: usize, name: LayerName },
}

/// What is wrong with one layer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum LayerFault {
    #[error("a layer has 1 to {limit} units, and this one has {count}")]
    Units { count: usize, limit: usize },
    #[error("the name stands for layer {first} already; names are unique in a network")]
    NameTaken { first: usize },
    #[error(
        "{inputs} inputs from below and {units} units need weights of shape [{inputs}][{units}], not [{rows}][{columns}]"
    )]
    Weights { inputs: usize, units: usize, rows: usize, columns: usize },
    #[error("{units} units need {units} biases, not {given}")]
    Bias { units: usize, given: usize },
}

/// Why numbers are no batch for a model.
#[derive(Clone, Debug, Error, PartialEq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum BatchError {
    #[error("a batch has at most {limit} examples, and this one has {count}")]
    TooManyExamples { count: usize, limit: usize },
    #[error("layer {layer} takes {expected} inputs, and the rows have {got}")]
    Inputs { layer: LayerName, expected: usize, got: usize },
    #[error("layer {layer} puts out {expected} values, and the target rows have {got}")]
    Targets { layer: LayerName, expected: usize, got: usize },
    #[error("{inputs} input rows need {inputs} target rows, not {targets}")]
    Rows { inputs: usize, targets: usize },
    #[error("{loss} compares with probabilities: a target lies between 0 and 1, and {value} does not")]
    TargetNotAProbability { loss: &'static str, index: [usize; 2], value: f64 },
}

/// Inputs `[examples][inputs]` that fit the model that checked them.
#[derive(Clone, Debug)]
pub struct Inputs(Arc<Matrix>);

/// Targets `[examples][outputs]` that fit the model that checked them.
#[derive(Clone, Debug)]
pub struct Targets(Arc<Matrix>);

impl Inputs {
    /// `[examples][inputs]`
    pub fn matrix(&self) -> &Arc<Matrix> {
        &self.0
    }
}

impl Targets {
    /// `[examples][outputs]`
    pub fn matrix(&self) -> &Arc<Matrix> {
        &self.0
    }
}

impl Model {
    /// Checks a spec, sizes first and before anything of these sizes is allocated.
    pub fn new(spec: ModelSpec, limits: &Limits) -> Result<Self, ModelError> {
        let network = &spec.network;
        if network.inputs == 0 || network.inputs > limits.units {
            return Err(ModelError::Inputs { count: network.inputs, limit: limits.units });
        }
        if network.layers.len() > limits.layers {
            return Err(ModelError::TooManyLayers { count: network.layers.len(), limit: limits.layers });
        }
        check_names(&network.layers)?;
        check_sizes(network.inputs, &network.layers, limits)?;
        let mut below = network.inputs;
        let mut layers = Vec::with_capacity(network.layers.len());
        for (index, LayerSpec { name, kind }) in network.layers.iter().enumerate() {
            let LayerKindSpec::Dense(dense) = kind;
            let at = |fault| ModelError::Layer { index, name: name.clone(), fault };
            check_values(below, dense).map_err(at)?;
            layers.push(NamedLayer { name: name.clone(), layer: Layer::Dense(Dense::new(below, dense.clone())) });
            below = dense.units;
        }
        check_end(spec.loss, &network.layers)?;
        Ok(Self { inputs: network.inputs, layers, loss: spec.loss, optimizer: spec.optimizer.clone(), spec })
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

    /// The layer of that name with its index.
    pub fn layer(&self, name: &str) -> Option<(usize, &NamedLayer)> {
        self.layers.iter().enumerate().find(|(_, layer)| layer.name.as_str() == name)
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
        self.layers.iter().map(|layer| layer.layer.size().parameters).sum()
    }

    /// The state that the seed and the explicit values give, the same every time.
    pub fn start(&self) -> State {
        let mut stream = Stream::new(self.spec.seed.value());
        State::new(self.layers.iter().map(|layer| Arc::new(layer.layer.start(&mut stream))).collect())
    }

    /// The inputs, where they fit the first layer.
    pub fn check_inputs(&self, inputs: Matrix, limits: &Limits) -> Result<Inputs, BatchError> {
        if inputs.rows() > limits.examples {
            return Err(BatchError::TooManyExamples { count: inputs.rows(), limit: limits.examples });
        }
        if inputs.columns() != self.inputs {
            let layer = self.layers[0].name.clone();
            return Err(BatchError::Inputs { layer, expected: self.inputs, got: inputs.columns() });
        }
        Ok(Inputs(Arc::new(inputs)))
    }

    /// The targets, where they fit the inputs, the last layer and the loss.
    pub fn check_targets(&self, inputs: &Inputs, targets: Matrix) -> Result<Targets, BatchError> {
        let last = &self.layers[self.layers.len() - 1];
        let expected = last.layer.size().outputs;
        if targets.columns() != expected {
            return Err(BatchError::Targets { layer: last.name.clone(), expected, got: targets.columns() });
        }
        if targets.rows() != inputs.0.rows() {
            return Err(BatchError::Rows { inputs: inputs.0.rows(), targets: targets.rows() });
        }
        if self.loss.of_probabilities()
            && let Some(at) = targets.values().iter().position(|target| !(0.0..=1.0).contains(target))
        {
            let index = [at / expected, at % expected];
            let value = targets.values()[at];
            return Err(BatchError::TargetNotAProbability { loss: self.loss.as_str(), index, value });
        }
        Ok(Targets(Arc::new(targets)))
    }
}

fn check_names(layers: &[LayerSpec]) -> Result<(), ModelError> {
    let mut places = HashMap::new();
    for (index, LayerSpec { name, .. }) in layers.iter().enumerate() {
        if let Some(first) = places.insert(name, index) {
            let fault = LayerFault::NameTaken { first };
            return Err(ModelError::Layer { index, name: name.clone(), fault });
        }
    }
    if layers.is_empty() { Err(ModelError::NoLayers) } else { Ok(()) }
}

fn check_sizes(inputs: usize, layers: &[LayerSpec], limits: &Limits) -> Result<(), ModelError> {
    let (mut below, mut count) = (inputs, 0_usize);
    for (index, LayerSpec { name, kind }) in layers.iter().enumerate() {
        let LayerKindSpec::Dense(dense) = kind;
        if dense.units == 0 || dense.units > limits.units {
            let fault = LayerFault::Units { count: dense.units, limit: limits.units };
            return Err(ModelError::Layer { index, name: name.clone(), fault });
        }
        let biases = if dense.bias == BiasStart::None { 0 } else { dense.units };
        count = count.saturating_add(below.saturating_mul(dense.units)).saturating_add(biases);
        if count > limits.parameters {
            return Err(ModelError::TooManyParameters { count, limit: limits.parameters });
        }
        below = dense.units;
    }
    Ok(())
}

fn check_values(inputs: usize, dense: &DenseSpec) -> Result<(), LayerFault> {
    if let WeightsStart::Values(weights) = &dense.weights {
        let (rows, columns) = (weights.rows(), weights.columns());
        if (rows, columns) != (inputs, dense.units) {
            return Err(LayerFault::Weights { inputs, units: dense.units, rows, columns });
        }
    }
    match &dense.bias {
        BiasStart::Values(bias) if bias.len() != dense.units => {
            Err(LayerFault::Bias { units: dense.units, given: bias.len() })
        }
        _ => Ok(()),
    }
}

fn check_end(loss: Loss, layers: &[LayerSpec]) -> Result<(), ModelError> {
    match (loss, layers.last()) {
        (Loss::CrossEntropy, Some(LayerSpec { name, kind: LayerKindSpec::Dense(dense) }))
            if dense.activation != Activation::Softmax =>
        {
            Err(ModelError::CrossEntropyWithoutSoftmax { index: layers.len() - 1, name: name.clone() })
        }
        _ => Ok(()),
    }
}
