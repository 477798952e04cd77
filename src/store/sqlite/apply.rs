//! What one commit does to the tables, within a transaction that others share. Where it can be, a change is one
//! statement that looks and writes at once; where it wrote nothing, a second one finds out why.

use sqlx::{Error, Row as _, SqliteConnection};

use super::rows::step;
use super::{beside, bulk};
use crate::store::{Change, Commit, Conflict, Entry, KeyEntry, Log, LogId};

/// Does all of a commit, or says what stands in its way and does nothing.
pub(super) async fn commit(db: &mut SqliteConnection, commit: &Commit) -> Result<Result<(), Conflict>, Error> {
    if let Some(key) = &commit.key
        && bulk::keep_keys(db, &[key]).await?.is_empty()
    {
        return Ok(Err(Conflict::Key));
    }
    let conflict = match &commit.change {
        Change::Create(log, entry) => create(db, log, entry).await?,
        Change::Append(log, entry) => {
            let appended = bulk::append(db, &[(*log, entry)]).await?;
            if appended.contains(log) { None } else { Some(why_not_appended(db, *log).await?) }
        }
        Change::Delete(log) => delete(db, *log).await?,
        Change::Nothing => None,
        Change::Data(change) => beside::data(db, change).await?,
        Change::Run(terms, change) => beside::run(db, *terms, change).await?,
    };
    if let (Some(_), Some(key)) = (conflict, &commit.key) {
        drop_key(db, key).await?;
    }
    Ok(conflict.map_or(Ok(()), Err))
}

/// Takes back a key whose commit met another conflict.
pub(super) async fn drop_key(db: &mut SqliteConnection, key: &KeyEntry) -> Result<(), Error> {
    let delete = sqlx::query("DELETE FROM keys WHERE tenant = ?1 AND key = ?2");
    delete.bind(&key.tenant).bind(&key.key).execute(db).await?;
    Ok(())
}

/// What stood in the way of an append.
pub(super) async fn why_not_appended(db: &mut SqliteConnection, log: LogId) -> Result<Conflict, Error> {
    let named = sqlx::query("SELECT EXISTS (SELECT 1 FROM logs WHERE id = ?1 AND named = 1)");
    let named = named.bind(&log.0[..]).fetch_one(db).await?;
    Ok(if named.try_get(0)? { Conflict::Head } else { Conflict::Gone })
}

async fn create(db: &mut SqliteConnection, log: &Log, entry: &Entry) -> Result<Option<Conflict>, Error> {
    let insert = sqlx::query(
        "INSERT INTO logs (id, tenant, name, named, origin, origin_at, size) SELECT ?1, ?2, ?3, 1, ?4, ?5, ?6
         WHERE NOT EXISTS (SELECT 1 FROM logs WHERE tenant = ?2 AND name = ?3 AND named = 1)
           AND NOT EXISTS (SELECT 1 FROM logs WHERE id = ?1)
           AND (?4 IS NULL OR EXISTS (SELECT 1 FROM logs WHERE id = ?4 AND named = 1))",
    );
    let insert = insert.bind(&log.id.0[..]).bind(&log.tenant).bind(&log.name);
    let insert = insert.bind(log.origin.map(|origin| origin.log.0.to_vec()));
    let insert = insert.bind(log.origin.map(|origin| step(origin.at))).bind(step(log.size));
    if insert.execute(&mut *db).await?.rows_affected() == 0 {
        let taken = sqlx::query(
            "SELECT EXISTS (SELECT 1 FROM logs WHERE tenant = ?1 AND name = ?2 AND named = 1)
                 OR EXISTS (SELECT 1 FROM logs WHERE id = ?3)",
        );
        let taken = taken.bind(&log.tenant).bind(&log.name).bind(&log.id.0[..]).fetch_one(db).await?;
        return Ok(Some(if taken.try_get(0)? { Conflict::Name } else { Conflict::Gone }));
    }
    let insert = sqlx::query(
        "INSERT INTO entries (log, step, last, at, append, state, before, note, hash, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    );
    bulk::bound(insert, log.id, entry).execute(db).await?;
    Ok(None)
}

async fn delete(db: &mut SqliteConnection, log: LogId) -> Result<Option<Conflict>, Error> {
    let update = sqlx::query("UPDATE logs SET named = 0 WHERE id = ?1 AND named = 1");
    if update.bind(&log.0[..]).execute(&mut *db).await?.rows_affected() == 0 {
        return Ok(Some(Conflict::Gone));
    }
    sqlx::query("DELETE FROM runs WHERE log = ?1").bind(&log.0[..]).execute(&mut *db).await?;
    // A log that has no name and that no other goes on from; then the one that it went on from, likewise.
    let mut next = Some(log.0.to_vec());
    while let Some(id) = next.take() {
        let unused = sqlx::query(
            "SELECT origin FROM logs WHERE id = ?1 AND named = 0 AND NOT EXISTS (SELECT 1 FROM logs WHERE origin = ?1)",
        );
        let Some(row) = unused.bind(&id).fetch_optional(&mut *db).await? else { break };
        next = row.try_get(0)?;
        beside::unused_by(db, &id).await?;
        for remove in [
            "DELETE FROM entries WHERE log = ?1",
            "DELETE FROM snapshots WHERE log = ?1",
            "DELETE FROM logs WHERE id = ?1",
        ] {
            sqlx::query(remove).bind(&id).execute(&mut *db).await?;
        }
    }
    Ok(None)
}

/// Keeps a snapshot of a log that there is.
pub(super) async fn snapshot(db: &mut SqliteConnection, log: LogId, at: u64, bytes: &[u8]) -> Result<(), Error> {
    let insert = sqlx::query(
        "INSERT INTO snapshots (log, step, bytes) SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM logs WHERE id = ?1)
         ON CONFLICT (log, step) DO UPDATE SET bytes = excluded.bytes",
    );
    insert.bind(&log.0[..]).bind(step(at)).bind(bytes).execute(db).await?;
    Ok(())
}

/// Forgets the keys that were kept before a time.
pub(super) async fn forget_keys(db: &mut SqliteConnection, before: i64) -> Result<(), Error> {
    sqlx::query("DELETE FROM keys WHERE at < ?1").bind(before).execute(db).await?;
    Ok(())
}
