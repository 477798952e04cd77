//! Looking without touching: passes over a model in one of its states, on the right thread, with nothing changed.

use std::sync::Arc;

use super::compute::{Compute, Length, Work};
use super::session::{Live, SessionError};
use super::subject::{BatchPart, PassRequest, Subject, SubjectError, answerable};
use crate::engine::cost::{Cost, Extent};
use crate::engine::model::Targets;
use crate::engine::pass::{Pass, PassError};
use crate::engine::trace::Trace;
use crate::limits::Limits;

/// What is looked at, and where it is computed.
pub struct Inspection<'a> {
    /// The model and its data
    pub subject: &'a Arc<Subject>,
    /// A session's state; the one that the model starts with where there is no session
    pub live: Option<Arc<Live>>,
    /// How far its passes go
    pub extent: Extent,
    /// What is permitted
    pub limits: &'a Limits,
    /// Where long work runs
    pub compute: &'a Compute,
}

impl Inspection<'_> {
    /// Checks the request and does the work with the pass. Answers the cost too.
    pub async fn run<R: Send + 'static>(
        self,
        request: PassRequest,
        work: impl FnOnce(&Pass, Option<&Targets>) -> R + Send + 'static,
    ) -> Result<(Cost, R), SubjectError> {
        self.run_if(request, |cost, _| Ok(cost.multiply_adds), work).await
    }

    /// The same for work that makes a trace, of which as much can be answered as the request wants.
    pub async fn trace(
        self,
        request: PassRequest,
        work: impl FnOnce(&Pass, Option<&Targets>) -> Result<Trace, PassError> + Send + 'static,
    ) -> Result<(Cost, Trace), SessionError> {
        let detail = request.detail;
        let (cost, trace) = self.run(request, move |pass, targets| answerable(work(pass, targets)?, detail)).await?;
        Ok((cost, trace?))
    }

    /// Checks the request, lets `permitted` judge the cost of its pass over so many examples and say how many
    /// multiply-adds the whole work takes, and does the work with the pass. Answers the cost of the pass too.
    pub async fn run_if<R: Send + 'static>(
        self,
        request: PassRequest,
        permitted: impl FnOnce(Cost, usize) -> Result<u64, SubjectError>,
        work: impl FnOnce(&Pass, Option<&Targets>) -> R + Send + 'static,
    ) -> Result<(Cost, R), SubjectError> {
        let Self { subject, live, extent, limits, compute } = self;
        let prepared = subject.prepare(request, extent, limits)?;
        let cost = prepared.cost;
        let length = Length::of(permitted(cost, prepared.inputs.matrix().rows())?, limits.inline_multiply_adds);
        let subject = Arc::clone(subject);
        let work = move || {
            let model = subject.model();
            match live {
                Some(live) => work(&prepared.pass(model, live.state()), prepared.targets.as_ref()),
                None => work(&prepared.pass(model, &model.start()), prepared.targets.as_ref()),
            }
        };
        Ok((cost, compute.run(Work::Pass, length, work).await))
    }

    /// The same for work that cannot be done without targets.
    pub async fn run_with_targets<R: Send + 'static>(
        self,
        request: PassRequest,
        permitted: impl FnOnce(Cost, usize) -> Result<u64, SubjectError>,
        work: impl FnOnce(&Pass, &Targets) -> R + Send + 'static,
    ) -> Result<(Cost, R), SubjectError> {
        let work = move |pass: &Pass, targets: Option<&Targets>| targets.map(|targets| work(pass, targets));
        let (cost, found) = self.run_if(request, permitted, work).await?;
        Ok((cost, found.ok_or(SubjectError::Missing(BatchPart::Targets))?))
    }

    /// A whole step, as the trace that it would leave. Nothing changes.
    pub async fn step(self, request: PassRequest) -> Result<(Cost, Trace), SessionError> {
        let detail = request.detail;
        let work = move |pass: &Pass, targets: &Targets| answerable(pass.step(targets)?.0, detail);
        let (cost, trace) = self.run_with_targets(request, |cost, _| Ok(cost.multiply_adds), work).await?;
        Ok((cost, trace?))
    }
}
