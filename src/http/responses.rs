//! The refusals of an operation, as the API's document lists them.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use super::code::Code;
use super::problem::PROBLEM_JSON;

/// Any operation's: the server's own fault.
pub struct Always;
/// An operation that finds something by its path.
pub struct OfPath;
/// An operation that reads a body.
pub struct OfBody;
/// An operation that makes sessions.
pub struct OfCreation;

impl IntoResponses for Always {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        listed(&[StatusCode::INTERNAL_SERVER_ERROR])
    }
}

impl IntoResponses for OfPath {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        listed(&[StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND])
    }
}

impl IntoResponses for OfBody {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        listed(&[
            StatusCode::BAD_REQUEST,
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::PAYLOAD_TOO_LARGE,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            StatusCode::UNPROCESSABLE_ENTITY,
            StatusCode::SERVICE_UNAVAILABLE,
        ])
    }
}

impl IntoResponses for OfCreation {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        listed(&[StatusCode::INSUFFICIENT_STORAGE])
    }
}

/// Responses of these statuses, each described by the codes that it may carry.
fn listed(statuses: &[StatusCode]) -> BTreeMap<String, RefOr<Response>> {
    let response = |status: StatusCode| {
        let codes = Code::ALL.iter().filter(|code| code.status() == status);
        let codes: Vec<_> = codes.map(|code| format!("`{}`: {}", code.as_str(), code.title())).collect();
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        ResponseBuilder::new().description(codes.join(" ")).content(PROBLEM_JSON, content).build().into()
    };
    statuses.iter().map(|status| (status.as_str().to_owned(), response(*status))).collect()
}
