//! Training runs: many steps of a session, begun, looked at, waited for, streamed and ended.

mod body;
mod schedule;
mod stream;
mod view;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::engine::schema;
use crate::http::App;
use crate::http::again::{again, still_there};
use crate::http::body::essence;
use crate::http::code::Code;
use crate::http::conditions::{Change, tagged};
use crate::http::extract::{Path, session_name};
use crate::http::format::negotiate_type;
use crate::http::json;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::responses;
use crate::http::sheet::Wanted;
use crate::session::{Bytes, Outcome, RunState, Session, View, Watch};

pub use body::{TrainBody, into_draw};
pub use stream::EventName;
use stream::EventView;
pub use view::{ProgressView, SplitView, TrainView};
use view::{RunOfStep, TrainAnswer};

/// Which run is shown.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TrainQuery {
    /// A step: the run that made it is shown, and not the latest one
    #[param(inline, value_type = schema::Count, required = false)]
    step: Option<u64>,
}

/// How a client wants to hear of a run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// At its end
    Wait,
    /// Not at all, only that it has begun
    Async,
    /// As server-sent events
    Events,
    /// As lines of JSON
    Lines,
}

/// What `Accept` says for server-sent events.
const EVENTS: &str = "text/event-stream";
/// What `Accept` says for lines of JSON.
const LINES: &str = "application/x-ndjson";
const PREFER: HeaderName = HeaderName::from_static("prefer");
const APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Train
///
/// Many steps in one call. With `Accept: text/event-stream` or `application/x-ndjson` the run is streamed as it goes,
/// with `Prefer: respond-async` it is only begun; otherwise the answer comes at its end. A client that leaves does not
/// stop it. Every step of it can be recalled like any other.
#[utoipa::path(post, path = "/v1/sessions/{name}/train", tag = "training", operation_id = "train",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"),
        responses::ChangeHeaders, responses::WishHeaders),
    request_body(content = TrainBody, description = "What is learned from, and how long",
        example = json!({"steps": 100})),
    responses((status = 200, description = "The run at its end, or as it goes.",
            content((TrainView = "application/json"), (EventView = "text/event-stream"), (schema::Lines = "application/x-ndjson"))),
        (status = 202, description = "The run has begun; Location tells where to look.", body = TrainView),
        responses::Train))]
pub async fn train(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    change: Change<TrainBody>,
) -> Result<Response, Problem> {
    let name = session_name(&name)?;
    let wish = Wish::of(&headers)?;
    let body = change.body;
    let before = async |outcome| match outcome {
        Outcome::Trained { log, run } => begun_before(&app, &log, &run).await,
        outcome => Ok(Begun::Otherwise(again(&app, outcome, Wanted::JSON).await?)),
    };
    let work = async |terms| {
        let session = app.registry.session(&name).await?;
        if body.resumes()? {
            session.resume().await?;
            let watch = session.watch_training().await?;
            return Ok(Begun::Run(session, watch));
        }
        let request = body.into_request(&app, &session).await?;
        let watch = session.train(request, terms).await?;
        Ok(Begun::Run(session, watch))
    };
    match change.conditions.once_as(&app, work, before).await? {
        Begun::Run(session, watch) => wish.answer(session, watch).await,
        Begun::Otherwise(response) => Ok(response),
    }
}

/// How the latest run stands
///
/// Or, with `step`, which run made that step, and what it learned from: also of a branch, and of a session that came from
/// another store.
#[utoipa::path(get, path = "/v1/sessions/{name}/train", tag = "training", operation_id = "show_training",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"), TrainQuery),
    responses((status = 200, description = "The run as it stands.", body = TrainAnswer), responses::ShowTraining))]
pub async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(query): Query<TrainQuery>,
) -> Result<Response, Problem> {
    let session = app.registry.session(&session_name(&name)?).await?;
    match query.step {
        Some(step) => Ok(json::answer(StatusCode::OK, &RunOfStep::of(&session, step).await?)),
        None => shown(StatusCode::OK, &session, session.training().await?).await,
    }
}

/// End the latest run
///
/// What has been written of it stays: the session stands at the last of its steps.
#[utoipa::path(delete, path = "/v1/sessions/{name}/train", tag = "training", operation_id = "cancel_training",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo")),
    responses((status = 200, description = "The run, ended.", body = TrainView),
        (status = 202, description = "The server that is at work on it has not ended it yet.", body = TrainView),
        responses::CancelTraining))]
pub async fn cancel(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Response, Problem> {
    let session = app.registry.session(&session_name(&name)?).await?;
    let view = session.cancel_training().await?;
    let over = view.ended.is_some();
    shown(if over { StatusCode::OK } else { StatusCode::ACCEPTED }, &session, view).await
}

/// Everything that happens
///
/// Server-sent events: `step` for a change that was asked for by itself, `progress` for steps of a training run, `done`
/// or `problem` at its end. The id of an event is the session's step; `Last-Event-ID` goes on behind it.
#[utoipa::path(get, path = "/v1/sessions/{name}/events", tag = "training", operation_id = "listen",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"),
        responses::ListenHeaders),
    responses((status = 200, description = "Events, as they happen.", body = EventView, content_type = "text/event-stream"),
        responses::Listen))]
pub async fn listen(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let session = app.registry.session(&session_name(&name)?).await?;
    let after = headers.get("last-event-id").map(last_event).transpose()?;
    let listener = session.listen(after).await?;
    Ok(stream::events(stream::news(session, listener)))
}

fn last_event(value: &HeaderValue) -> Result<u64, Problem> {
    let step = value.to_str().ok().and_then(|text| text.parse().ok());
    step.ok_or_else(|| {
        Problem::new(Code::InvalidHeader, "Last-Event-ID is the id of an event, which is a step's number")
    })
}

/// What came of the wish for a run.
enum Begun {
    /// It goes on, or has ended
    Run(Arc<Session>, Watch),
    /// The request was answered before, and not with a run
    Otherwise(Response),
}

/// The run that a request began when it was first here.
async fn begun_before(app: &App, log: &Bytes, run: &Bytes) -> Result<Begun, Problem> {
    let session = still_there(app, log).await?;
    let watch = session.watch_training().await?;
    if watch.run().0.as_slice() == run.0.as_slice() {
        return Ok(Begun::Run(session, watch));
    }
    let detail = "this request was answered before, and the run that it began is followed by another one; its steps \
                  are in the session's history";
    Err(Problem::new(Code::TrainingNotFound, detail))
}

async fn shown(status: StatusCode, session: &Session, view: View) -> Result<Response, Problem> {
    let view = TrainView::of(session, view).await?;
    let tag = session.tag_at(view.step()).await?;
    let response = json::answer(status, &view);
    Ok(match tag {
        Some(tag) => tagged(response, tag),
        None => response,
    })
}

impl Wish {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let media_type = negotiate_type(headers, &["application/json", EVENTS, LINES])?;
        let preferred = headers.get_all(&PREFER).iter().filter_map(|value| value.to_str().ok());
        let is_async = |one: &str| essence(one).eq_ignore_ascii_case("respond-async");
        Ok(match media_type {
            EVENTS => Self::Events,
            LINES => Self::Lines,
            _ if preferred.flat_map(|value| value.split(',')).any(is_async) => Self::Async,
            _ => Self::Wait,
        })
    }

    async fn answer(self, session: Arc<Session>, watch: Watch) -> Result<Response, Problem> {
        match self {
            Self::Events => Ok(stream::events(stream::run(session, watch))),
            Self::Lines => Ok(stream::lines(stream::run(session, watch))),
            Self::Async => {
                let view = session.training().await?;
                let mut response = shown(StatusCode::ACCEPTED, &session, view).await?;
                response.headers_mut().insert(APPLIED, HeaderValue::from_static("respond-async"));
                Ok(located(response, &session))
            }
            Self::Wait => {
                let view = watch.end().await?;
                if view.state == RunState::Interrupted {
                    // The server stops, or nobody is at work on it: it is not at its end.
                    return Ok(located(shown(StatusCode::ACCEPTED, &session, view).await?, &session));
                }
                shown(StatusCode::OK, &session, view).await
            }
        }
    }
}

fn located(response: Response, session: &Session) -> Response {
    let location = format!("/v1/sessions/{}/train", session.name());
    ([(header::LOCATION, location)], response).into_response()
}
