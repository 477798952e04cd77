//! The dense layer: every unit joined to every unit below.
//!
//! Forward: a_j = Σ_i x_i·w_ij (+ bias_j), h = f(a). Backward: δ = error·f′(a), ∂E/∂w_ij = −Σ_n x_i·δ_j / N,
//! ∂E/∂bias_j = −Σ_n δ_j / N, and down to unit i goes Σ_j δ_j·w_ij (Rumelhart, Hinton and Williams 1986).
//! Shapes: x `[examples][in]`, weights `[in][out]`, bias `[out]`, a, h, δ `[examples][out]`.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Below, LayerCost, LayerKind, LayerSize, mean_uphill};
use crate::engine::activation::{Activated, Activation};
use crate::engine::matrix::Matrix;
use crate::engine::name::LayerName;
use crate::engine::non_finite::{Operand, where_a_sum_breaks};
use crate::engine::random::Stream;
use crate::engine::schema;
use crate::engine::spec::{BiasStart, DenseSpec};
use crate::engine::state::LayerState;
use crate::engine::tap::Tap;
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
    #[schema(value_type = schema::Name)]
    pub name: LayerName,
    /// Always `dense`
    #[schema(value_type = schema::DenseKind)]
    pub kind: LayerKind,
    /// f: what the units make of their weighted sums
    pub activation: Activation,
    /// The parameters that this pass used: weights `[in][out]`, and bias `[out]` where there are biases
    #[schema(value_type = Gradients)] // the same form
    pub parameters: Arc<Parameters>,
    /// a: each unit's weighted sum with its bias, `[examples][out]`
    #[schema(value_type = schema::Matrix)]
    pub pre_activations: Matrix,
    /// h and how it hangs on a
    #[serde(flatten)]
    pub activated: Activated,
}

/// What a dense layer did on the way down.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DenseBackward {
    /// The layer's name
    #[schema(value_type = schema::Name)]
    pub name: LayerName,
    /// Always `dense`
    #[schema(value_type = schema::DenseKind)]
    pub kind: LayerKind,
    /// −∂E/∂h: each example's error at the outputs of the units, `[examples][out]`
    #[schema(value_type = schema::Matrix)]
    pub errors: Arc<Matrix>,
    /// Softmax alone: Σ_k error_k·h_k, `[examples]`
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::PerExample, required = false)]
    pub weighted_errors: Option<Vec<f64>>,
    /// −∂E/∂a = errors·f′(a), `[examples][out]`; softmax: h·(error − weighted_error)
    #[schema(value_type = schema::Matrix)]
    pub deltas: Matrix,
    /// ∂E/∂w of the mean loss, each in its parameter's shape
    pub gradients: Gradients,
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

    /// f: what the units make of their weighted sums
    pub fn activation(&self) -> Activation {
        self.spec.activation
    }

    pub(super) fn cost(&self) -> LayerCost {
        let units = self.spec.units;
        // Pre-activations, outputs and derivatives, and two numbers a row of a softmax; errors, deltas and one more.
        LayerCost { products: self.inputs * units, up: 3 * units + 2, down: 2 * units + 1, batch: 0 }
    }

    pub(super) fn start(&self, stream: &mut Stream) -> LayerState {
        let weights = self.spec.weights.draw(self.inputs, self.spec.units, stream);
        let bias = match &self.spec.bias {
            BiasStart::None => None,
            BiasStart::Zeros => Some(vec![0.0; self.spec.units]),
            BiasStart::Values(bias) => Some(bias.clone()),
        };
        let weights = (ParameterName::Weights, weights);
        let bias = bias.map(|bias| (ParameterName::Bias, Arc::new(Tensor::Vector(bias))));
        LayerState::of(Named::new([weights].into_iter().chain(bias)))
    }

    pub(super) fn forward(&self, name: &LayerName, state: &LayerState, below: &Matrix, tap: &mut Tap) -> DenseForward {
        let parameters = tap.parameters(&state.parameters);
        let mut pre_activations = below.product(parameters.weights());
        if let Some(bias) = parameters.get(ParameterName::Bias) {
            for row in pre_activations.iter_rows_mut() {
                for (a, bias) in row.iter_mut().zip(bias.values()) {
                    *a += bias;
                }
            }
        }
        tap.matrix("pre_activations", &mut pre_activations);
        DenseForward {
            name: name.clone(),
            kind: LayerKind::Dense,
            activation: self.spec.activation,
            parameters,
            activated: self.spec.activation.forward(&pre_activations, tap),
            pre_activations,
        }
    }
}

impl DenseForward {
    pub(super) fn backward(
        &self,
        inputs: &Matrix,
        errors: Arc<Matrix>,
        below: Below,
        tap: &mut Tap,
    ) -> (DenseBackward, Option<Arc<Matrix>>) {
        let blamed = self.activated.backward(&errors, tap);
        let deltas = &blamed.deltas;
        let mean_uphill = mean_uphill(deltas.rows());
        let mut gradients = self.parameters.map(|parameter, _| match parameter {
            ParameterName::Weights => {
                Tensor::Matrix(Matrix::product_of(inputs.operand().turned(), deltas.operand()).map(&mean_uphill))
            }
            _ => Tensor::Vector(deltas.column_sums().into_iter().map(&mean_uphill).collect()),
        });
        tap.gradients(&mut gradients);
        let passed = (below == Below::Waits)
            .then(|| Arc::new(Matrix::product_of(deltas.operand(), self.parameters.weights().operand().turned())));
        let backward = DenseBackward {
            name: self.name.clone(),
            kind: LayerKind::Dense,
            errors,
            weighted_errors: blamed.weighted_errors,
            deltas: blamed.deltas,
            gradients,
        };
        (backward, passed)
    }

    pub(super) fn walk<'t>(&'t self, walker: &mut Walker<'_, 't>) {
        walker.named("parameters", &self.parameters, |tensor, walker| walker.tensor_here(tensor));
        walker.matrix("pre_activations", &self.pre_activations);
        self.activated.walk(walker);
    }

    pub(super) fn operands(&self, quantity: &str, index: &[usize], below: &Matrix) -> Vec<Operand> {
        match (quantity, index) {
            ("pre_activations", &[example, unit]) => {
                let weights = self.parameters.weights();
                let term =
                    |i| vec![Operand::at("inputs", (example, i), below), Operand::at("weights", (i, unit), weights)];
                let bias = self.parameters.get(ParameterName::Bias);
                let bias = bias.map(|bias| Operand::new("bias", vec![unit], bias.values()[unit]));
                where_a_sum_breaks((0..below.columns()).map(term), bias)
            }
            ("derivatives", &[example, unit]) => vec![
                Operand::at("pre_activations", (example, unit), &self.pre_activations),
                Operand::at("outputs", (example, unit), self.activated.outputs()),
            ],
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
            (["weighted_errors"], &[example]) => self.activated.weighted_error_operands(&backward.errors, example),
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
        let weights = self.parameters.weights();
        let delta = |j| Operand::at("deltas", (example, j), &backward.deltas);
        let term = |j| vec![delta(j), Operand::at("weights", (i, j), weights)];
        where_a_sum_breaks((0..weights.columns()).map(term), None)
    }
}

impl DenseBackward {
    pub(super) fn walk<'t>(&'t self, walker: &mut Walker<'_, 't>) {
        if let Some(sums) = &self.weighted_errors {
            walker.vector("weighted_errors", sums);
        }
        walker.matrix("deltas", &self.deltas);
        walker.named("gradients", &self.gradients, |tensor, walker| walker.tensor_here(tensor));
    }
}
