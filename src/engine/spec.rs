//! What may be asked for: a network, its loss, its optimizer and its seed, with every default filled in.
//!
//! A spec is plain data. Whether it makes sense is decided once, by [`super::model::Model::new`].

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::activation::Activation;
use super::init::Init;
use super::loss::Loss;
use super::matrix::Matrix;
use super::name::LayerName;
use super::optimizer::Optimizer;

/// All that a model is made from.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize)]
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

/// Where weights start.
#[derive(Clone, Debug, PartialEq)]
pub enum WeightsStart {
    /// At these values, `[in][out]`
    Values(Matrix),
    /// Drawn from the seed
    Init(Init),
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

/// As a client would write it: `{"name", "kind", …}` with nothing left to a default.
impl Serialize for LayerSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let LayerKindSpec::Dense(dense) = &self.kind;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("kind", "dense")?;
        map.serialize_entry("units", &dense.units)?;
        map.serialize_entry("activation", &dense.activation)?;
        match &dense.bias {
            BiasStart::None => map.serialize_entry("bias", &false)?,
            BiasStart::Zeros => map.serialize_entry("bias", &true)?,
            BiasStart::Values(values) => map.serialize_entry("bias", values)?,
        }
        match &dense.weights {
            WeightsStart::Values(weights) => map.serialize_entry("weights", weights)?,
            WeightsStart::Init(init) => map.serialize_entry("init", init)?,
        }
        map.end()
    }
}
