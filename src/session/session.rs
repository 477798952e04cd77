//! One session: a model with its state, which changes one step at a time. What changes it is an entry in its log, and
//! appending that entry is what makes the change.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use thiserror::Error;
use tokio::sync::{Mutex, watch};

use super::SessionName;
use super::append::Appended;
use super::condition::{Condition, Stale, StateTag};
use super::inspect::Inspection;
use super::once::Claim;
use super::record::Command;
use super::replay::{Replay, ReplayError};
use super::services::Services;
use super::subject::{Subject, SubjectError, SubjectSpec};
use super::training::TrainError;
use crate::engine::cost::Extent;
use crate::engine::pass::PassError;
use crate::engine::snapshot;
use crate::engine::state::{ReplaceError, State, StateHash};
use crate::engine::summary::Sizes;
use crate::limits::APPENDS;
use crate::store::{Digest, Log, Sharing, StoreError};

/// A named model that learns.
pub struct Session {
    pub(super) log: Log,
    name: SessionName,
    pub(super) subject: Arc<Subject>,
    pub(super) services: Arc<Services>,
    /// What readers see: never more than the log has. A std lock, since it is only held to copy or to set one pointer,
    /// never across an await.
    live: RwLock<Arc<Live>>,
    /// Held by the one who makes the next change, from reading the state until the new one is set: concurrent
    /// changes come one after the other, in the order in which they got the turn.
    pub(super) turn: Mutex<()>,
    /// Told of every change that readers see
    changed: watch::Sender<u64>,
    /// Held by the one who follows the log, so that nothing is computed twice.
    following: Mutex<()>,
    /// How often the log may have gone on without this server's knowing
    doubts: AtomicU64,
    /// How many of these doubts are settled: what readers see here is as new as the log was then
    settled: AtomicU64,
}

/// A session at one of its steps.
#[derive(Clone, Debug)]
pub struct Live {
    state: State,
    /// The step, and the state's hash
    pub tag: StateTag,
    /// The hash of the entry that led here
    pub(super) head: Digest,
    /// Work since the last snapshot, in multiply-adds
    pub(super) since: u64,
}

/// How a change is to be made.
#[derive(Clone, Default)]
pub struct Terms {
    /// The state that it insists on
    pub condition: Condition,
    /// The right to answer under a key
    pub claim: Option<Arc<Claim>>,
}

/// A change that is computed and not yet made.
pub(super) struct Made<T> {
    /// For the one who asked
    pub result: T,
    /// Where it leads
    pub state: State,
    /// What the log says of it
    pub command: Command,
    /// What the history says of it
    pub sizes: Sizes,
    /// What it takes to compute it again, in multiply-adds
    pub work: u64,
    /// How many steps it is
    pub steps: u64,
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
    #[error("{0}")]
    Stale(#[from] Stale),
    #[error("{0}")]
    Replay(#[from] ReplayError),
    #[error("{0}")]
    Train(#[from] TrainError),
    #[error("session {session} is being trained; wait for the end, or end it with DELETE /v1/sessions/{session}/train")]
    Training { session: SessionName },
    #[error(
        "session {session} was never trained, as far as this store knows; GET /v1/sessions/{session}/train?step=N tells of the run that made a step"
    )]
    NoTraining { session: SessionName },
    #[error("the latest run of session {session} has ended at step {step}, and there is nothing to go on with")]
    TrainingOver { session: SessionName, step: u64 },
    #[error("step {step} of session {session} was not made by a training run")]
    NotTrained { session: SessionName, step: u64 },
    #[error("session {session} has no step {step}; it has 0 to {last}")]
    NoStep { session: SessionName, step: u64, last: u64 },
    /// The same request was answered by another server while this one worked on it.
    #[error("the request was answered meanwhile")]
    Answered,
    #[error("other servers change this session faster than this one can; try again in a moment")]
    Crowded,
}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        Self::Replay(error.into())
    }
}

impl Live {
    pub(super) fn reached(step: u64, state: State, subject: &Subject, head: Digest, since: u64) -> Self {
        let tag = StateTag { step, state: state.hash(subject.model()) };
        Self { state, tag, head, since }
    }

    /// The same state as another entry of a log.
    pub(super) fn at(self, step: u64, head: Digest) -> Self {
        Self { tag: StateTag { step, ..self.tag }, head, ..self }
    }

    /// What the steps led to.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Changes made since the creation.
    pub fn step(&self) -> u64 {
        self.tag.step
    }

    /// The hash of the state.
    pub fn hash(&self) -> StateHash {
        self.tag.state
    }
}

impl Session {
    /// A session as it stands.
    pub(super) fn new(log: Log, name: SessionName, subject: Arc<Subject>, services: Arc<Services>, live: Live) -> Self {
        Self {
            log,
            name,
            subject,
            services,
            live: RwLock::new(Arc::new(live)),
            turn: Mutex::new(()),
            changed: watch::channel(0).0,
            following: Mutex::new(()),
            doubts: AtomicU64::new(0),
            settled: AtomicU64::new(0),
        }
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

    /// A look at the session as it stands now; nothing changes.
    pub fn inspect(&self, extent: Extent) -> (Arc<Live>, Inspection<'_>) {
        let live = self.live();
        let Services { limits, compute, .. } = &*self.services;
        (Arc::clone(&live), Inspection { subject: &self.subject, live: Some(live), extent, limits, compute })
    }

    /// Bytes that it takes in memory, about: its numbers, those that it was made from, and the rest.
    pub(super) fn bytes(&self) -> usize {
        const REST: usize = 4_096;
        8 * (snapshot::numbers(self.live().state()) + self.subject.model().spec().explicit_numbers()) + REST
    }

    pub(super) fn replay(&self) -> Replay<'_> {
        Replay { services: &self.services, subject: &self.subject, log: &self.log }
    }

    /// Follows the log where it may have gone on without this server's knowing. A doubt is settled when what the log
    /// says is what readers see, and not before: somebody else may ask meanwhile.
    pub(super) async fn follow(&self, head: Option<Digest>) -> Result<(), SessionError> {
        let certain = || {
            let known = head.is_none_or(|head| self.live().head == head);
            known && self.settled.load(Ordering::Acquire) >= self.doubts.load(Ordering::Acquire)
        };
        if certain() {
            return Ok(());
        }
        let _one = self.following.lock().await;
        if certain() {
            return Ok(());
        }
        let doubts = self.doubts.load(Ordering::Acquire);
        // Boxed, for it is rare and large, and would make every caller's future as large as it is.
        let live = Box::pin(self.replay().onward((*self.live()).clone())).await?;
        self.publish(Arc::new(live));
        self.settled.fetch_max(doubts, Ordering::AcqRel);
        Ok(())
    }

    /// From now on the log may have gone on without this server's knowing.
    pub(super) fn doubt(&self) {
        self.doubts.fetch_add(1, Ordering::AcqRel);
    }

    /// Keeps a snapshot where it took long to come here.
    pub(super) fn snapshot_if_due(&self) {
        let live = self.with_snapshot(self.live());
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = live;
    }

    /// Whether it was made from that spec: the same values, and the same bits (0 and −0 are equal, and start
    /// differently).
    pub fn is_made_from(&self, spec: &SubjectSpec) -> bool {
        self.subject.is_made_from(spec) && self.subject.model().spec().same_bits(&spec.model)
    }

    /// Waits for the turn, makes the next change, appends it to the log and publishes it. All of it runs in a task of
    /// its own, so that a client who leaves cancels nothing half-way. Where the log has gone on meanwhile, the change is
    /// made again upon what it says now.
    pub(super) async fn change<T, F>(
        self: &Arc<Self>,
        terms: Terms,
        make: impl Fn(Arc<Self>, Arc<Live>) -> F + Send + 'static,
    ) -> Result<(T, Arc<Live>), SessionError>
    where
        T: Send + 'static,
        F: Future<Output = Result<Made<T>, SessionError>> + Send,
    {
        let session = Arc::clone(self);
        let shared = self.services.store.sharing() == Sharing::Shared;
        as_a_whole(async move {
            let _turn = session.turn.lock().await;
            if shared {
                session.doubt();
            }
            for _ in 0..APPENDS {
                session.check_untrained().await?;
                session.follow(None).await?;
                let before = session.live();
                terms.condition.check(before.tag)?;
                let change = make(Arc::clone(&session), Arc::clone(&before)).await?;
                let appended = session.append(&before, change, terms.claim.as_deref()).await?;
                let Some(Appended { result, live }) = appended else { continue };
                let live = session.publish(Arc::new(live));
                return Ok((result, live));
            }
            Err(SessionError::Crowded)
        })
        .await
    }

    /// Makes a state the one that everybody sees, unless it is older than what they see already. Answers the new one.
    pub(super) fn publish(&self, new: Arc<Live>) -> Arc<Live> {
        let new = self.with_snapshot(new);
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        if new.step() > live.step() {
            *live = Arc::clone(&new);
        }
        drop(live);
        self.tell();
        new
    }

    /// Tells whoever waits for a change that there may be one.
    pub(super) fn tell(&self) {
        self.changed.send_modify(|changes| *changes += 1);
    }

    /// Hears of every change that this server sees.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// That no training run is on, here or elsewhere.
    pub(super) async fn check_untrained(&self) -> Result<(), SessionError> {
        let services = &self.services;
        let elsewhere = || services.store.run(self.log.id, services.machine.now());
        let on = services.trainings.of(self.log.id).is_some()
            || services.store.sharing() == Sharing::Shared && elsewhere().await?.is_some_and(|run| run.open);
        if on { Err(self.is_training()) } else { Ok(()) }
    }

    /// Keeps a snapshot, where it was long since the last one. Nobody waits for it: without it the next one comes later.
    fn with_snapshot(&self, live: Arc<Live>) -> Arc<Live> {
        let numbers = snapshot::numbers(live.state()) as u64;
        if live.since < self.services.limits.snapshot_work.saturating_add(64 * numbers) {
            return live;
        }
        let live = Arc::new(Live { since: 0, ..(*live).clone() });
        let (services, log, kept) = (Arc::clone(&self.services), self.log.id, Arc::clone(&live));
        tokio::spawn(async move { keep_snapshot(&services, log, &kept).await });
        live
    }
}

/// Writes a state to where recalls begin. A store that has no room for it works on without.
pub(super) async fn keep_snapshot(services: &Services, log: crate::store::LogId, live: &Live) {
    let bytes = snapshot::write(live.state());
    if let Err(error) = services.store.keep_snapshot(log, live.step(), bytes).await {
        tracing::warn!(%error, "a snapshot could not be kept; recalling a step will take longer");
    }
}

/// In a task of its own, which goes on where the caller leaves. A panic in it goes on in the caller.
pub(super) async fn as_a_whole<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(error) => panic!("a change was cancelled while the server stops: {error}"),
        },
    }
}
