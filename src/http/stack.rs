//! What every request goes through, from the outside in: a span, refusals as pages for browsers, a catch for panics,
//! then the routes. A refusal of
//! the framework itself leaves in the same form as any other.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, Uri, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::{DefaultOnFailure, DefaultOnResponse, TraceLayer};
use tracing::Level;

use super::code::Code;
use super::problem::Problem;
use super::{App, docs, openapi, page, problem_page};

/// The whole service.
pub fn router(app: Arc<App>) -> Router {
    router_with(app, Router::new())
}

/// The whole service and more routes, behind the same layers.
pub fn router_with(app: Arc<App>, more: Router<Arc<App>>) -> Router {
    let (routes, _) = openapi::routes().split_for_parts();
    routes
        .merge(docs::routes())
        .merge(page::routes())
        .merge(more)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(problem_page::as_asked))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(|request: &Request| {
                    tracing::info_span!("request", method = %request.method(), path = %request.uri().path())
                })
                .on_response(DefaultOnResponse::new().level(Level::DEBUG))
                .on_failure(DefaultOnFailure::new().level(Level::WARN)),
        )
        .with_state(app)
}

async fn not_found(uri: Uri) -> Problem {
    Problem::new(Code::NotFound, format!("there is nothing at {:?}; /docs lists what there is", uri.path()))
}

/// axum adds the `Allow` header to whatever is answered here.
async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let detail = format!("{:?} does not answer to {method}; the header Allow lists what it answers to", uri.path());
    Problem::new(Code::MethodNotAllowed, detail)
}

/// A panic is a defect: it is logged with its text, and the client learns that nothing was changed.
#[allow(clippy::needless_pass_by_value, reason = "the form that the layer calls")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("no text"), "a request panicked");
    Problem::new(Code::InternalError, "this request met a defect of the server; the log tells more").into_response()
}
