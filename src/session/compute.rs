//! Where computations run: short ones at once, long ones on threads of their own, so that the async threads stay free.

use std::panic::resume_unwind;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Runs computations, at most one long one a core at a time; further ones wait their turn.
pub struct Compute {
    long: Semaphore,
}

/// Whether a computation is short enough to be run where it is asked for.
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
    /// With one long computation a core.
    pub fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { long: Semaphore::new(cores) }
    }

    /// The result of the work. A panic in it goes on in the caller.
    pub async fn run<T: Send + 'static>(&self, length: Length, work: impl FnOnce() -> T + Send + 'static) -> T {
        if length == Length::Short {
            return work();
        }
        // The semaphore is never closed; without a permit the work would merely have more company.
        let _permit = self.long.acquire().await.ok();
        match spawn_blocking(work).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(error) => panic!("a computation was cancelled while the server stops: {error}"),
            },
        }
    }
}

impl Default for Compute {
    fn default() -> Self {
        Self::new()
    }
}
