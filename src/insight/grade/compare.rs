//! A claim against a trace: quantity by quantity, in the order of computation, in either sign convention.

use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;

use super::claim::{Claim, Numbers};
use crate::engine::schema;
use crate::engine::trace::{Trace, Values};
use crate::limits::SEED_MAX;

/// One quantity of a trace, flat.
#[derive(Clone, Debug)]
pub(super) struct Quantity {
    /// Its pointer
    pub pointer: String,
    /// Rows and columns, columns alone, or nothing
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

/// What a client claims of one quantity.
#[derive(Clone, Debug)]
pub(super) struct Claimed {
    /// Which quantity, by its place among the trace's
    pub which: usize,
    pub numbers: Numbers,
    /// How far each may be off because it was rounded, once the whole claim is known
    pub rounding: Vec<f64>,
}

/// Why a claim cannot be compared; pointers are into the claim.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum ClaimError {
    #[error("the trace has nothing of that name here")]
    Unknown { pointer: String },
    #[error("the trace has {expected} here (examples × units, in × out), and this is {got}")]
    Shape { pointer: String, expected: String, got: String },
    #[error("the claim has no number that could be compared")]
    Empty,
}

/// The first number that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FirstWrong {
    /// Where it stands in the trace
    #[schema(schema_with = schema::pointer)]
    pub pointer: String,
    /// What it should be, in the client's own sign convention
    #[schema(schema_with = schema::number)]
    pub expected: f64,
    /// What was claimed; null where the shape leaves no such number
    #[schema(schema_with = schema::nullable_number)]
    pub got: Option<f64>,
    /// |got − expected| / |expected|; null where one of them is missing or zero
    #[schema(schema_with = schema::nullable_number)]
    pub relative_error: Option<f64>,
    /// How many doubles lie between the two, counted up to 2^53 − 1
    #[schema(schema_with = schema::nullable_count)]
    pub ulps: Option<u64>,
}

/// Which way errors, deltas and gradients point. `change` and `after` have no choice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Convention {
    /// errors and deltas: 1 downhill as in the trace, −1 uphill
    pub blame: f64,
    /// gradients: 1 uphill as in the trace, −1 downhill
    pub gradients: f64,
}

/// The trace's own first. Uphill errors with downhill gradients would be a mistake.
pub(super) const CONVENTIONS: [Convention; 3] = [
    Convention { blame: 1.0, gradients: 1.0 },
    Convention { blame: -1.0, gradients: 1.0 },
    Convention { blame: 1.0, gradients: -1.0 },
];

/// Texts and settings of a trace that are not numbers to be judged.
const NOT_JUDGED: [&str; 14] = [
    "format",
    "session",
    "step",
    "name",
    "kind",
    "activation",
    "optimizer",
    "statistics",
    "epsilon",
    "rate",
    "momentum",
    "timestep",
    "state_hash",
    "shortcut_kind",
];

/// All quantities in the order of computation.
pub(super) fn quantities(trace: &Trace) -> Vec<Quantity> {
    let mut all = vec![];
    trace.walk(&mut |place, values| {
        let (shape, values) = match values {
            Values::Scalar(value) => (vec![], vec![value]),
            Values::Vector(values) => (vec![values.len()], values.to_vec()),
            Values::Matrix(matrix) => (vec![matrix.rows(), matrix.columns()], matrix.values().to_vec()),
        };
        all.push(Quantity { pointer: place.to_string(), shape, values });
    });
    all
}

/// Everything that a claim says of a trace's quantities, in the order of computation.
pub(super) fn claimed(claim: &Claim, trace: &Trace, quantities: &[Quantity]) -> Result<Vec<Claimed>, ClaimError> {
    let mut found = vec![];
    let places = Places { quantities, names: names(trace) };
    places.collect(claim, "", "", &mut found)?;
    if found.iter().all(|claimed: &Claimed| claimed.numbers.values.iter().all(Option::is_none)) {
        return Err(ClaimError::Empty);
    }
    let decimals = found.iter().map(|claimed| claimed.numbers.decimals()).fold(0, Ord::max);
    for claimed in &mut found {
        claimed.rounding = claimed.numbers.rounding(decimals);
    }
    found.sort_by_key(|claimed| claimed.which);
    Ok(found)
}

/// The pointer and the name of every layer, in every section.
fn names(trace: &Trace) -> Vec<(String, String)> {
    use crate::engine::layer::{LayerBackward, LayerForward};
    fn up(layers: &[LayerForward], at: &str, all: &mut Vec<(String, String)>) {
        for (index, layer) in layers.iter().enumerate() {
            let at = format!("{at}/layers/{index}");
            up(layer.inner(), &at, all);
            all.push((at, layer.name().to_string()));
        }
    }
    fn down(layers: &[LayerBackward], at: &str, all: &mut Vec<(String, String)>) {
        for (index, layer) in layers.iter().enumerate() {
            let at = format!("{at}/layers/{index}");
            down(layer.inner(), &at, all);
            all.push((at, layer.name().to_string()));
        }
    }
    let mut all = vec![];
    up(&trace.forward.layers, "/forward", &mut all);
    let backward = trace.backward.as_ref().map_or(&[][..], |backward| &backward.layers);
    down(backward, "/backward", &mut all);
    // The update lists its layers as the backward pass does.
    down(backward, "/update", &mut all);
    all
}

struct Places<'q> {
    quantities: &'q [Quantity],
    names: Vec<(String, String)>,
}

impl Places<'_> {
    /// `at` is the place in the trace, `here` the place in the claim: they differ where a layer is found by its name.
    fn collect(&self, claim: &Claim, at: &str, here: &str, found: &mut Vec<Claimed>) -> Result<(), ClaimError> {
        if let Some(which) = self.quantities.iter().position(|quantity| quantity.pointer == at) {
            found.push(self.claimed(which, claim, here)?);
            return Ok(());
        }
        let unknown = || ClaimError::Unknown { pointer: here.to_owned() };
        match claim {
            Claim::Nothing => Ok(()),
            Claim::Number(_) | Claim::Text(_) => Err(unknown()),
            Claim::Object(entries) => {
                let is_part = |at: &str| self.quantities.iter().any(|q| q.pointer.starts_with(&format!("{at}/")));
                for (key, claim) in entries.iter().filter(|(key, _)| !NOT_JUDGED.contains(&key.as_str())) {
                    let (at, here) = (format!("{at}/{key}"), format!("{here}/{key}"));
                    let known = is_part(&at) || self.quantities.iter().any(|quantity| quantity.pointer == at);
                    if !known && self.names.iter().all(|(pointer, _)| !pointer.starts_with(&at)) {
                        return Err(ClaimError::Unknown { pointer: here });
                    }
                    self.collect(claim, &at, &here, found)?;
                }
                Ok(())
            }
            Claim::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    let here = format!("{here}/{index}");
                    let layer =
                        self.layer(at, index, item).ok_or_else(|| ClaimError::Unknown { pointer: here.clone() })?;
                    self.collect(item, &layer, &here, found)?;
                }
                Ok(())
            }
        }
    }

    /// A layer by its name, or by its place where the claim gives it none.
    fn layer(&self, list: &str, index: usize, item: &Claim) -> Option<String> {
        let by_place = format!("{list}/{index}");
        match item.get("name") {
            Some(Claim::Text(name)) => {
                let mut siblings =
                    self.names.iter().filter(|(at, _)| at.rsplit_once('/').is_some_and(|(l, _)| l == list));
                siblings.find(|(_, known)| known == name).map(|(at, _)| at.clone())
            }
            _ => self.names.iter().find(|(at, _)| *at == by_place).map(|(at, _)| at.clone()),
        }
    }

    fn claimed(&self, which: usize, claim: &Claim, here: &str) -> Result<Claimed, ClaimError> {
        let quantity = &self.quantities[which];
        let shape = |shape: &[usize]| match shape {
            [] => "a single number".to_owned(),
            shape => shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × "),
        };
        let wrong = |got: String| ClaimError::Shape { pointer: here.to_owned(), expected: shape(&quantity.shape), got };
        let numbers = claim.numbers().ok_or_else(|| wrong("none, or ragged".into()))?;
        let nothing = numbers.values == [None];
        let transposed = quantity.shape.iter().rev().eq(&numbers.shape);
        if !numbers.fits(&quantity.shape) && !transposed && !nothing {
            return Err(wrong(shape(&numbers.shape)));
        }
        let numbers = if nothing {
            Numbers { shape: quantity.shape.clone(), values: vec![None; quantity.values.len()] }
        } else {
            numbers
        };
        Ok(Claimed { which, numbers, rounding: vec![] })
    }
}

impl Convention {
    /// What a trace's number is in this convention.
    fn sign(self, pointer: &str) -> f64 {
        let Some(rest) = pointer.strip_prefix("/backward/") else { return 1.0 };
        if rest.contains("/gradients/") { self.gradients } else { self.blame }
    }
}

/// The first claimed number that is not the trace's, with the place of its quantity; `None` where all are.
pub(super) fn first_wrong(
    quantities: &[Quantity],
    claimed: &[Claimed],
    convention: Convention,
    tolerance: f64,
) -> Option<(usize, FirstWrong)> {
    claimed.iter().find_map(|claimed| {
        let quantity = &quantities[claimed.which];
        let sign = convention.sign(&quantity.pointer);
        let largest =
            quantity.values.iter().fold(0.0_f64, |most, value| if value.abs() > most { value.abs() } else { most });
        let wrong = quantity.values.iter().enumerate().find_map(|(index, expected)| {
            let expected = sign * expected;
            let Some(place) = claimed.numbers.place(index, &quantity.shape) else { return Some((index, None)) };
            let got = claimed.numbers.values[place]?;
            let off = (got - expected).abs();
            // One unit of the last place, and the rounding of that unit itself.
            let near = off <= claimed.rounding[place] * (1.0 + 1e-9) || off <= tolerance * largest;
            (!near).then_some((index, Some(got)))
        });
        wrong.map(|(index, got)| (claimed.which, describe(quantity, index, sign * quantity.values[index], got)))
    })
}

fn describe(quantity: &Quantity, index: usize, expected: f64, got: Option<f64>) -> FirstWrong {
    let index = match quantity.shape[..] {
        [_, columns] => format!("/{}/{}", index / columns, index % columns),
        [_] => format!("/{index}"),
        _ => String::new(),
    };
    let relative = got.filter(|_| expected != 0.0).map(|got| (got - expected).abs() / expected.abs());
    FirstWrong {
        pointer: format!("{}{index}", quantity.pointer),
        expected,
        got,
        relative_error: relative.filter(|relative| relative.is_finite()),
        ulps: got.map(|got| ulps(got, expected)),
    }
}

/// Doubles between two doubles.
fn ulps(a: f64, b: f64) -> u64 {
    let place = |value: f64| {
        let bits = i64::from_ne_bytes(value.to_bits().to_ne_bytes());
        if bits < 0 { i128::from(i64::MIN) - i128::from(bits) } else { i128::from(bits) }
    };
    u64::try_from(place(a).abs_diff(place(b))).unwrap_or(SEED_MAX).min(SEED_MAX)
}
