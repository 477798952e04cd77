//! One session: a model with its state, which changes one step at a time.

use std::panic::resume_unwind;
use std::sync::{Arc, PoisonError, RwLock};

use thiserror::Error;
use tokio::sync::Mutex;

use super::SessionName;
use super::compute::{Compute, Length, Work};
use super::inspect::Inspection;
use super::subject::{BatchPart, PassRequest, Subject, SubjectError, SubjectSpec, answerable};
use crate::engine::cost::Extent;
use crate::engine::pass::PassError;
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
        live.state.hash(self.subject.model())
    }

    /// A look at the session as it stands now; nothing changes.
    pub fn inspect<'a>(&'a self, extent: Extent, limits: &'a Limits, compute: &'a Compute) -> (u64, Inspection<'a>) {
        let live = self.live();
        (live.step, Inspection { subject: &self.subject, live: Some(live), extent, limits, compute })
    }

    /// Forward, backward and the update: the session is one step further, whether or not the caller waits for it.
    pub async fn step(
        self: &Arc<Self>,
        request: PassRequest,
        limits: &Limits,
        compute: &Arc<Compute>,
    ) -> Result<Stepped, SessionError> {
        let prepared = self.subject.prepare(request, Extent::Step, limits)?;
        let targets = prepared.targets.clone().ok_or(SubjectError::Missing(BatchPart::Targets))?;
        let length = Length::of(prepared.cost.multiply_adds, limits.inline_multiply_adds);
        self.change(length, compute, move |subject, live| {
            let (trace, state) = prepared.pass(subject.model(), &live.state).step(&targets)?;
            Ok((answerable(trace, prepared.detail)?, state))
        })
        .await
        .map(|(trace, live)| Stepped { trace, step: live.step })
    }

    /// Replaces parameters: the session is one step further.
    pub async fn replace(
        self: &Arc<Self>,
        replacements: Vec<Replacement>,
        limits: &Limits,
        compute: &Arc<Compute>,
    ) -> Result<Arc<Live>, SessionError> {
        let length = Length::of(self.subject.model().parameters() as u64, limits.inline_multiply_adds);
        let replaced = move |subject: &Subject, live: &Live| {
            Ok(((), live.state.replaced(subject.model(), replacements).map_err(SessionError::Replace)?))
        };
        self.change(length, compute, replaced).await.map(|((), live)| live)
    }

    /// Waits for the turn, computes the next state and publishes it. All of it runs in a task of its own, so that a
    /// client who leaves cancels nothing half-way.
    async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        length: Length,
        compute: &Arc<Compute>,
        work: impl FnOnce(&Subject, &Live) -> Result<(T, State), SessionError> + Send + 'static,
    ) -> Result<(T, Arc<Live>), SessionError> {
        let (session, compute) = (Arc::clone(self), Arc::clone(compute));
        let task = tokio::spawn(async move {
            let _turn = session.turn.lock().await;
            let (subject, before) = (Arc::clone(&session.subject), session.live());
            let live = Arc::clone(&before);
            let work = move || work(&subject, &live).map(|(result, state)| (result, hashed(state, &subject)));
            let (result, state) = compute.run(Work::Pass, length, work).await?;
            Ok((result, session.publish(&before, state)))
        });
        match task.await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(error) => panic!("a step was cancelled while the server stops: {error}"),
            },
        }
    }

    /// Whether it was made from that spec: the same values, and the same bits (0 and −0 are equal, and start
    /// differently).
    pub fn is_made_from(&self, spec: &SubjectSpec) -> bool {
        let subject = &self.subject;
        subject.is_made_from(spec) && subject.model().spec().same_bits(&spec.model)
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
    state.hash(subject.model());
    state
}
