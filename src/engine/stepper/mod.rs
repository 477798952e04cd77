//! Steps without a trace, for training runs: the same numbers by the same formulas in the same order, in buffers that
//! are made once.
//!
//! A step that is made here is the one that [`Pass::train_step`](super::pass::Pass::train_step) makes, to the bit. What
//! it refuses (a number that is not finite, an output that is no probability) is not told from what it only might
//! refuse: such a step is left to it. Stacks of dense layers and activations are made here, under any loss and any
//! optimizer; anything else is not.

mod layer;
mod update;

use super::dataset::split::Part;
use super::layer::Layer;
use super::loss::mean;
use super::matrix::{Matrix, Packing, norm};
use super::model::Model;
use super::optimizer::{Common, LearningRate};
use super::state::{LayerState, State};
use super::tap::Tap;
use layer::StackedLayer;
use update::{Rule, uphill};

/// A model that makes one step after the other.
pub struct Stepper<'m> {
    model: &'m Model,
    layers: Vec<StackedLayer>,
    updates: u64,
    /// x and y of the batch, `[examples][inputs]` and `[examples][outputs]`
    inputs: Vec<f64>,
    targets: Vec<f64>,
    /// y and ŷ of the last step that was made, and its examples
    last: Last,
    packing: Packing,
}

#[derive(Default)]
struct Last {
    targets: Vec<f64>,
    outputs: Vec<f64>,
    rows: usize,
}

/// Errors below this are squared, summed over any batch and multiplied with any slope without overflow.
const ERROR_MOST: f64 = 1e140;

impl<'m> Stepper<'m> {
    /// From a state on, for batches of at most so many rows; `None` where the model has other layers.
    pub fn new(model: &'m Model, state: &State, rows: usize) -> Option<Self> {
        if !Self::is_for(model) {
            return None;
        }
        let of = |(named, state)| StackedLayer::new(named, state, rows);
        let layers = model.layers().iter().zip(state.layers()).map(of).collect::<Option<Vec<_>>>()?;
        let (first, last) = (layers.first()?, layers.last()?);
        Some(Self {
            model,
            updates: state.updates(),
            inputs: vec![0.0; rows * first.inputs()],
            targets: vec![0.0; rows * last.units()],
            last: Last { targets: vec![0.0; rows * last.units()], outputs: vec![0.0; rows * last.units()], rows: 0 },
            packing: Packing::default(),
            layers,
        })
    }

    /// Whether steps of a model are made here: every error that is computed then leads to a gradient, so that one which
    /// overflows shows in a parameter.
    pub fn is_for(model: &Model) -> bool {
        let stacked = |layer: &Layer| matches!(layer, Layer::Dense(_) | Layer::Activation(_));
        let layers = model.layers();
        matches!(layers.first().map(|named| &named.layer), Some(Layer::Dense(_)))
            && layers.iter().all(|named| stacked(&named.layer))
    }

    /// Makes the step of some rows; `false` where it is in doubt, and nothing is changed.
    pub fn step(&mut self, part: &Part, places: &[usize], learning_rate: Option<LearningRate>) -> bool {
        let rows = places.len();
        self.gather(part, places);
        if !self.climb(rows) {
            return false;
        }
        self.descend(rows);
        if !self.update(rows, learning_rate) {
            return false;
        }
        self.layers.iter_mut().for_each(StackedLayer::commit);
        self.updates += 1;
        self.last.rows = rows;
        std::mem::swap(&mut self.last.targets, &mut self.targets);
        if let Some(top) = self.layers.last_mut() {
            std::mem::swap(&mut self.last.outputs, &mut top.outputs);
        }
        true
    }

    fn gather(&mut self, part: &Part, places: &[usize]) {
        let into = |matrix: &Matrix, to: &mut [f64]| {
            for (&place, to) in places.iter().zip(to.chunks_exact_mut(matrix.columns())) {
                to.copy_from_slice(matrix.row(place));
            }
        };
        into(&part.inputs, &mut self.inputs);
        into(&part.targets, &mut self.targets);
    }

    /// Outputs of every layer, and the errors at the top. Whether all of them are beyond doubt.
    fn climb(&mut self, rows: usize) -> bool {
        let mut below = &self.inputs[..];
        for layer in &mut self.layers {
            if !layer.climb(below, rows, &mut self.packing) {
                return false;
            }
            below = &layer.outputs;
        }
        let Some(top) = self.layers.last_mut() else { return false };
        let (loss, units) = (self.model.loss(), top.units());
        let (outputs, targets) = (&top.outputs[..rows * units], &self.targets[..rows * units]);
        if loss.of_probabilities() && !outputs.iter().fold(true, |all, output| all & (0.0..=1.0).contains(output)) {
            return false;
        }
        let errors = &mut top.errors[..rows * units];
        loss.errors_into(targets, outputs, units, errors);
        errors.iter().fold(true, |all, error| all & (error.abs() < ERROR_MOST))
    }

    /// Deltas and sums of gradients of every layer.
    fn descend(&mut self, rows: usize) {
        for at in (0..self.layers.len()).rev() {
            let (below, here) = self.layers.split_at_mut(at);
            let layer = &mut here[0];
            match below.last_mut() {
                Some(below) => layer.descend(&below.outputs, Some(&mut below.errors), rows, &mut self.packing),
                None => layer.descend(&self.inputs, None, rows, &mut self.packing),
            }
        }
    }

    /// Every parameter after the step; whether all of them, and all on the way to them, are finite.
    fn update(&mut self, rows: usize, learning_rate: Option<LearningRate>) -> bool {
        let optimizer = self.model.optimizer();
        let mut clip = None;
        if optimizer.clip_norm.is_some() {
            for parameter in self.layers.iter_mut().flat_map(StackedLayer::parameters_mut) {
                parameter.gradient.iter_mut().for_each(|sum| *sum = uphill(rows, *sum));
            }
            let gradients =
                || self.layers.iter().rev().flat_map(StackedLayer::parameters).flat_map(|p| p.gradient.iter());
            clip = optimizer.clip(|| norm(gradients().copied()), &mut Tap::none());
            if !clip.is_some_and(|clip| clip.norm.is_finite()) {
                return false;
            }
        }
        let rate = learning_rate.unwrap_or(optimizer.learning_rate).value();
        let rule = Rule::new(optimizer, rate, Common { timestep: self.updates + 1, clip });
        self.layers.iter_mut().flat_map(StackedLayer::parameters_mut).all(|parameter| rule.update(parameter, rows))
    }

    /// The mean loss of the last batch before its update; `None` before the first step.
    pub fn last_loss(&self) -> Option<f64> {
        let Last { targets, outputs, rows } = &self.last;
        let matrix = |values: &[f64]| {
            let units = self.layers.last().map_or(1, StackedLayer::units);
            Matrix::new(*rows, units, values[..rows * units].to_vec())
        };
        (*rows > 0).then(|| mean(&self.model.loss().per_example(&matrix(targets), &matrix(outputs))))
    }

    /// The state after the last step.
    pub fn state(&self) -> State {
        let start = self.model.start();
        let layers = start.layers().iter().zip(&self.layers).map(|(like, layer)| layer.state(like)).collect();
        State::new(layers, self.updates)
    }

    /// Goes on from another state of the same model.
    pub fn take(&mut self, state: &State) {
        self.updates = state.updates();
        self.layers.iter_mut().zip(state.layers()).for_each(|(layer, state)| layer.take(state));
    }
}

impl LayerState {
    /// The same shapes with other numbers: of each parameter its values and then each of its slots.
    fn filled<'v>(&self, mut values: impl Iterator<Item = &'v [f64]>) -> Self {
        let mut filled = self.clone();
        let (mut parameters, mut slots) = ((*self.parameters).clone(), (*self.slots).clone());
        let mut fill = |tensor: &mut std::sync::Arc<super::tensor::Tensor>| {
            if let Some(values) = values.next() {
                std::sync::Arc::make_mut(tensor).values_mut().copy_from_slice(values);
            }
        };
        for (name, tensor) in parameters.iter_mut() {
            fill(tensor);
            let of_this = slots.iter_mut().filter(|(slot, _)| *slot == name);
            of_this.flat_map(|(_, slots)| slots.iter_mut()).for_each(|(_, tensor)| fill(tensor));
        }
        (filled.parameters, filled.slots) = (parameters.into(), slots.into());
        filled
    }
}
