//! Paths and queries coming in: axum's own readers, whose refusals are problems too.

use axum::extract::{FromRequestParts, Request, path::ErrorKind, rejection::PathRejection};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use super::code::Code;
use super::problem::Problem;
use crate::session::SessionName;

/// The parts of the path that stand in braces.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => Err(match error.kind() {
                ErrorKind::InvalidUtf8InPathParam { .. } => {
                    Problem::new(Code::InvalidPath, "the path is not UTF-8 behind its percent signs")
                }
                kind => Problem::new(Code::InvalidPath, format!("the path cannot be read: {kind}")),
            }),
            Err(error) => Err(Problem::new(Code::InvalidPath, error.to_string())),
        }
    }
}

/// The query; a field that it does not know is refused.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(error) => Err(Problem::new(Code::InvalidQuery, error.body_text())),
        }
    }
}

/// For paths that take no query.
pub async fn no_query(request: Request, next: Next) -> Response {
    match request.uri().query() {
        None | Some("") => next.run(request).await,
        Some(query) => {
            let detail = format!("this path takes no query, and there is {query:?} behind its ?");
            Problem::new(Code::InvalidQuery, detail).into_response()
        }
    }
}

/// The name of a session in a path.
pub fn session_name(text: &str) -> Result<SessionName, Problem> {
    SessionName::parse(text).map_err(|error| Problem::new(Code::InvalidName, error.to_string()))
}
