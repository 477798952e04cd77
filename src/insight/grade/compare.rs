//! A claim against a trace: quantity by quantity, in the order of computation, in either sign convention.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;

use super::claim::{Claim, Numbers, escaped};
use crate::engine::layer::{LayerBackward, LayerForward};
use crate::engine::name::LayerName;
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

/// Where a quantity stands, and how large it is.
struct Outline {
    pointer: String,
    shape: Vec<usize>,
}

/// What a client claims of one quantity.
#[derive(Clone, Debug)]
pub(super) struct Claimed {
    /// Which quantity, by its place among those that are claimed at all
    pub which: usize,
    pub numbers: Numbers,
    /// How far each may be off because it was rounded, once the whole claim is known
    pub rounding: Vec<f64>,
}

/// The quantities that a claim is about, by their pointers: no others are kept of any pass.
#[derive(Default)]
pub(super) struct Wanted(HashSet<String>);

/// Why a claim cannot be compared; pointers are into the claim.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum ClaimError {
    #[error("the trace has nothing of that name here")]
    Unknown { pointer: String },
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

/// The trace's own first. Everyone may choose a sign for errors and deltas, and one for gradients: the change tells
/// whether the two go together. Errors of one sign beside deltas of the other are a mistake.
pub(super) const CONVENTIONS: [Convention; 4] = [
    Convention { blame: 1.0, gradients: 1.0 },
    Convention { blame: -1.0, gradients: 1.0 },
    Convention { blame: 1.0, gradients: -1.0 },
    Convention { blame: -1.0, gradients: -1.0 },
];

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

fn shape(values: Values) -> Vec<usize> {
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
    let mut which: Vec<usize> = found.iter().map(|claimed| claimed.which).collect();
    which.dedup();
    for claimed in &mut found {
        claimed.which = which.partition_point(|&before| before < claimed.which);
    }
    let wanted = which.into_iter().map(|which| places.outlines[which].pointer.clone()).collect();
    Ok((found, Wanted(wanted)))
}

/// What a trace has and where, to be looked up by pointer.
struct Places {
    outlines: Vec<Outline>,
    /// Each quantity's place among the outlines
    quantities: HashMap<String, usize>,
    /// Whatever holds quantities or layers
    parts: HashSet<String>,
    layers: HashSet<String>,
    /// A list of layers and a name in it, with a space between the two: where that layer stands
    named: HashMap<String, String>,
}

impl Places {
    fn of(trace: &Trace) -> Self {
        let mut outlines = vec![];
        trace.walk(&mut |place, values| outlines.push(Outline { pointer: place.to_string(), shape: shape(values) }));
        let quantities = outlines.iter().enumerate().map(|(which, outline)| (outline.pointer.clone(), which)).collect();
        let mut places =
            Self { outlines, quantities, parts: HashSet::new(), layers: HashSet::new(), named: HashMap::new() };
        for (at, name) in layers(trace) {
            if let Some((list, _)) = at.rsplit_once('/') {
                places.named.entry(format!("{list} {name}")).or_insert_with(|| at.clone());
            }
            places.layers.insert(at);
        }
        let pointers = places.outlines.iter().map(|outline| &outline.pointer).chain(&places.layers);
        for pointer in pointers {
            let mut part = &pointer[..];
            while places.parts.insert(part.to_owned())
                && let Some((outer, _)) = part.rsplit_once('/')
            {
                part = outer;
            }
        }
        places
    }

    /// `at` is the place in the trace, `here` the place in the claim: they differ where a layer is found by its name.
    fn collect(&self, claim: &Claim, at: &str, here: &str, found: &mut Vec<Claimed>) -> Result<(), ClaimError> {
        if let Some(&which) = self.quantities.get(at) {
            found.extend(self.claimed(which, claim, here)?);
            return Ok(());
        }
        let unknown = || ClaimError::Unknown { pointer: here.to_owned() };
        match claim {
            Claim::Nothing => Ok(()),
            Claim::Number(_) | Claim::Text(_) => Err(unknown()),
            Claim::Object(entries) => {
                for (key, claim) in entries {
                    let deeper = |outer: &str| format!("{outer}/{}", escaped(key));
                    if self.is_setting(at, key, claim) {
                        continue;
                    }
                    let (at, here) = (deeper(at), deeper(here));
                    if !self.parts.contains(&at) {
                        return Err(ClaimError::Unknown { pointer: here });
                    }
                    self.collect(claim, &at, &here, found)?;
                }
                Ok(())
            }
            Claim::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    let here = format!("{here}/{index}");
                    let Some(layer) = self.layer(at, index, item) else {
                        return Err(ClaimError::Unknown { pointer: here });
                    };
                    self.collect(item, &layer, &here, found)?;
                }
                Ok(())
            }
        }
    }

    /// Whether this is one of the texts and settings of a trace that are no numbers to be judged, in its own place: a
    /// quantity cannot hide behind the name of one.
    fn is_setting(&self, at: &str, key: &str, claim: &Claim) -> bool {
        let known: &[&str] = match at {
            "" => &["format", "session", "step"],
            "/loss" => &["kind"],
            "/update" => &["optimizer", "timestep"],
            _ if self.layers.contains(at) => match at.split('/').nth(1) {
                Some("forward") => &["name", "kind", "activation", "statistics", "epsilon", "rate"],
                Some("backward") => &["name", "kind"],
                _ => &["name"],
            },
            _ if at.strip_suffix("/running").is_some_and(|layer| self.layers.contains(layer)) => &["momentum"],
            _ => &[],
        };
        let simple = !matches!(claim, Claim::List(_) | Claim::Object(_));
        known.contains(&key) && (simple || key == "optimizer")
    }

    /// A layer by its name, or by its place where the claim gives it none.
    fn layer(&self, list: &str, index: usize, item: &Claim) -> Option<String> {
        if let Some(Claim::Text(name)) = item.get("name") {
            return self.named.get(&format!("{list} {name}")).cloned();
        }
        Some(format!("{list}/{index}")).filter(|at| self.layers.contains(at))
    }

    /// What is claimed of one quantity; nothing where null stands for all of it.
    fn claimed(&self, which: usize, claim: &Claim, here: &str) -> Result<Option<Claimed>, ClaimError> {
        let expected = &self.outlines[which].shape;
        let shape = |shape: &[usize]| match shape {
            [] => "a single number".to_owned(),
            shape => shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × "),
        };
        let wrong = |got: String| ClaimError::Shape { pointer: here.to_owned(), expected: shape(expected), got };
        let numbers = claim.numbers().ok_or_else(|| wrong("none, or ragged".into()))?;
        if numbers.values == [None] {
            return Ok(None);
        }
        let transposed = expected.iter().rev().eq(&numbers.shape);
        if !numbers.fits(expected) && !transposed {
            return Err(wrong(shape(&numbers.shape)));
        }
        Ok(Some(Claimed { which, numbers, rounding: vec![] }))
    }
}

/// The pointer and the name of every layer, in every section.
fn layers(trace: &Trace) -> Vec<(String, LayerName)> {
    fn up(layers: &[LayerForward], at: &str, all: &mut Vec<(String, LayerName)>) {
        for (index, layer) in layers.iter().enumerate() {
            let at = format!("{at}/layers/{index}");
            up(layer.inner(), &at, all);
            all.push((at, layer.name().clone()));
        }
    }
    fn down(layers: &[LayerBackward], at: &str, all: &mut Vec<(String, LayerName)>) {
        for (index, layer) in layers.iter().enumerate() {
            let at = format!("{at}/layers/{index}");
            down(layer.inner(), &at, all);
            all.push((at, layer.name().clone()));
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
