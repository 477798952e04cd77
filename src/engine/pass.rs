//! Forward, backward, update: from a model, a state and a batch to a trace, values to values.
//!
//! A pass that meets an infinite or undefined number answers an error, and the state it started from is untouched.

use std::sync::Arc;

use thiserror::Error;

use super::layer::{LayerBackward, LayerForward};
use super::loss::Loss;
use super::matrix::{Matrix, sum};
use super::model::{Inputs, Model, Targets};
use super::name::LayerName;
use super::non_finite::{NonFinite, first_non_finite};
use super::optimizer::{LearningRate, Optimizer};
use super::state::State;
use super::trace::{Backward, Forward, LayerUpdate, LossTrace, Trace, Update};

/// Why a pass has no trace.
#[derive(Clone, Debug, Error, PartialEq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum PassError {
    /// A number overflowed or is undefined.
    #[error("{0}")]
    NonFinite(Box<NonFinite>),
    /// The loss takes a logarithm of something that is no probability.
    #[error(
        "{} reads probabilities: an output lies between 0 and 1, and output {} of example {} is {value}; give layer {layer} the activation sigmoid", .loss.as_str(), .index[1], .index[0]
    )]
    OutputNotAProbability { loss: Loss, layer: LayerName, index: [usize; 2], value: f64 },
}

/// The forward pass, and the loss where there are targets.
pub fn forward(model: &Model, state: &State, inputs: &Inputs, targets: Option<&Targets>) -> Result<Trace, PassError> {
    let forward = run_forward(model, state, inputs);
    let mut trace = Trace { forward, loss: None, backward: None, update: None };
    if let Some(targets) = targets {
        trace.loss = Some(judge(model, &trace, targets)?);
    }
    finite(model, trace)
}

/// Forward, loss, backward, and the update that a step would make. Nothing is changed.
pub fn backward(
    model: &Model,
    state: &State,
    inputs: &Inputs,
    targets: &Targets,
    learning_rate: Option<LearningRate>,
) -> Result<Trace, PassError> {
    finite(model, whole(model, state, inputs, targets, learning_rate)?)
}

/// All of it, the state after it, and the loss that the same batch has then.
pub fn step(
    model: &Model,
    state: &State,
    inputs: &Inputs,
    targets: &Targets,
    learning_rate: Option<LearningRate>,
) -> Result<(Trace, State), PassError> {
    let mut trace = finite(model, whole(model, state, inputs, targets, learning_rate)?)?;
    let after = state_after(&trace);
    let again = forward(model, &after, inputs, Some(targets)).map_err(PassError::after_the_update)?;
    if let (Some(update), Some(loss)) = (&mut trace.update, again.loss) {
        update.loss_after = Some(loss.value);
    }
    Ok((trace, after))
}

fn whole(
    model: &Model,
    state: &State,
    inputs: &Inputs,
    targets: &Targets,
    learning_rate: Option<LearningRate>,
) -> Result<Trace, PassError> {
    let forward = run_forward(model, state, inputs);
    let mut trace = Trace { forward, loss: None, backward: None, update: None };
    trace.loss = Some(judge(model, &trace, targets)?);
    let backward = run_backward(model, &trace.forward, targets.matrix());
    let optimizer = learning_rate.map_or(model.optimizer().clone(), |rate| model.optimizer().with_learning_rate(rate));
    trace.update = Some(run_update(optimizer, &trace.forward, &backward));
    trace.backward = Some(backward);
    Ok(trace)
}

fn run_forward(model: &Model, state: &State, inputs: &Inputs) -> Forward {
    let mut outputs = Arc::clone(inputs.matrix());
    let mut layers: Vec<LayerForward> = Vec::with_capacity(model.layers().len());
    for (named, parameters) in model.layers().iter().zip(state.layers()) {
        let layer = named.layer.forward(&named.name, parameters, &outputs);
        outputs = Arc::clone(layer.outputs());
        layers.push(layer);
    }
    Forward { inputs: Arc::clone(inputs.matrix()), layers, outputs }
}

/// The loss of outputs; a loss that takes logarithms first makes sure that they are probabilities.
fn judge(model: &Model, trace: &Trace, targets: &Targets) -> Result<LossTrace, PassError> {
    let (kind, outputs) = (model.loss(), &trace.forward.outputs);
    if kind.of_probabilities()
        && let Some(at) = outputs.values().iter().position(|output| !(0.0..=1.0).contains(output))
    {
        // An output that is no number at all is reported as what it is, from where it began.
        if let Some(non_finite) = first_non_finite(model, trace) {
            return Err(PassError::NonFinite(Box::new(non_finite)));
        }
        let index = [at / outputs.columns(), at % outputs.columns()];
        let layer = model.layers()[model.layers().len() - 1].name.clone();
        return Err(PassError::OutputNotAProbability { loss: kind, layer, index, value: outputs.values()[at] });
    }
    let per_example = kind.per_example(targets.matrix(), outputs);
    #[allow(clippy::cast_precision_loss, reason = "examples are limited far below 2^53")]
    let value = sum(per_example.iter().copied()) / per_example.len() as f64;
    Ok(LossTrace { kind, targets: Arc::clone(targets.matrix()), per_example, value })
}

fn run_backward(model: &Model, forward: &Forward, targets: &Matrix) -> Backward {
    let mut errors = model.loss().errors(targets, &forward.outputs);
    let mut layers: Vec<LayerBackward> = Vec::with_capacity(forward.layers.len());
    for (index, layer) in forward.layers.iter().enumerate().rev() {
        let backward = layer.backward(forward.below(index), errors);
        // The inputs of the network take no blame: nothing is computed for them.
        errors = if index == 0 { Matrix::filled(1, 1, 0.0) } else { layer.errors_below(&backward) };
        layers.push(backward);
    }
    Backward { layers }
}

fn run_update(optimizer: Optimizer, forward: &Forward, backward: &Backward) -> Update {
    let updated = |(before, backward): (&LayerForward, &LayerBackward)| LayerUpdate {
        name: backward.name().clone(),
        parameters: backward.gradients().map(|name, gradient| optimizer.update(&before.parameters()[name], gradient)),
    };
    let layers = forward.layers.iter().rev().zip(&backward.layers).map(updated).collect();
    Update { optimizer, layers, loss_after: None }
}

/// The state that an update leads to.
fn state_after(trace: &Trace) -> State {
    let layers = trace.update.iter().flat_map(|update| update.layers.iter().rev());
    let parameters = |layer: &LayerUpdate| Arc::new(layer.parameters.map(|_, update| Arc::clone(&update.after)));
    State::new(layers.map(parameters).collect())
}

fn finite(model: &Model, trace: Trace) -> Result<Trace, PassError> {
    match first_non_finite(model, &trace) {
        None => Ok(trace),
        Some(non_finite) => Err(PassError::NonFinite(Box::new(non_finite))),
    }
}

impl Forward {
    /// What came into a layer from below, `[examples][units]`.
    pub fn below(&self, index: usize) -> &Matrix {
        if index == 0 { &self.inputs } else { self.layers[index - 1].outputs() }
    }
}

impl PassError {
    /// The same, met when the parameters after the step were tried out.
    fn after_the_update(self) -> Self {
        match self {
            Self::NonFinite(non_finite) => Self::NonFinite(Box::new(non_finite.after_the_update())),
            Self::OutputNotAProbability { .. } => self,
        }
    }
}
