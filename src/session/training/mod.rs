//! Training runs: many steps of a session, made by a task of its own and written down some at a time.
//!
//! A run is its plan, kept in the store with a lease, and its entries in the session's log. Whoever holds the lease goes
//! on from the last of these entries; whatever was computed beyond it is computed again, with the same numbers.

mod begin;
mod keep;
mod look;
mod portion;
mod task;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::{broadcast, watch};
use utoipa::ToSchema;

use super::course::{CourseSpec, Progress, RunId};
use crate::engine::dataset::Dataset;
use crate::engine::dataset::split::Split;
use crate::engine::matrix::Matrix;
use crate::engine::model::BatchError;
use crate::engine::name::LayerName;
use crate::engine::schedule::Schedule;

pub use keep::Trainings;
pub use look::{Seen, View, Watch};

/// A run as it is asked for.
#[derive(Clone, Debug)]
pub struct TrainRequest {
    /// What is learned from
    pub data: TrainData,
    /// How it is parted; by default if none is given
    pub split: Option<Split>,
    /// Whether the inputs are standardized
    pub standardize: bool,
    /// How long it is
    pub length: RunLength,
    /// Rows of a batch
    pub batch_size: Option<u64>,
    /// Where the shuffling starts; none where rows are taken as they are
    pub shuffle: Option<u64>,
    /// In the place of the optimizer's own rate; a cosine of no steps goes to the end of the run
    pub schedule: Option<Schedule>,
    /// When it is good enough
    pub until: Until,
    /// Evaluations without a better test loss after which it ends
    pub patience: Option<u64>,
    /// Steps between two evaluations
    pub evaluate_every: Option<u64>,
    /// Steps between two reports
    pub progress_every: Option<u64>,
}

/// What is learned from.
#[derive(Clone, Debug)]
pub enum TrainData {
    /// A dataset
    Dataset(Arc<Dataset>),
    /// Rows that came with the request
    Rows(Matrix, Matrix),
    /// What the session's preset brought
    Own,
}

/// How long a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunLength {
    /// So many times all rows
    Epochs(u64),
    /// So many batches
    Steps(u64),
}

/// When a run is good enough, by its evaluations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Until {
    /// The training rows' loss is at most this
    pub loss: Option<f64>,
    /// The training rows' accuracy is at least this
    pub accuracy: Option<f64>,
    /// The test rows' loss is at most this
    pub test_loss: Option<f64>,
    /// The test rows' accuracy is at least this
    pub test_accuracy: Option<f64>,
}

/// All that a run is, as the store keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What tells it from every other
    pub run: RunId,
    /// The session's step before its first one
    pub from: u64,
    /// The session's step at its end
    pub to: u64,
    /// What is learned from, and how
    pub course: CourseSpec,
    /// When it is good enough
    pub until: Until,
    /// Evaluations without a better test loss after which it ends
    pub patience: Option<u64>,
    /// Steps between two evaluations; at its end alone if none
    pub evaluate_every: Option<u64>,
    /// Steps between two reports; whenever something is written if none
    pub progress_every: Option<u64>,
}

/// A run as the store keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    plan: Plan,
    ended: Option<Ended>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// Whether that was as it should be
    pub state: RunState,
    /// Why
    pub reason: Reason,
    /// Where the session stood then
    pub step: u64,
    /// How it looked then; nothing where no step was made
    pub progress: Option<Progress>,
    /// What went wrong, for people
    pub failure: Option<String>,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// A server is at work on it
    Running,
    /// It came to its end
    Done,
    /// Somebody ended it
    Cancelled,
    /// It cannot go on
    Failed,
    /// Nobody is at work on it; a server takes it up within seconds, or is asked to with `resume`
    Interrupted,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// All its steps are made
    Finished,
    /// The training rows' loss is low enough
    Loss,
    /// The training rows' accuracy is high enough
    Accuracy,
    /// The test rows' loss is low enough
    TestLoss,
    /// The test rows' accuracy is high enough
    TestAccuracy,
    /// The test rows' loss did not become better any more
    Patience,
    /// It was cancelled
    Cancelled,
    /// The next step has a number that is infinite or undefined
    NonFinite,
    /// The next step has an output that the loss cannot read as a probability
    NotAProbability,
    /// The session went on otherwise
    Overtaken,
    /// The store takes no more
    StoreFull,
    /// What it learns from, or the log, cannot be read
    Damaged,
}

/// How fast a run goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Steps a second since this server is at work on it
    pub steps_per_second: f64,
    /// At this pace
    pub seconds_left: f64,
}

/// How a run stands on the server that is at work on it.
#[derive(Clone, Debug)]
pub(super) struct Status {
    state: RunState,
    progress: Option<Arc<Progress>>,
    pace: Option<Pace>,
    ended: Option<Ended>,
}

/// A run that this server is at work on.
pub struct Training {
    plan: Plan,
    status: watch::Sender<Status>,
    reports: broadcast::Sender<(Arc<Progress>, Pace)>,
    cancel: AtomicBool,
    /// Set where another server has it now
    lost: AtomicBool,
}

/// Why a run cannot begin.
#[derive(Clone, Debug, Error, PartialEq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum TrainError {
    /// Rows of the request do not fit the network
    #[error("{0}")]
    Data(BatchError),
    /// A named dataset does not
    #[error("{0}")]
    Unfit(BatchError),
    #[error("{0}")]
    Dataset(#[from] crate::engine::dataset::DatasetError),
    #[error("a run has at most {limit} steps, and this one has {steps}")]
    TooManySteps { field: &'static str, steps: u64, limit: u64 },
    #[error(
        "layer {layer} takes mean and variance over the batch, and the last batch of {rows} rows by {batch} has one row; choose another batch_size"
    )]
    LastBatchOfOne { layer: LayerName, rows: usize, batch: usize },
    #[error("layer {layer} takes mean and variance over the batch, and there is one training row; two are needed")]
    OneRow { layer: LayerName },
    #[error("the inputs are too far apart: mean or deviation of column {column} passes the largest double")]
    Scaling { column: usize },
    #[error("{field} needs test rows, and there are none; give split a test above 0")]
    NoTestRows { field: &'static str },
    #[error("{field} needs targets of 0 and 1, in one column or with one 1 a row")]
    NoAccuracy { field: &'static str },
    #[error("a batch of {rows} rows: {text}")]
    Batch { rows: usize, text: String },
}

impl Plan {
    /// How many steps it has.
    pub fn steps(&self) -> u64 {
        self.to - self.from
    }
}

impl Until {
    fn any(self) -> bool {
        self != Self::default()
    }

    fn of_training_rows(self) -> bool {
        self.loss.is_some() || self.accuracy.is_some()
    }
}
