//! Many rows in one statement. A statement costs its way to SQLite's thread and back, which is more than what SQLite
//! does with it; so entries that come together go together.

use std::collections::HashSet;
use std::sync::LazyLock;

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Error, Row as _, Sqlite, SqliteConnection};

use super::rows::{fixed, step};
use crate::store::{Entry, KeyEntry, LogId};

/// Rows in one statement, at the most.
pub(super) const ROWS: usize = 256;

/// One statement for 1, 2, 4, … rows each, so that the connection keeps them all prepared; what is left of the rows is
/// filled with nulls, which none of them takes.
struct ByRows(Vec<String>);

impl ByRows {
    fn new(columns: &str, then: &str) -> Self {
        let row = format!("({})", vec!["?"; columns.split(',').count()].join(", "));
        let statement =
            |rows: usize| format!("WITH new ({columns}) AS (VALUES {}) {then}", vec![&*row; rows].join(", "));
        Self((0..=ROWS.ilog2()).map(|power| statement(1 << power)).collect())
    }

    /// The statement for so many rows, and how many it has.
    fn of(&'static self, rows: usize) -> (&'static str, usize) {
        let rows = rows.clamp(1, ROWS).next_power_of_two();
        (&self.0[rows.ilog2() as usize], rows)
    }
}

static APPEND: LazyLock<ByRows> = LazyLock::new(|| {
    ByRows::new(
        "log, step, last, at, append, state, before, note, hash, body",
        "INSERT INTO entries (log, step, last, at, append, state, before, note, hash, body) SELECT * FROM new
         WHERE EXISTS (SELECT 1 FROM logs WHERE id = new.log AND named = 1)
           AND EXISTS (SELECT 1 FROM entries e WHERE e.log = new.log AND e.last = new.step - 1 AND e.hash = new.before
                       AND e.step = (SELECT max(step) FROM entries WHERE log = new.log))
         RETURNING log",
    )
});

static KEEP_KEYS: LazyLock<ByRows> = LazyLock::new(|| {
    ByRows::new(
        "tenant, key, request, at, outcome",
        "INSERT INTO keys (tenant, key, request, at, outcome) SELECT * FROM new WHERE tenant IS NOT NULL
         ON CONFLICT (tenant, key) DO NOTHING RETURNING tenant, key",
    )
});

type Insert = Query<'static, Sqlite, SqliteArguments>;

/// Binds all columns of an entry.
pub(super) fn bound(insert: Insert, log: LogId, entry: &Entry) -> Insert {
    let head = &entry.head;
    let insert = insert.bind(&log.0[..]).bind(step(head.step)).bind(step(head.last)).bind(head.at);
    let insert = insert.bind(&head.append[..]).bind(&head.state[..]).bind(&head.before[..]);
    insert.bind(&head.note).bind(&head.hash[..]).bind(&entry.body)
}

fn nulls(mut insert: Insert, count: usize) -> Insert {
    for _ in 0..count {
        insert = insert.bind(None::<i64>);
    }
    insert
}

/// Appends to logs, each to another one, at most [`ROWS`] of them. Gives the logs whose entry stood on their last one.
pub(super) async fn append(db: &mut SqliteConnection, entries: &[(LogId, &Entry)]) -> Result<HashSet<LogId>, Error> {
    let (statement, rows) = APPEND.of(entries.len());
    let insert = entries.iter().fold(sqlx::query(statement), |insert, (log, entry)| bound(insert, *log, entry));
    let appended = nulls(insert, (rows - entries.len()) * 10).fetch_all(db).await?;
    appended.iter().map(|row| Ok(LogId(fixed(row.try_get(0)?)?))).collect()
}

/// Keeps keys, each another one, at most [`ROWS`] of them. Gives the tenants and names of those that were not kept yet.
pub(super) async fn keep_keys(
    db: &mut SqliteConnection,
    keys: &[&KeyEntry],
) -> Result<HashSet<(String, String)>, Error> {
    let (statement, rows) = KEEP_KEYS.of(keys.len());
    let mut insert = sqlx::query(statement);
    for key in keys {
        insert = insert.bind(&key.tenant).bind(&key.key).bind(&key.request[..]).bind(key.at).bind(&key.outcome);
    }
    let kept = nulls(insert, (rows - keys.len()) * 5).fetch_all(db).await?;
    kept.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
