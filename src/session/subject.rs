//! What a pass is asked of: a model with the data that it may have brought, in a session or without one.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

use crate::engine::cost::{Cost, Extent, cost};
use crate::engine::matrix::Matrix;
use crate::engine::mode::Mode;
use crate::engine::model::{BatchError, Inputs, Model, ModelError, Targets};
use crate::engine::optimizer::LearningRate;
use crate::engine::pass::{Pass, PassError};
use crate::engine::schema;
use crate::engine::spec::ModelSpec;
use crate::engine::state::State;
use crate::engine::summary::first_overflow;
use crate::engine::trace::Trace;
use crate::limits::Limits;

/// A batch that a preset brings: used where a request names no data of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Data {
    /// x, `[examples][inputs]`
    #[schema(value_type = schema::Matrix)]
    pub inputs: Matrix,
    /// y, `[examples][outputs]`
    #[schema(value_type = schema::Matrix)]
    pub targets: Matrix,
}

/// All that a subject is made from; two sessions with equal specs started alike.
#[derive(Clone, Debug, PartialEq)]
pub struct SubjectSpec {
    /// Network, loss, optimizer and seed
    pub model: ModelSpec,
    /// What it is shown where a request shows nothing
    pub data: Option<Data>,
}

/// A checked model with its data.
#[derive(Debug)]
pub struct Subject {
    model: Model,
    data: Option<Data>,
}

/// How much of a trace is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// Every number
    #[default]
    Full,
    /// Outputs, loss, and one norm a layer
    Summary,
    /// The loss alone
    None,
}

/// A pass as it is asked for.
#[derive(Clone, Debug, Default)]
pub struct PassRequest {
    /// x; the subject's own data where neither inputs nor targets are given
    pub inputs: Option<Matrix>,
    /// y
    pub targets: Option<Matrix>,
    /// Training or use; if left out, use for what only goes forward
    pub mode: Option<Mode>,
    /// In the place of the optimizer's own, for this pass alone
    pub learning_rate: Option<LearningRate>,
    /// How much of the trace is wanted
    pub detail: Detail,
}

/// A batch that fits its model, and what the pass over it costs.
pub struct Prepared {
    /// x
    pub inputs: Inputs,
    /// y
    pub targets: Option<Targets>,
    /// Training or use
    pub mode: Mode,
    /// In the place of the optimizer's own
    pub learning_rate: Option<LearningRate>,
    /// How much of the trace is wanted
    pub detail: Detail,
    /// The size of the pass
    pub cost: Cost,
}

/// Inputs or targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchPart {
    /// x
    Inputs,
    /// y
    Targets,
}

/// Why a pass cannot begin.
#[derive(Clone, Debug, Error, PartialEq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum SubjectError {
    #[error("{0}")]
    Batch(#[from] BatchError),
    #[error("this pass needs {}", .0.as_str())]
    Missing(BatchPart),
    #[error("the {part} of this batch can take {bytes} bytes, and an answer has at most {limit}; ask for {less}")]
    AnswerTooLarge { part: &'static str, bytes: u64, limit: u64, less: &'static str },
    #[error("this pass makes {numbers} numbers, and one request has at most {limit}; {less}")]
    TooManyNumbers { numbers: u64, limit: u64, less: &'static str },
    #[error("this pass takes {multiply_adds} multiplications, and one request has at most {limit}; {less}")]
    TooMuchWork { multiply_adds: u64, limit: u64, less: &'static str },
}

/// What makes a pass smaller.
const FEWER_ROWS: &str = "send fewer rows";

impl Prepared {
    /// The pass over a model that it was prepared for, in one of its states.
    pub fn pass<'a>(&'a self, model: &'a Model, state: &'a State) -> Pass<'a> {
        Pass { model, state, inputs: &self.inputs, mode: self.mode, learning_rate: self.learning_rate }
    }
}

/// Whether what is wanted of a trace can be answered: a norm of finite numbers may itself overflow. Asked before
/// anything is changed.
pub fn answerable(trace: Trace, detail: Detail) -> Result<Trace, PassError> {
    let overflow = if detail == Detail::Summary { first_overflow(&trace) } else { None };
    overflow.map_or(Ok(trace), |overflow| Err(PassError::NonFinite(Box::new(overflow))))
}

impl Detail {
    /// Whether as much of a trace may be answered.
    pub fn check(self, cost: Cost, limits: &Limits) -> Result<(), SubjectError> {
        let (part, bytes, less) = match self {
            Self::Full => ("full trace", cost.answer_bytes, "trace=summary or trace=none, or send fewer rows"),
            Self::Summary => ("summary", cost.summary_bytes, "trace=none, or send fewer rows"),
            Self::None => ("", 0, ""),
        };
        let limit = limits.answer_bytes;
        if bytes > limit { Err(SubjectError::AnswerTooLarge { part, bytes, limit, less }) } else { Ok(()) }
    }
}

impl BatchPart {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inputs => "inputs",
            Self::Targets => "targets",
        }
    }
}

impl Subject {
    /// Checks the spec.
    pub fn new(spec: SubjectSpec, limits: &Limits) -> Result<Self, ModelError> {
        Ok(Self { model: Model::new(spec.model, limits)?, data: spec.data })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What it is shown where a request shows nothing.
    pub fn data(&self) -> Option<&Data> {
        self.data.as_ref()
    }

    /// What it was made from.
    pub fn spec(&self) -> SubjectSpec {
        SubjectSpec { model: self.model.spec().clone(), data: self.data.clone() }
    }

    /// Whether it was made from that spec.
    pub fn is_made_from(&self, spec: &SubjectSpec) -> bool {
        *self.model.spec() == spec.model && self.data == spec.data
    }

    /// Examples of the batch that a request brings, or that is taken where it brings none.
    pub fn examples(&self, request: &PassRequest) -> Option<usize> {
        match (&request.inputs, &request.targets, &self.data) {
            (None, None, Some(data)) => Some(data.inputs.rows()),
            (inputs, ..) => inputs.as_ref().map(Matrix::rows),
        }
    }

    /// Checks a request against the model and the limits, before anything is computed. What only goes forward
    /// needs no targets.
    pub fn prepare(&self, request: PassRequest, extent: Extent, limits: &Limits) -> Result<Prepared, SubjectError> {
        let (inputs, targets) = match (request.inputs, request.targets, &self.data) {
            (None, None, Some(data)) => (Some(data.inputs.clone()), Some(data.targets.clone())),
            (inputs, targets, _) => (inputs, targets),
        };
        let inputs = inputs.ok_or(SubjectError::Missing(BatchPart::Inputs))?;
        let mode = request.mode.unwrap_or(if extent == Extent::Forward { Mode::Eval } else { Mode::Train });
        let inputs = self.model.check_inputs(inputs, mode, limits)?;
        let targets = targets.map(|targets| self.model.check_targets(&inputs, targets)).transpose()?;
        if targets.is_none() && extent != Extent::Forward {
            return Err(SubjectError::Missing(BatchPart::Targets));
        }
        let cost = self.check_cost(inputs.matrix().rows(), extent, limits)?;
        request.detail.check(cost, limits)?;
        Ok(Prepared { inputs, targets, mode, learning_rate: request.learning_rate, detail: request.detail, cost })
    }

    /// The cost of a pass over so many rows, where it is within the limits.
    pub fn check_cost(&self, rows: usize, extent: Extent, limits: &Limits) -> Result<Cost, SubjectError> {
        let cost = cost(&self.model, rows, extent);
        if cost.multiply_adds > limits.multiply_adds {
            let (multiply_adds, limit) = (cost.multiply_adds, limits.multiply_adds);
            return Err(SubjectError::TooMuchWork { multiply_adds, limit, less: FEWER_ROWS });
        }
        if cost.numbers > limits.pass_numbers {
            let (numbers, limit) = (cost.numbers, limits.pass_numbers);
            return Err(SubjectError::TooManyNumbers { numbers, limit, less: FEWER_ROWS });
        }
        Ok(cost)
    }
}
