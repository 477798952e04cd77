//! Random networks of every kind of layer, for laws that hold for all of them.

use chainrule::engine::activation::Activation;
use chainrule::engine::init::Init;
use chainrule::engine::loss::Loss;
use chainrule::engine::matrix::Matrix;
use chainrule::engine::mode::Mode;
use chainrule::engine::model::{Inputs, Model, Targets};
use chainrule::engine::name::LayerName;
use chainrule::engine::optimizer::{Algorithm, LearningRate, Moments, Momentum, Optimizer, OptimizerKind};
use chainrule::engine::random::Stream;
use chainrule::engine::spec::{
    BiasStart, DenseSpec, LayerKindSpec, LayerSpec, ModelSpec, NetworkSpec, NormSpec, ResidualSpec, Seed, WeightsStart,
};
use chainrule::limits::Limits;
use proptest::prelude::*;

/// A network with as many examples as a batch normalization needs, or more.
#[derive(Clone, Debug)]
pub struct Case {
    inputs: usize,
    layers: Vec<LayerKindSpec>,
    pub loss: Loss,
    optimizer: Optimizer,
    examples: usize,
    seed: u64,
    /// How layers without a name of their own are called, before their number
    prefix: &'static str,
}

fn activation() -> impl Strategy<Value = Activation> {
    prop::sample::select(Activation::ALL)
}

fn weights() -> WeightsStart {
    WeightsStart::Init(Init::Uniform { low: -1.5, high: 1.5 })
}

fn dense(units: usize, activation: Activation, bias: bool) -> LayerKindSpec {
    let bias = if bias { BiasStart::Zeros } else { BiasStart::None };
    LayerKindSpec::Dense(DenseSpec { units, activation, weights: weights(), bias })
}

/// A layer upon whatever is below: the normalizations with an ε that keeps them away from where their curvature
/// outruns any difference.
fn layer() -> impl Strategy<Value = LayerKindSpec> {
    let norm = || NormSpec { epsilon: 0.1, ..NormSpec::default() };
    let flat = prop_oneof![
        4 => (1..6_usize, activation(), any::<bool>()).prop_map(|(units, activation, bias)| dense(units, activation, bias)),
        1 => activation().prop_map(LayerKindSpec::Activation),
        1 => Just(LayerKindSpec::BatchNorm(norm())),
        1 => Just(LayerKindSpec::LayerNorm(norm())),
        1 => (0.0..0.6).prop_map(|rate| LayerKindSpec::Dropout { rate }),
    ];
    flat.prop_recursive(2, 6, 3, |inner| {
        prop::collection::vec(inner, 1..3).prop_map(|layers| {
            let layers = named(layers);
            LayerKindSpec::Residual(ResidualSpec { layers, projection: Some(weights()) })
        })
    })
}

/// Every optimizer, with and without what is common to all.
fn optimizer() -> impl Strategy<Value = Optimizer> {
    let moments = Moments { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    let algorithm = prop::sample::select(OptimizerKind::ALL).prop_flat_map(move |kind| match kind {
        OptimizerKind::Sgd => prop::sample::select(vec![None, Some(false), Some(true)])
            .prop_map(|nesterov| Algorithm::Sgd {
                momentum: nesterov.map(|nesterov| Momentum { factor: 0.9, nesterov }),
            })
            .boxed(),
        OptimizerKind::Rmsprop => Just(Algorithm::Rmsprop { alpha: 0.99, epsilon: 1e-8 }).boxed(),
        OptimizerKind::Adam => Just(Algorithm::Adam(moments)).boxed(),
        OptimizerKind::Adamw => Just(Algorithm::Adamw(moments)).boxed(),
        OptimizerKind::Adagrad => Just(Algorithm::Adagrad { epsilon: 1e-10 }).boxed(),
    });
    let learning_rate = LearningRate::new(0.01).unwrap();
    (algorithm, prop::sample::select(vec![0.0, 0.1]), prop::sample::select(vec![None, Some(0.5)])).prop_map(
        move |(algorithm, weight_decay, clip_norm)| Optimizer { algorithm, learning_rate, weight_decay, clip_norm },
    )
}

/// Names that are filled in when the whole is known.
fn named(layers: Vec<LayerKindSpec>) -> Vec<LayerSpec> {
    layers.into_iter().map(|kind| LayerSpec { name: LayerName::parse("unnamed").unwrap(), kind }).collect()
}

/// Names for all layers, and an identity where the branch happens to keep the number of units.
fn finished(layers: &mut [LayerSpec], outer: &str, mut below: usize) -> usize {
    for (index, layer) in layers.iter_mut().enumerate() {
        layer.name = LayerName::parse(&format!("{outer}{}", index + 1)).unwrap();
        match &mut layer.kind {
            LayerKindSpec::Dense(dense) => below = dense.units,
            LayerKindSpec::Residual(residual) => {
                let outputs = finished(&mut residual.layers, &format!("{}.", layer.name), below);
                if outputs == below {
                    residual.projection = None;
                }
                below = outputs;
            }
            _ => {}
        }
    }
    below
}

pub fn case() -> impl Strategy<Value = Case> {
    let loss = prop::sample::select(Loss::ALL);
    let last = (1..4_usize, activation());
    (1..5_usize, prop::collection::vec(layer(), 1..5), last, loss, optimizer(), 2..5_usize, 0..1_000_u64).prop_map(
        |(inputs, mut layers, (units, last), loss, optimizer, examples, seed)| {
            let last = match loss {
                Loss::CrossEntropy => Activation::Softmax,
                Loss::BinaryCrossEntropy => Activation::Sigmoid,
                Loss::HalfSquaredError | Loss::MeanSquaredError => last,
            };
            layers.push(dense(units, last, true));
            Case { inputs, layers, loss, optimizer, examples, seed, prefix: "layer" }
        },
    )
}

impl Case {
    /// The same with names that are as long as names may be, or nearly.
    pub fn with_long_names(self) -> Self {
        Self { prefix: "a-name-that-is-as-long-as-names-may-be-and-longer-than-useful", ..self }
    }

    pub fn spec(&self) -> ModelSpec {
        let mut layers = named(self.layers.clone());
        finished(&mut layers, &self.prefix[..self.prefix.len().min(56)], self.inputs);
        ModelSpec {
            network: NetworkSpec { inputs: self.inputs, layers },
            loss: self.loss,
            optimizer: self.optimizer.clone(),
            seed: Seed::new(self.seed).unwrap(),
        }
    }

    pub fn model(&self) -> Model {
        Model::new(self.spec(), &Limits::default()).unwrap()
    }

    /// Inputs and targets as they would be sent.
    pub fn data(&self, model: &Model) -> (Matrix, Matrix) {
        let mut stream = Stream::new(self.seed + 1_000);
        let outputs = model.layers().last().unwrap().layer.size().outputs;
        let inputs = Matrix::from_fn(self.examples, self.inputs, |_, _| stream.uniform(-2.0, 2.0));
        let targets = Matrix::from_fn(self.examples, outputs, |_, _| stream.unit());
        (inputs, targets)
    }

    pub fn batch(&self, model: &Model) -> (Inputs, Targets) {
        let (inputs, targets) = self.data(model);
        let inputs = model.check_inputs(inputs, Mode::Train, &Limits::default()).unwrap();
        let targets = model.check_targets(&inputs, targets).unwrap();
        (inputs, targets)
    }
}
