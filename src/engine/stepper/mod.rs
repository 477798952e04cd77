//! Steps without a trace, for training runs: the same numbers by the same formulas in the same order, in buffers that
//! are made once.
//!
//! A step that is made here is the one that [`Pass::train_step`](super::pass::Pass::train_step) makes, to the bit. What
//! it refuses (a number that is not finite, an output that is no probability) is not told from what it only might
//! refuse: such a step is left to it. Stacks of dense layers and activations are made here, under any loss and any
//! optimizer; anything else is not.

mod layer;
mod narrow;
mod update;

use super::dataset::split::Part;
use super::layer::Layer;
use super::loss::{Loss, mean};
use super::matrix::{Matrix, Packing, norm};
use super::model::Model;
use super::optimizer::{Common, LearningRate};
use super::state::{LayerState, State};
use super::tap::Tap;
use layer::StackedLayer;
use update::{Plain, Rule, uphill};

/// A model that makes one step after the other.
pub struct Stepper<'m> {
    model: &'m Model,
    layers: Vec<StackedLayer>,
    /// Whether steps of one example by plain descent are made on the way down
    is_narrow: bool,
    updates: u64,
    /// The rows to learn from
    part: &'m Part,
    /// x and y of a batch whose rows do not lie side by side, `[examples][inputs]` and `[examples][outputs]`
    gathered: (Vec<f64>, Vec<f64>),
    /// ŷ of the last step that was made, `[examples][outputs]`
    last_outputs: Vec<f64>,
    packing: Packing,
}

/// Errors below this are squared, summed over any batch and multiplied with any slope without overflow.
const ERROR_MOST: f64 = 1e140;

impl<'m> Stepper<'m> {
    /// From a state on, for batches of at most so many of those rows, which fit the model; `None` where the model has
    /// other layers.
    pub fn new(model: &'m Model, state: &State, part: &'m Part, rows: usize) -> Option<Self> {
        if !Self::is_for(model) {
            return None;
        }
        let of = |(named, state)| StackedLayer::new(named, state, rows);
        let layers = model.layers().iter().zip(state.layers()).map(of).collect::<Option<Vec<_>>>()?;
        let (first, last) = (layers.first()?, layers.last()?);
        Some(Self {
            model,
            is_narrow: model.optimizer().is_plain() && layers.iter().all(StackedLayer::is_narrow),
            updates: state.updates(),
            part,
            gathered: (vec![0.0; rows * first.inputs()], vec![0.0; rows * last.units()]),
            last_outputs: vec![0.0; rows * last.units()],
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
    pub fn step(&mut self, places: &[usize], learning_rate: Option<LearningRate>) -> bool {
        let rows = places.len();
        let inputs = side_by_side(&self.part.inputs, places, &mut self.gathered.0);
        let targets = side_by_side(&self.part.targets, places, &mut self.gathered.1);
        if !climb(&mut self.layers, self.model.loss(), (inputs, targets), rows, &mut self.packing) {
            return false;
        }
        let rate = learning_rate.unwrap_or(self.model.optimizer().learning_rate).value();
        let fine = if rows == 1 && self.is_narrow {
            let mut fine = true;
            descend(&mut self.layers, inputs, |layer, below, errors_below| {
                fine &= layer.descend_and_update(below, errors_below, rate);
            });
            fine
        } else {
            let packing = &mut self.packing;
            let plain = self.model.optimizer().is_plain().then(|| Plain::new(rate, rows));
            let mut fine = true;
            descend(&mut self.layers, inputs, |layer, below, errors_below| {
                fine &= layer.descend(below, errors_below, (rows, plain), packing);
            });
            fine && (plain.is_some() || self.update(rows, rate))
        };
        if !fine {
            return false;
        }
        self.layers.iter_mut().for_each(StackedLayer::commit);
        self.updates += 1;
        if let Some(top) = self.layers.last_mut() {
            std::mem::swap(&mut self.last_outputs, &mut top.outputs);
        }
        true
    }

    /// Every parameter after the step; whether all of them, and all on the way to them, are finite.
    fn update(&mut self, rows: usize, rate: f64) -> bool {
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
        let rule = Rule::new(optimizer, rate, Common { timestep: self.updates + 1, clip });
        self.layers.iter_mut().flat_map(StackedLayer::parameters_mut).all(|parameter| rule.update(parameter, rows))
    }

    /// The mean loss of the last step that was made, before its update, by the places of its rows.
    pub fn last_loss(&self, places: &[usize]) -> f64 {
        let targets = self.part.chosen(places).targets;
        let outputs = self.last_outputs[..targets.values().len()].to_vec();
        let outputs = Matrix::new(targets.rows(), targets.columns(), outputs);
        mean(&self.model.loss().per_example(&targets, &outputs))
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

/// Some rows of a matrix as they lie where they lie side by side, and else gathered.
fn side_by_side<'r>(matrix: &'r Matrix, places: &[usize], gathered: &'r mut [f64]) -> &'r [f64] {
    let columns = matrix.columns();
    if let [first, .., last] | [first @ last] = places
        && places.windows(2).all(|pair| pair[0] + 1 == pair[1])
    {
        return &matrix.values()[first * columns..(last + 1) * columns];
    }
    let gathered = &mut gathered[..places.len() * columns];
    for (&place, to) in places.iter().zip(gathered.chunks_exact_mut(columns)) {
        to.copy_from_slice(matrix.row(place));
    }
    gathered
}

/// Outputs of every layer, and the errors at the top. Whether all of them are beyond doubt.
fn climb(
    layers: &mut [StackedLayer],
    loss: Loss,
    (inputs, targets): (&[f64], &[f64]),
    rows: usize,
    packing: &mut Packing,
) -> bool {
    let mut below = inputs;
    for layer in &mut *layers {
        if !layer.climb(below, rows, packing) {
            return false;
        }
        below = &layer.outputs;
    }
    let Some(top) = layers.last_mut() else { return false };
    let outputs = &top.outputs[..targets.len()];
    if loss.of_probabilities() && !outputs.iter().fold(true, |all, output| all & (0.0..=1.0).contains(output)) {
        return false;
    }
    let errors = &mut top.errors[..targets.len()];
    loss.errors_into(targets, outputs, targets.len() / rows, errors);
    errors.iter().fold(true, |all, error| all & (error.abs() < ERROR_MOST))
}

/// Every layer from the top down, with what it was given and the place of the errors of the layer below.
fn descend(
    layers: &mut [StackedLayer],
    inputs: &[f64],
    mut visit: impl FnMut(&mut StackedLayer, &[f64], Option<&mut Vec<f64>>),
) {
    let mut above = layers;
    while let [below @ .., layer] = above {
        match below.last_mut() {
            Some(below) => visit(layer, &below.outputs, Some(&mut below.errors)),
            None => visit(layer, inputs, None),
        }
        above = below;
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
