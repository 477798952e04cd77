//! When the arithmetic has changed: what was computed with an older version is never computed with this one.
//!
//! Every entry says which version computed it. A session whose last entry is of an older one is sealed when it is read
//! first: one more entry holds the state that it had reached, whole, and all that follows goes on from there. The state
//! is that of a snapshot at the last step, or the one that this version computes, if that is the same. The steps before
//! stay in the history and are not computed again.

use std::sync::Arc;

use thiserror::Error;

use super::SessionName;
use super::append::{Settled, commit};
use super::cbor::Bytes;
use super::once::TENANT;
use super::record::{Command, Note, SealCommand};
use super::registry::{Registry, RegistryError};
use super::replay::{Replay, ReplayError};
use super::session::{Live, SessionError, keep_snapshot};
use crate::engine::summary::Sizes;
use crate::engine::{ARITHMETIC, snapshot};
use crate::store::{Change, Commit, Entry, EntryHead, Head};

/// Why numbers of another version of the arithmetic are not given.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SealError {
    /// A step from before the arithmetic changed.
    #[error(
        "step {step} of session {session} was computed with version {written} of the arithmetic, and this program has \
         version {ARITHMETIC}: its numbers are not computed again; its loss and norms stand in \
         GET /v1/sessions/{session}/steps"
    )]
    Earlier {
        /// The session's name
        session: String,
        /// The step
        step: u64,
        /// The version
        written: u32,
    },
    /// A newer program has been here.
    #[error(
        "step {step} of session {session} was computed with version {written} of the arithmetic, and this program has \
         version {ARITHMETIC}: serve this store with the newer program"
    )]
    Newer {
        /// The session's name
        session: String,
        /// The step
        step: u64,
        /// The version
        written: u32,
    },
    /// The state that an older program reached is not kept, and this one computes another.
    #[error(
        "session {session} was computed as far as step {step} with version {written} of the arithmetic, and this program \
         has version {ARITHMETIC} and comes to another state: run chainrule snapshot of the older program on this store, \
         then it goes on here"
    )]
    NoState {
        /// The session's name
        session: String,
        /// Its last step
        step: u64,
        /// The version
        written: u32,
    },
}

/// What keeping a snapshot of every session came to.
#[derive(Debug, Default)]
pub struct Snapshots {
    /// Sessions that have one at their last step now
    pub kept: u64,
    /// Sessions that have none, and why
    pub left_out: Vec<(SessionName, String)>,
}

/// The version that computed an entry. A note that cannot be read says nothing of it, and is found to be damaged by the
/// hash of its entry.
pub(super) fn written(note: &str) -> u32 {
    Note::from_text(note).map_or(ARITHMETIC, |note| note.arithmetic)
}

impl Replay<'_> {
    /// That this version computed a step.
    pub(super) async fn check_arithmetic(&self, step: u64) -> Result<(), ReplayError> {
        let (log, _) = self.owner(step).await?;
        let written = written(&self.head(&log, step).await?.note);
        let session = log.name;
        match written {
            ARITHMETIC => Ok(()),
            older if older < ARITHMETIC => Err(SealError::Earlier { session, step, written }.into()),
            _ => Err(SealError::Newer { session, step, written }.into()),
        }
    }

    /// Where a log ends, after its last step was sealed, if an older version computed that.
    pub(super) async fn seal(&self, mut head: Head) -> Result<Head, SessionError> {
        loop {
            let (step, written) = (head.entry.last, written(&head.entry.note));
            if written == ARITHMETIC {
                return Ok(head);
            }
            if written > ARITHMETIC {
                let session = head.log.name;
                return Err(ReplayError::from(SealError::Newer { session, step, written }).into());
            }
            let live = self.reached(&head, written).await?;
            if let Some(entry) = self.append_seal(&live).await? {
                let session = &head.log.name;
                tracing::info!(session, step, written, "a session is sealed: the arithmetic changed");
                keep_snapshot(self.services, head.log.id, &live.at(entry.last, entry.hash)).await;
                return Ok(Head { entry, ..head });
            }
            // Another server may have sealed it meanwhile.
            let found = self.services.store.find(&head.log.tenant, &head.log.name).await?;
            head = found.filter(|found| found.log.id == head.log.id).ok_or(ReplayError::Gone)?;
        }
    }

    /// The state that an older version reached.
    async fn reached(&self, head: &Head, written: u32) -> Result<Live, ReplayError> {
        let (log, entry) = (&head.log, &head.entry);
        let kept = self.snapshot(log, entry.last).await?.filter(|live| live.step() == entry.last);
        let live = match kept {
            Some(live) => Ok(live),
            None => self.reach(entry.last).await,
        };
        match live {
            Ok(live) if live.hash().bytes() == entry.state => Ok(live.at(entry.last, entry.hash)),
            Ok(_) | Err(ReplayError::Damaged { .. } | ReplayError::Sealed(_)) => {
                Err(SealError::NoState { session: log.name.clone(), step: entry.last, written }.into())
            }
            Err(error) => Err(error),
        }
    }

    async fn append_seal(&self, live: &Live) -> Result<Option<EntryHead>, SessionError> {
        let command = Command::Seal(SealCommand { state: Bytes(snapshot::write(live.state())) });
        let step = live.step() + 1;
        let head = EntryHead {
            step,
            last: step,
            at: self.services.machine.now(),
            append: self.services.machine.random()?,
            state: live.hash().bytes(),
            before: live.head,
            note: command.note(Sizes::default()).to_text(),
            hash: [0; 32],
        };
        let entry = Entry { head, body: command.to_bytes() }.sealed(&self.log.tenant, self.log.id);
        let head = entry.head.clone();
        let change = Change::Append(self.log.id, entry);
        let settled = commit(self.services, Commit { change, key: None }).await?;
        Ok((settled == Settled::Made).then_some(head))
    }

    /// The state in a seal.
    pub(super) async fn sealed(&self, entry: &Entry, seal: SealCommand) -> Result<Live, ReplayError> {
        let EntryHead { last: step, state, hash, .. } = entry.head;
        let subject = Arc::clone(self.subject);
        let read =
            move || snapshot::read(subject.model(), &seal.state.0).map(|state| Live::new(step, state, &subject, hash));
        let live = self.run(1, read).await.filter(|live| live.hash().bytes() == state);
        live.ok_or_else(|| self.damaged(step, "the state in it is not the one that was reached"))
    }
}

impl Registry {
    /// Keeps a snapshot of every session where it stands, so that a later version of the arithmetic can go on from
    /// there. Tells of each.
    pub async fn keep_snapshots(&self, told: &mut dyn FnMut(&Snapshots)) -> Result<Snapshots, RegistryError> {
        const PAGE: usize = 1_000;
        let (mut done, mut after) = (Snapshots::default(), None::<String>);
        loop {
            let found = self.services.store.list(TENANT, after.as_deref(), PAGE).await?;
            let Some(last) = found.last() else { return Ok(done) };
            after = Some(last.log.name.clone());
            for head in found {
                let Ok(name) = SessionName::parse(&head.log.name) else { continue };
                match self.keep_snapshot_of(&name).await {
                    Ok(()) => done.kept += 1,
                    // Deleted meanwhile.
                    Err(RegistryError::NoSession(_)) => {}
                    Err(error) => done.left_out.push((name, error.to_string())),
                }
                told(&done);
            }
        }
    }

    async fn keep_snapshot_of(&self, name: &SessionName) -> Result<(), RegistryError> {
        let session = self.session(name).await?;
        let live = session.live();
        let bytes = snapshot::write(live.state());
        self.services.store.keep_snapshot(session.log.id, live.step(), bytes).await?;
        Ok(())
    }
}
