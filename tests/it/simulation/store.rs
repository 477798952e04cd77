//! A store that fails as stores do, by the dice of its world.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chainrule::store::{
    Commit, CommitError, DataName, Digest, Entry, EntryHead, Head, KeyEntry, Log, LogId, MemoryStore, Run, Sharing,
    Store, StoreError,
};
use tokio::time::sleep;

/// What all servers of one run share.
pub struct Disk {
    pub memory: MemoryStore,
    dice: AtomicU64,
    /// Whether anything fails
    pub trouble: AtomicBool,
    lie: Lie,
    /// The head that a lying store last gave of each name, and then gives for ever
    past: Mutex<Vec<(String, Head)>>,
}

/// How a store breaks its promise, to see that it is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    None,
    AnswersWithoutWriting,
    ForgetsWhoAppended,
    ReadsThePast,
}

/// One server's connection to the disk; a server that is dead hears nothing any more.
pub struct SimulatedStore {
    pub disk: Arc<Disk>,
    pub sharing: Sharing,
    pub dead: AtomicBool,
}

impl Disk {
    pub fn new(seed: u64, lie: Lie) -> Arc<Self> {
        let dice = AtomicU64::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let memory = MemoryStore::new(usize::MAX >> 1);
        Arc::new(Self { memory, dice, trouble: AtomicBool::new(true), lie, past: Mutex::default() })
    }

    /// The next number below a limit (splitmix64).
    pub fn draw(&self, below: u64) -> u64 {
        let mut z = self.dice.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    pub fn is_troubled(&self) -> bool {
        self.trouble.load(Ordering::Relaxed)
    }
}

fn away() -> StoreError {
    StoreError::Unavailable("the dice said so".into())
}

impl SimulatedStore {
    /// A while passes; a dead server's never does.
    async fn wait(&self, most_ms: u64) {
        sleep(Duration::from_millis(self.disk.draw(most_ms + 1))).await;
        if self.dead.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    async fn read(&self) -> Result<(), StoreError> {
        self.wait(3).await;
        if self.disk.is_troubled() && self.disk.draw(40) == 0 { Err(away()) } else { Ok(()) }
    }
}

#[async_trait]
impl Store for SimulatedStore {
    fn kind(&self) -> &'static str {
        "simulated"
    }

    fn sharing(&self) -> Sharing {
        self.sharing
    }

    async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        self.wait(10).await;
        let fate = if self.disk.is_troubled() { self.disk.draw(100) } else { 99 };
        if self.disk.lie == Lie::AnswersWithoutWriting && self.disk.draw(50) == 0 {
            return Ok(());
        }
        match fate {
            0..4 => return Err(CommitError::Refused(away())),
            4..8 => return Err(CommitError::Unknown(away())),
            8..12 if self.sharing == Sharing::Shared => {
                let (disk, late) = (Arc::clone(&self.disk), Duration::from_millis(self.disk.draw(3_000)));
                tokio::spawn(async move {
                    sleep(late).await;
                    let _ = disk.memory.commit(commit).await;
                });
                return Err(CommitError::Unknown(away()));
            }
            _ => {}
        }
        let done = self.disk.memory.commit(commit).await;
        self.wait(10).await;
        if (12..20).contains(&fate) { Err(CommitError::Unknown(away())) } else { done }
    }

    async fn find(&self, tenant: &str, name: &str) -> Result<Option<Head>, StoreError> {
        self.read().await?;
        let head = self.disk.memory.find(tenant, name).await?;
        if self.disk.lie == Lie::ReadsThePast
            && let Some(head) = &head
        {
            let mut past = self.disk.past.lock().unwrap();
            return Ok(Some(match past.iter().find(|(known, _)| known == name) {
                Some((_, old)) if self.disk.draw(2) == 0 => old.clone(),
                _ => {
                    past.retain(|(known, _)| known != name);
                    past.push((name.to_owned(), head.clone()));
                    head.clone()
                }
            }));
        }
        Ok(head)
    }

    async fn log(&self, id: LogId) -> Result<Option<Log>, StoreError> {
        self.read().await?;
        self.disk.memory.log(id).await
    }

    async fn list(&self, tenant: &str, after: Option<&str>, limit: usize) -> Result<Vec<Head>, StoreError> {
        self.read().await?;
        self.disk.memory.list(tenant, after, limit).await
    }

    async fn heads(&self, log: LogId, from: u64, limit: usize) -> Result<Vec<EntryHead>, StoreError> {
        self.read().await?;
        self.disk.memory.heads(log, from, limit).await
    }

    async fn entries(&self, log: LogId, from: u64, to: u64, bytes: usize) -> Result<Vec<Entry>, StoreError> {
        self.read().await?;
        let mut entries = self.disk.memory.entries(log, from, to, bytes).await?;
        if self.disk.lie == Lie::ForgetsWhoAppended && bytes == 1 && from > 0 {
            for entry in &mut entries {
                entry.head.append = [0; 16];
            }
        }
        Ok(entries)
    }

    async fn snapshot(&self, log: LogId, until: u64) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        self.read().await?;
        self.disk.memory.snapshot(log, until).await
    }

    async fn keep_snapshot(&self, log: LogId, step: u64, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.read().await?;
        self.disk.memory.keep_snapshot(log, step, bytes).await
    }

    async fn key(&self, tenant: &str, key: &str) -> Result<Option<KeyEntry>, StoreError> {
        self.read().await?;
        self.disk.memory.key(tenant, key).await
    }

    async fn forget_keys(&self, before: i64) -> Result<(), StoreError> {
        self.read().await?;
        self.disk.memory.forget_keys(before).await
    }

    async fn find_data(&self, tenant: &str, name: &str) -> Result<Option<DataName>, StoreError> {
        self.read().await?;
        self.disk.memory.find_data(tenant, name).await
    }

    async fn list_data(&self, tenant: &str, after: Option<&str>, limit: usize) -> Result<Vec<DataName>, StoreError> {
        self.read().await?;
        self.disk.memory.list_data(tenant, after, limit).await
    }

    async fn data(&self, hash: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.read().await?;
        self.disk.memory.data(hash).await
    }

    async fn data_of(&self, log: LogId) -> Result<Vec<Digest>, StoreError> {
        self.read().await?;
        self.disk.memory.data_of(log).await
    }

    async fn run(&self, log: LogId, now: i64) -> Result<Option<Run>, StoreError> {
        self.read().await?;
        self.disk.memory.run(log, now).await
    }

    async fn left_runs(&self, now: i64, limit: usize) -> Result<Vec<Run>, StoreError> {
        self.read().await?;
        self.disk.memory.left_runs(now, limit).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.read().await
    }

    async fn close(&self) {}
}
