//! How sessions stood at the steps that were recalled last. Whoever reads one step after the other, forward or back, has
//! but a few entries to go from one of them.

use std::sync::{Mutex, PoisonError};

use super::session::Live;
use crate::engine::snapshot;
use crate::limits::{RECALLED_FROM, RECALLED_NUMBERS, RECALLED_OF_A_LOG};
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

    /// The latest state at a step or a little before it.
    pub(super) fn before(&self, log: LogId, step: u64) -> Option<Live> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let near = |live: &Live| step.checked_sub(live.step()).is_some_and(|steps| steps <= RECALLED_FROM);
        let found = held.iter().enumerate().filter(|(_, (of, live))| *of == log && near(live));
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
        let mut of_the_log = held.iter().enumerate().filter(|(_, (of, _))| *of == log);
        let first_of_the_log = of_the_log.next().map(|(at, _)| at);
        if let Some(at) = first_of_the_log
            && of_the_log.count() + 1 >= RECALLED_OF_A_LOG
        {
            held.remove(at);
        } else if held.len() >= self.most {
            held.remove(0);
        }
        held.push((log, live.clone()));
    }
}
