//! The registry: which sessions there are. They lie in the store; those used last are held ready.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use thiserror::Error;

use super::SessionName;
use super::cache::{Cache, Slot};
use super::compute::Compute;
use super::dataset::DataCache;
use super::history::creation;
use super::once::{Claim, Claimed, KeyError, Running, TENANT};
use super::recent::Recent;
use super::replay::{CHANGED, Replay, ReplayError, whole_entry};
use super::seal::SealError;
use super::services::{Machine, Services};
use super::session::{Live, Session, SessionError};
use super::subject::Subject;
use super::training::Trainings;
use crate::engine::ARITHMETIC;
use crate::engine::model::ModelError;
use crate::engine::state::StateHash;
use crate::limits::{LISTED_AT_ONCE, Limits};
use crate::store::{Digest, EntryHead, Head, Log, LogId, Sharing, Store, StoreError};

/// All sessions of a server, and what they share.
#[derive(Clone)]
pub struct Registry {
    pub(super) services: Arc<Services>,
    pub(super) cache: Arc<Cache>,
    running: Running,
}

/// What became of a wish for a session.
pub enum Created {
    /// It is new.
    New(Arc<Session>),
    /// It was there already, made from the same spec, and stands there.
    Same(Arc<Session>, Arc<Live>),
}

/// Why there is no session.
#[derive(Clone, Debug, Error, PartialEq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum RegistryError {
    #[error("{0}")]
    Model(#[from] ModelError),
    #[error("there is another session {0} already; choose another name, or delete it first")]
    NameInUse(SessionName),
    #[error("there is no session {0}")]
    NoSession(SessionName),
    #[error("{0}")]
    Session(SessionError),
}

impl From<StoreError> for RegistryError {
    fn from(error: StoreError) -> Self {
        Self::Session(error.into())
    }
}

impl From<ReplayError> for RegistryError {
    fn from(error: ReplayError) -> Self {
        Self::Session(error.into())
    }
}

impl From<SessionError> for RegistryError {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

/// One session in a listing.
pub struct SessionSummary {
    /// Its name
    pub name: SessionName,
    /// Where it stands, or what is wrong with its log
    pub standing: Result<Standing, ReplayError>,
}

/// Where a session stands.
pub struct Standing {
    /// Its step
    pub step: u64,
    /// Its state's hash
    pub state: StateHash,
    /// Its number of parameters
    pub parameters: u64,
}

impl Registry {
    /// The sessions of a store.
    pub fn new(limits: Limits, store: Arc<dyn Store>, machine: Arc<dyn Machine>) -> Self {
        let cache = Arc::new(Cache::new(limits.live_bytes));
        // Without random numbers nothing can be written at all.
        let owner = machine.random().unwrap_or_default();
        let (compute, data, trainings) = (Compute::new(), DataCache::new(), Trainings::default());
        let recent = Recent::new(limits.recalled_states);
        let services = Arc::new(Services { limits, compute, store, data, recent, trainings, owner, machine });
        Self { services, cache, running: Running::default() }
    }

    /// What this server permits.
    pub fn limits(&self) -> &Limits {
        &self.services.limits
    }

    /// Where computations run.
    pub fn compute(&self) -> &Compute {
        &self.services.compute
    }

    /// Where the sessions lie.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.services.store
    }

    /// Bytes of the sessions that are held ready.
    pub fn live_bytes(&self) -> usize {
        self.cache.bytes()
    }

    /// The session of that name, as its log says now.
    pub async fn session(&self, name: &SessionName) -> Result<Arc<Session>, RegistryError> {
        let slot = self.cache.slot(name);
        let found = self.in_slot(name, &slot).await;
        if !matches!(found, Ok(Some(_))) {
            self.cache.tidy(name, &slot);
        }
        found?.ok_or_else(|| RegistryError::NoSession(name.clone()))
    }

    /// The session of a log, where it still has its name.
    pub async fn session_of(&self, log: LogId) -> Result<Option<Arc<Session>>, RegistryError> {
        let Some(log) = self.services.store.log(log).await? else { return Ok(None) };
        let Ok(name) = SessionName::parse(&log.name) else { return Ok(None) };
        match self.session(&name).await {
            Ok(session) if session.log.id == log.id => Ok(Some(session)),
            Ok(_) | Err(RegistryError::NoSession(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The session in its place, read from the store where it is not there; where others write to the store too, it
    /// is asked in any case.
    async fn in_slot(&self, name: &SessionName, slot: &Slot) -> Result<Option<Arc<Session>>, RegistryError> {
        if self.services.store.sharing() == Sharing::Alone
            && let Some(session) = slot.get()
        {
            session.follow(None).await?;
            return Ok(Some(session));
        }
        let Some(head) = self.services.store.find(TENANT, name.as_str()).await? else {
            self.cache.put(slot, None);
            return Ok(None);
        };
        if let Some(session) = slot.get().filter(|session| session.log.id == head.log.id) {
            return Box::pin(self.up_to(session, head, slot)).await;
        }
        let _gate = slot.gate.lock().await;
        // Boxed, for it is rare and large, and would make every caller's future as large as it is.
        Box::pin(self.load(name, slot)).await
    }

    /// A session that is ready, as far as its log goes. Where it stands elsewhere than the log says, it is read anew.
    async fn up_to(
        &self,
        session: Arc<Session>,
        head: Head,
        slot: &Slot,
    ) -> Result<Option<Arc<Session>>, RegistryError> {
        let behind = session.live().step() < head.entry.last;
        let followed = session.follow(behind.then_some(head.entry.hash)).await;
        let live = session.live();
        let elsewhere = live.step() == head.entry.last && live.head != head.entry.hash;
        if elsewhere || matches!(followed, Err(SessionError::Replay(ReplayError::Damaged { .. }))) {
            let _gate = slot.gate.lock().await;
            self.cache.put(slot, None);
            return self.load(session.name(), slot).await;
        }
        followed?;
        Ok(Some(session))
    }

    /// Reads a session from the store; whoever calls it holds the gate.
    pub(super) async fn load(&self, name: &SessionName, slot: &Slot) -> Result<Option<Arc<Session>>, RegistryError> {
        let Some(head) = self.services.store.find(TENANT, name.as_str()).await? else {
            self.cache.put(slot, None);
            return Ok(None);
        };
        if let Some(session) = slot.get().filter(|session| session.log.id == head.log.id) {
            session.follow(Some(head.entry.hash)).await?;
            return Ok(Some(session));
        }
        match self.read(name, head).await {
            Ok(session) => {
                let session = Arc::new(session);
                self.cache.put(slot, Some(Arc::clone(&session)));
                Ok(Some(session))
            }
            Err(RegistryError::Session(SessionError::Replay(ReplayError::Gone))) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn read(&self, name: &SessionName, head: Head) -> Result<Session, RegistryError> {
        let subject = self.subject(&head.log).await.map_err(SessionError::from)?;
        let log = head.log.clone();
        let replay = Replay { services: &self.services, subject: &subject, log: &log };
        let head = replay.seal(head).await?;
        let live = replay.at(head.entry.last).await.map_err(SessionError::from)?;
        // A branch that has no step of its own stands where the other one stood.
        let live = if head.entry.step == 0 { live.at(head.entry.last, head.entry.hash) } else { live };
        if live.head != head.entry.hash || live.hash().bytes() != head.entry.state {
            let what = "its last entry is not the one that it leads to";
            return Err(SessionError::from(ReplayError::damaged(name.as_str(), head.entry.last, what)).into());
        }
        let session = Session::new(log, name.clone(), subject, Arc::clone(&self.services), live);
        session.snapshot_if_due();
        Ok(session)
    }

    /// What a log's creation record makes.
    async fn subject(&self, log: &Log) -> Result<Arc<Subject>, ReplayError> {
        let wrong = |what: &str| ReplayError::damaged(&log.name, 0, what);
        let entry = whole_entry(&*self.services.store, log, 0).await?.ok_or(ReplayError::Gone)?;
        let creation = creation(&entry).map_err(|what| wrong(&what))?;
        if creation.arithmetic > ARITHMETIC {
            let (session, written) = (log.name.clone(), creation.arithmetic);
            return Err(SealError::Newer { session, step: 0, written }.into());
        }
        // The name that it is found by stands outside its entries.
        if creation.name != log.name {
            return Err(wrong(&format!("it was made under the name {:?}", creation.name)));
        }
        let subject = Subject::new(creation.spec(), &self.services.limits.for_the_past());
        Ok(Arc::new(subject.map_err(|error| wrong(&error.to_string()))?))
    }

    /// At most `limit` sessions by name, those behind `after`, and whether there are more.
    pub async fn list(
        &self,
        after: Option<&SessionName>,
        limit: usize,
    ) -> Result<(Vec<SessionSummary>, bool), RegistryError> {
        let after = after.map(SessionName::as_str);
        let mut found = self.services.store.list(TENANT, after, limit + 1).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let read = stream::iter(found).map(|head| self.summary(head)).buffered(LISTED_AT_ONCE);
        Ok((read.try_collect::<Vec<_>>().await?.into_iter().flatten().collect(), more))
    }

    /// A line of the listing. Its entries are read whole: what has changed in them shows only by their hashes.
    async fn summary(&self, Head { log, entry: head }: Head) -> Result<Option<SessionSummary>, RegistryError> {
        let Ok(name) = SessionName::parse(&log.name) else { return Ok(None) };
        let standing = match self.standing(&log, &head).await {
            Err(ReplayError::Gone) => return Ok(None),
            Err(ReplayError::Store(error)) => return Err(error.into()),
            standing => standing,
        };
        Ok(Some(SessionSummary { name, standing }))
    }

    async fn standing(&self, log: &Log, head: &EntryHead) -> Result<Standing, ReplayError> {
        let entry = whole_entry(&*self.services.store, log, head.step).await?.ok_or(ReplayError::Gone)?;
        if entry.head != *head {
            return Err(ReplayError::damaged(&log.name, head.step, CHANGED));
        }
        let subject = self.subject(log).await?;
        let state = StateHash::from_bytes(head.state);
        Ok(Standing { step: head.last, state, parameters: subject.model().parameters() as u64 })
    }

    /// The right to answer a request under a key.
    pub async fn claim(&self, key: String, request: Digest) -> Result<Claimed, KeyError> {
        self.running.claim(&self.services, key, request).await
    }

    /// Keeps a refusal under its key: what was asked cannot be done, and will not be where it is asked again.
    pub async fn keep(&self, claim: &Claim, outcome: &super::once::Outcome) {
        claim.keep(&self.services, outcome).await;
    }

    /// Forgets what was answered under keys that are too old, now and then; never ends.
    pub async fn keep_house(&self) {
        const PAUSE: Duration = Duration::from_mins(10);
        loop {
            let age = i64::try_from(self.limits().key_age.as_millis()).unwrap_or(i64::MAX);
            let before = self.services.machine.now().saturating_sub(age);
            if let Err(error) = self.services.store.forget_keys(before).await {
                tracing::warn!(%error, "old idempotency keys could not be removed");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
