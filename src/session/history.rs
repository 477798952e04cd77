//! What became of a session, step by step, and any of its steps again.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::SessionName;
use super::apply::along;
use super::record::{Asked, Command, Creation, Kind, Note};
use super::replay::{CHANGED, Happened, ReplayError, TRAIN};
use super::seal::written;
use super::session::{Live, Session, SessionError};
use crate::engine::ARITHMETIC;
use crate::engine::mode::Mode;
use crate::engine::optimizer::LearningRate;
use crate::engine::state::StateHash;
use crate::engine::summary::Sizes;
use crate::store::{Entry, EntryHead, Log};

/// An entry of the history.
pub struct Past {
    /// The first step that it covers
    pub step: u64,
    /// What it was
    pub note: Note,
    /// The state that it led to
    pub state: StateHash,
    /// Milliseconds since 1970
    pub at: i64,
}

/// What became of a session at a step, computed again.
pub struct Recalled {
    /// What it was
    pub happened: Happened,
    /// How the session stood after it
    pub live: Live,
    /// The name that it was answered under: that of the session it branched off from, where it is from before that
    pub name: SessionName,
}

impl Session {
    /// At most `limit` entries from a step on, and whether there are more. Steps from before it branched off are those
    /// of the session that it branched off from, but for step 0.
    pub async fn history(&self, from: u64, limit: usize) -> Result<(Vec<Past>, bool), SessionError> {
        let last = self.live().step();
        let (mut found, mut next) = (vec![], from);
        while next <= last && found.len() <= limit {
            // The entry with which a branch begins is its own, and is followed by what was before it.
            let (log, until, wanted) = if next == 0 {
                (self.log.clone(), 0, 1)
            } else {
                let (log, until) = self.replay().owner(next).await?;
                (log, until.min(last), limit + 1 - found.len())
            };
            // With their bytes: a note that has changed shows only by the hash over all of its entry.
            let to = until.min(next.saturating_add(wanted as u64 - 1));
            let entries = self.services.store.entries(log.id, next, to, self.services.limits.log_bytes).await?;
            let before = next;
            for entry in entries.into_iter().filter(|entry| entry.head.step <= until) {
                if entry.head.step > next {
                    return Err(self.unreadable(next, "its entry is missing"));
                }
                if !entry.is_whole(&log.tenant, log.id) {
                    return Err(ReplayError::damaged(&log.name, entry.head.step, CHANGED).into());
                }
                if entry.head.note.contains(TRAIN) && written(&entry.head.note) < ARITHMETIC {
                    // Its steps are not computed again: what was written of the last one stands for them.
                    next = entry.head.last + 1;
                    found.push(Past { step: entry.head.last, ..self.past(&entry.head)? });
                } else if entry.head.note.contains(TRAIN) {
                    let last = entry.head.last.min(until).min(next.saturating_add((limit - found.len()) as u64));
                    found.extend(self.run_steps(&log, entry, next..=last).await?);
                    next = last + 1;
                } else {
                    next = if entry.head.step == 0 { 1 } else { entry.head.last + 1 };
                    found.push(self.past(&entry.head)?);
                }
                if found.len() > limit {
                    break;
                }
            }
            if next == before {
                return Err(self.unreadable(next, "its entry is missing"));
            }
        }
        let more = found.len() > limit;
        found.truncate(limit);
        Ok((found, more))
    }

    /// What became of the session at a step, computed again: never answered where it is not what was.
    pub async fn recall(&self, step: u64) -> Result<Recalled, SessionError> {
        self.check_step(step, self.live().step())?;
        if step == 0 {
            let (_, live) = self.beginning().await?;
            return Ok(Recalled { happened: Happened::Created, live, name: self.name().clone() });
        }
        let (live, happened, log) = self.replay().recall(step).await?;
        let name = SessionName::parse(&log.name).map_err(|_| self.unreadable(step, "its session's name is none"))?;
        Ok(Recalled { happened, live, name })
    }

    /// How the session began: its creation record, and where it stood then.
    pub async fn beginning(&self) -> Result<(Creation, Live), SessionError> {
        let entry = self.replay().entry(&self.log, 0).await?;
        let creation = creation(&entry).map_err(|what| self.unreadable(0, &what))?;
        let live = self.replay().at(entry.head.last).await?;
        Ok((creation, live))
    }

    /// The session as it stood at a step; as it stands now, if none is named.
    pub async fn at(&self, step: Option<u64>) -> Result<Arc<Live>, SessionError> {
        let live = self.live();
        match step {
            None => Ok(live),
            Some(step) if step == live.step() => Ok(live),
            Some(step) => {
                self.check_step(step, live.step())?;
                Ok(Arc::new(self.replay().at(self.reached_at(step)).await?))
            }
        }
    }

    /// The step at which the state of a step was reached: that of a branch's own step 0, its creation, where it branched
    /// off.
    pub(super) fn reached_at(&self, step: u64) -> u64 {
        match self.log.origin {
            Some(origin) if step == 0 => origin.at,
            _ => step,
        }
    }

    /// Some steps of an entry that covers many, each made again.
    async fn run_steps(&self, log: &Log, entry: Entry, steps: RangeInclusive<u64>) -> Result<Vec<Past>, SessionError> {
        let at = entry.head.step;
        let Ok(Command::Train(train)) = Command::from_bytes(&entry.body) else {
            return Err(self.unreadable(at, "its note and its command differ"));
        };
        let replay = self.replay();
        let before = replay.before(log, at).await?;
        let ready = replay.ready(log, entry).await?;
        let subject = Arc::clone(&self.subject);
        let work = move || {
            let course = ready.course.as_ref().ok_or("its note and its command differ")?;
            let mut found = vec![];
            along(&subject, course, before.state(), &ready, &train, steps, &mut |step, batch, trace, state| {
                let Sizes { loss, gradient_norm, change_norm } = Sizes::of(&trace);
                let asked = Asked {
                    examples: Some(batch.rows() as u64),
                    mode: Some(Mode::Train),
                    learning_rate: batch.learning_rate().map(LearningRate::value),
                    ..Asked::default()
                };
                let note = Note { arithmetic: ARITHMETIC, kind: Kind::Train, loss, gradient_norm, change_norm, asked };
                found.push(Past { step, note, state: state.hash(subject.model()), at: ready.entry.head.at });
            })?;
            Ok(found)
        };
        replay.run(usize::MAX, work).await.map_err(|what: String| self.unreadable(at, &what))
    }

    pub(super) fn past(&self, head: &EntryHead) -> Result<Past, SessionError> {
        let note = Note::from_text(&head.note).map_err(|error| self.unreadable(head.step, &error.to_string()))?;
        Ok(Past { step: head.step, note, state: StateHash::from_bytes(head.state), at: head.at })
    }

    pub(super) fn unreadable(&self, step: u64, what: &str) -> SessionError {
        ReplayError::damaged(self.name().as_str(), step, what).into()
    }
}

/// The creation record in a log's first entry.
pub(super) fn creation(entry: &Entry) -> Result<Creation, String> {
    match Command::from_bytes(&entry.body) {
        Ok(Command::Create(creation)) => Ok(*creation),
        Ok(_) => Err("its first entry is no creation".into()),
        Err(error) => Err(error.to_string()),
    }
}
