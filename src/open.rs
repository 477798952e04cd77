//! The store that the flags name.

use std::sync::Arc;

use chainrule::limits::Limits;
use chainrule::store::{Durability, MemoryStore, PostgresStore, SqliteStore, Store};

use crate::config::{Kept, Safety, Store as Place};

/// The store, looked at before it is opened.
pub async fn open(kept: &Kept, limits: &Limits) -> Result<Arc<dyn Store>, String> {
    let durability = match kept.durability {
        Safety::Power => Durability::Power,
        Safety::Process => Durability::Process,
    };
    match &kept.store {
        Place::Memory => Ok(Arc::new(MemoryStore::new(limits.memory_store_bytes))),
        Place::Sqlite(path) => {
            Ok(Arc::new(SqliteStore::open(path, durability).await.map_err(|error| error.to_string())?))
        }
        Place::Postgres(url) => {
            Ok(Arc::new(PostgresStore::open(url, durability).await.map_err(|error| error.to_string())?))
        }
    }
}
