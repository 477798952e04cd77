//! The runs that this server is at work on, and those that are left behind by one that is gone.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::super::cbor::from_cbor;
use super::super::registry::{Registry, RegistryError};
use super::super::session::{Session, SessionError};
use super::task::change;
use super::{Kept, Training};
use crate::store::{CommitError, LogId, Run, RunChange, Sharing};

/// The runs that this server is at work on.
pub struct Trainings {
    /// A std lock: it is held to look, add or remove, never across an await.
    held: Mutex<HashMap<LogId, Arc<Training>>>,
    stopping: watch::Sender<bool>,
}

impl Default for Trainings {
    fn default() -> Self {
        Self { held: Mutex::default(), stopping: watch::channel(false).0 }
    }
}

impl Trainings {
    /// The run on a log.
    pub(in crate::session) fn of(&self, log: LogId) -> Option<Arc<Training>> {
        self.held().get(&log).cloned()
    }

    pub(super) fn add(&self, log: LogId, training: Arc<Training>) {
        self.held().insert(log, training);
    }

    pub(super) fn remove(&self, log: LogId) {
        self.held().remove(&log);
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Completes when the server stops.
    pub(in crate::session) async fn stopped(&self) {
        // The sender lives as long as whoever waits here.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    fn held(&self) -> MutexGuard<'_, HashMap<LogId, Arc<Training>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    /// Takes up the runs that nobody is at work on, now and then; never ends. Where no other server writes to the store,
    /// whoever was at work before this one is gone.
    pub async fn keep_training(&self) {
        let mut first = true;
        loop {
            let gone = first && self.services.store.sharing() == Sharing::Alone;
            let now = if gone { i64::MAX } else { self.services.machine.now() };
            match self.take_up(now).await {
                Ok(()) => first = false,
                Err(error) => tracing::warn!(%error, "training runs that were left behind are not taken up yet"),
            }
            sleep(self.services.limits.run_lease / 4).await;
        }
    }

    /// Takes up what is left behind.
    async fn take_up(&self, now: i64) -> Result<(), RegistryError> {
        const AT_ONCE: usize = 100;
        for run in self.services.store.left_runs(now, AT_ONCE).await? {
            if self.services.trainings.of(run.log).is_some() || self.services.trainings.is_stopping() {
                continue;
            }
            let log = run.log;
            match self.session_of(log).await {
                Ok(Some(session)) => {
                    if let Err(error) = session.take_up(run, now).await {
                        tracing::warn!(%log, %error, "a training run is not taken up yet");
                    }
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%log, %error, "a training run is not taken up yet"),
            }
        }
        Ok(())
    }

    /// Lets go of all runs after what is being computed now, so that others take them up at once.
    pub async fn stop_training(&self) {
        let trainings = &self.services.trainings;
        trainings.stopping.send_replace(true);
        let until = Instant::now() + self.services.limits.stop_timeout;
        while !trainings.held().is_empty() && Instant::now() < until {
            sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

impl Session {
    /// Goes on with a run that nobody is at work on.
    pub(super) async fn take_up(self: &Arc<Self>, run: Run, now: i64) -> Result<Option<Arc<Training>>, SessionError> {
        let services = &self.services;
        let kept: Kept = from_cbor(&run.body).map_err(|error| self.unreadable(0, &error.to_string()))?;
        let _turn = self.turn.lock().await;
        if services.trainings.of(self.log.id).is_some() {
            return Ok(None);
        }
        // Its lease is over by a clock that may be the end of all time: of a server that is known to be gone.
        let taken = match now {
            i64::MAX => services.take_from_the_gone(self.log.id).await,
            _ => change(services, self.log.id, RunChange::Take).await,
        };
        match taken {
            Ok(()) => {}
            Err(CommitError::Conflict(_)) => return Ok(None),
            Err(CommitError::Refused(error) | CommitError::Unknown(error)) => return Err(error.into()),
        }
        tracing::info!(session = %self.name(), "a training run goes on from what was written of it");
        let (training, _) = self.set_out(kept.plan);
        if run.cancel {
            training.cancel.store(true, Ordering::Release);
        }
        Ok(Some(training))
    }
}
