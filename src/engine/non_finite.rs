//! The first number of a trace that is infinite or undefined: where it stands and what it was computed from.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

use super::matrix::Matrix;
use super::model::Model;
use super::name::LayerName;
use super::schema;
use super::trace::{Place, Segment, Trace};

/// A number that overflowed or is undefined. What came before it in the order of computation is finite.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct NonFinite {
    /// Where it would stand in the trace
    #[schema(schema_with = schema::pointer)]
    pub pointer: String,
    /// The layer it belongs to, where it belongs to one
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::name, required = false)]
    pub layer: Option<LayerName>,
    /// The quantity's name in the trace
    #[schema(schema_with = schema::prose)]
    pub quantity: String,
    /// Its index in that quantity
    #[schema(schema_with = schema::index)]
    pub index: Vec<usize>,
    /// What it came out as
    pub value: NonFiniteValue,
    /// The finite numbers it was computed from; of a sum, the term at which it broke and the sum before it
    #[schema(max_items = 8)]
    pub operands: Vec<Operand>,
    /// Whether it was met only when the parameters after the step were tried out
    pub after_the_update: bool,
}

/// What a number that is not finite can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NonFiniteValue {
    /// Above every double
    Infinity,
    /// Below every double
    NegativeInfinity,
    /// Undefined, such as ∞ − ∞
    NotANumber,
}

/// A number that another one was computed from.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Operand {
    /// The quantity, or `sum` for what a sum had come to
    #[schema(schema_with = schema::prose)]
    pub name: &'static str,
    /// Its index in that quantity
    #[schema(schema_with = schema::index)]
    pub index: Vec<usize>,
    /// Its value
    #[schema(schema_with = schema::number)]
    pub value: f64,
}

impl Operand {
    /// A number by name and index.
    pub fn new(name: &'static str, index: Vec<usize>, value: f64) -> Self {
        Self { name, index, value }
    }

    /// A number of a matrix.
    pub fn at(name: &'static str, (row, column): (usize, usize), matrix: &Matrix) -> Self {
        Self::new(name, vec![row, column], matrix.at(row, column))
    }
}

/// Adds products up in order, then `last`, and answers the operands of the addition that is not finite any more.
pub fn where_a_sum_breaks(terms: impl Iterator<Item = Vec<Operand>>, last: Option<Operand>) -> Vec<Operand> {
    let mut sum: Option<f64> = None;
    for factors in terms.chain(last.map(|last| vec![last])) {
        let term = factors.iter().map(|factor| factor.value).reduce(|product, factor| product * factor).unwrap_or(0.0);
        let next = sum.map_or(term, |sum| sum + term);
        if !next.is_finite() {
            return sum.map(|sum| Operand::new("sum", vec![], sum)).into_iter().chain(factors).collect();
        }
        sum = Some(next);
    }
    vec![]
}

/// The first number in the order of computation that is not finite, if there is one.
pub fn first_non_finite(model: &Model, trace: &Trace) -> Option<NonFinite> {
    let mut first: Option<(Place, Vec<usize>, f64)> = None;
    trace.walk(&mut |place, values| {
        if first.is_none() {
            first = values.first_non_finite().map(|(index, value)| (place.clone(), index, value));
        }
    });
    first.map(|(place, index, value)| describe(model, trace, &place, index, value))
}

fn describe(model: &Model, trace: &Trace, place: &Place, index: Vec<usize>, value: f64) -> NonFinite {
    let names: Vec<&'static str> = place.segments().iter().filter_map(Segment::name).collect();
    let at = place.segments().iter().find_map(Segment::index);
    // `layers` of the way down and of the update stand in reverse.
    let layer = at.map(|at| if names[0] == "forward" { at } else { model.layers().len() - 1 - at });
    let quantity: Vec<&'static str> = names.iter().filter(|name| !SECTIONS.contains(name)).copied().collect();
    let operands = operands(model, trace, names[0], layer, &quantity, &index);
    NonFinite {
        pointer: index.iter().fold(place.to_string(), |pointer, index| format!("{pointer}/{index}")),
        layer: layer.map(|layer| model.layers()[layer].name.clone()),
        quantity: quantity.join("."),
        index,
        value: NonFiniteValue::of(value),
        operands,
        after_the_update: false,
    }
}

/// The names of a trace's parts that are no quantities.
const SECTIONS: [&str; 5] = ["forward", "backward", "update", "layers", "parameters"];

fn operands(
    model: &Model,
    trace: &Trace,
    section: &str,
    layer: Option<usize>,
    quantity: &[&str],
    index: &[usize],
) -> Vec<Operand> {
    let of_layer = |layer: usize| (&trace.forward.layers[layer], trace.forward.below(layer));
    match (section, layer, &trace.backward) {
        ("forward", Some(layer), _) => {
            let (forward, below) = of_layer(layer);
            forward.operands(quantity[0], index, below)
        }
        ("loss", ..) => loss_operands(model, trace, quantity[1], index),
        ("backward", Some(layer), Some(backward)) => {
            let down = |layer: usize| &backward.layers[model.layers().len() - 1 - layer];
            match quantity {
                ["errors"] if layer + 1 == model.layers().len() => output_and_target(trace, index),
                ["errors"] => trace.forward.layers[layer + 1].operands_of_error_below(down(layer + 1), index),
                _ => {
                    let (forward, below) = of_layer(layer);
                    forward.operands_backward(down(layer), quantity, index, below)
                }
            }
        }
        ("update", Some(layer), Some(backward)) => update_operands(trace, backward, layer, quantity, index),
        _ => vec![],
    }
}

fn output_and_target(trace: &Trace, index: &[usize]) -> Vec<Operand> {
    match (index, &trace.loss) {
        (&[example, unit], Some(loss)) => vec![
            Operand::at("targets", (example, unit), &loss.targets),
            Operand::at("outputs", (example, unit), &trace.forward.outputs),
        ],
        _ => vec![],
    }
}

/// Of one example's loss, the output whose term breaks the sum; of the mean, the example whose loss does.
fn loss_operands(model: &Model, trace: &Trace, quantity: &str, index: &[usize]) -> Vec<Operand> {
    let Some(loss) = &trace.loss else { return vec![] };
    if quantity == "value" {
        let terms = loss.per_example.iter().enumerate();
        let term = |(example, loss): (usize, &f64)| vec![Operand::new("per_example", vec![example], *loss)];
        return where_a_sum_breaks(terms.map(term), None);
    }
    let &[example] = index else { return vec![] };
    let mut running: Option<f64> = None;
    for unit in 0..trace.forward.outputs.columns() {
        let term = model.loss().term(loss.targets.at(example, unit), trace.forward.outputs.at(example, unit));
        let next = running.map_or(term, |sum| sum + term);
        if !next.is_finite() {
            let sum = running.map(|sum| Operand::new("sum", vec![], sum));
            return sum.into_iter().chain(output_and_target(trace, &[example, unit])).collect();
        }
        running = Some(next);
    }
    vec![]
}

fn update_operands(
    trace: &Trace,
    backward: &super::trace::Backward,
    layer: usize,
    quantity: &[&str],
    index: &[usize],
) -> Vec<Operand> {
    let Some(update) = &trace.update else { return vec![] };
    let down = update.layers.len() - 1 - layer;
    let before = trace.forward.layers[layer].parameters();
    let &[parameter, what] = quantity else { return vec![] };
    let Some((name, before)) = before.iter().find(|(name, _)| name.as_str() == parameter) else { return vec![] };
    let at = |tensor: &super::tensor::Tensor| match index {
        &[row, column] => tensor.values()[row * tensor.size().1 + column],
        _ => tensor.values()[index[0]],
    };
    if what == "change" {
        let gradient = at(&backward.layers[down].gradients()[name]);
        let rate = update.optimizer.learning_rate().value();
        vec![Operand::new("learning_rate", vec![], rate), Operand::new("gradients", index.to_vec(), gradient)]
    } else {
        let change = at(&update.layers[down].parameters[name].change);
        vec![Operand::new(name.as_str(), index.to_vec(), at(before)), Operand::new("change", index.to_vec(), change)]
    }
}

impl NonFinite {
    pub(super) fn after_the_update(self) -> Self {
        Self { after_the_update: true, ..self }
    }
}

impl NonFiniteValue {
    fn of(value: f64) -> Self {
        match value {
            value if value.is_nan() => Self::NotANumber,
            value if value > 0.0 => Self::Infinity,
            _ => Self::NegativeInfinity,
        }
    }
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = match self.value {
            NonFiniteValue::Infinity => "infinite",
            NonFiniteValue::NegativeInfinity => "negative infinite",
            NonFiniteValue::NotANumber => "not a number",
        };
        if self.after_the_update {
            write!(f, "with the parameters after the step, ")?;
        }
        write!(f, "{}{:?}", self.quantity, self.index)?;
        if let Some(layer) = &self.layer {
            write!(f, " of layer {layer}")?;
        }
        write!(f, " is {value}")?;
        for (number, operand) in self.operands.iter().enumerate() {
            let joined = if number == 0 { "; it was computed from" } else { "," };
            write!(f, "{joined} {}", operand.name)?;
            if !operand.index.is_empty() {
                write!(f, "{:?}", operand.index)?;
            }
            write!(f, " = {:e}", operand.value)?;
        }
        Ok(())
    }
}
