//! Presets: networks with data and a story, ready to be asked.

use super::subject::{Data, SubjectSpec};
use crate::engine::activation::Activation;
use crate::engine::loss::Loss;
use crate::engine::matrix::Matrix;
use crate::engine::name::LayerName;
use crate::engine::optimizer::{LearningRate, Optimizer};
use crate::engine::spec::{BiasStart, DenseSpec, LayerKindSpec, LayerSpec, ModelSpec, NetworkSpec, Seed, WeightsStart};
use crate::engine::telephone::{Telephone, Variant};

/// A network with data and a story.
pub struct Preset {
    /// The name on the wire
    pub name: &'static str,
    /// One line
    pub title: &'static str,
    /// What there is to see
    pub story: &'static str,
    /// Makes the spec, with the data
    pub spec: fn() -> SubjectSpec,
}

/// Every preset, in the order of the listing.
pub const PRESETS: [Preset; 6] = [
    Preset {
        name: "worked-example",
        title: "The tutorial's network: 2-2-1, sigmoid, no bias",
        story: "Two inputs 0.5 and 0.3 should give 1 and give 0.638. The output is blamed with 0.083, the hidden \
                units with 0.012 and 0.008, and after one step with the learning rate 0.5 the error is smaller.",
        spec: worked_example,
    },
    Preset {
        name: "mazur",
        title: "Matt Mazur's network: 2-2-2, sigmoid, with biases",
        story: "The step-by-step example of 2015 that many have checked their own code against: the loss is \
                0.298371109 before the first step. (His biases stay as they are; here they learn too.)",
        spec: mazur,
    },
    Preset {
        name: "telephone",
        title: "The telephone game: 100 layers of sigmoid",
        story: "Why deep networks did not learn: each layer multiplies the blame by a slope of at most 1/4, and the \
                first layer hears nothing of it. Ask POST …/depth.",
        spec: || telephone(Variant::Sigmoid, 0.5),
    },
    Preset {
        name: "telephone-relu",
        title: "The telephone game cured: the same 100 layers with ReLU",
        story: "The same first weights and the same data; the slope is 1 wherever a unit is active. \
                Now that each layer hears of the error, it takes a smaller learning rate, 0.01.",
        spec: || telephone(Variant::Relu, 0.01),
    },
    Preset {
        name: "telephone-residual",
        title: "The telephone game cured: the same 100 layers with residual connections",
        story: "The same first weights and the same data; the blame has a way around each layer. So \
                much of it arrives that the learning rate must be far smaller, 0.00001.",
        spec: || telephone(Variant::Residual, 0.00001),
    },
    Preset {
        name: "telephone-batch-norm",
        title: "The telephone game cured: the same 100 layers with batch normalization",
        story: "The same first weights and the same data; every layer is brought back to where its slope is steep.",
        spec: || telephone(Variant::BatchNorm, 0.5),
    },
];

/// A start from which enough ReLU units stay alive in so narrow a network.
fn third() -> Seed {
    #[allow(clippy::expect_used, reason = "3 is a seed")]
    Seed::new(3).expect("3 is far below the largest seed")
}

/// The presets' game: 100 layers of 16 units, which learn by that rate.
fn telephone(variant: Variant, learning_rate: f64) -> SubjectSpec {
    let game = Telephone { depth: 100, width: 16, seed: third() };
    let (inputs, targets) = game.data();
    let model = ModelSpec { optimizer: descent(learning_rate), ..game.model(variant) };
    SubjectSpec { model, data: Some(Data { inputs, targets }) }
}

fn descent(learning_rate: f64) -> Optimizer {
    #[allow(clippy::expect_used, reason = "the presets' own rates are learning rates")]
    let learning_rate = LearningRate::new(learning_rate).expect("a rate is finite and not below zero");
    Optimizer::sgd(learning_rate)
}

impl Preset {
    /// The preset of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }
}

fn worked_example() -> SubjectSpec {
    let hidden = sigmoid("hidden", matrix([[0.4, 0.3], [0.2, 0.5]]), BiasStart::None);
    let output = sigmoid("output", matrix([[0.6], [0.4]]), BiasStart::None);
    by_hand(vec![hidden, output], matrix([[0.5, 0.3]]), matrix([[1.0]]))
}

fn mazur() -> SubjectSpec {
    let hidden = sigmoid("hidden", matrix([[0.15, 0.25], [0.20, 0.30]]), BiasStart::Values(vec![0.35, 0.35]));
    let output = sigmoid("output", matrix([[0.40, 0.50], [0.45, 0.55]]), BiasStart::Values(vec![0.60, 0.60]));
    by_hand(vec![hidden, output], matrix([[0.05, 0.10]]), matrix([[0.01, 0.99]]))
}

/// Half squared error and the learning rate 0.5, as in both texts.
fn by_hand(layers: Vec<LayerSpec>, inputs: Matrix, targets: Matrix) -> SubjectSpec {
    SubjectSpec {
        model: ModelSpec {
            network: NetworkSpec { inputs: inputs.columns(), layers },
            loss: Loss::HalfSquaredError,
            optimizer: descent(0.5),
            seed: Seed::default(),
        },
        data: Some(Data { inputs, targets }),
    }
}

fn sigmoid(name: &str, weights: Matrix, bias: BiasStart) -> LayerSpec {
    #[allow(clippy::expect_used, reason = "a test makes every preset")]
    let name = LayerName::parse(name).expect("the presets' names are names");
    let units = weights.columns();
    let weights = WeightsStart::values(weights);
    LayerSpec { name, kind: LayerKindSpec::Dense(DenseSpec { units, activation: Activation::Sigmoid, weights, bias }) }
}

fn matrix<const ROWS: usize, const COLUMNS: usize>(rows: [[f64; COLUMNS]; ROWS]) -> Matrix {
    Matrix::new(ROWS, COLUMNS, rows.into_iter().flatten().collect())
}
