//! Many steps, one after the other: the inner loop of a training run.
//!
//! Each step is the very one that [`Pass::train_step`] makes of the same batch, to the bit. Where a step cannot be made the
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
use super::stepper::Stepper;
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
    /// How many steps were made
    pub made: u64,
    /// The mean loss of the last one's batch before its update; none where no step was made
    pub loss: Option<f64>,
    /// Why the next step cannot be made
    pub stopped: Option<PassError>,
}

/// The batches of a run, the order of the latest epoch at hand.
pub struct Batches<'c> {
    course: &'c Course,
    epoch_steps: u64,
    /// The epoch at hand, where there is one, and the order of its rows
    epoch: Option<u64>,
    order: Vec<usize>,
    /// The step that comes next in it, and the place of its first row
    next: (u64, usize),
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
        Batches { course: self, epoch_steps: self.epoch_steps(), epoch: None, order: vec![], next: (0, 0) }
    }
}

impl Batches<'_> {
    /// The batch of a step: the next rows in the order of its epoch.
    pub fn at(&mut self, step: u64) -> Batch {
        let learning_rate = self.learning_rate(step);
        let course = self.course;
        let chosen = course.rows.chosen(self.places(step));
        Batch {
            inputs: Inputs::of_checked_rows(chosen.inputs),
            targets: Targets::of_checked_rows(chosen.targets),
            learning_rate,
        }
    }

    /// The places of a step's rows.
    fn places(&mut self, step: u64) -> &[usize] {
        let Course { rows, batch, order, .. } = self.course;
        let rows = rows.rows();
        if self.next.0 != step || self.next.1 >= rows || self.epoch.is_none() {
            let (epoch, within) = match self.epoch {
                // One epoch after the other, without a division.
                Some(epoch) if self.next.0 == step => (epoch + 1, 0),
                _ => (step / self.epoch_steps, step % self.epoch_steps),
            };
            if self.epoch != Some(epoch) {
                // One row has one order, and so have rows that are taken as they lie.
                if self.epoch.is_none() || rows > 1 && *order != Order::Given {
                    self.order = order.of_epoch(rows, epoch);
                }
                self.epoch = Some(epoch);
            }
            self.next.1 = usize::try_from(within).unwrap_or(0) * batch;
        }
        let from = self.next.1;
        self.next = (step + 1, from + batch);
        &self.order[from..(from + batch).min(rows)]
    }

    fn learning_rate(&self, step: u64) -> Option<LearningRate> {
        self.course.schedule.and_then(|schedule| schedule.at(step))
    }
}

impl Batch {
    /// The step with all of its numbers, and where it leads.
    pub fn step(&self, model: &Model, state: &State) -> Result<(Trace, State), PassError> {
        let Self { inputs, learning_rate, .. } = self;
        Pass { model, state, inputs, mode: Mode::Train, learning_rate: *learning_rate }.train_step(&self.targets)
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
    let mut stepper = Stepper::new(model, &state, &course.rows, course.batch.min(course.rows.rows()));
    // Whether the stepper is further than the state.
    let mut ahead = false;
    let (mut made, mut loss, mut stopped) = (0, None, None);
    while made < count {
        let step = from + made;
        if let Some(stepper) = &mut stepper {
            let learning_rate = batches.learning_rate(step);
            if stepper.step(batches.places(step), learning_rate) {
                ahead = true;
                made += 1;
                continue;
            }
            if ahead {
                (state, ahead) = (stepper.state(), false);
                loss = Some(stepper.last_loss(batches.places(step - 1)));
            }
        }
        match batches.at(step).step(model, &state) {
            Ok((trace, after)) => {
                loss = trace.loss.map(|loss| loss.value);
                state = after;
                made += 1;
            }
            Err(error) => {
                stopped = Some(error);
                break;
            }
        }
        if let Some(stepper) = &mut stepper {
            stepper.take(&state);
        }
    }
    if let Some(stepper) = stepper.filter(|_| ahead) {
        state = stepper.state();
        loss = Some(stepper.last_loss(batches.places(from + made - 1)));
    }
    Ran { state, made, loss, stopped }
}
