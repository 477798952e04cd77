//! The telephone game: a deep network in which blame is passed down through many layers, and its three cures.
//!
//! All variants of one depth, width and seed start with the same weights, layer for layer, and are shown the same
//! data: what differs is the cure alone.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::activation::Activation;
use super::init::Init;
use super::loss::Loss;
use super::matrix::Matrix;
use super::name::LayerName;
use super::optimizer::{LearningRate, Optimizer};
use super::random::Stream;
use super::spec::{
    BiasStart, DenseSpec, LayerKindSpec, LayerSpec, ModelSpec, NetworkSpec, NormSpec, ResidualSpec, Seed, WeightsStart,
};

/// Rows of the batch that the game is played with: enough for a batch normalization.
const EXAMPLES: usize = 8;

/// The sick network, or one of its cures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// Sigmoid everywhere: every layer multiplies the blame by at most ¼
    Sigmoid,
    /// ReLU, whose slope is 1 or 0
    Relu,
    /// Sigmoid with a way around each layer
    Residual,
    /// Sigmoid behind a batch normalization
    BatchNorm,
}

/// How the game is played.
#[derive(Clone, Copy, Debug)]
pub struct Telephone {
    /// Dense layers, the output layer counted; at least 2
    pub depth: usize,
    /// Inputs, and units of each layer but the last, which has one
    pub width: usize,
    /// Where weights and data start
    pub seed: Seed,
}

impl Variant {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sigmoid => "sigmoid",
            Self::Relu => "relu",
            Self::Residual => "residual",
            Self::BatchNorm => "batch_norm",
        }
    }

    /// Every variant, the illness first.
    pub const ALL: [Self; 4] = [Self::Sigmoid, Self::Relu, Self::Residual, Self::BatchNorm];

    /// What it does instead, in a line.
    pub fn story(self) -> &'static str {
        match self {
            Self::Sigmoid => "sigmoid everywhere: each layer multiplies the blame by a slope of at most 1/4",
            Self::Relu => "ReLU: the slope is 1 where a unit is active",
            Self::Residual => "residual connections: the blame has a way around each layer",
            Self::BatchNorm => "batch normalization: every layer is brought back to where its slope is steep",
        }
    }
}

impl Telephone {
    /// The network of a variant: its dense layers are called `layer1`, `layer2`, … in all of them.
    pub fn model(&self, variant: Variant) -> ModelSpec {
        let hidden = (1..self.depth).flat_map(|number| hidden(variant, number, self.width));
        let output = dense(self.depth, 1, Activation::Linear, BiasStart::Zeros);
        ModelSpec {
            network: NetworkSpec { inputs: self.width, layers: hidden.chain([output]).collect() },
            loss: Loss::HalfSquaredError,
            optimizer: Optimizer::sgd(half()),
            seed: self.seed,
        }
    }

    /// Inputs `[8][width]`, normal, and targets `[8][1]` between 0 and 1, from NumPy's
    /// `default_rng(SeedSequence(seed, spawn_key=(0, 1)))`.
    pub fn data(&self) -> (Matrix, Matrix) {
        let mut stream = Stream::spawned(self.seed.value(), 1 << 32);
        let inputs = Matrix::from_fn(EXAMPLES, self.width, |_, _| stream.normal(0.0, 1.0));
        let targets = Matrix::from_fn(EXAMPLES, 1, |_, _| stream.unit());
        (inputs, targets)
    }
}

fn half() -> LearningRate {
    #[allow(clippy::expect_used, reason = "0.5 is a learning rate")]
    LearningRate::new(0.5).expect("0.5 is finite and not below zero")
}

/// The layers that stand in the place of one hidden layer.
fn hidden(variant: Variant, number: usize, width: usize) -> Vec<LayerSpec> {
    match variant {
        Variant::Sigmoid => vec![dense(number, width, Activation::Sigmoid, BiasStart::Zeros)],
        Variant::Relu => vec![dense(number, width, Activation::Relu, BiasStart::Zeros)],
        Variant::Residual => {
            let layers = vec![dense(number, width, Activation::Sigmoid, BiasStart::Zeros)];
            vec![layer(&format!("block{number}"), LayerKindSpec::Residual(ResidualSpec { layers, projection: None }))]
        }
        // A bias before a batch normalization is taken out again with the mean.
        Variant::BatchNorm => vec![
            dense(number, width, Activation::Linear, BiasStart::None),
            layer(&format!("norm{number}"), LayerKindSpec::BatchNorm(NormSpec::default())),
            layer(&format!("sigmoid{number}"), LayerKindSpec::Activation(Activation::Sigmoid)),
        ],
    }
}

fn dense(number: usize, units: usize, activation: Activation, bias: BiasStart) -> LayerSpec {
    let weights = WeightsStart::Init(Init::HeNormal);
    layer(&format!("layer{number}"), LayerKindSpec::Dense(DenseSpec { units, activation, weights, bias }))
}

fn layer(name: &str, kind: LayerKindSpec) -> LayerSpec {
    #[allow(clippy::expect_used, reason = "a word and a number of at most four digits")]
    let name = LayerName::parse(name).expect("a layer's name");
    LayerSpec { name, kind }
}
