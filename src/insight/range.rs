//! Numbers that a double cannot hold. Blame that fades through very many layers would at last become zero in silence,
//! and sums over them would be answered as null; here both are found where they first happen.

use thiserror::Error;

use crate::engine::layer::{LayerBackward, LayerForward};
use crate::engine::matrix::Matrix;
use crate::engine::name::LayerName;
use crate::engine::non_finite::NonFinite;
use crate::engine::tensor::{Named, ParameterName, WireName};
use crate::engine::trace::{LayerUpdate, Trace};

/// Why an insight cannot be shown though the pass itself is in order.
#[derive(Clone, Debug, Error, PartialEq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum OutOfRange {
    #[error("{0}")]
    Underflow(#[from] Underflow),
    #[error("{0}")]
    NonFinite(Box<NonFinite>),
}

/// That a result is neither infinite nor undefined. The pointer is where it stands in the insight.
pub(super) fn finite(pointer: &str, layer: &LayerName, quantity: &str, value: f64) -> Result<(), OutOfRange> {
    if value.is_finite() {
        return Ok(());
    }
    Err(OutOfRange::NonFinite(Box::new(NonFinite::of_a_result(pointer.to_owned(), layer, quantity, value))))
}

/// A number of the backward pass below the smallest double that has all its digits, 2.2e-308.
#[derive(Clone, Debug, Error, PartialEq)]
#[error(
    "{quantity}{} of layer {layer} is other than 0, but too small for a double with all its digits, which ends at 2.2e-308: it came out as {value:e}; take fewer layers or larger weights",
    if .index.is_empty() { String::new() } else { format!("{:?}", .index) }
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

/// The first such number from the outputs down, then of the update, if there is one.
pub fn first_underflow(trace: &Trace) -> Option<Underflow> {
    let backward = trace.backward.as_ref()?;
    let found = in_layers(&trace.forward.layers, &backward.layers, &trace.forward.inputs);
    found.or_else(|| {
        let update = trace.update.as_ref()?;
        in_updates(&backward.layers, &update.layers, update.optimizer.is_plain())
    })
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
pub(super) fn has_faded(value: f64, a: f64, b: f64) -> bool {
    is_subnormal(value) || (value == 0.0 && a != 0.0 && b != 0.0)
}

fn in_errors(down: &LayerBackward, above: Option<Pair>) -> Option<Underflow> {
    let errors = down.errors();
    let faded =
        |n: usize, i: usize| is_subnormal(errors.at(n, i)) || (errors.at(n, i) == 0.0 && received_faded(above, n, i));
    first(errors, faded, down.name(), "errors")
}

/// Whether anything that a layer passes down to a unit has faded.
fn received_faded(above: Option<Pair>, n: usize, i: usize) -> bool {
    let through = |deltas: &Matrix, weights: &Matrix| {
        deltas.row(n).iter().zip(weights.row(i)).any(|(&delta, &weight)| has_faded(delta * weight, delta, weight))
    };
    match above {
        Some((LayerForward::Dense(up), LayerBackward::Dense(down))) => through(&down.deltas, up.parameters.weights()),
        Some((LayerForward::Residual(up), LayerBackward::Residual(down))) => {
            let projected = up.parameters.as_ref().is_some_and(|own| through(&down.errors, own.weights()));
            projected || received_faded(up.layers.first().zip(down.layers.last()), n, i)
        }
        _ => false,
    }
}

fn in_deltas(up: &LayerForward, down: &LayerBackward) -> Option<Underflow> {
    let (errors, deltas) = (down.errors(), down.deltas());
    let slopes = match up {
        LayerForward::Dense(dense) => dense.activated.derivatives(),
        LayerForward::Activation(activation) => activation.activated.derivatives(),
        _ => None,
    };
    let faded = |n: usize, j: usize| match (slopes, up, down) {
        (Some(slopes), ..) => has_faded(deltas.at(n, j), errors.at(n, j), slopes.at(n, j)),
        (None, LayerForward::Normalization(norm), LayerBackward::Normalization(passed)) => {
            let gamma = norm.parameters[ParameterName::Gamma].values()[j];
            // What deviates from the means may cancel to 0; what is scaled may not.
            is_subnormal(deltas.at(n, j)) || has_faded(passed.normalized_errors.at(n, j), errors.at(n, j), gamma)
        }
        _ => is_subnormal(deltas.at(n, j)),
    };
    first(deltas, faded, down.name(), "deltas")
}

/// Changes that are too small to be told from none.
fn in_updates(downs: &[LayerBackward], updates: &[LayerUpdate], plain: bool) -> Option<Underflow> {
    downs.iter().zip(updates).find_map(|(down, update)| {
        let gradients = down.gradients().into_iter().flat_map(Named::iter);
        let own = gradients.zip(update.parameters.iter()).find_map(|((name, gradient), (_, update))| {
            let pairs = gradient.values().iter().zip(update.change.values()).enumerate();
            // A rate times a gradient; what other optimizers divide, remember or add may cancel, and what they remember of
            // a weight that no longer hears of the error dies away.
            let faded = |g: f64, change: f64| g != 0.0 && (is_subnormal(change) || (plain && change == 0.0));
            let (at, (_, &value)) = pairs.into_iter().find(|&(_, (&g, &change))| faded(g, change))?;
            let (quantity, index) = (format!("{}/change", name.as_str()), gradient.index(at));
            Some(Underflow { layer: down.name().clone(), quantity, index, value })
        });
        own.or_else(|| in_updates(down.inner(), &update.layers, plain))
    })
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
                return Some(Underflow { layer: down.name().clone(), quantity, index: gradient.index(at), value });
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
