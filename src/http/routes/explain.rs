//! A trace without a session: network and data in, everything out.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::passes::{Heading, PassAnswer, PassBody, TraceQuery, written};
use super::what_if;
use crate::engine::cost::Extent;
use crate::http::App;
use crate::http::body::Json;
use crate::http::fields::bodies;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::responses;
use crate::http::spec_body::SessionBody;
use crate::session::{Detail, Inspection, Subject};

bodies! {
    /// A session's fields and a pass's fields in one body.
    pub struct ExplainBody {
        ..session,
        ..batch,
        ..learning_rate,
        ..what_if,
    }
}

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
    headers: HeaderMap,
    Json(body): Json<ExplainBody>,
) -> Result<Response, Problem> {
    let wanted = query.wanted(&headers)?;
    let (session, mut pass) = body.split();
    let subject = Arc::new(Subject::new(session.into_spec()?, app.limits())?);
    let extent = Extent::Step;
    let (limits, compute) = (app.limits(), app.registry.compute());
    let inspection = Inspection { subject: &subject, live: None, extent, limits, compute };
    if let Some(overrides) = pass.what_if.take() {
        let form = wanted.report()?;
        return what_if::answer(&app, form, inspection, pass.into_request(Detail::None)?, overrides).await;
    }
    let request = pass.into_request(query.detail())?;
    let form = wanted.of(subject.model(), subject.examples(&request))?;
    let (cost, trace) = inspection.step(request).await?;
    Ok(written(&app, cost.answer_bytes, (Heading::new(None), trace), (query.detail(), form)).await)
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
