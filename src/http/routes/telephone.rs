//! The telephone game without a session: a deep network and its cures, side by side.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::engine::cost::Extent;
use crate::engine::model::{ModelError, Targets};
use crate::engine::pass::Pass;
use crate::engine::schema;
use crate::engine::telephone::{Telephone, Variant};
use crate::http::App;
use crate::http::body::Json;
use crate::http::code::Code;
use crate::http::problem::{Fault, Problem};
use crate::http::query::Query;
use crate::http::report::ChartQuery;
use crate::http::responses;
use crate::http::sheet::drawing;
use crate::http::spec_body::into_seed;
use crate::http::strict::{given, given_whole, objects, whole};
use crate::insight::depth::{LayerDepth, Verdict, depth};
use crate::limits::{TELEPHONE_DEPTH, TELEPHONE_WIDTH};
use crate::render::picture::chart::{self, Series, Words};
use crate::render::report;
use crate::session::{Detail, Inspection, PassRequest, Subject, SubjectSpec};

/// A game to be played.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct DepthBody {
    /// Dense layers, the output layer counted
    #[schema(value_type = schema::TelephoneDepth)]
    #[serde(deserialize_with = "whole")]
    depth: u64,
    /// Inputs, and units of each layer but the last; 16 if left out
    #[schema(value_type = schema::TelephoneWidth, required = false)]
    #[serde(default, deserialize_with = "given_whole")]
    width: Option<u64>,
    /// Where weights and data start; 0 if left out
    #[schema(value_type = schema::Seed, required = false)]
    #[serde(default, deserialize_with = "given_whole")]
    seed: Option<u64>,
    /// Which ones are played; all four if left out
    #[schema(min_items = 1, nullable = false)]
    #[serde(default, deserialize_with = "given")]
    variants: Option<Vec<Variant>>,
}

objects!(DepthBody);

/// The game, played.
#[derive(Serialize, ToSchema)]
pub struct DepthView {
    /// Each with the same start and the same data
    variants: Vec<VariantDepth>,
}

/// One variant of the game.
#[derive(Serialize, ToSchema)]
pub struct VariantDepth {
    /// Which variant it is
    name: Variant,
    /// What it does instead of the sick network, in a line
    #[schema(value_type = schema::Prose)]
    story: &'static str,
    /// The dense layers from the outputs down
    layers: Vec<LayerDepth>,
    /// Whether the first layer still hears of the error; null where there is no error
    verdict: Option<Verdict>,
    /// The figure that the verdict rests on
    #[schema(value_type = schema::Prose)]
    because: String,
}

/// Depth without a session
///
/// The same deep network as sigmoid, ReLU, residual and batch norm, from the same first weights: how much of the
/// blame reaches the first layer.
#[utoipa::path(post, path = "/v1/depth", tag = "insights", operation_id = "depth",
    params(ChartQuery),
    request_body(content = DepthBody, description = "Depth, width and seed",
        example = json!({"depth": 20, "width": 16, "seed": 0})),
    responses((status = 200, description = "The variants, side by side.", body = DepthView), responses::PlayTelephone))]
pub async fn play(
    State(app): State<Arc<App>>,
    Query(query): Query<ChartQuery>,
    headers: HeaderMap,
    Json(body): Json<DepthBody>,
) -> Result<Response, Problem> {
    /// One dense layer's row.
    const ROW_BYTES: u64 = 512;
    let form = query.form(&headers)?;
    let depth_asked = body.depth;
    let (game, variants) = body.into_game()?;
    let mut played = Vec::with_capacity(variants.len());
    for variant in variants {
        played.push(play_one(&app, game, variant).await?);
    }
    if form.is_drawn() {
        let series: Vec<_> =
            played.iter().map(|played| Series::of_blame(played.name.as_str(), &played.layers)).collect();
        let title = format!("The telephone game through {depth_asked} layers");
        let layers = played.first().map_or(&[][..], |played| &played.layers);
        return Ok(drawing(chart::draw(&Words::of_blame(&title, &series), &series, layers)));
    }
    let size = played.len() as u64 * depth_asked * ROW_BYTES;
    let write = move |view: &DepthView, digits| {
        let players = view.variants.iter().map(|played| {
            let (variant, verdict) = (played.name, played.verdict);
            report::Player { variant, layers: &played.layers, verdict, because: &played.because }
        });
        report::telephone(depth_asked, &players.collect::<Vec<_>>(), digits)
    };
    Ok(form.answer(&app, size, DepthView { variants: played }, write).await)
}

async fn play_one(app: &App, game: Telephone, variant: Variant) -> Result<VariantDepth, Problem> {
    let spec = SubjectSpec { model: game.model(variant), data: None };
    let subject = Arc::new(Subject::new(spec, app.limits()).map_err(|error| too_large(&error))?);
    let (inputs, targets) = game.data();
    let request =
        PassRequest { inputs: Some(inputs), targets: Some(targets), detail: Detail::None, ..PassRequest::default() };
    let inspection = Inspection {
        subject: &subject,
        live: None,
        extent: Extent::Backward,
        limits: app.limits(),
        compute: app.registry.compute(),
    };
    let work = |pass: &Pass, targets: &Targets| pass.backward(targets).map(|trace| depth(&trace));
    let (_, found) = inspection.run_with_targets(request, |cost, _| Ok(cost.multiply_adds), work).await?;
    let found = found??;
    let (layers, verdict, because) = (found.layers, found.verdict, found.because);
    Ok(VariantDepth { name: variant, story: variant.story(), layers, verdict, because })
}

/// The game's network is made of a depth and a width: whatever is wrong with it is wrong with one of the two.
fn too_large(error: &ModelError) -> Fault {
    let pointer = if matches!(error, ModelError::TooManyLayers { .. }) { "/depth" } else { "/width" };
    Fault::new(pointer, Code::NetworkTooLarge, error.to_string())
}

impl DepthBody {
    fn into_game(self) -> Result<(Telephone, Vec<Variant>), Fault> {
        let within = |field: &str, number: u64, least: u64, most: u64| {
            if (least..=most).contains(&number) {
                return Ok(usize::try_from(number).unwrap_or(usize::MAX));
            }
            let detail = format!("{field} is from {least} to {most}, and this one is {number}");
            Err(Fault::new(format!("/{field}"), Code::NumberOutOfRange, detail))
        };
        let depth = within("depth", self.depth, 2, TELEPHONE_DEPTH)?;
        let width = within("width", self.width.unwrap_or(16), 1, TELEPHONE_WIDTH)?;
        let seed = into_seed(self.seed, "/seed")?;
        let variants = self.variants.unwrap_or_else(|| Variant::ALL.to_vec());
        if variants.is_empty() || variants.len() > Variant::ALL.len() {
            let detail = format!("1 to {} variants are played, not {}", Variant::ALL.len(), variants.len());
            return Err(Fault::new("/variants", Code::WrongShape, detail));
        }
        if let Some(at) = (1..variants.len()).find(|&at| variants[..at].contains(&variants[at])) {
            let detail = "each variant is played once, and this one stands twice";
            return Err(Fault::new(format!("/variants/{at}"), Code::WrongShape, detail));
        }
        Ok((Telephone { depth, width, seed }, variants))
    }
}
