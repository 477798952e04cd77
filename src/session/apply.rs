//! What one entry of a log makes of a state: the same as when it was written, or it is refused.

use std::ops::RangeInclusive;

use super::course::TrainCommand;
use super::record::{Command, StepCommand};
use super::replay::{CHANGED, Happened};
use super::session::Live;
use super::subject::{Detail, PassRequest, Subject};
use crate::engine::cost::{Extent, cost};
use crate::engine::run::{Batch, Course, run};
use crate::engine::state::{State, StateHash};
use crate::engine::stepper::Stepper;
use crate::engine::trace::Trace;
use crate::limits::{ENTRY_WORK, Limits, RUN_QUICK_STEP_WORK, RUN_STEP_WORK};
use crate::store::{Entry, Log};

/// An entry, with the rows that it learns from where it does.
pub(super) struct Ready {
    pub(super) entry: Entry,
    pub(super) course: Option<Course>,
}

/// What entries are computed with.
#[derive(Clone, Copy)]
pub(super) struct Model<'a> {
    pub(super) subject: &'a Subject,
    pub(super) limits: &'a Limits,
    pub(super) log: &'a Log,
}

/// The state after an entry that is no rewind, and what happened there. Of an entry that covers several steps it is the
/// state at `until`, where that lies among them; the entry is followed to its end all the same, for only there its hash
/// tells whether all of it is as it was.
pub(super) fn apply(model: Model, live: &Live, ready: &Ready, until: u64) -> Result<(Live, Happened), String> {
    let Model { subject, limits, log } = model;
    let head = &ready.entry.head;
    if !ready.entry.is_whole(&log.tenant, log.id) {
        return Err(CHANGED.into());
    }
    if head.before != live.head || head.step != live.step() + 1 {
        return Err("its entry does not stand on the one before it".into());
    }
    let (state, happened, work) = match Command::from_bytes(&ready.entry.body).map_err(|error| error.to_string())? {
        Command::Step(step) => {
            let detail = step.detail;
            let prepared =
                subject.prepare(step.into_request(), Extent::Step, limits).map_err(|error| error.to_string())?;
            let targets = prepared.targets.clone().ok_or("it has no targets")?;
            let pass = prepared.pass(subject.model(), live.state());
            let (trace, state) = pass.step(&targets).map_err(|error| error.to_string())?;
            (state, Happened::Stepped(Box::new(trace), detail), prepared.cost.multiply_adds)
        }
        Command::Replace(replace) => {
            let state = live.state().replaced(subject.model(), replace.replacements());
            (state.map_err(|error| error.to_string())?, Happened::Replaced(replace.answered), 0)
        }
        Command::Train(train) => return apply_run(model, live, ready, &train, until.min(head.last)),
        Command::Create(_) | Command::Rewind { .. } | Command::Seal(_) => {
            return Err("its note and its command differ".into());
        }
    };
    let after = live.after(state, subject, head.hash, work);
    if after.tag.state == StateHash::from_bytes(head.state) { Ok((after, happened)) } else { Err(ELSEWHERE.into()) }
}

const ELSEWHERE: &str = "it leads to another state than it did";

fn apply_run(
    model: Model,
    live: &Live,
    ready: &Ready,
    train: &TrainCommand,
    at: u64,
) -> Result<(Live, Happened), String> {
    let (subject, head) = (model.subject, &ready.entry.head);
    let course = ready.course.as_ref().ok_or("its note and its command differ")?;
    let mut found: Option<(Trace, State)> = None;
    let end = along(subject, course, live.state(), ready, train, at..=at, &mut |_, _, trace, state| {
        found = Some((trace, state.clone()));
    })?;
    let (trace, state) = found.ok_or("it has no such step")?;
    let happened = Happened::Stepped(Box::new(trace), Detail::Full);
    if at < head.last {
        return Ok((Live::reached(at, state, subject, head.hash, live.since), happened));
    }
    let work = run_work(subject, course, head.last - live.step());
    let since = live.since.saturating_add(work).saturating_add(ENTRY_WORK);
    Ok((Live::reached(head.last, end, subject, head.hash, since), happened))
}

/// What it takes to make so many steps of a course, in multiply-adds.
pub(super) fn run_work(subject: &Subject, course: &Course, steps: u64) -> u64 {
    let step = cost(subject.model(), course.batch, Extent::Step).multiply_adds;
    let beside = if Stepper::is_for(subject.model()) { RUN_QUICK_STEP_WORK } else { RUN_STEP_WORK };
    step.saturating_add(beside).saturating_mul(steps)
}

/// Makes the steps of a run's entry again, those of `wanted` with all of their numbers. Answers the state after the
/// last of them, which must be the one that the entry says.
pub(super) fn along(
    subject: &Subject,
    course: &Course,
    state: &State,
    ready: &Ready,
    train: &TrainCommand,
    wanted: RangeInclusive<u64>,
    visit: &mut dyn FnMut(u64, &Batch, Trace, &State),
) -> Result<State, String> {
    let (model, head) = (subject.model(), &ready.entry.head);
    // Steps of the run count from 0.
    let place = |step: u64| step.checked_sub(train.from + 1).ok_or("it began before its run did");
    let (first, last) = (*wanted.start().max(&head.step), *wanted.end().min(&head.last));
    let mut state = state.clone();
    let mut batches = course.batches();
    let quiet = |state: State, from: u64, to: u64| -> Result<State, String> {
        if from > to {
            return Ok(state);
        }
        let ran = run(model, course, state, place(from)?, to - from + 1);
        ran.stopped.map_or(Ok(ran.state), |error| Err(error.to_string()))
    };
    state = quiet(state, head.step, first - 1)?;
    for step in first..=last {
        let batch = batches.at(place(step)?);
        let (trace, after) = batch.step(model, &state).map_err(|error| error.to_string())?;
        visit(step, &batch, trace, &after);
        state = after;
    }
    state = quiet(state, last + 1, head.last)?;
    if state.hash(model) == StateHash::from_bytes(head.state) { Ok(state) } else { Err(ELSEWHERE.into()) }
}

impl StepCommand {
    /// The pass that it is.
    fn into_request(self) -> PassRequest {
        let (inputs, targets) =
            self.batch.map(|batch| (batch.inputs.into_matrix(), batch.targets.into_matrix())).unzip();
        PassRequest { inputs, targets, mode: Some(self.mode), learning_rate: self.learning_rate, detail: self.detail }
    }
}
