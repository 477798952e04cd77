//! A few connections to PostgreSQL, each used by one task at a time.
//!
//! sqlx has a pool of its own. This one differs where it matters here: work runs in a task of its own, so that a caller
//! who leaves cannot leave a statement half-way on a connection that another gets next; a failure says whether anything
//! was sent; a server that refuses connections is told of at once; a connection is thrown away after anything but a
//! plain refusal; and no answer is waited for without end.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::failure::{Failure, meaning, unavailable};
use crate::limits;
use crate::store::{Durability, StoreError};

/// What is done on a connection.
pub(super) type Work<'c, T> = Pin<Box<dyn Future<Output = Result<T, sqlx::Error>> + Send + 'c>>;

/// The connections of one store.
#[derive(Clone)]
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    options: PgConnectOptions,
    durability: Durability,
    /// Where the server is, for people
    place: String,
    /// As many as there may be connections
    slots: Arc<Semaphore>,
    resting: Mutex<Resting>,
}

/// Connections that nobody uses; the one that was used last is the last.
#[derive(Default)]
struct Resting {
    connections: Vec<(PgConnection, Instant)>,
    /// When a connection was last lost
    trouble: Option<Instant>,
}

/// A connection that has rested for longer is asked whether it still lives. A server does not restart faster.
const TRUSTED: Duration = Duration::from_millis(100);

/// What every connection is told: whose time is up is stopped by the server, so that it is known that nothing was
/// written; a replica that vanished keeps no lock; and the statements mean what they were written for whatever the
/// database's own settings. All of them go by an index, and none is worth compiling: a plan that was made while a table
/// was small, and kept, would read all of it when it is large.
const SETTINGS: &str = "
    select pg_is_in_recovery(),
        set_config('synchronous_commit', case
            when not $1 then 'off'
            when current_setting('synchronous_commit') = 'off' then 'on'
            else current_setting('synchronous_commit') end, false),
        set_config('statement_timeout', $2, false),
        set_config('lock_timeout', $3, false),
        set_config('idle_in_transaction_session_timeout', $2, false),
        set_config('tcp_keepalives_idle', '30', false),
        set_config('tcp_keepalives_interval', '10', false),
        set_config('tcp_keepalives_count', '3', false),
        set_config('tcp_user_timeout', '30000', false),
        set_config('default_transaction_isolation', 'read committed', false),
        set_config('enable_seqscan', 'off', false),
        set_config('jit', 'off', false)";

impl Pool {
    /// No connections yet.
    pub(super) fn new(options: PgConnectOptions, durability: Durability, place: String) -> Self {
        let slots = Arc::new(Semaphore::new(limits::DATABASE_CONNECTIONS));
        Self(Arc::new(Shared { options, durability, place, slots, resting: Mutex::default() }))
    }

    /// Does something on a connection; all of it, even if the caller leaves.
    pub(super) async fn run<T, W>(&self, work: W) -> Result<T, Failure>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut PgConnection) -> Work<'c, T> + Send + 'static,
    {
        let shared = Arc::clone(&self.0);
        let done = tokio::spawn(async move { shared.run(work).await }).await;
        done.unwrap_or_else(|error| Err(Failure::Lost(unavailable(&self.0.place, &error))))
    }

    /// Waits for what is being done, and closes the connections.
    pub(super) async fn close(&self) {
        let all = u32::try_from(limits::DATABASE_CONNECTIONS).unwrap_or(u32::MAX);
        // Whoever is still busy after that ends with the process.
        let _busy = timeout(limits::DATABASE_ANSWER, self.0.slots.acquire_many(all)).await;
        self.0.slots.close();
        let resting = std::mem::take(&mut self.0.resting().connections);
        for (connection, _) in resting {
            // A server that does not answer sees the connection end all the same.
            let _ended = timeout(Duration::from_secs(1), connection.close()).await;
        }
    }
}

impl Shared {
    async fn run<T, W>(&self, work: W) -> Result<T, Failure>
    where
        W: for<'c> FnOnce(&'c mut PgConnection) -> Work<'c, T>,
    {
        let (mut connection, _slot) = self.acquire().await.map_err(Failure::Unsent)?;
        let answered = timeout(limits::DATABASE_ANSWER, work(&mut connection)).await;
        let result = if let Ok(result) = answered {
            result.map_err(|error| Failure::sent(error, &self.place))
        } else {
            let waited = limits::DATABASE_ANSWER.as_secs();
            Err(Failure::Lost(unavailable(&self.place, &format!("no answer for {waited} seconds"))))
        };
        let mut resting = self.resting();
        if result.as_ref().err().is_none_or(Failure::spares_connection) {
            resting.connections.push((connection, Instant::now()));
        } else {
            resting.trouble = Some(Instant::now());
        }
        result
    }

    /// A connection that works as far as can be told.
    async fn acquire(&self) -> Result<(PgConnection, OwnedSemaphorePermit), StoreError> {
        let deadline = Instant::now() + limits::DATABASE_ACQUIRE;
        let waited = limits::DATABASE_ACQUIRE.as_secs();
        let slot = timeout_at(deadline, Arc::clone(&self.slots).acquire_owned()).await.map_err(|_| {
            let busy = format!("all {} connections were busy for {waited} seconds", limits::DATABASE_CONNECTIONS);
            unavailable(&self.place, &busy)
        })?;
        let slot = slot.map_err(|_| unavailable(&self.place, &"the store is closed"))?;
        let connection = timeout_at(deadline, self.connection()).await;
        let silent = |_| Err(unavailable(&self.place, &format!("no connection within {waited} seconds")));
        Ok((connection.unwrap_or_else(silent)?, slot))
    }

    async fn connection(&self) -> Result<PgConnection, StoreError> {
        while let Some((mut connection, trusted)) = self.pop() {
            if trusted || connection.ping().await.is_ok() {
                return Ok(connection);
            }
        }
        self.connect().await
    }

    /// The connection that was used last, and whether it can be trusted unasked.
    fn pop(&self) -> Option<(PgConnection, bool)> {
        let mut resting = self.resting();
        let (connection, since) = resting.connections.pop()?;
        let trusted = since.elapsed() < TRUSTED && resting.trouble.is_none_or(|trouble| trouble < since);
        Some((connection, trusted))
    }

    async fn connect(&self) -> Result<PgConnection, StoreError> {
        let told = |error: sqlx::Error| match error {
            sqlx::Error::Database(error) => meaning(error.downcast_ref(), &self.place),
            error => unavailable(&self.place, &error),
        };
        let mut connection = self.options.connect().await.map_err(told)?;
        let milliseconds = |duration: Duration| duration.as_millis().to_string();
        let standby = sqlx::query_scalar::<_, bool>(SETTINGS)
            .bind(self.durability == Durability::Power)
            .bind(milliseconds(limits::DATABASE_STATEMENT))
            .bind(milliseconds(limits::DATABASE_LOCK))
            .persistent(false)
            .fetch_one(&mut connection)
            .await
            .map_err(told)?;
        if standby {
            let text = "it is a standby, and may not be written to: point --store at the primary";
            return Err(StoreError::Full(format!("PostgreSQL at {}: {text}", self.place)));
        }
        Ok(connection)
    }

    fn resting(&self) -> MutexGuard<'_, Resting> {
        // Nothing that can panic is done under the lock.
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
