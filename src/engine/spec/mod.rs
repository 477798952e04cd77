//! What may be asked for: a network, its loss, its optimizer and its seed, with every default filled in.
//!
//! A spec is plain data. Whether it makes sense is decided once, by [`super::model::Model::new`].

mod read;

use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

use super::activation::Activation;
use super::init::Init;
use super::layer::LayerKind;
use super::loss::Loss;
use super::matrix::Matrix;
use super::name::LayerName;
use super::optimizer::Optimizer;
use super::random::Stream;
use super::tensor::Tensor;

/// All that a model is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelSpec {
    /// The layers
    pub network: NetworkSpec,
    /// What the outputs are judged by
    pub loss: Loss,
    /// How gradients become changes
    pub optimizer: Optimizer,
    /// Where the random numbers start
    pub seed: Seed,
}

/// A seed of `numpy.random.default_rng`, at most [`crate::limits::SEED_MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Seed(u64);

impl Seed {
    /// The seed, where every JSON client can read the number back.
    pub fn new(seed: u64) -> Option<Self> {
        (seed <= crate::limits::SEED_MAX).then_some(Self(seed))
    }

    /// The seed as a number.
    pub fn value(self) -> u64 {
        self.0
    }
}

/// A network: so many inputs, then layers from the inputs up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// Inputs of an example
    pub inputs: usize,
    /// The layers from the inputs up
    pub layers: Vec<LayerSpec>,
}

/// A layer with its name.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerSpec {
    /// Given, or made from its place
    pub name: LayerName,
    /// What it is
    pub kind: LayerKindSpec,
}

/// What a layer is.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerKindSpec {
    /// Every unit joined to every unit below
    Dense(DenseSpec),
    /// A function of what comes from below
    Activation(Activation),
    /// Mean 0 and variance 1 over the batch
    BatchNorm(NormSpec),
    /// Mean 0 and variance 1 over a row
    LayerNorm(NormSpec),
    /// Numbers dropped with this probability
    Dropout {
        /// From 0 up to but not 1
        rate: f64,
    },
    /// Layers with a way around them
    Residual(ResidualSpec),
}

/// A dense layer.
#[derive(Clone, Debug, PartialEq)]
pub struct DenseSpec {
    /// Its units
    pub units: usize,
    /// What its units make of their weighted sums
    pub activation: Activation,
    /// Its first weights
    pub weights: WeightsStart,
    /// Its first biases
    pub bias: BiasStart,
}

/// A normalization.
#[derive(Clone, Debug, PartialEq)]
pub struct NormSpec {
    /// ε, added to the variance
    pub epsilon: f64,
    /// batch_norm: the weight of the newest batch in the running statistics, from 0 to 1
    pub momentum: f64,
    /// The first γ, `[units]`; ones if left out
    pub gamma: Option<Vec<f64>>,
    /// The first β, `[units]`; zeros if left out
    pub beta: Option<Vec<f64>>,
}

impl Default for NormSpec {
    fn default() -> Self {
        Self { epsilon: 1e-5, momentum: 0.1, gamma: None, beta: None }
    }
}

/// A residual block.
#[derive(Clone, Debug, PartialEq)]
pub struct ResidualSpec {
    /// The branch, from below
    pub layers: Vec<LayerSpec>,
    /// The projection's first weights; without one the shortcut is the identity
    pub projection: Option<WeightsStart>,
}

/// Where weights start.
#[derive(Clone, Debug, PartialEq)]
pub enum WeightsStart {
    /// At these values, `[in][out]`: shared by the spec, the model and the first state
    Values(Arc<Tensor>),
    /// Drawn from the seed
    Init(Init),
}

impl WeightsStart {
    /// At these values.
    pub fn values(weights: Matrix) -> Self {
        Self::Values(Arc::new(Tensor::Matrix(weights)))
    }

    /// The first weights `[inputs][units]`.
    pub fn draw(&self, inputs: usize, units: usize, stream: &mut Stream) -> Arc<Tensor> {
        match self {
            Self::Values(weights) => Arc::clone(weights),
            Self::Init(init) => Arc::new(Tensor::Matrix(init.draw(inputs, units, stream))),
        }
    }

    fn explicit(&self) -> Option<&[f64]> {
        match self {
            Self::Values(weights) => Some(weights.values()),
            Self::Init(Init::Constant { value }) => Some(std::slice::from_ref(value)),
            Self::Init(_) => None,
        }
    }

    fn serialize_into<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        match self {
            Self::Values(weights) => map.serialize_entry("weights", &**weights),
            Self::Init(init) => map.serialize_entry("init", init),
        }
    }
}

/// Where biases start.
#[derive(Clone, Debug, PartialEq)]
pub enum BiasStart {
    /// There are none.
    None,
    /// At 0
    Zeros,
    /// At these values, `[out]`
    Values(Vec<f64>),
}

impl ModelSpec {
    /// The numbers that it starts with by value.
    pub fn explicit_numbers(&self) -> usize {
        explicit(&self.network.layers).iter().map(|values| values.len()).sum()
    }

    /// Whether an equal spec has the same bits too: 0 and −0 are equal, and start differently.
    pub fn same_bits(&self, other: &Self) -> bool {
        let values = |spec: &Self| explicit(&spec.network.layers).concat();
        let pairs = values(self).into_iter().zip(values(other));
        self.explicit_numbers() == other.explicit_numbers()
            && pairs.into_iter().all(|(a, b)| a.to_bits() == b.to_bits())
    }
}

/// Everything that layers start with by value.
fn explicit(layers: &[LayerSpec]) -> Vec<&[f64]> {
    let mut all = vec![];
    for layer in layers {
        match &layer.kind {
            LayerKindSpec::Dense(dense) => {
                all.extend(dense.weights.explicit());
                if let BiasStart::Values(bias) = &dense.bias {
                    all.push(bias);
                }
            }
            LayerKindSpec::BatchNorm(norm) | LayerKindSpec::LayerNorm(norm) => {
                all.extend(norm.gamma.iter().chain(&norm.beta).map(Vec::as_slice));
            }
            LayerKindSpec::Residual(residual) => {
                all.extend(residual.projection.as_ref().and_then(WeightsStart::explicit));
                all.extend(explicit(&residual.layers));
            }
            LayerKindSpec::Activation(_) | LayerKindSpec::Dropout { .. } => {}
        }
    }
    all
}

impl LayerKindSpec {
    /// The kind alone.
    pub fn kind(&self) -> LayerKind {
        match self {
            Self::Dense(_) => LayerKind::Dense,
            Self::Activation(_) => LayerKind::Activation,
            Self::BatchNorm(_) => LayerKind::BatchNorm,
            Self::LayerNorm(_) => LayerKind::LayerNorm,
            Self::Dropout { .. } => LayerKind::Dropout,
            Self::Residual(_) => LayerKind::Residual,
        }
    }
}

/// As a client would write it: `{"name", "kind", …}` with nothing left to a default.
impl Serialize for LayerSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("kind", &self.kind.kind())?;
        match &self.kind {
            LayerKindSpec::Dense(dense) => dense.serialize_into(&mut map)?,
            LayerKindSpec::Activation(activation) => map.serialize_entry("activation", activation)?,
            LayerKindSpec::BatchNorm(norm) => {
                map.serialize_entry("momentum", &norm.momentum)?;
                norm.serialize_into(&mut map)?;
            }
            LayerKindSpec::LayerNorm(norm) => norm.serialize_into(&mut map)?,
            LayerKindSpec::Dropout { rate } => map.serialize_entry("rate", rate)?,
            LayerKindSpec::Residual(residual) => {
                let shortcut = if residual.projection.is_some() { "projection" } else { "identity" };
                map.serialize_entry("shortcut", shortcut)?;
                if let Some(weights) = &residual.projection {
                    weights.serialize_into(&mut map)?;
                }
                map.serialize_entry("layers", &residual.layers)?;
            }
        }
        map.end()
    }
}

impl DenseSpec {
    fn serialize_into<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("units", &self.units)?;
        map.serialize_entry("activation", &self.activation)?;
        match &self.bias {
            BiasStart::None => map.serialize_entry("bias", &false)?,
            BiasStart::Zeros => map.serialize_entry("bias", &true)?,
            BiasStart::Values(values) => map.serialize_entry("bias", values)?,
        }
        self.weights.serialize_into(map)
    }
}

impl NormSpec {
    fn serialize_into<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("epsilon", &self.epsilon)?;
        for (name, values) in [("gamma", &self.gamma), ("beta", &self.beta)] {
            if let Some(values) = values {
                map.serialize_entry(name, values)?;
            }
        }
        Ok(())
    }
}
