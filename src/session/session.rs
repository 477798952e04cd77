//! One session: a model with its state, which changes one step at a time.

use std::sync::{Arc, PoisonError, RwLock};

use thiserror::Error;
use tokio::sync::Mutex;

use super::SessionName;
use super::compute::{Compute, Length};
use super::subject::{BatchPart, PassRequest, Subject, SubjectError};
use crate::engine::cost::Extent;
use crate::engine::pass::{self, PassError};
use crate::engine::state::{ReplaceError, Replacement, State, StateHash};
use crate::engine::trace::Trace;
use crate::limits::Limits;

/// A named model that learns.
pub struct Session {
    name: SessionName,
    subject: Arc<Subject>,
    /// What readers see. A std lock, since it is only held to copy or to set one pointer, never across an await.
    live: RwLock<Arc<Live>>,
    /// Held by the one who makes the next change, from reading the state until the new one is set: concurrent
    /// changes come one after the other, in the order in which they got the turn.
    turn: Mutex<()>,
}

/// A session at one of its steps.
#[derive(Debug)]
pub struct Live {
    /// Changes made since the creation
    pub step: u64,
    /// What they led to
    pub state: State,
}

/// A pass over a session, and where the session stands after it.
pub struct Stepped {
    /// What was computed
    pub trace: Trace,
    /// The session's step after the call
    pub step: u64,
}

/// Why a session cannot do what it was asked.
#[derive(Clone, Debug, Error, PartialEq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum SessionError {
    #[error("{0}")]
    Subject(#[from] SubjectError),
    #[error("{0}")]
    Pass(#[from] PassError),
    #[error("{0}")]
    Replace(#[from] ReplaceError),
}

impl Session {
    /// A session at step 0.
    pub fn new(name: SessionName, subject: Subject) -> Self {
        let live = Live { step: 0, state: hashed(subject.model().start(), &subject) };
        Self { name, subject: Arc::new(subject), live: RwLock::new(Arc::new(live)), turn: Mutex::new(()) }
    }

    /// The session's name.
    pub fn name(&self) -> &SessionName {
        &self.name
    }

    /// The model and its data.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The session as it stands now.
    pub fn live(&self) -> Arc<Live> {
        // The lock cannot be poisoned in a way that matters: a pointer is whole or not set.
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The hash of the state at a step.
    pub fn hash(&self, live: &Live) -> StateHash {
        live.state.hash(self.subject.model().layers())
    }

    /// The forward pass; nothing changes.
    pub async fn forward(
        &self,
        request: PassRequest,
        limits: &Limits,
        compute: &Compute,
    ) -> Result<Stepped, SessionError> {
        self.look(Extent::Forward, request, limits, compute).await
    }

    /// Forward, backward, and the update that a step would make; nothing changes.
    pub async fn backward(
        &self,
        request: PassRequest,
        limits: &Limits,
        compute: &Compute,
    ) -> Result<Stepped, SessionError> {
        self.look(Extent::Backward, request, limits, compute).await
    }

    async fn look(
        &self,
        extent: Extent,
        request: PassRequest,
        limits: &Limits,
        compute: &Compute,
    ) -> Result<Stepped, SessionError> {
        let learning_rate = request.learning_rate;
        let prepared = self.subject.prepare(request, extent, limits)?;
        let (subject, live) = (Arc::clone(&self.subject), self.live());
        let step = live.step;
        let length = Length::of(prepared.cost.multiply_adds, limits.inline_multiply_adds);
        let pass = move || match (extent, &prepared.targets) {
            (Extent::Forward, targets) => {
                pass::forward(subject.model(), &live.state, &prepared.inputs, targets.as_ref())
            }
            (_, Some(targets)) => {
                pass::backward(subject.model(), &live.state, &prepared.inputs, targets, learning_rate)
            }
            (_, None) => unreachable!("a backward pass was prepared with targets"),
        };
        Ok(Stepped { trace: compute.run(length, pass).await?, step })
    }

    /// Forward, backward and the update: the session is one step further.
    pub async fn step(
        &self,
        request: PassRequest,
        limits: &Limits,
        compute: &Compute,
    ) -> Result<Stepped, SessionError> {
        let learning_rate = request.learning_rate;
        let prepared = self.subject.prepare(request, Extent::Step, limits)?;
        let targets = prepared.targets.ok_or(SubjectError::Missing(BatchPart::Targets))?;
        let length = Length::of(prepared.cost.multiply_adds, limits.inline_multiply_adds);
        let _turn = self.turn.lock().await;
        let (subject, live) = (Arc::clone(&self.subject), self.live());
        let before = Arc::clone(&live);
        let pass = move || {
            let (trace, state) = pass::step(subject.model(), &live.state, &prepared.inputs, &targets, learning_rate)?;
            Ok::<_, PassError>((trace, hashed(state, &subject)))
        };
        let (trace, state) = compute.run(length, pass).await?;
        Ok(Stepped { trace, step: self.publish(&before, state).step })
    }

    /// Replaces parameters: the session is one step further.
    pub async fn replace(
        &self,
        replacements: Vec<Replacement>,
        limits: &Limits,
        compute: &Compute,
    ) -> Result<Arc<Live>, SessionError> {
        let length = Length::of(self.subject.model().parameters() as u64, limits.inline_multiply_adds);
        let _turn = self.turn.lock().await;
        let (subject, live) = (Arc::clone(&self.subject), self.live());
        let before = Arc::clone(&live);
        let work = move || Ok(hashed(live.state.replaced(subject.model(), replacements)?, &subject));
        let state = compute.run(length, work).await.map_err(SessionError::Replace)?;
        Ok(self.publish(&before, state))
    }

    /// Makes a new state the one that everybody sees. Only who holds the turn may call it.
    fn publish(&self, before: &Live, state: State) -> Arc<Live> {
        let after = Arc::new(Live { step: before.step + 1, state });
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&after);
        after
    }
}

/// The state with its hash known, so that nobody waits for it later.
fn hashed(state: State, subject: &Subject) -> State {
    state.hash(subject.model().layers());
    state
}
