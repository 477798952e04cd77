//! The steps of a run that are written down together: computed from values to values.

use std::sync::Arc;

use super::super::apply::run_work;
use super::super::course::{Evaluation, Memory, Progress};
use super::super::subject::Subject;
use super::{Plan, Reason, RunState, Until};
use crate::engine::cost::{Extent, cost};
use crate::engine::dataset::split::{Part, Parted};
use crate::engine::judge::{Measure, judge};
use crate::engine::pass::PassError;
use crate::engine::run::{Course, run};
use crate::engine::state::State;
use crate::engine::summary::{Sizes, gradient_norms_by_layer};
use crate::engine::trace::Trace;
use crate::limits::RUN_ENTRY_STEPS;

/// What a run is computed with.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) subject: Arc<Subject>,
    pub(super) plan: Plan,
    pub(super) course: Course,
    pub(super) parted: Arc<Parted>,
    pub(super) measure: Option<Measure>,
}

/// Where a run stands.
#[derive(Clone)]
pub(super) struct Stand {
    pub(super) state: State,
    /// Steps of the run that are made
    pub(super) done: u64,
    pub(super) memory: Memory,
    /// How it looked last
    pub(super) last: Progress,
}

/// Some steps further.
pub(super) struct Portion {
    pub(super) stand: Stand,
    pub(super) steps: u64,
    /// Of the last step
    pub(super) sizes: Sizes,
    pub(super) reports: Vec<Progress>,
    pub(super) end: Option<(RunState, Reason, Option<String>)>,
    pub(super) work: u64,
}

impl Run {
    pub(super) fn new(subject: Arc<Subject>, plan: Plan, parted: Arc<Parted>) -> Self {
        let course = plan.course.course(&parted);
        let measure = Measure::of(&parted.train.targets);
        Self { subject, plan, course, parted, measure }
    }

    /// How many steps are written down together: as many as make the work, evaluations included.
    pub(super) fn portion(&self, work: u64) -> u64 {
        let each_row = cost(self.subject.model(), 1, Extent::Forward).multiply_adds;
        let rows = self.evaluated().map(|part| part.rows() as u64).sum::<u64>();
        let evaluation = self.plan.evaluate_every.map_or(0, |every| each_row.saturating_mul(rows) / every);
        let step = run_work(&self.subject, &self.course, 1).saturating_add(evaluation);
        (work / step).clamp(1, RUN_ENTRY_STEPS)
    }

    fn evaluated(&self) -> impl Iterator<Item = &Part> {
        let train = self.plan.until.of_training_rows().then_some(&*self.parted.train);
        train.into_iter().chain(&self.parted.test)
    }

    /// At most so many steps from where it stands.
    pub(super) fn further(&self, mut stand: Stand, most: u64) -> Portion {
        let (model, plan, total) = (self.subject.model(), &self.plan, self.plan.steps());
        let (before, goal) = (stand.done, total.min(stand.done.saturating_add(most)));
        let (mut sizes, mut reports, mut end) = (Sizes::default(), vec![], None);
        let mut batches = self.course.batches();
        let next = |done: u64, every: Option<u64>| every.map_or(goal, |every| (done / every + 1).saturating_mul(every));
        while stand.done < goal && end.is_none() {
            let stop = goal.min(next(stand.done, plan.evaluate_every)).min(next(stand.done, plan.progress_every));
            // All but the last one, of which more is told.
            let start = (stand.state.clone(), stand.done);
            let ran = run(model, &self.course, stand.state, stand.done, stop - 1 - stand.done);
            stand.state = ran.state;
            stand.done += ran.made;
            if let Some(loss) = ran.loss {
                stand.last = self.plain_progress(stand.done, loss, &stand.last);
                sizes = Sizes { loss: Some(loss), ..Sizes::default() };
            }
            let made = match ran.stopped {
                Some(error) => Err(error),
                None => batches.at(stand.done).step(model, &stand.state),
            };
            let (trace, state) = match made {
                Ok(made) => made,
                Err(error) => {
                    let first = plan.from + stand.done + 1;
                    end = Some((RunState::Failed, reason(&error), Some(format!("step {first}: {error}"))));
                    if ran.made > 0 {
                        (sizes, stand.last) = self.again(start, &stand);
                    }
                    // Whoever has heard of it already is not told again.
                    if stand.done > 0 {
                        reports.push(stand.last.clone());
                    }
                    break;
                }
            };
            (stand.state, stand.done) = (state, stand.done + 1);
            sizes = Sizes::of(&trace);
            stand.last = self.progress(stand.done, &trace, &stand.last);
            let every = |every: Option<u64>| every.is_some_and(|every| stand.done.is_multiple_of(every));
            if every(plan.evaluate_every) || stand.done == total {
                end = self.evaluate(&mut stand);
            }
            if stand.done == total && end.is_none() {
                end = Some((RunState::Done, Reason::Finished, None));
            }
            let due = plan.progress_every.map_or(stand.done == goal, |every| stand.done.is_multiple_of(every));
            if due || end.is_some() {
                reports.push(stand.last.clone());
            }
        }
        let steps = stand.done - before;
        let work = run_work(&self.subject, &self.course, steps);
        stand.state.hash(model);
        Portion { stand, steps, sizes, reports, end, work }
    }

    /// The last step that was made, with all that is told of one: it was not known that it would be the last. It is made
    /// again from where a stretch of steps began.
    fn again(&self, (state, done): (State, u64), stand: &Stand) -> (Sizes, Progress) {
        let model = self.subject.model();
        let before = run(model, &self.course, state, done, stand.done - 1 - done);
        match self.course.batches().at(stand.done - 1).step(model, &before.state) {
            Ok((trace, _)) => (Sizes::of(&trace), self.progress(stand.done, &trace, &stand.last)),
            // It was made before, and is made alike.
            Err(_) => (Sizes { loss: Some(stand.last.loss), ..Sizes::default() }, stand.last.clone()),
        }
    }

    fn plain_progress(&self, done: u64, loss: f64, last: &Progress) -> Progress {
        Progress {
            step: self.plan.from + done,
            epoch: self.course.epoch(done - 1) + 1,
            loss,
            accuracy: None,
            train: last.train,
            test: last.test,
            evaluated: last.evaluated,
            gradient_norms: vec![],
        }
    }

    fn progress(&self, done: u64, trace: &Trace, last: &Progress) -> Progress {
        let loss = trace.loss.as_ref();
        let accuracy = self.measure.zip(loss).map(|(of, loss)| of.accuracy(&loss.targets, &trace.forward.outputs));
        let plain = self.plain_progress(done, loss.map_or(0.0, |loss| loss.value), last);
        Progress { accuracy, gradient_norms: gradient_norms_by_layer(trace), ..plain }
    }

    /// Judges the model, and whether that is enough.
    fn evaluate(&self, stand: &mut Stand) -> Option<(RunState, Reason, Option<String>)> {
        let plan = &self.plan;
        let judged = |part: &Part| -> Option<Evaluation> {
            // Rows that overflow have no loss; that neither ends a run nor tries its patience.
            judge(self.subject.model(), &stand.state, part, self.measure).ok().map(Evaluation::from)
        };
        let end = stand.done == plan.steps();
        let train = (plan.until.of_training_rows() || end).then(|| judged(&self.parted.train)).flatten();
        let test = self.parted.test.as_ref().and_then(judged);
        let better = test.is_some_and(|test| stand.memory.best.is_none_or(|best| test.loss < best));
        stand.memory = match test {
            Some(test) if better => Memory { best: Some(test.loss), since: 0 },
            Some(_) => Memory { since: stand.memory.since + 1, ..stand.memory },
            None => stand.memory,
        };
        let waited = plan.patience.is_some_and(|patience| stand.memory.since >= patience);
        let reason = enough(plan.until, train, test).or((waited && !end).then_some(Reason::Patience));
        // At its end, whatever ends it, the training rows are looked at too.
        let train = train.or_else(|| reason.and_then(|_| judged(&self.parted.train)));
        (stand.last.train, stand.last.test, stand.last.evaluated) = (train, test, Some(stand.last.step));
        reason.map(|reason| (RunState::Done, reason, None))
    }
}

fn enough(until: Until, train: Option<Evaluation>, test: Option<Evaluation>) -> Option<Reason> {
    let low = |wanted: Option<f64>, found: Option<Evaluation>| {
        wanted.zip(found).is_some_and(|(wanted, found)| found.loss <= wanted)
    };
    let high = |wanted: Option<f64>, found: Option<Evaluation>| {
        wanted.zip(found.and_then(|found| found.accuracy)).is_some_and(|(wanted, found)| found >= wanted)
    };
    [
        (low(until.loss, train), Reason::Loss),
        (high(until.accuracy, train), Reason::Accuracy),
        (low(until.test_loss, test), Reason::TestLoss),
        (high(until.test_accuracy, test), Reason::TestAccuracy),
    ]
    .into_iter()
    .find_map(|(enough, reason)| enough.then_some(reason))
}

fn reason(error: &PassError) -> Reason {
    match error {
        PassError::NonFinite(_) => Reason::NonFinite,
        PassError::OutputNotAProbability { .. } => Reason::NotAProbability,
    }
}
