//! On which state a change insists, and what tells one state of a session from every other.

use std::fmt;

use thiserror::Error;

use crate::engine::state::StateHash;
use crate::store::EntryHead;

/// What tells a state from every other: the step, and the hash of what it led to. The step alone would come back after
/// a deletion, and the hash alone after a rewind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateTag {
    /// Changes made since the creation
    pub step: u64,
    /// What they led to
    pub state: StateHash,
}

/// On which state a change insists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// On none
    #[default]
    None,
    /// That there is one
    Any,
    /// On one of these
    OneOf(Vec<StateTag>),
}

/// The session does not stand where the change insists that it does.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Stale {
    /// There is none yet.
    #[error("If-Match insists on a state, and the session is yet to be made; leave it out to make one")]
    Absent,
    /// It stands elsewhere.
    #[error("the session stands at step {}, with the tag \"{now}\", and not where If-Match says", .now.step)]
    Elsewhere {
        /// Where it stands
        now: StateTag,
    },
    /// It has never been there, though somebody was told that it had.
    #[error(
        "If-Match names step {claimed}, and the session has only {} steps: a tag of another session of this name, or of a store that has lost steps", .now.step
    )]
    Lost {
        /// The step that the tag names
        claimed: u64,
        /// Where it stands
        now: StateTag,
    },
}

impl Condition {
    /// Whether a session that is not there may be made.
    pub fn check_absent(&self) -> Result<(), Stale> {
        if *self == Self::None { Ok(()) } else { Err(Stale::Absent) }
    }

    /// Whether a session that stands there may be changed.
    pub fn check(&self, now: StateTag) -> Result<(), Stale> {
        let Self::OneOf(tags) = self else { return Ok(()) };
        if tags.contains(&now) {
            return Ok(());
        }
        match tags.iter().map(|tag| tag.step).max().filter(|step| *step > now.step) {
            Some(claimed) => Err(Stale::Lost { claimed, now }),
            None => Err(Stale::Elsewhere { now }),
        }
    }
}

impl StateTag {
    /// Where a log stands.
    pub fn of(entry: &EntryHead) -> Self {
        Self { step: entry.last, state: StateHash::from_bytes(entry.state) }
    }

    /// The tag, where the text is one as it is displayed.
    pub fn parse(text: &str) -> Option<Self> {
        let (step, state) = text.split_once('-')?;
        Some(Self { step: step.parse().ok()?, state: StateHash::parse(state)? })
    }
}

impl fmt::Display for StateTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.step, self.state)
    }
}
