//! Where logs lie: in memory, in SQLite, in PostgreSQL. One trait, and one suite of tests that holds all three to it.
//!
//! A log is a list of entries that only grows. An entry is a key, a few columns and opaque bytes; a log has a name,
//! until it is deleted, and may go on from another log. Beside logs lie snapshots, which are a convenience that may be
//! lost, the keys of requests that may be sent again, data that entries name by hash, and who is at work on which log.
//!
//! Never in here: what the bytes mean.

mod copy;
mod data;
mod entry;
mod memory;
mod postgres;
mod run;
pub mod sqlite;

use async_trait::async_trait;
use thiserror::Error;

pub use copy::{Copied, CopyError, Obstacle, copy};
pub use data::{DataChange, DataName};
pub use entry::{Digest, Entry, EntryHead, LogId};
pub use memory::MemoryStore;
pub use postgres::{PostgresStore, ServerError};
pub use run::{Owner, Run, RunChange, RunTerms};
pub use sqlite::{OpenError, SqliteStore};

/// A log without its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// What it is known by for ever
    pub id: LogId,
    /// Whose it is; empty where nobody in particular owns it
    pub tenant: String,
    /// What it is found by
    pub name: String,
    /// The log that it goes on from
    pub origin: Option<Origin>,
    /// A number that its maker wants to find in a listing
    pub size: u64,
}

/// Where a log branches off from another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The other log
    pub log: LogId,
    /// The last step that both have
    pub at: u64,
}

/// Where a log stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The log
    pub log: Log,
    /// Its last entry
    pub entry: EntryHead,
}

/// Everything that one request writes: all of it or nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
    /// What becomes of a log
    pub change: Change,
    /// The key under which the request may be sent again
    pub key: Option<KeyEntry>,
}

/// What becomes of a log.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A new one, with its first entry. Where it goes on from another log, that one must still have its name.
    Create(Log, Entry),
    /// One entry more. It must stand on the last one: its step is the next, and its `before` that one's hash.
    Append(LogId, Entry),
    /// It loses its name, and goes where no other log goes on from it.
    Delete(LogId),
    /// Nothing; only the key is kept.
    Nothing,
    /// Data beside the logs. It is written without a key.
    Data(DataChange),
    /// A log's run. It is written without a key.
    Run(RunTerms, RunChange),
}

/// What is kept of a request that may be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// Whose it is
    pub tenant: String,
    /// As the client chose it
    pub key: String,
    /// What tells the request from another one
    pub request: Digest,
    /// Milliseconds since 1970
    pub at: i64,
    /// What it was answered; opaque
    pub outcome: Vec<u8>,
}

/// Why nothing is known to be written.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum CommitError {
    /// Somebody else was faster; nothing was written.
    #[error("{0}")]
    Conflict(Conflict),
    /// Nothing was written.
    #[error("{0}")]
    Refused(StoreError),
    /// It may have been written, or be written yet.
    #[error("{0}")]
    Unknown(StoreError),
}

/// What stands in a commit's way.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Conflict {
    /// The log has another last entry than the one that the new one stands on.
    #[error("the log has gone on meanwhile")]
    Head,
    /// The name belongs to another log.
    #[error("the name is taken")]
    Name,
    /// The log, or the one that it goes on from, is deleted.
    #[error("the log is deleted")]
    Gone,
    /// The key is kept already.
    #[error("the key is taken")]
    Key,
}

/// Why a store does not do what it is asked.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum StoreError {
    /// It cannot be reached, or has trouble that may pass.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    /// It has no room, or may not be written to.
    #[error("the store takes no more: {0}")]
    Full(String),
    /// What it holds is not what was written.
    #[error("the store is damaged: {0}")]
    Damaged(String),
}

/// Whether others write to the same store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody else does: what this server knows of a log is true.
    Alone,
    /// Others do: whoever needs to know asks the store.
    Shared,
}

/// What an answered commit outlives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The machine losing its power: every commit waits until the disk has it.
    Power,
    /// The process being killed. Losing power may take back the last moments, never part of a commit.
    Process,
}

/// A place for logs. A call that is dropped half-way may or may not have written; nothing is left in disorder.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Its kind, for people.
    fn kind(&self) -> &'static str;

    /// Whether others write to it.
    fn sharing(&self) -> Sharing;

    /// Writes all of it or nothing. When it is done it stays, as far as the store's promise goes.
    async fn commit(&self, commit: Commit) -> Result<(), CommitError>;

    /// The log of that name.
    async fn find(&self, tenant: &str, name: &str) -> Result<Option<Head>, StoreError>;

    /// A log, whether or not it still has its name.
    async fn log(&self, id: LogId) -> Result<Option<Log>, StoreError>;

    /// At most `limit` logs by name, those behind `after`.
    async fn list(&self, tenant: &str, after: Option<&str>, limit: usize) -> Result<Vec<Head>, StoreError>;

    /// At most `limit` entries without their bytes, in order, from the one that covers `from` on.
    async fn heads(&self, log: LogId, from: u64, limit: usize) -> Result<Vec<EntryHead>, StoreError>;

    /// Entries in order, from the one that covers `from` to the one that covers `to`: as many as have together about
    /// `bytes` bytes, and at least one where there is one.
    async fn entries(&self, log: LogId, from: u64, to: u64, bytes: usize) -> Result<Vec<Entry>, StoreError>;

    /// The latest snapshot at a step of at most `until`, with its step.
    async fn snapshot(&self, log: LogId, until: u64) -> Result<Option<(u64, Vec<u8>)>, StoreError>;

    /// Keeps a snapshot of a log that there still is; an earlier one at the same step is replaced.
    async fn keep_snapshot(&self, log: LogId, step: u64, bytes: Vec<u8>) -> Result<(), StoreError>;

    /// What is kept under a key.
    async fn key(&self, tenant: &str, key: &str) -> Result<Option<KeyEntry>, StoreError>;

    /// Forgets keys that were kept before a time.
    async fn forget_keys(&self, before: i64) -> Result<(), StoreError>;

    /// The blob of a name.
    async fn find_data(&self, tenant: &str, name: &str) -> Result<Option<DataName>, StoreError>;

    /// At most `limit` names of blobs, those behind `after`.
    async fn list_data(&self, tenant: &str, after: Option<&str>, limit: usize) -> Result<Vec<DataName>, StoreError>;

    /// A blob.
    async fn data(&self, hash: Digest) -> Result<Option<Vec<u8>>, StoreError>;

    /// The blobs that a log uses, by hash.
    async fn data_of(&self, log: LogId) -> Result<Vec<Digest>, StoreError>;

    /// A log's run. `now` in milliseconds since 1970 tells a store of one server whether it is held.
    async fn run(&self, log: LogId, now: i64) -> Result<Option<Run>, StoreError>;

    /// At most `limit` runs that are open and that nobody holds.
    async fn left_runs(&self, now: i64, limit: usize) -> Result<Vec<Run>, StoreError>;

    /// Whether it can be written to now.
    async fn ready(&self) -> Result<(), StoreError>;

    /// Ends what it does; nothing may be asked afterwards.
    async fn close(&self);
}
