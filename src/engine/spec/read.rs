//! A spec read back from what it was written as: nothing is left to a default, and every field is where it was put.
//!
//! What a client writes has defaults and pointers for whatever is wrong, and is read elsewhere.

use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer};

use super::{BiasStart, DenseSpec, LayerKindSpec, LayerSpec, NormSpec, ResidualSpec, Seed, WeightsStart};
use crate::engine::activation::Activation;
use crate::engine::init::Init;
use crate::engine::layer::LayerKind;
use crate::engine::matrix::Matrix;
use crate::engine::name::LayerName;
use crate::engine::tensor::Tensor;

/// Every field that a layer of any kind has.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    name: LayerName,
    kind: LayerKind,
    units: Option<usize>,
    activation: Option<Activation>,
    bias: Option<Bias>,
    weights: Option<Matrix>,
    init: Option<Init>,
    epsilon: Option<f64>,
    momentum: Option<f64>,
    gamma: Option<Vec<f64>>,
    beta: Option<Vec<f64>>,
    rate: Option<f64>,
    shortcut: Option<Shortcut>,
    layers: Option<Vec<LayerSpec>>,
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Bias {
    Switch(bool),
    Values(Vec<f64>),
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Shortcut {
    Identity,
    Projection,
}

impl<'de> Deserialize<'de> for LayerSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Fields::deserialize(deserializer)?;
        let name = fields.name.clone();
        Ok(Self { name, kind: fields.into_kind().map_err(de::Error::missing_field)? })
    }
}

impl Fields {
    /// The kind with its fields, or the name of the one that is missing.
    fn into_kind(self) -> Result<LayerKindSpec, &'static str> {
        Ok(match self.kind {
            LayerKind::Dense => LayerKindSpec::Dense(DenseSpec {
                units: self.units.ok_or("units")?,
                activation: self.activation.ok_or("activation")?,
                weights: start(self.weights, self.init)?,
                bias: match self.bias.ok_or("bias")? {
                    Bias::Switch(true) => BiasStart::Zeros,
                    Bias::Switch(false) => BiasStart::None,
                    Bias::Values(values) => BiasStart::Values(values),
                },
            }),
            LayerKind::Activation => LayerKindSpec::Activation(self.activation.ok_or("activation")?),
            LayerKind::BatchNorm => LayerKindSpec::BatchNorm(NormSpec {
                momentum: self.momentum.ok_or("momentum")?,
                epsilon: self.epsilon.ok_or("epsilon")?,
                gamma: self.gamma,
                beta: self.beta,
            }),
            LayerKind::LayerNorm => LayerKindSpec::LayerNorm(NormSpec {
                epsilon: self.epsilon.ok_or("epsilon")?,
                gamma: self.gamma,
                beta: self.beta,
                ..NormSpec::default()
            }),
            LayerKind::Dropout => LayerKindSpec::Dropout { rate: self.rate.ok_or("rate")? },
            LayerKind::Residual => LayerKindSpec::Residual(ResidualSpec {
                layers: self.layers.ok_or("layers")?,
                projection: match self.shortcut.ok_or("shortcut")? {
                    Shortcut::Identity => None,
                    Shortcut::Projection => Some(start(self.weights, self.init)?),
                },
            }),
        })
    }
}

fn start(weights: Option<Matrix>, init: Option<Init>) -> Result<WeightsStart, &'static str> {
    match (weights, init) {
        (Some(weights), _) => Ok(WeightsStart::Values(Arc::new(Tensor::Matrix(weights)))),
        (None, Some(init)) => Ok(WeightsStart::Init(init)),
        (None, None) => Err("init"),
    }
}

impl<'de> Deserialize<'de> for Seed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(u64::deserialize(deserializer)?).ok_or_else(|| de::Error::custom("a seed below 2^53 was expected"))
    }
}
