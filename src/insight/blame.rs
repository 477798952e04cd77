//! Blame: how the error of the outputs is shared among the units below, layer by layer.
//!
//! A unit receives from each unit above that unit's delta times the weight of their connection; the sum is its error.
//! So errors are shared in proportion to the connections. Then the local slope multiplies: deltas are not.

use std::collections::HashMap;

use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;

use super::NoSuchExample;
use super::range::{Underflow, first_underflow};
use crate::engine::layer::{LayerBackward, LayerForward, NamedLayer};
use crate::engine::matrix::{Matrix, sum};
use crate::engine::model::Model;
use crate::engine::name::LayerName;
use crate::engine::schema;
use crate::engine::trace::Trace;

/// The blame of one example, from the outputs down.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Blame {
    /// The row of the batch, counted from 0
    #[schema(value_type = schema::Count)]
    pub example: usize,
    /// The layers from the outputs down; those inside of a residual block follow it
    pub layers: Vec<LayerBlame>,
}

/// One layer's part.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LayerBlame {
    /// The layer's name
    #[schema(value_type = schema::Name)]
    pub name: LayerName,
    /// The layer's units in order
    pub units: Vec<UnitBlame>,
}

/// One unit's part.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UnitBlame {
    /// The unit's place in its layer, counted from 0
    #[schema(value_type = schema::Count)]
    pub unit: usize,
    /// What came from each unit above; nothing where the error comes from the loss itself
    pub received: Vec<Received>,
    /// The sum of what was received, −∂E/∂h
    #[schema(value_type = schema::Number)]
    pub error: f64,
    /// |error| as a part of the sum of |error| over the layer
    #[schema(value_type = schema::Share)]
    pub error_share: f64,
    /// f′(a); left out where no single slope stands between error and delta
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Number, required = false)]
    pub slope: Option<f64>,
    /// error·slope, −∂E/∂a
    #[schema(value_type = schema::Number)]
    pub delta: f64,
    /// |delta| as a part of the sum of |delta| over the layer
    #[schema(value_type = schema::Share)]
    pub delta_share: f64,
}

/// What a unit received from one unit above.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Received {
    /// The name of the layer above
    #[schema(value_type = schema::Name)]
    pub layer: LayerName,
    /// The unit of the layer above, counted from 0
    #[schema(value_type = schema::Count)]
    pub from: usize,
    /// That unit's delta
    #[schema(value_type = schema::Number)]
    pub delta: f64,
    /// What joins the two; 1 where numbers pass as they are
    #[schema(value_type = schema::Number)]
    pub weight: f64,
    /// delta·weight: what this unit receives from that one
    #[schema(value_type = schema::Number)]
    pub term: f64,
    /// |term| as a part of all that `from` passes down: how it shares its blame
    #[schema(value_type = schema::Share)]
    pub share: f64,
}

/// What stands above a layer, and passes blame down to it.
#[derive(Clone, Copy)]
enum Above<'t> {
    /// The loss.
    Loss,
    /// A layer.
    Layer(&'t LayerForward, &'t LayerBackward),
    /// The residual block that the layer is the top of: it passes its errors as they are.
    Around(&'t LayerName, &'t Matrix),
}

/// Why there is no blame to show.
#[derive(Clone, Debug, Error, PartialEq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum BlameError {
    #[error("{0}")]
    Example(#[from] NoSuchExample),
    #[error("{0}")]
    Underflow(#[from] Underflow),
}

/// How one example's error was shared. The trace has gone backward.
pub fn blame(trace: &Trace, example: usize) -> Result<Blame, BlameError> {
    let examples = trace.forward.inputs.rows();
    if example >= examples {
        return Err(NoSuchExample { example, examples }.into());
    }
    if let Some(underflow) = first_underflow(trace) {
        return Err(underflow.into());
    }
    let mut layers = vec![];
    let backward = trace.backward.as_ref().map_or(&[][..], |backward| &backward.layers);
    add_layers(&trace.forward.layers, backward, Above::Loss, example, &mut layers);
    Ok(Blame { example, layers })
}

fn add_layers(ups: &[LayerForward], downs: &[LayerBackward], top: Above, example: usize, blamed: &mut Vec<LayerBlame>) {
    let mut above = top;
    for (up, down) in ups.iter().rev().zip(downs) {
        blamed.push(of_layer(up, down, above, example));
        let around = Above::Around(down.name(), down.errors());
        add_layers(up.inner(), down.inner(), around, example, blamed);
        above = Above::Layer(up, down);
    }
}

fn of_layer(up: &LayerForward, down: &LayerBackward, above: Above, example: usize) -> LayerBlame {
    let errors = down.errors().row(example);
    // A residual block's own deltas are those of its inputs; what it puts out has no slope of its own.
    let deltas = if up.inner().is_empty() { down.deltas().row(example) } else { errors };
    let slopes = match up {
        LayerForward::Dense(dense) => dense.activated.derivatives(),
        LayerForward::Activation(activation) => activation.activated.derivatives(),
        _ => None,
    };
    let mut received = vec![vec![]; errors.len()];
    pass_down(above, example, &mut received);
    share(&mut received);
    let (error_shares, delta_shares) = (parts(errors), parts(deltas));
    let unit = |(unit, received)| UnitBlame {
        unit,
        received,
        error: errors[unit],
        error_share: error_shares[unit],
        slope: slopes.map(|slopes| slopes.at(example, unit)),
        delta: deltas[unit],
        delta_share: delta_shares[unit],
    };
    LayerBlame { name: up.name().clone(), units: received.into_iter().enumerate().map(unit).collect() }
}

/// What each unit below receives, before it is known how it is shared.
fn pass_down(above: Above, example: usize, received: &mut [Vec<Received>]) {
    match above {
        Above::Loss => {}
        Above::Around(name, errors) => as_they_are(name, errors, example, received),
        Above::Layer(LayerForward::Dense(up), LayerBackward::Dense(down)) => {
            through(&up.name, &down.deltas, up.parameters.weights(), example, received);
        }
        Above::Layer(LayerForward::Residual(up), LayerBackward::Residual(down)) => {
            match (up.layers.first(), down.layers.last()) {
                (Some(lowest), Some(passes)) => pass_down(Above::Layer(lowest, passes), example, received),
                _ => as_they_are(&up.name, &down.errors, example, received),
            }
            match &up.parameters {
                Some(projection) => through(&up.name, &down.errors, projection.weights(), example, received),
                None => as_they_are(&up.name, &down.errors, example, received),
            }
        }
        Above::Layer(up, down) => as_they_are(up.name(), down.deltas(), example, received),
    }
}

fn as_they_are(layer: &LayerName, deltas: &Matrix, example: usize, received: &mut [Vec<Received>]) {
    for (from, (&delta, received)) in deltas.row(example).iter().zip(received).enumerate() {
        received.push(Received { layer: layer.clone(), from, delta, weight: 1.0, term: delta, share: 0.0 });
    }
}

fn through(layer: &LayerName, deltas: &Matrix, weights: &Matrix, example: usize, received: &mut [Vec<Received>]) {
    for (weights, received) in weights.iter_rows().zip(received) {
        for (from, (&delta, &weight)) in deltas.row(example).iter().zip(weights).enumerate() {
            received.push(Received { layer: layer.clone(), from, delta, weight, term: delta * weight, share: 0.0 });
        }
    }
}

/// Each term as a part of all terms that come from the same place.
fn share(received: &mut [Vec<Received>]) {
    let key = |received: &Received| (received.layer.clone(), received.from);
    let scale = scale(received.iter().flatten().map(|received| received.term));
    let mut totals: HashMap<(LayerName, usize), f64> = HashMap::new();
    for received in received.iter().flatten() {
        *totals.entry(key(received)).or_insert(0.0) += received.term.abs() * scale;
    }
    for received in received.iter_mut().flatten() {
        received.share = part(received.term.abs() * scale, totals[&key(received)]);
    }
}

fn parts(values: &[f64]) -> Vec<f64> {
    let scale = scale(values.iter().copied());
    let total = sum(values.iter().map(|value| value.abs() * scale));
    values.iter().map(|value| part(value.abs() * scale, total)).collect()
}

/// A power of two (which rounds nothing) that keeps the sum of such numbers finite, where some are very large.
fn scale(mut values: impl Iterator<Item = f64>) -> f64 {
    if values.any(|value| value.abs() > 1e280) { f64::EPSILON * f64::EPSILON } else { 1.0 }
}

/// Of nothing, nothing.
fn part(value: f64, total: f64) -> f64 {
    if total > 0.0 { value / total } else { 0.0 }
}

/// The most bytes that the blame of one example can take as JSON: an entry for each connection and each unit.
pub fn bytes(model: &Model) -> u64 {
    const ENTRY_BYTES: u64 = 256;
    let units = |named: &&NamedLayer| 2 * named.layer.size().outputs as u64 + named.layer.size().inputs as u64;
    let all = model.all_layers();
    (model.parameters() as u64 + all.iter().map(units).sum::<u64>()) * ENTRY_BYTES
}
