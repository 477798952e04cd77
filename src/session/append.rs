//! Writing a change down: the moment at which it is made, and what to do where nobody knows whether it was.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::cbor::Bytes;
use super::once::{Claim, Outcome};
use super::replay::ReplayError;
use super::services::Services;
use super::session::{Live, Made, Session, SessionError};
use crate::store::{Change, Commit, CommitError, Conflict, Entry, EntryHead, Sharing, StoreError};

/// A change that was made.
pub(super) struct Appended<T> {
    /// For the one who asked
    pub result: T,
    /// Where the session stands now
    pub live: Live,
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// It is in the store.
    Made,
    /// Something else stands in its place.
    Overtaken,
}

impl Session {
    /// Appends a change to where the session stood before it; `None` where the log has gone on meanwhile.
    pub(super) async fn append<T>(
        &self,
        before: &Live,
        made: Made<T>,
        claim: Option<&Claim>,
    ) -> Result<Option<Appended<T>>, SessionError> {
        let Made { result, state, command, sizes, work, steps } = made;
        let mut live = before.further(steps, state, &self.subject, [0; 32], work);
        let head = EntryHead {
            step: before.step() + 1,
            last: live.step(),
            at: self.services.machine.now(),
            append: self.services.machine.random()?,
            state: live.hash().bytes(),
            before: before.head,
            note: command.note(sizes).to_text(),
            hash: [0; 32],
        };
        let entry = Entry { head, body: command.to_bytes() }.sealed(&self.log.tenant, self.log.id);
        live.head = entry.head.hash;
        let outcome = || Outcome::Changed { log: Bytes(self.log.id.0.to_vec()), step: live.step() };
        let key = claim.map(|claim| claim.entry(&self.services, &outcome()));
        match commit(&self.services, Commit { change: Change::Append(self.log.id, entry), key }).await {
            Ok(Settled::Made) => Ok(Some(Appended { result, live })),
            Ok(Settled::Overtaken) => {
                self.doubt();
                Ok(None)
            }
            Err(error) => {
                self.doubt();
                Err(error)
            }
        }
    }
}

/// Writes all of it or nothing, and finds out which.
pub(super) async fn commit(services: &Services, commit: Commit) -> Result<Settled, SessionError> {
    match services.store.commit(commit.clone()).await {
        Ok(()) => Ok(Settled::Made),
        Err(CommitError::Conflict(conflict)) => overtaken(conflict),
        Err(CommitError::Refused(error)) => Err(error.into()),
        // A store of this server's own that fails is not asked to do the same again: it must first find out by itself
        // what it still has.
        Err(CommitError::Unknown(error)) if services.store.sharing() == Sharing::Alone => Err(error.into()),
        Err(CommitError::Unknown(error)) => settle(services, commit, error).await,
    }
}

/// Finds out what became of a commit whose answer was lost. The same one is sent again until it or another is seen in
/// its place: both at once cannot be there, for the place is a key of the store.
async fn settle(services: &Services, commit: Commit, mut error: StoreError) -> Result<Settled, SessionError> {
    let until = Instant::now() + services.limits.settle_timeout;
    let mut pause = Duration::from_millis(10);
    let mut conflict = None;
    loop {
        match seen(services, &commit.change).await {
            Ok(Some(settled)) => return Ok(settled),
            Ok(None) => {
                if let Some(conflict) = conflict {
                    return overtaken(conflict);
                }
            }
            Err(reason) => error = reason,
        }
        match services.store.commit(commit.clone()).await {
            Ok(()) => return Ok(Settled::Made),
            // Perhaps with the first one.
            Err(CommitError::Conflict(with)) => conflict = Some(with),
            Err(CommitError::Refused(reason) | CommitError::Unknown(reason)) => error = reason,
        }
        if Instant::now() >= until {
            return Err(error.into());
        }
        sleep(pause).await;
        pause = (2 * pause).min(Duration::from_secs(1));
    }
}

/// What stands where a change would stand; `None` where nothing does.
async fn seen(services: &Services, change: &Change) -> Result<Option<Settled>, StoreError> {
    let store = &services.store;
    Ok(match change {
        Change::Append(log, entry) => {
            let step = entry.head.step;
            let found = store.entries(*log, step, step, 1).await?;
            let own = |found: &Entry| found.head.append == entry.head.append;
            found.first().map(|found| if own(found) { Settled::Made } else { Settled::Overtaken })
        }
        Change::Create(log, _) => {
            if store.log(log.id).await?.is_some() {
                Some(Settled::Made)
            } else {
                store.find(&log.tenant, &log.name).await?.map(|_| Settled::Overtaken)
            }
        }
        Change::Delete(id) => match store.log(*id).await? {
            None => Some(Settled::Made),
            Some(log) => {
                let named = store.find(&log.tenant, &log.name).await?.is_some_and(|head| head.log.id == *id);
                (!named).then_some(Settled::Made)
            }
        },
        // Whatever they are, they may be written twice.
        Change::Nothing | Change::Data(_) | Change::Run(..) => None,
    })
}

fn overtaken(conflict: Conflict) -> Result<Settled, SessionError> {
    match conflict {
        Conflict::Head | Conflict::Name => Ok(Settled::Overtaken),
        Conflict::Key => Err(SessionError::Answered),
        Conflict::Gone => Err(ReplayError::Gone.into()),
    }
}
