//! Grading: a client's own numbers judged, over a session or without one.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Deserializer};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::passes::PassBody;
use crate::engine::cost::{Cost, Extent};
use crate::engine::model::Targets;
use crate::engine::pass::Pass;
use crate::engine::schema;
use crate::http::App;
use crate::http::body::Json;
use crate::http::code::Code;
use crate::http::extract::{Path, session_name};
use crate::http::fields::bodies;
use crate::http::problem::{Fault, Problem};
use crate::http::query::Query;
use crate::http::report::{Report, ReportQuery};
use crate::http::responses;
use crate::http::spec_body::SessionBody;
use crate::insight::grade::{Claim, Grade, TOLERANCE, grade, numbers, work};
use crate::render::report;
use crate::session::{Detail, Inspection, Subject, SubjectError};

bodies! {
    /// Numbers to be judged as those of a session's next step.
    pub struct GradeBody {
        ..batch,
        ..learning_rate,
        ..claim,
    }

    /// A session's fields, a pass's fields and the numbers to be judged.
    pub struct StatelessGradeBody {
        ..session,
        ..batch,
        ..learning_rate,
        ..claim,
    }
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

/// Grade
///
/// Your own numbers judged as those of the session's next step: right, or the first wrong one, and the mistake that
/// makes exactly these numbers. Nothing changes.
#[utoipa::path(post, path = "/v1/sessions/{name}/grade", tag = "insights", operation_id = "grade_on_session",
    params(("name" = inline(schema::Name), Path, description = "The session's name", example = "demo"), ReportQuery),
    request_body(content = GradeBody, description = "The batch and the claim",
        example = json!({"claim": {"forward": {"outputs": [[0.638]]}}})),
    responses((status = 200, description = "Right or wrong, and why.", body = Grade), responses::GradeOnSession))]
pub async fn on_session(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(query): Query<ReportQuery>,
    headers: HeaderMap,
    Json(body): Json<GradeBody>,
) -> Result<Response, Problem> {
    let form = query.form(&headers)?;
    let session = app.registry.session(&session_name(&name)?).await?;
    let GradeBody { inputs, targets, mode, learning_rate, claim, tolerance } = body;
    let (_, inspection) = session.inspect(Extent::Step);
    let pass = PassBody { inputs, targets, mode, learning_rate, what_if: None };
    judge(&app, form, inspection, pass, (claim, tolerance)).await
}

/// Grade without a session
///
/// Your own numbers judged as those of the first step of the network in the body.
#[utoipa::path(post, path = "/v1/grade", tag = "insights", operation_id = "grade",
    params(ReportQuery),
    request_body(content = StatelessGradeBody, description = "The network, or a preset, the batch and the claim",
        example = json!({"preset": "worked-example", "claim": {"forward": {"outputs": [[0.638]]}}})),
    responses((status = 200, description = "Right or wrong, and why.", body = Grade), responses::GradeStateless))]
pub async fn stateless(
    State(app): State<Arc<App>>,
    Query(query): Query<ReportQuery>,
    headers: HeaderMap,
    Json(body): Json<StatelessGradeBody>,
) -> Result<Response, Problem> {
    let form = query.form(&headers)?;
    let StatelessGradeBody { preset, network, loss, optimizer, seed, .. } = body;
    let session = SessionBody { preset, network, loss, optimizer, seed };
    let subject = Arc::new(Subject::new(session.into_spec()?, app.limits())?);
    let StatelessGradeBody { inputs, targets, mode, learning_rate, claim, tolerance, .. } = body;
    let (limits, compute) = (app.limits(), app.registry.compute());
    let inspection = Inspection { subject: &subject, live: None, extent: Extent::Step, limits, compute };
    let pass = PassBody { inputs, targets, mode, learning_rate, what_if: None };
    judge(&app, form, inspection, pass, (claim, tolerance)).await
}

async fn judge(
    app: &App,
    form: Report,
    inspection: Inspection<'_>,
    pass: PassBody,
    (ClaimBody(claim, entries), tolerance): (ClaimBody, Option<f64>),
) -> Result<Response, Problem> {
    const LESS: &str = "claim fewer numbers, or send fewer rows";
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
            Err(SubjectError::TooMuchWork { multiply_adds, limit: most_work, less: LESS })
        } else if numbers > most_numbers {
            Err(SubjectError::TooManyNumbers { numbers, limit: most_numbers, less: LESS })
        } else {
            Ok(multiply_adds)
        }
    };
    let work = move |pass: &Pass, targets: &Targets| grade(pass, targets, &claim, tolerance, &limits);
    let (_, found) = inspection.run_with_targets(pass.into_request(Detail::None)?, permitted, work).await?;
    Ok(form.answer(app, 0, found?, report::grade).await)
}
