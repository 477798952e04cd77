//! Dropout (Srivastava and others 2014), inverted as in PyTorch: in training a number is dropped with the
//! probability `rate`, and what stays is divided by 1 − rate, so that nothing has to change in use.
//!
//! Forward: h = x·m with a mask m of 0 and 1/(1 − rate). Backward: δ = error·m. In use both pass through.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::{LayerCost, LayerKind, LayerSize, Way};
use crate::engine::matrix::Matrix;
use crate::engine::mode::Mode;
use crate::engine::name::LayerName;
use crate::engine::non_finite::Operand;
use crate::engine::random::Stream;
use crate::engine::schema;
use crate::engine::state::LayerState;
use crate::engine::tap::Tap;
use crate::engine::trace::Walker;

/// A dropout upon so many units.
#[derive(Clone, Debug)]
pub struct Dropout {
    units: usize,
    rate: f64,
}

/// What a dropout did on the way up.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DropoutForward {
    /// The layer's name
    #[schema(value_type = schema::Name)]
    pub name: LayerName,
    /// Always `dropout`
    #[schema(value_type = schema::DropoutKind)]
    pub kind: LayerKind,
    /// The probability of being dropped
    #[schema(value_type = schema::Number)]
    pub rate: f64,
    /// 0 where a number is dropped, else 1/(1 − rate), `[examples][units]`; only in training
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Matrix, required = false)]
    pub mask: Option<Matrix>,
    /// h = x·mask, `[examples][units]`; in use h = x
    #[schema(value_type = schema::Matrix)]
    pub outputs: Arc<Matrix>,
}

/// What a dropout did on the way down.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DropoutBackward {
    /// The layer's name
    #[schema(value_type = schema::Name)]
    pub name: LayerName,
    /// Always `dropout`
    #[schema(value_type = schema::DropoutKind)]
    pub kind: LayerKind,
    /// −∂E/∂h: each example's error at the outputs of the units, `[examples][units]`
    #[schema(value_type = schema::Matrix)]
    pub errors: Arc<Matrix>,
    /// −∂E/∂x, `[examples][units]`; the errors of the layer below
    #[schema(value_type = schema::Matrix)]
    pub deltas: Arc<Matrix>,
}

impl Dropout {
    /// A dropout upon `units` units; `rate` from 0 up to but not 1.
    pub fn new(units: usize, rate: f64) -> Self {
        Self { units, rate }
    }

    pub(super) fn size(&self) -> LayerSize {
        LayerSize { inputs: self.units, outputs: self.units, parameters: 0 }
    }

    pub(super) fn cost(&self) -> LayerCost {
        LayerCost { up: 2 * self.units, down: 2 * self.units, ..LayerCost::default() }
    }

    #[allow(clippy::unused_self, reason = "as every layer")]
    pub(super) fn start(&self, _stream: &mut Stream) -> LayerState {
        LayerState::default()
    }

    pub(super) fn forward(&self, name: &LayerName, below: &Arc<Matrix>, way: &mut Way) -> DropoutForward {
        let mut mask = (way.mode == Mode::Train).then(|| {
            let kept = 1.0 / (1.0 - self.rate);
            let mut draw = || if way.random.unit() < self.rate { 0.0 } else { kept };
            Matrix::from_fn(below.rows(), below.columns(), |_, _| draw())
        });
        if let Some(mask) = &mut mask {
            way.tap.matrix("mask", mask);
        }
        let mut outputs = masked(below, mask.as_ref());
        way.tap.shared("outputs", &mut outputs);
        DropoutForward { name: name.clone(), kind: LayerKind::Dropout, rate: self.rate, mask, outputs }
    }
}

/// Not x·0 where a number is dropped: that would be −0 for x below zero.
fn masked(values: &Arc<Matrix>, mask: Option<&Matrix>) -> Arc<Matrix> {
    match mask {
        None => Arc::clone(values),
        Some(mask) => Arc::new(values.zip(mask, |value, m| if m == 0.0 { 0.0 } else { value * m })),
    }
}

impl DropoutForward {
    pub(super) fn backward(&self, errors: Arc<Matrix>, tap: &mut Tap) -> DropoutBackward {
        let mut deltas = masked(&errors, self.mask.as_ref());
        tap.shared("deltas", &mut deltas);
        DropoutBackward { name: self.name.clone(), kind: self.kind, errors, deltas }
    }

    pub(super) fn walk<'t>(&'t self, walker: &mut Walker<'_, 't>) {
        if let Some(mask) = &self.mask {
            walker.matrix("mask", mask);
        }
        walker.matrix("outputs", &self.outputs);
    }

    pub(super) fn operands(&self, _quantity: &str, index: &[usize], inputs: &Matrix) -> Vec<Operand> {
        self.factors("inputs", inputs, index)
    }

    pub(super) fn operands_backward(&self, down: &DropoutBackward, index: &[usize]) -> Vec<Operand> {
        self.factors("errors", &down.errors, index)
    }

    fn factors(&self, name: &'static str, values: &Matrix, index: &[usize]) -> Vec<Operand> {
        let &[example, unit] = index else { return vec![] };
        let mask = self.mask.as_ref().map(|mask| Operand::at("mask", (example, unit), mask));
        [Operand::at(name, (example, unit), values)].into_iter().chain(mask).collect()
    }
}

impl DropoutBackward {
    pub(super) fn walk<'t>(&'t self, walker: &mut Walker<'_, 't>) {
        walker.matrix("deltas", &self.deltas);
    }
}
