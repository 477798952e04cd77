//! Losses: how far the outputs ŷ are from the targets y.
//!
//! Each file has the loss of one example beside the error −∂E/∂ŷ that starts the way back. A new one is a file here
//! and a line in [`losses!`].

use serde::Serialize;
use utoipa::ToSchema;

use super::matrix::{Matrix, sum};

macro_rules! losses {
    ($($module:ident $variant:ident $documentation:literal),+ $(,)?) => {
        $(mod $module;)+

        /// How far the outputs are from the targets. The loss of a batch is the mean over its examples.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Loss {
            $(#[doc = $documentation] $variant,)+
        }

        impl Loss {
            /// Every loss.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// What one output adds to the sum that its example's loss is made from.
            pub fn term(self, y: f64, output: f64) -> f64 {
                match self {
                    $(Self::$variant => $module::term(y, output),)+
                }
            }

            /// Each example's loss, `[examples]`.
            pub fn per_example(self, targets: &Matrix, outputs: &Matrix) -> Vec<f64> {
                let rows = targets.iter_rows().zip(outputs.iter_rows());
                match self {
                    $(Self::$variant => rows.map(|(y, output)| {
                        let terms = y.iter().zip(output).map(|(&y, &output)| $module::term(y, output));
                        $module::example(sum(terms), output.len())
                    }).collect(),)+
                }
            }

            /// −∂E/∂ŷ of rows of so many outputs, into a buffer.
            pub(super) fn errors_into(self, targets: &[f64], outputs: &[f64], count: usize, errors: &mut [f64]) {
                let numbers = errors.iter_mut().zip(targets.iter().zip(outputs));
                match self {
                    $(Self::$variant => numbers.for_each(|(error, (&y, &output))| {
                        *error = $module::error(y, output, count);
                    }),)+
                }
            }

            /// The name on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($module),)+
                }
            }

            /// −∂E/∂ŷ of every example and output, `[examples][outputs]`.
            pub fn errors(self, targets: &Matrix, outputs: &Matrix) -> Matrix {
                let count = outputs.columns();
                match self {
                    $(Self::$variant => targets.zip(outputs, |y, output| $module::error(y, output, count)),)+
                }
            }
        }
    };
}

losses! {
    half_squared_error HalfSquaredError "½ Σ (y − ŷ)²",
    mean_squared_error MeanSquaredError "Σ (y − ŷ)² / K",
    binary_cross_entropy BinaryCrossEntropy "−Σ (y ln ŷ + (1 − y) ln(1 − ŷ)) / K",
    cross_entropy CrossEntropy "−Σ y ln ŷ, after softmax",
}

/// The mean over the examples of each one's loss.
#[allow(clippy::cast_precision_loss, reason = "examples are limited far below 2^53")]
pub(super) fn mean(per_example: &[f64]) -> f64 {
    sum(per_example.iter().copied()) / per_example.len() as f64
}

impl Loss {
    /// Whether targets and outputs must be probabilities, between 0 and 1.
    pub fn of_probabilities(self) -> bool {
        matches!(self, Self::BinaryCrossEntropy | Self::CrossEntropy)
    }
}
