//! A session's parameters: read, one layer read, replaced.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::engine::cost::parameters_bytes;
use crate::engine::layer::LayerKind;
use crate::engine::name::LayerName;
use crate::engine::schema;
use crate::engine::state::{Replacement, StateHash};
use crate::engine::tensor::{Gradients, ParameterName, Parameters, Tensor};
use crate::http::App;
use crate::http::body::Json;
use crate::http::code::Code;
use crate::http::extract::{Path, session_name};
use crate::http::json;
use crate::http::problem::{Fault, Problem};
use crate::http::responses::{Always, OfBody, OfPath};
use crate::http::rows::Rows;
use crate::http::strict::{given, given_step, given_word, objects};
use crate::session::{Live, Session, SessionName};

/// A session's parameters.
#[derive(Serialize, ToSchema)]
pub struct WeightsView {
    /// The session
    #[schema(schema_with = schema::name)]
    session: SessionName,
    /// The step at which they are these
    #[schema(schema_with = schema::count)]
    step: u64,
    /// Their hash, of all layers together
    #[schema(schema_with = schema::state_hash)]
    state: StateHash,
    /// The layers from the inputs up
    #[schema(max_items = 1000)]
    layers: Vec<LayerWeights>,
}

/// One layer's parameters.
#[derive(Serialize, ToSchema)]
pub struct LayerWeights {
    /// The layer's name
    #[schema(schema_with = schema::name)]
    name: LayerName,
    /// The layer's kind
    kind: LayerKind,
    /// `weights[i][j]` joins unit i below to unit j above
    #[schema(value_type = Gradients)] // the same form
    parameters: Arc<Parameters>,
}

/// Parameters to be put in the place of others. What is not named stays as it is. An answer of this path can be sent
/// back as it came.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct WeightsBody {
    /// The layers to be changed
    #[schema(min_items = 1, max_items = 1000)]
    layers: Vec<LayerWeightsBody>,
    /// As it stands in an answer; not read
    #[serde(rename = "session", default, deserialize_with = "given")]
    #[schema(schema_with = schema::name, required = false)]
    _session: Option<SessionName>,
    /// As it stands in an answer; not read
    #[serde(rename = "step", default, deserialize_with = "given_step")]
    #[schema(schema_with = schema::count, required = false)]
    _step: Option<u64>,
    /// As it stands in an answer; not read
    #[serde(rename = "state", default, deserialize_with = "given")]
    #[schema(schema_with = schema::state_hash, required = false)]
    _state: Option<StateHash>,
}

/// One layer's new parameters.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct LayerWeightsBody {
    /// The layer's name
    #[schema(schema_with = schema::name)]
    name: String,
    /// As it stands in an answer; not read
    #[serde(rename = "kind", default, deserialize_with = "given_word")]
    #[schema(value_type = LayerKind, required = false)]
    _kind: Option<LayerKind>,
    /// The parameters to be changed
    parameters: ParametersBody,
}

/// New values for some of a layer's parameters.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct ParametersBody {
    /// `[in][out]`
    #[schema(schema_with = schema::matrix, required = false)]
    #[serde(default, deserialize_with = "given")]
    weights: Option<Rows>,
    /// `[out]`
    #[schema(schema_with = schema::row, required = false)]
    #[serde(default, deserialize_with = "given")]
    bias: Option<Vec<f64>>,
}

objects!(WeightsBody, LayerWeightsBody, ParametersBody);

/// Read all parameters
#[utoipa::path(get, path = "/v1/sessions/{name}/weights", tag = "weights", operation_id = "read_weights",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo")),
    responses((status = 200, description = "The parameters of every layer.", body = WeightsView), OfPath, Always))]
pub async fn read(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Response, Problem> {
    let session = app.registry.session(&session_name(&name)?)?;
    let view = WeightsView::of(&session, &session.live());
    Ok(json::large_answer(&app, parameters_bytes(session.subject().model()), view).await)
}

/// Read one layer's parameters
#[utoipa::path(get, path = "/v1/sessions/{name}/weights/{layer}", tag = "weights", operation_id = "read_layer_weights",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"),
        ("layer" = inline(schema::Name), Path, description = "The layer's name", example = "hidden")),
    responses((status = 200, description = "The parameters of this layer.", body = WeightsView), OfPath, Always))]
pub async fn read_layer(
    State(app): State<Arc<App>>,
    Path((name, layer)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let session = app.registry.session(&session_name(&name)?)?;
    let index = layer_index(&session, &layer)?;
    let mut view = WeightsView::of(&session, &session.live());
    view.layers = vec![view.layers.swap_remove(index)];
    Ok(json::large_answer(&app, parameters_bytes(session.subject().model()), view).await)
}

/// Replace parameters
///
/// The session is one step further; what the body does not name stays as it is.
#[utoipa::path(put, path = "/v1/sessions/{name}/weights", tag = "weights", operation_id = "replace_weights",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo")),
    request_body(content = WeightsBody, description = "The new values",
        example = json!({"layers": [{"name": "hidden", "parameters": {"weights": [[0.4, 0.3], [0.2, 0.5]]}}]})),
    responses((status = 200, description = "All parameters, after the change.", body = WeightsView), OfPath, OfBody, Always))]
pub async fn replace(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Json(body): Json<WeightsBody>,
) -> Result<Response, Problem> {
    let session = app.registry.session(&session_name(&name)?)?;
    let live = session.replace(body.into_replacements()?, app.limits(), app.registry.compute()).await?;
    let view = WeightsView::of(&session, &live);
    Ok(json::large_answer(&app, parameters_bytes(session.subject().model()), view).await)
}

/// Replace one layer's parameters
///
/// The session is one step further; what the body does not name stays as it is.
#[utoipa::path(put, path = "/v1/sessions/{name}/weights/{layer}", tag = "weights", operation_id = "replace_layer_weights",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"),
        ("layer" = inline(schema::Name), Path, description = "The layer's name", example = "hidden")),
    request_body(content = WeightsBody, description = "The new values, under this layer's name",
        example = json!({"layers": [{"name": "hidden", "parameters": {"weights": [[0.4, 0.3], [0.2, 0.5]]}}]})),
    responses((status = 200, description = "The parameters of this layer, after the change.", body = WeightsView),
        OfPath, OfBody, Always))]
pub async fn replace_layer(
    State(app): State<Arc<App>>,
    Path((name, layer)): Path<(String, String)>,
    Json(body): Json<WeightsBody>,
) -> Result<Response, Problem> {
    let session = app.registry.session(&session_name(&name)?)?;
    let index = layer_index(&session, &layer)?;
    if let Some(other) = body.layers.iter().position(|named| named.name != layer) {
        let detail = format!("this path changes layer {layer} alone");
        return Err(Fault::new(format!("/layers/{other}/name"), Code::UnknownLayer, detail).into());
    }
    let live = session.replace(body.into_replacements()?, app.limits(), app.registry.compute()).await?;
    let mut view = WeightsView::of(&session, &live);
    view.layers = vec![view.layers.swap_remove(index)];
    Ok(json::large_answer(&app, parameters_bytes(session.subject().model()), view).await)
}

fn layer_index(session: &Session, layer: &str) -> Result<usize, Problem> {
    let found = session.subject().model().layer(layer).map(|(index, _)| index);
    found.ok_or_else(|| {
        Problem::new(
            Code::LayerNotFound,
            format!("the network has no layer {layer:?}; GET …/weights names those it has"),
        )
    })
}

impl WeightsView {
    fn of(session: &Session, live: &Live) -> Self {
        let layers = session.subject().model().layers().iter().zip(live.state.layers());
        let layer = |(named, parameters): (&crate::engine::model::NamedLayer, &Arc<Parameters>)| LayerWeights {
            name: named.name.clone(),
            kind: named.layer.kind(),
            parameters: Arc::clone(parameters),
        };
        Self {
            session: session.name().clone(),
            step: live.step,
            state: session.hash(live),
            layers: layers.map(layer).collect(),
        }
    }
}

impl WeightsBody {
    fn into_replacements(self) -> Result<Vec<Replacement>, Fault> {
        if self.layers.is_empty() {
            return Err(Fault::new("/layers", Code::WrongShape, "there are no layers here; at least one is needed"));
        }
        self.layers.into_iter().enumerate().map(|(at, layer)| layer.into_replacement(at)).collect()
    }
}

impl LayerWeightsBody {
    fn into_replacement(self, at: usize) -> Result<Replacement, Fault> {
        let layer = LayerName::parse(&self.name)
            .map_err(|error| Fault::new(format!("/layers/{at}/name"), Code::InvalidName, error.to_string()))?;
        let weights =
            self.parameters.weights.map(|rows| rows.into_weights(&format!("/layers/{at}/parameters/weights")));
        let weights = weights.transpose()?.map(|weights| (ParameterName::Weights, Tensor::Matrix(weights)));
        let bias = self.parameters.bias.map(|bias| (ParameterName::Bias, Tensor::Vector(bias)));
        Ok(Replacement { layer, parameters: weights.into_iter().chain(bias).collect() })
    }
}
