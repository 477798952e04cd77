//! Normalization: bring numbers to mean 0 and variance 1, then to a scale γ and an offset β that are learned.
//!
//! Batch normalization (Ioffe and Szegedy 2015) takes mean and variance of each unit over the examples; layer
//! normalization (Ba, Kiros and Hinton 2016) those of each example over the units. The rest is one formula:
//! x̂ = (x − mean)/√(variance + ε), h = γ·x̂ + β. Backward, with e = error·γ and the means over the same numbers:
//! δ = (e − mean(e) − x̂·mean(e·x̂))/√(variance + ε).
//!
//! In use batch normalization takes running statistics, which are constants: δ = e/√(variance + ε). The variance is
//! the biased one, Σ(x − mean)²/N; the running variance gathers the unbiased one, as in PyTorch.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::{LayerCost, LayerKind, LayerSize, Way, mean_uphill};
use crate::engine::math::sqrt;
use crate::engine::matrix::Matrix;
use crate::engine::mode::Mode;
use crate::engine::name::LayerName;
use crate::engine::non_finite::{Operand, where_a_sum_breaks};
use crate::engine::random::Stream;
use crate::engine::schema;
use crate::engine::spec::NormSpec;
use crate::engine::state::{LayerState, Running};
use crate::engine::tap::Tap;
use crate::engine::tensor::{Gradients, Named, ParameterName, Parameters, Tensor};
use crate::engine::trace::Walker;

/// What mean and variance are taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Each unit's over the examples of the batch.
    Examples,
    /// Each example's over its units.
    Units,
}

/// Whose mean and variance were used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Statistics {
    /// The batch's own
    Batch,
    /// Those gathered in training
    Running,
}

/// A normalization upon so many units.
#[derive(Clone, Debug)]
pub struct Normalization {
    units: usize,
    over: Over,
    spec: NormSpec,
}

/// What a normalization did on the way up.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NormForward {
    /// The layer's name
    #[schema(value_type = schema::Name)]
    pub name: LayerName,
    /// `batch_norm` or `layer_norm`
    #[schema(value_type = schema::NormKind)]
    pub kind: LayerKind,
    /// batch_norm: whose mean and variance were used
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub statistics: Option<Statistics>,
    /// ε, which keeps the deviation from being zero
    #[schema(value_type = schema::Number)]
    pub epsilon: f64,
    /// γ and β as this pass used them, `[units]` each
    #[schema(value_type = Gradients)] // the same form
    pub parameters: Arc<Parameters>,
    /// The mean of x: of each unit over the batch, `[units]`, or of each example over its units, `[examples]`
    #[schema(value_type = schema::Vector)]
    pub mean: Vec<f64>,
    /// The biased variance of x, in the shape of the mean
    #[schema(value_type = schema::Vector)]
    pub variance: Vec<f64>,
    /// √(variance + ε), in the shape of the mean
    #[schema(value_type = schema::Vector)]
    pub deviation: Vec<f64>,
    /// x̂ = (x − mean)/deviation, `[examples][units]`
    #[schema(value_type = schema::Matrix)]
    pub normalized: Matrix,
    /// h = γ·x̂ + β, `[examples][units]`
    #[schema(value_type = schema::Matrix)]
    pub outputs: Arc<Matrix>,
}

/// What a normalization did on the way down.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NormBackward {
    /// The layer's name
    #[schema(value_type = schema::Name)]
    pub name: LayerName,
    /// `batch_norm` or `layer_norm`
    #[schema(value_type = schema::NormKind)]
    pub kind: LayerKind,
    /// −∂E/∂h: each example's error at the outputs of the units, `[examples][units]`
    #[schema(value_type = schema::Matrix)]
    pub errors: Arc<Matrix>,
    /// e = −∂E/∂x̂ = error·γ, `[examples][units]`
    #[schema(value_type = schema::Matrix)]
    pub normalized_errors: Matrix,
    /// The mean of e over what mean and variance were taken over, in their shape; running statistics have none
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Vector, required = false)]
    pub mean_error: Option<Vec<f64>>,
    /// The mean of e·x̂ over the same, in the same shape; running statistics have none
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Vector, required = false)]
    pub mean_product: Option<Vec<f64>>,
    /// −∂E/∂x, `[examples][units]`; the errors of the layer below
    #[schema(value_type = schema::Matrix)]
    pub deltas: Arc<Matrix>,
    /// ∂E/∂γ and ∂E/∂β of the mean loss, `[units]` each
    pub gradients: Gradients,
}

impl Over {
    /// Which of the means a number belongs to.
    fn group(self, (row, column): (usize, usize)) -> usize {
        match self {
            Self::Examples => column,
            Self::Units => row,
        }
    }

    /// The mean of each group of numbers, each sum in index order.
    #[allow(clippy::cast_precision_loss, reason = "sizes are limited far below 2^53")]
    fn means(self, values: &Matrix) -> Vec<f64> {
        match self {
            Self::Examples => values.column_sums().iter().map(|sum| sum / values.rows() as f64).collect(),
            Self::Units => values.row_sums().iter().map(|sum| sum / values.columns() as f64).collect(),
        }
    }

    /// The places of one group, in order.
    fn places(self, group: usize, values: &Matrix) -> Vec<(usize, usize)> {
        match self {
            Self::Examples => (0..values.rows()).map(|row| (row, group)).collect(),
            Self::Units => (0..values.columns()).map(|column| (group, column)).collect(),
        }
    }
}

impl Normalization {
    /// A normalization of `units` units over examples or units. The network has checked that explicit values fit.
    pub fn new(units: usize, over: Over, spec: NormSpec) -> Self {
        Self { units, over, spec }
    }

    /// `batch_norm` or `layer_norm`.
    pub fn kind(&self) -> LayerKind {
        match self.over {
            Over::Examples => LayerKind::BatchNorm,
            Over::Units => LayerKind::LayerNorm,
        }
    }

    /// How fast running statistics follow.
    pub fn momentum(&self) -> f64 {
        self.spec.momentum
    }

    pub(super) fn size(&self) -> LayerSize {
        LayerSize { inputs: self.units, outputs: self.units, parameters: 2 * self.units }
    }

    pub(super) fn cost(&self) -> LayerCost {
        // Three statistics and two means on both ways, of each unit or of each example, and the running ones.
        let (batch, example) = match self.over {
            Over::Examples => (9 * self.units, 0),
            Over::Units => (0, 5),
        };
        LayerCost { products: 0, up: 2 * self.units + example, down: 3 * self.units, batch }
    }

    pub(super) fn start(&self, _stream: &mut Stream) -> LayerState {
        let values = |given: &Option<Vec<f64>>, otherwise: f64| {
            Arc::new(Tensor::Vector(given.clone().unwrap_or_else(|| vec![otherwise; self.units])))
        };
        let gamma = (ParameterName::Gamma, values(&self.spec.gamma, 1.0));
        let beta = (ParameterName::Beta, values(&self.spec.beta, 0.0));
        let running = Running { mean: vec![0.0; self.units], variance: vec![1.0; self.units] };
        let running = (self.over == Over::Examples).then(|| Arc::new(running));
        LayerState { running, ..LayerState::of(Named::new([gamma, beta])) }
    }

    pub(super) fn forward(
        &self,
        name: &LayerName,
        state: &LayerState,
        below: &Arc<Matrix>,
        Way { mode, tap, .. }: &mut Way,
    ) -> NormForward {
        let over = self.over;
        let parameters = tap.parameters(&state.parameters);
        let at = |at: (usize, usize)| over.group(at);
        let running = state.running.as_ref().filter(|_| *mode == Mode::Eval);
        let mut mean = running.map_or_else(|| over.means(below), |running| running.mean.clone());
        tap.vector("mean", &mut mean);
        let squares = || below.map_at(|place, x| (x - mean[at(place)]) * (x - mean[at(place)]));
        let mut variance = running.map_or_else(|| over.means(&squares()), |running| running.variance.clone());
        tap.vector("variance", &mut variance);
        let mut deviation: Vec<f64> = variance.iter().map(|variance| sqrt(variance + self.spec.epsilon)).collect();
        tap.vector("deviation", &mut deviation);
        let mut normalized = below.map_at(|place, x| (x - mean[at(place)]) / deviation[at(place)]);
        tap.matrix("normalized", &mut normalized);
        let (gamma, beta) = (parameters[ParameterName::Gamma].values(), parameters[ParameterName::Beta].values());
        let mut outputs = Arc::new(normalized.map_at(|(_, unit), x| x * gamma[unit] + beta[unit]));
        tap.shared("outputs", &mut outputs);
        let statistics = if running.is_some() { Statistics::Running } else { Statistics::Batch };
        NormForward {
            name: name.clone(),
            kind: self.kind(),
            statistics: (over == Over::Examples).then_some(statistics),
            epsilon: self.spec.epsilon,
            parameters,
            mean,
            variance,
            deviation,
            normalized,
            outputs,
        }
    }
}

impl NormForward {
    fn over(&self) -> Over {
        if self.kind == LayerKind::LayerNorm { Over::Units } else { Over::Examples }
    }

    fn parameter(&self, name: ParameterName) -> &[f64] {
        self.parameters[name].values()
    }

    pub(super) fn backward(&self, errors: Arc<Matrix>, tap: &mut Tap) -> NormBackward {
        let over = self.over();
        let at = |at: (usize, usize)| over.group(at);
        let (gamma, normalized) = (self.parameter(ParameterName::Gamma), &self.normalized);
        let mut normalized_errors = errors.map_at(|(_, unit), error| error * gamma[unit]);
        tap.matrix("normalized_errors", &mut normalized_errors);
        let e = &normalized_errors;
        let mut means = (self.statistics != Some(Statistics::Running))
            .then(|| (over.means(e), over.means(&e.zip(normalized, |e, x| e * x))));
        if let Some((mean_error, mean_product)) = &mut means {
            tap.vector("mean_error", mean_error);
            tap.vector("mean_product", mean_product);
        }
        let mut deltas = Arc::new(e.map_at(|(row, unit), e| {
            let group = at((row, unit));
            let centred = means.as_ref().map_or(e, |(mean_error, mean_product)| {
                (e - mean_error[group]) - normalized.at(row, unit) * mean_product[group]
            });
            centred / self.deviation[group]
        }));
        tap.shared("deltas", &mut deltas);
        let mean_uphill = mean_uphill(errors.rows());
        let uphill = |sums: Vec<f64>| Tensor::Vector(sums.into_iter().map(&mean_uphill).collect());
        let mut gradients = self.parameters.map(|parameter, _| match parameter {
            ParameterName::Gamma => uphill(errors.zip(normalized, |error, x| error * x).column_sums()),
            _ => uphill(errors.column_sums()),
        });
        tap.gradients(&mut gradients);
        let (mean_error, mean_product) = means.unzip();
        let (name, kind) = (self.name.clone(), self.kind);
        NormBackward { name, kind, errors, normalized_errors, mean_error, mean_product, deltas, gradients }
    }

    pub(super) fn walk<'t>(&'t self, walker: &mut Walker<'_, 't>) {
        walker.named("parameters", &self.parameters, |tensor, walker| walker.tensor_here(tensor));
        walker.vector("mean", &self.mean);
        walker.vector("variance", &self.variance);
        walker.vector("deviation", &self.deviation);
        walker.matrix("normalized", &self.normalized);
        walker.matrix("outputs", &self.outputs);
    }

    pub(super) fn operands(&self, quantity: &str, index: &[usize], inputs: &Matrix) -> Vec<Operand> {
        let over = self.over();
        let of = |name: &'static str, values: &[f64], at: usize| Operand::new(name, vec![at], values[at]);
        match (quantity, index) {
            ("mean", &[group]) => {
                let term = |place| vec![Operand::at("inputs", place, inputs)];
                where_a_sum_breaks(over.places(group, inputs).into_iter().map(term), None)
            }
            ("variance", &[group]) => {
                let mean = self.mean[group];
                let overflows = |&(row, column): &(usize, usize)| {
                    let centred = inputs.at(row, column) - mean;
                    !(centred * centred).is_finite()
                };
                let places = over.places(group, inputs);
                let place = places.iter().copied().find(overflows).unwrap_or(places[0]);
                vec![Operand::at("inputs", place, inputs), of("mean", &self.mean, group)]
            }
            ("deviation", &[group]) => vec![of("variance", &self.variance, group)],
            ("normalized", &[row, unit]) => {
                let group = over.group((row, unit));
                let input = Operand::at("inputs", (row, unit), inputs);
                vec![input, of("mean", &self.mean, group), of("deviation", &self.deviation, group)]
            }
            ("outputs", &[row, unit]) => vec![
                Operand::at("normalized", (row, unit), &self.normalized),
                of("gamma", self.parameter(ParameterName::Gamma), unit),
                of("beta", self.parameter(ParameterName::Beta), unit),
            ],
            _ => vec![],
        }
    }

    pub(super) fn operands_backward(&self, down: &NormBackward, quantity: &[&str], index: &[usize]) -> Vec<Operand> {
        let over = self.over();
        let (errors, e, normalized) = (&*down.errors, &down.normalized_errors, &self.normalized);
        let product = |name, values| {
            move |place| vec![Operand::at(name, place, values), Operand::at("normalized", place, normalized)]
        };
        match (quantity, index) {
            (["normalized_errors"], &[row, unit]) => {
                let gamma = Operand::new("gamma", vec![unit], self.parameter(ParameterName::Gamma)[unit]);
                vec![Operand::at("errors", (row, unit), errors), gamma]
            }
            (["mean_error"], &[group]) => {
                let term = |place| vec![Operand::at("normalized_errors", place, e)];
                where_a_sum_breaks(over.places(group, e).into_iter().map(term), None)
            }
            (["mean_product"], &[group]) => {
                where_a_sum_breaks(over.places(group, e).into_iter().map(product("normalized_errors", e)), None)
            }
            (["deltas"], &[row, unit]) => {
                let group = over.group((row, unit));
                let of = |name, values: &[f64]| Operand::new(name, vec![group], values[group]);
                let means = [("mean_error", &down.mean_error), ("mean_product", &down.mean_product)];
                let means = means.into_iter().filter_map(|(name, values)| values.as_deref().map(|v| of(name, v)));
                let mut operands = product("normalized_errors", e)((row, unit));
                operands.extend(means.chain([of("deviation", &self.deviation)]));
                operands
            }
            (["gradients", "gamma"], &[unit]) => {
                let places = Over::Examples.places(unit, errors);
                where_a_sum_breaks(places.into_iter().map(product("errors", errors)), None)
            }
            (["gradients", "beta"], &[unit]) => {
                let term = |place| vec![Operand::at("errors", place, errors)];
                where_a_sum_breaks(Over::Examples.places(unit, errors).into_iter().map(term), None)
            }
            _ => vec![],
        }
    }
}

impl NormBackward {
    pub(super) fn walk<'t>(&'t self, walker: &mut Walker<'_, 't>) {
        walker.matrix("normalized_errors", &self.normalized_errors);
        for (name, means) in [("mean_error", &self.mean_error), ("mean_product", &self.mean_product)] {
            if let Some(means) = means {
                walker.vector(name, means);
            }
        }
        walker.matrix("deltas", &self.deltas);
        walker.named("gradients", &self.gradients, |tensor, walker| walker.tensor_here(tensor));
    }
}
