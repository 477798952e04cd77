//! The API's own pages: its document, and Swagger UI with everything it needs out of this binary.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use utoipa_swagger_ui::{Config, serve};

use super::App;
use super::code::Code;
use super::extract::Path;
use super::openapi::document;
use super::problem::Problem;

/// The routes that show the API. They are not part of it.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/docs", get(async || Redirect::permanent("/docs/")))
        .route("/docs/", get(async || page("")))
        .route("/docs/{*file}", get(async |Path(file): Path<String>| page(&file)))
        .route("/openapi.json", get(async || text("application/json", document().to_json())))
        .route("/openapi.yaml", get(async || text("application/yaml", document().to_yaml())))
}

/// A document of the API, or why there is none.
fn text<E: std::fmt::Display>(media_type: &'static str, text: Result<String, E>) -> Response {
    match text {
        Ok(text) => ([(header::CONTENT_TYPE, media_type)], text).into_response(),
        Err(error) => {
            Problem::new(Code::InternalError, format!("the document could not be written: {error}")).into_response()
        }
    }
}

/// A file of Swagger UI.
fn page(file: &str) -> Response {
    // Without a validator's address the page asks nobody on the internet about the document.
    static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
        Arc::new(
            Config::new(["/openapi.json"])
                .validator_url("none")
                .try_it_out_enabled(true)
                .display_request_duration(true),
        )
    });
    match serve(file, Arc::clone(&CONFIG)) {
        Ok(Some(file)) => {
            (StatusCode::OK, [(header::CONTENT_TYPE, file.content_type)], file.bytes.into_owned()).into_response()
        }
        Ok(None) => Problem::new(Code::NotFound, "there is no such file in /docs").into_response(),
        Err(error) => Problem::new(Code::InternalError, format!("the page could not be made: {error}")).into_response(),
    }
}
