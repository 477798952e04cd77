//! Gradient check: every gradient against the slope of the loss itself.
//!
//! Central differences: numeric = (E(w + h) − E(w − h))/2h with h = ε^(1/3)·max(1, |w|), which balances the error of
//! the formula, of the order h², against that of rounding, of the order ε·E/h.

use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;

use super::range::{OutOfRange, finite};
use crate::engine::activation::Activation;
use crate::engine::cost::{Extent, cost};
use crate::engine::layer::{LayerBackward, LayerForward};
use crate::engine::matrix::Matrix;
use crate::engine::model::{Model, Targets};
use crate::engine::name::{LayerName, LayerPath};
use crate::engine::pass::{Pass, PassError};
use crate::engine::random::Stream;
use crate::engine::schema;
use crate::engine::state::State;
use crate::engine::tensor::{Named, ParameterName};

/// ε^(1/3), the cube root of 2^−52.
const STEP: f64 = 6.055_454_452_393_343e-6;

/// A difference of losses is this many times its own rounding before six of its digits are sure.
const SURE: f64 = 1e6;

/// The numeric slope of the loss at a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slope {
    /// (E(w + h) − E(w − h))/2h
    pub numeric: f64,
    /// What such a difference can show with six digits
    pub resolution: f64,
}

impl Slope {
    /// From the losses on both sides, that between them, and the distance 2h.
    pub fn new(above: f64, below: f64, loss: f64, distance: f64) -> Self {
        let numeric = (above - below) / distance;
        Self { numeric, resolution: f64::EPSILON * loss.abs() / distance * SURE }
    }

    /// Whether a gradient is large enough, by either account, to be told right from wrong.
    pub fn resolves(&self, analytic: f64) -> bool {
        larger(analytic.abs(), self.numeric.abs()) >= self.resolution
    }

    /// |analytic − numeric| over the larger of the two.
    pub fn relative_error(&self, analytic: f64) -> f64 {
        let scale = larger(analytic.abs(), self.numeric.abs());
        if scale > 0.0 { (analytic / scale - self.numeric / scale).abs() } else { 0.0 }
    }
}

/// Every gradient that was checked.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GradientCheck {
    /// The largest of the relative errors, those at a kink and those not resolved left out; null where none is left
    #[schema(value_type = schema::NullableNumber)]
    pub max_relative_error: Option<f64>,
    /// Parameters whose gradient is too small for a difference of losses to tell it right from wrong
    #[schema(value_type = schema::Count)]
    pub unresolved: usize,
    /// Parameters that were checked
    #[schema(value_type = schema::Count)]
    pub checked: usize,
    /// Parameters that there are
    #[schema(value_type = schema::Count)]
    pub of: usize,
    /// The parameters in order of their layers, from the inputs up
    pub parameters: Vec<Checked>,
}

/// One parameter.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Checked {
    /// The name of its layer
    #[schema(value_type = schema::Name)]
    pub layer: LayerName,
    /// Which parameter of the layer
    pub parameter: ParameterName,
    /// Its index in that parameter, `[i, j]` or `[j]`, counted from 0
    #[schema(value_type = schema::Index)]
    pub index: Vec<usize>,
    /// ∂E/∂w of the mean loss, by the chain rule
    #[schema(value_type = schema::Number)]
    pub analytic: f64,
    /// (E(w + h) − E(w − h))/2h: the central difference of the mean loss
    #[schema(value_type = schema::Number)]
    pub numeric: f64,
    /// |analytic − numeric| over the larger of the two; says something only where it is resolved and no kink is near
    #[schema(value_type = schema::Number)]
    pub relative_error: f64,
    /// h: how far w was moved to either side
    #[schema(value_type = schema::Number)]
    pub step: f64,
    /// Whether a kink (ReLU's, leaky ReLU's, softplus's at 20) lies between w − h and w + h: there the two need not agree
    pub kink: bool,
    /// Whether the gradient is large enough for a difference of losses to show six of its digits
    pub resolved: bool,
}

/// Why gradients cannot be checked.
#[derive(Clone, Debug, Error, PartialEq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum GradientCheckError {
    #[error("{0}")]
    Pass(#[from] PassError),
    #[error("{0}")]
    OutOfRange(#[from] OutOfRange),
}

/// A number of a parameter.
struct Spot {
    layer: LayerName,
    path: LayerPath,
    parameter: ParameterName,
    index: Vec<usize>,
    at: usize,
    value: f64,
    analytic: f64,
}

/// Checks all parameters, or so many of them drawn by the seed.
pub fn gradient_check(
    pass: &Pass,
    targets: &Targets,
    at_most: usize,
    seed: u64,
) -> Result<GradientCheck, GradientCheckError> {
    let trace = pass.backward(targets)?;
    let backward = trace.backward.as_ref().map_or(&[][..], |backward| &backward.layers);
    let of = pass.model.parameters();
    let mut spots = vec![];
    add_spots(&trace.forward.layers, backward, &LayerPath::default(), &mut sample(of, at_most, seed), &mut spots);
    let loss = trace.loss.as_ref().map_or(0.0, |loss| loss.value);
    // One copy of the state is changed in place, so that no pass copies parameters.
    let mut state = pass.state.clone();
    let parameters: Vec<Checked> =
        spots.iter().enumerate().map(|spot| check(pass, targets, &mut state, spot, loss)).collect::<Result<_, _>>()?;
    let compared = parameters.iter().filter(|checked| !checked.kink && checked.resolved);
    let max_relative_error = compared.map(|checked| checked.relative_error).reduce(larger);
    let unresolved = parameters.iter().filter(|checked| !checked.resolved).count();
    Ok(GradientCheck { max_relative_error, unresolved, checked: parameters.len(), of, parameters })
}

fn check(
    pass: &Pass,
    targets: &Targets,
    state: &mut State,
    (number, spot): (usize, &Spot),
    loss: f64,
) -> Result<Checked, GradientCheckError> {
    let size = spot.value.abs();
    let step = STEP * if size > 1.0 { size } else { 1.0 };
    // What is really added after rounding, on both sides.
    let (above, below) = (spot.value + step, spot.value - step);
    for (name, moved) in [("w + h", above), ("w − h", below)] {
        finite(&format!("/parameters/{number}/step"), &spot.layer, name, moved)?;
    }
    let mut with = |value: f64| {
        set(state, spot, value);
        let trace = Pass { state: &*state, ..*pass }.forward(Some(targets))?;
        // The trace ends here: it shares the parameters with the state, which would be copied where it still did.
        let loss = trace.loss.as_ref().map_or(0.0, |loss| loss.value);
        let mut sides = vec![];
        add_sides(&trace.forward.layers, &trace.forward.inputs, &mut sides);
        Ok::<_, PassError>((loss, sides))
    };
    let ((up, sides_up), (down, sides_down)) = (with(above)?, with(below)?);
    set(state, spot, spot.value);
    let slope = Slope::new(up, down, loss, above - below);
    let numeric = slope.numeric;
    finite(&format!("/parameters/{number}/numeric"), &spot.layer, "numeric", numeric)?;
    Ok(Checked {
        layer: spot.layer.clone(),
        parameter: spot.parameter,
        index: spot.index.clone(),
        analytic: spot.analytic,
        numeric,
        relative_error: slope.relative_error(spot.analytic),
        step,
        kink: sides_up != sides_down,
        resolved: slope.resolves(spot.analytic),
    })
}

fn set(state: &mut State, spot: &Spot, value: f64) {
    if let Some(tensor) = state.parameter_mut(&spot.path, spot.parameter) {
        tensor.values_mut()[spot.at] = value;
    }
}

/// The numbers of all parameters that `stays` chooses, one after the other.
fn add_spots(
    ups: &[LayerForward],
    downs: &[LayerBackward],
    outer: &LayerPath,
    stays: &mut dyn FnMut() -> bool,
    spots: &mut Vec<Spot>,
) {
    for (index, (up, down)) in ups.iter().zip(downs.iter().rev()).enumerate() {
        let path = outer.inside(index);
        let parameters = up.parameters().into_iter().flat_map(Named::iter);
        for ((name, tensor), (_, gradient)) in parameters.zip(down.gradients().into_iter().flat_map(Named::iter)) {
            let pairs = tensor.values().iter().zip(gradient.values()).enumerate();
            spots.extend(pairs.filter(|_| stays()).map(|(at, (&value, &analytic))| Spot {
                layer: up.name().clone(),
                path: path.clone(),
                parameter: name,
                index: tensor.index(at),
                at,
                value,
                analytic,
            }));
        }
        add_spots(up.inner(), down.inner(), &path, stays, spots);
    }
}

fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

/// Whether each of so many stays, asked in their order: all, or a sample, in which each stays with the probability
/// that is still needed (Knuth's algorithm S).
#[allow(clippy::cast_precision_loss, reason = "parameters are limited far below 2^53")]
fn sample(of: usize, at_most: usize, seed: u64) -> impl FnMut() -> bool {
    let mut stream = Stream::new(seed);
    let (mut left, mut wanted) = (of, at_most.min(of));
    move || {
        let stays = stream.unit() * (left as f64) < wanted as f64;
        left -= 1;
        wanted -= usize::from(stays);
        stays
    }
}

/// The work of a check of so many parameters, in multiply-adds: two passes up for each, in which every parameter is
/// also looked at, and the pass that they are compared with.
pub fn work(model: &Model, examples: usize, sample: u64) -> u64 {
    let forward = cost(model, examples, Extent::Forward).multiply_adds + model.parameters() as u64;
    cost(model, examples, Extent::Backward).multiply_adds.saturating_add(forward.saturating_mul(2 * sample))
}

/// So many parameters can be checked with that much work; at least one.
pub fn affordable(model: &Model, examples: usize, multiply_adds: u64) -> u64 {
    let each = work(model, examples, 1) - work(model, examples, 0);
    (multiply_adds.saturating_sub(work(model, examples, 0)) / each.max(1)).max(1)
}

/// On which side of its kink every unit lies that has one.
fn add_sides(layers: &[LayerForward], inputs: &Matrix, sides: &mut Vec<bool>) {
    let mut inputs = inputs;
    for layer in layers {
        let (activation, a) = match layer {
            LayerForward::Dense(dense) => (dense.activation, &dense.pre_activations),
            LayerForward::Activation(layer) => (layer.activation, inputs),
            _ => (Activation::Linear, inputs),
        };
        for &kink in activation.breaks() {
            sides.extend(a.values().iter().map(|&a| a > kink));
        }
        add_sides(layer.inner(), inputs, sides);
        inputs = layer.outputs();
    }
}
