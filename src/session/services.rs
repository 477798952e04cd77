//! What every session of a server works with: limits, threads, the store, a clock and random numbers.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::compute::Compute;
use super::dataset::DataCache;
use super::recent::Recent;
use super::training::Trainings;
use crate::limits::Limits;
use crate::store::{Change, Commit, CommitError, LogId, Owner, RunChange, RunTerms, Store, StoreError};

/// What the sessions of a server share.
pub struct Services {
    /// What is permitted
    pub limits: Limits,
    /// Where long work runs
    pub compute: Compute,
    /// Where the logs lie
    pub store: Arc<dyn Store>,
    /// The rows that were learned from last
    pub data: DataCache,
    /// The states that were recalled last
    pub recent: Recent,
    /// The training runs that this server is at work on
    pub trainings: Trainings,
    /// Who this server is to others that write to the same store
    pub owner: Owner,
    /// What the machine gives
    pub machine: Arc<dyn Machine>,
}

impl Services {
    /// Takes a run from a server that is known to be gone, whenever its lease ends.
    pub(super) async fn take_from_the_gone(&self, log: LogId) -> Result<(), CommitError> {
        let terms = RunTerms { log, owner: self.owner, now: i64::MAX, lease: 0 };
        self.store.commit(Commit { change: Change::Run(terms, RunChange::Take), key: None }).await
    }
}

/// What a machine gives and no two calls are answered alike; a simulation gives it from a seed.
pub trait Machine: Send + Sync + 'static {
    /// Milliseconds since 1970.
    fn now(&self) -> i64;

    /// Bytes that nobody has drawn before.
    fn random(&self) -> Result<[u8; 16], StoreError>;
}

/// The machine that the server runs on.
pub struct ThisMachine;

impl Machine for ThisMachine {
    fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn random(&self) -> Result<[u8; 16], StoreError> {
        let mut bytes = [0; 16];
        match getrandom::fill(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(error) => Err(StoreError::Unavailable(format!("the operating system gave no random numbers: {error}"))),
        }
    }
}
