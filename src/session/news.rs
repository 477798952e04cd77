//! What happens to a session, as it happens: what its log goes on with, and how its training runs end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::course::{Progress, RunId};
use super::history::Past;
use super::once::TENANT;
use super::record::Command;
use super::replay::{CHANGED, ReplayError, TRAIN};
use super::session::{Session, SessionError};
use super::training::{RunState, View};
use crate::store::Sharing;

/// Something that happened.
pub enum News {
    /// A change that was asked for by itself
    Changed(Box<Past>),
    /// A training run came this far
    Trained(Box<Progress>),
    /// A training run has ended
    Ended(Box<View>),
    /// Nothing happened for a while
    Silence,
}

/// Hears of everything that happens to a session, in order.
pub struct Listener {
    session: Arc<Session>,
    changes: watch::Receiver<u64>,
    /// The last step that was told of
    told: u64,
    /// The latest run that was seen, and how it stood
    run: Option<(RunId, RunState)>,
    waiting: VecDeque<News>,
}

/// How long nothing happens before that is told.
const SILENCE: Duration = Duration::from_secs(10);
/// How often a store is asked that others write to as well.
const LOOK: Duration = Duration::from_millis(500);
/// How many entries are read at a time.
const PAGE: u64 = 100;

impl Session {
    /// Listens from a step on, or from now on.
    pub async fn listen(self: &Arc<Self>, after: Option<u64>) -> Result<Listener, SessionError> {
        let changes = self.changes();
        let told = after.unwrap_or_else(|| self.live().step());
        self.check_step(told, self.live().step())?;
        let run = self.latest_run().await?.map(|view| (view.plan.run, view.state));
        Ok(Listener { session: Arc::clone(self), changes, told, run, waiting: VecDeque::new() })
    }

    async fn latest_run(&self) -> Result<Option<View>, SessionError> {
        match self.training().await {
            Ok(view) => Ok(Some(view)),
            Err(SessionError::NoTraining { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Listener {
    /// What happens next; nothing once the server stops.
    pub async fn next(&mut self) -> Result<Option<News>, SessionError> {
        let until = Instant::now() + SILENCE;
        let session = Arc::clone(&self.session);
        let shared = session.services.store.sharing() == Sharing::Shared;
        loop {
            if let Some(news) = self.waiting.pop_front() {
                return Ok(Some(news));
            }
            self.changes.mark_unchanged();
            self.look(shared).await?;
            if !self.waiting.is_empty() {
                continue;
            }
            let wait = if shared { LOOK } else { until.saturating_duration_since(Instant::now()) };
            tokio::select! {
                () = session.services.trainings.stopped() => return Ok(None),
                _ = self.changes.changed() => {}
                () = sleep(wait) => {}
            }
            if Instant::now() >= until {
                return Ok(Some(News::Silence));
            }
        }
    }

    /// Reads what there is to tell.
    async fn look(&mut self, shared: bool) -> Result<(), SessionError> {
        let session = &self.session;
        let named = session.services.store.find(TENANT, session.name().as_str()).await?;
        if named.is_none_or(|head| head.log.id != session.log.id) {
            return Err(ReplayError::Gone.into());
        }
        // The run first: where it has ended, all of its steps are there to be told of before.
        let run = session.latest_run().await?;
        if shared {
            session.doubt();
        }
        session.follow(None).await?;
        let last = session.live().step();
        if self.told < last {
            let next = self.told + 1;
            let (log, until) = session.replay().owner(next).await?;
            let to = until.min(last).min(next + PAGE);
            let entries = session.services.store.entries(log.id, next, to, session.services.limits.log_bytes).await?;
            for entry in entries.into_iter().filter(|entry| entry.head.step <= until) {
                if !entry.is_whole(&log.tenant, log.id) {
                    return Err(ReplayError::damaged(&log.name, entry.head.step, CHANGED).into());
                }
                self.told = entry.head.last.min(until);
                let news = if entry.head.note.contains(TRAIN) {
                    match Command::from_bytes(&entry.body) {
                        Ok(Command::Train(train)) => News::Trained(Box::new(train.progress)),
                        _ => return Err(session.unreadable(entry.head.step, "its note and its command differ")),
                    }
                } else {
                    News::Changed(Box::new(session.past(&entry.head)?))
                };
                self.waiting.push_back(news);
            }
            if self.told < next {
                return Err(session.unreadable(next, "its entry is missing"));
            }
        }
        if self.told >= last {
            let known = self.run;
            self.run = run.as_ref().map(|view| (view.plan.run, view.state));
            let is_over = |state: RunState| !matches!(state, RunState::Running | RunState::Interrupted);
            if let Some(view) = run.filter(|view| is_over(view.state) && known != self.run) {
                self.waiting.push_back(News::Ended(Box::new(view)));
            }
        }
        Ok(())
    }
}
