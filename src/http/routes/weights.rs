//! A session's parameters: read, one layer read, replaced.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::engine::cost::parameters_bytes;
use crate::engine::layer::{LayerKind, NamedLayer};
use crate::engine::name::{LayerName, LayerPath};
use crate::engine::schema;
use crate::engine::state::{LayerState, Replacement, Running, StateHash};
use crate::engine::tensor::{Gradients, ParameterName, Parameters, Tensor};
use crate::http::App;
use crate::http::code::Code;
use crate::http::conditions::{Change, tagged, unless_known};
use crate::http::extract::{Path, session_name};
use crate::http::json;
use crate::http::problem::{Fault, Problem};
use crate::http::responses;
use crate::http::rows::Rows;
use crate::http::strict::{given, given_step, given_word, objects};
use crate::session::{Live, Session, SessionName};

/// A session's parameters.
#[derive(Serialize, ToSchema)]
pub struct WeightsView {
    /// The session that they belong to
    #[schema(value_type = schema::Name)]
    session: SessionName,
    /// The step at which they are these
    #[schema(value_type = schema::Count)]
    step: u64,
    /// Their hash, of all layers together
    #[schema(value_type = schema::StateHash)]
    state: StateHash,
    /// The layers from the inputs up
    layers: Vec<LayerWeights>,
}

/// One layer's parameters.
#[derive(Serialize, ToSchema)]
pub struct LayerWeights {
    /// The layer's name
    #[schema(value_type = schema::Name)]
    name: LayerName,
    /// The layer's kind
    kind: LayerKind,
    /// `weights[i][j]` joins unit i below to unit j above; only where the layer has parameters
    #[serde(skip_serializing_if = "no_parameters")]
    #[schema(value_type = Gradients, required = false)] // the same form
    parameters: Arc<Parameters>,
    /// batch_norm: the statistics gathered in training
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Running>, nullable = false)]
    running: Option<Arc<Running>>,
    /// The layers inside, from below
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, no_recursion)]
    layers: Vec<LayerWeights>,
}

fn no_parameters(parameters: &Parameters) -> bool {
    parameters.is_empty()
}

/// Parameters to be put in the place of others. What is not named stays as it is. An answer of this path can be sent
/// back as it came.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct WeightsBody {
    /// The layers to be changed
    #[schema(min_items = 1)]
    layers: Vec<LayerWeightsBody>,
    /// As it stands in an answer; not read
    #[serde(rename = "session", default, deserialize_with = "given")]
    #[schema(value_type = schema::Name, required = false)]
    _session: Option<SessionName>,
    /// As it stands in an answer; not read
    #[serde(rename = "step", default, deserialize_with = "given_step")]
    #[schema(value_type = schema::Count, required = false)]
    _step: Option<u64>,
    /// As it stands in an answer; not read
    #[serde(rename = "state", default, deserialize_with = "given")]
    #[schema(value_type = schema::StateHash, required = false)]
    _state: Option<StateHash>,
}

/// One layer's new parameters.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct LayerWeightsBody {
    /// The layer's name
    #[schema(value_type = schema::Name)]
    name: String,
    /// As it stands in an answer; not read
    #[serde(rename = "kind", default, deserialize_with = "given_word")]
    #[schema(value_type = LayerKind, required = false)]
    _kind: Option<LayerKind>,
    /// The parameters to be changed
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given")]
    parameters: Option<ParametersBody>,
    /// batch_norm: running statistics to be changed, both at once
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given")]
    running: Option<RunningBody>,
    /// Layers inside of this one to be changed
    #[schema(nullable = false, no_recursion)]
    #[serde(default, deserialize_with = "given")]
    layers: Option<Vec<LayerWeightsBody>>,
}

/// New running statistics of a batch normalization.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct RunningBody {
    /// The new running mean, `[units]`
    #[schema(value_type = schema::Row)]
    mean: Vec<f64>,
    /// The new running variance, `[units]`, not below zero
    #[schema(value_type = schema::Variances)]
    variance: Vec<f64>,
}

/// New values for some of a layer's parameters.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct ParametersBody {
    /// New weights, `[in][out]`: `weights[i][j]` joins unit i below to unit j above
    #[schema(value_type = schema::Matrix, required = false)]
    #[serde(default, deserialize_with = "given")]
    weights: Option<Rows>,
    /// New biases, `[out]`
    #[schema(value_type = schema::Row, required = false)]
    #[serde(default, deserialize_with = "given")]
    bias: Option<Vec<f64>>,
    /// New factors γ of a normalization, `[units]`
    #[schema(value_type = schema::Row, required = false)]
    #[serde(default, deserialize_with = "given")]
    gamma: Option<Vec<f64>>,
    /// New shifts β of a normalization, `[units]`
    #[schema(value_type = schema::Row, required = false)]
    #[serde(default, deserialize_with = "given")]
    beta: Option<Vec<f64>>,
}

objects!(WeightsBody, LayerWeightsBody, ParametersBody, RunningBody);

/// Read all parameters
#[utoipa::path(get, path = "/v1/sessions/{name}/weights", tag = "weights", operation_id = "read_weights",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo")),
    responses((status = 200, description = "The parameters of every layer.", body = WeightsView), responses::ReadWeights))]
pub async fn read(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let session = app.registry.session(&session_name(&name)?).await?;
    let live = session.live();
    Ok(unless_known(&headers, live.tag, answer(&app, &session, session.name(), &live, None)).await)
}

/// Read one layer's parameters
#[utoipa::path(get, path = "/v1/sessions/{name}/weights/{layer}", tag = "weights", operation_id = "read_layer_weights",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"),
        ("layer" = inline(schema::Name), Path, description = "The layer's name", example = "hidden")),
    responses((status = 200, description = "The parameters of this layer.", body = WeightsView), responses::ReadLayerWeights))]
pub async fn read_layer(
    State(app): State<Arc<App>>,
    Path((name, layer)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let session = app.registry.session(&session_name(&name)?).await?;
    let path = layer_path(&session, &layer)?;
    let live = session.live();
    Ok(unless_known(&headers, live.tag, answer(&app, &session, session.name(), &live, Some(&path))).await)
}

/// Replace parameters
///
/// The session is one step further; what the body does not name stays as it is.
#[utoipa::path(put, path = "/v1/sessions/{name}/weights", tag = "weights", operation_id = "replace_weights",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"), responses::ChangeHeaders),
    request_body(content = WeightsBody, description = "The new values",
        example = json!({"layers": [{"name": "hidden", "parameters": {"weights": [[0.4, 0.3], [0.2, 0.5]]}}]})),
    responses((status = 200, description = "All parameters, after the change.", body = WeightsView), responses::ReplaceWeights))]
pub async fn replace(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    change: Change<WeightsBody>,
) -> Result<Response, Problem> {
    let name = session_name(&name)?;
    let body = change.body;
    let work = async |terms| {
        let session = app.registry.session(&name).await?;
        let live = session.replace(body.into_replacements()?, None, terms).await?;
        Ok(answer(&app, &session, session.name(), &live, None).await)
    };
    change.conditions.once(&app, work).await
}

/// Replace one layer's parameters
///
/// The session is one step further; what the body does not name stays as it is.
#[utoipa::path(put, path = "/v1/sessions/{name}/weights/{layer}", tag = "weights", operation_id = "replace_layer_weights",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"),
        ("layer" = inline(schema::Name), Path, description = "The layer's name", example = "hidden"), responses::ChangeHeaders),
    request_body(content = WeightsBody, description = "The new values, under this layer's name",
        example = json!({"layers": [{"name": "hidden", "parameters": {"weights": [[0.4, 0.3], [0.2, 0.5]]}}]})),
    responses((status = 200, description = "The parameters of this layer, after the change.", body = WeightsView),
        responses::ReplaceLayerWeights))]
pub async fn replace_layer(
    State(app): State<Arc<App>>,
    Path((name, layer)): Path<(String, String)>,
    change: Change<WeightsBody>,
) -> Result<Response, Problem> {
    let name = session_name(&name)?;
    let body = change.body;
    let work = async |terms| {
        let session = app.registry.session(&name).await?;
        let path = layer_path(&session, &layer)?;
        if let Some(other) = body.layers.iter().position(|named| named.name != layer) {
            let detail = format!("this path changes layer {layer} alone");
            return Err(Fault::new(format!("/layers/{other}/name"), Code::UnknownLayer, detail).into());
        }
        let layer = session.subject().model().at(&path).map(|named| named.name.clone());
        let live = session.replace(body.into_replacements()?, layer, terms).await?;
        Ok(answer(&app, &session, session.name(), &live, Some(&path)).await)
    };
    change.conditions.once(&app, work).await
}

/// What replacing parameters was answered with: those of one layer, or of all.
pub async fn recalled(
    app: &App,
    session: &Session,
    name: &SessionName,
    live: &Live,
    layer: Option<&LayerName>,
) -> Result<Response, Problem> {
    let path = layer.map(|layer| layer_path(session, layer.as_str())).transpose()?;
    Ok(answer(app, session, name, live, path.as_ref()).await)
}

/// The answer, written where its size says: that of one layer or of all.
async fn answer(app: &App, session: &Session, name: &SessionName, live: &Live, path: Option<&LayerPath>) -> Response {
    let model = session.subject().model();
    let layer = path.and_then(|path| model.at(path)).map(std::slice::from_ref);
    let view = WeightsView::of(session, name, live, path);
    let response = json::large_answer(app, parameters_bytes(layer.unwrap_or(model.layers())), view).await;
    tagged(response, live.tag)
}

fn layer_path(session: &Session, layer: &str) -> Result<LayerPath, Problem> {
    session.subject().model().layer(layer).map(|(path, _)| path).ok_or_else(|| {
        Problem::new(
            Code::LayerNotFound,
            format!("the network has no layer {layer:?}; GET …/weights names those it has"),
        )
    })
}

impl WeightsView {
    /// Of all layers, or of the one at a path with those inside of it.
    fn of(session: &Session, name: &SessionName, live: &Live, path: Option<&LayerPath>) -> Self {
        let mut layers = views(session.subject().model().layers(), live.state().layers());
        for (depth, &index) in path.map(LayerPath::indices).unwrap_or_default().iter().enumerate() {
            let found = if depth == 0 { layers } else { layers.swap_remove(0).layers };
            layers = found.into_iter().skip(index).take(1).collect();
        }
        Self { session: name.clone(), step: live.step(), state: live.hash(), layers }
    }
}

fn views(layers: &[NamedLayer], states: &[LayerState]) -> Vec<LayerWeights> {
    let view = |(named, state): (&NamedLayer, &LayerState)| LayerWeights {
        name: named.name.clone(),
        kind: named.layer.kind(),
        parameters: Arc::clone(&state.parameters),
        running: state.running.clone(),
        layers: views(named.layer.inner(), &state.layers),
    };
    layers.iter().zip(states).map(view).collect()
}

impl WeightsBody {
    fn into_replacements(self) -> Result<Vec<Replacement>, Fault> {
        if self.layers.is_empty() {
            return Err(Fault::new("/layers", Code::WrongShape, "there are no layers here; at least one is needed"));
        }
        let mut replacements = vec![];
        add_replacements(self.layers, &LayerPath::default(), &mut replacements)?;
        Ok(replacements)
    }
}

fn add_replacements(
    layers: Vec<LayerWeightsBody>,
    outer: &LayerPath,
    replacements: &mut Vec<Replacement>,
) -> Result<(), Fault> {
    for (index, layer) in layers.into_iter().enumerate() {
        let at = outer.inside(index);
        let name = LayerName::parse(&layer.name)
            .map_err(|error| Fault::new(format!("{at}/name"), Code::InvalidName, error.to_string()))?;
        let ParametersBody { weights, bias, gamma, beta } = layer.parameters.unwrap_or_default();
        let weights = weights.map(|rows| rows.into_weights(&format!("{at}/parameters/weights"))).transpose()?;
        let vector = |name, values: Option<Vec<f64>>| values.map(|values| (name, Tensor::Vector(values)));
        let parameters = [
            weights.map(|weights| (ParameterName::Weights, Tensor::Matrix(weights))),
            vector(ParameterName::Bias, bias),
            vector(ParameterName::Gamma, gamma),
            vector(ParameterName::Beta, beta),
        ];
        let running = layer.running.map(|RunningBody { mean, variance }| Running { mean, variance });
        let parameters = parameters.into_iter().flatten().collect();
        replacements.push(Replacement { at: at.clone(), layer: name, parameters, running });
        add_replacements(layer.layers.unwrap_or_default(), &at, replacements)?;
    }
    Ok(())
}
