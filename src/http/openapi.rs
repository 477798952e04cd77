//! The API's document, generated from the handlers and their types.

use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use std::sync::Arc;

use super::App;
use super::problem::{Fault, Problem};
use super::routes::{explain, operations, passes, presets, sessions, weights};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "chainrule",
        description = "Trains neural networks in the open: every number of every forward pass, backward pass and \
            update comes back as JSON and can be recomputed by hand.\n\nRefusals are `application/problem+json` \
            (RFC 9457) with a stable `code`: 400 where a request cannot be read as what this document describes, \
            422 where it can be read and cannot be done.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(Problem, Fault)),
    tags(
        (name = "sessions", description = "Named models that learn"),
        (name = "passes", description = "Forward, backward and step, each answered with its trace"),
        (name = "weights", description = "A session's parameters"),
        (name = "presets", description = "Networks with data and a story, ready to be asked"),
        (name = "operations", description = "For operators"),
    )
)]
struct Document;

/// Every route of the API, each in the document by itself.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(sessions::list, sessions::create_unnamed))
        .routes(routes!(sessions::create, sessions::show, sessions::delete))
        .routes(routes!(passes::forward))
        .routes(routes!(passes::backward))
        .routes(routes!(passes::step))
        .routes(routes!(weights::read, weights::replace))
        .routes(routes!(weights::read_layer, weights::replace_layer))
        .routes(routes!(explain::explain))
        .routes(routes!(presets::list))
        .routes(routes!(presets::show))
        .routes(routes!(operations::livez))
        .routes(routes!(operations::readyz))
        .routes(routes!(operations::info))
}

/// The document, as OpenAPI 3.1.
pub fn document() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}
