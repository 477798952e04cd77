//! What if? A pass with some of its numbers set to others, beside the same pass as it was.
//!
//! A number is set as soon as it has been computed, before anything is computed from it; everything behind it follows.
//! The loss after a step is another pass: there what is given (data, masks, running statistics) is otherwise again, and
//! an ablated unit is still missing; what is computed is computed anew.

use thiserror::Error;

use super::difference::{Difference, differences};
use super::names;
use crate::engine::activation::Activation;
use crate::engine::cost::{Cost, Extent};
use crate::engine::layer::normalization::Statistics;
use crate::engine::layer::{Layer, LayerForward, NamedLayer};
use crate::engine::model::{Model, Targets};
use crate::engine::name::LayerName;
use crate::engine::pass::{Pass, PassError};
use crate::engine::tap::{Touch, ValuesMut};
use crate::engine::trace::{Place, Trace};
use crate::limits::OVERRIDES;

/// One thing that is otherwise.
#[derive(Clone, Debug, PartialEq)]
pub enum Override {
    /// A number of the trace.
    Number {
        /// Its RFC 6901 pointer into the trace
        at: String,
        /// What it is instead
        set: f64,
    },
    /// A unit that puts out 0 for every example, so that no gradient comes from it or through it.
    Ablate {
        /// Its layer
        layer: LayerName,
        /// Counted from 0
        unit: usize,
    },
}

/// Why nothing can be otherwise.
#[derive(Clone, Debug, Error, PartialEq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum WhatIfError {
    #[error("{0}")]
    Pass(#[from] PassError),
    #[error(
        "{at} is no number that this pass computes; a pointer into its trace looks like /forward/layers/0/outputs/0/1"
    )]
    NoSuchNumber { which: usize, at: String },
    #[error(
        "{at} is the loss of another pass, with the parameters after the step: set what it comes from, such as \
         /update/layers/0/parameters/weights/after/0/0"
    )]
    LossAfterwards { which: usize, at: String },
    #[error("{at} is what the step found, not what it computes; set what comes of it")]
    Found { which: usize, at: String },
    #[error("the network has no layer {layer}; it has {}", names(.there))]
    NoSuchLayer { which: usize, layer: LayerName, there: Vec<LayerName> },
    #[error("layer {layer} has {units} units, counted from 0, so there is no unit {unit}")]
    NoSuchUnit { which: usize, layer: LayerName, unit: usize, units: usize },
}

/// A change to one quantity, and which override wants it.
#[derive(Clone)]
struct Resolved {
    which: usize,
    quantity: String,
    change: Change,
    done: bool,
}

#[derive(Clone)]
enum Change {
    Number { index: Vec<usize>, set: f64 },
    Column(usize),
}

/// How the pass would differ. Neither of the two passes changes anything.
pub fn what_if(
    pass: &Pass,
    targets: Option<&Targets>,
    extent: Extent,
    overrides: &[Override],
) -> Result<Vec<Difference>, WhatIfError> {
    let mut resolved = vec![];
    for (which, wanted) in overrides.iter().enumerate() {
        resolved.extend(resolve(pass.model, which, wanted)?);
    }
    let before = run(pass, targets, extent)?;
    let mut lasting = lasting(&resolved, &before);
    let mut touch = |place: &Place, values: ValuesMut| apply(&mut resolved, &place.to_string(), values);
    let mut afterwards = |place: &Place, values: ValuesMut| apply(&mut lasting, &place.to_string(), values);
    let after = run_tapped(pass, targets, extent, &mut touch, &mut afterwards);
    // A pointer that met nothing is the client's mistake even where the pass went wrong later.
    let missed = resolved.iter().find(|resolved| !resolved.done && matches!(resolved.change, Change::Number { .. }));
    if let Some(Resolved { which, quantity, .. }) = missed
        && let Override::Number { at, .. } = &overrides[*which]
    {
        return Err(cannot_be_set(*which, at.clone(), quantity, &before));
    }
    Ok(differences(&before, &after?))
}

/// Why no number was set there: because there is none, or because the pass does not compute it.
fn cannot_be_set(which: usize, at: String, quantity: &str, trace: &Trace) -> WhatIfError {
    let mut stands = false;
    trace.walk(&mut |place, _| stands |= place.to_string() == quantity);
    if stands && quantity == "/update/loss_after" {
        WhatIfError::LossAfterwards { which, at }
    } else if stands && quantity.split('/').any(|part| part == "before") {
        WhatIfError::Found { which, at }
    } else {
        WhatIfError::NoSuchNumber { which, at }
    }
}

fn run(pass: &Pass, targets: Option<&Targets>, extent: Extent) -> Result<Trace, PassError> {
    match (extent, targets) {
        (Extent::Step, Some(targets)) => pass.step(targets).map(|(trace, _)| trace),
        (Extent::Backward, Some(targets)) => pass.backward(targets),
        (_, targets) => pass.forward(targets),
    }
}

fn run_tapped(
    pass: &Pass,
    targets: Option<&Targets>,
    extent: Extent,
    touch: &mut Touch,
    afterwards: &mut Touch,
) -> Result<Trace, PassError> {
    match (extent, targets) {
        (Extent::Step, Some(targets)) => pass.step_tapped(targets, touch, afterwards).map(|(trace, _)| trace),
        (Extent::Backward, Some(targets)) => pass.backward_tapped(targets, touch),
        (_, targets) => pass.forward_tapped(targets, touch),
    }
}

/// The overrides that hold in another pass over the same batch too.
fn lasting(overrides: &[Resolved], trace: &Trace) -> Vec<Resolved> {
    let mut given = vec!["/forward/inputs".to_owned(), "/loss/targets".to_owned()];
    add_given(&trace.forward.layers, "/forward", &mut given);
    let lasts = |wanted: &&Resolved| matches!(wanted.change, Change::Column(_)) || given.contains(&wanted.quantity);
    overrides.iter().filter(lasts).cloned().collect()
}

/// What layers do not compute: masks that were drawn, statistics that were gathered before.
fn add_given(layers: &[LayerForward], outer: &str, given: &mut Vec<String>) {
    for (index, layer) in layers.iter().enumerate() {
        let at = format!("{outer}/layers/{index}");
        match layer {
            LayerForward::Dropout(_) => given.push(format!("{at}/mask")),
            LayerForward::Normalization(norm) if norm.statistics == Some(Statistics::Running) => {
                given.extend(["mean", "variance"].map(|name| format!("{at}/{name}")));
            }
            _ => add_given(layer.inner(), &at, given),
        }
    }
}

fn resolve(model: &Model, which: usize, wanted: &Override) -> Result<Vec<Resolved>, WhatIfError> {
    let resolved = |quantity: String, change: Change| Resolved { which, quantity, change, done: false };
    match wanted {
        Override::Number { at, set } => {
            // The numbers at the end of a pointer are the index; layers count their own in between.
            let parts: Vec<&str> = at.split('/').collect();
            let name = parts.iter().rposition(|part| index_of(part).is_none()).unwrap_or(0);
            let index = parts[name + 1..].iter().filter_map(|part| index_of(part)).collect();
            Ok(vec![resolved(parts[..=name].join("/"), Change::Number { index, set: *set })])
        }
        Override::Ablate { layer, unit } => {
            let Some((path, named)) = model.layer(layer.as_str()) else {
                let there = model.all_layers().iter().map(|named| named.name.clone()).collect();
                return Err(WhatIfError::NoSuchLayer { which, layer: layer.clone(), there });
            };
            let units = named.layer.size().outputs;
            if *unit >= units {
                return Err(WhatIfError::NoSuchUnit { which, layer: layer.clone(), unit: *unit, units });
            }
            // What puts out a constant hangs on nothing below it: its slope is 0, whatever the activation makes of a
            // and of the changed h. Where there is no slope, the error ends at the unit.
            let ends = if has_derivatives(&named.layer) {
                format!("/forward{path}/derivatives")
            } else {
                format!("/backward{}/errors", model.from_the_top(&path))
            };
            let quantities = [format!("/forward{path}/outputs"), ends];
            Ok(quantities.map(|quantity| resolved(quantity, Change::Column(*unit))).into())
        }
    }
}

/// An index as RFC 6901 writes it: one that is written otherwise (`01`, `+1`) is a name.
fn index_of(part: &str) -> Option<usize> {
    let written = part == "0" || (!part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit()));
    if written { part.parse().ok() } else { None }
}

/// Whether each of its units hangs on its own pre-activation alone.
fn has_derivatives(layer: &Layer) -> bool {
    layer.activation().is_some_and(|activation| activation != Activation::Softmax)
}

fn apply(overrides: &mut [Resolved], place: &str, mut values: ValuesMut) {
    for wanted in overrides.iter_mut().filter(|wanted| wanted.quantity == place) {
        match &wanted.change {
            Change::Number { index, set } => {
                if let Some(value) = values.get_mut(index) {
                    *value = *set;
                    wanted.done = true;
                }
            }
            Change::Column(unit) => {
                if let ValuesMut::Matrix(matrix) = &mut values {
                    matrix.iter_rows_mut().for_each(|row| row[*unit] = 0.0);
                    wanted.done = true;
                }
            }
        }
    }
}

/// The most bytes that the differences of such a pass can take as JSON: a pointer and two numbers for each of its
/// numbers.
pub fn bytes(model: &Model, cost: Cost) -> u64 {
    /// `{"pointer":"/update/layers/999/parameters/weights/state/after/second_moment/65535/65535","was":…,"is":…},`
    const DIFFERENCE: u64 = 150;
    /// `/layers/999`, for each block that a layer stands in.
    const INSIDE: u64 = 11;
    fn blocks(layers: &[NamedLayer]) -> u64 {
        let within =
            |named: &NamedLayer| if named.layer.inner().is_empty() { 0 } else { 1 + blocks(named.layer.inner()) };
        layers.iter().map(within).max().unwrap_or(0)
    }
    /// What stands around them: the format, and what was set.
    const AROUND: u64 = OVERRIDES as u64 * 512;
    AROUND + cost.numbers * (DIFFERENCE + INSIDE * blocks(model.layers()))
}
