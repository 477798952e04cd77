//! A trace without a session: network and data in, everything out.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::passes::{Heading, PassAnswer, PassBody, TraceQuery};
use super::what_if::{self, OverrideBody};
use crate::engine::cost::Extent;
use crate::engine::loss::Loss;
use crate::engine::mode::Mode;
use crate::engine::model::Targets;
use crate::engine::pass::Pass;
use crate::engine::schema;
use crate::http::App;
use crate::http::body::Json;
use crate::http::json;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::responses;
use crate::http::rows::Rows;
use crate::http::spec_body::{NetworkBody, OptimizerBody, SessionBody};
use crate::http::strict::{given, given_whole, given_word, objects};
use crate::session::{Detail, Inspection, Subject};

/// A session's fields and a pass's fields in one body.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct ExplainBody {
    /// The name of a preset, in the place of network, loss, optimizer and seed
    #[schema(value_type = schema::Name, required = false)]
    #[serde(default, deserialize_with = "given")]
    preset: Option<String>,
    /// The network: its inputs, and its layers from the inputs up
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given")]
    network: Option<NetworkBody>,
    /// What the outputs are judged by; half_squared_error if left out
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given_word")]
    loss: Option<Loss>,
    /// How gradients become changes; sgd with 0.1 if left out
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given")]
    optimizer: Option<OptimizerBody>,
    /// Where the random numbers of first weights and of dropout start; 0 if left out
    #[schema(value_type = schema::Seed, required = false)]
    #[serde(default, deserialize_with = "given_whole")]
    seed: Option<u64>,
    /// x, `[examples][inputs]` or one row; a preset's own data if inputs and targets are left out
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given")]
    inputs: Option<Rows>,
    /// y, `[examples][outputs]` or one row; forward can do without
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given")]
    targets: Option<Rows>,
    /// train or eval: whether batch_norm uses the batch and dropout drops; if left out eval for forward, else train
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given_word")]
    mode: Option<Mode>,
    /// η for this pass alone, in the place of the optimizer's own
    #[schema(value_type = schema::NonNegative, required = false)]
    #[serde(default, deserialize_with = "given")]
    learning_rate: Option<f64>,
    /// Numbers to be set to others, for this pass alone; the answer is then what differs
    #[schema(min_items = 1, nullable = false)]
    #[serde(default, deserialize_with = "given")]
    what_if: Option<Vec<OverrideBody>>,
}

objects!(ExplainBody);

/// Explain
///
/// What a step would compute, from a network and data in the body: forward, loss, backward, update and the loss
/// afterwards. Nothing is kept.
#[utoipa::path(post, path = "/v1/explain", tag = "passes", operation_id = "explain", params(TraceQuery),
    request_body(content = ExplainBody, description = "The network, or a preset, and the batch",
        example = json!({"preset": "worked-example"})),
    responses((status = 200, description = "The whole trace.", body = PassAnswer), responses::Explain))]
pub async fn explain(
    State(app): State<Arc<App>>,
    Query(query): Query<TraceQuery>,
    Json(body): Json<ExplainBody>,
) -> Result<Response, Problem> {
    let (session, mut pass) = body.split();
    let subject = Arc::new(Subject::new(session.into_spec()?, app.limits())?);
    let extent = Extent::Step;
    let (limits, compute) = (app.limits(), app.registry.compute());
    let inspection = Inspection { subject: &subject, live: None, extent, limits, compute };
    if let Some(overrides) = pass.what_if.take() {
        return what_if::answer(&app, inspection, pass.into_request(Detail::None)?, overrides).await;
    }
    let request = pass.into_request(query.trace)?;
    let work = |pass: &Pass, targets: Option<&Targets>| match targets {
        Some(targets) => pass.step(targets).map(|(trace, _)| trace),
        None => unreachable!("a step was prepared with targets"),
    };
    let (cost, trace) = inspection.trace(request, work).await?;
    Ok(json::large_answer(&app, cost.answer_bytes, PassAnswer::new(Heading::new(None), trace, query.trace)).await)
}

impl ExplainBody {
    fn split(self) -> (SessionBody, PassBody) {
        let Self { preset, network, loss, optimizer, seed, inputs, targets, mode, learning_rate, what_if } = self;
        (
            SessionBody { preset, network, loss, optimizer, seed },
            PassBody { inputs, targets, mode, learning_rate, what_if },
        )
    }
}
