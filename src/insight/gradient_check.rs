//! Gradient check: every gradient against the slope of the loss itself.
//!
//! Central differences: numeric = (E(w + h) − E(w − h))/2h with h = ε^(1/3)·max(1, |w|), which balances the error of
//! the formula, of the order h², against that of rounding, of the order ε·E/h.

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::activation::Activation;
use crate::engine::layer::{LayerBackward, LayerForward};
use crate::engine::matrix::Matrix;
use crate::engine::model::Targets;
use crate::engine::name::LayerName;
use crate::engine::pass::{Pass, PassError};
use crate::engine::random::Stream;
use crate::engine::schema;
use crate::engine::tensor::{Named, ParameterName, WireName};
use crate::engine::trace::Trace;

/// ε^(1/3), the cube root of 2^−52.
const STEP: f64 = 6.055_454_452_393_343e-6;

/// A difference of losses is this many times its own rounding before six of its digits are sure.
const SURE: f64 = 1e6;

/// Every gradient that was checked.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GradientCheck {
    /// The largest of the relative errors, those at a kink left out
    #[schema(schema_with = schema::number)]
    pub max_relative_error: f64,
    /// Parameters that were checked
    #[schema(schema_with = schema::count)]
    pub checked: usize,
    /// Parameters that there are
    #[schema(schema_with = schema::count)]
    pub of: usize,
    /// The parameters in order of their layers, from the inputs up
    #[schema(max_items = 100_000)]
    pub parameters: Vec<Checked>,
}

/// One parameter.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Checked {
    /// Its layer
    #[schema(schema_with = schema::name)]
    pub layer: LayerName,
    /// Which parameter of the layer
    pub parameter: ParameterName,
    /// `[i, j]` or `[j]`
    #[schema(schema_with = schema::index)]
    pub index: Vec<usize>,
    /// ∂E/∂w by the chain rule
    #[schema(schema_with = schema::number)]
    pub analytic: f64,
    /// (E(w + h) − E(w − h))/2h
    #[schema(schema_with = schema::number)]
    pub numeric: f64,
    /// |analytic − numeric| over the larger of the two, or over what a difference of losses can show at all where
    /// both are smaller than that
    #[schema(schema_with = schema::number)]
    pub relative_error: f64,
    /// h
    #[schema(schema_with = schema::number)]
    pub step: f64,
    /// Whether a kink (ReLU's, leaky ReLU's) lies between w − h and w + h: there the two need not agree
    pub kink: bool,
}

/// A number of a parameter.
#[derive(Clone)]
struct Spot {
    layer: LayerName,
    parameter: ParameterName,
    pointer: String,
    index: Vec<usize>,
    at: usize,
    value: f64,
    analytic: f64,
}

/// Checks all parameters, or so many of them drawn by the seed.
pub fn gradient_check(pass: &Pass, targets: &Targets, at_most: usize, seed: u64) -> Result<GradientCheck, PassError> {
    let trace = pass.backward(targets)?;
    let mut spots = vec![];
    let backward = trace.backward.as_ref().map_or(&[][..], |backward| &backward.layers);
    add_spots(&trace.forward.layers, backward, "/forward", &mut spots);
    let of = spots.len();
    let chosen = choose(spots, at_most, seed);
    let loss = trace.loss.as_ref().map_or(0.0, |loss| loss.value);
    let parameters: Vec<Checked> =
        chosen.into_iter().map(|spot| check(pass, targets, &spot, loss)).collect::<Result<_, _>>()?;
    let errors = parameters.iter().filter(|checked| !checked.kink).map(|checked| checked.relative_error);
    let max_relative_error = errors.fold(0.0, larger);
    Ok(GradientCheck { max_relative_error, checked: parameters.len(), of, parameters })
}

fn check(pass: &Pass, targets: &Targets, spot: &Spot, loss: f64) -> Result<Checked, PassError> {
    let size = spot.value.abs();
    let step = STEP * if size > 1.0 { size } else { 1.0 };
    // What is really added after rounding, on both sides.
    let (above, below) = (spot.value + step, spot.value - step);
    let with = |value: f64| {
        pass.forward_tapped(Some(targets), &mut |place, mut values| {
            if place.to_string() == spot.pointer {
                values.all()[spot.at] = value;
            }
        })
    };
    let (up, down) = (with(above)?, with(below)?);
    let value = |trace: &Trace| trace.loss.as_ref().map_or(0.0, |loss| loss.value);
    let numeric = (value(&up) - value(&down)) / (above - below);
    let resolution = f64::EPSILON * loss.abs() / (above - below) * SURE;
    let scale = larger(larger(spot.analytic.abs(), numeric.abs()), resolution);
    let relative_error = if scale > 0.0 { (spot.analytic - numeric).abs() / scale } else { 0.0 };
    Ok(Checked {
        layer: spot.layer.clone(),
        parameter: spot.parameter,
        index: spot.index.clone(),
        analytic: spot.analytic,
        numeric,
        relative_error,
        step,
        kink: kinked(&up.forward.layers) != kinked(&down.forward.layers),
    })
}

fn add_spots(ups: &[LayerForward], downs: &[LayerBackward], outer: &str, spots: &mut Vec<Spot>) {
    for (index, (up, down)) in ups.iter().zip(downs.iter().rev()).enumerate() {
        let place = format!("{outer}/layers/{index}");
        let parameters = up.parameters().into_iter().flat_map(Named::iter);
        for ((name, tensor), (_, gradient)) in parameters.zip(down.gradients().into_iter().flat_map(Named::iter)) {
            let pointer = format!("{place}/parameters/{}", name.as_str());
            let (rows, columns) = tensor.size();
            let pairs = tensor.values().iter().zip(gradient.values()).enumerate();
            spots.extend(pairs.map(|(at, (&value, &analytic))| Spot {
                layer: up.name().clone(),
                parameter: name,
                pointer: pointer.clone(),
                index: if rows == 1 && name != ParameterName::Weights {
                    vec![at]
                } else {
                    vec![at / columns, at % columns]
                },
                at,
                value,
                analytic,
            }));
        }
        add_spots(up.inner(), down.inner(), &place, spots);
    }
}

fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

/// All, or a sample in their order: each stays with the probability that is still needed (Knuth's algorithm S).
fn choose(spots: Vec<Spot>, at_most: usize, seed: u64) -> Vec<Spot> {
    let mut stream = Stream::new(seed);
    let (mut left, mut wanted) = (spots.len(), at_most.min(spots.len()));
    #[allow(clippy::cast_precision_loss, reason = "parameters are limited far below 2^53")]
    let stays = |_: &Spot| {
        let stays = stream.unit() * (left as f64) < wanted as f64;
        left -= 1;
        wanted -= usize::from(stays);
        stays
    };
    spots.into_iter().filter(stays).collect()
}

/// On which side of its kink every unit lies that has one.
fn kinked(layers: &[LayerForward]) -> Vec<&Matrix> {
    let mut found = vec![];
    for layer in layers {
        let activated = match layer {
            LayerForward::Dense(dense) => Some((dense.activation, &dense.activated)),
            LayerForward::Activation(layer) => Some((layer.activation, &layer.activated)),
            _ => None,
        };
        if let Some((Activation::Relu | Activation::LeakyRelu, activated)) = activated {
            found.extend(activated.derivatives());
        }
        found.extend(kinked(layer.inner()));
    }
    found
}
