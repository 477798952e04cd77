//! Passes over a session: forward and backward change nothing, a step does.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::what_if::{self, WhatIfView};
use crate::engine::cost::{Extent, cost};
use crate::engine::model::Targets;
use crate::engine::optimizer::LearningRate;
use crate::engine::pass::Pass;
use crate::engine::schema;
use crate::engine::summary::TraceSummary;
use crate::engine::trace::{FORMAT, Trace};
use crate::exchange::safetensors;
use crate::http::App;
use crate::http::again::again;
use crate::http::body::Json;
use crate::http::code::Code;
use crate::http::conditions::{Change, tagged};
use crate::http::extract::{Path, session_name};
use crate::http::fields::bodies;
use crate::http::format::{Format, varied};
use crate::http::json;
use crate::http::problem::{Fault, Problem};
use crate::http::query::Query;
use crate::http::responses;
use crate::http::sheet::{self, Form, PictureName, VoiceName, Wanted, Wishes};
use crate::http::spec_body::into_learning_rate;
use crate::session::{Detail, Length, PassRequest, Session, SessionName, Work};

bodies! {
    /// A pass: what goes in and what should come out.
    pub struct PassBody {
        ..batch,
        ..learning_rate,
        ..what_if,
    }
}

/// How much of the trace is answered.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TraceQuery {
    /// full: every number; summary: outputs, loss and one norm a layer; none: the loss alone. If left out full, or, of
    /// a step that is recalled, as it was answered
    #[param(inline, required = false, nullable = false)]
    pub trace: Option<Detail>,
    /// json, markdown, latex, html, svg, mermaid or safetensors: wins over Accept
    #[param(schema_with = sheet::trace_formats, required = false)]
    pub format: Option<Format>,
    /// Significant digits of a worked solution or a picture; 4 if left out
    #[param(inline, value_type = schema::Digits, required = false)]
    pub digits: Option<u64>,
    /// Which unit a worked solution shows of a layer with many, counted from 1
    #[param(inline, value_type = schema::Ordinal, required = false)]
    pub unit: Option<u64>,
    /// Which example of the batch a worked solution or a picture shows, counted from 1
    #[param(inline, value_type = schema::Ordinal, required = false)]
    pub example: Option<u64>,
    /// Who tells a worked solution: textbook or factory
    #[param(inline, required = false, nullable = false)]
    pub voice: Option<VoiceName>,
    /// What a picture shows: network (if left out), backward, weights, activation or distance
    #[param(inline, required = false, nullable = false)]
    pub picture: Option<PictureName>,
    /// Of a picture, the layer whose activation is drawn, the lowest that is bent if left out; of a worked solution of
    /// a deep network, a layer that is shown beside the lowest and the highest ones
    #[param(inline, value_type = schema::Name, required = false)]
    pub layer: Option<String>,
}

impl TraceQuery {
    /// How much of a new trace is answered.
    pub fn detail(&self) -> Detail {
        self.trace.unwrap_or_default()
    }

    /// How the trace is answered.
    pub fn wanted(&self, headers: &HeaderMap) -> Result<Wanted, Problem> {
        let &Self { format, digits, unit, example, voice, picture, .. } = self;
        let layer = self.layer.clone();
        Wishes { format, digits, unit, example, voice, picture, layer }.wanted(headers, self.trace)
    }
}

/// A trace, in full or in short.
#[derive(Serialize)]
#[serde(untagged)]
pub enum PassAnswer {
    /// Every number
    Full(TraceDocument),
    /// Less
    Short(TraceSummaryDocument),
}

/// A trace with where it belongs.
#[derive(Serialize, ToSchema)]
pub struct TraceDocument {
    #[serde(flatten)]
    heading: Heading,
    #[serde(flatten)]
    trace: Trace,
}

/// A trace in short, with where it belongs.
#[derive(Serialize, ToSchema)]
pub struct TraceSummaryDocument {
    #[serde(flatten)]
    heading: Heading,
    #[serde(flatten)]
    trace: TraceSummary,
}

/// What stands above every trace.
#[derive(Serialize, ToSchema)]
pub struct Heading {
    /// The id of the trace's format
    #[schema(value_type = schema::TraceFormat)]
    format: &'static str,
    /// The name of the session; a trace without one has none
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Name, required = false)]
    session: Option<SessionName>,
    /// The session's step after the call
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Count, required = false)]
    step: Option<u64>,
}

/// Forward
///
/// From the inputs to the outputs, and the loss where there are targets. Nothing changes.
#[utoipa::path(post, path = "/v1/sessions/{name}/forward", tag = "passes", operation_id = "forward",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"), TraceQuery),
    request_body(content = PassBody, description = "The batch; a preset brings its own",
        example = json!({"inputs": [[0.5, 0.3]], "targets": [[1.0]]})),
    responses((status = 200, description = "The trace up to the outputs.", body = PassAnswer), responses::Look))]
pub async fn forward(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(query): Query<TraceQuery>,
    headers: HeaderMap,
    Json(body): Json<PassBody>,
) -> Result<Response, Problem> {
    look(&app, &name, Extent::Forward, (query.detail(), query.wanted(&headers)?), body).await
}

/// Backward
///
/// Forward, the loss, every error, delta and gradient, and the update that a step would make. Nothing changes.
#[utoipa::path(post, path = "/v1/sessions/{name}/backward", tag = "passes", operation_id = "backward",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"), TraceQuery),
    request_body(content = PassBody, description = "The batch; a preset brings its own",
        example = json!({"inputs": [[0.5, 0.3]], "targets": [[1.0]]})),
    responses((status = 200, description = "The whole trace.", body = PassAnswer), responses::Look))]
pub async fn backward(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(query): Query<TraceQuery>,
    headers: HeaderMap,
    Json(body): Json<PassBody>,
) -> Result<Response, Problem> {
    look(&app, &name, Extent::Backward, (query.detail(), query.wanted(&headers)?), body).await
}

async fn look(
    app: &App,
    name: &str,
    extent: Extent,
    (detail, wanted): (Detail, Wanted),
    body: PassBody,
) -> Result<Response, Problem> {
    let session = app.registry.session(&session_name(name)?).await?;
    let (live, inspection) = session.inspect(extent);
    if let Some(overrides) = body.what_if {
        let form = wanted.report()?;
        let body = PassBody { what_if: None, ..body };
        return what_if::answer(app, form, inspection, body.into_request(Detail::None)?, overrides).await;
    }
    let request = body.into_request(detail)?;
    let form = wanted.of(session.subject().model(), session.subject().examples(&request))?;
    let work = move |pass: &Pass, targets: Option<&Targets>| match (extent, targets) {
        (Extent::Forward, targets) | (_, targets @ None) => pass.forward(targets),
        (_, Some(targets)) => pass.backward(targets),
    };
    let (cost, trace) = inspection.trace(request, work).await?;
    let heading = Heading::new(Some((session.name().clone(), live.step())));
    Ok(written(app, cost.answer_bytes, (heading, trace), (detail, form)).await)
}

/// Step
///
/// Forward, backward and the update: the session is one step further. Steps asked for at the same time are made one
/// after the other.
#[utoipa::path(post, path = "/v1/sessions/{name}/step", tag = "passes", operation_id = "step",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"), TraceQuery, responses::ChangeHeaders),
    request_body(content = PassBody, description = "The batch; a preset brings its own",
        example = json!({"inputs": [[0.5, 0.3]], "targets": [[1.0]]})),
    responses((status = 200, description = "The whole trace, and the loss afterwards.", body = PassAnswer), responses::Step))]
pub async fn step(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(query): Query<TraceQuery>,
    headers: HeaderMap,
    change: Change<PassBody>,
) -> Result<Response, Problem> {
    let (name, wanted) = (session_name(&name)?, query.wanted(&headers)?);
    let body = change.body;
    let work = async |terms| {
        let session = app.registry.session(&name).await?;
        if body.what_if.is_some() {
            let detail = "a step is made, or it is not; ask forward, backward or explain what if";
            return Err(Fault::new("/what_if", Code::ConflictingFields, detail).into());
        }
        let request = body.into_request(query.detail())?;
        let form = wanted.clone().of(session.subject().model(), session.subject().examples(&request))?;
        let (trace, live) = session.step(request, terms).await?;
        let heading = (session.name().clone(), live.step());
        Ok(tagged(answer(&app, &session, heading, trace, (query.detail(), form)).await, live.tag))
    };
    change.conditions.once_as(&app, work, |outcome| again(&app, outcome, wanted.clone())).await
}

/// A step's answer, under a session's name and the step's number.
pub async fn answer(
    app: &App,
    session: &Session,
    heading: (SessionName, u64),
    trace: Trace,
    how: (Detail, Form),
) -> Response {
    let size = cost(session.subject().model(), trace.forward.inputs.rows(), Extent::Step).answer_bytes;
    written(app, size, (Heading::new(Some(heading)), trace), how).await
}

/// A trace as JSON, or as a worked solution or a picture.
pub async fn written(
    app: &App,
    size: u64,
    (heading, trace): (Heading, Trace),
    (detail, form): (Detail, Form),
) -> Response {
    match form {
        Form::Json => varied(json::large_answer(app, size, PassAnswer::new(heading, trace, detail)).await),
        Form::Tensors => {
            let length = Length::of(size, app.limits().inline_answer_bytes);
            app.registry.compute().run(Work::Text, length, move || tensors(&heading, &trace)).await
        }
        Form::Sheet(sheet) => sheet::answer(app, size, trace, sheet).await,
    }
}

fn tensors(heading: &Heading, trace: &Trace) -> Response {
    let about = json::bytes(heading).map_err(|error| error.to_string());
    let write = |about: Vec<u8>| {
        safetensors::write(trace, String::from_utf8_lossy(&about).into_owned()).map_err(|error| error.to_string())
    };
    match about.and_then(write) {
        Ok(bytes) => varied(([(CONTENT_TYPE, Format::Safetensors.media_type())], bytes).into_response()),
        Err(error) => {
            Problem::new(Code::InternalError, format!("the tensors could not be written: {error}")).into_response()
        }
    }
}

impl PassBody {
    /// The pass that is asked for.
    pub fn into_request(self, detail: Detail) -> Result<PassRequest, Fault> {
        Ok(PassRequest {
            inputs: self.inputs.map(|rows| rows.into_batch("/inputs")).transpose()?,
            targets: self.targets.map(|rows| rows.into_batch("/targets")).transpose()?,
            mode: self.mode,
            learning_rate: self.learning_rate.map(learning_rate).transpose()?,
            detail,
        })
    }
}

fn learning_rate(rate: f64) -> Result<LearningRate, Fault> {
    into_learning_rate(rate, "/learning_rate")
}

impl Heading {
    /// Of a session at a step, or of none.
    pub fn new(session: Option<(SessionName, u64)>) -> Self {
        let (session, step) = session.unzip();
        Self { format: FORMAT, session, step }
    }
}

impl PassAnswer {
    /// As much of a trace as was asked for.
    pub fn new(heading: Heading, trace: Trace, detail: Detail) -> Self {
        match detail {
            Detail::Full => Self::Full(TraceDocument { heading, trace }),
            Detail::Summary => Self::Short(TraceSummaryDocument { heading, trace: TraceSummary::of(&trace) }),
            Detail::None => Self::Short(TraceSummaryDocument { heading, trace: TraceSummary::loss_of(&trace) }),
        }
    }
}

impl PartialSchema for PassAnswer {
    fn schema() -> RefOr<Schema> {
        let full = Ref::from_schema_name(TraceDocument::name());
        let short = Ref::from_schema_name(TraceSummaryDocument::name());
        let what_if = Ref::from_schema_name(WhatIfView::name());
        AnyOfBuilder::new().item(full).item(short).item(what_if).into()
    }
}

impl ToSchema for PassAnswer {
    fn name() -> Cow<'static, str> {
        "PassAnswer".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((TraceDocument::name().into(), TraceDocument::schema()));
        schemas.push((TraceSummaryDocument::name().into(), TraceSummaryDocument::schema()));
        TraceDocument::schemas(schemas);
        TraceSummaryDocument::schemas(schemas);
    }
}
