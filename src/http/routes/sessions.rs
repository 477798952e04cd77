//! Sessions: made, listed, shown and deleted.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::engine::cost::spec_bytes;
use crate::engine::loss::Loss;
use crate::engine::optimizer::Optimizer;
use crate::engine::schema;
use crate::engine::spec::{NetworkSpec, Seed};
use crate::engine::state::StateHash;
use crate::http::App;
use crate::http::body::Json;
use crate::http::code::Code;
use crate::http::extract::{Path, session_name};
use crate::http::json;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::responses::{Always, OfBody, OfCreation, OfPath};
use crate::http::spec_body::{NetworkBody, SessionBody};
use crate::session::{Created, Data, Session, SessionName};

/// A session: what it is and where it stands.
#[derive(Serialize, ToSchema)]
pub struct SessionView {
    /// Its name
    #[schema(schema_with = schema::name)]
    name: SessionName,
    /// Changes made since its creation
    #[schema(schema_with = schema::count)]
    step: u64,
    /// The hash of all its parameters
    #[schema(schema_with = schema::state_hash)]
    state: StateHash,
    /// Its network, nothing left to a default
    #[schema(value_type = NetworkBody)]
    network: NetworkSpec,
    /// What its outputs are judged by
    loss: Loss,
    /// How its gradients become changes
    optimizer: Optimizer,
    /// Where its random numbers started
    #[schema(schema_with = schema::seed)]
    seed: Seed,
    /// The number of its parameters
    #[schema(schema_with = schema::count)]
    parameters: usize,
    /// What its preset shows it where a request brings no data
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    data: Option<Data>,
}

/// A page of sessions, by name.
#[derive(Serialize, ToSchema)]
pub struct SessionList {
    /// The sessions of this page
    #[schema(max_items = 1000)]
    sessions: Vec<SessionEntry>,
    /// Where the next page starts, as `after`; null on the last one
    #[schema(schema_with = schema::nullable_name)]
    next: Option<SessionName>,
}

/// A session in a listing.
#[derive(Serialize, ToSchema)]
pub struct SessionEntry {
    /// Its name
    #[schema(schema_with = schema::name)]
    name: SessionName,
    /// Its step
    #[schema(schema_with = schema::count)]
    step: u64,
    /// The hash of all its parameters
    #[schema(schema_with = schema::state_hash)]
    state: StateHash,
    /// The number of its parameters
    #[schema(schema_with = schema::count)]
    parameters: usize,
}

/// Which page of a listing.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// The name after which the page starts
    #[param(schema_with = schema::name, required = false)]
    after: Option<String>,
    /// Entries in the page; 100 if left out
    #[param(schema_with = schema::page, required = false)]
    limit: Option<u64>,
}

/// Make a session
///
/// Under a name of your own. The same body again answers the session as it stands, with 200.
#[utoipa::path(put, path = "/v1/sessions/{name}", tag = "sessions", operation_id = "create_session",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo")),
    request_body(content = SessionBody, description = "The network, or a preset", example = json!({"preset": "worked-example"})),
    responses(
        (status = 201, description = "The session is new.", body = SessionView,
            headers(("location" = inline(schema::UriPath), description = "Where it is found"))),
        (status = 200, description = "It was there already, made from the same body.", body = SessionView),
        (status = 409, description = "`name_in_use`: a session of that name was made from another body.",
            body = Problem, content_type = "application/problem+json"),
        OfBody, OfCreation, Always))]
pub async fn create(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Json(body): Json<SessionBody>,
) -> Result<Response, Problem> {
    let name = session_name(&name)?;
    Ok(match app.registry.create(name, body.into_spec()?).await? {
        Created::New(session) => created(&app, &session).await,
        Created::Same(session) => view(&app, StatusCode::OK, &session).await,
    })
}

/// Make a session under a made-up name
#[utoipa::path(post, path = "/v1/sessions", tag = "sessions", operation_id = "create_unnamed_session",
    request_body(content = SessionBody, description = "The network, or a preset", example = json!({"preset": "worked-example"})),
    responses(
        (status = 201, description = "The session is new; its name is in the answer.", body = SessionView,
            headers(("location" = inline(schema::UriPath), description = "Where it is found"))),
        OfBody, OfCreation, Always))]
pub async fn create_unnamed(State(app): State<Arc<App>>, Json(body): Json<SessionBody>) -> Result<Response, Problem> {
    /// A name is taken by chance about once in 256 times at the most sessions that a server keeps.
    const TRIES: usize = 16;
    let spec = body.into_spec()?;
    for _ in 0..TRIES {
        let random = getrandom::u64().map_err(|error| {
            Problem::new(Code::InternalError, format!("the operating system gave no random numbers: {error}"))
        })?;
        let name = SessionName::made_up(random.to_le_bytes());
        if app.registry.session(&name).is_ok() {
            continue;
        }
        if let Created::New(session) = app.registry.create(name, spec.clone()).await? {
            return Ok(created(&app, &session).await);
        }
    }
    Err(Problem::new(Code::InternalError, "no free name was found; choose one yourself with PUT /v1/sessions/{name}"))
}

async fn view(app: &App, status: StatusCode, session: &Session) -> Response {
    let size = spec_bytes(session.subject().model());
    json::large_answer_with(app, status, size, SessionView::of(session)).await
}

async fn created(app: &App, session: &Session) -> Response {
    let mut response = view(app, StatusCode::CREATED, session).await;
    if let Ok(location) = HeaderValue::try_from(format!("/v1/sessions/{}", session.name())) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// List the sessions by name
#[utoipa::path(get, path = "/v1/sessions", tag = "sessions", operation_id = "list_sessions", params(Page),
    responses(
        (status = 200, description = "A page of sessions.", body = SessionList),
        (status = 400, description = "The query means nothing here.",
            body = Problem, content_type = "application/problem+json"),
        Always))]
pub async fn list(State(app): State<Arc<App>>, Query(page): Query<Page>) -> Result<Response, Problem> {
    let most = app.limits().page;
    let limit = page.limit.map_or(100.min(most), |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    if limit == 0 || limit > most {
        let detail = format!("the query's limit: a whole number from 1 to {most} was expected");
        return Err(Problem::new(Code::NumberOutOfRange, detail));
    }
    let after = page.after.as_deref().map(SessionName::parse).transpose();
    let after = after.map_err(|error| Problem::new(Code::InvalidName, format!("the query's after: {error}")))?;
    let (found, more) = app.registry.list(after.as_ref(), limit);
    let next = if more { found.last().map(|session| session.name.clone()) } else { None };
    let entry = |session: crate::session::SessionSummary| SessionEntry {
        name: session.name,
        step: session.step,
        state: session.state,
        parameters: session.parameters,
    };
    Ok(json::answer(StatusCode::OK, &SessionList { sessions: found.into_iter().map(entry).collect(), next }))
}

/// Show a session
#[utoipa::path(get, path = "/v1/sessions/{name}", tag = "sessions", operation_id = "show_session",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo")),
    responses((status = 200, description = "What it is and where it stands.", body = SessionView), OfPath, Always))]
pub async fn show(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Response, Problem> {
    let session = app.registry.session(&session_name(&name)?)?;
    Ok(view(&app, StatusCode::OK, &session).await)
}

/// Delete a session
#[utoipa::path(delete, path = "/v1/sessions/{name}", tag = "sessions", operation_id = "delete_session",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo")),
    responses((status = 204, description = "It is gone."), OfPath, Always))]
pub async fn delete(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Response, Problem> {
    app.registry.delete(&session_name(&name)?)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

impl SessionView {
    fn of(session: &Session) -> Self {
        let live = session.live();
        let model = session.subject().model();
        let spec = model.spec().clone();
        Self {
            name: session.name().clone(),
            step: live.step,
            state: session.hash(&live),
            network: spec.network,
            loss: spec.loss,
            optimizer: spec.optimizer,
            seed: spec.seed,
            parameters: model.parameters(),
            data: session.subject().data().cloned(),
        }
    }
}
