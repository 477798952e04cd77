//! How sessions stood at the steps that were recalled last. Whoever reads one step after the other, forward or back, has
//! but a few entries to go from one of them.

use std::sync::{Mutex, PoisonError};

use super::session::Live;
use crate::engine::snapshot;
use crate::limits::{RECALLED_NUMBERS, RECALLED_OF_A_LOG};
use crate::store::LogId;

/// States by log and step.
pub struct Recent {
    most: usize,
    /// The one used last at the end. A std lock: it is held to find or add one, never across an await.
    held: Mutex<Vec<(LogId, Live)>>,
}

impl Recent {
    /// Room for so many states.
    pub fn new(most: usize) -> Self {
        Self { most, held: Mutex::default() }
    }

    /// The latest state at a step or before it.
    pub(super) fn before(&self, log: LogId, step: u64) -> Option<Live> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let found = held.iter().enumerate().filter(|(_, (of, live))| *of == log && live.step() <= step);
        let (at, _) = found.max_by_key(|(_, (_, live))| live.step())?;
        let one = held.remove(at);
        held.push(one.clone());
        Some(one.1)
    }

    /// Keeps a state that an entry of a log led to, if it is a small one: the way to a large one's snapshot is short.
    pub(super) fn keep(&self, log: LogId, live: &Live) {
        if self.most == 0 || snapshot::numbers(live.state()) > RECALLED_NUMBERS {
            return;
        }
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|(of, other)| *of != log || other.step() != live.step());
        let of_the_log = held.iter().filter(|(of, _)| *of == log).count();
        // The one used longest ago leaves: of this log, or of all.
        let leaves = if of_the_log >= RECALLED_OF_A_LOG {
            held.iter().position(|(of, _)| *of == log)
        } else {
            (held.len() >= self.most).then_some(0)
        };
        if let Some(at) = leaves {
            held.remove(at);
        }
        held.push((log, live.clone()));
    }
}
