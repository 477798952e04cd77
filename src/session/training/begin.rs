//! How a run begins: everything is checked before anything is written.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::{broadcast, watch};

use super::super::append::{Settled, commit};
use super::super::cbor::{Bytes, to_cbor};
use super::super::course::{CourseSpec, RunId};
use super::super::dataset;
use super::super::once::Outcome;
use super::super::replay::ReplayError;
use super::super::session::{Session, SessionError, Terms, as_a_whole};
use super::super::subject::{Subject, SubjectError};
use super::task::change;
use super::{Kept, Plan, RunLength, RunState, Status, TrainData, TrainError, TrainRequest, Training, Watch};
use crate::engine::cost::Extent;
use crate::engine::dataset::split::{Parted, Split};
use crate::engine::dataset::{Columns, Dataset};
use crate::engine::judge::Measure;
use crate::engine::layer::LayerKind;
use crate::engine::mode::Mode;
use crate::engine::model::BatchError;
use crate::engine::schedule::Schedule;
use crate::limits::{Limits, RUN_REPORTS, RUN_STEPS};
use crate::store::{Change, Commit, CommitError, Conflict, DataChange, RunChange};

/// What is known of a run before it has a place.
struct Prepared {
    dataset: Arc<Dataset>,
    course: CourseSpec,
    parted: Arc<Parted>,
    steps: u64,
    evaluate_every: Option<u64>,
}

impl Session {
    /// Begins a run, which goes on whether or not anybody waits for it.
    pub async fn train(self: &Arc<Self>, request: TrainRequest, terms: Terms) -> Result<Watch, SessionError> {
        let subject = Arc::clone(&self.subject);
        let limits = self.services.limits.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let prepared = prepare(&subject, &request, &limits)?;
            Ok::<_, SessionError>((prepared, request))
        });
        let (prepared, request) = match checked.await {
            Ok(checked) => checked?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let session = Arc::clone(self);
        as_a_whole(async move { session.begin(prepared, request, terms).await }).await
    }

    async fn begin(
        self: Arc<Self>,
        prepared: Prepared,
        request: TrainRequest,
        terms: Terms,
    ) -> Result<Watch, SessionError> {
        let Prepared { dataset, course, parted, steps, evaluate_every } = prepared;
        let services = &self.services;
        services.data.keep(&course, parted);
        let _turn = self.turn.lock().await;
        let bytes = dataset::write(&dataset);
        let used = Change::Data(DataChange::Use(self.log.id, course.hash(), bytes));
        if commit(services, Commit { change: used, key: None }).await? == Settled::Overtaken {
            return Err(ReplayError::Gone.into());
        }
        self.check_untrained().await?;
        self.doubt();
        self.follow(None).await?;
        let live = self.live();
        terms.condition.check(live.tag)?;
        let plan = Plan {
            run: RunId(services.machine.random()?),
            from: live.step(),
            to: live.step() + steps,
            course,
            until: request.until,
            patience: request.patience,
            evaluate_every,
            progress_every: request.progress_every,
        };
        let body = to_cbor(&Kept { plan: plan.clone(), ended: None });
        match change(services, self.log.id, RunChange::Begin { body: body.clone() }).await {
            Ok(()) => {}
            Err(CommitError::Conflict(Conflict::Gone)) => return Err(ReplayError::Gone.into()),
            Err(CommitError::Conflict(_)) => return Err(self.is_training()),
            Err(CommitError::Refused(error)) => return Err(error.into()),
            Err(CommitError::Unknown(error)) => {
                let found = services.store.run(self.log.id, services.machine.now()).await?;
                if found.is_none_or(|run| run.body != body) {
                    return Err(error.into());
                }
            }
        }
        if let Some(claim) = &terms.claim {
            let outcome = Outcome::Trained { log: Bytes(self.log.id.0.to_vec()), run: Bytes(plan.run.0.to_vec()) };
            claim.keep(services, &outcome).await;
        }
        let (_, watch) = self.set_out(plan);
        Ok(watch)
    }

    /// Gives a run that this server holds its task; whoever watches it sees all of it.
    pub(super) fn set_out(self: &Arc<Self>, plan: Plan) -> (Arc<Training>, Watch) {
        let status = Status { state: RunState::Running, progress: None, pace: None, ended: None };
        let training = Arc::new(Training {
            plan,
            status: watch::channel(status).0,
            reports: broadcast::channel(RUN_REPORTS).0,
            cancel: AtomicBool::new(false),
            lost: AtomicBool::new(false),
        });
        self.services.trainings.add(self.log.id, Arc::clone(&training));
        let (own, session) = (Arc::clone(&training), Arc::clone(self));
        let watch = training.watch(self);
        tokio::spawn(own.make(session));
        (training, watch)
    }

    /// That a run is on, and nothing else may change the session.
    pub(in crate::session) fn is_training(&self) -> SessionError {
        SessionError::Training { session: self.name().clone() }
    }
}

fn prepare(subject: &Subject, request: &TrainRequest, limits: &Limits) -> Result<Prepared, SessionError> {
    let dataset = data(subject, &request.data, limits)?;
    let by_default = if matches!(request.data, TrainData::Dataset(_)) { Split::DEFAULT } else { Split::NONE };
    let split = request.split.unwrap_or(by_default);
    check_columns(subject, &dataset, limits).map_err(|error| match request.data {
        TrainData::Dataset(_) => TrainError::Unfit(error),
        TrainData::Rows(..) | TrainData::Own => TrainError::Data(error),
    })?;
    let parted = Arc::new(split.part(&dataset, request.standardize));
    if let Some(scaling) = &parted.scaling {
        let finite = |column: &usize| scaling.mean[*column].is_finite() && scaling.std[*column].is_finite();
        if let Some(column) = (0..scaling.mean.len()).find(|column| !finite(column)) {
            return Err(TrainError::Scaling { column }.into());
        }
    }
    let rows = parted.train.rows();
    let batch_size = request.batch_size.unwrap_or(32).min(rows as u64);
    let mut course = CourseSpec {
        dataset: Bytes(dataset.hash().to_vec()),
        test: split.test,
        split_seed: split.seed,
        standardize: request.standardize,
        batch_size,
        shuffle: request.shuffle,
        schedule: request.schedule,
    };
    let whole = course.course(&parted);
    let (field, steps) = match request.length {
        RunLength::Steps(steps) => ("steps", steps),
        RunLength::Epochs(epochs) => ("epochs", epochs.saturating_mul(whole.epoch_steps())),
    };
    if steps > RUN_STEPS {
        return Err(TrainError::TooManySteps { field, steps, limit: RUN_STEPS }.into());
    }
    if let Some(Schedule::Cosine { steps: end @ 0, .. }) = &mut course.schedule {
        *end = steps;
    }
    // A batch of one is met where every one is such, or where the first epoch comes to its end.
    let batch = whole.batch;
    let meets_one = batch == 1 || (whole.last_batch() == 1 && steps >= whole.epoch_steps());
    let normalization =
        subject.model().all_layers().into_iter().find(|named| named.layer.kind() == LayerKind::BatchNorm);
    if let Some(named) = normalization.filter(|_| meets_one) {
        let layer = named.name.clone();
        return Err(match rows {
            1 => TrainError::OneRow { layer },
            rows => TrainError::LastBatchOfOne { layer, rows, batch },
        }
        .into());
    }
    subject.check_cost(batch, Extent::Step, limits).map_err(|error| match error {
        SubjectError::TooMuchWork { .. } | SubjectError::TooManyNumbers { .. } => {
            SessionError::Train(TrainError::Batch { rows: batch, text: error.to_string() })
        }
        error => error.into(),
    })?;
    check_until(request, &parted)?;
    let evaluates = parted.test.is_some() || request.until.any();
    let evaluate_every = request.evaluate_every.or_else(|| evaluates.then(|| whole.epoch_steps()));
    Ok(Prepared { dataset, course, parted, steps, evaluate_every })
}

fn check_until(request: &TrainRequest, parted: &Parted) -> Result<(), TrainError> {
    let until = request.until;
    let of_tests = [
        ("until.test_loss", until.test_loss.is_some()),
        ("until.test_accuracy", until.test_accuracy.is_some()),
        ("patience", request.patience.is_some()),
    ];
    if let Some((field, _)) = of_tests.into_iter().find(|(_, asked)| *asked && parted.test.is_none()) {
        return Err(TrainError::NoTestRows { field });
    }
    let of_right =
        [("until.accuracy", until.accuracy.is_some()), ("until.test_accuracy", until.test_accuracy.is_some())];
    let measured = Measure::of(&parted.train.targets).is_some();
    match of_right.into_iter().find(|(_, asked)| *asked && !measured) {
        Some((field, _)) => Err(TrainError::NoAccuracy { field }),
        None => Ok(()),
    }
}

/// The dataset that is learned from; rows without a name become one.
fn data(subject: &Subject, data: &TrainData, limits: &Limits) -> Result<Arc<Dataset>, SessionError> {
    let (inputs, targets) = match data {
        TrainData::Dataset(dataset) => return Ok(Arc::clone(dataset)),
        TrainData::Rows(inputs, targets) => (inputs.clone(), targets.clone()),
        TrainData::Own => match subject.data() {
            Some(own) => (own.inputs.clone(), own.targets.clone()),
            None => return Err(SubjectError::Missing(super::super::subject::BatchPart::Inputs).into()),
        },
    };
    let columns = Columns::numbered(inputs.columns(), targets.columns());
    let dataset = Dataset::new(inputs, targets, columns, vec![], limits).map_err(TrainError::from)?;
    Ok(Arc::new(dataset))
}

/// Whether the model takes such rows.
fn check_columns(subject: &Subject, dataset: &Dataset, limits: &Limits) -> Result<(), BatchError> {
    let model = subject.model();
    let limits = Limits { examples: usize::MAX, ..limits.clone() };
    let inputs = model.check_inputs(dataset.inputs().clone(), Mode::Eval, &limits)?;
    model.check_targets(&inputs, dataset.targets().clone()).map(|_| ())
}
