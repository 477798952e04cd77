//! The first number of a trace that is infinite or undefined: where it stands and what it was computed from.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

use super::layer::{LayerBackward, LayerForward};
use super::matrix::Matrix;
use super::model::Model;
use super::name::LayerName;
use super::optimizer::Before;
use super::schema;
use super::tensor::WireName;
use super::trace::{LayerUpdate, Place, Trace};

/// A number that overflowed or is undefined. What came before it in the order of computation is finite.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct NonFinite {
    /// Where it would stand in the trace, or in the insight that was asked for
    #[schema(value_type = schema::Pointer)]
    pub pointer: String,
    /// The layer it belongs to, where it belongs to one
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Name, required = false)]
    pub layer: Option<LayerName>,
    /// The quantity's name in the trace
    #[schema(value_type = schema::Prose)]
    pub quantity: String,
    /// Its index in that quantity, the outermost first, counted from 0
    #[schema(value_type = schema::Index)]
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
    #[schema(value_type = schema::Prose)]
    pub name: &'static str,
    /// Its index in that quantity, the outermost first, counted from 0
    #[schema(value_type = schema::Index)]
    pub index: Vec<usize>,
    /// The operand's value
    #[schema(value_type = schema::Number)]
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
    let names = place.names();
    let quantity: Vec<&'static str> = names.iter().filter(|name| !SECTIONS.contains(name)).copied().collect();
    let located = Located::new(trace, names[0], &place.layer_indices());
    let operands = match (names[0], &located) {
        ("loss", _) => loss_operands(model, trace, quantity[0], &index),
        (section, Some(located)) => located.operands(model, trace, section, &quantity, &index),
        _ => vec![],
    };
    NonFinite {
        pointer: index.iter().fold(place.to_string(), |pointer, index| format!("{pointer}/{index}")),
        layer: located.map(|located| located.up.name().clone()),
        quantity: quantity.join("."),
        index,
        value: NonFiniteValue::of(value),
        operands,
        after_the_update: false,
    }
}

/// The names of a trace's parts that are no quantities.
const SECTIONS: [&str; 6] = ["forward", "loss", "backward", "update", "layers", "parameters"];

/// A layer's parts in all sections of a trace, with what stands below and above it.
struct Located<'t> {
    up: &'t LayerForward,
    inputs: &'t Matrix,
    down: Option<&'t LayerBackward>,
    update: Option<&'t LayerUpdate>,
    /// The layer that its errors come from; none where they come from the loss or from around
    above: Option<(&'t LayerForward, &'t LayerBackward)>,
    /// Whether its errors come from the loss
    last: bool,
}

impl<'t> Located<'t> {
    /// The indices count from below on the way up, and from the top in the other sections.
    fn new(trace: &'t Trace, section: &str, indices: &[usize]) -> Option<Self> {
        let mut ups = &trace.forward.layers[..];
        let mut downs = trace.backward.as_ref().map(|backward| &backward.layers[..]);
        let mut updates = trace.update.as_ref().map(|update| &update.layers[..]);
        let mut inputs = &*trace.forward.inputs;
        let mut located = None;
        for (depth, &index) in indices.iter().enumerate() {
            let from_below = if section == "forward" { index } else { ups.len() - 1 - index };
            let from_the_top = ups.len() - 1 - from_below;
            let up = &ups[from_below];
            if from_below > 0 {
                inputs = ups[from_below - 1].outputs();
            }
            let down = downs.map(|downs| &downs[from_the_top]);
            let update = updates.map(|updates| &updates[from_the_top]);
            let above =
                downs.filter(|_| from_the_top > 0).map(|downs| (&ups[from_below + 1], &downs[from_the_top - 1]));
            located = Some(Self { up, inputs, down, update, above, last: depth == 0 && from_the_top == 0 });
            ups = up.inner();
            downs = down.map(LayerBackward::inner);
            updates = update.map(|update| &update.layers[..]);
        }
        located
    }

    fn operands(
        &self,
        model: &Model,
        trace: &Trace,
        section: &str,
        quantity: &[&str],
        index: &[usize],
    ) -> Vec<Operand> {
        match (section, quantity, self.down) {
            ("forward", ..) => self.up.operands(quantity[0], index, self.inputs),
            ("backward", ["errors"], _) if self.last => output_and_target(trace, index),
            ("backward", ["errors"], _) => {
                self.above.map(|(up, down)| up.operands_of_error_below(down, index)).unwrap_or_default()
            }
            ("backward", _, Some(down)) => self.up.operands_backward(down, quantity, index, self.inputs),
            ("update", _, Some(down)) => self.update_operands(model, trace, down, quantity, index),
            _ => vec![],
        }
    }

    fn update_operands(
        &self,
        model: &Model,
        trace: &Trace,
        down: &LayerBackward,
        quantity: &[&str],
        index: &[usize],
    ) -> Vec<Operand> {
        let ([parameter, quantity @ ..], Some(whole), Some(update)) = (quantity, &trace.update, self.update) else {
            return vec![];
        };
        let named = update.parameters.iter().find(|(name, _)| name.as_str() == *parameter);
        let (Some((name, update)), Some(parameters), Some(gradients)) = (named, self.up.parameters(), down.gradients())
        else {
            return vec![];
        };
        let nothing = model.optimizer().start(&parameters[name]);
        let slots = update.state.as_ref().map_or(&nothing, |state| &state.before);
        let before = Before { parameter: &parameters[name], slots, gradient: &gradients[name] };
        update.operands(&whole.optimizer, &before, whole.clip, quantity, index)
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

impl NonFinite {
    /// A result that came out so though every number of the trace it was made from is finite.
    pub fn of_a_result(pointer: String, layer: &LayerName, quantity: &str, value: f64) -> Self {
        let (layer, quantity, value) = (Some(layer.clone()), quantity.to_owned(), NonFiniteValue::of(value));
        Self { pointer, layer, quantity, index: vec![], value, operands: vec![], after_the_update: false }
    }

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
        write!(f, "{}", self.quantity)?;
        if !self.index.is_empty() {
            write!(f, "{:?}", self.index)?;
        }
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
