//! Numbers too small for a double. Blame that fades through very many layers would at last become zero in silence;
//! here it is found where it first happens.

use serde::Serialize;
use thiserror::Error;

use crate::engine::layer::{LayerBackward, LayerForward};
use crate::engine::matrix::Matrix;
use crate::engine::name::LayerName;
use crate::engine::tensor::{Named, Tensor, WireName};
use crate::engine::trace::Trace;

/// A number of the backward pass below the smallest double that has all its digits, 2.2e-308.
#[derive(Clone, Debug, Error, PartialEq, Serialize)]
#[error(
    "{quantity}{index:?} of layer {layer} is too small for a double: {value:e} has lost digits, below 2.2e-308; play with fewer layers or larger weights"
)]
pub struct Underflow {
    /// The layer
    pub layer: LayerName,
    /// Which of its quantities
    pub quantity: String,
    /// Where in it
    pub index: Vec<usize>,
    /// What is left of the number
    pub value: f64,
}

/// The first such number from the outputs down, if there is one.
pub fn first_underflow(trace: &Trace) -> Option<Underflow> {
    let backward = trace.backward.as_ref()?;
    in_layers(&trace.forward.layers, &backward.layers, &trace.forward.inputs)
}

type Pair<'t> = (&'t LayerForward, &'t LayerBackward);

fn in_layers(ups: &[LayerForward], downs: &[LayerBackward], inputs: &Matrix) -> Option<Underflow> {
    let mut above: Option<Pair> = None;
    for ((index, up), down) in ups.iter().enumerate().rev().zip(downs) {
        let inputs = index.checked_sub(1).map_or(inputs, |below| &**ups[below].outputs());
        let found = in_errors(down, above)
            .or_else(|| in_deltas(up, down))
            .or_else(|| in_layers(up.inner(), down.inner(), inputs))
            .or_else(|| in_gradients(inputs, down));
        if found.is_some() {
            return found;
        }
        above = Some((up, down));
    }
    None
}

/// Not zero, and without all its digits.
fn is_subnormal(value: f64) -> bool {
    value != 0.0 && value.abs() < f64::MIN_POSITIVE
}

/// Zero or near it, though it is the product of two numbers that are not zero.
fn has_faded(value: f64, a: f64, b: f64) -> bool {
    is_subnormal(value) || (value == 0.0 && a != 0.0 && b != 0.0)
}

fn in_errors(down: &LayerBackward, above: Option<Pair>) -> Option<Underflow> {
    let errors = down.errors();
    let faded = |n: usize, i: usize| match above {
        Some((LayerForward::Dense(up), LayerBackward::Dense(passed))) if errors.at(n, i) == 0.0 => {
            let weights = up.parameters.weights().row(i);
            passed.deltas.row(n).iter().zip(weights).any(|(&delta, &weight)| has_faded(delta * weight, delta, weight))
        }
        _ => is_subnormal(errors.at(n, i)),
    };
    first(errors, faded, down.name(), "errors")
}

fn in_deltas(up: &LayerForward, down: &LayerBackward) -> Option<Underflow> {
    let (errors, deltas) = (down.errors(), down.deltas());
    let slopes = match up {
        LayerForward::Dense(dense) => dense.activated.derivatives(),
        LayerForward::Activation(activation) => activation.activated.derivatives(),
        _ => None,
    };
    let faded = |n: usize, j: usize| match slopes {
        Some(slopes) => has_faded(deltas.at(n, j), errors.at(n, j), slopes.at(n, j)),
        None => is_subnormal(deltas.at(n, j)),
    };
    first(deltas, faded, down.name(), "deltas")
}

fn in_gradients(inputs: &Matrix, down: &LayerBackward) -> Option<Underflow> {
    for (name, gradient) in down.gradients().into_iter().flat_map(Named::iter) {
        let (_, columns) = gradient.size();
        for (at, &value) in gradient.values().iter().enumerate() {
            let (row, column) = (at / columns, at % columns);
            let product = |n: usize| match down {
                LayerBackward::Dense(dense) if name.as_str() == "weights" && value == 0.0 => has_faded(
                    inputs.at(n, row) * dense.deltas.at(n, column),
                    inputs.at(n, row),
                    dense.deltas.at(n, column),
                ),
                _ => false,
            };
            if is_subnormal(value) || (0..inputs.rows()).any(product) {
                let quantity = format!("gradients/{}", name.as_str());
                let index = match gradient {
                    Tensor::Vector(_) => vec![column],
                    Tensor::Matrix(_) => vec![row, column],
                };
                return Some(Underflow { layer: down.name().clone(), quantity, index, value });
            }
        }
    }
    None
}

fn first(
    values: &Matrix,
    faded: impl Fn(usize, usize) -> bool,
    layer: &LayerName,
    quantity: &str,
) -> Option<Underflow> {
    let places = (0..values.rows()).flat_map(|n| (0..values.columns()).map(move |j| (n, j)));
    let (n, j) = places.into_iter().find(|&(n, j)| faded(n, j))?;
    Some(Underflow { layer: layer.clone(), quantity: quantity.to_owned(), index: vec![n, j], value: values.at(n, j) })
}
