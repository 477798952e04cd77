//! Paths coming in: axum's own reader, whose refusals are problems too.

use axum::extract::{FromRequestParts, path::ErrorKind, rejection::PathRejection};
use axum::http::request::Parts;
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

/// The name of a session in a path.
pub fn session_name(text: &str) -> Result<SessionName, Problem> {
    SessionName::parse(text).map_err(|error| Problem::new(Code::InvalidName, error.to_string()))
}

/// The name of a dataset in a path or a query: of the same form.
pub fn dataset_name(text: &str) -> Result<SessionName, Problem> {
    session_name(text)
}
