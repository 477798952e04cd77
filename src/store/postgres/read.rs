//! What is read from PostgreSQL, each in one round trip.

use sqlx::postgres::PgRow;
use sqlx::{Decode, Postgres, Row as _, Type};

use super::failure::Failure;
use super::pool::Pool;
use super::{read_step, sql_limit, sql_step};
use crate::store::{Entry, EntryHead, Head, KeyEntry, Log, LogId, Origin, StoreError};

/// What an entry counts for beside its bytes where a reader says how many bytes it wants.
const OVERHEAD: usize = 256;

const FIND: &str = "
    select l.id, l.tenant, l.name, l.origin, l.origin_at, l.size, e.*
    from logs l cross join lateral (
        select step, last, at, append, state, before, hash, note
        from entries where log = l.id order by step desc limit 1) e
    where l.tenant = $1 and l.name = $2 and l.named";

const LIST: &str = "
    select l.id, l.tenant, l.name, l.origin, l.origin_at, l.size, e.*
    from logs l cross join lateral (
        select step, last, at, append, state, before, hash, note
        from entries where log = l.id order by step desc limit 1) e
    where l.tenant = $1 and l.name > $2 and l.named order by l.name limit $3";

const LOG: &str = "select id, tenant, name, origin, origin_at, size from logs where id = $1";

/// From the entry that covers $2 on.
const HEADS: &str = "
    select step, last, at, append, state, before, hash, note from entries
    where log = $1 and step >= coalesce((
        select step from (select step, last from entries where log = $1 and step <= $2 order by step desc limit 1) c
        where last >= $2), $2)
    order by step limit $3";

/// Likewise, with the bytes of those that have less than $4 before them. Each counts for $6 at least, so that not more
/// than $5 can be wanted; sizes are known without reading the bytes.
const ENTRIES: &str = "
    select step, last, at, append, state, before, hash, note, body from (
        select *, sum(octet_length(body) + $6) over (order by step) - (octet_length(body) + $6) as taken
        from (
            select * from entries
            where log = $1 and step <= $3 and step >= coalesce((
                select step
                from (select step, last from entries where log = $1 and step <= $2 order by step desc limit 1) c
                where last >= $2), $2)
            order by step limit $5) within_reach) counted
    where taken < $4 order by step";

const SNAPSHOT: &str = "select step, bytes from snapshots where log = $1 and step <= $2 order by step desc limit 1";

const KEY: &str = "select request, at, outcome from keys where tenant = $1 and key = $2";

pub(super) async fn find(pool: &Pool, tenant: &str, name: &str) -> Result<Option<Head>, StoreError> {
    let asked = sqlx::query(FIND).bind(tenant.to_owned()).bind(name.to_owned());
    let row = pool.run(move |connection| Box::pin(asked.fetch_optional(connection))).await?;
    row.map(|row| head(&row)).transpose()
}

pub(super) async fn log(pool: &Pool, id: LogId) -> Result<Option<Log>, StoreError> {
    let asked = sqlx::query(LOG).bind(id.0.to_vec());
    let row = pool.run(move |connection| Box::pin(asked.fetch_optional(connection))).await?;
    row.map(|row| log_of(&row)).transpose()
}

pub(super) async fn list(
    pool: &Pool,
    tenant: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Head>, StoreError> {
    let asked = sqlx::query(LIST).bind(tenant.to_owned()).bind(after.unwrap_or_default().to_owned());
    let asked = asked.bind(sql_limit(limit));
    let rows = pool.run(move |connection| Box::pin(asked.fetch_all(connection))).await?;
    rows.iter().map(head).collect()
}

pub(super) async fn heads(pool: &Pool, log: LogId, from: u64, limit: usize) -> Result<Vec<EntryHead>, StoreError> {
    let asked = sqlx::query(HEADS).bind(log.0.to_vec()).bind(read_step(from)).bind(sql_limit(limit));
    let rows = pool.run(move |connection| Box::pin(asked.fetch_all(connection))).await?;
    rows.iter().map(entry_head).collect()
}

pub(super) async fn entries(
    pool: &Pool,
    log: LogId,
    from: u64,
    to: u64,
    bytes: usize,
) -> Result<Vec<Entry>, StoreError> {
    let asked = sqlx::query(ENTRIES).bind(log.0.to_vec()).bind(read_step(from)).bind(read_step(to));
    let asked = asked.bind(sql_limit(bytes.max(1))).bind(sql_limit(bytes / OVERHEAD + 1)).bind(sql_limit(OVERHEAD));
    let rows = pool.run(move |connection| Box::pin(asked.fetch_all(connection))).await?;
    rows.iter().map(|row| Ok(Entry { head: entry_head(row)?, body: get(row, "body")? })).collect()
}

pub(super) async fn snapshot(pool: &Pool, log: LogId, until: u64) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
    let asked = sqlx::query(SNAPSHOT).bind(log.0.to_vec()).bind(read_step(until));
    let row = pool.run(move |connection| Box::pin(asked.fetch_optional(connection))).await?;
    row.map(|row| Ok((step(&row, "step")?, get(&row, "bytes")?))).transpose()
}

/// Keeps a snapshot of a log that there is. The lock keeps the log until it is done.
pub(super) async fn keep_snapshot(pool: &Pool, log: LogId, step: u64, bytes: Vec<u8>) -> Result<(), StoreError> {
    let sql = "
        insert into snapshots (log, step, bytes)
        select $1, $2, $3 from (select 1 from logs where id = $1 for key share) there
        on conflict (log, step) do update set bytes = excluded.bytes";
    let asked = sqlx::query(sql).bind(log.0.to_vec()).bind(sql_step(step)?).bind(bytes);
    pool.run(move |connection| Box::pin(asked.execute(connection))).await?;
    Ok(())
}

pub(super) async fn key(pool: &Pool, tenant: &str, key: &str) -> Result<Option<KeyEntry>, StoreError> {
    let asked = sqlx::query(KEY).bind(tenant.to_owned()).bind(key.to_owned());
    let row = pool.run(move |connection| Box::pin(asked.fetch_optional(connection))).await?;
    let (tenant, key) = (tenant.to_owned(), key.to_owned());
    row.map(|row| {
        let (request, at, outcome) = (exactly(&row, "request")?, get(&row, "at")?, get(&row, "outcome")?);
        Ok(KeyEntry { tenant, key, request, at, outcome })
    })
    .transpose()
}

/// Forgets keys in portions that take far less time than a statement may. Replicas that do the same at the same time
/// pass each other's rows over.
pub(super) async fn forget_keys(pool: &Pool, before: i64) -> Result<(), StoreError> {
    let sql = "
        delete from keys where (tenant, key) in (
            select tenant, key from keys where at < $1 order by at limit 5000 for update skip locked)";
    loop {
        let asked = sqlx::query(sql).bind(before);
        let portion: Result<_, Failure> = pool.run(move |connection| Box::pin(asked.execute(connection))).await;
        if portion?.rows_affected() == 0 {
            return Ok(());
        }
    }
}

fn head(row: &PgRow) -> Result<Head, StoreError> {
    Ok(Head { log: log_of(row)?, entry: entry_head(row)? })
}

fn log_of(row: &PgRow) -> Result<Log, StoreError> {
    let origin = match get::<Option<Vec<u8>>>(row, "origin")? {
        Some(_) => Some(Origin { log: LogId(exactly(row, "origin")?), at: step(row, "origin_at")? }),
        None => None,
    };
    Ok(Log {
        id: LogId(exactly(row, "id")?),
        tenant: get(row, "tenant")?,
        name: get(row, "name")?,
        origin,
        size: step(row, "size")?,
    })
}

fn entry_head(row: &PgRow) -> Result<EntryHead, StoreError> {
    let note = String::from_utf8(get(row, "note")?).map_err(|error| damaged("note", &error))?;
    Ok(EntryHead {
        step: step(row, "step")?,
        last: step(row, "last")?,
        at: get(row, "at")?,
        append: exactly(row, "append")?,
        state: exactly(row, "state")?,
        before: exactly(row, "before")?,
        note,
        hash: exactly(row, "hash")?,
    })
}

pub(super) fn get<'r, T: Decode<'r, Postgres> + Type<Postgres>>(row: &'r PgRow, column: &str) -> Result<T, StoreError> {
    row.try_get(column).map_err(|error| damaged(column, &error))
}

fn step(row: &PgRow, column: &str) -> Result<u64, StoreError> {
    u64::try_from(get::<i64>(row, column)?).map_err(|error| damaged(column, &error))
}

pub(super) fn exactly<const N: usize>(row: &PgRow, column: &str) -> Result<[u8; N], StoreError> {
    get::<&[u8]>(row, column)?.try_into().map_err(|error| damaged(column, &error))
}

fn damaged(column: &str, error: &impl ToString) -> StoreError {
    StoreError::Damaged(format!("PostgreSQL holds a {column} that nobody wrote: {}", error.to_string()))
}
