//! What can go wrong at opening, and what an error of SQLite means for a commit.

use std::path::PathBuf;

use thiserror::Error;

use crate::store::StoreError;

/// Why a database is not opened. Nothing has been written to it.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum OpenError {
    #[error("{}: the folder {} does not exist; create it, or name another file", path.display(), folder.display())]
    NoFolder { path: PathBuf, folder: PathBuf },
    #[error("{} is not a file; name a file, such as {}", path.display(), path.join("chainrule.db").display())]
    NotAFile { path: PathBuf },
    #[error(
        "{}: another chainrule server has this database open, perhaps under another name; stop that one, or name \
         another file. Several servers can share a PostgreSQL database",
        path.display()
    )]
    InUse { path: PathBuf },
    #[error(
        "{} cannot be written to: {reason}; the server needs to write to the file and to its folder. Change whose they \
         are, or name another file",
        path.display()
    )]
    NotWritable { path: PathBuf, reason: String },
    #[error("{}: there is no room left on its disk ({reason}); make some, and start again", path.display())]
    Full { path: PathBuf, reason: String },
    #[error("{} is not a database of chainrule: {reason}; it is left as it is. Name another file", path.display())]
    Foreign { path: PathBuf, reason: String },
    #[error(
        "{} was written by a newer chainrule (version {found} of its tables, this one knows {known}); it is left as it \
         is. Start the newer one, or name another file",
        path.display()
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error(
        "{} is damaged: {reason}; it is left as it is. Put a backup in its place, together with its -wal file if it \
         has one, or name another file",
        path.display()
    )]
    Damaged { path: PathBuf, reason: String },
    #[error(
        "{} is damaged: its first {seen} commits are whole, and a bad one is followed by at least {unseen} more, which \
         SQLite would drop without a word; it is left as it is. Put a backup of the database and its -wal file in \
         their place, or go on without those commits by starting once with --durability process",
        wal.display()
    )]
    DamagedWal { wal: PathBuf, seen: u64, unseen: u64 },
    #[error("{} cannot be opened: {reason}", path.display())]
    Unavailable { path: PathBuf, reason: String },
}

/// What an error says of the transaction that met it.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// Nothing of it is written, and the store is as good as before.
    Clean(StoreError),
    /// What is on the disk is not known.
    Lost(StoreError),
    /// What is on the disk is not what was written.
    Damaged(StoreError),
}

/// SQLite's primary result codes.
mod code {
    pub(super) const ERROR: i64 = 1;
    pub(super) const BUSY: i64 = 5;
    pub(super) const LOCKED: i64 = 6;
    pub(super) const NO_MEMORY: i64 = 7;
    pub(super) const READ_ONLY: i64 = 8;
    pub(super) const CORRUPT: i64 = 11;
    pub(super) const FULL: i64 = 13;
    pub(super) const TOO_BIG: i64 = 18;
    pub(super) const CONSTRAINT: i64 = 19;
    pub(super) const NOT_A_DATABASE: i64 = 26;
}

/// SQLite's primary result code of an error, where SQLite made it.
fn primary(error: &sqlx::Error) -> Option<i64> {
    let code = error.as_database_error()?.code()?.parse::<i64>().ok()?;
    Some(code & 0xff)
}

/// Judges an error. `committing` says that it is COMMIT's, or that of a statement that commits itself: then only what
/// SQLite gives before it syncs anything is known to have written nothing. A full disk is such a thing, for it shows
/// while frames are written, and the one that commits is the last of them.
pub(super) fn judge(error: &sqlx::Error, committing: bool) -> Failure {
    let text = error.to_string();
    match primary(error) {
        Some(code::FULL) => Failure::Clean(StoreError::Full(format!("its disk is full: {text}"))),
        Some(code::CORRUPT | code::NOT_A_DATABASE) => Failure::Damaged(StoreError::Damaged(text)),
        Some(code::BUSY | code::LOCKED) => {
            Failure::Clean(StoreError::Unavailable(format!("another process writes to the database: {text}")))
        }
        Some(code::ERROR | code::TOO_BIG | code::CONSTRAINT) => Failure::Clean(StoreError::Unavailable(text)),
        Some(code::READ_ONLY) if !committing => Failure::Clean(StoreError::Full(text)),
        Some(code::NO_MEMORY) if !committing => Failure::Clean(StoreError::Unavailable(text)),
        _ => Failure::Lost(StoreError::Unavailable(text)),
    }
}

/// What an error says to somebody who only reads.
pub(super) fn of_reading(error: &sqlx::Error) -> StoreError {
    match error {
        // A value that cannot be what was written.
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => StoreError::Damaged(error.to_string()),
        _ => match judge(error, false) {
            Failure::Damaged(error) => error,
            _ => StoreError::Unavailable(error.to_string()),
        },
    }
}

impl OpenError {
    /// What an error of SQLite says to somebody who opens.
    pub(super) fn of(path: &std::path::Path, error: &sqlx::Error) -> Self {
        let (path, reason) = (path.to_owned(), error.to_string());
        match primary(error) {
            Some(code::FULL) => Self::Full { path, reason },
            Some(code::READ_ONLY) => Self::NotWritable { path, reason },
            Some(code::CORRUPT) => Self::Damaged { path, reason },
            Some(code::NOT_A_DATABASE) => Self::Foreign { path, reason },
            _ => Self::Unavailable { path, reason },
        }
    }
}
