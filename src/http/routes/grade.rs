//! Grading: a client's own numbers judged, over a session or without one.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Deserializer};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::passes::PassBody;
use crate::engine::cost::{Cost, Extent};
use crate::engine::loss::Loss;
use crate::engine::mode::Mode;
use crate::engine::model::Targets;
use crate::engine::pass::Pass;
use crate::engine::schema;
use crate::http::App;
use crate::http::body::Json;
use crate::http::code::Code;
use crate::http::extract::{Path, session_name};
use crate::http::json;
use crate::http::problem::{Fault, Problem};
use crate::http::responses;
use crate::http::rows::Rows;
use crate::http::spec_body::{NetworkBody, OptimizerBody, SessionBody};
use crate::http::strict::{given, given_whole, given_word, objects};
use crate::insight::grade::{Claim, Grade, TOLERANCE, grade, numbers, work};
use crate::session::{Detail, Inspection, Subject, SubjectError};

/// Numbers to be judged as those of a session's next step.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct GradeBody {
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
    /// Any part of a trace, in the trace's own form; numbers may be rounded
    claim: ClaimBody,
    /// How far a number may be off beyond its own rounding, relative to the largest of its quantity; 1e-9 if left out
    #[schema(value_type = schema::Share, required = false)]
    #[serde(default, deserialize_with = "given")]
    tolerance: Option<f64>,
}

/// A session's fields, a pass's fields and the numbers to be judged.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct StatelessGradeBody {
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
    /// Any part of a trace, in the trace's own form; numbers may be rounded
    claim: ClaimBody,
    /// How far a number may be off beyond its own rounding, relative to the largest of its quantity; 1e-9 if left out
    #[schema(value_type = schema::Share, required = false)]
    #[serde(default, deserialize_with = "given")]
    tolerance: Option<f64>,
}

/// Any part of a trace, and of how many entries it is made. They are counted where the body is read.
#[derive(Debug)]
pub struct ClaimBody(Claim, u64);

impl<'de> Deserialize<'de> for ClaimBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let claim = Claim::deserialize(deserializer)?;
        let entries = claim.entries();
        Ok(Self(claim, entries))
    }
}

impl PartialSchema for ClaimBody {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().description(Some("Any part of a trace, in the trace's own form.")).into()
    }
}

impl ToSchema for ClaimBody {}

objects!(GradeBody, StatelessGradeBody);

/// Grade
///
/// Your own numbers judged as those of the session's next step: right, or the first wrong one, and the mistake that
/// makes exactly these numbers. Nothing changes.
#[utoipa::path(post, path = "/v1/sessions/{name}/grade", tag = "insights", operation_id = "grade_on_session",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo")),
    request_body(content = GradeBody, description = "The batch and the claim",
        example = json!({"claim": {"forward": {"outputs": [[0.638]]}}})),
    responses((status = 200, description = "Right or wrong, and why.", body = Grade), responses::GradeOnSession))]
pub async fn on_session(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Json(body): Json<GradeBody>,
) -> Result<Response, Problem> {
    let session = app.registry.session(&session_name(&name)?).await?;
    let GradeBody { inputs, targets, mode, learning_rate, claim, tolerance } = body;
    let (_, inspection) = session.inspect(Extent::Step);
    let pass = PassBody { inputs, targets, mode, learning_rate, what_if: None };
    judge(&app, inspection, pass, claim, tolerance).await
}

/// Grade without a session
///
/// Your own numbers judged as those of the first step of the network in the body.
#[utoipa::path(post, path = "/v1/grade", tag = "insights", operation_id = "grade",
    request_body(content = StatelessGradeBody, description = "The network, or a preset, the batch and the claim",
        example = json!({"preset": "worked-example", "claim": {"forward": {"outputs": [[0.638]]}}})),
    responses((status = 200, description = "Right or wrong, and why.", body = Grade), responses::GradeStateless))]
pub async fn stateless(State(app): State<Arc<App>>, Json(body): Json<StatelessGradeBody>) -> Result<Response, Problem> {
    let StatelessGradeBody { preset, network, loss, optimizer, seed, .. } = body;
    let session = SessionBody { preset, network, loss, optimizer, seed };
    let subject = Arc::new(Subject::new(session.into_spec()?, app.limits())?);
    let StatelessGradeBody { inputs, targets, mode, learning_rate, claim, tolerance, .. } = body;
    let (limits, compute) = (app.limits(), app.registry.compute());
    let inspection = Inspection { subject: &subject, live: None, extent: Extent::Step, limits, compute };
    let pass = PassBody { inputs, targets, mode, learning_rate, what_if: None };
    judge(&app, inspection, pass, claim, tolerance).await
}

async fn judge(
    app: &App,
    inspection: Inspection<'_>,
    pass: PassBody,
    ClaimBody(claim, entries): ClaimBody,
    tolerance: Option<f64>,
) -> Result<Response, Problem> {
    let tolerance = tolerance.unwrap_or(TOLERANCE);
    if !(0.0..=1.0).contains(&tolerance) {
        let detail = format!("a tolerance is from 0 to 1, and this one is {tolerance}");
        return Err(Fault::new("/tolerance", Code::NumberOutOfRange, detail).into());
    }
    let limits = app.limits().clone();
    let (most_work, most_numbers) = (limits.multiply_adds, limits.pass_numbers);
    let permitted = move |step: Cost, _| {
        // The trace itself, and again with each mistake in it.
        let (multiply_adds, numbers) = (work(step, entries), numbers(step, entries));
        if multiply_adds > most_work {
            Err(SubjectError::TooMuchWork { multiply_adds, limit: most_work })
        } else if numbers > most_numbers {
            Err(SubjectError::TooManyNumbers { numbers, limit: most_numbers })
        } else {
            Ok(multiply_adds)
        }
    };
    let work = move |pass: &Pass, targets: Option<&Targets>| {
        targets.map(|targets| grade(pass, targets, &claim, tolerance, &limits))
    };
    let (_, found) = inspection.run_if(pass.into_request(Detail::None)?, permitted, work).await?;
    Ok(json::large_answer(app, 0, found.transpose()?).await)
}
