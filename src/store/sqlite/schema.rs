//! The tables, as a list of migrations that only grows.
//!
//! A log that is deleted keeps the name it had, so that those who go on from it can still say where they come from;
//! names are unique among the logs that have theirs.
//!
//! Entries are an ordinary table with an index, not one that is laid out by its key: entries of all logs that were
//! committed together then lie side by side, and an entry with a large body does not spread the tree of its key.

use std::borrow::Cow;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// What a database says it is for: `chrl`.
pub(super) const APPLICATION: i64 = 0x6368_726c;

/// One version after the other. What has been released is never changed.
const VERSIONS: [(i64, &str, &str); 2] = [FIRST, SECOND];

const FIRST: (i64, &str, &str) = (
    1,
    "logs, entries, snapshots and keys",
    "
    CREATE TABLE logs (
        id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
        tenant TEXT NOT NULL,
        name TEXT NOT NULL,
        named INTEGER NOT NULL CHECK (named IN (0, 1)),
        origin BLOB REFERENCES logs (id),
        origin_at INTEGER,
        size INTEGER NOT NULL CHECK (size >= 0),
        CHECK ((origin IS NULL) = (origin_at IS NULL))
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX logs_by_name ON logs (tenant, name) WHERE named = 1;
    CREATE INDEX logs_by_origin ON logs (origin) WHERE origin IS NOT NULL;

    CREATE TABLE entries (
        log BLOB NOT NULL REFERENCES logs (id),
        step INTEGER NOT NULL CHECK (step >= 0),
        last INTEGER NOT NULL CHECK (last >= step),
        at INTEGER NOT NULL,
        append BLOB NOT NULL CHECK (length(append) = 16),
        state BLOB NOT NULL CHECK (length(state) = 32),
        before BLOB NOT NULL CHECK (length(before) = 32),
        hash BLOB NOT NULL CHECK (length(hash) = 32),
        note TEXT NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (log, step)
    ) STRICT;

    CREATE TABLE snapshots (
        log BLOB NOT NULL REFERENCES logs (id),
        step INTEGER NOT NULL CHECK (step >= 0),
        bytes BLOB NOT NULL,
        PRIMARY KEY (log, step)
    ) STRICT;

    CREATE TABLE keys (
        tenant TEXT NOT NULL,
        key TEXT NOT NULL,
        request BLOB NOT NULL CHECK (length(request) = 32),
        at INTEGER NOT NULL,
        outcome BLOB NOT NULL,
        PRIMARY KEY (tenant, key)
    ) STRICT;
    CREATE INDEX keys_by_time ON keys (at);

    PRAGMA application_id = 1667789420;
    ",
);

const SECOND: (i64, &str, &str) = (
    2,
    "data and runs",
    "
    CREATE TABLE data (
        hash BLOB NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
        bytes BLOB NOT NULL
    ) STRICT;

    CREATE TABLE data_names (
        tenant TEXT NOT NULL,
        name TEXT NOT NULL,
        hash BLOB NOT NULL REFERENCES data (hash),
        at INTEGER NOT NULL,
        note TEXT NOT NULL,
        PRIMARY KEY (tenant, name)
    ) STRICT;
    CREATE INDEX data_names_by_hash ON data_names (hash);

    CREATE TABLE data_uses (
        log BLOB NOT NULL REFERENCES logs (id),
        hash BLOB NOT NULL REFERENCES data (hash),
        PRIMARY KEY (log, hash)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX data_uses_by_hash ON data_uses (hash);

    CREATE TABLE runs (
        log BLOB NOT NULL PRIMARY KEY REFERENCES logs (id),
        owner BLOB NOT NULL CHECK (length(owner) = 16),
        until INTEGER NOT NULL,
        open INTEGER NOT NULL CHECK (open IN (0, 1)),
        cancel INTEGER NOT NULL CHECK (cancel IN (0, 1)),
        body BLOB NOT NULL
    ) STRICT;
    CREATE INDEX runs_open ON runs (until) WHERE open = 1;
    ",
);

/// The latest version that this program knows.
pub(super) const LATEST: i64 = VERSIONS[VERSIONS.len() - 1].0;

/// All versions, to be run in turn.
pub(super) fn migrations() -> Migrator {
    let migration = |(version, what, sql): (i64, &'static str, &'static str)| {
        Migration::new(version, Cow::Borrowed(what), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(VERSIONS.into_iter().map(migration).collect())
}
