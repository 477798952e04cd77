//! The residual block (He and others 2016): layers with a way around them, h = branch(x) + shortcut(x).
//!
//! The shortcut is x itself, or a projection x·W where the branch changes the number of units. Backward the errors
//! go both ways: what the branch passes down and what the shortcut passes down are added. On the identity they pass
//! undiminished, which is why depth does not make them fade.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Below, LayerBackward, LayerCost, LayerForward, LayerKind, LayerSize, NamedLayer, Way, climb, descend, mean_uphill,
};
use crate::engine::matrix::Matrix;
use crate::engine::name::LayerName;
use crate::engine::non_finite::{Operand, where_a_sum_breaks};
use crate::engine::random::Stream;
use crate::engine::schema;
use crate::engine::spec::WeightsStart;
use crate::engine::state::LayerState;
use crate::engine::tap::Tap;
use crate::engine::tensor::{Gradients, Named, ParameterName, Parameters, Tensor};
use crate::engine::trace::Walker;

/// A residual block whose branch fits its shortcut.
#[derive(Clone, Debug)]
pub struct Residual {
    inputs: usize,
    outputs: usize,
    layers: Vec<NamedLayer>,
    projection: Option<WeightsStart>,
}

/// What a residual block did on the way up.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ResidualForward {
    /// The layer's name
    #[schema(value_type = schema::Name)]
    pub name: LayerName,
    /// Always `residual`
    #[schema(value_type = schema::ResidualKind)]
    pub kind: LayerKind,
    /// The projection's weights; an identity has none
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Gradients>, nullable = false)] // the same form
    pub parameters: Option<Arc<Parameters>>,
    /// The branch's layers, from below
    #[schema(no_recursion)]
    pub layers: Vec<LayerForward>,
    /// What the branch puts out, `[examples][units]`
    #[schema(value_type = schema::Matrix)]
    pub branch: Arc<Matrix>,
    /// What the shortcut puts out, `[examples][units]`
    #[schema(value_type = schema::Matrix)]
    pub shortcut: Arc<Matrix>,
    /// h = branch + shortcut, `[examples][units]`
    #[schema(value_type = schema::Matrix)]
    pub outputs: Arc<Matrix>,
}

/// What a residual block did on the way down.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ResidualBackward {
    /// The layer's name
    #[schema(value_type = schema::Name)]
    pub name: LayerName,
    /// Always `residual`
    #[schema(value_type = schema::ResidualKind)]
    pub kind: LayerKind,
    /// −∂E/∂h, `[examples][units]`; for the branch and the shortcut alike
    #[schema(value_type = schema::Matrix)]
    pub errors: Arc<Matrix>,
    /// The branch's layers, the top one first
    #[schema(no_recursion)]
    pub layers: Vec<LayerBackward>,
    /// ∂E/∂W of the projection; an identity has none
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub gradients: Option<Gradients>,
    /// What the branch passes down, `[examples][inputs]`
    #[schema(value_type = schema::Matrix)]
    pub branch_errors: Arc<Matrix>,
    /// What the shortcut passes down, `[examples][inputs]`
    #[schema(value_type = schema::Matrix)]
    pub shortcut_errors: Arc<Matrix>,
    /// −∂E/∂x = branch_errors + shortcut_errors, `[examples][inputs]`; the errors of the layer below
    #[schema(value_type = schema::Matrix)]
    pub deltas: Arc<Matrix>,
}

impl Residual {
    /// These layers upon `inputs` units, with a projection around them or nothing but the inputs themselves. The
    /// network has checked that the two ways meet.
    pub fn new(inputs: usize, layers: Vec<NamedLayer>, projection: Option<WeightsStart>) -> Self {
        let outputs = layers.last().map_or(inputs, |last| last.layer.size().outputs);
        Self { inputs, outputs, layers, projection }
    }

    pub(super) fn inner(&self) -> &[NamedLayer] {
        &self.layers
    }

    pub(super) fn size(&self) -> LayerSize {
        let parameters = if self.projection.is_some() { self.inputs * self.outputs } else { 0 };
        LayerSize { inputs: self.inputs, outputs: self.outputs, parameters }
    }

    pub(super) fn cost(&self) -> LayerCost {
        let products = self.size().parameters;
        LayerCost { products, up: 3 * self.outputs, down: self.outputs + 3 * self.inputs, batch: 0 }
    }

    pub(super) fn start(&self, stream: &mut Stream) -> LayerState {
        let weights = self
            .projection
            .as_ref()
            .map(|start| (ParameterName::Weights, start.draw(self.inputs, self.outputs, stream)));
        let layers = self.layers.iter().map(|named| named.layer.start(stream)).collect();
        LayerState { layers, ..LayerState::of(Named::new(weights)) }
    }

    pub(super) fn forward(
        &self,
        name: &LayerName,
        state: &LayerState,
        below: &Arc<Matrix>,
        way: &mut Way,
    ) -> ResidualForward {
        let parameters = self.projection.is_some().then(|| way.tap.parameters(&state.parameters));
        let layers = climb(&self.layers, &state.layers, below, way);
        let mut branch = Arc::clone(layers.last().map_or(below, LayerForward::outputs));
        way.tap.shared("branch", &mut branch);
        let mut shortcut = match &parameters {
            Some(parameters) => Arc::new(below.product(parameters.weights())),
            None => Arc::clone(below),
        };
        way.tap.shared("shortcut", &mut shortcut);
        let mut outputs = Arc::new(branch.zip(&shortcut, |branch, shortcut| branch + shortcut));
        way.tap.shared("outputs", &mut outputs);
        ResidualForward { name: name.clone(), kind: LayerKind::Residual, parameters, layers, branch, shortcut, outputs }
    }
}

impl ResidualForward {
    pub(super) fn backward(&self, inputs: &Arc<Matrix>, errors: Arc<Matrix>, tap: &mut Tap) -> ResidualBackward {
        let (layers, passed) = descend(&self.layers, inputs, Arc::clone(&errors), Below::Waits, tap);
        let mut gradients = self.parameters.as_ref().map(|parameters| {
            let mean_uphill = mean_uphill(errors.rows());
            parameters.map(|_, _| {
                Tensor::Matrix(Matrix::product_of(inputs.operand().turned(), errors.operand()).map(&mean_uphill))
            })
        });
        if let Some(gradients) = &mut gradients {
            tap.gradients(gradients);
        }
        let mut branch_errors = passed.unwrap_or_else(|| Arc::clone(&errors));
        tap.shared("branch_errors", &mut branch_errors);
        let mut shortcut_errors = match &self.parameters {
            Some(parameters) => Arc::new(Matrix::product_of(errors.operand(), parameters.weights().operand().turned())),
            None => Arc::clone(&errors),
        };
        tap.shared("shortcut_errors", &mut shortcut_errors);
        let mut deltas = Arc::new(branch_errors.zip(&shortcut_errors, |branch, shortcut| branch + shortcut));
        tap.shared("deltas", &mut deltas);
        let (name, kind) = (self.name.clone(), self.kind);
        ResidualBackward { name, kind, errors, layers, gradients, branch_errors, shortcut_errors, deltas }
    }

    pub(super) fn walk<'t>(&'t self, walker: &mut Walker<'_, 't>) {
        if let Some(parameters) = &self.parameters {
            walker.named("parameters", parameters, |tensor, walker| walker.tensor_here(tensor));
        }
        walker.each("layers", &self.layers, LayerForward::walk);
        walker.matrix("branch", &self.branch);
        walker.matrix("shortcut", &self.shortcut);
        walker.matrix("outputs", &self.outputs);
    }

    pub(super) fn operands(&self, quantity: &str, index: &[usize], inputs: &Matrix) -> Vec<Operand> {
        match (quantity, index, &self.parameters) {
            ("shortcut", &[example, unit], Some(parameters)) => {
                let weights = parameters.weights();
                let term =
                    |i| vec![Operand::at("inputs", (example, i), inputs), Operand::at("weights", (i, unit), weights)];
                where_a_sum_breaks((0..inputs.columns()).map(term), None)
            }
            ("outputs", &[example, unit], _) => vec![
                Operand::at("branch", (example, unit), &self.branch),
                Operand::at("shortcut", (example, unit), &self.shortcut),
            ],
            _ => vec![],
        }
    }

    pub(super) fn operands_backward(
        &self,
        down: &ResidualBackward,
        quantity: &[&str],
        index: &[usize],
        inputs: &Matrix,
    ) -> Vec<Operand> {
        let errors = &*down.errors;
        match (quantity, index, &self.parameters) {
            (["gradients", "weights"], &[i, j], _) => {
                let term = |n| vec![Operand::at("inputs", (n, i), inputs), Operand::at("errors", (n, j), errors)];
                where_a_sum_breaks((0..errors.rows()).map(term), None)
            }
            (["branch_errors"], index, _) => match (self.layers.first(), down.layers.last()) {
                (Some(up), Some(down)) => up.operands_of_error_below(down, index),
                _ => vec![],
            },
            (["shortcut_errors"], &[n, i], Some(parameters)) => {
                let weights = parameters.weights();
                let term = |j| vec![Operand::at("errors", (n, j), errors), Operand::at("weights", (i, j), weights)];
                where_a_sum_breaks((0..errors.columns()).map(term), None)
            }
            (["deltas"], &[n, i], _) => vec![
                Operand::at("branch_errors", (n, i), &down.branch_errors),
                Operand::at("shortcut_errors", (n, i), &down.shortcut_errors),
            ],
            _ => vec![],
        }
    }
}

impl ResidualBackward {
    pub(super) fn walk<'t>(&'t self, walker: &mut Walker<'_, 't>) {
        walker.each("layers", &self.layers, LayerBackward::walk);
        if let Some(gradients) = &self.gradients {
            walker.named("gradients", gradients, |tensor, walker| walker.tensor_here(tensor));
        }
        walker.matrix("branch_errors", &self.branch_errors);
        walker.matrix("shortcut_errors", &self.shortcut_errors);
        walker.matrix("deltas", &self.deltas);
    }
}
