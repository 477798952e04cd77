//! A session as it stood at any of its steps, computed again from its log.
//!
//! The way there begins at the nearest snapshot, or at the start, and follows the steps that led to the state: where
//! the session went back to an earlier step, the way comes from that one. Every entry is checked before it is believed
//! (its own hash, the hash of the one before it) and every state after it is computed (the hash in the entry).

use std::sync::Arc;

use thiserror::Error;

use super::apply::{Model, Ready, apply};
use super::compute::{Length, Work};
use super::record::Command;
use super::seal::SealError;
use super::services::Services;
use super::session::Live;
use super::subject::{Detail, Subject};
use crate::engine::name::LayerName;
use crate::engine::snapshot;
use crate::engine::state::State;
use crate::engine::trace::Trace;
use crate::limits::{ENTRY_WORK, RECALLED_BACK};
use crate::store::{Entry, EntryHead, Log, Store, StoreError};

/// Where a log is read, and what for.
pub struct Replay<'a> {
    /// Where the logs lie, and where long work runs
    pub services: &'a Services,
    /// The model
    pub subject: &'a Arc<Subject>,
    /// The session's log
    pub log: &'a Log,
}

/// What became of a session at a step, computed again.
pub enum Happened {
    /// It was made.
    Created,
    /// A step, of whose trace so much was answered
    Stepped(Box<Trace>, Detail),
    /// Parameters were replaced; those of this layer were answered, or all.
    Replaced(Option<LayerName>),
    /// It went back to an earlier step.
    Rewound,
    /// It goes on with another version of the arithmetic.
    Sealed,
}

/// Why a step cannot be computed again.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ReplayError {
    /// The log cannot be read now.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The log is not what was written, or leads elsewhere than it did.
    #[error("the log of session {session} is damaged at step {step}: {what}; no number of it is served")]
    Damaged {
        /// The session's name
        session: String,
        /// The first step that is wrong
        step: u64,
        /// How
        what: String,
    },
    /// Another version of the arithmetic computed it.
    #[error("{0}")]
    Sealed(#[from] SealError),
    /// The log was deleted meanwhile.
    #[error("the session is deleted")]
    Gone,
}

/// An entry that does not go on from the state before it.
enum Turn {
    /// The step `at` went back to the step `to`.
    Back { at: u64, to: u64 },
    /// The state is in the entry.
    Sealed(Box<Live>),
}

/// Entries of one log that follow each other without a turn among them.
struct Stretch {
    log: Log,
    from: u64,
    to: u64,
}

impl ReplayError {
    /// That a session's log is damaged; whoever runs the server reads it too.
    pub fn damaged(session: &str, step: u64, what: &str) -> Self {
        tracing::error!(session, step, what, "a log is damaged");
        Self::Damaged { session: session.into(), step, what: what.into() }
    }
}

impl Replay<'_> {
    /// The session as it stood at a step that it has, computed with this version of the arithmetic.
    pub async fn at(&self, step: u64) -> Result<Live, ReplayError> {
        self.check_arithmetic(step).await?;
        self.reach(step).await
    }

    /// The same of any step, whichever version computed it: where this one computes another state, that is damage.
    pub(super) async fn reach(&self, step: u64) -> Result<Live, ReplayError> {
        let mut stretches = vec![];
        let mut goal = step;
        let mut live = loop {
            if goal == 0 {
                break self.start().await;
            }
            let (log, _) = self.owner(goal).await?;
            let first = log.origin.map_or(1, |origin| origin.at + 1);
            let snapshot = match self.services.recent.before(log.id, goal) {
                Some(live) if live.step() == goal => Some(live),
                recent => self.snapshot(&log, goal).await?.into_iter().chain(recent).max_by_key(Live::step),
            };
            let from = snapshot.as_ref().map_or(first, |live| live.step() + 1);
            match self.last_turn(&log, from, goal).await? {
                Some(Turn::Back { at, to }) => {
                    stretches.push(Stretch { log, from: at + 1, to: goal });
                    goal = to;
                    continue;
                }
                Some(Turn::Sealed(live)) => {
                    stretches.push(Stretch { log, from: live.step() + 1, to: goal });
                    break *live;
                }
                None => {}
            }
            stretches.push(Stretch { log, from, to: goal });
            match snapshot {
                Some(live) => break live,
                None => goal = first - 1,
            }
        };
        while let Some(stretch) = stretches.pop() {
            live = self.anchored(&stretch, live).await?;
            live = self.along(stretch, live).await?;
        }
        Ok(live)
    }

    /// As far as the log goes now, from where the session stood before. What is written meanwhile is not waited for:
    /// a training run may write as fast as this reads.
    pub async fn onward(&self, mut live: Live) -> Result<Live, ReplayError> {
        let store = &self.services.store;
        let head = store.find(&self.log.tenant, &self.log.name).await?;
        let goal = head.filter(|head| head.log.id == self.log.id).map_or(u64::MAX, |head| head.entry.last);
        loop {
            if live.step() >= goal {
                return Ok(live);
            }
            let entries = self.read(self.log, live.step() + 1, u64::MAX >> 1).await?;
            let Some(last) = entries.last().map(|entry| entry.head.last) else { return Ok(live) };
            let runs = entries.iter().any(|entry| entry.head.note.contains(TRAIN));
            // Whoever trains leaves snapshots, and going on from the latest is less work than to train along.
            let ahead = runs && store.snapshot(self.log.id, last).await?.is_some_and(|(step, _)| step > live.step());
            live = if ahead || entries.iter().any(turns) {
                self.at(last).await?
            } else {
                self.follow(self.log, live, entries, u64::MAX).await?.0
            };
        }
    }

    /// What became of the session at a step that it has, behind its creation: how it stood then, and whose log says so.
    pub async fn recall(&self, step: u64) -> Result<(Live, Happened, Log), ReplayError> {
        let (log, _) = self.owner(step).await?;
        let entry = self.entry(&log, step).await?;
        if turns(&entry) {
            let happened = if entry.head.note.contains(SEAL) { Happened::Sealed } else { Happened::Rewound };
            return Ok((self.at(step).await?, happened, log));
        }
        self.check_arithmetic(step).await?;
        let (before, last) = (self.before(&log, entry.head.step).await?, entry.head.last);
        let (live, happened) = self.follow(&log, before, vec![entry], step).await?;
        if step == last {
            self.services.recent.keep(log.id, &live);
        }
        Ok((live, happened.unwrap_or(Happened::Rewound), log))
    }

    /// The session as it stood before the entry of a log that begins with a step.
    pub async fn before(&self, log: &Log, step: u64) -> Result<Live, ReplayError> {
        let before = self.at(step - 1).await?;
        // The last step that two logs share has another entry in each.
        self.anchored(&Stretch { log: log.clone(), from: step, to: step }, before).await
    }

    /// The log that has the entry of a step, its own or that of a session that it branched off from, and the last step
    /// that it has of it: whoever branched off earliest on the way there shares least.
    pub async fn owner(&self, step: u64) -> Result<(Log, u64), ReplayError> {
        let (mut log, mut until) = (self.log.clone(), u64::MAX);
        while let Some(origin) = log.origin
            && step <= origin.at
        {
            until = until.min(origin.at);
            log = self.services.store.log(origin.log).await?.ok_or(ReplayError::Gone)?;
        }
        Ok((log, until))
    }

    /// The entry that covers a step of a log, checked by itself.
    pub async fn entry(&self, log: &Log, step: u64) -> Result<Entry, ReplayError> {
        let found = whole_entry(&*self.services.store, log, step).await?;
        found.ok_or_else(|| self.damaged(step, "its entry is missing"))
    }

    async fn start(&self) -> Live {
        let subject = Arc::clone(self.subject);
        self.run(1, move || Live::new(0, subject.model().start(), &subject, [0; 32])).await
    }

    pub(super) async fn head(&self, log: &Log, step: u64) -> Result<EntryHead, ReplayError> {
        let found = self.services.store.heads(log.id, step, 1).await?.into_iter().next();
        found.ok_or_else(|| self.damaged(step, "its entry is missing"))
    }

    async fn read(&self, log: &Log, from: u64, to: u64) -> Result<Vec<Entry>, ReplayError> {
        Ok(self.services.store.entries(log.id, from, to, self.services.limits.log_bytes).await?)
    }

    /// The latest snapshot that holds what its step led to.
    pub(super) async fn snapshot(&self, log: &Log, mut until: u64) -> Result<Option<Live>, ReplayError> {
        while let Some((step, bytes)) = self.services.store.snapshot(log.id, until).await? {
            let head = self.head(log, step).await?;
            let subject = Arc::clone(self.subject);
            let read = move || {
                let state = snapshot::read(subject.model(), &bytes)?;
                let live = Live::new(step, state, &subject, head.hash);
                (live.tag.state.bytes() == head.state).then_some(live)
            };
            if let Some(live) = self.run(1, read).await {
                return Ok(Some(live));
            }
            tracing::warn!(session = log.name, step, "a snapshot is damaged; the steps before it are computed again");
            let Some(earlier) = step.checked_sub(1) else { break };
            until = earlier;
        }
        Ok(None)
    }

    /// The last step from `from` to `to` that does not go on from the state before it.
    async fn last_turn(&self, log: &Log, from: u64, to: u64) -> Result<Option<Turn>, ReplayError> {
        const PAGE: usize = 1_000;
        let (mut next, mut found) = (from, None);
        while next <= to {
            let heads = self.services.store.heads(log.id, next, PAGE).await?;
            let Some(last) = heads.last() else { break };
            next = last.last + 1;
            let within = heads.iter().take_while(|head| head.step <= to);
            found = within.filter(|head| is_turn(&head.note)).map(|head| head.step).last().or(found);
        }
        let Some(at) = found else { return Ok(None) };
        let entry = self.entry(log, at).await?;
        match Command::from_bytes(&entry.body) {
            Ok(Command::Rewind { to }) if to < at => Ok(Some(Turn::Back { at, to })),
            Ok(Command::Seal(seal)) => Ok(Some(Turn::Sealed(Box::new(self.sealed(&entry, seal).await?)))),
            _ => Err(self.damaged(at, "its note and its command differ")),
        }
    }

    /// The state before a stretch, as the entry before it: which must have led to the same.
    async fn anchored(&self, stretch: &Stretch, live: Live) -> Result<Live, ReplayError> {
        let head = self.head(&stretch.log, stretch.from - 1).await?;
        if head.state != live.tag.state.bytes() {
            return Err(self.damaged(stretch.from - 1, "it leads to another state than it did"));
        }
        Ok(live.at(head.last, head.hash))
    }

    async fn along(&self, stretch: Stretch, mut live: Live) -> Result<Live, ReplayError> {
        while live.step() < stretch.to {
            let mut entries = self.read(&stretch.log, live.step() + 1, stretch.to).await?;
            let Some(last) = entries.last() else {
                return Err(self.damaged(live.step() + 1, "its entry is missing"));
            };
            if last.head.last >= stretch.to && entries.len() > RECALLED_BACK {
                let rest = entries.split_off(entries.len() - RECALLED_BACK);
                live = self.follow(&stretch.log, live, entries, stretch.to).await?.0;
                self.services.recent.keep(stretch.log.id, &live);
                entries = rest;
            }
            live = self.follow(&stretch.log, live, entries, stretch.to).await?.0;
        }
        Ok(live)
    }

    /// One entry after the other, the last one as far as a step; what happened there.
    async fn follow(
        &self,
        log: &Log,
        live: Live,
        entries: Vec<Entry>,
        until: u64,
    ) -> Result<(Live, Option<Happened>), ReplayError> {
        let (subject, log, limits) = (Arc::clone(self.subject), log.clone(), self.services.limits.for_the_past());
        let mut ready = Vec::with_capacity(entries.len());
        let mut has_runs = false;
        for entry in entries {
            let one = self.ready(&log, entry).await?;
            has_runs |= one.course.is_some();
            ready.push(one);
        }
        let count = if has_runs { usize::MAX } else { ready.len() };
        let work = move || {
            let model = Model { subject: &subject, limits: &limits, log: &log };
            let (mut live, mut last) = (live, None);
            for ready in ready {
                let step = ready.entry.head.step;
                let (after, happened) = apply(model, &live, &ready, until).map_err(|what| (step, what))?;
                (live, last) = (after, Some(happened));
            }
            Ok((live, last))
        };
        self.run(count, work).await.map_err(|(step, what): (u64, String)| self.damaged(step, &what))
    }

    /// An entry with the rows that it learns from.
    pub(super) async fn ready(&self, log: &Log, entry: Entry) -> Result<Ready, ReplayError> {
        // What is not whole is refused when it is applied.
        let trains = entry.head.note.contains(TRAIN) && entry.is_whole(&log.tenant, log.id);
        let course = match Command::from_bytes(&entry.body) {
            Ok(Command::Train(train)) if trains => {
                let parted = self.services.data.parted(self.services, &train.course).await?;
                Some(train.course.course(&parted))
            }
            _ => None,
        };
        Ok(Ready { entry, course })
    }

    /// So many entries' work, on a thread of its own if it is long. How many examples a step has is not known before it
    /// is read: as many as make the work of reading it.
    pub(super) async fn run<T: Send + 'static>(&self, entries: usize, work: impl FnOnce() -> T + Send + 'static) -> T {
        let each = ENTRY_WORK.saturating_add(8 * self.subject.model().parameters() as u64);
        let size = each.saturating_mul(entries as u64);
        self.services.compute.run(Work::Pass, Length::of(size, self.services.limits.inline_multiply_adds), work).await
    }

    pub(super) fn damaged(&self, step: u64, what: &str) -> ReplayError {
        ReplayError::damaged(&self.log.name, step, what)
    }
}

/// That an entry does not fit its hash.
pub(super) const CHANGED: &str = "its entry is not what was written";

/// What the note of a rewind has in it.
const REWIND: &str = r#""kind":"rewind""#;

/// What the note of a seal has in it.
pub(super) const SEAL: &str = r#""kind":"seal""#;

/// What the note of a training run's steps has in it.
pub(super) const TRAIN: &str = r#""kind":"train""#;

/// Whether an entry does not go on from the state before it.
fn turns(entry: &Entry) -> bool {
    is_turn(&entry.head.note)
}

fn is_turn(note: &str) -> bool {
    note.contains(REWIND) || note.contains(SEAL)
}

/// The entry that covers a step of a log, if there is one, checked by itself.
pub async fn whole_entry(store: &dyn Store, log: &Log, step: u64) -> Result<Option<Entry>, ReplayError> {
    let found = store.entries(log.id, step, step, 1).await?.into_iter().next();
    match found {
        Some(entry) if !entry.is_whole(&log.tenant, log.id) => Err(ReplayError::damaged(&log.name, step, CHANGED)),
        found => Ok(found),
    }
}

impl Live {
    /// A state that was reached at a step.
    pub fn new(step: u64, state: State, subject: &Subject, head: [u8; 32]) -> Self {
        Self::reached(step, state, subject, head, 0)
    }

    /// The state after the next entry, which is one step.
    #[must_use]
    pub fn after(&self, state: State, subject: &Subject, head: [u8; 32], work: u64) -> Self {
        self.further(1, state, subject, head, work)
    }

    /// The state after the next entry, which is so many steps.
    #[must_use]
    pub fn further(&self, steps: u64, state: State, subject: &Subject, head: [u8; 32], work: u64) -> Self {
        let since = self.since.saturating_add(work).saturating_add(ENTRY_WORK);
        Self::reached(self.step() + steps, state, subject, head, since)
    }
}
