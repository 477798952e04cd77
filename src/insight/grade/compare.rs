//! A claim against a trace: quantity by quantity, in the order of computation, in either sign convention.

use std::collections::HashSet;

use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;

use super::claim::{Claim, Numbers};
use super::places::Places;
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
    /// Which quantity, by its place among those that are claimed at all
    pub which: usize,
    pub numbers: Numbers,
    /// How far each may be off because it was rounded, once the whole claim is known
    pub rounding: Vec<f64>,
    /// For what is computed of a bias: the same of the layer's weights, by its place as above
    pub beside: Option<usize>,
}

/// The quantities that a claim is about, by their pointers: no others are kept of any pass.
#[derive(Default)]
pub(super) struct Wanted(HashSet<String>);

/// Why a claim cannot be compared; pointers are into the claim.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum ClaimError {
    #[error("the trace has nothing of that name here; it has {}", listed(.there))]
    Unknown { pointer: String, there: Vec<String> },
    #[error("this is {got}, where {wanted} is claimed; null claims nothing")]
    Type { pointer: String, wanted: &'static str, got: &'static str },
    #[error("the same key stands twice in one object; one of the two would be lost")]
    Repeated { pointer: String },
    #[error("the trace has {expected} here (examples × units, in × out), and this is {got}")]
    Shape { pointer: String, expected: String, got: String },
    #[error("the claim has no number that could be compared")]
    Empty,
}

/// The first number that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FirstWrong {
    /// Where it stands in the trace
    #[schema(value_type = schema::Pointer)]
    pub pointer: String,
    /// What it should be, in the client's own sign convention
    #[schema(value_type = schema::Number)]
    pub expected: f64,
    /// What was claimed; null where the shape leaves no such number
    #[schema(value_type = schema::NullableNumber)]
    pub got: Option<f64>,
    /// |got − expected| / |expected|; null where one of them is missing or zero
    #[schema(value_type = schema::NullableNumber)]
    pub relative_error: Option<f64>,
    /// How many doubles lie between the two, counted up to 2^53 − 1
    #[schema(value_type = schema::NullableCount)]
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

/// Numbers smaller than this part of the largest of their quantity are compared relative to that: what is summed up in
/// another order differs by the rounding of the larger terms.
const NOISE: f64 = 1e-3;

/// The trace's own first. Everyone may choose a sign for errors and deltas, and one for gradients: the change tells
/// whether the two go together. Errors of one sign beside deltas of the other are a mistake.
pub(super) const CONVENTIONS: [Convention; 4] = [
    Convention { blame: 1.0, gradients: 1.0 },
    Convention { blame: -1.0, gradients: 1.0 },
    Convention { blame: 1.0, gradients: -1.0 },
    Convention { blame: -1.0, gradients: -1.0 },
];

fn listed(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let more = names.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if shown.is_empty() { "nothing at all".into() } else { shown + &more }
}

impl Wanted {
    /// Those quantities of a trace, in the order of computation.
    pub fn of(&self, trace: &Trace) -> Vec<Quantity> {
        let mut all = vec![];
        trace.walk(&mut |place, values| {
            let pointer = place.to_string();
            if self.0.contains(&pointer) {
                let values_kept = match values {
                    Values::Scalar(value) => vec![value],
                    Values::Vector(values) => values.to_vec(),
                    Values::Matrix(matrix) => matrix.values().to_vec(),
                };
                all.push(Quantity { pointer, shape: shape(values), values: values_kept });
            }
        });
        all
    }
}

pub(super) fn shape(values: Values) -> Vec<usize> {
    match values {
        Values::Scalar(_) => vec![],
        Values::Vector(values) => vec![values.len()],
        Values::Matrix(matrix) => vec![matrix.rows(), matrix.columns()],
    }
}

/// Everything that a claim says of a trace's quantities, in the order of computation, and which quantities these are.
pub(super) fn claimed(claim: &Claim, trace: &Trace) -> Result<(Vec<Claimed>, Wanted), ClaimError> {
    if let Some(pointer) = claim.repeated() {
        return Err(ClaimError::Repeated { pointer });
    }
    let places = Places::of(trace);
    let mut found = vec![];
    places.collect(claim, "", "", &mut found)?;
    if found.iter().all(|claimed: &Claimed| claimed.numbers.values.iter().all(Option::is_none)) {
        return Err(ClaimError::Empty);
    }
    let decimals = found.iter().map(|claimed| claimed.numbers.decimals()).fold(0, Ord::max);
    for claimed in &mut found {
        claimed.rounding = claimed.numbers.rounding(decimals);
    }
    found.sort_by_key(|claimed| claimed.which);
    for claimed in &mut found {
        claimed.beside = beside(&places.outlines[claimed.which].pointer)
            .and_then(|pointer| places.quantities.get(&pointer).copied());
    }
    let mut which: Vec<usize> =
        found.iter().flat_map(|claimed| [Some(claimed.which), claimed.beside]).flatten().collect();
    which.sort_unstable();
    which.dedup();
    let place = |which_one: usize| which.partition_point(|&before| before < which_one);
    for claimed in &mut found {
        (claimed.which, claimed.beside) = (place(claimed.which), claimed.beside.map(place));
    }
    let wanted = which.into_iter().map(|which| places.outlines[which].pointer.clone()).collect();
    Ok((found, Wanted(wanted)))
}

/// What is computed of the weights as this quantity is of the bias. Below a batch normalization a bias has no effect:
/// its gradient is 0 but for rounding, and what is compared is as rough as the terms that cancel. The parameter itself
/// and its value after the step stand alone.
fn beside(pointer: &str) -> Option<String> {
    let computed = pointer.contains("/gradients/") || (pointer.starts_with("/update/") && !pointer.ends_with("/after"));
    let (before, behind) =
        pointer.rsplit_once("/bias").filter(|(_, behind)| behind.is_empty() || behind.starts_with('/'))?;
    computed.then(|| format!("{before}/weights{behind}"))
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
        let beside = claimed.beside.map_or(&[][..], |which| &quantities[which].values);
        let sizes = quantity.values.iter().chain(beside).map(|value| value.abs());
        let largest = sizes.fold(0.0_f64, |most, size| if size > most { size } else { most });
        let wrong = quantity.values.iter().enumerate().find_map(|(index, expected)| {
            let expected = sign * expected;
            let Some(place) = claimed.numbers.place(index, &quantity.shape) else { return Some((index, None)) };
            let got = claimed.numbers.values[place]?;
            let off = (got - expected).abs();
            // One unit of the last place, and the rounding of that unit itself.
            let size = if expected.abs() > NOISE * largest { expected.abs() } else { NOISE * largest };
            let near = off <= claimed.rounding[place] * (1.0 + 1e-9) || off <= tolerance * size;
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
