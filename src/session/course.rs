//! A training run as its records say it: what is learned from in which order, and where the run stood after each.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cbor::Bytes;
use crate::engine::dataset::Order;
use crate::engine::dataset::split::{Parted, Split};
use crate::engine::judge::Judged;
use crate::engine::name::LayerName;
use crate::engine::run::Course;
use crate::engine::schedule::Schedule;
use crate::store::Digest;

/// Some steps of a training run, one after the other; the entry says which.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrainCommand {
    /// The run
    pub run: RunId,
    /// The session's step before the first one of the run
    pub from: u64,
    /// What is learned from, and how
    pub course: CourseSpec,
    /// Where the run stands after these steps
    pub memory: Memory,
    /// How it looked at the last of these steps
    pub progress: Progress,
}

/// What tells a run from every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunId(pub [u8; 16]);

/// What is learned from, and how, nothing left to a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CourseSpec {
    /// The dataset, by its hash
    pub dataset: Bytes,
    /// The share of its rows that is for testing
    pub test: f64,
    /// Which rows these are
    pub split_seed: u64,
    /// Whether inputs are standardized by the training rows
    pub standardize: bool,
    /// Rows of a batch
    pub batch_size: u64,
    /// Where the shuffling starts; none where rows are taken as they are
    pub shuffle: Option<u64>,
    /// In the place of the optimizer's own learning rate
    pub schedule: Option<Schedule>,
}

/// What a run remembers beside the session's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// The least test loss so far
    pub best: Option<f64>,
    /// Evaluations since then
    pub since: u64,
}

/// How a run looks at a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The session's step
    pub step: u64,
    /// The epoch that it belongs to, counted from 1
    pub epoch: u64,
    /// The mean loss of its batch before the update
    pub loss: f64,
    /// The share of its batch that was right before the update
    pub accuracy: Option<f64>,
    /// The training rows at the last evaluation
    pub train: Option<Evaluation>,
    /// The test rows at the last evaluation
    pub test: Option<Evaluation>,
    /// The session's step at the last evaluation
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluated: Option<u64>,
    /// √(Σ g²) of each layer at this step, from the inputs up
    pub gradient_norms: Vec<(LayerName, f64)>,
}

/// How good the model was on some rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The mean loss
    pub loss: f64,
    /// The share that was right
    pub accuracy: Option<f64>,
}

impl From<Judged> for Evaluation {
    fn from(Judged { loss, accuracy }: Judged) -> Self {
        Self { loss, accuracy }
    }
}

impl CourseSpec {
    /// The dataset.
    pub fn hash(&self) -> Digest {
        // Whoever writes one writes 32 bytes; any others are no dataset's hash.
        self.dataset.0.as_slice().try_into().unwrap_or([0; 32])
    }

    /// How the dataset is parted.
    pub fn split(&self) -> Split {
        Split { test: self.test, seed: self.split_seed }
    }

    /// The course over the rows that it says.
    pub fn course(&self, parted: &Parted) -> Course {
        Course {
            rows: Arc::clone(&parted.train),
            batch: usize::try_from(self.batch_size).unwrap_or(usize::MAX).clamp(1, parted.train.rows()),
            order: self.shuffle.map_or(Order::Given, |seed| Order::Shuffled { seed }),
            schedule: self.schedule,
        }
    }
}
