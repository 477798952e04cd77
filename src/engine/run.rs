//! Many steps, one after the other: the inner loop of a training run.
//!
//! Each step is the very one that [`Pass::step`] makes of the same batch, to the bit. Where a step cannot be made the
//! run ends before it.

use std::sync::Arc;

use super::dataset::Order;
use super::dataset::split::Part;
use super::mode::Mode;
use super::model::{Inputs, Model, Targets};
use super::optimizer::LearningRate;
use super::pass::{Pass, PassError};
use super::schedule::Schedule;
use super::state::State;
use super::trace::Trace;

/// Where the batches of a run come from, and how far its steps go. Steps of a run count from 0 here.
#[derive(Clone, Debug)]
pub struct Course {
    /// The rows to learn from, which fit the model
    pub rows: Arc<Part>,
    /// Rows of a batch, at least 1; the last one of an epoch has what is left
    pub batch: usize,
    /// In which order the rows are taken
    pub order: Order,
    /// In the place of the optimizer's own rate
    pub schedule: Option<Schedule>,
}

/// How far a run came.
pub struct Ran {
    /// After the last step that was made
    pub state: State,
    /// The mean loss of each batch before its update, a step each
    pub losses: Vec<f64>,
    /// Why the next step cannot be made
    pub stopped: Option<PassError>,
}

/// The batches of a run, the order of the latest epoch at hand.
pub struct Batches<'c> {
    course: &'c Course,
    epoch: Option<u64>,
    order: Vec<usize>,
}

/// One step to be made.
pub struct Batch {
    inputs: Inputs,
    targets: Targets,
    learning_rate: Option<LearningRate>,
}

impl Course {
    /// Steps of an epoch: ⌈rows/batch⌉.
    pub fn epoch_steps(&self) -> u64 {
        self.rows.rows().div_ceil(self.batch) as u64
    }

    /// Rows of the last batch of an epoch.
    pub fn last_batch(&self) -> usize {
        (self.rows.rows() - 1) % self.batch + 1
    }

    /// The epoch of a step, counted from 0.
    pub fn epoch(&self, step: u64) -> u64 {
        step / self.epoch_steps()
    }

    /// The batches from anywhere on.
    pub fn batches(&self) -> Batches<'_> {
        Batches { course: self, epoch: None, order: vec![] }
    }
}

impl Batches<'_> {
    /// The batch of a step: the next rows in the order of its epoch.
    pub fn at(&mut self, step: u64) -> Batch {
        let Course { rows, batch, order, schedule } = self.course;
        let epoch = self.course.epoch(step);
        if self.epoch != Some(epoch) {
            self.order = order.of_epoch(rows.rows(), epoch);
            self.epoch = Some(epoch);
        }
        let at = usize::try_from(step % self.course.epoch_steps()).unwrap_or(0) * batch;
        let chosen = rows.chosen(&self.order[at..(at + batch).min(rows.rows())]);
        Batch {
            inputs: Inputs::of_checked_rows(chosen.inputs),
            targets: Targets::of_checked_rows(chosen.targets),
            learning_rate: schedule.and_then(|schedule| schedule.at(step)),
        }
    }
}

impl Batch {
    /// The step with all of its numbers, and where it leads.
    pub fn step(&self, model: &Model, state: &State) -> Result<(Trace, State), PassError> {
        let Self { inputs, learning_rate, .. } = self;
        Pass { model, state, inputs, mode: Mode::Train, learning_rate: *learning_rate }.step(&self.targets)
    }

    /// Its rows.
    pub fn rows(&self) -> usize {
        self.inputs.matrix().rows()
    }

    /// The rate of its step, where it is not the optimizer's own.
    pub fn learning_rate(&self) -> Option<LearningRate> {
        self.learning_rate
    }
}

/// So many steps from a state on, the first of them being the step `from` of the run.
pub fn run(model: &Model, course: &Course, mut state: State, from: u64, count: u64) -> Ran {
    let mut batches = course.batches();
    let mut losses = vec![];
    for step in from..from.saturating_add(count) {
        match batches.at(step).step(model, &state) {
            Ok((trace, after)) => {
                losses.push(trace.loss.map_or(0.0, |loss| loss.value));
                state = after;
            }
            Err(error) => return Ran { state, losses, stopped: Some(error) },
        }
    }
    Ran { state, losses, stopped: None }
}
