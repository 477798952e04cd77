//! From the refusals of the lower rooms, each in its own terms, to problems: the one place that knows both.

use super::code::Code;
use super::problem::{Fault, Problem};
use crate::engine::model::{BatchError, LayerFault, ModelError};
use crate::engine::pass::PassError;
use crate::engine::state::ReplaceError;
use crate::session::{ExplainError, RegistryError, SessionError, SubjectError};

impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Self {
        let text = error.to_string();
        match error {
            RegistryError::Model(error) => error.into(),
            RegistryError::NameInUse(_) => Self::new(Code::NameInUse, text),
            RegistryError::NoSession(_) => Self::new(Code::SessionNotFound, text),
            RegistryError::TooManySessions { .. } | RegistryError::TooManyParameters { .. } => {
                Self::new(Code::StoreFull, text)
            }
        }
    }
}

impl From<ModelError> for Problem {
    fn from(error: ModelError) -> Self {
        let text = error.to_string();
        let (pointer, code) = match error {
            ModelError::NoLayers => ("/network/layers".to_owned(), Code::WrongShape),
            ModelError::TooManyLayers { .. } => ("/network/layers".to_owned(), Code::NetworkTooLarge),
            ModelError::Inputs { count: 0, .. } => ("/network/inputs".to_owned(), Code::NumberOutOfRange),
            ModelError::Inputs { .. } => ("/network/inputs".to_owned(), Code::NetworkTooLarge),
            ModelError::TooManyParameters { .. } => ("/network".to_owned(), Code::NetworkTooLarge),
            ModelError::CrossEntropyWithoutSoftmax { index, .. } => {
                (format!("/network/layers/{index}/activation"), Code::LossNeedsSoftmax)
            }
            ModelError::Layer { index, fault, .. } => {
                let (field, code) = match fault {
                    LayerFault::Units { count: 0, .. } => ("units", Code::NumberOutOfRange),
                    LayerFault::Units { .. } => ("units", Code::NetworkTooLarge),
                    LayerFault::NameTaken { .. } => ("name", Code::DuplicateName),
                    LayerFault::Weights { .. } => ("weights", Code::WrongShape),
                    LayerFault::Bias { .. } => ("bias", Code::WrongShape),
                };
                (format!("/network/layers/{index}/{field}"), code)
            }
        };
        Fault::new(pointer, code, text).into()
    }
}

impl From<ExplainError> for Problem {
    fn from(error: ExplainError) -> Self {
        match error {
            ExplainError::Model(error) => error.into(),
            ExplainError::Session(error) => error.into(),
        }
    }
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Subject(error) => error.into(),
            SessionError::Pass(error) => error.into(),
            SessionError::Replace(error) => error.into(),
        }
    }
}

impl From<SubjectError> for Problem {
    fn from(error: SubjectError) -> Self {
        let text = error.to_string();
        match error {
            SubjectError::Batch(error) => error.into(),
            SubjectError::Missing(_) => Fault::new("", Code::MissingData, text).into(),
            SubjectError::AnswerTooLarge { .. } => Self::new(Code::AnswerTooLarge, text),
            SubjectError::TooMuchWork { .. } => Self::new(Code::WorkTooLarge, text),
        }
    }
}

impl From<BatchError> for Problem {
    fn from(error: BatchError) -> Self {
        let (pointer, code) = match error {
            BatchError::TooManyExamples { .. } => ("/inputs", Code::BatchTooLarge),
            BatchError::Inputs { .. } => ("/inputs", Code::WrongShape),
            BatchError::Targets { .. } | BatchError::Rows { .. } => ("/targets", Code::WrongShape),
            BatchError::TargetNotAProbability { .. } => ("/targets", Code::NotAProbability),
        };
        Fault::new(pointer, code, error.to_string()).into()
    }
}

impl From<PassError> for Problem {
    fn from(error: PassError) -> Self {
        let text = error.to_string();
        match error {
            PassError::NonFinite(non_finite) => Self::new(Code::NonFinite, text).with_non_finite(non_finite),
            PassError::OutputNotAProbability { .. } => Self::new(Code::NotAProbability, text),
        }
    }
}

impl From<ReplaceError> for Problem {
    fn from(error: ReplaceError) -> Self {
        let text = error.to_string();
        let (pointer, code) = match error {
            ReplaceError::UnknownLayer { at, .. } => (format!("/layers/{at}/name"), Code::UnknownLayer),
            ReplaceError::NamedTwice { at, .. } => (format!("/layers/{at}/name"), Code::DuplicateName),
            ReplaceError::NoSuchParameter { at, parameter, .. } => {
                (format!("/layers/{at}/parameters/{}", parameter.as_str()), Code::UnknownParameter)
            }
            ReplaceError::Shape { at, parameter, .. } => {
                (format!("/layers/{at}/parameters/{}", parameter.as_str()), Code::WrongShape)
            }
        };
        Fault::new(pointer, code, text).into()
    }
}
