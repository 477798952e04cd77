//! What changes a session: a step, replaced parameters, and going back. Each is computed from the session as it stands
//! and becomes one entry of its log.

use std::sync::Arc;

use super::cbor::Numbers;
use super::compute::{Length, Work};
use super::record::{Batch, Command, ReplaceCommand, StepCommand};
use super::session::{Live, Made, Session, SessionError, Terms, keep_snapshot};
use super::subject::{BatchPart, PassRequest, SubjectError, answerable};
use crate::engine::cost::Extent;
use crate::engine::name::LayerName;
use crate::engine::state::Replacement;
use crate::engine::summary::Sizes;
use crate::engine::trace::Trace;

impl Session {
    /// Forward, backward and the update: the session is one step further, whether or not the caller waits for it.
    pub async fn step(
        self: &Arc<Self>,
        request: PassRequest,
        terms: Terms,
    ) -> Result<(Trace, Arc<Live>), SessionError> {
        let limits = &self.services.limits;
        let own = request.inputs.is_none() && request.targets.is_none();
        let prepared = Arc::new(self.subject.prepare(request, Extent::Step, limits)?);
        let targets = prepared.targets.clone().ok_or(SubjectError::Missing(BatchPart::Targets))?;
        let work = prepared.cost.multiply_adds;
        let length = Length::of(work, limits.inline_multiply_adds);
        self.change(terms, move |session, live| {
            let (prepared, targets) = (Arc::clone(&prepared), targets.clone());
            let subject = Arc::clone(&session.subject);
            let compute = move || {
                let (trace, state) = prepared.pass(subject.model(), live.state()).step(&targets)?;
                let trace = answerable(trace, prepared.detail)?;
                state.hash(subject.model());
                let batch = (!own).then(|| Batch {
                    inputs: Numbers::of(prepared.inputs.matrix()),
                    targets: Numbers::of(targets.matrix()),
                });
                let (mode, learning_rate, detail) = (prepared.mode, prepared.learning_rate, prepared.detail);
                let command = Command::Step(StepCommand { batch, mode, learning_rate, detail });
                Ok(Made { sizes: Sizes::of(&trace), result: trace, state, command, work, steps: 1 })
            };
            async move { session.services.compute.run(Work::Pass, length, compute).await }
        })
        .await
    }

    /// Replaces parameters: the session is one step further. `answered` is the layer that the answer is about, or all.
    pub async fn replace(
        self: &Arc<Self>,
        replacements: Vec<Replacement>,
        answered: Option<LayerName>,
        terms: Terms,
    ) -> Result<Arc<Live>, SessionError> {
        let length = Length::of(self.subject.model().parameters() as u64, self.services.limits.inline_multiply_adds);
        let replacements = Arc::new(replacements);
        let replaced = move |session: Arc<Self>, live: Arc<Live>| {
            let (replacements, answered) = (Arc::clone(&replacements), answered.clone());
            let subject = Arc::clone(&session.subject);
            let compute = move || {
                let state = live.state().replaced(subject.model(), (*replacements).clone())?;
                state.hash(subject.model());
                let command = Command::Replace(ReplaceCommand::new(answered, &replacements));
                Ok(Made { result: (), state, command, sizes: Sizes::default(), work: 0, steps: 1 })
            };
            async move { session.services.compute.run(Work::Pass, length, compute).await }
        };
        self.change(terms, replaced).await.map(|((), live)| live)
    }

    /// Goes back to the state of an earlier step, as a step of its own: going back can be undone by going back.
    pub async fn rewind(self: &Arc<Self>, to: u64, terms: Terms) -> Result<Arc<Live>, SessionError> {
        let back = move |session: Arc<Self>, live: Arc<Live>| async move {
            session.check_step(to, live.step())?;
            let to = session.reached_at(to);
            let then = session.replay().at(to).await?;
            let command = Command::Rewind { to };
            Ok(Made { result: (), state: then.state().clone(), command, sizes: Sizes::default(), work: 0, steps: 1 })
        };
        let ((), live) = self.change(terms, back).await?;
        // The way to whatever follows begins here and not somewhere behind the step that was gone back to.
        let (services, log, kept) = (Arc::clone(&self.services), self.log.id, Arc::clone(&live));
        tokio::spawn(async move { keep_snapshot(&services, log, &kept).await });
        Ok(live)
    }

    /// Whether the session has a step.
    pub(super) fn check_step(&self, step: u64, last: u64) -> Result<(), SessionError> {
        if step <= last {
            return Ok(());
        }
        Err(SessionError::NoStep { session: self.name().clone(), step, last })
    }
}
