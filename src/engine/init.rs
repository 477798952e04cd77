//! Initialisers: a dense layer's first weights, drawn row by row from the session's stream of random numbers.

use serde::{Deserialize, Serialize};

use super::math::sqrt;
use super::matrix::Matrix;
use super::random::Stream;

/// How weights start. PyTorch calls glorot xavier and he kaiming (`fan_in`, the gain of ReLU).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Init {
    /// 0 everywhere.
    Zeros,
    /// One value everywhere.
    Constant {
        /// The value
        value: f64,
    },
    /// Evenly in [low, high).
    Uniform {
        /// The lower end
        low: f64,
        /// The upper end
        high: f64,
    },
    /// Normally, by mean and standard deviation.
    Normal {
        /// The mean
        mean: f64,
        /// The standard deviation
        std: f64,
    },
    /// Evenly in ± √(6/(in + out)) (Glorot and Bengio 2010).
    #[default]
    GlorotUniform,
    /// Normally with the standard deviation √(2/(in + out)).
    GlorotNormal,
    /// Evenly in ± √(6/in) (He and others 2015).
    HeUniform,
    /// Normally with the standard deviation √(2/in).
    HeNormal,
}

impl Init {
    /// The first weights `[fan_in][fan_out]`.
    #[allow(clippy::cast_precision_loss, reason = "units are limited far below 2^53")]
    pub fn draw(self, fan_in: usize, fan_out: usize, stream: &mut Stream) -> Matrix {
        let both = (fan_in + fan_out) as f64;
        let mut evenly = |low, high| Matrix::from_fn(fan_in, fan_out, |_, _| stream.uniform(low, high));
        match self {
            Self::Zeros => Matrix::filled(fan_in, fan_out, 0.0),
            Self::Constant { value } => Matrix::filled(fan_in, fan_out, value),
            Self::Uniform { low, high } => evenly(low, high),
            Self::GlorotUniform => evenly(-sqrt(6.0 / both), sqrt(6.0 / both)),
            Self::HeUniform => evenly(-sqrt(6.0 / fan_in as f64), sqrt(6.0 / fan_in as f64)),
            Self::Normal { mean, std } => normally(fan_in, fan_out, mean, std, stream),
            Self::GlorotNormal => normally(fan_in, fan_out, 0.0, sqrt(2.0 / both), stream),
            Self::HeNormal => normally(fan_in, fan_out, 0.0, sqrt(2.0 / fan_in as f64), stream),
        }
    }
}

fn normally(rows: usize, columns: usize, mean: f64, std: f64, stream: &mut Stream) -> Matrix {
    Matrix::from_fn(rows, columns, |_, _| stream.normal(mean, std))
}
