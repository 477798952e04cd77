//! How a connection is opened, and the settings that each of them has.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Row as _, SqliteConnection};

use super::bulk;
use crate::store::Durability;

/// How long a connection waits for another process that holds the database: an export at its first moment, or somebody
/// with a shell.
const BUSY: Duration = Duration::from_secs(5);

/// The log is cut to this many bytes when it begins anew, after a burst has made it longer.
const WAL_KEPT: &str = "67108864";

/// A file beside the database whose name goes on from the database's.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The one connection that writes.
pub fn to_write(path: &Path, durability: Durability, create: bool) -> SqliteConnectOptions {
    let synchronous = match durability {
        Durability::Power => SqliteSynchronous::Full,
        Durability::Process => SqliteSynchronous::Normal,
    };
    safe(path)
        .create_if_missing(create)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        // Elsewhere than on Apple's systems these say nothing; there a sync is none without them.
        .pragma("fullfsync", "1")
        .pragma("checkpoint_fullfsync", "1")
        // SQLite's own checkpoints swallow their errors; the writer makes them instead.
        .pragma("wal_autocheckpoint", "0")
        .pragma("journal_size_limit", WAL_KEPT)
        .pragma("cache_size", "-16384")
        // So that the rows of one statement never wait for somebody to take them.
        .row_buffer_size(bulk::ROWS)
}

/// A connection that only reads.
pub fn to_read(path: &Path) -> SqliteConnectOptions {
    // Bodies may be large, and rows that are not asked for any more are read in vain.
    safe(path).read_only(true).pragma("query_only", "1").row_buffer_size(8)
}

/// A connection that only reads a file that nobody writes to, and leaves nothing beside it.
pub fn to_look(path: &Path) -> SqliteConnectOptions {
    to_read(path).immutable(true)
}

fn safe(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY)
        .foreign_keys(true)
        // A file from elsewhere may hold views and triggers with a mind of their own.
        .pragma("trusted_schema", "0")
        .pragma("cell_size_check", "1")
        // A page that cannot be read must be an error, not a signal.
        .pragma("mmap_size", "0")
        // There may be no folder for temporary files.
        .pragma("temp_store", "2")
        .disable_statement_logging()
}

/// Writes everything committed into the main file and syncs it. True when all of it went: a reader may keep the end
/// of the log for itself for a moment.
pub(super) async fn checkpoint(connection: &mut SqliteConnection, truncate: bool) -> Result<bool, sqlx::Error> {
    let statement = if truncate { "PRAGMA wal_checkpoint(TRUNCATE)" } else { "PRAGMA wal_checkpoint(PASSIVE)" };
    let row = sqlx::query(statement).fetch_one(connection).await?;
    let (busy, log, moved): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(busy == 0 && log == moved)
}
