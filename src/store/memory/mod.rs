//! A store that forgets everything when the server stops, and holds a given number of bytes.

mod data;
mod run;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use self::data::HeldData;
use self::run::HeldRun;
use super::{
    Change, Commit, CommitError, Conflict, DataChange, DataName, Digest, Entry, EntryHead, Head, KeyEntry, Log, LogId,
    Run, Sharing, Store, StoreError,
};

/// Logs in memory.
pub struct MemoryStore {
    /// Bytes that it holds at the most
    limit: usize,
    /// A std lock: it is held for one look or one change, never across an await.
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    names: BTreeMap<(String, String), LogId>,
    logs: BTreeMap<LogId, Kept>,
    keys: BTreeMap<(String, String), KeyEntry>,
    data: HeldData,
    runs: BTreeMap<LogId, HeldRun>,
    bytes: usize,
}

struct Kept {
    log: Log,
    named: bool,
    entries: BTreeMap<u64, Entry>,
    snapshots: BTreeMap<u64, Vec<u8>>,
    /// Logs that go on from this one
    branches: usize,
}

/// What an entry, a log, a snapshot or a key takes beside its own bytes: about the size of its struct and its place in
/// the tree.
const OVERHEAD: usize = 256;

impl MemoryStore {
    /// An empty store for so many bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Every change is checked before its first write, and none of its writes panics.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn room(&self, held: &Held, wanted: usize) -> Result<(), StoreError> {
        if held.bytes + wanted <= self.limit {
            return Ok(());
        }
        Err(StoreError::Full(format!(
            "it keeps everything in memory, at most {} bytes, and has {} of them left; delete sessions, or start the \
             server with --store sqlite:chainrule.db",
            self.limit,
            self.limit - held.bytes
        )))
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn sharing(&self) -> Sharing {
        Sharing::Alone
    }

    async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        let mut held = self.held();
        if let Some(key) = &commit.key
            && held.keys.contains_key(&(key.tenant.clone(), key.key.clone()))
        {
            return Err(CommitError::Conflict(Conflict::Key));
        }
        held.check(&commit.change).map_err(CommitError::Conflict)?;
        let key_size = commit.key.as_ref().map_or(0, |key| key.outcome.len() + OVERHEAD);
        // Deleting makes room, and must not need any.
        if !matches!(commit.change, Change::Delete(_) | Change::Run(..) | Change::Data(DataChange::Forget { .. })) {
            self.room(&held, held.size_of(&commit.change) + key_size).map_err(CommitError::Refused)?;
        }
        if let Some(key) = commit.key {
            held.bytes += key_size;
            held.keys.insert((key.tenant.clone(), key.key.clone()), key);
        }
        held.apply(commit.change);
        Ok(())
    }

    async fn find(&self, tenant: &str, name: &str) -> Result<Option<Head>, StoreError> {
        let held = self.held();
        let id = held.names.get(&(tenant.to_owned(), name.to_owned()));
        Ok(id.and_then(|id| held.logs.get(id)).and_then(Kept::head))
    }

    async fn log(&self, id: LogId) -> Result<Option<Log>, StoreError> {
        Ok(self.held().logs.get(&id).map(|kept| kept.log.clone()))
    }

    async fn list(&self, tenant: &str, after: Option<&str>, limit: usize) -> Result<Vec<Head>, StoreError> {
        let held = self.held();
        let first = (tenant.to_owned(), after.unwrap_or_default().to_owned());
        let names = held.names.range((Bound::Excluded(first), Bound::Unbounded));
        let own = names.take_while(|((owner, _), _)| owner == tenant);
        Ok(own.filter_map(|(_, id)| held.logs.get(id)?.head()).take(limit).collect())
    }

    async fn heads(&self, log: LogId, from: u64, limit: usize) -> Result<Vec<EntryHead>, StoreError> {
        let held = self.held();
        let entries = held.logs.get(&log).into_iter().flat_map(|kept| kept.from(from));
        Ok(entries.take(limit).map(|entry| entry.head.clone()).collect())
    }

    async fn entries(&self, log: LogId, from: u64, to: u64, bytes: usize) -> Result<Vec<Entry>, StoreError> {
        let held = self.held();
        let entries = held.logs.get(&log).into_iter().flat_map(|kept| kept.from(from));
        let mut taken = 0;
        let within = entries.take_while(|entry| {
            let fits = entry.head.step <= to && taken < bytes.max(1);
            taken += entry.body.len() + OVERHEAD;
            fits
        });
        Ok(within.cloned().collect())
    }

    async fn snapshot(&self, log: LogId, until: u64) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        let held = self.held();
        let latest = held.logs.get(&log).and_then(|kept| kept.snapshots.range(..=until).next_back());
        Ok(latest.map(|(step, bytes)| (*step, bytes.clone())))
    }

    async fn keep_snapshot(&self, log: LogId, step: u64, bytes: Vec<u8>) -> Result<(), StoreError> {
        let mut held = self.held();
        // Snapshots can be done without, and must not take the room of what cannot.
        self.room(&held, bytes.len() + OVERHEAD + self.limit / 2)?;
        let Some(kept) = held.logs.get_mut(&log) else { return Ok(()) };
        let added = bytes.len() + OVERHEAD;
        let removed = kept.snapshots.insert(step, bytes).map_or(0, |old| old.len() + OVERHEAD);
        held.bytes = held.bytes + added - removed;
        Ok(())
    }

    async fn key(&self, tenant: &str, key: &str) -> Result<Option<KeyEntry>, StoreError> {
        Ok(self.held().keys.get(&(tenant.to_owned(), key.to_owned())).cloned())
    }

    async fn forget_keys(&self, before: i64) -> Result<(), StoreError> {
        let mut held = self.held();
        let mut freed = 0;
        held.keys.retain(|_, key| {
            let stays = key.at >= before;
            freed += if stays { 0 } else { key.outcome.len() + OVERHEAD };
            stays
        });
        held.bytes -= freed;
        Ok(())
    }

    async fn find_data(&self, tenant: &str, name: &str) -> Result<Option<DataName>, StoreError> {
        Ok(self.held().data.find(tenant, name))
    }

    async fn list_data(&self, tenant: &str, after: Option<&str>, limit: usize) -> Result<Vec<DataName>, StoreError> {
        Ok(self.held().data.list(tenant, after, limit))
    }

    async fn data(&self, hash: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.held().data.blob(hash))
    }

    async fn data_of(&self, log: LogId) -> Result<Vec<Digest>, StoreError> {
        Ok(self.held().data.of(log))
    }

    async fn run(&self, log: LogId, now: i64) -> Result<Option<Run>, StoreError> {
        Ok(self.held().runs.get(&log).map(|run| run.seen(log, now)))
    }

    async fn left_runs(&self, now: i64, limit: usize) -> Result<Vec<Run>, StoreError> {
        let held = self.held();
        let runs = held.runs.iter().map(|(log, run)| run.seen(*log, now));
        Ok(runs.filter(|run| run.open && !run.held).take(limit).collect())
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn close(&self) {}
}

fn entry_size(entry: &Entry) -> usize {
    entry.body.len() + entry.head.note.len() + OVERHEAD
}

impl Held {
    /// What a change adds.
    fn size_of(&self, change: &Change) -> usize {
        match change {
            Change::Create(_, entry) => OVERHEAD + entry_size(entry),
            Change::Append(_, entry) => entry_size(entry),
            Change::Data(change) => self.data.size_of(change),
            Change::Delete(_) | Change::Nothing | Change::Run(..) => 0,
        }
    }

    fn named(&self, id: LogId) -> bool {
        self.logs.get(&id).is_some_and(|kept| kept.named)
    }

    fn check(&self, change: &Change) -> Result<(), Conflict> {
        match change {
            Change::Create(log, _) => {
                if self.names.contains_key(&(log.tenant.clone(), log.name.clone())) {
                    return Err(Conflict::Name);
                }
                let origin = log.origin.map(|origin| self.logs.get(&origin.log));
                if origin.is_some_and(|origin| !origin.is_some_and(|kept| kept.named)) {
                    return Err(Conflict::Gone);
                }
                Ok(())
            }
            Change::Append(id, entry) => {
                let head = self.logs.get(id).filter(|kept| kept.named).and_then(Kept::head).ok_or(Conflict::Gone)?;
                let stands = entry.head.step == head.entry.last + 1 && entry.head.before == head.entry.hash;
                if stands { Ok(()) } else { Err(Conflict::Head) }
            }
            Change::Delete(id) => self.logs.get(id).filter(|kept| kept.named).map(|_| ()).ok_or(Conflict::Gone),
            Change::Nothing => Ok(()),
            Change::Data(DataChange::Use(log, ..)) if !self.named(*log) => Err(Conflict::Gone),
            Change::Data(change) => self.data.check(change),
            Change::Run(terms, _) if !self.named(terms.log) => Err(Conflict::Gone),
            Change::Run(terms, change) => HeldRun::check(self.runs.get(&terms.log), *terms, change),
        }
    }

    /// Does what was checked.
    fn apply(&mut self, change: Change) {
        self.bytes += self.size_of(&change);
        match change {
            Change::Create(log, entry) => {
                if let Some(parent) = log.origin.and_then(|origin| self.logs.get_mut(&origin.log)) {
                    parent.branches += 1;
                }
                self.names.insert((log.tenant.clone(), log.name.clone()), log.id);
                let (id, entries) = (log.id, BTreeMap::from([(entry.head.step, entry)]));
                self.logs.insert(id, Kept { log, named: true, entries, snapshots: BTreeMap::new(), branches: 0 });
            }
            Change::Append(id, entry) => {
                if let Some(kept) = self.logs.get_mut(&id) {
                    kept.entries.insert(entry.head.step, entry);
                }
            }
            Change::Delete(id) => {
                if let Some(kept) = self.logs.get_mut(&id) {
                    kept.named = false;
                    let name = (kept.log.tenant.clone(), kept.log.name.clone());
                    self.names.remove(&name);
                }
                self.runs.remove(&id);
                self.sweep(id);
            }
            Change::Nothing => {}
            Change::Data(change) => self.bytes -= self.data.apply(change),
            Change::Run(terms, change) => {
                let run = HeldRun::after(self.runs.remove(&terms.log), terms, change);
                self.runs.insert(terms.log, run);
            }
        }
    }

    /// Removes a log that has no name and that no other goes on from, then the one that it went on from, likewise.
    fn sweep(&mut self, mut id: LogId) {
        while self.logs.get(&id).is_some_and(|kept| !kept.named && kept.branches == 0) {
            let Some(kept) = self.logs.remove(&id) else { return };
            let entries: usize = kept.entries.values().map(entry_size).sum();
            let snapshots: usize = kept.snapshots.values().map(|bytes| bytes.len() + OVERHEAD).sum();
            self.bytes -= OVERHEAD + entries + snapshots + self.data.unused_by(id);
            let Some(origin) = kept.log.origin else { return };
            if let Some(parent) = self.logs.get_mut(&origin.log) {
                parent.branches -= 1;
            }
            id = origin.log;
        }
    }
}

impl Kept {
    fn head(&self) -> Option<Head> {
        let (_, entry) = self.entries.last_key_value()?;
        Some(Head { log: self.log.clone(), entry: entry.head.clone() })
    }

    /// The entries from the one that covers a step on.
    fn from(&self, step: u64) -> impl Iterator<Item = &Entry> {
        let covering = self.entries.range(..=step).next_back().filter(|(_, entry)| entry.head.last >= step);
        let first = covering.map_or(step, |(first, _)| *first);
        self.entries.range(first..).map(|(_, entry)| entry)
    }
}
