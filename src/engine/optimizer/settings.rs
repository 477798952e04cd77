//! Which optimizer, with which settings. Names, defaults and constants are PyTorch's.

use serde::de;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::adam::Moments;
use super::sgd::Momentum;
use super::{adagrad, adam, rmsprop, sgd};
use crate::engine::schema;
use crate::engine::tensor::SlotName;

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
#[derive(Clone, Debug, PartialEq)]
pub struct Optimizer {
    /// What it makes of gradients
    pub algorithm: Algorithm,
    /// η: how far a step goes, relative to the gradient
    pub learning_rate: LearningRate,
    /// λ: how strongly parameters are pulled to zero
    pub weight_decay: f64,
    /// The most that the norm of all gradients together may be, above zero
    pub clip_norm: Option<f64>,
}

/// What an optimizer makes of gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Algorithm {
    /// Stochastic gradient descent
    Sgd {
        /// With momentum or without
        momentum: Option<Momentum>,
    },
    /// RMSprop
    Rmsprop {
        /// α, from 0 up to but not 1
        alpha: f64,
        /// ε
        epsilon: f64,
    },
    /// Adam
    Adam(Moments),
    /// Adam with decoupled weight decay
    Adamw(Moments),
    /// Adagrad
    Adagrad {
        /// ε
        epsilon: f64,
    },
}

/// Which optimizer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerKind {
    /// Stochastic gradient descent, with or without momentum
    #[default]
    Sgd,
    /// Gradients over the root of the fading mean of their squares
    Rmsprop,
    /// Fading means of gradients and of their squares
    Adam,
    /// Adam with decoupled weight decay
    Adamw,
    /// Gradients over the root of the sum of their squares
    Adagrad,
}

impl OptimizerKind {
    /// Every optimizer.
    pub const ALL: &'static [Self] = &[Self::Sgd, Self::Rmsprop, Self::Adam, Self::Adamw, Self::Adagrad];
}

impl Optimizer {
    /// Whether a change is the learning rate times the gradient, and nothing besides.
    pub fn is_plain(&self) -> bool {
        let sgd = matches!(self.algorithm, Algorithm::Sgd { momentum: None });
        sgd && self.weight_decay == 0.0 && self.clip_norm.is_none() && self.learning_rate.value() != 0.0
    }

    /// Plain stochastic gradient descent.
    pub fn sgd(learning_rate: LearningRate) -> Self {
        Self { algorithm: Algorithm::Sgd { momentum: None }, learning_rate, weight_decay: 0.0, clip_norm: None }
    }

    /// Which it is.
    pub fn kind(&self) -> OptimizerKind {
        match self.algorithm {
            Algorithm::Sgd { .. } => OptimizerKind::Sgd,
            Algorithm::Rmsprop { .. } => OptimizerKind::Rmsprop,
            Algorithm::Adam(_) => OptimizerKind::Adam,
            Algorithm::Adamw(_) => OptimizerKind::Adamw,
            Algorithm::Adagrad { .. } => OptimizerKind::Adagrad,
        }
    }

    /// The same optimizer with another learning rate.
    #[must_use]
    pub fn with_learning_rate(&self, learning_rate: LearningRate) -> Self {
        Self { learning_rate, ..self.clone() }
    }

    /// Whether its changes depend on how many updates there were before.
    pub fn counts_updates(&self) -> bool {
        matches!(self.algorithm, Algorithm::Adam(_) | Algorithm::Adamw(_))
    }

    /// What it remembers of each parameter.
    pub fn slots(&self) -> &'static [SlotName] {
        match self.algorithm {
            Algorithm::Sgd { momentum: None } => &[],
            Algorithm::Sgd { momentum: Some(_) } => sgd::SLOTS,
            Algorithm::Rmsprop { .. } => rmsprop::SLOTS,
            Algorithm::Adam(_) | Algorithm::Adamw(_) => adam::SLOTS,
            Algorithm::Adagrad { .. } => adagrad::SLOTS,
        }
    }
}

/// An optimizer with its settings; sgd's momentum, weight decay and clipping are left out where there is none.
#[derive(Serialize, Deserialize, ToSchema)]
struct Settings {
    /// Which algorithm it is
    kind: OptimizerKind,
    /// η: how far a step goes, relative to the gradient
    #[schema(value_type = schema::NonNegative)]
    learning_rate: LearningRate,
    /// sgd: μ, the part of the velocity that is kept
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Number, required = false)]
    momentum: Option<f64>,
    /// sgd: whether the step looks ahead
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    nesterov: Option<bool>,
    /// rmsprop: α, the part of the mean of squared gradients that is kept
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Number, required = false)]
    alpha: Option<f64>,
    /// adam, adamw: β₁, the part of the mean of gradients that is kept
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Number, required = false)]
    beta1: Option<f64>,
    /// adam, adamw: β₂, the part of the mean of squared gradients that is kept
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Number, required = false)]
    beta2: Option<f64>,
    /// all but sgd: ε, added to the root that gradients are divided by
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Number, required = false)]
    epsilon: Option<f64>,
    /// λ: how strongly parameters are pulled to zero; left out where they are not
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Number, required = false)]
    weight_decay: Option<f64>,
    /// The most that the norm of all gradients together may be
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Number, required = false)]
    clip_norm: Option<f64>,
}

impl Settings {
    fn of(optimizer: &Optimizer) -> Self {
        let mut settings = Self {
            kind: optimizer.kind(),
            learning_rate: optimizer.learning_rate,
            momentum: None,
            nesterov: None,
            alpha: None,
            beta1: None,
            beta2: None,
            epsilon: None,
            weight_decay: (optimizer.weight_decay != 0.0).then_some(optimizer.weight_decay),
            clip_norm: optimizer.clip_norm,
        };
        match optimizer.algorithm {
            Algorithm::Sgd { momentum } => {
                settings.momentum = momentum.map(|momentum| momentum.factor);
                settings.nesterov = momentum.and_then(|momentum| momentum.nesterov.then_some(true));
            }
            Algorithm::Rmsprop { alpha, epsilon } => {
                settings.alpha = Some(alpha);
                settings.epsilon = Some(epsilon);
            }
            Algorithm::Adam(moments) | Algorithm::Adamw(moments) => {
                settings.beta1 = Some(moments.beta1);
                settings.beta2 = Some(moments.beta2);
                settings.epsilon = Some(moments.epsilon);
            }
            Algorithm::Adagrad { epsilon } => settings.epsilon = Some(epsilon),
        }
        settings
    }

    /// The optimizer, or the name of a field that is missing.
    fn into_optimizer(self) -> Result<Optimizer, &'static str> {
        let epsilon = self.epsilon.ok_or("epsilon");
        let moments = || {
            let (beta1, beta2) = (self.beta1.ok_or("beta1")?, self.beta2.ok_or("beta2")?);
            Ok::<_, &'static str>(Moments { beta1, beta2, epsilon: epsilon? })
        };
        let algorithm = match self.kind {
            OptimizerKind::Sgd => Algorithm::Sgd {
                momentum: self.momentum.map(|factor| Momentum { factor, nesterov: self.nesterov.unwrap_or(false) }),
            },
            OptimizerKind::Rmsprop => Algorithm::Rmsprop { alpha: self.alpha.ok_or("alpha")?, epsilon: epsilon? },
            OptimizerKind::Adam => Algorithm::Adam(moments()?),
            OptimizerKind::Adamw => Algorithm::Adamw(moments()?),
            OptimizerKind::Adagrad => Algorithm::Adagrad { epsilon: epsilon? },
        };
        Ok(Optimizer {
            algorithm,
            learning_rate: self.learning_rate,
            weight_decay: self.weight_decay.unwrap_or(0.0),
            clip_norm: self.clip_norm,
        })
    }
}

impl Serialize for Optimizer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Settings::of(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LearningRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(f64::deserialize(deserializer)?).ok_or_else(|| de::Error::custom("no learning rate"))
    }
}

/// As it was written: what is left out is zero or is not there.
impl<'de> Deserialize<'de> for Optimizer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let settings = Settings::deserialize(deserializer)?;
        settings.into_optimizer().map_err(de::Error::missing_field)
    }
}

impl PartialSchema for Optimizer {
    fn schema() -> RefOr<Schema> {
        Settings::schema()
    }
}

impl ToSchema for Optimizer {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((OptimizerKind::name().into(), OptimizerKind::schema()));
        Settings::schemas(schemas);
    }
}
