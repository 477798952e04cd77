//! What became of a session: its steps, any of them again, and going back.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::openapi::Object;
use utoipa::{IntoParams, ToSchema};

use super::sessions::{self, SessionView};
use crate::engine::mode::Mode;
use crate::engine::name::LayerName;
use crate::engine::schema;
use crate::engine::state::StateHash;
use crate::http::App;
use crate::http::again::recalled;
use crate::http::code::Code;
use crate::http::conditions::Change;
use crate::http::extract::{Path, session_name};
use crate::http::format::{self, Format, negotiate};
use crate::http::json;
use crate::http::problem::{Fault, Problem};
use crate::http::query::Query;
use crate::http::responses;
use crate::http::routes::passes::{PassAnswer, TraceQuery};
use crate::http::sheet::drawing;
use crate::http::strict::{objects, whole};
use crate::limits::SEED_MAX;
use crate::render::picture::loss;
use crate::session::{Asked, Detail, Kind, Past, SessionError};

/// A page of a session's history.
#[derive(Serialize, ToSchema)]
pub struct StepList {
    /// The steps of this page, in order; step 0 is the creation
    steps: Vec<StepEntry>,
    /// Where the next page starts, as `after`; null on the last one
    #[schema(value_type = schema::NullableCount)]
    next: Option<u64>,
}

/// A step in the history.
#[derive(Serialize, ToSchema)]
pub struct StepEntry {
    /// The step's number; the creation is 0
    #[schema(value_type = schema::Count)]
    step: u64,
    /// What kind of change it was
    kind: Kind,
    /// A step's mean loss over its batch, before the update; null where there is none
    #[schema(value_type = schema::NullableNumber)]
    loss: Option<f64>,
    /// A step's √(Σ g²) over all parameters; null where there is none
    #[schema(value_type = schema::NullableNumber)]
    gradient_norm: Option<f64>,
    /// A step's √(Σ Δ²) over all parameters; null where there is none
    #[schema(value_type = schema::NullableNumber)]
    change_norm: Option<f64>,
    /// The hash of the state that it led to
    #[schema(value_type = schema::StateHash)]
    state: StateHash,
    /// When, by the clock of the server that made it (RFC 3339)
    #[schema(value_type = schema::Time)]
    at: String,
    /// What was asked of it, its batch left out
    asked: AskedView,
}

/// What was asked of a step; its batch stands in its trace.
#[derive(Serialize, ToSchema)]
pub struct AskedView {
    /// step: rows of the batch; not where it was the preset's own
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Count, required = false)]
    examples: Option<u64>,
    /// step: training or use
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    mode: Option<Mode>,
    /// step: the learning rate, where it was not the optimizer's own
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::NonNegative, required = false)]
    learning_rate: Option<f64>,
    /// step: how much of the trace
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    trace: Option<Detail>,
    /// weights: the layers whose parameters were replaced
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = schema::Names, required = false)]
    layers: Vec<LayerName>,
    /// rewind: the step that was gone back to; where it was a branch's step 0, the step where it branched off
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Count, required = false)]
    to: Option<u64>,
    /// fork: where it branched off
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    from: Option<BranchView>,
}

/// Where a session branched off from another one.
#[derive(Serialize, ToSchema)]
pub struct BranchView {
    /// The other's name at that time
    #[schema(value_type = schema::Name)]
    session: String,
    /// The last step that both have
    #[schema(value_type = schema::Count)]
    at: u64,
}

/// Which page of a history.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StepPage {
    /// The step after which the page starts; from the creation on if left out
    #[param(inline, value_type = schema::Count, required = false)]
    after: Option<u64>,
    /// Entries in the page; 100 if left out, and as many as there may be where they are drawn
    #[param(inline, value_type = schema::Page, required = false)]
    limit: Option<u64>,
    /// json, or svg for the curve of the loss: wins over Accept
    #[param(schema_with = list_formats, required = false)]
    #[serde(default, deserialize_with = "list_format")]
    format: Option<Format>,
}

const LIST: &[Format] = &[Format::Json, Format::Svg];
const LIST_NAMES: [&str; LIST.len()] = format::names(LIST);

fn list_format<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Format>, D::Error> {
    format::read(from, &LIST_NAMES)
}

fn list_formats() -> Object {
    format::schema(LIST)
}

/// Going back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct RewindBody {
    /// The step whose state the session shall have again
    #[schema(value_type = schema::Count)]
    #[serde(deserialize_with = "whole")]
    to: u64,
}

objects!(RewindBody);

/// List the steps
///
/// What became of the session, from its creation on. A branch's step 0 is the branching itself, with the state of the
/// step where it branched off; its steps from 1 to there are those of the session that it branched off from.
#[utoipa::path(get, path = "/v1/sessions/{name}/steps", tag = "history", operation_id = "list_steps",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"), StepPage),
    responses((status = 200, description = "A page of steps.", body = StepList), responses::ListSteps))]
pub async fn list(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(page): Query<StepPage>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let drawn = negotiate(page.format, &headers, LIST)? == Format::Svg;
    let limit = sessions::page_limit(&app, page.limit.or_else(|| drawn.then_some(app.limits().page as u64)))?;
    let session = app.registry.session(&session_name(&name)?).await?;
    if page.after.is_some_and(|after| after > SEED_MAX) {
        let detail = format!("the query's after: a step of at most {SEED_MAX} was expected");
        return Err(Problem::new(Code::NumberOutOfRange, detail));
    }
    let from = page.after.map_or(0, |after| after.saturating_add(1));
    let (found, more) = session.history(from, limit).await?;
    let next = if more { found.last().map(|past| past.step) } else { None };
    if drawn {
        let steps: Vec<_> = found.iter().map(|past| (past.step, past.note.loss)).collect();
        return Ok(drawing(loss::draw(&loss::Curve { session: session.name().as_str(), steps: &steps, next })));
    }
    let steps = found.into_iter().map(StepEntry::of).collect();
    Ok(format::varied(json::answer(StatusCode::OK, &StepList { steps, next })))
}

/// Recall a step
///
/// The very bytes that the change which made it was answered with as JSON, computed again from the log and checked against
/// it: a trace, the parameters after they were replaced, or the session as it stood after its creation or after going back.
/// A trace that was answered in another form comes in that form where it is asked for with the same query or Accept. A
/// branch's step 0 is the session as it stood after branching off.
#[utoipa::path(get, path = "/v1/sessions/{name}/steps/{step}", tag = "history", operation_id = "recall_step",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"),
        ("step" = inline(schema::Count), Path, description = "The step", example = 1), TraceQuery),
    responses((status = 200, description = "What it was answered with.", body = RecalledAnswer), responses::RecallStep))]
pub async fn recall(
    State(app): State<Arc<App>>,
    Path((name, step)): Path<(String, String)>,
    Query(query): Query<TraceQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (name, wanted) = (session_name(&name)?, query.wanted(&headers)?);
    if step.is_empty() || !step.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(Problem::new(Code::InvalidPath, format!("a step is a whole number, and this is {step:?}")));
    }
    let session = app.registry.session(&name).await?;
    let Ok(number) = step.parse() else {
        // More digits than a number holds are more steps than a session has.
        let detail = format!("session {name} has no step {step}; it has 0 to {}", session.live().step());
        return Err(Problem::new(Code::StepNotFound, detail));
    };
    recalled(&app, &session, number, (query.trace, wanted)).await
}

/// Go back
///
/// The session has the state of an earlier step again, optimizer and all, and is one step further: going back is a step
/// itself, and is undone by going back to the step before it. Step 0 of a branch is where it branched off.
#[utoipa::path(post, path = "/v1/sessions/{name}/rewind", tag = "history", operation_id = "rewind",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"),
        responses::ChangeHeaders),
    request_body(content = RewindBody, description = "Where to", example = json!({"to": 0})),
    responses((status = 200, description = "The session as it stands now.", body = SessionView), responses::Rewind))]
pub async fn rewind(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    change: Change<RewindBody>,
) -> Result<Response, Problem> {
    let name = session_name(&name)?;
    let to = change.body.to;
    let work = async |terms| {
        let session = app.registry.session(&name).await?;
        let live = session.rewind(to, terms).await.map_err(|error| no_step("/to", error))?;
        Ok(sessions::view(&app, StatusCode::OK, &session, &live).await)
    };
    change.conditions.once(&app, work).await
}

/// A refusal whose step is named in the body.
pub fn no_step(pointer: &str, error: SessionError) -> Problem {
    match error {
        SessionError::NoStep { .. } => Fault::new(pointer, Code::UnknownStep, error.to_string()).into(),
        error => error.into(),
    }
}

/// Whatever a change was answered with.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it describes what is written elsewhere")]
#[schema(no_recursion)]
pub enum RecalledAnswer {
    /// A step's trace
    #[schema(title = "A step")]
    Trace(PassAnswer),
    /// A creation, or going back
    #[schema(title = "A session")]
    Session(SessionView),
    /// Replaced parameters
    #[schema(title = "Parameters")]
    Weights(super::weights::WeightsView),
}

impl StepEntry {
    /// Of the history.
    pub fn of(past: Past) -> Self {
        let Past { step, note, state, at } = past;
        let Asked { examples, mode, learning_rate, trace, layers, to, from } = note.asked;
        let from = from.map(|from| BranchView { session: from.session, at: from.at });
        Self {
            step,
            kind: note.kind,
            loss: note.loss,
            gradient_norm: note.gradient_norm,
            change_norm: note.change_norm,
            state,
            at: time(at),
            asked: AskedView { examples, mode, learning_rate, trace, layers, to, from },
        }
    }
}

/// Milliseconds since 1970 as RFC 3339 writes them.
fn time(at: i64) -> String {
    let since = Duration::from_millis(u64::try_from(at).unwrap_or(0));
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}
