//! The dense layer: every unit joined to every unit below.
//!
//! Forward: a_j = Σ_i x_i·w_ij (+ bias_j), h = f(a). Backward: δ = error·f′(a), ∂E/∂w_ij = −Σ_n x_i·δ_j / N,
//! ∂E/∂bias_j = −Σ_n δ_j / N, and down to unit i goes Σ_j δ_j·w_ij (Rumelhart, Hinton and Williams 1986).
//! Shapes: x `[examples][in]`, weights `[in][out]`, bias `[out]`, a, h, δ `[examples][out]`.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::{LayerKind, LayerSize};
use crate::engine::activation::{Activated, Activation};
use crate::engine::matrix::Matrix;
use crate::engine::name::LayerName;
use crate::engine::non_finite::{Operand, where_a_sum_breaks};
use crate::engine::random::Stream;
use crate::engine::schema;
use crate::engine::spec::{BiasStart, DenseSpec, WeightsStart};
use crate::engine::tensor::{Gradients, Named, ParameterName, Parameters, Tensor};
use crate::engine::trace::Walker;

/// A dense layer whose spec fits the layer below.
#[derive(Clone, Debug)]
pub struct Dense {
    inputs: usize,
    spec: DenseSpec,
}

/// What a dense layer did on the way up.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DenseForward {
    /// The layer's name
    #[schema(schema_with = schema::name)]
    name: LayerName,
    /// Always `dense`
    kind: LayerKind,
    /// f
    activation: Activation,
    /// The parameters that this pass used
    #[schema(value_type = Gradients)] // the same form
    parameters: Arc<Parameters>,
    /// a, `[examples][out]`
    #[schema(schema_with = schema::matrix)]
    pre_activations: Matrix,
    #[serde(flatten)]
    activated: Activated,
}

/// What a dense layer did on the way down.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DenseBackward {
    /// The layer's name
    #[schema(schema_with = schema::name)]
    name: LayerName,
    /// Always `dense`
    kind: LayerKind,
    /// −∂E/∂h, `[examples][out]`
    #[schema(schema_with = schema::matrix)]
    errors: Matrix,
    /// Softmax alone: Σ_k error_k·h_k, `[examples]`
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::per_example, required = false)]
    weighted_errors: Option<Vec<f64>>,
    /// −∂E/∂a, `[examples][out]`
    #[schema(schema_with = schema::matrix)]
    deltas: Matrix,
    /// ∂E/∂w of the mean loss
    gradients: Gradients,
}

impl Dense {
    /// A layer of this spec upon `inputs` units. The network has checked that explicit values fit.
    pub fn new(inputs: usize, spec: DenseSpec) -> Self {
        Self { inputs, spec }
    }

    pub(super) fn size(&self) -> LayerSize {
        let (inputs, outputs) = (self.inputs, self.spec.units);
        let biases = if self.spec.bias == BiasStart::None { 0 } else { outputs };
        LayerSize { inputs, outputs, parameters: inputs * outputs + biases }
    }

    pub(super) fn start(&self, stream: &mut Stream) -> Parameters {
        let weights = match &self.spec.weights {
            WeightsStart::Values(weights) => weights.clone(),
            WeightsStart::Init(init) => init.draw(self.inputs, self.spec.units, stream),
        };
        let bias = match &self.spec.bias {
            BiasStart::None => None,
            BiasStart::Zeros => Some(vec![0.0; self.spec.units]),
            BiasStart::Values(bias) => Some(bias.clone()),
        };
        let weights = (ParameterName::Weights, Arc::new(Tensor::Matrix(weights)));
        let bias = bias.map(|bias| (ParameterName::Bias, Arc::new(Tensor::Vector(bias))));
        Named::new([weights].into_iter().chain(bias))
    }

    pub(super) fn forward(&self, name: &LayerName, parameters: &Arc<Parameters>, below: &Matrix) -> DenseForward {
        let mut pre_activations = below.product(weights(parameters));
        if let Some(bias) = parameters.get(ParameterName::Bias) {
            for row in pre_activations.iter_rows_mut() {
                for (a, bias) in row.iter_mut().zip(bias.values()) {
                    *a += bias;
                }
            }
        }
        DenseForward {
            name: name.clone(),
            kind: LayerKind::Dense,
            activation: self.spec.activation,
            parameters: Arc::clone(parameters),
            activated: self.spec.activation.forward(&pre_activations),
            pre_activations,
        }
    }
}

/// The weights `[in][out]` of a dense layer.
fn weights(parameters: &Parameters) -> &Matrix {
    match &*parameters[ParameterName::Weights] {
        Tensor::Matrix(weights) => weights,
        Tensor::Vector(_) => unreachable!("a network's state has matrices for weights"),
    }
}

impl DenseForward {
    pub(super) fn backward(&self, below: &Matrix, errors: Matrix) -> DenseBackward {
        let blamed = self.activated.backward(&errors);
        let deltas = &blamed.deltas;
        #[allow(clippy::cast_precision_loss, reason = "examples are limited far below 2^53")]
        let examples = deltas.rows() as f64;
        // Not −sum: a weight without influence has the gradient 0, not −0.
        let mean_uphill = |sum: f64| 0.0 - sum / examples;
        let gradients = self.parameters.map(|parameter, _| match parameter {
            ParameterName::Weights => Tensor::Matrix(below.transposed().product(deltas).map(mean_uphill)),
            ParameterName::Bias => Tensor::Vector(deltas.column_sums().into_iter().map(mean_uphill).collect()),
        });
        DenseBackward {
            name: self.name.clone(),
            kind: LayerKind::Dense,
            errors,
            weighted_errors: blamed.weighted_errors,
            deltas: blamed.deltas,
            gradients,
        }
    }

    pub(super) fn errors_below(&self, backward: &DenseBackward) -> Matrix {
        backward.deltas.product(&weights(&self.parameters).transposed())
    }

    pub(super) fn name(&self) -> &LayerName {
        &self.name
    }

    pub(super) fn outputs(&self) -> &Arc<Matrix> {
        self.activated.outputs()
    }

    pub(super) fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    pub(super) fn walk(&self, walker: &mut Walker) {
        walker.named("parameters", &self.parameters, |tensor, walker| walker.tensor_here(tensor));
        walker.matrix("pre_activations", &self.pre_activations);
        self.activated.walk(walker);
    }

    pub(super) fn operands(&self, quantity: &str, index: &[usize], below: &Matrix) -> Vec<Operand> {
        match (quantity, index) {
            ("pre_activations", &[example, unit]) => {
                let weights = weights(&self.parameters);
                let term =
                    |i| vec![Operand::at("inputs", (example, i), below), Operand::at("weights", (i, unit), weights)];
                let bias = self.parameters.get(ParameterName::Bias);
                let bias = bias.map(|bias| Operand::new("bias", vec![unit], bias.values()[unit]));
                where_a_sum_breaks((0..below.columns()).map(term), bias)
            }
            (_, &[example, unit]) => vec![Operand::at("pre_activations", (example, unit), &self.pre_activations)],
            _ => vec![],
        }
    }

    pub(super) fn operands_backward(
        &self,
        backward: &DenseBackward,
        quantity: &[&str],
        index: &[usize],
        below: &Matrix,
    ) -> Vec<Operand> {
        let deltas = &backward.deltas;
        let examples = 0..deltas.rows();
        match (quantity, index) {
            (["weighted_errors"], &[example]) => {
                let outputs = self.outputs();
                let error = |k| Operand::at("errors", (example, k), &backward.errors);
                let term = |k| vec![error(k), Operand::at("outputs", (example, k), outputs)];
                where_a_sum_breaks((0..outputs.columns()).map(term), None)
            }
            (["deltas"], &[example, unit]) => {
                self.activated.delta_operands(&backward.errors, backward.weighted_errors.as_deref(), (example, unit))
            }
            (["gradients", "weights"], &[i, j]) => {
                let term = |n| vec![Operand::at("inputs", (n, i), below), Operand::at("deltas", (n, j), deltas)];
                where_a_sum_breaks(examples.map(term), None)
            }
            (["gradients", "bias"], &[j]) => {
                where_a_sum_breaks(examples.map(|n| vec![Operand::at("deltas", (n, j), deltas)]), None)
            }
            _ => vec![],
        }
    }

    pub(super) fn operands_of_error_below(&self, backward: &DenseBackward, index: &[usize]) -> Vec<Operand> {
        let &[example, i] = index else { return vec![] };
        let weights = weights(&self.parameters);
        let delta = |j| Operand::at("deltas", (example, j), &backward.deltas);
        let term = |j| vec![delta(j), Operand::at("weights", (i, j), weights)];
        where_a_sum_breaks((0..weights.columns()).map(term), None)
    }
}

impl DenseBackward {
    pub(super) fn name(&self) -> &LayerName {
        &self.name
    }

    pub(super) fn gradients(&self) -> &Gradients {
        &self.gradients
    }

    pub(super) fn walk(&self, walker: &mut Walker) {
        walker.matrix("errors", &self.errors);
        if let Some(sums) = &self.weighted_errors {
            walker.vector("weighted_errors", sums);
        }
        walker.matrix("deltas", &self.deltas);
        walker.named("gradients", &self.gradients, |tensor, walker| walker.tensor_here(tensor));
    }
}
