//! Logs in PostgreSQL, which several servers share.

mod beside;
mod commit;
mod failure;
mod open;
mod pool;
mod read;

use async_trait::async_trait;
use tokio::time::timeout;

use self::failure::unavailable;
pub use self::open::ServerError;

use self::open::Server;
use self::pool::Pool;
use super::{
    Change, Commit, CommitError, DataName, Digest, Durability, Entry, EntryHead, Head, KeyEntry, Log, LogId, Run,
    Sharing, Store, StoreError,
};
use crate::limits;

/// Logs in a PostgreSQL database. Connections come about when they are needed, and again after they were lost.
pub struct PostgresStore {
    pool: Pool,
    place: String,
}

impl PostgresStore {
    /// Opens the database of a URL, `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, and makes the tables that it lacks.
    /// With [`Durability::Power`] a commit is done when PostgreSQL has synced it, with [`Durability::Process`] when
    /// PostgreSQL has it in memory.
    pub async fn open(url: &str, durability: Durability) -> Result<Self, ServerError> {
        let server = Server::from_url(url)?;
        server.prepare().await?;
        let Server { options, place } = server;
        let pool = Pool::new(options, durability, place.clone());
        Self::sweep_left(&pool).await;
        Ok(Self { pool, place })
    }

    /// Frees the room of logs that were deleted when their server stopped. Behind the opening, which only asks whether
    /// there are any: a store where there are none has nothing that sweeps beside its deletions.
    async fn sweep_left(pool: &Pool) {
        let warn = |error: StoreError| tracing::warn!(%error, "deleted sessions still take room");
        match commit::left(pool).await {
            Ok(left) if left.is_empty() => {}
            Ok(left) => {
                let pool = pool.clone();
                tokio::spawn(async move { commit::sweep_left(&pool, left).await.unwrap_or_else(warn) });
            }
            Err(error) => warn(error),
        }
    }

    /// Frees the room of a deleted log. The deletion itself is committed, so that nothing here makes it fail; whoever
    /// opens the store next goes on where this stops.
    async fn sweep(&self, log: LogId) {
        let pool = self.pool.clone();
        let sweeping = tokio::spawn(async move {
            if let Err(error) = commit::sweep(&pool, log).await {
                tracing::warn!(%log, %error, "a deleted session still takes room");
            }
        });
        // A long log takes its time, which nobody has to wait for.
        let _rest = timeout(limits::DATABASE_READY, sweeping).await;
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn kind(&self) -> &'static str {
        "postgres"
    }

    fn sharing(&self) -> Sharing {
        Sharing::Shared
    }

    async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        let deleted = match commit.change {
            Change::Data(change) => return beside::data(&self.pool, change).await,
            Change::Run(terms, change) => return beside::run(&self.pool, terms, change).await,
            Change::Delete(log) => Some(log),
            _ => None,
        };
        commit::commit(&self.pool, commit).await?;
        if let Some(log) = deleted {
            self.sweep(log).await;
        }
        Ok(())
    }

    async fn find(&self, tenant: &str, name: &str) -> Result<Option<Head>, StoreError> {
        read::find(&self.pool, tenant, name).await
    }

    async fn log(&self, id: LogId) -> Result<Option<Log>, StoreError> {
        read::log(&self.pool, id).await
    }

    async fn list(&self, tenant: &str, after: Option<&str>, limit: usize) -> Result<Vec<Head>, StoreError> {
        read::list(&self.pool, tenant, after, limit).await
    }

    async fn heads(&self, log: LogId, from: u64, limit: usize) -> Result<Vec<EntryHead>, StoreError> {
        read::heads(&self.pool, log, from, limit).await
    }

    async fn entries(&self, log: LogId, from: u64, to: u64, bytes: usize) -> Result<Vec<Entry>, StoreError> {
        read::entries(&self.pool, log, from, to, bytes).await
    }

    async fn snapshot(&self, log: LogId, until: u64) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        read::snapshot(&self.pool, log, until).await
    }

    async fn keep_snapshot(&self, log: LogId, step: u64, bytes: Vec<u8>) -> Result<(), StoreError> {
        read::keep_snapshot(&self.pool, log, step, bytes).await
    }

    async fn key(&self, tenant: &str, key: &str) -> Result<Option<KeyEntry>, StoreError> {
        read::key(&self.pool, tenant, key).await
    }

    async fn forget_keys(&self, before: i64) -> Result<(), StoreError> {
        read::forget_keys(&self.pool, before).await
    }

    async fn find_data(&self, tenant: &str, name: &str) -> Result<Option<DataName>, StoreError> {
        beside::find_data(&self.pool, tenant, name).await
    }

    async fn list_data(&self, tenant: &str, after: Option<&str>, limit: usize) -> Result<Vec<DataName>, StoreError> {
        beside::list_data(&self.pool, tenant, after, limit).await
    }

    async fn data(&self, hash: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        beside::blob(&self.pool, hash).await
    }

    async fn data_of(&self, log: LogId) -> Result<Vec<Digest>, StoreError> {
        beside::data_of(&self.pool, log).await
    }

    async fn run(&self, log: LogId, _: i64) -> Result<Option<Run>, StoreError> {
        beside::find_run(&self.pool, log).await
    }

    async fn left_runs(&self, _: i64, limit: usize) -> Result<Vec<Run>, StoreError> {
        beside::left_runs(&self.pool, limit).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        let asked = sqlx::query_scalar::<_, bool>("select current_setting('transaction_read_only') = 'on'");
        let asking = self.pool.run(move |connection| Box::pin(asked.fetch_one(connection)));
        let Ok(answer) = timeout(limits::DATABASE_READY, asking).await else {
            let waited = limits::DATABASE_READY.as_secs();
            return Err(unavailable(&self.place, &format!("no answer for {waited} seconds")));
        };
        if answer? {
            return Err(StoreError::Full(format!("PostgreSQL at {} is read-only", self.place)));
        }
        Ok(())
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

/// A step as PostgreSQL keeps it. Half of the numbers are enough.
fn sql_step(step: u64) -> Result<i64, StoreError> {
    i64::try_from(step).map_err(|_| StoreError::Full(format!("step {step} is beyond what PostgreSQL can number")))
}

/// A step to look for: one beyond the largest finds what the largest finds.
fn read_step(step: u64) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX)
}

/// A number of rows or bytes; a larger one than there can be is as good as any.
fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
