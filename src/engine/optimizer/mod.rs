//! Optimizers: from gradients to changes of the parameters. One file each, and a line in [`Optimizer`].

mod sgd;

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::schema;
use super::tensor::{Named, Tensor};
use super::trace::Walker;

/// How far a step goes against the gradient: finite and not below zero.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
pub struct LearningRate(f64);

impl LearningRate {
    /// The rate, where the number can be one.
    pub fn new(rate: f64) -> Option<Self> {
        (rate.is_finite() && rate >= 0.0).then_some(Self(rate))
    }

    /// The rate as a number.
    pub fn value(self) -> f64 {
        self.0
    }
}

/// An optimizer with its settings.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Optimizer {
    /// Stochastic gradient descent: change = −η·gradient.
    Sgd {
        /// η
        #[schema(schema_with = schema::number)]
        learning_rate: LearningRate,
    },
}

/// What a step does to each of a layer's parameters.
pub type ParameterUpdates = Named<TensorUpdate>;

/// What a step does to one parameter tensor.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TensorUpdate {
    /// What is added: `[in][out]` or `[out]`
    pub change: Tensor,
    /// The parameter after the step: before + change
    pub after: Arc<Tensor>,
}

impl Optimizer {
    /// The same optimizer with another learning rate.
    #[must_use]
    pub fn with_learning_rate(&self, rate: LearningRate) -> Self {
        match self {
            Self::Sgd { .. } => Self::Sgd { learning_rate: rate },
        }
    }

    /// The learning rate η.
    pub fn learning_rate(&self) -> LearningRate {
        match self {
            Self::Sgd { learning_rate } => *learning_rate,
        }
    }

    /// One parameter's update from its value before the step and its gradient.
    pub fn update(&self, before: &Tensor, gradient: &Tensor) -> TensorUpdate {
        let change = match self {
            Self::Sgd { learning_rate } => gradient.map(|gradient| sgd::change(learning_rate.value(), gradient)),
        };
        let after = Arc::new(before.zip(&change, |before, change| before + change));
        TensorUpdate { change, after }
    }
}

impl TensorUpdate {
    pub(super) fn walk(&self, walker: &mut Walker) {
        walker.tensor("change", &self.change);
        walker.tensor("after", &self.after);
    }
}
