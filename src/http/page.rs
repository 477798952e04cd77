//! The page at `/`: its files, each with a tag by its content and a policy that lets nothing in from elsewhere.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::App;
use super::code::Code;
use super::extract::Path;
use super::problem::Problem;
use crate::page::{INDEX, PageFile};

/// Scripts and styles are files of this server, and so is whatever the page asks for; `data:` is for pictures that it
/// draws itself. Nothing inline, no frames around it, no form that leads away.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What every answer of the page carries. A file is asked for again each time, and its tag says that it is the same.
const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// The routes of the page. They are not part of the API.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(async |headers: HeaderMap| file(INDEX, &headers)))
        .route("/page/{*file}", get(async |Path(name): Path<String>, headers: HeaderMap| file(&name, &headers)))
}

fn file(name: &str, headers: &HeaderMap) -> Response {
    let Some(file) = PageFile::find(name) else {
        return Problem::new(Code::NotFound, "there is no such file in /page").into_response();
    };
    let tag = format!("\"{}\"", file.hash);
    if has(headers, &tag) {
        return (StatusCode::NOT_MODIFIED, HEADERS, [(header::ETAG, tag)]).into_response();
    }
    (HEADERS, [(header::ETAG, tag)], [(header::CONTENT_TYPE, file.media_type)], file.bytes).into_response()
}

/// Whether the client has the file with this tag. The comparison is the weak one, as for every `If-None-Match`.
fn has(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(|one| one.trim().trim_start_matches("W/"))
        .any(|one| one == "*" || one == tag)
}
