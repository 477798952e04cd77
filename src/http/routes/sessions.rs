//! Sessions: made, listed, shown and deleted.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
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
use crate::http::code::Code;
use crate::http::conditions::{Change, Conditions, tagged, unless_known};
use crate::http::extract::{Path, session_name};
use crate::http::json;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::responses;
use crate::http::spec_body::{NetworkBody, SessionBody};
use crate::session::{Created, Data, Live, RegistryError, Session, SessionName, SessionSummary, Terms};

/// A session: what it is and where it stands.
#[derive(Serialize, ToSchema)]
pub struct SessionView {
    /// The session's name
    #[schema(value_type = schema::Name)]
    name: SessionName,
    /// Changes made since its creation
    #[schema(value_type = schema::Count)]
    step: u64,
    /// The hash of all its parameters
    #[schema(value_type = schema::StateHash)]
    state: StateHash,
    /// Its network, nothing left to a default
    #[schema(value_type = NetworkBody)]
    network: NetworkSpec,
    /// What its outputs are judged by
    loss: Loss,
    /// How its gradients become changes
    optimizer: Optimizer,
    /// Where its random numbers started
    #[schema(value_type = schema::Seed)]
    seed: Seed,
    /// The number of its parameters
    #[schema(value_type = schema::Count)]
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
    sessions: Vec<SessionEntry>,
    /// Where the next page starts, as `after`; null on the last one
    #[schema(value_type = schema::NullableName)]
    next: Option<SessionName>,
}

/// A session in a listing.
#[derive(Serialize, ToSchema)]
pub struct SessionEntry {
    /// The session's name
    #[schema(value_type = schema::Name)]
    name: SessionName,
    /// Changes made since its creation; left out where its log is damaged, like what follows
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Count, required = false)]
    step: Option<u64>,
    /// The hash of all its parameters
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::StateHash, required = false)]
    state: Option<StateHash>,
    /// The number of its parameters
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Count, required = false)]
    parameters: Option<u64>,
    /// What is wrong with its log, where it is damaged: then no number of the session is served
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Prose, required = false)]
    damaged: Option<String>,
}

/// Which page of a listing.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// The name after which the page starts
    #[param(inline, value_type = schema::Name, required = false)]
    after: Option<String>,
    /// Entries in the page; 100 if left out
    #[param(inline, value_type = schema::Page, required = false)]
    limit: Option<u64>,
}

/// Make a session
///
/// Under a name of your own. The same body again answers the session as it stands, with 200. If-Match insists on a
/// session that is there already: with it nothing is made.
#[utoipa::path(put, path = "/v1/sessions/{name}", tag = "sessions", operation_id = "create_session",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"), responses::ChangeHeaders),
    request_body(content = SessionBody, description = "The network, or a preset", example = json!({"preset": "worked-example"})),
    responses(
        (status = 201, description = "The session is new.", body = SessionView,
            headers(("location" = inline(schema::UriPath), description = "Where it is found"))),
        (status = 200, description = "It was there already, made from the same body.", body = SessionView),
        responses::CreateSession))]
pub async fn create(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    change: Change<SessionBody>,
) -> Result<Response, Problem> {
    let name = session_name(&name)?;
    let body = change.body;
    let work = async |terms: Terms| {
        let spec = body.into_spec()?;
        Ok(match app.registry.create(name, spec, terms).await? {
            Created::New(session) => created(&app, &session, &session.live()).await,
            Created::Same(session, live) => view(&app, StatusCode::OK, &session, &live).await,
        })
    };
    change.conditions.once(&app, work).await
}

/// Make a session under a made-up name
///
/// A session that is new stands nowhere yet: with If-Match nothing is made.
#[utoipa::path(post, path = "/v1/sessions", tag = "sessions", operation_id = "create_unnamed_session", params(responses::ChangeHeaders),
    request_body(content = SessionBody, description = "The network, or a preset", example = json!({"preset": "worked-example"})),
    responses(
        (status = 201, description = "The session is new; its name is in the answer.", body = SessionView,
            headers(("location" = inline(schema::UriPath), description = "Where it is found"))),
        responses::CreateUnnamedSession))]
pub async fn create_unnamed(State(app): State<Arc<App>>, change: Change<SessionBody>) -> Result<Response, Problem> {
    let body = change.body;
    let work = async |terms: Terms| {
        let spec = body.into_spec()?;
        loop {
            let name = free_name(&app).await?;
            // A name that was free a moment ago may have been taken, from the same body even.
            match app.registry.create(name, spec.clone(), terms.clone()).await {
                Ok(Created::New(session)) => return Ok(created(&app, &session, &session.live()).await),
                Ok(Created::Same(..)) | Err(RegistryError::NameInUse(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    };
    change.conditions.once(&app, work).await
}

/// A made-up name that no session has.
pub async fn free_name(app: &App) -> Result<SessionName, Problem> {
    /// 2.56 million names: with a million sessions one try in three finds a name taken.
    const TRIES: usize = 64;
    for _ in 0..TRIES {
        let random = getrandom::u64().map_err(|error| {
            Problem::new(Code::InternalError, format!("the operating system gave no random numbers: {error}"))
        })?;
        let name = SessionName::made_up(random.to_le_bytes());
        match app.registry.session(&name).await {
            Err(RegistryError::NoSession(_)) => return Ok(name),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::new(Code::InternalError, "no free name was found; choose one yourself with PUT /v1/sessions/{name}"))
}

/// A session as it stands somewhere.
pub async fn view(app: &App, status: StatusCode, session: &Session, live: &Live) -> Response {
    view_as(app, status, session, session.name(), live).await
}

/// The same under the name that it had there.
pub async fn view_as(app: &App, status: StatusCode, session: &Session, name: &SessionName, live: &Live) -> Response {
    let size = spec_bytes(session.subject().model());
    let response = json::large_answer_with(app, status, size, SessionView::of(session, name, live)).await;
    tagged(response, live.tag)
}

/// A session that is new.
pub async fn created(app: &App, session: &Session, live: &Live) -> Response {
    let mut response = view(app, StatusCode::CREATED, session, live).await;
    if let Ok(location) = HeaderValue::try_from(format!("/v1/sessions/{}", session.name())) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// List the sessions by name
#[utoipa::path(get, path = "/v1/sessions", tag = "sessions", operation_id = "list_sessions", params(Page),
    responses(
        (status = 200, description = "A page of sessions.", body = SessionList),
        responses::ListSessions))]
pub async fn list(State(app): State<Arc<App>>, Query(page): Query<Page>) -> Result<Response, Problem> {
    let limit = page_limit(&app, page.limit)?;
    let after = page.after.as_deref().map(SessionName::parse).transpose();
    let after = after.map_err(|error| Problem::new(Code::InvalidName, format!("the query's after: {error}")))?;
    let (found, more) = app.registry.list(after.as_ref(), limit).await?;
    let next = if more { found.last().map(|session| session.name.clone()) } else { None };
    Ok(json::answer(StatusCode::OK, &SessionList { sessions: found.into_iter().map(entry).collect(), next }))
}

fn entry(SessionSummary { name, standing }: SessionSummary) -> SessionEntry {
    let (standing, damaged) = match standing {
        Ok(standing) => (Some(standing), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let (step, state) = (standing.as_ref().map(|at| at.step), standing.as_ref().map(|at| at.state));
    SessionEntry { name, step, state, parameters: standing.map(|at| at.parameters), damaged }
}

/// Entries of a page, within what a page may have.
pub fn page_limit(app: &App, limit: Option<u64>) -> Result<usize, Problem> {
    let most = app.limits().page;
    let limit = limit.map_or(100.min(most), |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    if limit == 0 || limit > most {
        let detail = format!("the query's limit: a whole number from 1 to {most} was expected");
        return Err(Problem::new(Code::NumberOutOfRange, detail));
    }
    Ok(limit)
}

/// Show a session
#[utoipa::path(get, path = "/v1/sessions/{name}", tag = "sessions", operation_id = "show_session",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo")),
    responses((status = 200, description = "What it is and where it stands.", body = SessionView), responses::ShowSession))]
pub async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let session = app.registry.session(&session_name(&name)?).await?;
    let live = session.live();
    Ok(unless_known(&headers, live.tag, view(&app, StatusCode::OK, &session, &live)).await)
}

/// Delete a session
#[utoipa::path(delete, path = "/v1/sessions/{name}", tag = "sessions", operation_id = "delete_session",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"), responses::ChangeHeaders),
    responses((status = 204, description = "It is gone."), responses::DeleteSession))]
pub async fn delete(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let name = session_name(&name)?;
    let work = async |terms| {
        app.registry.delete(&name, terms).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    conditions.once(&app, work).await
}

impl SessionView {
    fn of(session: &Session, name: &SessionName, live: &Live) -> Self {
        let model = session.subject().model();
        let spec = model.spec().clone();
        Self {
            name: name.clone(),
            step: live.step(),
            state: live.hash(),
            network: spec.network,
            loss: spec.loss,
            optimizer: spec.optimizer,
            seed: spec.seed,
            parameters: model.parameters(),
            data: session.subject().data().cloned(),
        }
    }
}
