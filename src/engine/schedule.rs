//! Learning rates that change in the course of a training run.

use serde::{Deserialize, Serialize};

use super::math::{cospi, pow};
use super::optimizer::LearningRate;

/// The learning rate of each step of a run; steps count from 0 here.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Schedule {
    /// η
    Constant {
        /// η
        rate: f64,
    },
    /// η·f^⌊t/every⌋
    Step {
        /// η
        rate: f64,
        /// Steps between two changes, at least 1
        every: u64,
        /// f, from 0 to 1
        factor: f64,
    },
    /// η·f^t
    Exponential {
        /// η
        rate: f64,
        /// f, from 0 to 1
        factor: f64,
    },
    /// end + (η − end)·(½·(1 + cos(π·t/steps))), and the end from there on
    Cosine {
        /// η
        rate: f64,
        /// Where it ends
        end: f64,
        /// Steps to the end, at least 1
        steps: u64,
    },
    /// η·((t + 1)/steps) until that is η, and η from there on
    LinearWarmup {
        /// η
        rate: f64,
        /// Steps up to η, at least 1
        steps: u64,
    },
}

impl Schedule {
    /// The rate of a step, counted from 0. Powers and cosines are correctly rounded.
    #[allow(clippy::cast_precision_loss, reason = "steps are limited far below 2^53")]
    pub fn at(self, step: u64) -> Option<LearningRate> {
        let t = step as f64;
        LearningRate::new(match self {
            Self::Constant { rate } => rate,
            Self::Step { rate, every, factor } => rate * pow(factor, (step / every) as f64),
            Self::Exponential { rate, factor } => rate * pow(factor, t),
            Self::Cosine { end, steps, .. } if step >= steps => end,
            Self::Cosine { rate, end, steps } => end + (rate - end) * (0.5 * (1.0 + cospi(t / steps as f64))),
            Self::LinearWarmup { rate, steps } if step + 1 >= steps => rate,
            Self::LinearWarmup { rate, steps } => rate * ((t + 1.0) / steps as f64),
        })
    }
}
