//! Logs in an SQLite database, which is one file, for one server.
//!
//! Every commit goes through one task, the writer, and is answered when it is as durable as was asked for. Reads have
//! connections of their own, see what is committed, and wait for nobody.

mod apply;
mod beside;
mod bulk;
pub mod connect;
mod error;
mod group;
mod hold;
mod open;
mod rows;
mod schema;
mod wal;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use sqlx::{ConnectOptions as _, Row as _, SqlitePool};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle};

pub use error::OpenError;

use super::{
    Change, Commit, CommitError, DataName, Digest, Durability, Entry, EntryHead, Head, KeyEntry, Log, LogId, Run,
    Sharing, Store, StoreError,
};
use crate::limits::DATABASE_CHECKED_FIRST;
use error::of_reading;
use open::Found;
use writer::{Job, Work, Writer};

/// Connections that read.
const READERS: u32 = 4;
/// How long a read waits for one of them.
const WAIT_FOR_A_READER: Duration = Duration::from_secs(10);
/// What may wait to be written before those who come wait themselves.
const QUEUE: usize = 1024;

const GONE: &str = "the task that writes has ended";
const READ_ONLY: &str = "the database is open for reading only";

/// Logs in an SQLite database.
pub struct SqliteStore {
    shared: Arc<Shared>,
    /// To the writer; nothing once it is closed, or where nothing is written
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// The check of a large database
    check: Option<AbortHandle>,
}

/// What the writer tells those who read.
struct Shared {
    state: RwLock<State>,
    /// Set once, when the database is found damaged: it is read as far as it can be, and never written to again
    damage: OnceLock<String>,
}

enum State {
    Open(SqlitePool),
    Closed(StoreError),
}

impl Shared {
    fn set(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn open(&self, readers: SqlitePool) {
        self.set(State::Open(readers));
    }

    fn close(&self, why: StoreError) {
        self.set(State::Closed(why));
    }

    fn damaged(&self, why: String) {
        let _ = self.damage.set(why);
    }

    fn damage(&self) -> Option<StoreError> {
        self.damage.get().cloned().map(StoreError::Damaged)
    }

    fn readers(&self) -> Result<SqlitePool, StoreError> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Open(readers) => Ok(readers.clone()),
            State::Closed(why) => Err(why.clone()),
        }
    }

    /// Why it is closed.
    fn closed(&self) -> StoreError {
        self.readers().err().unwrap_or_else(|| StoreError::Unavailable("it was closed and is opened again".to_owned()))
    }
}

impl SqliteStore {
    /// Opens a database, and makes it where there is none. It is this process's alone until it is closed.
    pub async fn open(path: &Path, durability: Durability) -> Result<Self, OpenError> {
        let path = absolute(path)?;
        let hold = Arc::new(open::hold(&path)?);
        let found = open::examine(&path, durability, Some(&hold)).await?;
        match found {
            Found::Database(bytes) => open::look(&path, bytes <= DATABASE_CHECKED_FIRST).await?,
            Found::Nothing => hold.make(&path)?,
        }
        let connections = open::connect(&path, durability, found).await?;
        let shared =
            Arc::new(Shared { state: RwLock::new(State::Open(connections.readers.clone())), damage: OnceLock::new() });
        let (sender, queue) = mpsc::channel(QUEUE);
        let large = matches!(found, Found::Database(bytes) if bytes > DATABASE_CHECKED_FIRST);
        let check = large.then(|| tokio::spawn(check(path.clone(), shared.clone())).abort_handle());
        let connections = Some(connections);
        let writer = Writer { path, durability, connections, shared: shared.clone(), queue, hold, grown: 0 };
        let writer = tokio::spawn(writer.run());
        Ok(Self { shared, queue: Mutex::new(Some(sender)), writer: Mutex::new(Some(writer)), check })
    }

    /// Opens a database to read it, also while a server has it. Commits are refused.
    pub async fn open_to_read(path: &Path) -> Result<Self, OpenError> {
        let path = absolute(path)?;
        if open::examine(&path, Durability::Power, None).await? == Found::Nothing {
            return Err(OpenError::Unavailable { path, reason: "there is no database yet".to_owned() });
        }
        open::look(&path, false).await?;
        let readers = open::readers(connect::to_read(&path));
        // A folder that cannot be written to has no room for what readers share; but then nobody writes there either.
        let readers = match sqlx::query(rows::ANY).fetch_one(&readers).await {
            Ok(_) => readers,
            Err(_) => open::readers(connect::to_look(&path)),
        };
        let shared = Arc::new(Shared { state: RwLock::new(State::Open(readers)), damage: OnceLock::new() });
        Ok(Self { shared, queue: Mutex::new(None), writer: Mutex::new(None), check: None })
    }

    async fn write(&self, work: Work) -> Result<(), CommitError> {
        if let Some(damage) = self.shared.damage() {
            return Err(CommitError::Refused(damage));
        }
        self.shared.readers().map_err(CommitError::Refused)?;
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(queue) = queue else {
            return Err(CommitError::Refused(StoreError::Full(READ_ONLY.to_owned())));
        };
        let gone = || StoreError::Unavailable(GONE.to_owned());
        let (answer, answered) = oneshot::channel();
        queue.send(Job { work, answer }).await.map_err(|_| CommitError::Refused(gone()))?;
        answered.await.unwrap_or_else(|_| Err(CommitError::Unknown(gone())))
    }
}

/// The path without links: SQLite puts the log beside the file that is meant, and so lies the lock.
fn absolute(path: &Path) -> Result<PathBuf, OpenError> {
    let failed = |error: std::io::Error| OpenError::Unavailable { path: path.to_owned(), reason: error.to_string() };
    let path = std::path::absolute(path).map_err(failed)?;
    if let Ok(path) = path.canonicalize() {
        return Ok(path);
    }
    match (path.parent().and_then(|folder| folder.canonicalize().ok()), path.file_name()) {
        (Some(folder), Some(name)) => Ok(folder.join(name)),
        _ => Ok(path),
    }
}

/// Checks a large database while it is in use.
async fn check(path: PathBuf, shared: Arc<Shared>) {
    let found = async {
        let mut db = connect::to_read(&path).connect().await?;
        open::full_check(&mut db).await
    };
    match found.await.map_err(|error| of_reading(&error)) {
        Ok(None) => tracing::debug!("the database was checked"),
        Ok(Some(damage)) | Err(StoreError::Damaged(damage)) => {
            tracing::error!(damage, "the database is damaged; nothing more is written to it");
            shared.damaged(damage);
        }
        Err(error) => tracing::warn!(%error, "the database could not be checked"),
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn kind(&self) -> &'static str {
        "sqlite"
    }

    fn sharing(&self) -> Sharing {
        Sharing::Alone
    }

    async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        if let Change::Create(_, entry) | Change::Append(_, entry) = &commit.change
            && i64::try_from(entry.head.last).is_err()
        {
            let beyond = "SQLite counts to 2^63, and this step is beyond".to_owned();
            return Err(CommitError::Refused(StoreError::Full(beyond)));
        }
        self.write(Work::Commit(Box::new(commit))).await
    }

    async fn find(&self, tenant: &str, name: &str) -> Result<Option<Head>, StoreError> {
        let row = sqlx::query(rows::FIND).bind(tenant).bind(name).fetch_optional(&self.shared.readers()?).await;
        row.and_then(|row| row.as_ref().map(rows::to_head).transpose()).map_err(|error| of_reading(&error))
    }

    async fn log(&self, id: LogId) -> Result<Option<Log>, StoreError> {
        let row = sqlx::query(rows::LOG).bind(&id.0[..]).fetch_optional(&self.shared.readers()?).await;
        row.and_then(|row| row.as_ref().map(rows::to_log).transpose()).map_err(|error| of_reading(&error))
    }

    async fn list(&self, tenant: &str, after: Option<&str>, limit: usize) -> Result<Vec<Head>, StoreError> {
        let query = sqlx::query(rows::LIST).bind(tenant).bind(after.unwrap_or_default()).bind(rows::count(limit));
        let found = query.fetch_all(&self.shared.readers()?).await;
        found.and_then(|found| found.iter().map(rows::to_head).collect()).map_err(|error| of_reading(&error))
    }

    async fn heads(&self, log: LogId, from: u64, limit: usize) -> Result<Vec<EntryHead>, StoreError> {
        let query = sqlx::query(rows::HEADS).bind(&log.0[..]).bind(rows::step(from)).bind(rows::count(limit));
        let found = query.fetch_all(&self.shared.readers()?).await;
        found.and_then(|found| found.iter().map(rows::to_entry_head).collect()).map_err(|error| of_reading(&error))
    }

    async fn entries(&self, log: LogId, from: u64, to: u64, bytes: usize) -> Result<Vec<Entry>, StoreError> {
        let readers = self.shared.readers()?;
        let query = sqlx::query(rows::ENTRIES).bind(&log.0[..]).bind(rows::step(from)).bind(rows::step(to));
        let mut found = query.fetch(&readers);
        let (mut entries, mut taken) = (Vec::new(), 0);
        while taken < bytes.max(1)
            && let Some(row) = found.try_next().await.map_err(|error| of_reading(&error))?
        {
            let entry = rows::to_entry(&row).map_err(|error| of_reading(&error))?;
            // An empty body takes some room too.
            taken += entry.body.len() + 256;
            entries.push(entry);
        }
        Ok(entries)
    }

    async fn snapshot(&self, log: LogId, until: u64) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        let query = sqlx::query(rows::SNAPSHOT).bind(&log.0[..]).bind(rows::step(until));
        let row = query.fetch_optional(&self.shared.readers()?).await;
        row.and_then(|row| row.as_ref().map(rows::to_snapshot).transpose()).map_err(|error| of_reading(&error))
    }

    async fn keep_snapshot(&self, log: LogId, step: u64, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.write(Work::Snapshot { log, step, bytes }).await.map_err(without_commit)
    }

    async fn key(&self, tenant: &str, key: &str) -> Result<Option<KeyEntry>, StoreError> {
        let row = sqlx::query(rows::KEY).bind(tenant).bind(key).fetch_optional(&self.shared.readers()?).await;
        row.and_then(|row| row.as_ref().map(rows::to_key).transpose()).map_err(|error| of_reading(&error))
    }

    async fn forget_keys(&self, before: i64) -> Result<(), StoreError> {
        self.write(Work::ForgetKeys(before)).await.map_err(without_commit)
    }

    async fn find_data(&self, tenant: &str, name: &str) -> Result<Option<DataName>, StoreError> {
        let row = sqlx::query(rows::FIND_DATA).bind(tenant).bind(name).fetch_optional(&self.shared.readers()?).await;
        row.and_then(|row| row.as_ref().map(rows::to_data_name).transpose()).map_err(|error| of_reading(&error))
    }

    async fn list_data(&self, tenant: &str, after: Option<&str>, limit: usize) -> Result<Vec<DataName>, StoreError> {
        let query = sqlx::query(rows::LIST_DATA).bind(tenant).bind(after.unwrap_or_default()).bind(rows::count(limit));
        let found = query.fetch_all(&self.shared.readers()?).await;
        found.and_then(|found| found.iter().map(rows::to_data_name).collect()).map_err(|error| of_reading(&error))
    }

    async fn data(&self, hash: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let row = sqlx::query(rows::DATA).bind(&hash[..]).fetch_optional(&self.shared.readers()?).await;
        row.and_then(|row| row.map(|row| row.try_get(0)).transpose()).map_err(|error| of_reading(&error))
    }

    async fn data_of(&self, log: LogId) -> Result<Vec<Digest>, StoreError> {
        let readers = self.shared.readers()?;
        // A file that is only read may be from before there was data.
        let known = sqlx::query(rows::KNOWS_DATA).fetch_optional(&readers).await.map_err(|error| of_reading(&error))?;
        if known.is_none() {
            return Ok(vec![]);
        }
        let found = sqlx::query(rows::DATA_OF).bind(&log.0[..]).fetch_all(&readers).await;
        let hashes = found.and_then(|found| found.iter().map(|row| rows::fixed(row.try_get(0)?)).collect());
        hashes.map_err(|error| of_reading(&error))
    }

    async fn run(&self, log: LogId, now: i64) -> Result<Option<Run>, StoreError> {
        let row = sqlx::query(rows::RUN).bind(now).bind(&log.0[..]).fetch_optional(&self.shared.readers()?).await;
        row.and_then(|row| row.as_ref().map(rows::to_run).transpose()).map_err(|error| of_reading(&error))
    }

    async fn left_runs(&self, now: i64, limit: usize) -> Result<Vec<Run>, StoreError> {
        let query = sqlx::query(rows::LEFT_RUNS).bind(now).bind(rows::count(limit));
        let found = query.fetch_all(&self.shared.readers()?).await;
        found.and_then(|found| found.iter().map(rows::to_run).collect()).map_err(|error| of_reading(&error))
    }

    async fn ready(&self) -> Result<(), StoreError> {
        if let Some(damage) = self.shared.damage() {
            return Err(damage);
        }
        self.shared.readers()?;
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        match &*queue {
            Some(queue) if !queue.is_closed() => Ok(()),
            Some(_) => Err(StoreError::Unavailable(GONE.to_owned())),
            None => Err(StoreError::Full(READ_ONLY.to_owned())),
        }
    }

    async fn close(&self) {
        // The writer ends when it has done all that was sent to it and nobody can send anything more.
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(queue);
        if let Some(check) = &self.check {
            check.abort();
        }
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            let _ = writer.await;
        }
        if let Ok(readers) = self.shared.readers() {
            readers.close().await;
        }
    }
}

/// What a write that makes no promise answers.
fn without_commit(error: CommitError) -> StoreError {
    match error {
        CommitError::Refused(error) | CommitError::Unknown(error) => error,
        CommitError::Conflict(conflict) => StoreError::Unavailable(conflict.to_string()),
    }
}
