//! The refusals of each operation, as the API's document lists them: the codes that it can answer, and no others.

use std::collections::BTreeMap;

use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoParams, IntoResponses};

#[allow(clippy::enum_glob_use, reason = "the tables below are lists of codes and nothing else")]
use super::code::Code::{self, *};
use super::problem::PROBLEM_JSON;
use crate::engine::schema;

/// A path that takes no query.
const NO_QUERY: &[Code] = &[UnknownField, InvalidQuery];
/// A path that takes the form of what it answers.
const FORM_QUERY: &[Code] = &[
    UnknownField,
    DuplicateField,
    UnknownValue,
    InvalidQuery,
    WrongType,
    NumberOutOfRange,
    ConflictingFields,
    NotAcceptable,
];
/// A path whose forms Accept alone chooses from.
const ACCEPT: &[Code] = &[NotAcceptable];
/// A path whose answer may be a picture of one layer.
const DRAWN: &[Code] = &[InvalidName, UnknownLayer];
/// A path with a session's name.
const NAMED: &[Code] = &[InvalidPath, InvalidName];
/// A path with the name of a session that there must be.
const SESSION: &[Code] =
    &[InvalidPath, InvalidName, SessionNotFound, SessionDamaged, OtherArithmetic, StoreUnavailable, StoreDamaged];
/// Any body.
const BODY: &[Code] = &[
    MalformedJson,
    WrongType,
    UnknownField,
    DuplicateField,
    NumberOutOfRange,
    InvalidBody,
    RequestTimeout,
    BodyTooLarge,
    UnsupportedMediaType,
    Overloaded,
];
/// A body with a session's fields.
const SPEC: &[Code] = &[
    UnknownValue,
    MissingField,
    InvalidName,
    ConflictingFields,
    UnknownPreset,
    WrongShape,
    DuplicateName,
    LossNeedsSoftmax,
    NetworkTooLarge,
];
/// Whatever asks the store.
const STORE: &[Code] = &[StoreUnavailable, StoreDamaged];
/// Whatever changes something, and on terms.
const TERMS: &[Code] = &[
    InvalidHeader,
    IdempotencyKeyBusy,
    IdempotencyKeyReused,
    StaleState,
    HistoryLost,
    StepSealed,
    StoreFull,
    Overloaded,
];
/// A body with a batch, and the pass over it.
const BATCH: &[Code] =
    &[UnknownValue, WrongShape, MissingData, BatchTooSmall, BatchTooLarge, NotAProbability, WorkTooLarge, NonFinite];
/// A pass that may be asked what if.
const WHAT_IF: &[Code] = &[MissingField, InvalidName, ConflictingFields, UnknownNumber, UnknownLayer, AnswerTooLarge];
/// A body with parameters.
const WEIGHTS: &[Code] =
    &[UnknownValue, MissingField, InvalidName, WrongShape, DuplicateName, UnknownLayer, UnknownParameter];

/// What an operation refuses, beside the server's own fault.
macro_rules! refusals {
    ($($operation:ident: $($codes:expr),*;)+) => {$(
        #[doc = concat!("The refusals of ", stringify!($operation))]
        pub struct $operation;

        impl IntoResponses for $operation {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                let groups: &[&[Code]] = &[$($codes,)* &[InternalError]];
                listed(groups)
            }
        }
    )+};
}

refusals! {
    Probe: ;
    Ready: STORE, &[StoreFull];
    ListPresets: NO_QUERY;
    ShowPreset: NO_QUERY, &[InvalidPath, PresetNotFound];
    ListProblems: NO_QUERY;
    ExplainProblem: NO_QUERY, &[InvalidPath, NotFound];
    ListSessions: STORE, &[WrongType, UnknownField, DuplicateField, NumberOutOfRange, InvalidName, InvalidQuery];
    CreateSession: NO_QUERY, NAMED, BODY, SPEC, STORE, TERMS, &[NameInUse, SessionDamaged, OtherArithmetic, SessionNotFound];
    CreateUnnamedSession: NO_QUERY, BODY, SPEC, STORE, TERMS, &[SessionDamaged, OtherArithmetic, SessionNotFound];
    ShowSession: NO_QUERY, SESSION;
    DeleteSession: NO_QUERY, SESSION, TERMS;
    Look: FORM_QUERY, DRAWN, SESSION, BODY, BATCH, WHAT_IF;
    Step: FORM_QUERY, DRAWN, SESSION, BODY, BATCH, TERMS, &[MissingField, ConflictingFields, AnswerTooLarge];
    Explain: FORM_QUERY, DRAWN, BODY, SPEC, BATCH, WHAT_IF;
    ShowChain: FORM_QUERY, SESSION, BODY, BATCH, &[AnswerTooLarge, MissingField, UnknownLayer, UnknownParameter, UnknownNumber, Underflow];
    ShowBlame: FORM_QUERY, SESSION, BODY, BATCH, &[UnknownNumber, AnswerTooLarge, Underflow];
    ShowDepth: FORM_QUERY, SESSION, BODY, BATCH, &[Underflow];
    CheckGradients: FORM_QUERY, SESSION, BODY, BATCH;
    GradeOnSession: FORM_QUERY, SESSION, BODY, BATCH, &[MissingField, UnknownNumber, EmptyClaim];
    GradeStateless: FORM_QUERY, BODY, SPEC, BATCH, &[UnknownNumber, EmptyClaim];
    PlayTelephone: FORM_QUERY, BODY, &[UnknownValue, MissingField, WrongShape, NetworkTooLarge, WorkTooLarge, NonFinite, Underflow];
    ListSteps: FORM_QUERY, SESSION;
    RecallStep: FORM_QUERY, DRAWN, SESSION, &[StepNotFound, StepSealed, AnswerTooLarge, NonFinite];
    Rewind: NO_QUERY, SESSION, BODY, TERMS, &[MissingField, UnknownStep];
    Fork: NO_QUERY, SESSION, BODY, TERMS, &[NameInUse, UnknownStep];
    Diff: FORM_QUERY, SESSION, &[StepNotFound, StepSealed, NetworksDiffer, NonFinite];
    Train: NO_QUERY, ACCEPT, SESSION, BODY, TERMS, &[UnknownValue, MissingField, InvalidName, ConflictingFields, UnknownDataset, WrongShape, MissingData, BatchTooSmall, NotAProbability, DatasetTooLarge, WorkTooLarge, NonFinite, Training, TrainingOver, TrainingNotFound];
    ShowTraining: SESSION, &[UnknownField, DuplicateField, InvalidQuery, WrongType, NumberOutOfRange, TrainingNotFound, NonFinite, StepNotFound, StepSealed];
    CancelTraining: NO_QUERY, SESSION, &[TrainingNotFound, NonFinite];
    Listen: NO_QUERY, SESSION, &[InvalidHeader, StepNotFound];
    ListDatasets: STORE, &[WrongType, UnknownField, DuplicateField, NumberOutOfRange, InvalidName, InvalidQuery];
    ShowDataset: NAMED, ACCEPT, STORE, &[WrongType, UnknownField, DuplicateField, NumberOutOfRange, InvalidQuery, ConflictingFields, DatasetNotFound, AnswerTooLarge];
    PutDataset: NAMED, BODY, STORE, &[InvalidQuery, MalformedCsv, MalformedNpz, MissingField, ConflictingFields, UnknownColumn, WrongShape, DatasetTooLarge, DatasetExists, DatasetBuiltIn, InvalidHeader, IdempotencyKeyBusy, IdempotencyKeyReused, StoreFull];
    DeleteDataset: NO_QUERY, NAMED, STORE, &[DatasetNotFound, DatasetBuiltIn, InvalidHeader, IdempotencyKeyBusy, IdempotencyKeyReused, StoreFull];
    ReadWeights: NO_QUERY, SESSION;
    ReadLayerWeights: NO_QUERY, SESSION, &[LayerNotFound];
    ReplaceWeights: NO_QUERY, SESSION, BODY, WEIGHTS, TERMS;
    ReplaceLayerWeights: NO_QUERY, SESSION, BODY, WEIGHTS, TERMS, &[LayerNotFound];
}

/// Responses with these codes, one a status, each described by the codes that it may carry.
fn listed(groups: &[&[Code]]) -> BTreeMap<String, RefOr<Response>> {
    let mut descriptions = BTreeMap::<_, Vec<_>>::new();
    for code in Code::ALL.iter().filter(|code| groups.iter().any(|group| group.contains(code))) {
        let text = format!("`{}`: {}", code.as_str(), code.title());
        descriptions.entry(code.status().as_str().to_owned()).or_default().push(text);
    }
    let response = |codes: Vec<String>| {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        ResponseBuilder::new().description(codes.join(" ")).content(PROBLEM_JSON, content).build().into()
    };
    descriptions.into_iter().map(|(status, codes)| (status, response(codes))).collect()
}

/// The headers that say how a change is to be made.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "it describes what is read elsewhere")]
pub struct ChangeHeaders {
    /// Tags as `ETag` gave them, separated by commas, or `*` for any state: the change is made only if the session is
    /// there and stands at one of these
    #[param(rename = "If-Match", inline, value_type = schema::Tags, required = false)]
    if_match: Option<String>,
    /// A text of your own, new for each new request: the same request with the same key is done once, and answered alike
    /// for a day, as long as the session is there (404 `session_not_found` once it is deleted) and, of training runs, as
    /// long as no other run follows (404 `training_not_found`); it is not done again then either. While the first one is
    /// at work it is 409 on the same server (`train` waits for the run instead); another server computes it too, and one
    /// of the two makes the change. A refusal is kept only where the request alone is to blame for it
    #[param(rename = "Idempotency-Key", inline, value_type = schema::Header, required = false)]
    idempotency_key: Option<String>,
}

/// The header of a request that may be sent again.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "it describes what is read elsewhere")]
pub struct KeyHeader {
    /// A text of your own, new for each new request: the same request with the same key is done once, and answered alike
    /// for a day. A refusal is kept only where the request alone is to blame for it
    #[param(rename = "Idempotency-Key", inline, value_type = schema::Header, required = false)]
    idempotency_key: Option<String>,
}

/// The header that says how a client wants to hear of a run.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "it describes what is read elsewhere")]
pub struct WishHeaders {
    /// respond-async: the answer is 202 as soon as the run has begun
    #[param(rename = "Prefer", inline, value_type = schema::Header, required = false)]
    prefer: Option<String>,
}

/// The header with which a stream of events goes on.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "it describes what is read elsewhere")]
pub struct ListenHeaders {
    /// The id of the last event that was seen: a step's number. What happened after it is told first
    #[param(rename = "Last-Event-ID", inline, value_type = schema::Header, required = false)]
    last_event_id: Option<String>,
}
