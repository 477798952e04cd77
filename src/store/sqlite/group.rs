//! How the commits of one group go into one transaction: the appends all at once, the others one after the other.
//! Whoever waits for a commit before sending the next never has two in a group, so that their order is nobody's.

use std::collections::HashSet;

use sqlx::{Error, SqliteConnection};

use super::writer::Work;
use super::{apply, bulk};
use crate::store::{Change, Conflict, Entry, KeyEntry, LogId};

/// The work of a group, sorted.
pub(super) struct Group<'w> {
    jobs: &'w [Work],
    /// Appends to different logs under different keys, with their places
    appends: Vec<(usize, LogId, &'w Entry, Option<&'w KeyEntry>)>,
    /// The places of all others
    others: Vec<usize>,
}

impl<'w> Group<'w> {
    pub(super) fn of(jobs: &'w [Work]) -> Self {
        let (mut logs, mut keys) = (HashSet::new(), HashSet::new());
        let (mut appends, mut others) = (Vec::new(), Vec::new());
        for (place, work) in jobs.iter().enumerate() {
            if let Work::Commit(commit) = work
                && let Change::Append(log, entry) = &commit.change
                && appends.len() < bulk::ROWS
                && logs.insert(*log)
                && commit.key.as_ref().is_none_or(|key| keys.insert((&key.tenant, &key.key)))
            {
                appends.push((place, *log, entry, commit.key.as_ref()));
            } else {
                others.push(place);
            }
        }
        Self { jobs, appends, others }
    }

    /// Whether it is one statement, which is a transaction by itself.
    pub(super) fn is_one_statement(&self) -> bool {
        self.others.is_empty() && self.appends.iter().all(|(.., key)| key.is_none())
    }

    /// Does all of it, and says of each what stood in its way.
    pub(super) async fn write(&self, db: &mut SqliteConnection) -> Result<Vec<Result<(), Conflict>>, Error> {
        let mut answers = vec![Ok(()); self.jobs.len()];
        self.append(db, &mut answers).await?;
        for place in &self.others {
            match &self.jobs[*place] {
                Work::Commit(commit) => answers[*place] = apply::commit(db, commit).await?,
                Work::Snapshot { log, step, bytes } => apply::snapshot(db, *log, *step, bytes).await?,
                Work::ForgetKeys(before) => apply::forget_keys(db, *before).await?,
            }
        }
        Ok(answers)
    }

    async fn append(&self, db: &mut SqliteConnection, answers: &mut [Result<(), Conflict>]) -> Result<(), Error> {
        let mut appends = self.appends.clone();
        let keys: Vec<&KeyEntry> = appends.iter().filter_map(|(.., key)| *key).collect();
        if !keys.is_empty() {
            let kept = bulk::keep_keys(db, &keys).await?;
            appends.retain(|(place, .., key)| {
                let taken = key.is_some_and(|key| !kept.contains(&(key.tenant.clone(), key.key.clone())));
                if taken {
                    answers[*place] = Err(Conflict::Key);
                }
                !taken
            });
        }
        if appends.is_empty() {
            return Ok(());
        }
        let entries: Vec<(LogId, &Entry)> = appends.iter().map(|(_, log, entry, _)| (*log, *entry)).collect();
        let appended = bulk::append(db, &entries).await?;
        for (place, log, _, key) in appends {
            if !appended.contains(&log) {
                answers[place] = Err(apply::why_not_appended(db, log).await?);
                if let Some(key) = key {
                    apply::drop_key(db, key).await?;
                }
            }
        }
        Ok(())
    }
}
