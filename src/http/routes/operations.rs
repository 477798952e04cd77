//! For operators: whether the server lives, whether it is ready, and what it is.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::ARITHMETIC;
use crate::engine::matrix::Kernel;
use crate::engine::schema;
use crate::engine::trace::FORMAT;
use crate::http::App;
use crate::http::json;
use crate::http::problem::Problem;
use crate::http::responses;
use crate::limits::Limits;

/// That all is well.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`
    #[schema(value_type = schema::Healthy)]
    status: &'static str,
}

/// What this server is.
#[derive(Serialize, ToSchema)]
pub struct Info {
    /// The product's name
    #[schema(value_type = schema::Prose)]
    name: &'static str,
    /// The product's version
    #[schema(value_type = schema::Prose)]
    version: &'static str,
    /// The version of the arithmetic: the same one gives the same bits
    #[schema(value_type = schema::Count)]
    arithmetic: u32,
    /// The id of the trace's format
    #[schema(value_type = schema::TraceFormat)]
    trace: &'static str,
    /// Where sessions are kept
    #[schema(value_type = schema::Prose)]
    store: &'static str,
    /// How products are computed on this CPU; the bits do not depend on it
    #[schema(value_type = schema::Prose)]
    kernel: &'static str,
    /// What a request may ask for
    limits: LimitsView,
}

/// What a request may ask for.
#[derive(Serialize, ToSchema)]
pub struct LimitsView {
    /// Bytes of a request body
    #[schema(value_type = schema::Count)]
    body_bytes: usize,
    /// Bytes of an answer
    #[schema(value_type = schema::Count)]
    answer_bytes: u64,
    /// Multiplications of one request
    #[schema(value_type = schema::Count)]
    multiply_adds: u64,
    /// Inputs of a network, and units of one layer
    #[schema(value_type = schema::Count)]
    units: usize,
    /// Layers of a network
    #[schema(value_type = schema::Count)]
    layers: usize,
    /// Parameters of one network
    #[schema(value_type = schema::Count)]
    parameters: usize,
    /// Rows of one batch
    #[schema(value_type = schema::Count)]
    examples: usize,
    /// Seconds for which the answer to a request with an Idempotency-Key is kept
    #[schema(value_type = schema::Count)]
    idempotency_key_seconds: u64,
}

/// Does the server live?
#[utoipa::path(get, path = "/livez", tag = "operations", operation_id = "livez",
    responses((status = 200, description = "It answers.", body = Health), responses::Probe))]
pub async fn livez() -> Response {
    json::answer(StatusCode::OK, &Health { status: "ok" })
}

/// Is the server ready?
#[utoipa::path(get, path = "/readyz", tag = "operations", operation_id = "readyz",
    responses((status = 200, description = "It can keep sessions.", body = Health), responses::Ready))]
pub async fn readyz(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    app.registry.store().ready().await?;
    Ok(json::answer(StatusCode::OK, &Health { status: "ok" }))
}

/// What is this server?
#[utoipa::path(get, path = "/v1/info", tag = "operations", operation_id = "info",
    responses((status = 200, description = "Versions and limits.", body = Info), responses::Probe))]
pub async fn info(State(app): State<Arc<App>>) -> Response {
    let info = Info {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        arithmetic: ARITHMETIC,
        trace: FORMAT,
        store: app.registry.store().kind(),
        kernel: Kernel::fastest().name(),
        limits: LimitsView::of(app.limits()),
    };
    json::answer(StatusCode::OK, &info)
}

impl LimitsView {
    fn of(limits: &Limits) -> Self {
        Self {
            body_bytes: limits.body_bytes,
            answer_bytes: limits.answer_bytes,
            multiply_adds: limits.multiply_adds,
            units: limits.units,
            layers: limits.layers,
            parameters: limits.parameters,
            examples: limits.examples,
            idempotency_key_seconds: limits.key_age.as_secs(),
        }
    }
}
