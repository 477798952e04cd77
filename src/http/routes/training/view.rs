//! A training run as it is shown.

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::dataset::split::Parted;
use crate::engine::name::LayerName;
use crate::engine::schema;
use crate::http::code::Code;
use crate::http::problem::Problem;
use crate::session::{CourseSpec, Evaluation, Pace, Progress, Reason, RunState, Session, View, hexadecimal};

/// A training run as it stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TrainView {
    /// Whether it goes on
    state: RunState,
    /// Why it ended, if it has
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<Reason>,
    /// The session's step before the run's first one
    #[schema(value_type = schema::Count)]
    from: u64,
    /// The session's step at the end of the run, where it is made to its end
    #[schema(value_type = schema::Count)]
    to: u64,
    #[serde(flatten)]
    progress: ProgressView,
    /// The rows it learns from
    dataset: CourseView,
    /// failed: what went wrong
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    problem: Option<Box<Problem>>,
}

/// The run that made a step, as the session's log has it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RunOfStep {
    /// What tells the run from every other
    #[schema(value_type = schema::RunId)]
    run: String,
    /// The session's step before the run's first one
    #[schema(value_type = schema::Count)]
    from: u64,
    /// The step that was asked for
    #[schema(value_type = schema::Count)]
    step: u64,
    /// The rows it learns from
    dataset: CourseView,
}

/// A run.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it describes what is written elsewhere")]
pub enum TrainAnswer {
    /// The latest one, as it stands
    #[schema(title = "The latest run")]
    Latest(TrainView),
    /// The one that made a step
    #[schema(title = "The run of a step")]
    OfStep(RunOfStep),
}

/// How far a training run is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProgressView {
    /// The session's step
    #[schema(value_type = schema::Count)]
    step: u64,
    /// The epoch that this step belongs to, counted from 1; 0 before the first
    #[schema(value_type = schema::Count)]
    epoch: u64,
    /// The mean loss of this step's batch, before its update
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Number, required = false)]
    loss: Option<f64>,
    /// The share of this step's batch that was right before its update; only where targets are 0 and 1
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Share, required = false)]
    accuracy: Option<f64>,
    /// The step after which the rows were evaluated last: train_loss, train_accuracy, test_loss and test_accuracy tell of
    /// it, and not of a later step
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Count, required = false)]
    evaluated_at: Option<u64>,
    /// The mean loss over all training rows at the last evaluation: where `until` looks at them, and when a run is
    /// done; left out where a row of theirs overflows
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Number, required = false)]
    train_loss: Option<f64>,
    /// The share of all training rows that was right at the last evaluation
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Share, required = false)]
    train_accuracy: Option<f64>,
    /// The mean loss over the test rows at the last evaluation; left out where a row of theirs overflows, for then it is
    /// no number
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Number, required = false)]
    test_loss: Option<f64>,
    /// The share of the test rows that was right at the last evaluation
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Share, required = false)]
    test_accuracy: Option<f64>,
    /// √(Σ g²) of each layer at this step, from the inputs up
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    gradient_norms: Vec<LayerNorm>,
    /// Steps a second, since this server is at work on it
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::NonNegative, required = false)]
    steps_per_second: Option<f64>,
    /// Seconds to the end, at this pace
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::NonNegative, required = false)]
    seconds_left: Option<f64>,
}

/// One layer's gradient.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LayerNorm {
    /// The layer's name
    #[schema(value_type = schema::Name)]
    layer: LayerName,
    /// √(Σ g²) over its parameters
    #[schema(value_type = schema::NonNegative)]
    value: f64,
}

/// What a training run learns from.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CourseView {
    /// The hash of the dataset's content
    #[schema(value_type = schema::StateHash)]
    hash: String,
    /// How it was parted
    split: SplitView,
    /// Rows of a batch
    #[schema(value_type = schema::Count)]
    batch_size: u64,
    /// What the inputs were standardized with, where they were
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    standardized: Option<ScalingView>,
}

/// How a dataset is parted.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SplitView {
    /// Rows to learn from
    #[schema(value_type = schema::Count)]
    pub train: u64,
    /// Rows to be tested on
    #[schema(value_type = schema::Count)]
    pub test: u64,
    /// Which rows these are
    #[schema(value_type = schema::Seed)]
    pub seed: u64,
}

/// Mean and deviation of each input over the training rows.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ScalingView {
    /// Σ x/n, and of an input that never changes its one value, `[inputs]`
    #[schema(value_type = schema::Row)]
    mean: Vec<f64>,
    /// √(Σ (x − mean)²/n), and 1 for an input that never changes or whose deviation a double rounds to 0, `[inputs]`
    #[schema(value_type = schema::Row)]
    std: Vec<f64>,
}

impl TrainView {
    /// A run as it stands, with what it learns from and what stopped it.
    pub async fn of(session: &Session, view: View) -> Result<Self, Problem> {
        let dataset = CourseView::of(&view.plan.course, &*session.parted(&view.plan).await?);
        let problem = problem(session, &view).await?.map(Box::new);
        let progress = match &view.progress {
            Some(progress) => ProgressView { step: view.step, ..ProgressView::of(progress, view.pace) },
            None => ProgressView::none(view.step),
        };
        let reason = view.ended.as_ref().map(|ended| ended.reason);
        Ok(Self { state: view.state, reason, from: view.plan.from, to: view.plan.to, progress, dataset, problem })
    }

    /// Whether it goes on, or how it ended.
    pub fn state(&self) -> RunState {
        self.state
    }

    /// The session's step.
    pub fn step(&self) -> u64 {
        self.progress.step
    }
}

impl RunOfStep {
    /// Of a step that a run has made.
    pub async fn of(session: &Session, step: u64) -> Result<Self, Problem> {
        let (train, parted) = session.run_of(step).await?;
        let run = const_hex::encode(train.run.0);
        Ok(Self { run, from: train.from, step, dataset: CourseView::of(&train.course, &parted) })
    }
}

impl CourseView {
    fn of(course: &CourseSpec, parted: &Parted) -> Self {
        let split = SplitView {
            train: parted.train.rows() as u64,
            test: parted.test.as_ref().map_or(0, |test| test.rows() as u64),
            seed: course.split().seed,
        };
        let standardized = parted.scaling.clone().map(|scaling| ScalingView { mean: scaling.mean, std: scaling.std });
        let batch_size = course.batch_size.min(split.train);
        Self { hash: hexadecimal(course.hash()), split, batch_size, standardized }
    }
}

impl ProgressView {
    /// How far it is, and how fast where that is known.
    pub fn of(progress: &Progress, pace: Option<Pace>) -> Self {
        let loss = |of: Option<Evaluation>| of.map(|of| of.loss);
        let accuracy = |of: Option<Evaluation>| of.and_then(|of| of.accuracy);
        let norm = |(layer, value): &(LayerName, f64)| LayerNorm { layer: layer.clone(), value: *value };
        Self {
            step: progress.step,
            epoch: progress.epoch,
            loss: Some(progress.loss),
            accuracy: progress.accuracy,
            evaluated_at: progress.evaluated,
            train_loss: loss(progress.train),
            train_accuracy: accuracy(progress.train),
            test_loss: loss(progress.test),
            test_accuracy: accuracy(progress.test),
            gradient_norms: progress.gradient_norms.iter().map(norm).collect(),
            steps_per_second: pace.map(|pace| pace.steps_per_second),
            seconds_left: pace.map(|pace| pace.seconds_left),
        }
    }

    fn none(step: u64) -> Self {
        Self {
            step,
            epoch: 0,
            loss: None,
            accuracy: None,
            evaluated_at: None,
            train_loss: None,
            train_accuracy: None,
            test_loss: None,
            test_accuracy: None,
            gradient_norms: vec![],
            steps_per_second: None,
            seconds_left: None,
        }
    }
}

/// What stopped a run that failed. An overflow is looked for once more, in the step that was not made.
async fn problem(session: &Session, view: &View) -> Result<Option<Problem>, Problem> {
    let Some(ended) = view.ended.as_ref().filter(|ended| ended.state == RunState::Failed) else { return Ok(None) };
    let text = ended.failure.clone().unwrap_or_default();
    let of = |code| Problem::new(code, text.clone());
    Ok(Some(match ended.reason {
        Reason::NonFinite | Reason::NotAProbability => {
            let found = session.obstacle(&view.plan, ended).await?;
            found.map_or_else(|| of(Code::NonFinite), |error| Problem::from(error).with_detail(text.clone()))
        }
        Reason::StoreFull => of(Code::StoreFull),
        Reason::Damaged => of(Code::SessionDamaged),
        _ => return Ok(None),
    }))
}
