//! An optimizer, as a client writes it.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{check_settings, setting};
use crate::engine::optimizer::{Algorithm, LearningRate, Moments, Momentum, Optimizer, OptimizerKind};
use crate::engine::schema;
use crate::http::code::Code;
use crate::http::problem::Fault;
use crate::http::strict::{given, given_word, objects};

/// An optimizer with its settings. Defaults are PyTorch's, but for sgd's learning rate.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct OptimizerBody {
    /// Which algorithm it is; sgd if left out
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given_word")]
    pub kind: Option<OptimizerKind>,
    /// η: how far a step goes; if left out 0.1 for sgd, 0.01 for rmsprop and adagrad, 0.001 for adam and adamw
    #[schema(value_type = schema::NonNegative, required = false)]
    #[serde(default, deserialize_with = "given")]
    pub learning_rate: Option<f64>,
    /// sgd: μ, the part of the velocity that is kept; 0 if left out
    #[schema(value_type = schema::ShareBelowOne, required = false)]
    #[serde(default, deserialize_with = "given")]
    pub momentum: Option<f64>,
    /// sgd with momentum: whether the step looks ahead; false if left out
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given")]
    pub nesterov: Option<bool>,
    /// rmsprop: α, the part of the mean of squared gradients that is kept; 0.99 if left out
    #[schema(value_type = schema::ShareBelowOne, required = false)]
    #[serde(default, deserialize_with = "given")]
    pub alpha: Option<f64>,
    /// adam, adamw: β₁, the part of the mean of gradients that is kept; 0.9 if left out
    #[schema(value_type = schema::ShareBelowOne, required = false)]
    #[serde(default, deserialize_with = "given")]
    pub beta1: Option<f64>,
    /// adam, adamw: β₂, the part of the mean of squared gradients that is kept; 0.999 if left out
    #[schema(value_type = schema::ShareBelowOne, required = false)]
    #[serde(default, deserialize_with = "given")]
    pub beta2: Option<f64>,
    /// ε, added to the root that gradients are divided by; if left out 1e-8, for adagrad 1e-10
    #[schema(value_type = schema::NonNegative, required = false)]
    #[serde(default, deserialize_with = "given")]
    pub epsilon: Option<f64>,
    /// λ: how strongly parameters are pulled to zero; if left out 0.01 for adamw, else 0
    #[schema(value_type = schema::NonNegative, required = false)]
    #[serde(default, deserialize_with = "given")]
    pub weight_decay: Option<f64>,
    /// The most that the norm of all gradients together may be; no limit if left out
    #[schema(value_type = schema::Positive, required = false)]
    #[serde(default, deserialize_with = "given")]
    pub clip_norm: Option<f64>,
}

objects!(OptimizerBody);

impl OptimizerBody {
    /// The optimizer, every default filled in.
    pub fn into_optimizer(self) -> Result<Optimizer, Fault> {
        const AT: &str = "/optimizer";
        let kind = self.kind.unwrap_or_default();
        self.check_settings(kind)?;
        let (rate, decay) = match kind {
            OptimizerKind::Sgd => (0.1, 0.0),
            OptimizerKind::Rmsprop | OptimizerKind::Adagrad => (0.01, 0.0),
            OptimizerKind::Adam => (0.001, 0.0),
            OptimizerKind::Adamw => (0.001, 0.01),
        };
        let not_negative =
            |field, value, otherwise| setting(AT, field, value, otherwise, "not below zero", |value| value >= 0.0);
        let part = |field, value, otherwise| {
            setting(AT, field, value, otherwise, "from 0 up to but not 1", |value| (0.0..1.0).contains(&value))
        };
        let epsilon = |otherwise| not_negative("epsilon", self.epsilon, otherwise);
        let moments = || {
            Ok::<_, Fault>(Moments {
                beta1: part("beta1", self.beta1, 0.9)?,
                beta2: part("beta2", self.beta2, 0.999)?,
                epsilon: epsilon(1e-8)?,
            })
        };
        let algorithm = match kind {
            OptimizerKind::Sgd => Algorithm::Sgd { momentum: self.momentum()? },
            OptimizerKind::Rmsprop => {
                Algorithm::Rmsprop { alpha: part("alpha", self.alpha, 0.99)?, epsilon: epsilon(1e-8)? }
            }
            OptimizerKind::Adam => Algorithm::Adam(moments()?),
            OptimizerKind::Adamw => Algorithm::Adamw(moments()?),
            OptimizerKind::Adagrad => Algorithm::Adagrad { epsilon: epsilon(1e-10)? },
        };
        let clip = |limit| setting(AT, "clip_norm", Some(limit), limit, "above zero", |limit| limit > 0.0);
        Ok(Optimizer {
            algorithm,
            learning_rate: into_learning_rate(self.learning_rate.unwrap_or(rate), "/optimizer/learning_rate")?,
            weight_decay: not_negative("weight_decay", self.weight_decay, decay)?,
            clip_norm: self.clip_norm.map(clip).transpose()?,
        })
    }

    fn momentum(&self) -> Result<Option<Momentum>, Fault> {
        let range = "from 0 up to but not 1";
        let factor = setting("/optimizer", "momentum", self.momentum, 0.0, range, |m| (0.0..1.0).contains(&m))?;
        let nesterov = self.nesterov.unwrap_or(false);
        if factor == 0.0 && nesterov {
            let detail = "nesterov looks ahead along a momentum; give one above zero";
            return Err(Fault::new("/optimizer/nesterov", Code::ConflictingFields, detail));
        }
        Ok((factor != 0.0).then_some(Momentum { factor, nesterov }))
    }

    fn check_settings(&self, kind: OptimizerKind) -> Result<(), Fault> {
        let (name, takes): (&str, &[&str]) = match kind {
            OptimizerKind::Sgd => ("sgd", &["momentum", "nesterov"]),
            OptimizerKind::Rmsprop => ("rmsprop", &["alpha", "epsilon"]),
            OptimizerKind::Adam => ("adam", &["beta1", "beta2", "epsilon"]),
            OptimizerKind::Adamw => ("adamw", &["beta1", "beta2", "epsilon"]),
            OptimizerKind::Adagrad => ("adagrad", &["epsilon"]),
        };
        let given = [
            ("momentum", self.momentum.is_some()),
            ("nesterov", self.nesterov.is_some()),
            ("alpha", self.alpha.is_some()),
            ("beta1", self.beta1.is_some()),
            ("beta2", self.beta2.is_some()),
            ("epsilon", self.epsilon.is_some()),
        ];
        check_settings("/optimizer", name, takes, &given)
    }
}

/// A learning rate, where the number can be one.
pub fn into_learning_rate(rate: f64, pointer: &str) -> Result<LearningRate, Fault> {
    LearningRate::new(rate).ok_or_else(|| {
        let detail = format!("a learning rate is not below zero, and this one is {rate}");
        Fault::new(pointer, Code::NumberOutOfRange, detail)
    })
}
