//! One suite that holds every store to the same behaviour. A store joins by one line at the foot of this file: what it
//! is called, and how an empty one is opened.

mod beside;
mod deleting;
mod files;
mod keeping;
mod logs;
mod made;
pub mod postgres;
mod racing;

use std::any::Any;
use std::sync::Arc;

use chainrule::store::{Durability, MemoryStore, SqliteStore, Store};

/// An empty store for one test, and what must live as long as it does.
pub struct Opened {
    store: Arc<dyn Store>,
    _keeps: Option<Box<dyn Any + Send>>,
}

#[allow(clippy::unused_async, reason = "the others are asynchronous")]
async fn in_memory() -> Opened {
    Opened { store: Arc::new(MemoryStore::new(1 << 30)), _keeps: None }
}

async fn in_sqlite() -> Opened {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("chainrule.db"), Durability::Power).await.unwrap();
    Opened { store: Arc::new(store), _keeps: Some(Box::new(folder)) }
}

/// Every law, each as a test of its own, for one store.
macro_rules! holds_to_the_laws {
    ($store:ident, $open:path) => {
        holds_to_the_laws! { $store, $open,
            logs::nothing_is_found_in_an_empty_store,
            logs::a_log_is_found_by_its_name_and_by_its_id,
            logs::a_name_belongs_to_one_log_of_a_tenant,
            logs::an_append_stands_on_the_last_entry,
            logs::what_is_refused_leaves_no_trace,
            logs::logs_are_listed_by_name_and_page,
            logs::every_value_comes_back_as_it_went_in,
            logs::heads_come_from_the_covering_entry_on,
            logs::entries_come_from_the_covering_entry_on,
            logs::entries_come_as_many_as_their_bytes_allow,
            logs::numbers_beyond_all_steps_are_no_trouble,
            deleting::a_deleted_log_is_gone_and_its_name_is_free,
            deleting::a_branch_keeps_what_it_goes_on_from,
            deleting::a_line_of_branches_goes_from_its_end,
            deleting::a_branch_needs_a_log_with_its_name,
            deleting::siblings_keep_their_parent_until_the_last,
            keeping::the_latest_snapshot_is_found,
            keeping::snapshots_go_with_their_log,
            keeping::a_key_is_kept_with_what_it_did,
            keeping::a_key_comes_before_every_other_conflict,
            keeping::keys_are_forgotten_by_their_time,
            beside::data_is_found_by_its_name_and_by_its_hash,
            beside::data_stays_as_long_as_it_is_named_or_used,
            beside::one_owner_holds_a_run,
            beside::a_lease_ends_by_itself,
            beside::a_run_is_won_once,
            racing::many_appends_to_one_log_come_in_one_order,
            racing::many_logs_grow_at_once,
            racing::one_name_is_won_once,
            racing::one_key_is_won_once,
            racing::whoever_stops_waiting_disturbs_nobody,
            racing::reads_see_whole_commits_only,
        }
    };
    ($store:ident, $open:path, $($room:ident :: $law:ident,)+) => {
        mod $store {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $law() {
                    let opened = $open().await;
                    super::$room::$law(opened.store.clone()).await;
                    opened.store.ready().await.unwrap();
                    opened.store.close().await;
                }
            )+
        }
    };
}

holds_to_the_laws!(memory, super::in_memory);
holds_to_the_laws!(sqlite, super::in_sqlite);
holds_to_the_laws!(in_postgres, super::postgres::empty);
