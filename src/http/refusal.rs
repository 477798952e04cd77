//! From the refusals of the lower rooms, each in its own terms, to problems: the one place that knows both.

use super::code::Code;
use super::problem::{Fault, Problem};
use crate::engine::dataset::DatasetError;
use crate::engine::model::{BatchError, LayerFault, ModelError};
use crate::engine::pass::PassError;
use crate::engine::state::ReplaceError;
use crate::engine::tensor::WireName;
use crate::exchange::csv::{CsvError, CsvFault};
use crate::exchange::npz::{NpzError, NpzFault};
use crate::insight::NoSuchExample;
use crate::insight::blame::BlameError;
use crate::insight::chain::ChainError;
use crate::insight::diff::DiffError;
use crate::insight::grade::{ClaimError, GradeError};
use crate::insight::gradient_check::GradientCheckError;
use crate::insight::range::OutOfRange;
use crate::insight::what_if::WhatIfError;
use crate::session::{
    DataError, KeyError, RegistryError, ReplayError, SealError, SessionError, Stale, SubjectError, TrainError,
};
use crate::store::StoreError;

impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Self {
        let text = error.to_string();
        match error {
            RegistryError::Model(error) => error.into(),
            RegistryError::NameInUse(_) => Self::new(Code::NameInUse, text),
            RegistryError::NoSession(_) => Self::new(Code::SessionNotFound, text),
            RegistryError::Session(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let code = match error {
            StoreError::Unavailable(_) => Code::StoreUnavailable,
            StoreError::Full(_) => Code::StoreFull,
            StoreError::Damaged(_) => Code::StoreDamaged,
        };
        Self::new(code, error.to_string())
    }
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Self {
        let text = error.to_string();
        match error {
            ReplayError::Store(error) => error.into(),
            ReplayError::Damaged { .. } => Self::new(Code::SessionDamaged, text),
            ReplayError::Sealed(SealError::Earlier { .. }) => Self::new(Code::StepSealed, text),
            ReplayError::Sealed(SealError::Newer { .. } | SealError::NoState { .. }) => {
                Self::new(Code::OtherArithmetic, text)
            }
            ReplayError::Gone => Self::new(Code::SessionNotFound, text),
        }
    }
}

impl From<Stale> for Problem {
    fn from(error: Stale) -> Self {
        let code = match error {
            Stale::Elsewhere { .. } | Stale::Absent => Code::StaleState,
            Stale::Lost { .. } => Code::HistoryLost,
        };
        Self::new(code, error.to_string())
    }
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        let text = error.to_string();
        match error {
            KeyError::OtherRequest => Self::new(Code::IdempotencyKeyReused, text),
            KeyError::Running => Self::new(Code::IdempotencyKeyBusy, text),
            KeyError::Store(error) => error.into(),
        }
    }
}

impl From<DiffError> for Problem {
    fn from(error: DiffError) -> Self {
        let code = match error {
            DiffError::Networks(_) => Code::NetworksDiffer,
            DiffError::Overflow(_) => Code::NonFinite,
        };
        Self::new(code, error.to_string())
    }
}

impl From<ModelError> for Problem {
    fn from(error: ModelError) -> Self {
        let text = error.to_string();
        let (pointer, code) = match error {
            ModelError::NoLayers { at } => (format!("/network{at}/layers"), Code::WrongShape),
            ModelError::TooManyLayers { .. } => ("/network/layers".to_owned(), Code::NetworkTooLarge),
            ModelError::Inputs { count: 0, .. } => ("/network/inputs".to_owned(), Code::NumberOutOfRange),
            ModelError::Inputs { .. } => ("/network/inputs".to_owned(), Code::NetworkTooLarge),
            ModelError::TooManyParameters { .. } => ("/network".to_owned(), Code::NetworkTooLarge),
            ModelError::CrossEntropyWithoutSoftmax { at, .. } => {
                (format!("/network{at}/activation"), Code::LossNeedsSoftmax)
            }
            ModelError::Layer { at, fault, .. } => {
                let (field, code) = match fault {
                    LayerFault::Units { count: 0, .. } => ("units", Code::NumberOutOfRange),
                    LayerFault::Units { .. } => ("units", Code::NetworkTooLarge),
                    LayerFault::NameTaken { .. } => ("name", Code::DuplicateName),
                    LayerFault::Weights { .. } => ("weights", Code::WrongShape),
                    LayerFault::Vector { field, .. } => (field, Code::WrongShape),
                    LayerFault::Shortcut { .. } => ("shortcut", Code::WrongShape),
                };
                (format!("/network{at}/{field}"), code)
            }
        };
        Fault::new(pointer, code, text).into()
    }
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Subject(error) => error.into(),
            SessionError::Pass(error) => error.into(),
            SessionError::Replace(error) => error.into(),
            SessionError::Stale(error) => error.into(),
            SessionError::Replay(error) => error.into(),
            SessionError::Train(error) => error.into(),
            SessionError::Training { .. } => Self::new(Code::Training, error.to_string()),
            SessionError::NoTraining { .. } | SessionError::NotTrained { .. } => {
                Self::new(Code::TrainingNotFound, error.to_string())
            }
            SessionError::TrainingOver { .. } => Self::new(Code::TrainingOver, error.to_string()),
            SessionError::NoStep { .. } => Self::new(Code::StepNotFound, error.to_string()),
            SessionError::Answered => Self::new(Code::IdempotencyKeyBusy, error.to_string()),
            SessionError::Crowded => Self::new(Code::Overloaded, error.to_string()),
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
            SubjectError::TooMuchWork { .. } | SubjectError::TooManyNumbers { .. } => {
                Self::new(Code::WorkTooLarge, text)
            }
        }
    }
}

impl From<BatchError> for Problem {
    fn from(error: BatchError) -> Self {
        let (pointer, code) = match error {
            BatchError::TooManyExamples { .. } => ("/inputs", Code::BatchTooLarge),
            BatchError::Inputs { .. } => ("/inputs", Code::WrongShape),
            BatchError::Targets { .. } | BatchError::Rows { .. } => ("/targets", Code::WrongShape),
            BatchError::BatchNormOfOne { .. } => ("/inputs", Code::BatchTooSmall),
            BatchError::TargetNotAProbability { .. } => ("/targets", Code::NotAProbability),
        };
        Fault::new(pointer, code, error.to_string()).into()
    }
}

impl From<DatasetError> for Problem {
    fn from(error: DatasetError) -> Self {
        let (pointer, code) = match error {
            DatasetError::Rows { .. } => ("/targets", Code::WrongShape),
            DatasetError::TooManyColumns { what, .. } => {
                (if what == "inputs" { "/inputs" } else { "/targets" }, Code::DatasetTooLarge)
            }
            DatasetError::TooManyRows { .. } | DatasetError::TooManyNumbers { .. } => ("", Code::DatasetTooLarge),
        };
        Fault::new(pointer, code, error.to_string()).into()
    }
}

impl From<DataError> for Problem {
    fn from(error: DataError) -> Self {
        let text = error.to_string();
        match error {
            DataError::BuiltIn(_) => Self::new(Code::DatasetBuiltIn, text),
            DataError::Exists(_) => Self::new(Code::DatasetExists, text),
            DataError::None(_) => Self::new(Code::DatasetNotFound, text),
            DataError::Store(error) => error.into(),
            DataError::Answered => Self::new(Code::IdempotencyKeyBusy, text),
        }
    }
}

impl From<TrainError> for Problem {
    fn from(error: TrainError) -> Self {
        let text = error.to_string();
        let (pointer, code) = match error {
            TrainError::Data(error) => return error.into(),
            TrainError::Unfit(error) => ("/dataset".to_owned(), Self::from(error).code()),
            TrainError::Dataset(error) => return error.into(),
            TrainError::OneRow { .. } => (String::new(), Code::BatchTooSmall),
            TrainError::TooManySteps { field, .. } => (format!("/{field}"), Code::WorkTooLarge),
            TrainError::LastBatchOfOne { .. } => ("/batch_size".to_owned(), Code::BatchTooSmall),
            TrainError::Scaling { .. } => ("/standardize".to_owned(), Code::NonFinite),
            TrainError::NoTestRows { field } | TrainError::NoAccuracy { field } => {
                (format!("/{}", field.replace('.', "/")), Code::ConflictingFields)
            }
            TrainError::Batch { .. } => ("/batch_size".to_owned(), Code::WorkTooLarge),
        };
        Fault::new(pointer, code, text).into()
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
            ReplaceError::UnknownLayer { at, .. } => (format!("{at}/name"), Code::UnknownLayer),
            ReplaceError::NamedTwice { at, .. } => (format!("{at}/name"), Code::DuplicateName),
            ReplaceError::NoSuchParameter { at, parameter, .. } => {
                (format!("{at}/parameters/{}", parameter.as_str()), Code::UnknownParameter)
            }
            ReplaceError::Shape { at, parameter, .. } => {
                (format!("{at}/parameters/{}", parameter.as_str()), Code::WrongShape)
            }
            ReplaceError::NoRunning { at, .. } => (format!("{at}/running"), Code::UnknownParameter),
            ReplaceError::RunningShape { at, statistic, .. } => (format!("{at}/running/{statistic}"), Code::WrongShape),
            ReplaceError::NegativeVariance { at, index, .. } => {
                (format!("{at}/running/variance/{index}"), Code::NumberOutOfRange)
            }
        };
        Fault::new(pointer, code, text).into()
    }
}

impl From<NoSuchExample> for Problem {
    fn from(error: NoSuchExample) -> Self {
        Fault::new("/example", Code::UnknownNumber, error.to_string()).into()
    }
}

impl From<ChainError> for Problem {
    fn from(error: ChainError) -> Self {
        let text = error.to_string();
        let (pointer, code) = match error {
            ChainError::Example(error) => return error.into(),
            ChainError::Layer { .. } => ("/weight/layer", Code::UnknownLayer),
            ChainError::Parameter { .. } => ("/weight/parameter", Code::UnknownParameter),
            ChainError::Index { .. } => ("/weight/index", Code::UnknownNumber),
            ChainError::TooMuchWork { .. } | ChainError::TooManyNumbers { .. } => ("/top", Code::WorkTooLarge),
            ChainError::OutOfRange(error) => return error.into(),
        };
        Fault::new(pointer, code, text).into()
    }
}

impl From<OutOfRange> for Problem {
    fn from(error: OutOfRange) -> Self {
        let text = error.to_string();
        match error {
            OutOfRange::Underflow(_) => Self::new(Code::Underflow, text),
            OutOfRange::NonFinite(non_finite) => Self::new(Code::NonFinite, text).with_non_finite(non_finite),
        }
    }
}

impl From<BlameError> for Problem {
    fn from(error: BlameError) -> Self {
        match error {
            BlameError::Example(error) => error.into(),
            BlameError::Underflow(error) => OutOfRange::from(error).into(),
        }
    }
}

impl From<GradientCheckError> for Problem {
    fn from(error: GradientCheckError) -> Self {
        match error {
            GradientCheckError::Pass(error) => error.into(),
            GradientCheckError::OutOfRange(error) => error.into(),
        }
    }
}

impl From<WhatIfError> for Problem {
    fn from(error: WhatIfError) -> Self {
        let text = error.to_string();
        let (pointer, code) = match error {
            WhatIfError::Pass(error) => return error.into(),
            WhatIfError::NoSuchNumber { which, .. }
            | WhatIfError::LossAfterwards { which, .. }
            | WhatIfError::Found { which, .. } => (format!("/what_if/{which}/at"), Code::UnknownNumber),
            WhatIfError::NoSuchLayer { which, .. } => (format!("/what_if/{which}/ablate/layer"), Code::UnknownLayer),
            WhatIfError::NoSuchUnit { which, .. } => (format!("/what_if/{which}/ablate/unit"), Code::UnknownNumber),
        };
        Fault::new(pointer, code, text).into()
    }
}

impl From<GradeError> for Problem {
    fn from(error: GradeError) -> Self {
        let error = match error {
            GradeError::Pass(error) => return error.into(),
            GradeError::Claim(error) => error,
        };
        let text = error.to_string();
        match error {
            ClaimError::Unknown { pointer, .. } => Fault::new(format!("/claim{pointer}"), Code::UnknownNumber, text),
            ClaimError::Repeated { pointer } => Fault::new(format!("/claim{pointer}"), Code::DuplicateField, text),
            ClaimError::Shape { pointer, .. } => Fault::new(format!("/claim{pointer}"), Code::WrongShape, text),
            ClaimError::Type { pointer, .. } => Fault::new(format!("/claim{pointer}"), Code::WrongType, text),
            ClaimError::Empty => Fault::new("/claim", Code::EmptyClaim, text),
        }
        .into()
    }
}

impl From<CsvError> for Problem {
    fn from(error: CsvError) -> Self {
        let text = error.to_string();
        let code = match error {
            CsvError::Dataset(error) => return error.into(),
            CsvError::Faults(faults) => {
                let fault = |fault: CsvFault| {
                    let column = fault.column.map(|column| column as u64);
                    Fault::in_table(fault.line, column, Code::MalformedCsv, fault.to_string())
                };
                return faults.into_iter().map(fault).collect::<Vec<_>>().into();
            }
            CsvError::UnknownColumn { .. } => Code::UnknownColumn,
            CsvError::NamedTwice { .. } | CsvError::NoInputs => Code::ConflictingFields,
            CsvError::Empty | CsvError::NoRows => Code::MalformedCsv,
        };
        Self::new(code, text)
    }
}

impl From<NpzError> for Problem {
    fn from(error: NpzError) -> Self {
        match error {
            NpzError::Dataset(error) => error.into(),
            NpzError::Numbers(faults) => {
                let fault = |NpzFault { name, index: [row, column], text }| {
                    Fault::new(format!("/{name}/{row}/{column}"), Code::MalformedNpz, text)
                };
                faults.into_iter().map(fault).collect::<Vec<_>>().into()
            }
            NpzError::NoArchive(_) | NpzError::Missing { .. } | NpzError::Array { .. } => {
                Self::new(Code::MalformedNpz, error.to_string())
            }
        }
    }
}
