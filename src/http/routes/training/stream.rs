//! What happens, told as it happens: as server-sent events or as lines of JSON.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt as _};
use serde::Serialize;
use utoipa::ToSchema;

use super::view::{ProgressView, TrainView};
use crate::engine::schema;
use crate::http::json;
use crate::http::problem::Problem;
use crate::http::routes::history::StepEntry;
use crate::session::{Listener, News, RunState, Seen, Session, SessionError, Watch};

/// What an event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventName {
    /// A change that was asked for by itself
    Step,
    /// A training run came this far
    Progress,
    /// A training run has ended
    Done,
    /// It failed, or the stream cannot go on
    Problem,
}

/// A server-sent event.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes what is written elsewhere")]
pub struct EventView {
    /// What it tells
    event: EventName,
    /// The session's step
    #[schema(value_type = schema::Prose, required = false)]
    id: Option<String>,
    /// A `StepEntry`, a `ProgressView`, a `TrainView` or a `Problem`, as JSON
    #[schema(value_type = schema::Table)]
    data: String,
}

/// Something that happened.
pub enum Event {
    /// What, the session's step, and its JSON
    Told(EventName, Option<u64>, Vec<u8>),
    /// Nothing, for a while
    Silence,
}

/// The events of one run, to its end.
pub fn run(session: Arc<Session>, watch: Watch) -> impl Stream<Item = Event> + Send {
    stream::unfold(Some((session, watch)), async |state| {
        let (session, mut watch) = state?;
        match watch.next().await {
            Ok(Seen::Silence) => Some((Event::Silence, Some((session, watch)))),
            Ok(Seen::Progress(progress, pace)) => {
                let event = told(EventName::Progress, Some(progress.step), &ProgressView::of(&progress, pace));
                Some((event, Some((session, watch))))
            }
            Ok(Seen::Over(view)) => Some((over(TrainView::of(&session, *view).await), None)),
            Err(error) => Some((failed(error), None)),
        }
    })
}

/// Everything that happens to a session, for as long as somebody listens.
pub fn news(session: Arc<Session>, listener: Listener) -> impl Stream<Item = Event> + Send {
    stream::unfold(Some((session, listener)), async |state| {
        let (session, mut listener) = state?;
        let event = match listener.next().await {
            Ok(None) => return None,
            Ok(Some(News::Silence)) => Event::Silence,
            Ok(Some(News::Changed(past))) => {
                let step = past.step;
                told(EventName::Step, Some(step), &StepEntry::of(*past))
            }
            Ok(Some(News::Trained(progress))) => {
                told(EventName::Progress, Some(progress.step), &ProgressView::of(&progress, None))
            }
            Ok(Some(News::Ended(view))) => over(TrainView::of(&session, *view).await),
            Err(error) => return Some((failed(error), None)),
        };
        Some((event, Some((session, listener))))
    })
}

/// As server-sent events; a comment after a while of silence shows that the connection lives.
pub fn events(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let text = events.map(|event| match event {
        Event::Silence => b": nothing happened\n\n".to_vec(),
        Event::Told(name, step, json) => {
            let id = step.map(|step| format!("id: {step}\n")).unwrap_or_default();
            let mut text = format!("{id}event: {}\ndata: ", name.as_str()).into_bytes();
            text.extend(json);
            text.extend(b"\n\n");
            text
        }
    });
    answer("text/event-stream", text)
}

/// As lines of JSON, each an object whose `event` tells what it is; an empty line after a while of silence.
pub fn lines(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let text = events.map(|event| match event {
        Event::Silence => b"\n".to_vec(),
        // Every event is an object with at least one field.
        Event::Told(name, _, json) => {
            let mut text = format!("{{\"event\":\"{}\",", name.as_str()).into_bytes();
            text.extend(&json[1..]);
            text.push(b'\n');
            text
        }
    });
    answer("application/x-ndjson", text)
}

fn answer(media_type: &'static str, text: impl Stream<Item = Vec<u8>> + Send + 'static) -> Response {
    // Whatever stands between must neither keep it nor wait until it has gathered more.
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(text.map(|text| Ok::<_, Infallible>(Bytes::from(text))))).into_response()
}

fn over(view: Result<TrainView, Problem>) -> Event {
    match view {
        Ok(view) => {
            let failed = view.state() == RunState::Failed;
            told(if failed { EventName::Problem } else { EventName::Done }, Some(view.step()), &view)
        }
        Err(problem) => told(EventName::Problem, None, &problem),
    }
}

fn failed(error: SessionError) -> Event {
    told(EventName::Problem, None, &Problem::from(error))
}

fn told(name: EventName, step: Option<u64>, what: &impl Serialize) -> Event {
    match json::bytes(what) {
        Ok(json) => Event::Told(name, step, json),
        Err(error) => {
            tracing::error!(%error, "an event could not be written");
            Event::Silence
        }
    }
}

impl EventName {
    fn as_str(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Progress => "progress",
            Self::Done => "done",
            Self::Problem => "problem",
        }
    }
}
