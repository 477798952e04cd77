//! The one task that writes. It takes what is queued, commits all of it at once, and answers all; so many share one
//! sync. Nobody who waits for an answer, or stops waiting, has a hand in a transaction.
//!
//! A commit that fails is never tried again on the same connection, and a sync never at all: what a second one says of
//! what the first one failed to write is not true. Everything is closed instead, the log is scanned, and the database is
//! opened as after a crash, which brings all that is visible into the main file and syncs it there.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::connect::checkpoint;
use super::error::{Failure, OpenError, judge};
use super::group::Group;
use super::hold::Hold;
use super::open::{self, Connections};
use super::{Shared, bulk};
use crate::store::{Change, Commit, CommitError, DataChange, Durability, LogId, RunChange, StoreError};

/// What is committed at once, at the most.
const GROUP: usize = bulk::ROWS;
/// And about so many bytes.
const GROUP_BYTES: usize = 16 << 20;
/// The log is brought into the main file when about so many bytes were written to it.
const CHECKPOINT: usize = 4 << 20;
/// What an entry takes in the log beside its body: two pages or three.
const PAGES: usize = 3 * 4096;
/// How long it waits before it opens a closed store again, at first and at the most.
const WAITS: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(500)];

/// What is to be written.
pub(super) enum Work {
    Commit(Box<Commit>),
    Snapshot { log: LogId, step: u64, bytes: Vec<u8> },
    ForgetKeys(i64),
}

/// Work, and who waits for it.
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) answer: oneshot::Sender<Result<(), CommitError>>,
}

/// The task.
pub(super) struct Writer {
    pub(super) path: PathBuf,
    pub(super) durability: Durability,
    pub(super) connections: Option<Connections>,
    pub(super) shared: Arc<Shared>,
    pub(super) queue: mpsc::Receiver<Job>,
    /// Kept as long as there is a writer, and let go of when SQLite has closed the file
    pub(super) hold: Arc<Hold>,
    /// About how much the log has grown
    pub(super) grown: usize,
}

impl Writer {
    /// Writes until nobody can send anything more, then closes.
    pub(super) async fn run(mut self) {
        while let Some(first) = self.queue.recv().await {
            let mut bytes = size(&first.work);
            let mut group = vec![first];
            while group.len() < GROUP
                && bytes < GROUP_BYTES
                && let Ok(job) = self.queue.try_recv()
            {
                bytes += size(&job.work);
                group.push(job);
            }
            self.grown += bytes;
            self.settle(group).await;
            if self.grown >= CHECKPOINT {
                self.checkpoint().await;
            }
            if self.connections.is_none() {
                self.reopen().await;
            }
        }
        self.close().await;
    }

    /// Writes a group and answers it.
    async fn settle(&mut self, group: Vec<Job>) {
        let (jobs, waiting): (Vec<Work>, Vec<_>) = group.into_iter().map(|job| (job.work, job.answer)).unzip();
        match boxed(self.write(&jobs)).await {
            Ok(answers) => answer(waiting, answers),
            Err(Failure::Clean(_)) if jobs.len() > 1 => {
                // Whoever is to blame, if anybody, shall not take the others along.
                for (work, waiting) in jobs.into_iter().zip(waiting) {
                    let result = match boxed(self.write(&[work])).await {
                        Ok(answers) => answers.into_iter().next().unwrap_or(Ok(())),
                        Err(failure) => Err(self.fail(failure).await),
                    };
                    answer([waiting], [result]);
                }
            }
            Err(failure) => {
                let error = self.fail(failure).await;
                let answers: Vec<_> = waiting.iter().map(|_| Err(error.clone())).collect();
                answer(waiting, answers);
            }
        }
    }

    /// What a failure is answered with, after the store is closed, if that is what it comes to.
    async fn fail(&mut self, failure: Failure) -> CommitError {
        match failure {
            Failure::Clean(error) => CommitError::Refused(error),
            Failure::Damaged(error) => {
                tracing::error!(%error, "the database is damaged; nothing more is written to it");
                self.shared.damaged(error.to_string());
                CommitError::Refused(error)
            }
            Failure::Lost(error) => {
                tracing::error!(%error, "a commit failed; the database is closed, and opened again as after a crash");
                self.shared.close(error.clone());
                self.disconnect(false).await;
                CommitError::Unknown(error)
            }
        }
    }

    /// One transaction with all of them.
    async fn write(&mut self, jobs: &[Work]) -> Result<Vec<Result<(), CommitError>>, Failure> {
        if let Some(damage) = self.shared.damage() {
            return Ok(jobs.iter().map(|_| Err(CommitError::Refused(damage.clone()))).collect());
        }
        let Some(Connections { writer, .. }) = &mut self.connections else {
            return Ok(jobs.iter().map(|_| Err(CommitError::Refused(self.shared.closed()))).collect());
        };
        let group = Group::of(jobs);
        let alone = group.is_one_statement();
        if !alone && let Err(error) = sqlx::query("BEGIN IMMEDIATE").execute(&mut *writer).await {
            return Err(judge(&error, false));
        }
        let failure = match group.write(writer).await {
            Err(error) => judge(&error, alone),
            Ok(answers) => {
                let committed =
                    if alone { Ok(()) } else { sqlx::query("COMMIT").execute(&mut *writer).await.map(|_| ()) };
                match committed {
                    Ok(()) => return Ok(answers.into_iter().map(|it| it.map_err(CommitError::Conflict)).collect()),
                    Err(error) => judge(&error, true),
                }
            }
        };
        if !matches!(failure, Failure::Lost(_))
            && let Err(error) = sqlx::query("ROLLBACK").execute(&mut *writer).await
            // SQLite may have done it itself.
            && !error.to_string().contains("no transaction is active")
        {
            return Err(Failure::Lost(StoreError::Unavailable(error.to_string())));
        }
        Err(failure)
    }

    /// Brings the log into the main file.
    async fn checkpoint(&mut self) {
        let Some(Connections { writer, .. }) = &mut self.connections else { return };
        match checkpoint(writer, false).await {
            Ok(true) => self.grown = 0,
            // A reader needs the end of the log yet.
            Ok(false) => self.grown = CHECKPOINT / 2,
            Err(error) => match judge(&error, false) {
                Failure::Clean(error) => {
                    tracing::warn!(%error, "the log could not be brought into the main file; it grows until it can");
                    self.grown = CHECKPOINT / 2;
                }
                failure => {
                    self.fail(failure).await;
                }
            },
        }
    }

    /// Opens a closed store again as soon as that can be done.
    async fn reopen(&mut self) {
        let mut wait = WAITS[0];
        let found = open::Found::Database(0);
        loop {
            let opened = match open::examine(&self.path, self.durability, Some(&self.hold)).await {
                Ok(_) => boxed(open::connect(&self.path, self.durability, found)).await,
                Err(error) => Err(error),
            };
            match opened {
                Ok(connections) => {
                    tracing::info!("the database is open again, and all that it shows is synced");
                    self.shared.open(connections.readers.clone());
                    (self.connections, self.grown) = (Some(connections), 0);
                    return;
                }
                Err(error @ (OpenError::Damaged { .. } | OpenError::DamagedWal { .. } | OpenError::Foreign { .. })) => {
                    tracing::error!(%error, "the database cannot be opened again");
                    self.shared.damaged(error.to_string());
                    self.shared.close(StoreError::Damaged(error.to_string()));
                    while let Some(job) = self.queue.recv().await {
                        answer([job.answer], [Err(CommitError::Refused(self.shared.closed()))]);
                    }
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "the database cannot be opened again yet");
                    self.shared.close(StoreError::Unavailable(error.to_string()));
                }
            }
            let until = Instant::now() + wait;
            wait = WAITS[1].min(wait * 2);
            loop {
                tokio::select! {
                    () = sleep_until(until) => break,
                    job = self.queue.recv() => match job {
                        Some(job) => answer([job.answer], [Err(CommitError::Refused(self.shared.closed()))]),
                        None => return,
                    },
                }
            }
        }
    }

    /// Closes the connections. `settled` says that all is well; otherwise the log is left as it is.
    async fn disconnect(&mut self, settled: bool) {
        let Some(Connections { writer, anchor, readers }) = self.connections.take() else { return };
        if settled {
            readers.close().await;
            let _ = anchor.close().await;
            let _ = writer.close().await;
        } else {
            // Whoever leaves last would move the log into the main file, if it could write.
            let _ = writer.close().await;
            readers.close().await;
            let _ = anchor.close().await;
        }
    }

    async fn close(mut self) {
        self.shared.close(StoreError::Unavailable("the server is stopping".to_owned()));
        let mut settled = false;
        if let Some(Connections { writer, .. }) = &mut self.connections {
            match checkpoint(writer, true).await {
                Ok(_) => settled = true,
                Err(error) => tracing::error!(%error, "the log stays beside the database; the next start reads it"),
            }
        }
        self.disconnect(settled).await;
        drop(self.hold);
    }
}

/// Names the type of a future, which the compiler cannot see to be `Send` through a spawn otherwise.
fn boxed<'a, T>(future: impl Future<Output = T> + Send + 'a) -> Pin<Box<dyn Future<Output = T> + Send + 'a>> {
    Box::pin(future)
}

/// Answers; whoever does not wait any more does not hear it.
fn answer(
    waiting: impl IntoIterator<Item = oneshot::Sender<Result<(), CommitError>>>,
    answers: impl IntoIterator<Item = Result<(), CommitError>>,
) {
    for (waiting, answer) in waiting.into_iter().zip(answers) {
        let _ = waiting.send(answer);
    }
}

/// About what it adds to the log.
fn size(work: &Work) -> usize {
    let body = match work {
        Work::Commit(commit) => {
            let key = commit.key.as_ref().map_or(0, |key| key.outcome.len());
            match &commit.change {
                Change::Create(_, entry) | Change::Append(_, entry) => key + entry.body.len() + entry.head.note.len(),
                Change::Data(DataChange::Name(_, bytes) | DataChange::Use(_, _, bytes)) => bytes.len(),
                Change::Run(_, RunChange::Begin { body } | RunChange::End { body }) => body.len(),
                Change::Delete(_) | Change::Nothing | Change::Data(_) | Change::Run(..) => key,
            }
        }
        Work::Snapshot { bytes, .. } => bytes.len(),
        Work::ForgetKeys(_) => 0,
    };
    PAGES + body
}
