//! Looking at a run: from the server that is at work on it, or from what the store has of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep, timeout};

use super::super::cbor::from_cbor;
use super::super::condition::StateTag;
use super::super::course::{Progress, RunId, TrainCommand};
use super::super::record::Command;
use super::super::session::{Session, SessionError};
use super::task::change;
use super::{Ended, Kept, Pace, Plan, Reason, RunState, Status, Training};
use crate::engine::dataset::split::Parted;
use crate::engine::pass::PassError;
use crate::store::{CommitError, Run, RunChange};

/// A run as it stands.
#[derive(Clone, Debug)]
pub struct View {
    /// What it is
    pub plan: Plan,
    /// Whether it goes on
    pub state: RunState,
    /// The session's step
    pub step: u64,
    /// How it looked last
    pub progress: Option<Progress>,
    /// How fast it goes, where this server makes it
    pub pace: Option<Pace>,
    /// How it ended, if it has
    pub ended: Option<Ended>,
}

/// Something that happened to a run.
pub enum Seen {
    /// It came this far; the pace is known where this server makes it
    Progress(Arc<Progress>, Option<Pace>),
    /// Nothing happened for a while
    Silence,
    /// It has ended, or nobody is at work on it
    Over(Box<View>),
}

/// Sees a run go on.
pub struct Watch {
    session: Arc<Session>,
    run: RunId,
    own: Option<Own>,
    /// The last step that was told of
    told: u64,
}

/// A run of this server, with what it reports and how it stands.
type Own = (Arc<Training>, broadcast::Receiver<(Arc<Progress>, Pace)>, watch::Receiver<Status>);

/// How long a watcher waits before it says that nothing happened.
const SILENCE: Duration = Duration::from_secs(10);
/// How often a run of another server is looked at.
const LOOK: Duration = Duration::from_millis(500);

impl Session {
    /// The latest run.
    pub async fn training(&self) -> Result<View, SessionError> {
        if let Some(training) = self.services.trainings.of(self.log.id) {
            return Ok(training.view(self));
        }
        let run = self.services.store.run(self.log.id, self.services.machine.now()).await?;
        let run = run.ok_or_else(|| SessionError::NoTraining { session: self.name().clone() })?;
        self.view(&run).await
    }

    async fn view(&self, run: &Run) -> Result<View, SessionError> {
        let Kept { plan, ended } = from_cbor(&run.body).map_err(|error| self.unreadable(0, &error.to_string()))?;
        if let Some(ended) = ended {
            let (state, step, progress) = (ended.state, ended.step, ended.progress.clone());
            return Ok(View { plan, state, step, progress, pace: None, ended: Some(ended) });
        }
        let state = if run.held { RunState::Running } else { RunState::Interrupted };
        let (step, mut progress) = (self.live().step(), None);
        if step > plan.from {
            let entry = self.replay().entry(&self.log, step).await?;
            if let Ok(Command::Train(train)) = Command::from_bytes(&entry.body)
                && train.run == plan.run
            {
                progress = Some(train.progress);
            }
        }
        Ok(View { plan, state, step, progress, pace: None, ended: None })
    }

    /// Ends the latest run: what is computed now is not waited for longer than a moment.
    pub async fn cancel_training(self: &Arc<Self>) -> Result<View, SessionError> {
        const MOMENT: Duration = Duration::from_secs(2);
        let services = &self.services;
        if let Some(training) = services.trainings.of(self.log.id) {
            training.cancel.store(true, Ordering::Release);
            let mut status = training.status.subscribe();
            let over = status.wait_for(|status| status.state != RunState::Running);
            let _ = timeout(MOMENT, over).await;
            return self.training().await;
        }
        let view = self.training().await?;
        if view.ended.is_some() {
            return Ok(view);
        }
        match change(services, self.log.id, RunChange::Cancel).await {
            Ok(()) | Err(CommitError::Conflict(_)) => {}
            Err(CommitError::Refused(error) | CommitError::Unknown(error)) => return Err(error.into()),
        }
        // Nobody who is at work on it will hear of it: then it is taken up to be ended.
        let _ = self.resume().await;
        let until = Instant::now() + MOMENT;
        loop {
            let view = self.training().await?;
            if view.ended.is_some() || Instant::now() >= until {
                return Ok(view);
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Goes on with the latest run, where nobody is at work on it.
    pub async fn resume(self: &Arc<Self>) -> Result<(), SessionError> {
        let services = &self.services;
        if services.trainings.of(self.log.id).is_some() {
            return Err(self.is_training());
        }
        let run = services.store.run(self.log.id, services.machine.now()).await?;
        let run = run.ok_or_else(|| SessionError::NoTraining { session: self.name().clone() })?;
        if !run.open {
            let View { step, .. } = self.view(&run).await?;
            return Err(SessionError::TrainingOver { session: self.name().clone(), step });
        }
        if run.held {
            return Err(self.is_training());
        }
        let (session, now) = (Arc::clone(self), services.machine.now());
        let taken = super::super::session::as_a_whole(async move { session.take_up(run, now).await }).await?;
        // Nothing where somebody else was faster.
        taken.map(|_| ()).ok_or_else(|| self.is_training())
    }

    /// The run that made a step, as the log has it: also of a session that this one branched off from, and of one that
    /// came from another store.
    pub async fn run_of(&self, step: u64) -> Result<(TrainCommand, Arc<Parted>), SessionError> {
        self.check_step(step, self.live().step())?;
        let replay = self.replay();
        // What rows are like is computed, and belongs to the arithmetic that the step was made with.
        replay.check_arithmetic(step).await?;
        let (log, _) = replay.owner(step).await?;
        match Command::from_bytes(&replay.entry(&log, step).await?.body) {
            Ok(Command::Train(train)) => {
                let parted = self.services.data.parted(&self.services, &train.course).await?;
                Ok((*train, parted))
            }
            Ok(_) => Err(SessionError::NotTrained { session: self.name().clone(), step }),
            Err(error) => Err(self.unreadable(step, &error.to_string())),
        }
    }

    /// The tag of the state at a step that a run tells of, where an entry ends there.
    pub async fn tag_at(&self, step: u64) -> Result<Option<StateTag>, SessionError> {
        let live = self.live();
        if live.step() == step {
            return Ok(Some(live.tag));
        }
        let (log, _) = self.replay().owner(step).await?;
        let head = self.services.store.heads(log.id, step, 1).await?.into_iter().next();
        Ok(head.map(|head| StateTag::of(&head)).filter(|tag| tag.step == step))
    }

    /// Sees the latest run go on, from where it stands now.
    pub async fn watch_training(self: &Arc<Self>) -> Result<Watch, SessionError> {
        let own = self.services.trainings.of(self.log.id);
        let own = own.map(|training| {
            let (reports, status) = (training.reports.subscribe(), training.status.subscribe());
            (training, reports, status)
        });
        let view = self.training().await?;
        Ok(Watch { session: Arc::clone(self), run: view.plan.run, own, told: view.step })
    }

    /// The rows that a run learns from, as it parted them.
    pub async fn parted(&self, plan: &Plan) -> Result<Arc<Parted>, SessionError> {
        Ok(self.services.data.parted(&self.services, &plan.course).await?)
    }

    /// Why a run could not go on: the step that it did not make, tried once more.
    pub async fn obstacle(&self, plan: &Plan, ended: &Ended) -> Result<Option<PassError>, SessionError> {
        if !matches!(ended.reason, Reason::NonFinite | Reason::NotAProbability) {
            return Ok(None);
        }
        let live = self.replay().at(ended.step).await?;
        let parted = self.parted(plan).await?;
        let course = plan.course.course(&parted);
        let (subject, done) = (Arc::clone(&self.subject), ended.step - plan.from);
        let tried = move || course.batches().at(done).step(subject.model(), live.state()).err();
        Ok(self.replay().run(usize::MAX, tried).await)
    }
}

impl Training {
    /// Sees it go on from its first step; nothing of it is missed.
    pub(super) fn watch(self: &Arc<Self>, session: &Arc<Session>) -> Watch {
        let (reports, status) = (self.reports.subscribe(), self.status.subscribe());
        let own = Some((Arc::clone(self), reports, status));
        Watch { session: Arc::clone(session), run: self.plan.run, own, told: self.plan.from }
    }

    fn view(&self, session: &Session) -> View {
        let Status { state, progress, pace, ended } = self.status.borrow().clone();
        let progress = progress.map(|progress| (*progress).clone());
        let told = progress.as_ref().map(|progress| progress.step).or(ended.as_ref().map(|ended| ended.step));
        let step = told.unwrap_or_else(|| session.live().step());
        View { plan: self.plan.clone(), state, step, progress, pace, ended }
    }
}

impl Watch {
    /// What happens next.
    pub async fn next(&mut self) -> Result<Seen, SessionError> {
        if let Some((training, reports, status)) = &mut self.own {
            loop {
                tokio::select! {
                    biased;
                    report = reports.recv() => match report {
                        Ok((progress, _)) if progress.step <= self.told => {}
                        Ok((progress, pace)) => {
                            self.told = progress.step;
                            return Ok(Seen::Progress(progress, Some(pace)));
                        }
                        // Whoever reads too slowly misses some.
                        Err(_) => {}
                    },
                    over = status.wait_for(|status| status.state != RunState::Running) => {
                        let over = over.map_or(RunState::Interrupted, |status| status.state);
                        if over != RunState::Interrupted || self.session.services.trainings.is_stopping() {
                            return Ok(Seen::Over(Box::new(training.view(&self.session))));
                        }
                        break;
                    }
                    () = sleep(SILENCE) => return Ok(Seen::Silence),
                }
            }
            // Another server has it, or will have.
            self.own = None;
        }
        let until = Instant::now() + SILENCE;
        let patience = 3 * self.session.services.limits.run_lease;
        let mut left = None;
        loop {
            self.session.doubt();
            self.session.follow(None).await?;
            let view = self.session.training().await?;
            let is_left = view.plan.run == self.run && view.state == RunState::Interrupted;
            let since = *left.get_or_insert_with(Instant::now);
            if !is_left {
                left = None;
            }
            let goes_on = view.state == RunState::Running || is_left && since.elapsed() < patience;
            if view.plan.run != self.run || !goes_on {
                return Ok(Seen::Over(Box::new(view)));
            }
            if let Some(progress) = view.progress.filter(|progress| progress.step > self.told) {
                self.told = progress.step;
                return Ok(Seen::Progress(Arc::new(progress), view.pace));
            }
            if Instant::now() >= until {
                return Ok(Seen::Silence);
            }
            sleep(LOOK).await;
        }
    }

    /// The run that is seen.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// How it ended, or that nobody is at work on it any more.
    pub async fn end(mut self) -> Result<View, SessionError> {
        loop {
            if let Seen::Over(view) = self.next().await? {
                return Ok(*view);
            }
        }
    }
}
