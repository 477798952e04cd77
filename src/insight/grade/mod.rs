//! Grade: a client's own numbers against the trace. Right, or the first wrong one in the order of computation, and
//! which mistake makes exactly these numbers.
//!
//! A mistake is named because the engine, run again with that mistake in it, gives the client's numbers, not by guess.

mod claim;
mod compare;
mod imitation;
mod mistakes;
mod places;

use serde::Serialize;
use utoipa::ToSchema;

pub use claim::Claim;
pub use compare::{ClaimError, FirstWrong};

use crate::engine::cost::Cost;
use crate::engine::model::Targets;
use crate::engine::pass::{Pass, PassError};
use crate::engine::schema;
use crate::limits::{GRADE_PASSES, Limits};
use compare::{CONVENTIONS, Claimed, Convention, Quantity, claimed, first_wrong};
use mistakes::{MISTAKES, Mistake, Scene};

/// How far an unrounded number may be off, relative to the largest of its quantity, if the client does not say.
pub const TOLERANCE: f64 = 1e-9;

/// What is to be thought of a claim.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Grade {
    /// Whether every claimed number is right
    pub verdict: GradeVerdict,
    /// Which way the claimed errors and deltas point, or, without them, the gradients; null where neither is claimed
    pub sign: Option<Sign>,
    /// Numbers that were compared
    #[schema(value_type = schema::Count)]
    pub compared: usize,
    /// The first wrong number in the order of computation
    pub first_wrong: Option<FirstWrong>,
    /// The mistakes that give exactly the claimed numbers; several where they cannot be told apart
    #[schema(max_items = 32)]
    pub mistakes: Vec<MistakeView>,
}

/// Right or wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GradeVerdict {
    /// Every claimed number is right, as far as its decimals go
    Right,
    /// One of them is not
    Wrong,
}

/// A sign convention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// −∂E, the way the weights should go, as in the tutorial
    Downhill,
    /// ∂E, as PyTorch's .grad
    Gradient,
}

/// A mistake by name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MistakeView {
    /// The mistake's stable code
    #[schema(value_type = schema::Name)]
    pub code: &'static str,
    /// The mistake in a few words
    #[schema(value_type = schema::Prose)]
    pub title: &'static str,
    /// What was done, what should be, and where
    #[schema(value_type = schema::Prose)]
    pub explanation: &'static str,
}

/// Why a claim cannot be graded.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum GradeError {
    #[error("{0}")]
    Claim(#[from] ClaimError),
    #[error("{0}")]
    Pass(#[from] PassError),
}

/// The work of grading so many entries of a claim against a step of that cost, in multiply-adds: in every pass each is
/// compared in every convention, which takes about as long as so many multiplications.
pub fn work(step: Cost, entries: u64) -> u64 {
    const COMPARED: u64 = 16;
    step.multiply_adds.saturating_add(entries.saturating_mul(COMPARED)).saturating_mul(GRADE_PASSES)
}

/// The numbers that grading holds at once: the right pass's, one mistaken pass's with what the mistake looks at of both
/// and what it makes of them, and of the claim what was read, what was meant, how it was rounded, what is right and what the mistake gives. Each way of making a mistake is
/// gone before the next one is tried.
pub fn numbers(step: Cost, entries: u64) -> u64 {
    step.numbers.saturating_mul(4).saturating_add(entries.saturating_mul(8))
}

/// In how many ways the known mistakes are made in such a step; each takes one pass at the most.
pub fn ways(pass: &Pass, targets: &Targets, limits: &Limits) -> usize {
    let scene = Scene { pass, targets, right: &[], wanted: &compare::Wanted::default(), clip: None, limits };
    MISTAKES.iter().map(|mistake| mistake.ways(&scene).len()).sum()
}

/// Judges a claim about the step that this pass would make. Nothing changes.
pub fn grade(
    pass: &Pass,
    targets: &Targets,
    claim: &Claim,
    tolerance: f64,
    limits: &Limits,
) -> Result<Grade, GradeError> {
    let (trace, _) = pass.step(targets)?;
    let (claimed, wanted) = claimed(claim, &trace)?;
    let right = wanted.of(&trace);
    let clip = trace.update.as_ref().and_then(|update| update.clip);
    drop(trace);
    let numbers = claimed.iter().flat_map(|claimed| &claimed.numbers.values);
    let compared = numbers.filter(|value| value.is_some()).count();
    let judged = CONVENTIONS.map(|convention| (convention, first_wrong(&right, &claimed, convention, tolerance)));
    if let Some((convention, _)) = judged.iter().find(|(_, wrong)| wrong.is_none()) {
        let sign = sign(*convention, &right, &claimed);
        return Ok(Grade { verdict: GradeVerdict::Right, sign, compared, first_wrong: None, mistakes: vec![] });
    }
    // The convention in which the claim stays right the longest; the trace's own among equals.
    let place = |wrong: &Option<(usize, FirstWrong)>| wrong.as_ref().map_or(0, |(which, _)| *which);
    let (first, others) = (&judged[0], &judged[1..]);
    let best = others.iter().fold(first, |best, next| if place(&next.1) > place(&best.1) { next } else { best });
    let scene = Scene { pass, targets, right: &right, wanted: &wanted, clip, limits };
    let made = |mistake: &&Mistake| {
        let mut ways = mistake.ways(&scene).into_iter().filter_map(|way| way());
        ways.any(|way| same_quantities(&way, &right) && agrees(&way, &claimed, tolerance))
    };
    let mistakes = MISTAKES.iter().filter(made).map(Mistake::view).collect();
    Ok(Grade {
        verdict: GradeVerdict::Wrong,
        sign: sign(best.0, &right, &claimed),
        compared,
        first_wrong: best.1.clone().map(|(_, wrong)| wrong),
        mistakes,
    })
}

fn agrees(quantities: &[Quantity], claimed: &[Claimed], tolerance: f64) -> bool {
    CONVENTIONS.iter().any(|convention| first_wrong(quantities, claimed, *convention, tolerance).is_none())
}

/// A mistake leaves every quantity where it is; only its numbers, or the order of its axes, are others.
fn same_quantities(way: &[Quantity], right: &[Quantity]) -> bool {
    way.len() == right.len() && way.iter().zip(right).all(|(a, b)| a.pointer == b.pointer)
}

/// What the claim shows of its convention: where all its numbers are zero, nothing.
fn sign(convention: Convention, quantities: &[Quantity], claimed: &[Claimed]) -> Option<Sign> {
    let shows = |gradients: bool| {
        claimed.iter().any(|claimed| {
            let pointer = &quantities[claimed.which].pointer;
            pointer.starts_with("/backward/")
                && pointer.contains("/gradients/") == gradients
                && claimed.numbers.values.iter().any(|value| value.is_some_and(|value| value != 0.0))
        })
    };
    let of = |downhill| if downhill { Sign::Downhill } else { Sign::Gradient };
    if shows(false) {
        Some(of(convention.blame > 0.0))
    } else if shows(true) {
        Some(of(convention.gradients < 0.0))
    } else {
        None
    }
}
