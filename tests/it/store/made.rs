//! Logs, entries and keys as the tests of the stores make them.

use std::sync::atomic::{AtomicU64, Ordering};

use chainrule::store::{
    Change, Commit, CommitError, Conflict, Entry, EntryHead, Head, KeyEntry, Log, LogId, Origin, Store,
};

/// Bytes that nobody else has.
pub fn fresh() -> [u8; 16] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut bytes = [0xa5; 16];
    bytes[..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    bytes
}

/// A new log without a tenant.
pub fn log(name: &str) -> Log {
    log_of("", name)
}

/// A new log of a tenant.
pub fn log_of(tenant: &str, name: &str) -> Log {
    Log { id: LogId(fresh()), tenant: tenant.to_owned(), name: name.to_owned(), origin: None, size: 17 }
}

/// A new log that goes on from another.
pub fn branch(parent: &Log, at: u64, name: &str) -> Log {
    Log { origin: Some(Origin { log: parent.id, at }), ..log_of(&parent.tenant, name) }
}

/// The first entry of a log, with a body of its own.
pub fn first(log: &Log) -> Entry {
    let step = log.origin.map_or(0, |origin| origin.at + 1);
    entry(log, step, step, [0; 32], format!("first of {}", log.name).into_bytes())
}

/// An entry that covers some steps and stands on another one.
pub fn entry(log: &Log, step: u64, last: u64, before: [u8; 32], body: Vec<u8>) -> Entry {
    let mut state = [7; 32];
    state[..8].copy_from_slice(&last.to_le_bytes());
    let note = format!("steps {step} to {last}");
    let head = EntryHead { step, last, at: 1_700_000_000_000, append: fresh(), state, before, note, hash: [0; 32] };
    Entry { head, body }.sealed(&log.tenant, log.id)
}

/// The entry that goes on from where a log stands, covering so many steps.
pub fn next(head: &Head, covers: u64, body: Vec<u8>) -> Entry {
    let step = head.entry.last + 1;
    entry(&head.log, step, step + covers - 1, head.entry.hash, body)
}

/// What is kept under a key.
pub fn key(tenant: &str, key: &str) -> KeyEntry {
    let (tenant, key) = (tenant.to_owned(), key.to_owned());
    KeyEntry { tenant, key, request: [3; 32], at: 1000, outcome: b"answered".to_vec() }
}

/// A commit without a key.
pub fn only(change: Change) -> Commit {
    Commit { change, key: None }
}

/// Makes a log with its first entry.
pub async fn create(store: &dyn Store, log: &Log) -> Entry {
    let entry = first(log);
    store.commit(only(Change::Create(log.clone(), entry.clone()))).await.unwrap();
    entry
}

/// Makes a log with so many entries of one step each.
pub async fn grown(store: &dyn Store, log: &Log, entries: u64) -> Vec<Entry> {
    let mut all = vec![create(store, log).await];
    for _ in 1..entries {
        all.push(append(store, log, 1, format!("entry {}", all.len()).into_bytes()).await);
    }
    all
}

/// Appends to a log as it stands.
pub async fn append(store: &dyn Store, log: &Log, covers: u64, body: Vec<u8>) -> Entry {
    let head = store.find(&log.tenant, &log.name).await.unwrap().expect("the log is there");
    let entry = next(&head, covers, body);
    store.commit(only(Change::Append(log.id, entry.clone()))).await.unwrap();
    entry
}

/// Deletes a log.
pub async fn delete(store: &dyn Store, log: &Log) {
    store.commit(only(Change::Delete(log.id))).await.unwrap();
}

/// All entries of a log.
pub async fn all(store: &dyn Store, log: LogId) -> Vec<Entry> {
    store.entries(log, 0, u64::MAX, usize::MAX).await.unwrap()
}

/// Asserts that a commit meets a conflict.
#[track_caller]
#[allow(clippy::needless_pass_by_value, reason = "it is called with the answer at hand")]
pub fn conflicts(answer: Result<(), CommitError>, with: Conflict) {
    assert_eq!(answer, Err(CommitError::Conflict(with)));
}
