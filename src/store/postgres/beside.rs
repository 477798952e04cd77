//! What lies beside the logs: data and runs. Each change is one statement, and may be made twice.
//!
//! A blob is removed by a statement of its own, which the foreign keys refuse where somebody begins to use the blob at
//! that moment; then it stays.

use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;

use super::failure::Failure;
use super::pool::Pool;
use super::read::{exactly, get};
use super::sql_limit;
use crate::store::{CommitError, Conflict, DataChange, DataName, Digest, LogId, Run, RunChange, RunTerms, StoreError};

type Statement = Query<'static, Postgres, PgArguments>;

/// $1 tenant, $2 name, $3 hash, $4 bytes, $5 at, $6 note. Answers the blob that the name stands for.
const NAME: &str = "
    with known as materialized (select hash from data_names where tenant = $1 and name = $2),
    blob as (
        insert into data (hash, bytes) select $3, $4 where not exists (select 1 from known)
        on conflict do nothing returning 1),
    new as (
        insert into data_names (tenant, name, hash, at, note)
        select $1, $2, $3, $5, $6 where not exists (select 1 from known) and (select count(*) from blob) >= 0
        on conflict do nothing returning hash)
    select hash from known union all select hash from new";

const FORGET: &str = "delete from data_names where tenant = $1 and name = $2 returning hash";

/// $1 log, $2 hash, $3 bytes.
const USE: &str = "
    with log as materialized (select id from logs where id = $1 and named for key share),
    blob as (
        insert into data (hash, bytes) select $2, $3 from log on conflict do nothing returning 1),
    new as (
        insert into data_uses (log, hash) select id, $2 from log where (select count(*) from blob) >= 0
        on conflict do nothing returning 1)
    select exists (select 1 from log) and (select count(*) from new) >= 0 as done";

const SWEEP: &str = "
    delete from data where hash = $1 and not exists (select 1 from data_names where hash = $1)
        and not exists (select 1 from data_uses where hash = $1)";

/// This database's clock.
macro_rules! now {
    () => {
        "(extract(epoch from clock_timestamp()) * 1000)::bigint"
    };
}

/// $1 log, $2 owner, $3 lease, $4 body.
const BEGIN: &str = concat!(
    "insert into runs as r (log, owner, until, open, cancel, body)
     select id, $2, ",
    now!(),
    " + $3, true, false, $4 from (select id from logs where id = $1 and named for key share) log
     on conflict (log) do update
        set owner = excluded.owner, until = excluded.until, open = true, cancel = false, body = excluded.body
        where not r.open or r.until <= ",
    now!()
);
const TAKE: &str =
    concat!("update runs set owner = $2, until = ", now!(), " + $3 where log = $1 and open and until <= ", now!());
const RENEW: &str = concat!("update runs set until = ", now!(), " + $3 where log = $1 and open and owner = $2");
const LET_GO: &str = "update runs set until = 0 where log = $1 and open and owner = $2";
const CANCEL: &str = "update runs set cancel = true where log = $1 and open";
const END: &str = "update runs set until = 0, open = false, body = $3 where log = $1 and open and owner = $2";

/// Changes data.
pub(super) async fn data(pool: &Pool, change: DataChange) -> Result<(), CommitError> {
    match change {
        DataChange::Name(name, bytes) => {
            let wanted = name.hash;
            // A second time where another took the name, or removed the blob, at the same moment.
            for _ in 0..3 {
                let asked = sqlx::query(NAME).bind(name.tenant.clone()).bind(name.name.clone());
                let asked = asked.bind(name.hash.to_vec()).bind(bytes.clone()).bind(name.at);
                let asked = asked.bind(name.note.clone().into_bytes());
                match pool.run(move |connection| Box::pin(asked.fetch_optional(connection))).await {
                    Ok(None) => {}
                    Ok(Some(row)) => {
                        let found: Digest = exactly(&row, "hash").map_err(CommitError::Unknown)?;
                        return if found == wanted { Ok(()) } else { Err(CommitError::Conflict(Conflict::Name)) };
                    }
                    Err(failure) if failure.constraint().is_some() => {}
                    Err(failure) => return Err(failure.of_commit()),
                }
            }
            Err(CommitError::Refused(StoreError::Unavailable("others change the same name".to_owned())))
        }
        DataChange::Forget { tenant, name } => {
            let asked = sqlx::query(FORGET).bind(tenant).bind(name);
            let row = pool.run(move |connection| Box::pin(asked.fetch_optional(connection))).await;
            let row = row.map_err(Failure::of_commit)?.ok_or(CommitError::Conflict(Conflict::Gone))?;
            sweep(pool, exactly(&row, "hash").map_err(CommitError::Unknown)?).await;
            Ok(())
        }
        DataChange::Use(log, hash, bytes) => {
            for _ in 0..3 {
                let asked = sqlx::query_scalar::<_, bool>(USE).bind(log.0.to_vec()).bind(hash.to_vec());
                let asked = asked.bind(bytes.clone());
                match pool.run(move |connection| Box::pin(asked.fetch_one(connection))).await {
                    Ok(true) => return Ok(()),
                    Ok(false) => return Err(CommitError::Conflict(Conflict::Gone)),
                    Err(failure) if failure.constraint().is_some() => {}
                    Err(failure) => return Err(failure.of_commit()),
                }
            }
            Err(CommitError::Refused(StoreError::Unavailable("others change the same data".to_owned())))
        }
    }
}

/// Removes a blob that nothing names and nothing uses. Where that fails it takes room, and nothing else.
pub(super) async fn sweep(pool: &Pool, hash: Digest) {
    let asked = sqlx::query(SWEEP).bind(hash.to_vec());
    let swept = pool.run(move |connection| Box::pin(asked.execute(connection))).await;
    if let Err(failure) = swept.map_err(StoreError::from) {
        tracing::debug!(%failure, "data that nobody uses still takes room");
    }
}

/// Changes a run.
pub(super) async fn run(pool: &Pool, terms: RunTerms, change: RunChange) -> Result<(), CommitError> {
    let (log, owner) = (terms.log.0.to_vec(), terms.owner.to_vec());
    let of = |sql: &'static str| -> Statement { sqlx::query(sql).bind(log.clone()) };
    let asked = match change {
        RunChange::Begin { body } => of(BEGIN).bind(owner).bind(terms.lease).bind(body),
        RunChange::Take => of(TAKE).bind(owner).bind(terms.lease),
        RunChange::Renew => of(RENEW).bind(owner).bind(terms.lease),
        RunChange::LetGo => of(LET_GO).bind(owner),
        RunChange::Cancel => of(CANCEL),
        RunChange::End { body } => of(END).bind(owner).bind(body),
    };
    let done = pool.run(move |connection| Box::pin(asked.execute(connection))).await.map_err(Failure::of_commit)?;
    if done.rows_affected() > 0 {
        return Ok(());
    }
    let named = sqlx::query_scalar::<_, bool>("select exists (select 1 from logs where id = $1 and named)").bind(log);
    let named = pool.run(move |connection| Box::pin(named.fetch_one(connection))).await.map_err(Failure::of_commit)?;
    Err(CommitError::Conflict(if named { Conflict::Head } else { Conflict::Gone }))
}

pub(super) async fn find_data(pool: &Pool, tenant: &str, name: &str) -> Result<Option<DataName>, StoreError> {
    let sql = "select tenant, name, hash, at, note from data_names where tenant = $1 and name = $2";
    let asked = sqlx::query(sql).bind(tenant.to_owned()).bind(name.to_owned());
    let row = pool.run(move |connection| Box::pin(asked.fetch_optional(connection))).await?;
    row.map(|row| data_name(&row)).transpose()
}

pub(super) async fn list_data(
    pool: &Pool,
    tenant: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<DataName>, StoreError> {
    let sql = "
        select tenant, name, hash, at, note from data_names where tenant = $1 and name > $2 order by name limit $3";
    let asked = sqlx::query(sql).bind(tenant.to_owned()).bind(after.unwrap_or_default().to_owned());
    let asked = asked.bind(sql_limit(limit));
    let rows = pool.run(move |connection| Box::pin(asked.fetch_all(connection))).await?;
    rows.iter().map(data_name).collect()
}

pub(super) async fn blob(pool: &Pool, hash: Digest) -> Result<Option<Vec<u8>>, StoreError> {
    let asked = sqlx::query("select bytes from data where hash = $1").bind(hash.to_vec());
    let row = pool.run(move |connection| Box::pin(asked.fetch_optional(connection))).await?;
    row.map(|row| get(&row, "bytes")).transpose()
}

pub(super) async fn data_of(pool: &Pool, log: LogId) -> Result<Vec<Digest>, StoreError> {
    let asked = sqlx::query("select hash from data_uses where log = $1 order by hash").bind(log.0.to_vec());
    let rows = pool.run(move |connection| Box::pin(asked.fetch_all(connection))).await?;
    rows.iter().map(|row| exactly(row, "hash")).collect()
}

pub(super) async fn find_run(pool: &Pool, log: LogId) -> Result<Option<Run>, StoreError> {
    const SQL: &str = concat!(
        "select log, owner, open and until > ",
        now!(),
        " as held, open, cancel, body from runs where log = $1"
    );
    let asked = sqlx::query(SQL).bind(log.0.to_vec());
    let row = pool.run(move |connection| Box::pin(asked.fetch_optional(connection))).await?;
    row.map(|row| run_of(&row)).transpose()
}

pub(super) async fn left_runs(pool: &Pool, limit: usize) -> Result<Vec<Run>, StoreError> {
    const SQL: &str = concat!(
        "select log, owner, false as held, open, cancel, body from runs where open and until <= ",
        now!(),
        " order by until limit $1"
    );
    let asked = sqlx::query(SQL).bind(sql_limit(limit));
    let rows = pool.run(move |connection| Box::pin(asked.fetch_all(connection))).await?;
    rows.iter().map(run_of).collect()
}

fn data_name(row: &PgRow) -> Result<DataName, StoreError> {
    let note = String::from_utf8(get(row, "note")?);
    let note = note.map_err(|error| StoreError::Damaged(format!("a note of data is no text: {error}")))?;
    let (tenant, name) = (get(row, "tenant")?, get(row, "name")?);
    Ok(DataName { tenant, name, hash: exactly(row, "hash")?, at: get(row, "at")?, note })
}

fn run_of(row: &PgRow) -> Result<Run, StoreError> {
    Ok(Run {
        log: LogId(exactly(row, "log")?),
        owner: exactly(row, "owner")?,
        held: get(row, "held")?,
        open: get(row, "open")?,
        cancel: get(row, "cancel")?,
        body: get(row, "body")?,
    })
}
