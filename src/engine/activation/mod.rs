//! Activations: what a unit makes of its pre-activation a.
//!
//! Those that look at one unit alone are a value f(a) beside its derivative f′(a), one file each. Softmax looks at
//! all units of a row and has a file of its own kind. A new one is a file here and a line in [`each_alone!`].

pub mod softmax;

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::matrix::Matrix;
use super::non_finite::{Operand, where_a_sum_breaks};
use super::tap::Tap;
use super::trace::Walker;
use softmax::SoftmaxForward;

macro_rules! each_alone {
    ($($module:ident $variant:ident $documentation:literal),+ $(,)?) => {
        $(mod $module;)+

        /// What a unit makes of its pre-activation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Activation {
            $(#[doc = $documentation] $variant,)+
            /// exp(a_j) / Σ exp(a_k): the units of a row share 1.
            Softmax,
        }

        impl Activation {
            /// Every activation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+ Self::Softmax];

            /// From pre-activations `[examples][units]` to what the layer puts out.
            pub fn forward(self, a: &Matrix, tap: &mut Tap) -> Activated {
                match self {
                    $(Self::$variant => {
                        let mut outputs = a.map($module::value);
                        tap.matrix("outputs", &mut outputs);
                        let mut derivatives = a.zip(&outputs, $module::derivative);
                        tap.matrix("derivatives", &mut derivatives);
                        Activated::Alone { outputs: Arc::new(outputs), derivatives }
                    })+
                    Self::Softmax => Activated::Softmax(softmax::forward(a, tap)),
                }
            }

            /// The outputs of rows of so many units, into a buffer.
            pub(super) fn outputs_into(self, a: &[f64], units: usize, outputs: &mut [f64]) {
                match self {
                    $(Self::$variant => outputs.iter_mut().zip(a).for_each(|(h, &a)| *h = $module::value(a)),)+
                    Self::Softmax => softmax::outputs_into(a, units, outputs),
                }
            }

            /// From errors −∂E/∂h to deltas −∂E/∂a of rows of so many units, into a buffer.
            pub(super) fn deltas_into(self, errors: &[f64], a: &[f64], h: &[f64], units: usize, deltas: &mut [f64]) {
                let numbers = deltas.iter_mut().zip(errors).zip(a.iter().zip(h));
                match self {
                    $(Self::$variant => numbers.for_each(|((delta, error), (&a, &h))| {
                        *delta = error * $module::derivative(a, h);
                    }),)+
                    Self::Softmax => softmax::deltas_into(errors, h, units, deltas),
                }
            }

            /// Where f′ jumps, or f itself: left and right of such an a the slopes of the loss need not agree.
            pub fn breaks(self) -> &'static [f64] {
                match self {
                    Self::Relu | Self::LeakyRelu => &[0.0],
                    Self::Softplus => &[softplus::THRESHOLD],
                    // The two sides of elu meet with the same slope, 1.
                    Self::Linear | Self::Sigmoid | Self::Tanh | Self::Elu | Self::Gelu | Self::Silu | Self::Softmax => &[],
                }
            }

            /// The largest |f′(a)| that it is known by: sigmoid's ¼, and 1 for the others (gelu and silu pass it by a tenth);
            /// softmax has no slope of its own.
            pub fn steepest(self) -> f64 {
                match self {
                    Self::Sigmoid => 0.25,
                    Self::Linear
                    | Self::Tanh
                    | Self::Relu
                    | Self::LeakyRelu
                    | Self::Elu
                    | Self::Gelu
                    | Self::Silu
                    | Self::Softplus
                    | Self::Softmax => 1.0,
                }
            }

            /// f(a) and f′(a) of one number; `None` for softmax, which looks at more than one.
            pub fn of(self, a: f64) -> Option<(f64, f64)> {
                match self {
                    $(Self::$variant => {
                        let h = $module::value(a);
                        Some((h, $module::derivative(a, h)))
                    })+
                    Self::Softmax => None,
                }
            }
        }
    };
}

each_alone! {
    linear Linear "h = a",
    sigmoid Sigmoid "h = 1/(1 + e^−a)",
    tanh Tanh "h = tanh a",
    relu Relu "h = a above zero, else 0",
    leaky_relu LeakyRelu "h = a above zero, else 0.01·a",
    elu Elu "h = a above zero, else e^a − 1",
    gelu Gelu "h = a·Φ(a), Φ the normal distribution",
    silu Silu "h = a·σ(a)",
    softplus Softplus "h = ln(1 + e^a), and a itself above 20",
}

/// Outputs h and how they hang on the pre-activations, as they stand in the trace.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Activated {
    /// Each unit on its own pre-activation alone.
    Alone {
        /// h = f(a): what the units put out, `[examples][units]`
        #[schema(value_type = super::schema::Matrix)]
        outputs: Arc<Matrix>,
        /// ∂h/∂a = f′(a): the local slope, `[examples][units]`
        #[schema(value_type = super::schema::Matrix)]
        derivatives: Matrix,
    },
    /// Each unit on all pre-activations of its row.
    Softmax(SoftmaxForward),
}

/// Deltas `[examples][units]` and what came up on the way to them.
pub struct Blamed {
    /// −∂E/∂a
    pub deltas: Matrix,
    /// The sums that softmax needs, as they stand in the trace.
    pub weighted_errors: Option<Vec<f64>>,
}

impl Activated {
    /// h = f(a): what the units put out, `[examples][units]`
    pub fn outputs(&self) -> &Arc<Matrix> {
        match self {
            Self::Alone { outputs, .. } | Self::Softmax(SoftmaxForward { outputs, .. }) => outputs,
        }
    }

    /// ∂h/∂a, `[examples][units]`, where each unit hangs on its own pre-activation alone.
    pub fn derivatives(&self) -> Option<&Matrix> {
        match self {
            Self::Alone { derivatives, .. } => Some(derivatives),
            Self::Softmax(_) => None,
        }
    }

    /// From errors −∂E/∂h to deltas −∂E/∂a, both `[examples][units]`.
    pub fn backward(&self, errors: &Matrix, tap: &mut Tap) -> Blamed {
        let mut blamed = match self {
            Self::Alone { derivatives, .. } => {
                let deltas = errors.zip(derivatives, |error, slope| error * slope);
                Blamed { deltas, weighted_errors: None }
            }
            Self::Softmax(softmax) => softmax.backward(errors, tap),
        };
        tap.matrix("deltas", &mut blamed.deltas);
        blamed
    }

    pub(super) fn walk<'t>(&'t self, walker: &mut Walker<'_, 't>) {
        match self {
            Self::Alone { outputs, derivatives } => {
                walker.matrix("outputs", outputs);
                walker.matrix("derivatives", derivatives);
            }
            Self::Softmax(softmax) => softmax.walk(walker),
        }
    }

    /// At what the sum of one example's weighted errors breaks.
    pub(super) fn weighted_error_operands(&self, errors: &Matrix, example: usize) -> Vec<Operand> {
        let outputs = self.outputs();
        let term = |k| vec![Operand::at("errors", (example, k), errors), Operand::at("outputs", (example, k), outputs)];
        where_a_sum_breaks((0..outputs.columns()).map(term), None)
    }

    /// What one delta was computed from.
    pub(super) fn delta_operands(&self, errors: &Matrix, shared: Option<&[f64]>, at: (usize, usize)) -> Vec<Operand> {
        let error = Operand::at("errors", at, errors);
        match (self, shared) {
            (Self::Alone { derivatives, .. }, _) => vec![error, Operand::at("derivatives", at, derivatives)],
            (Self::Softmax(softmax), shared) => {
                let mut operands = vec![Operand::at("outputs", at, &softmax.outputs), error];
                operands.extend(shared.map(|sums| Operand::new("weighted_errors", vec![at.0], sums[at.0])));
                operands
            }
        }
    }
}
