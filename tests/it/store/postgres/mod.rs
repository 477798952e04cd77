//! PostgreSQL: the suite on a real server, and what only a store behind a network meets.

mod bench;
mod faults;
mod locks;
mod opening;
pub mod proxy;
mod races;
mod refusals;
pub mod server;

use std::sync::Arc;

use chainrule::store::{Commit, CommitError, Conflict, Durability, PostgresStore, Store};

use super::Opened;

/// An empty store in a database of its own.
pub async fn empty() -> Opened {
    let url = server::shared().database().await;
    Opened { store: replica(&url).await, _keeps: None }
}

/// One server's view of a database.
async fn replica(url: &str) -> Arc<dyn Store> {
    Arc::new(PostgresStore::open(url, Durability::Power).await.unwrap())
}

/// Two servers on one empty database, and its URL.
async fn two() -> (Arc<dyn Store>, Arc<dyn Store>, String) {
    let url = server::shared().database().await;
    (replica(&url).await, replica(&url).await, url)
}

/// Commits by both at once.
async fn both(one: (&Arc<dyn Store>, Commit), other: (&Arc<dyn Store>, Commit)) -> [Result<(), CommitError>; 2] {
    let (first, second) = (one.0.clone(), other.0.clone());
    let first = tokio::spawn(async move { first.commit(one.1).await });
    let second = tokio::spawn(async move { second.commit(other.1).await });
    [first.await.unwrap(), second.await.unwrap()]
}

/// An answer that names a conflict.
fn conflict(with: Conflict) -> Result<(), CommitError> {
    Err(CommitError::Conflict(with))
}
