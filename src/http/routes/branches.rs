//! Branches: a session that goes on from a step of another one, and what differs between two.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::history::no_step;
use super::sessions::{self, SessionView};
use crate::engine::cost::parameters_bytes;
use crate::engine::schema;
use crate::engine::state::StateHash;
use crate::http::App;
use crate::http::code::Code;
use crate::http::conditions::Change;
use crate::http::extract::{Path, session_name};
use crate::http::format::Format;
use crate::http::problem::{Fault, Problem};
use crate::http::query::Query;
use crate::http::report::{Report, report_format, report_formats};
use crate::http::responses;
use crate::http::strict::{given, given_whole, objects};
use crate::insight::diff::{LayerDiff, diff};
use crate::render::report;
use crate::session::{Length, SessionName, Work};

/// A branch to be made.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct ForkBody {
    /// The new session's name; made up if left out
    #[schema(value_type = schema::Name, required = false)]
    #[serde(default, deserialize_with = "given")]
    name: Option<String>,
    /// The step that it goes on from; the last one if left out
    #[schema(value_type = schema::Count, required = false)]
    #[serde(default, deserialize_with = "given_whole")]
    at: Option<u64>,
}

objects!(ForkBody);

/// What is compared.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DiffQuery {
    /// The other session; this one if left out
    #[param(inline, value_type = schema::Name, required = false)]
    with: Option<String>,
    /// A step of this session; the last one if left out
    #[param(inline, value_type = schema::Count, required = false)]
    at: Option<u64>,
    /// A step of the other one; the last one if left out
    #[param(inline, value_type = schema::Count, required = false)]
    with_at: Option<u64>,
    /// json, markdown, latex or html: wins over Accept
    #[param(schema_with = report_formats, required = false)]
    #[serde(default, deserialize_with = "report_format")]
    format: Option<Format>,
    /// Significant digits of a document; 4 if left out
    #[param(inline, value_type = schema::Digits, required = false)]
    digits: Option<u64>,
}

/// What differs between two states of one network.
#[derive(Serialize, ToSchema)]
pub struct DiffView {
    /// This side: the session in the path
    this: SideView,
    /// The other side: the session in the query
    with: SideView,
    /// Whether both are the same to the bit, what the optimizer remembers included
    same: bool,
    /// Every layer's parameters: the other side's minus this side's
    layers: Vec<LayerDiff>,
}

/// A session at one of its steps.
#[derive(Serialize, ToSchema)]
pub struct SideView {
    /// The session's name
    #[schema(value_type = schema::Name)]
    session: SessionName,
    /// The step that is compared
    #[schema(value_type = schema::Count)]
    step: u64,
    /// The hash of the state at that step
    #[schema(value_type = schema::StateHash)]
    state: StateHash,
}

/// Branch off
///
/// A new session that has this one's history up to a step, and goes on from there by itself: its own step 0 is the
/// branching, with the state of that step. It lives on when this one is deleted. If-Match is about the session that is
/// branched off from.
#[utoipa::path(post, path = "/v1/sessions/{name}/fork", tag = "history", operation_id = "fork",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"),
        responses::ChangeHeaders),
    request_body(content = ForkBody, description = "The new name, and from where", example = json!({"name": "other", "at": 0})),
    responses(
        (status = 201, description = "The new session.", body = SessionView,
            headers(("location" = inline(schema::UriPath), description = "Where it is found"))),
        responses::Fork))]
pub async fn fork(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    change: Change<ForkBody>,
) -> Result<Response, Problem> {
    let name = session_name(&name)?;
    let ForkBody { name: wanted, at } = change.body;
    let wanted = wanted.map(|text| {
        SessionName::parse(&text).map_err(|error| Fault::new("/name", Code::InvalidName, error.to_string()))
    });
    let wanted = wanted.transpose()?;
    let work = async |terms| {
        let parent = app.registry.session(&name).await?;
        let wanted = match wanted {
            Some(wanted) => wanted,
            None => sessions::free_name(&app).await?,
        };
        let forked = app.registry.fork(&parent, wanted, at, terms).await;
        let session = forked.map_err(|error| match error {
            crate::session::RegistryError::Session(error) => no_step("/at", error),
            error => error.into(),
        })?;
        Ok(sessions::created(&app, &session, &session.live()).await)
    };
    change.conditions.once(&app, work).await
}

/// Compare
///
/// Two sessions, or two steps of one: what to add to this side's parameters to get the other side's. Step 0 of a branch is
/// where it branched off.
#[utoipa::path(get, path = "/v1/sessions/{name}/diff", tag = "history", operation_id = "diff",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"), DiffQuery),
    responses((status = 200, description = "Layer by layer.", body = DiffView), responses::Diff))]
pub async fn compare(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(query): Query<DiffQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let form = Report::of_insight(query.format, query.digits, &headers)?;
    let this = app.registry.session(&session_name(&name)?).await?;
    let with = match &query.with {
        None => Arc::clone(&this),
        Some(text) => {
            let name = SessionName::parse(text)
                .map_err(|error| Problem::new(Code::InvalidName, format!("the query's with: {error}")))?;
            app.registry.session(&name).await?
        }
    };
    let (before, after) = (this.at(query.at).await?, with.at(query.with_at).await?);
    let side = |session: &crate::session::Session, live: &crate::session::Live| SideView {
        session: session.name().clone(),
        step: live.step(),
        state: live.hash(),
    };
    let (this_side, with_side) = (side(&this, &before), side(&with, &after));
    let bytes = parameters_bytes(this.subject().model().layers());
    let length = Length::of(bytes, app.limits().inline_answer_bytes);
    let work = move || diff((this.subject().model(), before.state()), (with.subject().model(), after.state()));
    let layers = app.registry.compute().run(Work::Pass, length, work).await?;
    let same = this_side.state == with_side.state;
    let write = |view: &DiffView, digits| {
        let side = |side: &SideView| report::Side {
            session: side.session.to_string(),
            step: side.step,
            state: side.state.to_string(),
        };
        report::diff(&[side(&view.this), side(&view.with)], view.same, &view.layers, digits)
    };
    Ok(form.answer(&app, bytes, DiffView { this: this_side, with: with_side, same, layers }, write).await)
}
