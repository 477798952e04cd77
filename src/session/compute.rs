//! Where computations run: short ones at once, long ones on threads of their own, so that the async threads stay free.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn_blocking};

/// Runs long work, at most one piece of each kind a core at a time; further pieces wait their turn. The two kinds do
/// not wait for each other: reading a session stays quick while others compute.
pub struct Compute {
    turns: usize,
    passes: Arc<Semaphore>,
    texts: Arc<Semaphore>,
    moved: [AtomicU64; 2],
}

/// What kind of work it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Passes over networks, and the making of networks.
    Pass,
    /// Reading and writing JSON.
    Text,
}

/// Whether a piece of work is short enough to be done where it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Far shorter than the way to another thread and back would be worth.
    Short,
    /// Anything else.
    Long,
}

impl Length {
    /// Short up to the limit.
    pub fn of(cost: u64, limit: u64) -> Self {
        if cost <= limit { Self::Short } else { Self::Long }
    }
}

impl Compute {
    /// With one long piece of each kind a core.
    pub fn new() -> Self {
        let turns = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            turns,
            passes: Arc::new(Semaphore::new(turns)),
            texts: Arc::new(Semaphore::new(turns)),
            moved: Default::default(),
        }
    }

    /// Long pieces of one kind that may be at work at once.
    pub fn turns(&self) -> usize {
        self.turns
    }

    /// Long pieces of one kind that are at work now.
    pub fn at_work(&self, kind: Work) -> usize {
        self.turns - self.semaphore(kind).available_permits()
    }

    /// Long pieces of one kind that there ever were.
    pub fn moved(&self, kind: Work) -> u64 {
        self.moved[kind as usize].load(Ordering::Relaxed)
    }

    /// The result of the work. A panic in it goes on in the caller. Where the caller leaves, the work still runs to its
    /// end and keeps its turn until then.
    pub async fn run<T: Send + 'static>(
        &self,
        kind: Work,
        length: Length,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        if length == Length::Short {
            return work();
        }
        match self.start(kind, work).await.await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(error) => panic!("a computation was cancelled while the server stops: {error}"),
            },
        }
    }

    /// Begins long work when its turn has come, and does not wait for its end.
    pub async fn begin(&self, kind: Work, work: impl FnOnce() + Send + 'static) {
        drop(self.start(kind, work).await);
    }

    async fn start<T: Send + 'static>(&self, kind: Work, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        self.moved[kind as usize].fetch_add(1, Ordering::Relaxed);
        // The semaphore is never closed; without a permit the work would merely have more company.
        let permit = Arc::clone(self.semaphore(kind)).acquire_owned().await.ok();
        spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        })
    }

    fn semaphore(&self, kind: Work) -> &Arc<Semaphore> {
        match kind {
            Work::Pass => &self.passes,
            Work::Text => &self.texts,
        }
    }
}

impl Default for Compute {
    fn default() -> Self {
        Self::new()
    }
}
