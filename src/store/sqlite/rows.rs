//! What is asked, and how rows become what the store gives.

use sqlx::sqlite::SqliteRow;
use sqlx::{Error, Row as _};

use crate::store::{DataName, Entry, EntryHead, Head, KeyEntry, Log, LogId, Origin, Run};

/// The columns of an entry without its bytes.
macro_rules! head {
    () => {
        "e.step, e.last, e.at, e.append, e.state, e.before, e.note, e.hash"
    };
}

/// The columns of a log.
macro_rules! log {
    () => {
        "l.id, l.tenant, l.name, l.origin, l.origin_at, l.size"
    };
}

/// From a log to its last entry.
macro_rules! at_its_end {
    () => {
        " FROM logs l JOIN entries e ON e.log = l.id AND e.step = (SELECT max(step) FROM entries WHERE log = l.id) "
    };
}

/// The entries of a log from the one that covers a step on.
macro_rules! from_covering {
    () => {
        " FROM entries e WHERE e.log = ?1 AND e.step >= coalesce((SELECT step FROM (
              SELECT step, last FROM entries WHERE log = ?1 AND step <= ?2 ORDER BY step DESC LIMIT 1
          ) WHERE last >= ?2), ?2) "
    };
}

/// A row where the database has a table for what logs use.
pub(super) const KNOWS_DATA: &str = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'data_uses'";

/// Reads something, whatever there is.
pub(super) const ANY: &str = "SELECT count(*) FROM sqlite_schema";

pub(super) const FIND: &str =
    concat!("SELECT ", log!(), ", ", head!(), at_its_end!(), "WHERE l.tenant = ?1 AND l.name = ?2 AND l.named = 1");

pub(super) const LIST: &str = concat!(
    "SELECT ",
    log!(),
    ", ",
    head!(),
    at_its_end!(),
    "WHERE l.tenant = ?1 AND l.name > ?2 AND l.named = 1 ORDER BY l.name LIMIT ?3"
);

pub(super) const LOG: &str = concat!("SELECT ", log!(), " FROM logs l WHERE l.id = ?1");

pub(super) const HEADS: &str = concat!("SELECT ", head!(), from_covering!(), "ORDER BY e.step LIMIT ?3");

pub(super) const ENTRIES: &str =
    concat!("SELECT ", head!(), ", e.body", from_covering!(), "AND e.step <= ?3 ORDER BY e.step");

pub(super) const SNAPSHOT: &str =
    "SELECT step, bytes FROM snapshots WHERE log = ?1 AND step <= ?2 ORDER BY step DESC LIMIT 1";

pub(super) const KEY: &str = "SELECT tenant, key, request, at, outcome FROM keys WHERE tenant = ?1 AND key = ?2";

pub(super) const FIND_DATA: &str =
    "SELECT tenant, name, hash, at, note FROM data_names WHERE tenant = ?1 AND name = ?2";

pub(super) const LIST_DATA: &str =
    "SELECT tenant, name, hash, at, note FROM data_names WHERE tenant = ?1 AND name > ?2 ORDER BY name LIMIT ?3";

pub(super) const DATA: &str = "SELECT bytes FROM data WHERE hash = ?1";

pub(super) const DATA_OF: &str = "SELECT hash FROM data_uses WHERE log = ?1 ORDER BY hash";

pub(super) const RUN: &str =
    "SELECT log, owner, open = 1 AND until > ?1 AS held, open, cancel, body FROM runs WHERE log = ?2";

pub(super) const LEFT_RUNS: &str =
    "SELECT log, owner, 0 AS held, open, cancel, body FROM runs WHERE open = 1 AND until <= ?1 LIMIT ?2";

/// A step as SQLite counts; beyond what it can count there are none.
pub(super) fn step(step: u64) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX)
}

/// How many rows, likewise.
pub(super) fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) fn to_log(row: &SqliteRow) -> Result<Log, Error> {
    let origin = match row.try_get::<Option<&[u8]>, _>("origin")? {
        Some(log) => Some(Origin { log: LogId(fixed(log)?), at: number(row, "origin_at")? }),
        None => None,
    };
    let id = LogId(fixed(row.try_get("id")?)?);
    let size = number(row, "size")?;
    Ok(Log { id, tenant: row.try_get("tenant")?, name: row.try_get("name")?, origin, size })
}

pub(super) fn to_head(row: &SqliteRow) -> Result<Head, Error> {
    Ok(Head { log: to_log(row)?, entry: to_entry_head(row)? })
}

pub(super) fn to_entry_head(row: &SqliteRow) -> Result<EntryHead, Error> {
    Ok(EntryHead {
        step: number(row, "step")?,
        last: number(row, "last")?,
        at: row.try_get("at")?,
        append: fixed(row.try_get("append")?)?,
        state: fixed(row.try_get("state")?)?,
        before: fixed(row.try_get("before")?)?,
        note: row.try_get("note")?,
        hash: fixed(row.try_get("hash")?)?,
    })
}

pub(super) fn to_entry(row: &SqliteRow) -> Result<Entry, Error> {
    Ok(Entry { head: to_entry_head(row)?, body: row.try_get("body")? })
}

pub(super) fn to_snapshot(row: &SqliteRow) -> Result<(u64, Vec<u8>), Error> {
    Ok((number(row, "step")?, row.try_get("bytes")?))
}

pub(super) fn to_key(row: &SqliteRow) -> Result<KeyEntry, Error> {
    Ok(KeyEntry {
        tenant: row.try_get("tenant")?,
        key: row.try_get("key")?,
        request: fixed(row.try_get("request")?)?,
        at: row.try_get("at")?,
        outcome: row.try_get("outcome")?,
    })
}

pub(super) fn to_data_name(row: &SqliteRow) -> Result<DataName, Error> {
    Ok(DataName {
        tenant: row.try_get("tenant")?,
        name: row.try_get("name")?,
        hash: fixed(row.try_get("hash")?)?,
        at: row.try_get("at")?,
        note: row.try_get("note")?,
    })
}

pub(super) fn to_run(row: &SqliteRow) -> Result<Run, Error> {
    Ok(Run {
        log: LogId(fixed(row.try_get("log")?)?),
        owner: fixed(row.try_get("owner")?)?,
        held: row.try_get("held")?,
        open: row.try_get("open")?,
        cancel: row.try_get("cancel")?,
        body: row.try_get("body")?,
    })
}

fn number(row: &SqliteRow, column: &str) -> Result<u64, Error> {
    u64::try_from(row.try_get::<i64, _>(column)?).map_err(|error| Error::Decode(error.into()))
}

pub(super) fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Error> {
    bytes.try_into().map_err(|_| Error::Decode(format!("{} bytes where there are {N}", bytes.len()).into()))
}
