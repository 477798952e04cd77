//! The one form of every refusal: RFC 9457 `application/problem+json`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::code::Code;
use super::json;
use crate::engine::non_finite::NonFinite;
use crate::engine::schema;
use crate::limits::{FAULTS_NAMED, RETRY_SECONDS, TEXT_CHARACTERS};

/// The media type of a refusal.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A refusal: what is wrong, where, and what to do.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Where the code is explained: a path on this server
    #[serde(rename = "type")]
    #[schema(value_type = schema::Prose)]
    kind: String,
    /// What the code means, the same for every occurrence
    #[schema(value_type = schema::Prose)]
    title: &'static str,
    /// The HTTP status
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong here, and what to do
    #[schema(value_type = schema::Prose)]
    detail: String,
    /// The stable code
    code: Code,
    /// The places in the request that are wrong
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<Fault>,
    /// With the code `non_finite`: the first number that overflowed or is undefined
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    non_finite: Option<Box<NonFinite>>,
}

/// One wrong place in a request.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Fault {
    /// Where, as an RFC 6901 pointer into the body, or into the arrays of an npz file; empty for the whole
    #[schema(value_type = schema::Pointer)]
    pub pointer: String,
    /// The stable code
    pub code: Code,
    /// What is wrong there
    #[schema(value_type = schema::Prose)]
    pub detail: String,
    /// Of CSV, which no pointer leads into: the line, counted from 1
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Ordinal, required = false)]
    pub line: Option<u64>,
    /// Of CSV: the column, counted from 1
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Ordinal, required = false)]
    pub column: Option<u64>,
}

impl Fault {
    /// A fault at a pointer.
    pub fn new(pointer: impl Into<String>, code: Code, detail: impl Into<String>) -> Self {
        let (pointer, detail) = (shortened(pointer.into()), shortened(detail.into()));
        Self { pointer, code, detail, line: None, column: None }
    }

    /// A fault of a table, at a line and a column of it.
    pub fn in_table(line: u64, column: Option<u64>, code: Code, detail: impl Into<String>) -> Self {
        Self { line: Some(line), column, ..Self::new("", code, detail) }
    }
}

impl Problem {
    /// A refusal that concerns no single place of the body.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/problems/{}", code.as_str()),
            title: code.title(),
            status: code.status().as_u16(),
            detail: shortened(detail.into()),
            code,
            errors: vec![],
            non_finite: None,
        }
    }

    /// The same with another text.
    pub fn with_detail(self, detail: String) -> Self {
        Self { detail: shortened(detail), ..self }
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What is wrong.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// As it is written.
    pub fn bytes(&self) -> Vec<u8> {
        // A refusal consists of texts and finite numbers, which are always written.
        json::bytes(self).unwrap_or_default()
    }

    /// The same with the number that is not finite.
    pub fn with_non_finite(self, non_finite: Box<NonFinite>) -> Self {
        Self { non_finite: Some(non_finite), ..self }
    }
}

/// A text that may quote a client, who may have sent a megabyte: not longer than the document says.
fn shortened(text: String) -> String {
    match text.char_indices().nth(TEXT_CHARACTERS - 1) {
        Some((at, _)) if text[at..].chars().nth(1).is_some() => format!("{}…", &text[..at]),
        _ => text,
    }
}

/// One fault is the refusal's own code and detail; of several the first one is.
impl From<Vec<Fault>> for Problem {
    fn from(mut faults: Vec<Fault>) -> Self {
        faults.truncate(FAULTS_NAMED);
        match faults.first() {
            Some(first) => Self { errors: faults.clone(), ..Self::new(first.code, first.detail.clone()) },
            None => Self::new(Code::InternalError, "a refusal without a fault"),
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::from(vec![fault])
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, [(header::CONTENT_TYPE, PROBLEM_JSON)], self.bytes()).into_response();
        if self.code.may_pass() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
        }
        response
    }
}
