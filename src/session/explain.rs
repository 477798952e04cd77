//! A step without a session: made, looked at and forgotten.

use std::sync::Arc;

use thiserror::Error;

use super::SessionError;
use super::compute::{Compute, Length, Work};
use super::subject::{BatchPart, PassRequest, Subject, SubjectError, SubjectSpec};
use crate::engine::cost::Extent;
use crate::engine::model::ModelError;
use crate::engine::trace::Trace;
use crate::limits::Limits;

/// Why there is nothing to explain.
#[derive(Clone, Debug, Error, PartialEq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum ExplainError {
    #[error("{0}")]
    Model(#[from] ModelError),
    #[error("{0}")]
    Session(#[from] SessionError),
}

/// The trace of the step that a new session of this spec would make first.
pub async fn explain(
    spec: SubjectSpec,
    request: PassRequest,
    limits: &Limits,
    compute: &Compute,
) -> Result<(Arc<Subject>, Trace), ExplainError> {
    let subject = Arc::new(Subject::new(spec, limits)?);
    let prepared = subject.prepare(request, Extent::Step, limits).map_err(SessionError::Subject)?;
    let targets =
        prepared.targets.clone().ok_or(SubjectError::Missing(BatchPart::Targets)).map_err(SessionError::Subject)?;
    let length = Length::of(prepared.cost.multiply_adds, limits.inline_multiply_adds);
    let explained = Arc::clone(&subject);
    let work = move || {
        let model = explained.model();
        prepared.pass(model, &model.start()).step(&targets)
    };
    let (trace, _) = compute.run(Work::Pass, length, work).await.map_err(SessionError::Pass)?;
    Ok((subject, trace))
}
