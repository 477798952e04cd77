//! Presets: networks with data and a story, ready to be asked.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::loss::Loss;
use crate::engine::optimizer::Optimizer;
use crate::engine::schema;
use crate::engine::spec::{NetworkSpec, Seed};
use crate::http::code::Code;
use crate::http::extract::Path;
use crate::http::json;
use crate::http::problem::Problem;
use crate::http::responses;
use crate::http::spec_body::NetworkBody;
use crate::session::{Data, PRESETS, Preset};

/// The presets there are.
#[derive(Serialize, ToSchema)]
pub struct PresetList {
    /// Each with its name and a line about it
    presets: Vec<PresetEntry>,
}

/// A preset in a listing.
#[derive(Serialize, ToSchema)]
pub struct PresetEntry {
    /// The preset's name
    #[schema(value_type = schema::Name)]
    name: &'static str,
    /// What it is, in one line
    #[schema(value_type = schema::Prose)]
    title: &'static str,
}

/// A preset: everything that a session made from it starts with.
#[derive(Serialize, ToSchema)]
pub struct PresetView {
    /// The preset's name
    #[schema(value_type = schema::Name)]
    name: &'static str,
    /// What it is, in one line
    #[schema(value_type = schema::Prose)]
    title: &'static str,
    /// What there is to see
    #[schema(value_type = schema::Prose)]
    story: &'static str,
    /// The network, nothing left to a default
    #[schema(value_type = NetworkBody)]
    network: NetworkSpec,
    /// What its outputs are judged by
    loss: Loss,
    /// How its gradients become changes
    optimizer: Optimizer,
    /// Where its random numbers start
    #[schema(value_type = schema::Seed)]
    seed: Seed,
    /// What it is shown where a request brings no data
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    data: Option<Data>,
}

/// List the presets
#[utoipa::path(get, path = "/v1/presets", tag = "presets", operation_id = "list_presets",
    responses((status = 200, description = "The presets there are.", body = PresetList), responses::ListPresets))]
pub async fn list() -> Response {
    let entry = |preset: &Preset| PresetEntry { name: preset.name, title: preset.title };
    json::answer(StatusCode::OK, &PresetList { presets: PRESETS.iter().map(entry).collect() })
}

/// Show a preset
#[utoipa::path(get, path = "/v1/presets/{name}", tag = "presets", operation_id = "show_preset",
    params(("name" = inline(schema::Name), Path, description = "The preset's name", example = "worked-example")),
    responses((status = 200, description = "The preset.", body = PresetView), responses::ShowPreset))]
pub async fn show(Path(name): Path<String>) -> Result<Response, Problem> {
    let preset = Preset::find(&name).ok_or_else(|| {
        let known: Vec<_> = PRESETS.iter().map(|preset| preset.name).collect();
        Problem::new(Code::PresetNotFound, format!("there is no such preset; known are {}", known.join(", ")))
    })?;
    let spec = (preset.spec)();
    let view = PresetView {
        name: preset.name,
        title: preset.title,
        story: preset.story,
        network: spec.model.network,
        loss: spec.model.loss,
        optimizer: spec.model.optimizer,
        seed: spec.model.seed,
        data: spec.data,
    };
    Ok(json::answer(StatusCode::OK, &view))
}
