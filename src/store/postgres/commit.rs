//! Commits, each one statement in one round trip: a check of what it stands on, the key and the change, all or nothing.
//!
//! Why this is right with any number of replicas, at READ COMMITTED, where a statement sees what was committed when it
//! began, and a lock shows the row as it is when the lock is given:
//!
//! - Append and append: both may see the same last entry; the primary key of `entries` lets one of them through.
//! - Append or fork, and delete: the first lock the log's row FOR KEY SHARE, which they may hold together, the last FOR
//!   UPDATE, which waits for them and they for it. Whoever waited looks at the name again. So nothing is added to a log
//!   without a name, and what a deletion leaves behind no other log can begin to go on from.
//! - Create and create: the unique index on names lets one of them through.
//! - The same key twice: the primary key of `keys`. The key is written before the change, so that whoever waits learns
//!   of the key first.
//!
//! A constraint that is broken undoes the whole statement, and its name tells the conflict.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Postgres, Row as _};

use super::failure::Failure;
use super::pool::Pool;
use super::{beside, sql_step};
use crate::store::{Change, Commit, CommitError, Conflict, Entry, KeyEntry, Log, LogId, StoreError};

type Statement = Query<'static, Postgres, PgArguments>;

/// $1 to $5 key, $6 log, $7 to $15 entry.
const APPEND: &str = "
    with kept as materialized (select 1 from keys where tenant = $1 and key = $2),
    log as materialized (select 1 from logs where id = $6 and named for key share),
    head as materialized (select last, hash from entries where log = $6 order by step desc limit 1),
    fits as materialized (
        select 1 from log, head where head.last + 1 = $7 and head.hash = $12 and not exists (select 1 from kept)),
    key as (
        insert into keys (tenant, key, request, at, outcome)
        select $1, $2, $3, $4, $5 from fits where $2 is not null returning 1),
    entry as (
        insert into entries (log, step, last, at, append, state, before, hash, note, body)
        select $6, $7, $8, $9, $10, $11, $12, $13, $14, $15 from fits where (select count(*) from key) >= 0
        returning 1)
    select exists (select 1 from entry) as done, exists (select 1 from kept) as kept,
        exists (select 1 from log) as there";

/// As above, with $16 to $20 tenant, name, what it goes on from, and its size.
const CREATE: &str = "
    with kept as materialized (select 1 from keys where tenant = $1 and key = $2),
    taken as materialized (select 1 from logs where tenant = $16 and name = $17 and named),
    parent as materialized (select 1 from logs where id = $18 and named for key share),
    fits as materialized (
        select 1 where not exists (select 1 from kept) and not exists (select 1 from taken)
            and ($18 is null or exists (select 1 from parent))),
    key as (
        insert into keys (tenant, key, request, at, outcome)
        select $1, $2, $3, $4, $5 from fits where $2 is not null returning 1),
    log as (
        insert into logs (id, tenant, name, origin, origin_at, size)
        select $6, $16, $17, $18, $19, $20 from fits where (select count(*) from key) >= 0 returning 1),
    entry as (
        insert into entries (log, step, last, at, append, state, before, hash, note, body)
        select $6, $7, $8, $9, $10, $11, $12, $13, $14, $15 from log returning 1)
    select exists (select 1 from entry) as done, exists (select 1 from kept) as kept,
        not exists (select 1 from taken) as there";

/// $1 to $5 key, $6 log.
const DELETE: &str = "
    with kept as materialized (select 1 from keys where tenant = $1 and key = $2),
    log as materialized (select id from logs where id = $6 and named for update),
    key as (
        insert into keys (tenant, key, request, at, outcome)
        select $1, $2, $3, $4, $5 from log where $2 is not null and not exists (select 1 from kept) returning 1),
    gone as (
        update logs set named = false
        where id in (select id from log) and not exists (select 1 from kept) and (select count(*) from key) >= 0
        returning id),
    ended as (delete from runs where log in (select id from gone))
    select exists (select 1 from gone) as done, exists (select 1 from kept) as kept,
        exists (select 1 from log) as there";

/// $1 to $5 key.
const NOTHING: &str = "
    with key as (
        insert into keys (tenant, key, request, at, outcome) values ($1, $2, $3, $4, $5)
        on conflict do nothing returning 1)
    select exists (select 1 from key) as done, not exists (select 1 from key) as kept, true as there";

/// Writes all of it or nothing.
pub(super) async fn commit(pool: &Pool, commit: Commit) -> Result<(), CommitError> {
    let Commit { change, key } = commit;
    if change == Change::Nothing && key.is_none() {
        return Ok(());
    }
    let asked = key.as_ref().map(|key| (key.tenant.clone(), key.key.clone()));
    // What stands in the way where the statement finds that its log is not there, or that it does not fit.
    let (absent, otherwise) = match change {
        Change::Create(..) => (Conflict::Name, Conflict::Gone),
        _ => (Conflict::Gone, Conflict::Head),
    };
    let statement = statement(change, key).map_err(CommitError::Refused)?;
    let done = pool.run(move |connection| Box::pin(statement.fetch_one(connection))).await;
    let conflict = match done {
        Ok(row) => {
            let said = |column: &str| row.try_get::<bool, _>(column);
            let (done, kept, there) = match (said("done"), said("kept"), said("there")) {
                (Ok(done), Ok(kept), Ok(there)) => (done, kept, there),
                (Err(error), _, _) | (_, Err(error), _) | (_, _, Err(error)) => {
                    return Err(CommitError::Unknown(StoreError::Damaged(error.to_string())));
                }
            };
            if done {
                return Ok(());
            }
            if kept {
                Conflict::Key
            } else if there {
                otherwise
            } else {
                absent
            }
        }
        Err(failure) => broken(failure)?,
    };
    // Whoever was faster may have used the same key, after this statement began and before it was let go on.
    if let Some((tenant, key)) = asked
        && conflict != Conflict::Key
        && is_kept(pool, tenant, key).await.map_err(|failure| CommitError::Refused(failure.into()))?
    {
        return Err(CommitError::Conflict(Conflict::Key));
    }
    Err(CommitError::Conflict(conflict))
}

/// The conflict that a broken constraint tells of.
fn broken(failure: Failure) -> Result<Conflict, CommitError> {
    match failure.constraint() {
        Some("keys_key") => Ok(Conflict::Key),
        Some("entries_step") => Ok(Conflict::Head),
        // A log with this id can only be the very same request's, which took the name.
        Some("logs_name" | "logs_pkey") => Ok(Conflict::Name),
        _ => Err(failure.of_commit()),
    }
}

async fn is_kept(pool: &Pool, tenant: String, key: String) -> Result<bool, Failure> {
    let sql = "select exists (select 1 from keys where tenant = $1 and key = $2)";
    let asked = sqlx::query_scalar(sql).bind(tenant).bind(key);
    pool.run(move |connection| Box::pin(asked.fetch_one(connection))).await
}

fn statement(change: Change, key: Option<KeyEntry>) -> Result<Statement, StoreError> {
    Ok(match change {
        // What lies beside the logs is written elsewhere.
        Change::Nothing | Change::Data(_) | Change::Run(..) => with_key(NOTHING, key),
        Change::Delete(log) => with_key(DELETE, key).bind(log.0.to_vec()),
        Change::Append(log, entry) => with_entry(with_key(APPEND, key), log, entry)?,
        Change::Create(Log { id, tenant, name, origin, size }, entry) => {
            let at = origin.map(|origin| sql_step(origin.at)).transpose()?;
            let origin = origin.map(|origin| origin.log.0.to_vec());
            with_entry(with_key(CREATE, key), id, entry)?
                .bind(tenant)
                .bind(name)
                .bind(origin)
                .bind(at)
                .bind(sql_step(size)?)
        }
    })
}

fn with_key(sql: &'static str, key: Option<KeyEntry>) -> Statement {
    let (mut tenant, mut name, mut request, mut at, mut outcome) = (None, None, None, None, None);
    if let Some(key) = key {
        (tenant, name, request) = (Some(key.tenant), Some(key.key), Some(key.request.to_vec()));
        (at, outcome) = (Some(key.at), Some(key.outcome));
    }
    sqlx::query(sql).bind(tenant).bind(name).bind(request).bind(at).bind(outcome)
}

fn with_entry(statement: Statement, log: LogId, Entry { head, body }: Entry) -> Result<Statement, StoreError> {
    let statement = statement.bind(log.0.to_vec()).bind(sql_step(head.step)?).bind(sql_step(head.last)?).bind(head.at);
    let statement = statement.bind(head.append.to_vec()).bind(head.state.to_vec()).bind(head.before.to_vec());
    Ok(statement.bind(head.hash.to_vec()).bind(head.note.into_bytes()).bind(body))
}

/// A log without a name that no other goes on from. Once it is that, it stays that.
const LEFT: &str = "
    select id from logs l where not named and not exists (select 1 from logs b where b.origin = l.id) limit 100";

/// Entries of a log that is to go, in portions that take far less time than a statement may.
const SWEEP_ENTRIES: &str = "
    delete from entries where log = $1
        and step in (select step from entries where log = $1 order by step limit 250)
        and exists (select 1 from logs l where l.id = $1 and not l.named)
        and not exists (select 1 from logs b where b.origin = $1)";

/// The log itself, with its snapshots.
const SWEEP_LOG: &str = "
    delete from logs l where l.id = $1 and not l.named and not exists (select 1 from logs b where b.origin = l.id)
    returning l.origin";

/// Removes a log that has no name and that no other goes on from, then the one that it went on from, likewise. Each
/// statement by itself sees all that was committed before: of two that sweep two branches of one log, the last one
/// finds no branch, and removes the log.
pub(super) async fn sweep(pool: &Pool, log: LogId) -> Result<(), StoreError> {
    let mut next = Some(log.0.to_vec());
    while let Some(id) = next {
        loop {
            let portion = sqlx::query(SWEEP_ENTRIES).bind(id.clone());
            if pool.run(move |connection| Box::pin(portion.execute(connection))).await?.rows_affected() == 0 {
                break;
            }
        }
        let used = match LogId::from_slice(&id) {
            Some(log) => beside::data_of(pool, log).await?,
            None => vec![],
        };
        let last = sqlx::query_scalar::<_, Option<Vec<u8>>>(SWEEP_LOG).bind(id);
        next = pool.run(move |connection| Box::pin(last.fetch_optional(connection))).await?.flatten();
        for hash in used {
            beside::sweep(pool, hash).await;
        }
    }
    Ok(())
}

/// Logs that a server left behind which was stopped between deleting and sweeping, at most a hundred of them.
pub(super) async fn left(pool: &Pool) -> Result<Vec<LogId>, StoreError> {
    let left = sqlx::query_scalar::<_, Vec<u8>>(LEFT);
    let left = pool.run(move |connection| Box::pin(left.fetch_all(connection))).await?;
    Ok(left.iter().filter_map(|id| LogId::from_slice(id)).collect())
}

/// Removes what was [`left`], then whatever more there is.
pub(super) async fn sweep_left(pool: &Pool, mut left: Vec<LogId>) -> Result<(), StoreError> {
    while !left.is_empty() {
        for id in left {
            sweep(pool, id).await?;
        }
        left = self::left(pool).await?;
    }
    Ok(())
}
