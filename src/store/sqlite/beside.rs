//! What lies beside the logs: data and runs.

use sqlx::{Error, Row as _, SqliteConnection};

use crate::store::{Conflict, DataChange, DataName, Digest, LogId, RunChange, RunTerms};

/// Changes data, or says what stands in the way.
pub(super) async fn data(db: &mut SqliteConnection, change: &DataChange) -> Result<Option<Conflict>, Error> {
    match change {
        DataChange::Name(name, bytes) => self::name(db, name, bytes).await,
        DataChange::Forget { tenant, name } => {
            let delete = sqlx::query("DELETE FROM data_names WHERE tenant = ?1 AND name = ?2 RETURNING hash");
            let Some(row) = delete.bind(tenant).bind(name).fetch_optional(&mut *db).await? else {
                return Ok(Some(Conflict::Gone));
            };
            let hash: Vec<u8> = row.try_get(0)?;
            sweep(db, &hash).await?;
            Ok(None)
        }
        DataChange::Use(log, hash, bytes) => {
            if !named(db, *log).await? {
                return Ok(Some(Conflict::Gone));
            }
            keep(db, hash, bytes).await?;
            let insert = sqlx::query("INSERT INTO data_uses (log, hash) VALUES (?1, ?2) ON CONFLICT DO NOTHING");
            insert.bind(&log.0[..]).bind(&hash[..]).execute(db).await?;
            Ok(None)
        }
    }
}

async fn name(db: &mut SqliteConnection, name: &DataName, bytes: &[u8]) -> Result<Option<Conflict>, Error> {
    let known = sqlx::query("SELECT hash FROM data_names WHERE tenant = ?1 AND name = ?2");
    if let Some(row) = known.bind(&name.tenant).bind(&name.name).fetch_optional(&mut *db).await? {
        return Ok((row.try_get::<&[u8], _>(0)? != name.hash).then_some(Conflict::Name));
    }
    keep(db, &name.hash, bytes).await?;
    let insert = sqlx::query("INSERT INTO data_names (tenant, name, hash, at, note) VALUES (?1, ?2, ?3, ?4, ?5)");
    let insert = insert.bind(&name.tenant).bind(&name.name).bind(&name.hash[..]).bind(name.at).bind(&name.note);
    insert.execute(db).await?;
    Ok(None)
}

async fn keep(db: &mut SqliteConnection, hash: &Digest, bytes: &[u8]) -> Result<(), Error> {
    let insert = sqlx::query("INSERT INTO data (hash, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING");
    insert.bind(&hash[..]).bind(bytes).execute(db).await?;
    Ok(())
}

/// Forgets what a log used that is to go.
pub(super) async fn unused_by(db: &mut SqliteConnection, log: &[u8]) -> Result<(), Error> {
    let delete = sqlx::query("DELETE FROM data_uses WHERE log = ?1 RETURNING hash");
    for row in delete.bind(log).fetch_all(&mut *db).await? {
        let hash: Vec<u8> = row.try_get(0)?;
        sweep(db, &hash).await?;
    }
    Ok(())
}

/// Removes a blob that nothing names and nothing uses.
async fn sweep(db: &mut SqliteConnection, hash: &[u8]) -> Result<(), Error> {
    let delete = sqlx::query(
        "DELETE FROM data WHERE hash = ?1 AND NOT EXISTS (SELECT 1 FROM data_names WHERE hash = ?1)
           AND NOT EXISTS (SELECT 1 FROM data_uses WHERE hash = ?1)",
    );
    delete.bind(hash).execute(db).await?;
    Ok(())
}

/// Changes a run, or says what stands in the way.
pub(super) async fn run(
    db: &mut SqliteConnection,
    terms: RunTerms,
    change: &RunChange,
) -> Result<Option<Conflict>, Error> {
    if !named(db, terms.log).await? {
        return Ok(Some(Conflict::Gone));
    }
    // ?1 log, ?2 owner, ?3 now, ?4 until, ?5 body
    let (statement, body) = match change {
        RunChange::Begin { body } => (
            "INSERT INTO runs (log, owner, until, open, cancel, body) SELECT ?1, ?2, ?4, 1, 0, ?5 WHERE ?3 IS NOT NULL
             ON CONFLICT (log) DO UPDATE SET owner = ?2, until = ?4, open = 1, cancel = 0, body = ?5
             WHERE open = 0 OR until <= ?3",
            Some(body),
        ),
        RunChange::Take => {
            ("UPDATE runs SET owner = ?2, until = ?4 WHERE log = ?1 AND open = 1 AND until <= ?3 AND ?5 IS NULL", None)
        }
        RunChange::Renew => (
            "UPDATE runs SET until = ?4 WHERE log = ?1 AND open = 1 AND owner = ?2 AND ?3 IS NOT NULL AND ?5 IS NULL",
            None,
        ),
        RunChange::LetGo => {
            ("UPDATE runs SET until = 0 WHERE log = ?1 AND open = 1 AND owner = ?2 AND ?3 <= ?4 AND ?5 IS NULL", None)
        }
        RunChange::Cancel => {
            ("UPDATE runs SET cancel = 1 WHERE log = ?1 AND open = 1 AND ?2 <> x'' AND ?3 <= ?4 AND ?5 IS NULL", None)
        }
        RunChange::End { body } => (
            "UPDATE runs SET until = 0, open = 0, body = ?5 WHERE log = ?1 AND open = 1 AND owner = ?2 AND ?3 <= ?4",
            Some(body),
        ),
    };
    let until = terms.now.saturating_add(terms.lease);
    let update = sqlx::query(statement).bind(&terms.log.0[..]).bind(&terms.owner[..]).bind(terms.now).bind(until);
    let changed = update.bind(body).execute(db).await?.rows_affected();
    Ok((changed == 0).then_some(Conflict::Head))
}

async fn named(db: &mut SqliteConnection, log: LogId) -> Result<bool, Error> {
    let named = sqlx::query("SELECT EXISTS (SELECT 1 FROM logs WHERE id = ?1 AND named = 1)");
    named.bind(&log.0[..]).fetch_one(db).await?.try_get(0)
}
