//! The task that makes a run: portion after portion is computed, written down, and only then told of.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::append::Appended;
use super::super::cbor::to_cbor;
use super::super::compute::{Length, Work};
use super::super::course::{Memory, Progress, TrainCommand};
use super::super::record::Command;
use super::super::replay::ReplayError;
use super::super::services::Services;
use super::super::session::{Live, Made, Session, SessionError};
use super::portion::{Portion, Run, Stand};
use super::{Ended, Kept, Pace, Reason, RunState, Training};
use crate::store::{Change, Commit, CommitError, Conflict, RunChange, RunTerms, StoreError};

/// Why the task stops without having ended the run.
enum Left {
    /// Another server has it, or the log is deleted
    Lost,
    /// The server stops
    Stopping,
}

/// What became of writing a portion down.
enum Written {
    /// It is in the log, and the session stands there
    Made(Live),
    /// There was nothing to be written
    Nothing,
    /// The log may have gone on otherwise
    Overtaken,
    /// The store takes no more
    NoRoom(StoreError),
}

impl Training {
    /// Makes the run to its end, or as long as this server may.
    pub(super) async fn make(self: Arc<Self>, session: Arc<Session>) {
        let services = Arc::clone(&session.services);
        let beating = tokio::spawn(Arc::clone(&self).beat(Arc::clone(&session)));
        let made = self.portions(&session).await;
        beating.abort();
        let ended = match made {
            Ok(ended) => self.end(&session, ended).await,
            Err(Left::Stopping) => {
                let _ = change(&services, session.log.id, RunChange::LetGo).await;
                None
            }
            Err(Left::Lost) => None,
        };
        services.trainings.remove(session.log.id);
        session.tell();
        let state = ended.as_ref().map_or(RunState::Interrupted, |ended| ended.state);
        self.status.send_modify(|status| {
            (status.state, status.ended, status.pace) = (state, ended, None);
        });
    }

    async fn portions(&self, session: &Arc<Session>) -> Result<Ended, Left> {
        let services = &session.services;
        let parted = loop {
            match services.data.parted(services, &self.plan.course).await {
                Ok(parted) => break parted,
                Err(ReplayError::Store(error @ StoreError::Damaged(_))) => return Ok(damaged(session, &error)),
                Err(_) => self.pause(session).await?,
            }
        };
        let run = Run::new(Arc::clone(&session.subject), self.plan.clone(), parted);
        let (began, mut first) = (Instant::now(), None);
        loop {
            let (live, stand) = match self.stand(session).await {
                Ok(Some(found)) => found,
                Ok(None) => return Ok(ended(session, (RunState::Failed, Reason::Overtaken, None), None)),
                Err(SessionError::Replay(ReplayError::Gone)) => return Err(Left::Lost),
                Err(SessionError::Replay(error @ ReplayError::Damaged { .. })) => return Ok(damaged(session, &error)),
                Err(_) => {
                    self.pause(session).await?;
                    continue;
                }
            };
            let since = (began, *first.get_or_insert(stand.done));
            if let Some(ended) = self.onward(session, &run, (live, stand), since).await? {
                return Ok(ended);
            }
        }
    }

    /// Portion after portion, until the run has ended; nothing where the log must be asked how far it is. Its pace is
    /// told since a moment when so many of its steps were made.
    async fn onward(
        &self,
        session: &Arc<Session>,
        run: &Run,
        (mut live, mut stand): (Live, Stand),
        (began, first): (Instant, u64),
    ) -> Result<Option<Ended>, Left> {
        let services = &session.services;
        let most = run.portion(services.limits.snapshot_work);
        loop {
            self.check(session)?;
            let shown = || (stand.done > 0).then(|| stand.last.clone());
            if self.cancel.load(Ordering::Acquire) {
                return Ok(Some(ended(session, (RunState::Cancelled, Reason::Cancelled, None), shown())));
            }
            if stand.done == self.plan.steps() {
                return Ok(Some(ended(session, (RunState::Done, Reason::Finished, None), shown())));
            }
            let (own, from) = (run.clone(), stand.clone());
            let portion = services.compute.run(Work::Pass, Length::Long, move || own.further(from, most)).await;
            match self.write(session, &live, &portion).await? {
                Written::Made(new) => live = new,
                Written::Nothing => {}
                Written::Overtaken => return Ok(None),
                Written::NoRoom(error) => {
                    let end = (RunState::Failed, Reason::StoreFull, Some(error.to_string()));
                    return Ok(Some(ended(session, end, shown())));
                }
            }
            let Portion { stand: after, reports, end, .. } = portion;
            stand = after;
            self.report(reports, &stand, pace(began, stand.done - first, self.plan.steps() - stand.done));
            if let Some(end) = end {
                return Ok(Some(ended(session, end, (stand.done > 0).then(|| stand.last.clone()))));
            }
        }
    }

    /// Writes a portion down, and shows it then.
    async fn write(&self, session: &Arc<Session>, live: &Live, portion: &Portion) -> Result<Written, Left> {
        let Portion { stand, steps, sizes, work, .. } = portion;
        if *steps == 0 {
            return Ok(Written::Nothing);
        }
        let command = Command::Train(Box::new(TrainCommand {
            run: self.plan.run,
            from: self.plan.from,
            course: self.plan.course.clone(),
            memory: stand.memory,
            progress: stand.last.clone(),
        }));
        let state = stand.state.clone();
        let made = Made { result: (), state, command, sizes: *sizes, work: *work, steps: *steps };
        match session.append(live, made, None).await {
            Ok(Some(Appended { live, .. })) => Ok(Written::Made((*session.publish(Arc::new(live))).clone())),
            Ok(None) => Ok(Written::Overtaken),
            Err(SessionError::Replay(ReplayError::Gone)) => Err(Left::Lost),
            Err(SessionError::Replay(ReplayError::Store(error @ StoreError::Full(_)))) => Ok(Written::NoRoom(error)),
            Err(error) => {
                tracing::warn!(session = %session.name(), %error, "a training run waits for the store");
                self.pause(session).await?;
                Ok(Written::Overtaken)
            }
        }
    }

    /// Where the log says that the run stands; nothing where the session went on otherwise.
    async fn stand(&self, session: &Arc<Session>) -> Result<Option<(Live, Stand)>, SessionError> {
        session.doubt();
        session.follow(None).await?;
        let live = (*session.live()).clone();
        let state = live.state().clone();
        if live.step() == self.plan.from {
            let stand = Stand { state, done: 0, memory: Memory::default(), last: Progress::default() };
            return Ok(Some((live, stand)));
        }
        if live.step() < self.plan.from {
            return Ok(None);
        }
        let entry = session.replay().entry(&session.log, live.step()).await?;
        let train = match Command::from_bytes(&entry.body) {
            Ok(Command::Train(train)) if train.run == self.plan.run => train,
            _ => return Ok(None),
        };
        let done = live.step() - self.plan.from;
        Ok(Some((live, Stand { state, done, memory: train.memory, last: train.progress })))
    }

    /// Whether this server goes on with it.
    fn check(&self, session: &Session) -> Result<(), Left> {
        if self.lost.load(Ordering::Acquire) {
            return Err(Left::Lost);
        }
        if session.services.trainings.is_stopping() { Err(Left::Stopping) } else { Ok(()) }
    }

    /// Waits a moment for the store.
    async fn pause(&self, session: &Session) -> Result<(), Left> {
        const PAUSE: Duration = Duration::from_millis(250);
        sleep(PAUSE).await;
        self.check(session)
    }

    fn report(&self, reports: Vec<Progress>, stand: &Stand, pace: Pace) {
        // Where no step is made there is nothing that one looked like.
        let last = (stand.done > 0).then(|| Arc::new(stand.last.clone()));
        self.status.send_modify(|status| {
            (status.progress, status.pace) = (last, Some(pace));
        });
        for progress in reports {
            let pace = Pace { seconds_left: seconds(self.plan.to - progress.step, pace.steps_per_second), ..pace };
            // Nobody may be listening.
            let _ = self.reports.send((Arc::new(progress), pace));
        }
    }

    /// Writes down that it has ended. Where that fails it stays open, and is ended by whoever takes it up again.
    async fn end(&self, session: &Session, ended: Ended) -> Option<Ended> {
        let kept = Kept { plan: self.plan.clone(), ended: Some(ended.clone()) };
        let body = to_cbor(&kept);
        for _ in 0..5 {
            match change(&session.services, session.log.id, RunChange::End { body: body.clone() }).await {
                Ok(()) => return Some(ended),
                // A first answer may have been lost; or another server has it.
                Err(CommitError::Conflict(_)) => {
                    let found = session.services.store.run(session.log.id, session.services.machine.now()).await;
                    return found.ok().flatten().is_some_and(|run| !run.open && run.body == body).then_some(ended);
                }
                Err(error) => {
                    tracing::warn!(session = %session.name(), %error, "the end of a training run is not written yet");
                    sleep(Duration::from_millis(250)).await;
                }
            }
        }
        None
    }

    /// Renews the lease, and hears whether it is lost or the run is to end; never ends.
    async fn beat(self: Arc<Self>, session: Arc<Session>) {
        let services = &session.services;
        loop {
            sleep(services.limits.run_lease / 5).await;
            if let Err(CommitError::Conflict(Conflict::Head | Conflict::Gone)) =
                change(services, session.log.id, RunChange::Renew).await
            {
                self.lost.store(true, Ordering::Release);
            }
            if let Ok(Some(run)) = services.store.run(session.log.id, services.machine.now()).await
                && run.cancel
            {
                self.cancel.store(true, Ordering::Release);
            }
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "steps are limited far below 2^53")]
fn pace(began: Instant, steps: u64, left: u64) -> Pace {
    // A clock that has not moved yet would make it infinitely fast.
    let micros = began.elapsed().as_micros().max(1);
    let steps_per_second = 1e6 * steps as f64 / micros as f64;
    Pace { steps_per_second, seconds_left: seconds(left, steps_per_second) }
}

/// For so many steps at a pace.
#[allow(clippy::cast_precision_loss, reason = "steps are limited far below 2^53")]
fn seconds(steps: u64, steps_per_second: f64) -> f64 {
    if steps_per_second > 0.0 { steps as f64 / steps_per_second } else { 0.0 }
}

fn damaged(session: &Session, error: &impl ToString) -> Ended {
    ended(session, (RunState::Failed, Reason::Damaged, Some(error.to_string())), None)
}

fn ended(
    session: &Session,
    (state, reason, failure): (RunState, Reason, Option<String>),
    progress: Option<Progress>,
) -> Ended {
    Ended { state, reason, step: session.live().step(), progress, failure }
}

/// Changes a run as this server.
pub(super) async fn change(
    services: &Services,
    log: crate::store::LogId,
    change: RunChange,
) -> Result<(), CommitError> {
    let lease = i64::try_from(services.limits.run_lease.as_millis()).unwrap_or(i64::MAX);
    let terms = RunTerms { log, owner: services.owner, now: services.machine.now(), lease };
    services.store.commit(Commit { change: Change::Run(terms, change), key: None }).await
}
