//! The gradients against central differences, on random networks: those over h and over 2h together, so that the
//! error is of the order h⁴.

use chainrule::engine::activation::Activation;
use chainrule::engine::init::Init;
use chainrule::engine::loss::Loss;
use chainrule::engine::matrix::Matrix;
use chainrule::engine::model::{Inputs, Model, Targets};
use chainrule::engine::name::LayerName;
use chainrule::engine::optimizer::{LearningRate, Optimizer};
use chainrule::engine::pass::{backward, forward};
use chainrule::engine::random::Stream;
use chainrule::engine::spec::{
    BiasStart, DenseSpec, LayerKindSpec, LayerSpec, ModelSpec, NetworkSpec, Seed, WeightsStart,
};
use chainrule::engine::state::State;
use chainrule::engine::tensor::{Named, Tensor};
use chainrule::engine::trace::{Trace, Values};
use chainrule::limits::Limits;
use proptest::prelude::*;
use std::sync::Arc;

#[derive(Clone, Debug)]
struct Case {
    sizes: Vec<usize>,
    activations: Vec<Activation>,
    biases: Vec<bool>,
    loss: Loss,
    examples: usize,
    seed: u64,
}

fn activation() -> impl Strategy<Value = Activation> {
    prop::sample::select(vec![
        Activation::Linear,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Relu,
        Activation::LeakyRelu,
        Activation::Softplus,
        Activation::Softmax,
    ])
}

fn case() -> impl Strategy<Value = Case> {
    let loss = prop::sample::select(vec![
        Loss::HalfSquaredError,
        Loss::MeanSquaredError,
        Loss::BinaryCrossEntropy,
        Loss::CrossEntropy,
    ]);
    let sizes = prop::collection::vec(1..6_usize, 2..6);
    (
        sizes,
        prop::collection::vec(activation(), 4),
        prop::collection::vec(any::<bool>(), 4),
        loss,
        1..5_usize,
        0..1_000_u64,
    )
        .prop_map(|(sizes, mut activations, biases, loss, examples, seed)| {
            let last = sizes.len() - 2;
            match loss {
                Loss::CrossEntropy => activations[last] = Activation::Softmax,
                Loss::BinaryCrossEntropy => activations[last] = Activation::Sigmoid,
                _ => {}
            }
            Case { sizes, activations, biases, loss, examples, seed }
        })
}

impl Case {
    fn model(&self) -> Model {
        let layers = (1..self.sizes.len()).map(|at| LayerSpec {
            name: LayerName::by_place(at - 1),
            kind: LayerKindSpec::Dense(DenseSpec {
                units: self.sizes[at],
                activation: self.activations[at - 1],
                weights: WeightsStart::Init(Init::Uniform { low: -1.5, high: 1.5 }),
                bias: if self.biases[at - 1] { BiasStart::Zeros } else { BiasStart::None },
            }),
        });
        let spec = ModelSpec {
            network: NetworkSpec { inputs: self.sizes[0], layers: layers.collect() },
            loss: self.loss,
            optimizer: Optimizer::Sgd { learning_rate: LearningRate::new(0.1).unwrap() },
            seed: Seed::new(self.seed).unwrap(),
        };
        Model::new(spec, &Limits::default()).unwrap()
    }

    fn batch(&self, model: &Model) -> (Inputs, Targets) {
        let mut stream = Stream::new(self.seed + 1_000);
        let outputs = *self.sizes.last().unwrap();
        let inputs = Matrix::from_fn(self.examples, self.sizes[0], |_, _| stream.uniform(-2.0, 2.0));
        let targets = Matrix::from_fn(self.examples, outputs, |_, _| stream.unit());
        let inputs = model.check_inputs(inputs, &Limits::default()).unwrap();
        let targets = model.check_targets(&inputs, targets).unwrap();
        (inputs, targets)
    }
}

/// Biases away from zero, so that they matter.
fn start(model: &Model, seed: u64) -> State {
    let mut stream = Stream::new(seed + 2_000);
    let drawn = model.start();
    let layers = drawn.layers().iter().map(|parameters| {
        let entries: Vec<_> = parameters
            .iter()
            .map(|(name, tensor)| match &**tensor {
                Tensor::Vector(values) => {
                    let values = values.iter().map(|_| stream.uniform(-1.0, 1.0)).collect();
                    (name, Arc::new(Tensor::Vector(values)))
                }
                Tensor::Matrix(_) => (name, Arc::clone(tensor)),
            })
            .collect();
        Arc::new(Named::new(entries))
    });
    State::new(layers.collect())
}

/// The state with one number moved.
fn moved(state: &State, layer: usize, parameter: usize, index: usize, by: f64) -> State {
    let mut layers = state.layers().to_vec();
    let entries = layers[layer].iter().enumerate().map(|(at, (name, tensor))| {
        if at != parameter {
            return (name, Arc::clone(tensor));
        }
        let mut values = tensor.values().to_vec();
        values[index] += by;
        let moved = match &**tensor {
            Tensor::Vector(_) => Tensor::Vector(values),
            Tensor::Matrix(matrix) => Tensor::Matrix(Matrix::new(matrix.rows(), matrix.columns(), values)),
        };
        (name, Arc::new(moved))
    });
    layers[layer] = Arc::new(Named::new(entries.collect::<Vec<_>>()));
    State::new(layers)
}

/// Which side of zero every pre-activation lies on: where that changes, a difference straddles ReLU's kink.
fn sides(trace: &Trace) -> Vec<bool> {
    let mut sides = Vec::new();
    trace.walk(&mut |place, values| {
        if let (true, Values::Matrix(matrix)) = (place.to_string().ends_with("pre_activations"), values) {
            sides.extend(matrix.values().iter().map(|a| *a > 0.0));
        }
    });
    sides
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_gradient_is_the_slope_of_the_loss(case in case()) {
        const H: f64 = 1e-4;
        let model = case.model();
        let (inputs, targets) = case.batch(&model);
        let state = start(&model, case.seed);
        let trace = backward(&model, &state, &inputs, &targets, None).unwrap();
        // Near 0 and 1 the loss itself has lost the digits that a difference of losses needs.
        let sure = trace.forward.outputs.values().iter().any(|h| case.loss == Loss::BinaryCrossEntropy && h.min(1.0 - h) < 1e-3);
        prop_assume!(!sure);
        let layers = &trace.backward.as_ref().unwrap().layers;
        let (mut compared, mut kinks) = (0, 0);
        for (up, layer) in layers.iter().rev().enumerate() {
            for (parameter, (_, gradient)) in layer.gradients().iter().enumerate() {
                for (index, analytic) in gradient.values().iter().enumerate() {
                    let at = |by| forward(&model, &moved(&state, up, parameter, index, by), &inputs, Some(&targets)).unwrap();
                    let [above, below, far_above, far_below] = [H, -H, 2.0 * H, -2.0 * H].map(at);
                    if sides(&far_above) != sides(&far_below) {
                        kinks += 1;
                        continue;
                    }
                    let loss = |trace: Trace| trace.loss.unwrap().value;
                    let (near, far) = (loss(above) - loss(below), loss(far_above) - loss(far_below));
                    let numeric = (8.0 * near - far) / (12.0 * H);
                    let size = analytic.abs().max(numeric.abs()).max(1e-3);
                    let relative = (analytic - numeric).abs() / size;
                    prop_assert!(relative < 1e-6, "{up}/{parameter}/{index}: {analytic} against {numeric}");
                    compared += 1;
                }
            }
        }
        prop_assert!(compared > 0, "{kinks} differences, all at a kink");
    }
}
