//! Requests that may be sent again: the first answer is kept under the client's key, and no request is made twice.
//!
//! What is kept is not the answer but what it was about; the answer is made again from the log, to the byte. Refusals
//! are kept as they were written, for the state that they were about may be gone.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::cbor::{Bytes, from_cbor, to_cbor};
use super::datasets::{DatasetSize, Put};
use super::services::Services;
use crate::store::{Change, Commit, CommitError, Conflict, Digest, KeyEntry, StoreError};

/// The requests that are being worked on under a key, on this server.
#[derive(Clone, Default)]
pub struct Running(Arc<Mutex<HashSet<String>>>);

/// The right to answer under a key for the first time; given back when it is dropped.
pub struct Claim {
    key: String,
    request: Digest,
    running: Running,
}

/// Whether a request is here for the first time.
pub enum Claimed {
    /// It is.
    First(Arc<Claim>),
    /// It was answered with this before.
    Again(Outcome),
}

/// What a request was answered.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It made a session: its creation record.
    Created {
        /// The new log
        log: Bytes,
    },
    /// It found a session made from the same body, as it stood at a step.
    Found {
        /// The log
        log: Bytes,
        /// Where it stood
        step: u64,
    },
    /// It changed a session: the record of a step.
    Changed {
        /// The log
        log: Bytes,
        /// The step that it made
        step: u64,
    },
    /// It began a training run.
    Trained {
        /// The log
        log: Bytes,
        /// The run
        run: Bytes,
    },
    /// It put a dataset under a name.
    Kept {
        /// The name
        name: String,
        /// How large it is
        size: DatasetSize,
        /// The hash of its content
        hash: Bytes,
        /// Whether it was there already
        put: Put,
    },
    /// It deleted a session or a dataset.
    Deleted,
    /// It was refused.
    Refused {
        /// The status
        status: u16,
        /// The problem as it was written
        body: Bytes,
    },
}

/// Why a request under a key is not worked on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// The same key stands for something else.
    #[error("this Idempotency-Key was sent with another request before; use a new key for a new request")]
    OtherRequest,
    /// The first one is not answered yet.
    #[error("the first request with this Idempotency-Key is still at work; ask again in a moment")]
    Running,
    /// Nobody knows.
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl Running {
    /// The claim of a request under a key, where nobody has it.
    pub async fn claim(&self, services: &Services, key: String, request: Digest) -> Result<Claimed, KeyError> {
        let claim = {
            let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !running.insert(key.clone()) {
                return Err(KeyError::Running);
            }
            Claim { key, request, running: self.clone() }
        };
        match services.store.key(TENANT, &claim.key).await? {
            None => Ok(Claimed::First(Arc::new(claim))),
            Some(kept) if kept.request != request => Err(KeyError::OtherRequest),
            Some(kept) => Ok(Claimed::Again(from_cbor(&kept.outcome).map_err(|error| {
                StoreError::Damaged(format!("what was answered under the key {:?} cannot be read: {error}", claim.key))
            })?)),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.running.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl Claim {
    /// What is kept under the key once the request is answered.
    pub fn entry(&self, services: &Services, outcome: &Outcome) -> KeyEntry {
        KeyEntry {
            tenant: TENANT.into(),
            key: self.key.clone(),
            request: self.request,
            at: services.machine.now(),
            outcome: to_cbor(outcome),
        }
    }

    /// Keeps an answer that has changed nothing. A store that cannot keep it changes nothing either: the request would
    /// be worked on again, with the same end.
    pub async fn keep(&self, services: &Services, outcome: &Outcome) {
        let key = Some(self.entry(services, outcome));
        match services.store.commit(Commit { change: Change::Nothing, key }).await {
            Ok(()) | Err(CommitError::Conflict(Conflict::Key)) => {}
            Err(error) => tracing::warn!(%error, "an answer could not be kept under its key"),
        }
    }
}

/// Whose everything is, as long as nobody in particular owns anything.
pub const TENANT: &str = "";
