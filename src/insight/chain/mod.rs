//! The chain rule for one weight: its factors in order, along every path from the loss down to it.
//!
//! In the tutorial's network there is one path to a hidden weight: ∂E/∂ŷ · ∂ŷ/∂b · ∂b/∂h · ∂h/∂a · ∂a/∂w. In a deeper
//! one there are as many as there are ways through the units between: their number is exact, the heaviest are shown
//! with their factors, and the sum over all of them is computed without walking any, layer by layer.

mod graph;
mod search;
mod wide;

use std::fmt::{self, Display, Formatter};

use num_bigint::BigUint;
use serde::{Serialize, Serializer};
use thiserror::Error;
use utoipa::ToSchema;

use super::range::{OutOfRange, Underflow, finite, has_faded};
use super::{NoSuchExample, names};
use crate::engine::layer::{LayerBackward, LayerForward, LayerKind, NamedLayer};
use crate::engine::matrix::Matrix;
use crate::engine::model::Model;
use crate::engine::name::LayerName;
use crate::engine::schema;
use crate::engine::tensor::{ParameterName, WireName};
use crate::engine::trace::Trace;
use crate::limits::PATH_COUNT_DIGITS;
use graph::Graph;
use search::{Search, Step};

/// Which weight, for which example, and how many of its paths are shown.
#[derive(Clone, Debug)]
pub struct ChainRequest {
    /// The layer
    pub layer: LayerName,
    /// Which of its parameters
    pub parameter: ParameterName,
    /// `[i, j]` or `[j]`
    pub index: Vec<usize>,
    /// The row of the batch
    pub example: usize,
    /// Paths shown at the most
    pub top: usize,
}

/// The chain rule for one weight and one example.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Chain {
    /// ∂E/∂w of this row, as the backward pass computed it. The mean over the rows is the gradient of the batch.
    #[schema(value_type = schema::Number)]
    pub gradient: f64,
    /// ∂E/∂w of the mean loss of the batch
    #[schema(value_type = schema::Number)]
    pub batch_gradient: f64,
    /// Every way from the loss to the weight
    pub paths: Paths,
}

/// All paths from the loss to a weight.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Paths {
    /// Their exact number, in decimal digits
    #[schema(value_type = schema::PathCount)]
    pub count: Count,
    /// The sum over all paths, computed layer by layer from the factors: equal to the gradient but for rounding
    #[schema(value_type = schema::Number)]
    pub sum: f64,
    /// The paths of the largest absolute value, the heaviest first
    pub heaviest: Vec<Path>,
}

/// An exact number that may pass every machine integer: a decimal text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count(BigUint);

impl Count {
    /// Whether it is 1.
    pub fn is_one(&self) -> bool {
        self.0 == BigUint::from(1_u8)
    }
}

impl Display for Count {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// One path.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Path {
    /// The product of its factors; 0 also where it is below every double, which log10 tells
    #[schema(value_type = schema::Number)]
    pub value: f64,
    /// The decimal logarithm of |value|, below the range of doubles too; null where a factor is 0
    #[schema(value_type = schema::NullableNumber)]
    pub log10: Option<f64>,
    /// |value| as a part of the sum of |value| over all paths; 0 where that is less than any double above 0
    #[schema(value_type = schema::Share)]
    pub share: f64,
    /// The factors from the loss down to the weight
    pub factors: Vec<Factor>,
}

/// One factor of the chain rule.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Factor {
    /// The derivative that it is, such as ∂ŷ/∂b
    #[schema(value_type = schema::Prose)]
    pub name: String,
    /// The formula that it is computed by
    #[schema(value_type = schema::Prose)]
    pub formula: &'static str,
    /// The factor's value
    #[schema(value_type = schema::Number)]
    pub value: f64,
    /// The product up to here
    #[schema(value_type = schema::Number)]
    pub running: f64,
    /// The layer that the path has come down to
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Name, required = false)]
    pub layer: Option<LayerName>,
    /// Its unit; left out for the weight itself
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Count, required = false)]
    pub unit: Option<usize>,
    /// Its example, where the path crosses from one to another through a batch normalization
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Count, required = false)]
    pub example: Option<usize>,
}

/// Why there is no chain to show.
#[derive(Clone, Debug, Error, PartialEq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum ChainError {
    #[error("{0}")]
    Example(#[from] NoSuchExample),
    #[error("the network has no layer {layer}; it has {}", names(.there))]
    Layer { layer: LayerName, there: Vec<LayerName> },
    #[error("layer {layer} has no {}", .parameter.as_str())]
    Parameter { layer: LayerName, parameter: ParameterName },
    #[error("{} of layer {layer} has the shape {shape}, and there is no number at {index:?}", .parameter.as_str())]
    Index { layer: LayerName, parameter: ParameterName, shape: String, index: Vec<usize> },
    #[error("the search for the heaviest paths would take {work} steps, and one request has at most {limit}; {less}")]
    TooMuchWork { work: u64, limit: u64, less: &'static str },
    #[error(
        "the search for the heaviest paths would keep {numbers} numbers, and one request has at most {limit}; {less}"
    )]
    TooManyNumbers { numbers: u64, limit: u64, less: &'static str },
    #[error("{0}")]
    OutOfRange(#[from] OutOfRange),
}

/// What the search for the heaviest paths may take.
#[derive(Clone, Copy, Debug)]
pub struct ChainLimits {
    /// Multiply-adds
    pub work: u64,
    /// Numbers in memory
    pub numbers: u64,
}

/// The most bytes that so many paths can take as JSON: one factor a layer, two of a dense one, that of the loss and
/// that of the weight.
pub fn bytes(model: &Model, top: u64) -> u64 {
    const FACTOR_BYTES: u64 = 256;
    let factors = |named: &&NamedLayer| {
        let factors = if named.layer.kind() == LayerKind::Dense { 2 } else { 1 };
        factors * (FACTOR_BYTES + named.name.as_str().len() as u64)
    };
    let path: u64 = 2 * FACTOR_BYTES + model.all_layers().iter().map(factors).sum::<u64>();
    PATH_COUNT_DIGITS as u64 + top * path
}

/// No search takes more than so much work over such a batch.
pub fn work_at_most(model: &Model, examples: usize, top: u64) -> u64 {
    // Every unit with every unit below, beside it and in the batch, whatever the kind of the layer.
    let edges = |named: &&NamedLayer| {
        let size = named.layer.size();
        (size.outputs * (size.inputs + size.outputs + examples + 2)) as u64
    };
    let edges: u64 = model.all_layers().iter().map(edges).sum();
    edges.saturating_mul(examples as u64 * (2 + KEPT * top))
}

/// Keeping one path among the heaviest takes about as long as so many multiplications.
const KEPT: u64 = 32;

/// A parameter's layer, wherever it stands, with what came into it.
struct Place<'t> {
    up: &'t LayerForward,
    down: &'t LayerBackward,
    inputs: &'t Matrix,
}

/// The chain rule for one weight. The trace has gone backward; `limits` bound the search for the heaviest paths.
pub fn chain(trace: &Trace, request: &ChainRequest, limits: ChainLimits) -> Result<Chain, ChainError> {
    let examples = trace.forward.inputs.rows();
    let &ChainRequest { ref layer, parameter, ref index, example, top } = request;
    if example >= examples {
        return Err(NoSuchExample { example, examples }.into());
    }
    let missing = || {
        let mut there = vec![];
        add_names(&trace.forward.layers, &mut there);
        ChainError::Layer { layer: layer.clone(), there }
    };
    let backward = trace.backward.as_ref().map_or(&[][..], |backward| &backward.layers);
    let place = find(&trace.forward.layers, backward, &trace.forward.inputs, layer).ok_or_else(missing)?;
    let gradients = place.down.gradients().and_then(|gradients| gradients.get(parameter));
    let gradients = gradients.ok_or_else(|| ChainError::Parameter { layer: layer.clone(), parameter })?;
    let batch_gradient = gradients.at(index).ok_or_else(|| {
        let (shape, index) = (gradients.shape(), index.clone());
        ChainError::Index { layer: layer.clone(), parameter, shape, index }
    })?;
    let errors = backward.first().map_or(&trace.forward.outputs, |top| top.errors());
    let graph = Graph::new(trace, errors).ok_or_else(missing)?;
    let entered = graph.entered.iter().find(|(name, _)| name == layer).map(|(_, variable)| *variable);
    let variable = entered.ok_or_else(missing)?;
    let unit = index[index.len() - 1];
    let last = last_factor(&place, parameter, index, example);
    let rows = if graph.mixes_examples(variable) { (0..examples).collect() } else { vec![example] };
    let work = graph.variables[..=variable].iter().flat_map(|v| v.uppers.iter().map(|(_, edge)| v.units * edge.fan()));
    let work = work.sum::<usize>() as u64 * rows.len() as u64 * (2 + KEPT * top as u64);
    let less = if top > 1 { "ask for a smaller top" } else { "send fewer rows" };
    if work > limits.work {
        return Err(ChainError::TooMuchWork { work, limit: limits.work, less });
    }
    let units = graph.variables[..=variable].iter().map(|variable| variable.units as u64).sum::<u64>();
    let numbers = units * rows.len() as u64 * (1 + top as u64) * (size_of::<Step>() / size_of::<f64>()) as u64;
    if numbers > limits.numbers {
        return Err(ChainError::TooManyNumbers { numbers, limit: limits.numbers, less });
    }
    let search = Search::new(&graph, &rows, examples, variable, top);
    let found = search.at(variable, (example, unit));
    let sum = found.sum * last.value;
    finite("/paths/sum", layer, "sum", sum)?;
    if (found.faded && last.value != 0.0) || has_faded(sum, found.sum, last.value) {
        let (layer, quantity, index) = (layer.clone(), parameter.as_str().to_owned(), index.clone());
        return Err(OutOfRange::from(Underflow { layer, quantity, index, value: sum }).into());
    }
    let count = Count(graph.paths_down_to(variable));
    let gradient = own_gradient(&place, parameter, index, example);
    finite("/gradient", layer, "gradient", gradient)?;
    let absolute = found.absolute.times(last.value);
    let heaviest = (0..found.heaviest.len())
        .map(|rank| search.path(variable, (example, unit), rank, &last, absolute))
        .collect::<Result<_, _>>()?;
    Ok(Chain { gradient, batch_gradient, paths: Paths { count, sum, heaviest } })
}

fn add_names(layers: &[LayerForward], names: &mut Vec<LayerName>) {
    for layer in layers {
        names.push(layer.name().clone());
        add_names(layer.inner(), names);
    }
}

fn find<'t>(
    ups: &'t [LayerForward],
    downs: &'t [LayerBackward],
    inputs: &'t Matrix,
    name: &LayerName,
) -> Option<Place<'t>> {
    ups.iter().enumerate().zip(downs.iter().rev()).find_map(|((index, up), down)| {
        let inputs = index.checked_sub(1).map_or(inputs, |below| &**ups[below].outputs());
        if up.name() == name { Some(Place { up, down, inputs }) } else { find(up.inner(), down.inner(), inputs, name) }
    })
}

/// The last factor: how what the parameter enters hangs on it.
struct Last {
    name: &'static str,
    formula: &'static str,
    value: f64,
}

fn last_factor(place: &Place, parameter: ParameterName, index: &[usize], example: usize) -> Last {
    match (parameter, place.up) {
        (ParameterName::Weights, _) => Last { name: "w", formula: "x", value: place.inputs.at(example, index[0]) },
        (ParameterName::Gamma, LayerForward::Normalization(norm)) => {
            Last { name: "γ", formula: "x̂", value: norm.normalized.at(example, index[0]) }
        }
        (ParameterName::Beta, _) => Last { name: "β", formula: "1", value: 1.0 },
        _ => Last { name: "bias", formula: "1", value: 1.0 },
    }
}

/// ∂E/∂w of one row, from the backward pass's own numbers.
fn own_gradient(place: &Place, parameter: ParameterName, index: &[usize], example: usize) -> f64 {
    let unit = index[index.len() - 1];
    // Where the parameter enters: behind the local slope in a dense layer, at the outputs of all others.
    let downhill = match place.down {
        LayerBackward::Dense(dense) => dense.deltas.at(example, unit),
        other => other.errors().at(example, unit),
    };
    0.0 - last_factor(place, parameter, index, example).value * downhill
}
