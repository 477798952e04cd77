//! The API's document, generated from the handlers and their types.

use axum::middleware::from_fn;
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ContentBuilder, ObjectBuilder, OpenApi as OpenApiDocument, RefOr, Required, Schema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use std::sync::Arc;

use super::App;
use super::format::Format;
use super::problem::{Fault, Problem};
use super::query::no_query;
use super::routes::training::{EventName, ProgressView};
use super::routes::what_if::WhatIfView;
use super::routes::{
    branches, datasets, explain, grade, history, insights, operations, passes, presets, problems, sessions, telephone,
    training, weights,
};
use super::schemas::complete;
use crate::engine::layer::activation::{ActivationBackward, ActivationForward};
use crate::engine::layer::dense::{DenseBackward, DenseForward};
use crate::engine::layer::dropout::{DropoutBackward, DropoutForward};
use crate::engine::layer::normalization::{NormBackward, NormForward};
use crate::engine::layer::residual::{ResidualBackward, ResidualForward};
use crate::engine::optimizer::ParameterUpdates;
use crate::engine::trace::RunningUpdate;
use crate::limits::Limits;

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
    // Layers nest, and what nests must be named here.
    components(schemas(
        Problem, Fault, ProgressView, EventName, WhatIfView, DenseForward, DenseBackward, ActivationForward, ActivationBackward, NormForward,
        NormBackward, DropoutForward, DropoutBackward, ResidualForward, ResidualBackward, RunningUpdate,
        ParameterUpdates,
    )),
    tags(
        (name = "sessions", description = "Named models that learn"),
        (name = "passes", description = "Forward, backward and step, each answered with its trace"),
        (name = "insights", description = "Why a number is what it is; nothing changes"),
        (name = "history", description = "What became of a session, any step of it again, going back, and branches"),
        (name = "weights", description = "A session's parameters"),
        (name = "training", description = "Many steps in one call, and everything that happens"),
        (name = "datasets", description = "Rows to learn from: built in, or your own"),
        (name = "presets", description = "Networks with data and a story, ready to be asked"),
        (name = "problems", description = "What the codes of refusals mean"),
        (name = "operations", description = "For operators"),
    )
)]
struct Document;

/// Every route of the API, each in the document by itself.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    let with_a_query = OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(sessions::list))
        .routes(routes!(passes::forward))
        .routes(routes!(passes::backward))
        .routes(routes!(passes::step))
        .routes(routes!(history::list))
        .routes(routes!(history::recall))
        .routes(routes!(training::show))
        .routes(routes!(datasets::list))
        .routes(routes!(datasets::show, datasets::put))
        .routes(routes!(branches::compare))
        .routes(routes!(insights::show_depth))
        .routes(routes!(grade::stateless))
        .routes(routes!(grade::on_session))
        .routes(routes!(insights::check_gradients))
        .routes(routes!(insights::show_blame))
        .routes(routes!(insights::show_chain))
        .routes(routes!(telephone::play))
        .routes(routes!(explain::explain));
    // Elsewhere a query would be ignored, and a typo with it.
    let without = OpenApiRouter::new()
        .routes(routes!(sessions::create_unnamed))
        .routes(routes!(sessions::create, sessions::show, sessions::delete))
        .routes(routes!(training::train, training::cancel))
        .routes(routes!(training::listen))
        .routes(routes!(datasets::delete))
        .routes(routes!(history::rewind))
        .routes(routes!(branches::fork))
        .routes(routes!(weights::read, weights::replace))
        .routes(routes!(weights::read_layer, weights::replace_layer))
        .routes(routes!(presets::list))
        .routes(routes!(presets::show))
        .routes(routes!(problems::list))
        .routes(routes!(problems::show))
        .route_layer(from_fn(no_query));
    // Probes may put what they like behind these.
    let operations = OpenApiRouter::new()
        .routes(routes!(operations::livez))
        .routes(routes!(operations::readyz))
        .routes(routes!(operations::info));
    with_a_query.merge(without).merge(operations)
}

/// The document, as OpenAPI 3.1: what the derived schemas say, and what they cannot.
pub fn document() -> OpenApiDocument {
    let mut document = routes().into_openapi();
    if let Some(components) = &mut document.components {
        complete(&mut components.schemas);
    }
    for path in ["forward", "backward", "step", "blame", "depth", "gradient-check"]
        .map(|pass| format!("/v1/sessions/{{name}}/{pass}"))
    {
        let operation = document.paths.paths.get_mut(&path).and_then(|item| item.post.as_mut());
        if let Some(RefOr::T(body)) = operation.and_then(|operation| operation.request_body.as_mut()) {
            // A preset's session needs none: it brings its own batch.
            body.required = Some(Required::False);
        }
    }
    for item in document.paths.paths.values_mut() {
        [&mut item.get, &mut item.post].into_iter().flatten().for_each(list_forms);
    }
    document
}

/// Adds to an operation's answer the other forms that its query may ask for.
fn list_forms(operation: &mut Operation) {
    let format = operation.parameters.iter().flatten().find_map(|parameter| match parameter {
        RefOr::T(parameter) if parameter.name == "format" => parameter.schema.as_ref(),
        _ => None,
    });
    let Some(RefOr::T(Schema::Object(names))) = format else { return };
    let names = names.enum_values.clone().unwrap_or_default();
    // Documents and pictures cut their lists long before.
    let longest = usize::try_from(Limits::default().answer_bytes).ok();
    let Some(RefOr::T(answer)) = operation.responses.responses.get_mut("200") else { return };
    for form in Format::ALL.iter().filter(|form| names.iter().any(|name| name == form.as_str())) {
        let text = ObjectBuilder::new().schema_type(Type::String).max_length(longest);
        let content = || ContentBuilder::new().schema(Some(text)).build().into();
        answer.content.entry(form.media_type().to_owned()).or_insert_with(content);
    }
}
