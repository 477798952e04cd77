//! Forward, backward, update: from a model, a state and a batch to a trace, values to values.
//!
//! A pass that meets an infinite or undefined number answers an error, and the state it started from is untouched.

use std::sync::Arc;

use thiserror::Error;

use super::layer::normalization::Statistics;
use super::layer::{Below, Layer, LayerBackward, LayerForward, NamedLayer, Way, climb, descend};
use super::loss::{Loss, mean};
use super::matrix::norm;
use super::mode::Mode;
use super::model::{Inputs, Model, Targets};
use super::name::LayerName;
use super::non_finite::{NonFinite, first_non_finite};
use super::optimizer::{Before, Common, LearningRate, Optimizer, TensorUpdate};
use super::random::Stream;
use super::state::{LayerState, Running, State};
use super::tap::{Tap, Touch};
use super::tensor::{Named, Tensor, WireName};
use super::trace::{Backward, Forward, LayerUpdate, LossTrace, RunningUpdate, StatisticUpdate, Trace, Update};

/// A pass to be made: what it is made over, and how.
#[derive(Clone, Copy)]
pub struct Pass<'a> {
    /// The network, its loss and its optimizer
    pub model: &'a Model,
    /// What it has learned so far
    pub state: &'a State,
    /// x
    pub inputs: &'a Inputs,
    /// Training or use
    pub mode: Mode,
    /// In the place of the optimizer's own
    pub learning_rate: Option<LearningRate>,
}

/// Why a pass has no trace.
#[derive(Clone, Debug, Error, PartialEq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum PassError {
    /// A number overflowed or is undefined.
    #[error("{0}")]
    NonFinite(Box<NonFinite>),
    /// The loss takes a logarithm of something that is no probability.
    #[error(
        "{}{} reads probabilities: an output lies between 0 and 1, and output {} of example {} is {value}; give layer {layer} the activation sigmoid",
        if *.after_the_update { "with the parameters after the step, " } else { "" }, .loss.as_str(), .index[1], .index[0]
    )]
    OutputNotAProbability { loss: Loss, layer: LayerName, index: [usize; 2], value: f64, after_the_update: bool },
}

impl Pass<'_> {
    /// The forward pass, and the loss where there are targets.
    pub fn forward(&self, targets: Option<&Targets>) -> Result<Trace, PassError> {
        self.run_forward(targets, &mut Tap::none())
    }

    /// Forward, loss, backward, and the update that a step would make. Nothing is changed.
    pub fn backward(&self, targets: &Targets) -> Result<Trace, PassError> {
        self.run_backward(targets, &mut Tap::none())
    }

    /// All of it, the state after it, and the loss that the same batch has then: in the same mode, with the same
    /// numbers dropped.
    pub fn step(&self, targets: &Targets) -> Result<(Trace, State), PassError> {
        self.run_step(targets, &mut Tap::none(), &mut Tap::none())
    }

    /// A step of a training run: it is made where all of its own numbers are finite. The loss afterwards is left out
    /// where the parameters after the step give none; then the next step cannot be made.
    pub fn train_step(&self, targets: &Targets) -> Result<(Trace, State), PassError> {
        let mut trace = self.backward(targets)?;
        let after = self.state_after(&trace);
        if let Some(update) = &mut trace.update {
            update.loss_after = self.loss_after(&after, targets, &mut Tap::none()).ok().flatten();
        }
        Ok((trace, after))
    }

    /// `forward` with a tap in it.
    pub fn forward_tapped(&self, targets: Option<&Targets>, touch: &mut Touch) -> Result<Trace, PassError> {
        self.run_forward(targets, &mut Tap::new(touch))
    }

    /// `backward` with a tap in it.
    pub fn backward_tapped(&self, targets: &Targets, touch: &mut Touch) -> Result<Trace, PassError> {
        self.run_backward(targets, &mut Tap::new(touch))
    }

    /// `step` with a tap in it, and another one in the forward pass that gives the loss afterwards.
    pub fn step_tapped(
        &self,
        targets: &Targets,
        touch: &mut Touch,
        afterwards: &mut Touch,
    ) -> Result<(Trace, State), PassError> {
        self.run_step(targets, &mut Tap::new(touch), &mut Tap::new(afterwards))
    }

    /// `step_tapped` for steps that may be too wild to have a loss afterwards: then it is not a number.
    pub fn wild_step_tapped(
        &self,
        targets: &Targets,
        touch: &mut Touch,
        afterwards: &mut Touch,
    ) -> Result<Trace, PassError> {
        let mut trace = self.backward_tapped(targets, touch)?;
        let after = self.state_after(&trace);
        let loss = self.loss_after(&after, targets, &mut Tap::new(afterwards));
        if let Some(update) = &mut trace.update {
            update.loss_after = Some(loss.ok().flatten().unwrap_or(f64::NAN));
        }
        Ok(trace)
    }

    fn run_forward(&self, targets: Option<&Targets>, tap: &mut Tap) -> Result<Trace, PassError> {
        let forward = self.climb(tap);
        let mut trace = Trace { forward, loss: None, backward: None, update: None };
        if let Some(targets) = targets {
            trace.loss = Some(self.judge(&trace, targets, tap)?);
        }
        self.finite(trace)
    }

    fn run_backward(&self, targets: &Targets, tap: &mut Tap) -> Result<Trace, PassError> {
        let forward = self.climb(tap);
        let mut trace = Trace { forward, loss: None, backward: None, update: None };
        let loss = self.judge(&trace, targets, tap)?;
        let errors = self.model.loss().errors(&loss.targets, &trace.forward.outputs);
        trace.loss = Some(loss);
        let (layers, _) = tap.within("backward", |tap| {
            descend(&trace.forward.layers, &trace.forward.inputs, Arc::new(errors), Below::Ends, tap)
        });
        trace.backward = Some(Backward { layers });
        trace.update = tap.within("update", |tap| self.update(&trace, tap));
        self.finite(trace)
    }

    fn run_step(&self, targets: &Targets, tap: &mut Tap, afterwards: &mut Tap) -> Result<(Trace, State), PassError> {
        let mut trace = self.run_backward(targets, tap)?;
        let after = self.state_after(&trace);
        let loss = self.loss_after(&after, targets, afterwards)?;
        if let Some(update) = &mut trace.update {
            update.loss_after = loss;
        }
        Ok((trace, after))
    }

    /// The loss that the batch has with the parameters after the step.
    fn loss_after(&self, after: &State, targets: &Targets, tap: &mut Tap) -> Result<Option<f64>, PassError> {
        // The masks are those of the step itself: the number of updates is the one before it.
        let tried = State::new(after.layers().to_vec(), self.state.updates());
        let again = Pass { state: &tried, ..*self };
        let again = again.run_forward(Some(targets), tap).map_err(PassError::after_the_update)?;
        Ok(again.loss.map(|loss| loss.value))
    }

    fn climb(&self, tap: &mut Tap) -> Forward {
        let mut random = Stream::spawned(self.model.spec().seed.value(), self.state.updates());
        let mut inputs = Arc::clone(self.inputs.matrix());
        tap.within("forward", |tap| {
            tap.shared("inputs", &mut inputs);
            let mut way = Way { mode: self.mode, random: &mut random, tap };
            let layers = climb(self.model.layers(), self.state.layers(), &inputs, &mut way);
            let mut outputs = Arc::clone(layers.last().map_or(&inputs, LayerForward::outputs));
            tap.shared("outputs", &mut outputs);
            Forward { inputs, layers, outputs }
        })
    }

    /// The loss of outputs; a loss that takes logarithms first makes sure that they are probabilities.
    fn judge(&self, trace: &Trace, targets: &Targets, tap: &mut Tap) -> Result<LossTrace, PassError> {
        let (kind, outputs) = (self.model.loss(), &trace.forward.outputs);
        if kind.of_probabilities()
            && let Some(at) = outputs.values().iter().position(|output| !(0.0..=1.0).contains(output))
        {
            // An output that is no number at all is reported as what it is, from where it began.
            if let Some(non_finite) = first_non_finite(self.model, trace) {
                return Err(PassError::NonFinite(Box::new(non_finite)));
            }
            let index = [at / outputs.columns(), at % outputs.columns()];
            let layer = self.model.layers()[self.model.layers().len() - 1].name.clone();
            return Err(PassError::OutputNotAProbability {
                loss: kind,
                layer,
                index,
                value: outputs.values()[at],
                after_the_update: false,
            });
        }
        Ok(tap.within("loss", |tap| {
            let mut targets = Arc::clone(targets.matrix());
            tap.shared("targets", &mut targets);
            let mut per_example = kind.per_example(&targets, outputs);
            tap.vector("per_example", &mut per_example);
            let mut value = mean(&per_example);
            tap.scalar("value", &mut value);
            LossTrace { kind, targets, per_example, value }
        }))
    }

    fn update(&self, trace: &Trace, tap: &mut Tap) -> Option<Update> {
        let backward = trace.backward.as_ref()?;
        let own = self.model.optimizer();
        let optimizer = self.learning_rate.map_or_else(|| own.clone(), |rate| own.with_learning_rate(rate));
        let clip = tap.within("clip", |tap| {
            optimizer.clip(|| norm(gradients(&backward.layers).into_iter().flat_map(Tensor::values).copied()), tap)
        });
        let timestep = self.state.updates() + 1;
        let common = Common { timestep, clip };
        let layers = self.model.layers();
        let passes = Passes { forward: &trace.forward.layers, backward: &backward.layers };
        let layers = update_layers(&optimizer, common, layers, self.state.layers(), passes, tap);
        let timestep = optimizer.counts_updates().then_some(timestep);
        Some(Update { optimizer, timestep, clip, layers, loss_after: None })
    }

    /// The state that an update leads to.
    fn state_after(&self, trace: &Trace) -> State {
        let updates = trace.update.as_ref().map_or(&[][..], |update| &update.layers);
        State::new(states_after(self.state.layers(), updates), self.state.updates() + 1)
    }

    fn finite(&self, trace: Trace) -> Result<Trace, PassError> {
        match first_non_finite(self.model, &trace) {
            None => Ok(trace),
            Some(non_finite) => Err(PassError::NonFinite(Box::new(non_finite))),
        }
    }
}

/// All gradients, in the order of the backward layers: a residual block's own before those inside.
pub(super) fn gradients(layers: &[LayerBackward]) -> Vec<&Tensor> {
    let mut all = vec![];
    for layer in layers {
        all.extend(layer.gradients().into_iter().flat_map(Named::iter).map(|(_, tensor)| tensor));
        all.extend(gradients(layer.inner()));
    }
    all
}

/// What the layers did, on the way up from below and on the way down from the top.
#[derive(Clone, Copy)]
struct Passes<'a> {
    forward: &'a [LayerForward],
    backward: &'a [LayerBackward],
}

fn update_layers(
    optimizer: &Optimizer,
    common: Common,
    layers: &[NamedLayer],
    states: &[LayerState],
    Passes { forward, backward }: Passes,
    tap: &mut Tap,
) -> Vec<LayerUpdate> {
    let from_the_top = layers.iter().zip(states).zip(forward).rev().zip(backward);
    let mut updates = Vec::with_capacity(layers.len());
    for (index, (((named, state), up), down)) in from_the_top.enumerate() {
        let update = tap.within("layers", |tap| {
            tap.at(index, |tap| {
                let parameters = update_parameters(optimizer, common, state, up, down, tap);
                let running = update_running(&named.layer, state, up, tap);
                let inner = Passes { forward: up.inner(), backward: down.inner() };
                let layers = update_layers(optimizer, common, named.layer.inner(), &state.layers, inner, tap);
                LayerUpdate { name: named.name.clone(), parameters, running, layers }
            })
        });
        updates.push(update);
    }
    updates
}

fn update_parameters(
    optimizer: &Optimizer,
    common: Common,
    state: &LayerState,
    up: &LayerForward,
    down: &LayerBackward,
    tap: &mut Tap,
) -> Named<TensorUpdate> {
    let (Some(parameters), Some(gradients)) = (up.parameters(), down.gradients()) else { return Named::default() };
    tap.within("parameters", |tap| {
        gradients.map(|name, gradient| {
            let before = Before { parameter: &parameters[name], slots: &state.slots[name], gradient };
            tap.within(name.as_str(), |tap| optimizer.update(&before, common, tap))
        })
    })
}

/// The running statistics after a batch whose own statistics were used; with one number more in the denominator of
/// the variance, as in PyTorch.
#[allow(clippy::cast_precision_loss, reason = "examples are limited far below 2^53")]
fn update_running(layer: &Layer, state: &LayerState, up: &LayerForward, tap: &mut Tap) -> Option<RunningUpdate> {
    let (Layer::Normalization(layer), LayerForward::Normalization(up)) = (layer, up) else { return None };
    let running = state.running.as_ref().filter(|_| up.statistics == Some(Statistics::Batch))?;
    let (n, momentum) = (up.normalized.rows() as f64, layer.momentum());
    let follow = |before: &[f64], batch: Vec<f64>| StatisticUpdate {
        before: before.to_vec(),
        after: before.iter().zip(batch).map(|(before, batch)| (1.0 - momentum) * before + momentum * batch).collect(),
    };
    let mut mean = follow(&running.mean, up.mean.clone());
    let mut variance = follow(&running.variance, up.variance.iter().map(|v| (v * n) / (n - 1.0)).collect());
    tap.within("running", |tap| {
        tap.within("mean", |tap| tap.vector("after", &mut mean.after));
        tap.within("variance", |tap| tap.vector("after", &mut variance.after));
    });
    Some(RunningUpdate { momentum, mean, variance })
}

/// The states from below, from updates from the top.
fn states_after(states: &[LayerState], updates: &[LayerUpdate]) -> Vec<LayerState> {
    let after = |(state, update): (&LayerState, &LayerUpdate)| LayerState {
        parameters: Arc::new(update.parameters.map(|_, update| Arc::clone(&update.after))),
        slots: Arc::new(update.parameters.map(|name, update| match &update.state {
            Some(state) => state.after.clone(),
            None => state.slots[name].clone(),
        })),
        running: update.running.as_ref().map_or_else(
            || state.running.clone(),
            |running| {
                let (mean, variance) = (running.mean.after.clone(), running.variance.after.clone());
                Some(Arc::new(Running { mean, variance }))
            },
        ),
        layers: states_after(&state.layers, &update.layers),
    };
    states.iter().zip(updates.iter().rev()).map(after).collect()
}

impl PassError {
    /// The same, met when the parameters after the step were tried out.
    fn after_the_update(self) -> Self {
        match self {
            Self::NonFinite(non_finite) => Self::NonFinite(Box::new(non_finite.after_the_update())),
            Self::OutputNotAProbability { loss, layer, index, value, .. } => {
                Self::OutputNotAProbability { loss, layer, index, value, after_the_update: true }
            }
        }
    }
}
