//! What a failure of PostgreSQL means: whether anything was written, and what to tell people.

use sqlx::postgres::{PgDatabaseError, PgSeverity};

use crate::store::{CommitError, StoreError};

/// How a piece of work on a connection failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// There was no connection; nothing was sent.
    Unsent(StoreError),
    /// The server refused a statement, and has undone all of it.
    Refused(Box<PgDatabaseError>, String),
    /// Something was sent, and what became of it is not known.
    Lost(StoreError),
}

impl Failure {
    /// What an error means that came after something was sent. `place` is where the server is.
    pub(super) fn sent(error: sqlx::Error, place: &str) -> Self {
        match error {
            sqlx::Error::Database(error) => match error.try_downcast::<PgDatabaseError>() {
                // An ERROR comes before the commit. FATAL and PANIC end the session, and may come after it.
                Ok(error) if error.severity() == PgSeverity::Error => Self::Refused(error, place.to_owned()),
                Ok(error) => Self::Lost(meaning(&error, place)),
                Err(error) => Self::Lost(unavailable(place, &error)),
            },
            error => Self::Lost(unavailable(place, &error)),
        }
    }

    /// Whether the connection is as good as before.
    pub(super) fn spares_connection(&self) -> bool {
        // A constraint, a conflict of transactions, a lock or a time limit: the session goes on. Whatever else it was,
        // a new connection finds out whether it has passed.
        let plain = |code: &str| code.starts_with("23") || code.starts_with("40") || ["55P03", "57014"].contains(&code);
        matches!(self, Self::Refused(error, _) if plain(error.code()))
    }

    /// The constraint that a statement would have broken.
    pub(super) fn constraint(&self) -> Option<&str> {
        match self {
            Self::Refused(error, _) if error.code() == "23505" => error.constraint(),
            _ => None,
        }
    }

    /// For a commit.
    pub(super) fn of_commit(self) -> CommitError {
        match self {
            Self::Unsent(error) => CommitError::Refused(error),
            Self::Refused(error, place) => CommitError::Refused(meaning(&error, &place)),
            Self::Lost(error) => CommitError::Unknown(error),
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unsent(error) | Failure::Lost(error) => error,
            Failure::Refused(error, place) => meaning(&error, &place),
        }
    }
}

/// Trouble that may pass.
pub(super) fn unavailable(place: &str, what: &impl ToString) -> StoreError {
    StoreError::Unavailable(format!("PostgreSQL at {place}: {}", what.to_string()))
}

/// What the server says, in the store's terms.
pub(super) fn meaning(error: &PgDatabaseError, place: &str) -> StoreError {
    let (code, said) = (error.code(), error.message());
    let text = format!("PostgreSQL at {place}: {said} ({code})");
    match code {
        "53100" => StoreError::Full(format!("{text}; its disk is full")),
        "25006" => StoreError::Full(format!("{text}; it is a standby or read-only: point --store at the primary")),
        "42501" => StoreError::Full(format!("{text}; the user of --store may not do this")),
        // More than a row, a value or a statement may hold.
        _ if code.starts_with("54") => StoreError::Full(text),
        // A damaged page or index, or a table or column that is not there any more.
        "XX001" | "XX002" | "42P01" | "42703" => StoreError::Damaged(text),
        _ => StoreError::Unavailable(text),
    }
}
