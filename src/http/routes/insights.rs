//! Insights: why a number is what it is. Each looks at a session and changes nothing.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::passes::PassBody;
use crate::engine::cost::{Cost, Extent};
use crate::engine::mode::Mode;
use crate::engine::model::Targets;
use crate::engine::name::LayerName;
use crate::engine::pass::{Pass, PassError};
use crate::engine::schema;
use crate::engine::tensor::ParameterName;
use crate::engine::trace::Trace;
use crate::http::App;
use crate::http::body::Json;
use crate::http::code::Code;
use crate::http::extract::{Path, session_name};
use crate::http::fields::bodies;
use crate::http::problem::{Fault, Problem};
use crate::http::query::Query;
use crate::http::report::{ChartQuery, ReportQuery};
use crate::http::responses;
use crate::http::rows::Rows;
use crate::http::sheet::drawing;
use crate::http::spec_body::into_seed;
use crate::http::strict::{given_whole, objects, whole};
use crate::insight::blame::{self, Blame, blame};
use crate::insight::chain::{self, Chain, ChainLimits, ChainRequest, chain};
use crate::insight::depth::{Depth, depth};
use crate::insight::gradient_check::{self, GradientCheck, gradient_check};
use crate::limits::PATHS;
use crate::render::picture::chart::{self, Series, Words};
use crate::render::report;
use crate::session::{Detail, PassRequest, Session, SubjectError};

/// Entries of an insight take about so many bytes; there are as many as a summary has numbers, or fewer.
const ENTRY_BYTES: u64 = 512;

bodies! {
    /// The chain rule for one weight.
    pub struct ChainBody {
        ..batch,
        /// The weight whose gradient is taken apart: a layer, a parameter of it and an index
        weight: WeightBody,
        /// Paths shown at the most; 10 if left out
        #[schema(value_type = schema::PathsShown, required = false)]
        #[serde(default, deserialize_with = "given_whole")]
        top: Option<u64>,
        /// The row of the batch that is looked at, counted from 0; 0 if left out
        #[schema(value_type = schema::Count, required = false)]
        #[serde(default, deserialize_with = "given_whole")]
        example: Option<u64>,
    }

    /// Blame for one example.
    pub struct BlameBody {
        ..batch,
        /// The row of the batch that is looked at, counted from 0; 0 if left out
        #[schema(value_type = schema::Count, required = false)]
        #[serde(default, deserialize_with = "given_whole")]
        example: Option<u64>,
    }

    /// How blame depends on depth.
    pub struct SessionDepthBody {
        ..batch,
    }

    /// Every gradient against the slope of the loss.
    pub struct GradientCheckBody {
        ..batch,
        /// Parameters to be checked at the most; 2,000 if left out, and fewer where that would take too long
        #[schema(value_type = schema::SampleSize, required = false)]
        #[serde(default, deserialize_with = "given_whole")]
        sample: Option<u64>,
        /// Which ones are drawn where not all are checked; 0 if left out
        #[schema(value_type = schema::Seed, required = false)]
        #[serde(default, deserialize_with = "given_whole")]
        seed: Option<u64>,
    }
}

/// A number of a parameter.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct WeightBody {
    /// The name of the layer that the weight belongs to
    #[schema(value_type = schema::Name)]
    layer: String,
    /// Which parameter of the layer: weights, bias, gamma or beta
    #[serde(deserialize_with = "crate::http::strict::word")]
    parameter: ParameterName,
    /// Its index, counted from 0: `[i, j]` joins unit i below to unit j above; `[j]` for all but weights
    #[schema(value_type = schema::WeightIndex)]
    index: Vec<Whole>,
}

/// A whole number not below zero.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub struct Whole(#[serde(deserialize_with = "whole")] u64);

objects!(WeightBody);

/// Chain rule
///
/// For one weight: its chain-rule factors in order along the heaviest paths, the exact number of paths, and their sum.
#[utoipa::path(post, path = "/v1/sessions/{name}/chain", tag = "insights", operation_id = "chain",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"), ReportQuery),
    request_body(content = ChainBody, description = "The batch and the weight",
        example = json!({"weight": {"layer": "hidden", "parameter": "weights", "index": [0, 0]}})),
    responses((status = 200, description = "The chain rule, factor by factor.", body = Chain), responses::ShowChain))]
pub async fn show_chain(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(query): Query<ReportQuery>,
    headers: HeaderMap,
    Json(body): Json<ChainBody>,
) -> Result<Response, Problem> {
    let form = query.form(&headers)?;
    let session = app.registry.session(&session_name(&name)?).await?;
    let request = batch(body.inputs, body.targets, body.mode)?;
    let top = body.top.unwrap_or(10);
    if top == 0 || top > PATHS as u64 {
        let detail = format!("1 to {PATHS} paths can be shown, not {top}");
        return Err(Fault::new("/top", Code::NumberOutOfRange, detail).into());
    }
    let layer = LayerName::parse(&body.weight.layer)
        .map_err(|error| Fault::new("/weight/layer", Code::InvalidName, error.to_string()))?;
    let wanted = ChainRequest {
        layer,
        parameter: body.weight.parameter,
        index: body.weight.index.iter().map(|Whole(index)| count(*index)).collect(),
        example: count(body.example.unwrap_or(0)),
        top: count(top),
    };
    let (bytes, limit) = (chain::bytes(session.subject().model(), top), app.limits().answer_bytes);
    if bytes > limit {
        let part = "list of paths";
        return Err(SubjectError::AnswerTooLarge { part, bytes, limit, less: "a smaller top" }.into());
    }
    let limits = ChainLimits { work: app.limits().multiply_adds, numbers: app.limits().pass_numbers };
    let model = session.subject().model();
    let search = |examples| chain::work_at_most(model, examples, top);
    let asked = wanted.clone();
    let found = look(&session, request, search, move |trace| chain(&trace, &wanted, limits)).await?;
    Ok(form.answer(&app, bytes, found?, move |found, digits| report::chain(found, &asked, digits)).await)
}

/// Blame
///
/// How the error of the outputs is shared among the units below, before and after the local slope.
#[utoipa::path(post, path = "/v1/sessions/{name}/blame", tag = "insights", operation_id = "blame",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"), ReportQuery),
    request_body(content = BlameBody, description = "The batch, and which of its rows", example = json!({"example": 0})),
    responses((status = 200, description = "What each unit received, layer by layer.", body = Blame), responses::ShowBlame))]
pub async fn show_blame(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(query): Query<ReportQuery>,
    headers: HeaderMap,
    Json(body): Json<BlameBody>,
) -> Result<Response, Problem> {
    let form = query.form(&headers)?;
    let session = app.registry.session(&session_name(&name)?).await?;
    let request = batch(body.inputs, body.targets, body.mode)?;
    let example = count(body.example.unwrap_or(0));
    let (bytes, limit) = (blame::bytes(session.subject().model()), app.limits().answer_bytes);
    if bytes > limit {
        let part = "list of connections";
        return Err(SubjectError::AnswerTooLarge { part, bytes, limit, less: "the chain rule of one weight" }.into());
    }
    let found = look(&session, request, |_| 0, move |trace| blame(&trace, example)).await?;
    Ok(form.answer(&app, bytes, found?, report::blame).await)
}

/// Depth
///
/// How large blame and change are, layer by layer, by the distance from the outputs.
#[utoipa::path(post, path = "/v1/sessions/{name}/depth", tag = "insights", operation_id = "depth_of_session",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"), ChartQuery),
    request_body(content = SessionDepthBody, description = "The batch",
        example = json!({"inputs": [[0.5, 0.3]], "targets": [[1.0]]})),
    responses((status = 200, description = "Every dense layer, from the outputs down.", body = Depth), responses::ShowDepth))]
pub async fn show_depth(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(query): Query<ChartQuery>,
    headers: HeaderMap,
    Json(body): Json<SessionDepthBody>,
) -> Result<Response, Problem> {
    let form = query.form(&headers)?;
    let session = app.registry.session(&session_name(&name)?).await?;
    let request = batch(body.inputs, body.targets, body.mode)?;
    let found = look(&session, request, |_| 0, move |trace| depth(&trace)).await?;
    if form.is_drawn() {
        let layers = found?.layers;
        let series = [Series::of_blame(session.name().as_str(), &layers)];
        let words = Words::of_blame("How blame fades with the distance", &series);
        return Ok(drawing(chart::draw(&words, &series, &layers)));
    }
    Ok(form.answer(&app, ENTRY_BYTES * depth_of(&session), found?, report::depth).await)
}

/// Gradient check
///
/// Central differences for every parameter, or for a sample drawn by the seed where there are many.
#[utoipa::path(post, path = "/v1/sessions/{name}/gradient-check", tag = "insights", operation_id = "gradient_check",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"), ReportQuery),
    request_body(content = GradientCheckBody, description = "The batch, and how many parameters",
        example = json!({"inputs": [[0.5, 0.3]], "targets": [[1.0]]})),
    responses((status = 200, description = "Analytic beside numeric.", body = GradientCheck), responses::CheckGradients))]
pub async fn check_gradients(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(query): Query<ReportQuery>,
    headers: HeaderMap,
    Json(body): Json<GradientCheckBody>,
) -> Result<Response, Problem> {
    let form = query.form(&headers)?;
    let session = app.registry.session(&session_name(&name)?).await?;
    let request = batch(body.inputs, body.targets, body.mode)?;
    let seed = into_seed(body.seed, "/seed")?.value();
    let most = app.limits().checked_parameters as u64;
    let sample = body.sample.unwrap_or(most);
    if sample == 0 || sample > most {
        let detail = format!("1 to {most} parameters can be checked at once, not {sample}");
        return Err(Fault::new("/sample", Code::NumberOutOfRange, detail).into());
    }
    let limit = app.limits().multiply_adds;
    let (_, inspection) = session.inspect(Extent::Backward);
    let model = session.subject().model();
    let sample = sample.min(model.parameters() as u64);
    let affordable = |examples| sample.min(gradient_check::affordable(model, examples, limit));
    let permitted = |_, examples| Ok(gradient_check::work(model, examples, affordable(examples)));
    let work = move |pass: &Pass, targets: &Targets| {
        let affordable = gradient_check::affordable(pass.model, pass.inputs.matrix().rows(), limit);
        gradient_check(pass, targets, count(sample.min(affordable)), seed)
    };
    let (_, found) = inspection.run_with_targets(request, permitted, work).await?;
    Ok(form.answer(&app, sample * ENTRY_BYTES, found?, report::gradient_check).await)
}

/// A backward pass over a session as it stands, and what an insight makes of its trace. That takes as long as the pass
/// itself, and with so many examples so much longer.
async fn look<R: Send + 'static>(
    session: &Session,
    request: PassRequest,
    longer: impl FnOnce(usize) -> u64,
    insight: impl FnOnce(Trace) -> R + Send + 'static,
) -> Result<R, Problem> {
    let (_, inspection) = session.inspect(Extent::Backward);
    let work = |pass: &Pass, targets: &Targets| pass.backward(targets).map(insight);
    let whole = |cost: Cost, examples| Ok((2 * cost.multiply_adds).saturating_add(longer(examples)));
    let (_, found) = inspection.run_with_targets(request, whole, work).await?;
    found.map_err(|error: PassError| error.into())
}

fn batch(inputs: Option<Rows>, targets: Option<Rows>, mode: Option<Mode>) -> Result<PassRequest, Fault> {
    PassBody { inputs, targets, mode, learning_rate: None, what_if: None }.into_request(Detail::None)
}

fn depth_of(session: &Session) -> u64 {
    session.subject().model().all_layers().len() as u64 + 2
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
