//! The settings that every connection has.

use chainrule::store::Durability;
use chainrule::store::sqlite::connect::{to_look, to_read, to_write};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Row as _, SqliteConnection};

use super::place;

async fn read_back(db: &mut SqliteConnection, pragma: &'static str) -> String {
    let row = sqlx::query(pragma).fetch_one(db).await.unwrap();
    row.try_get::<String, _>(0).or_else(|_| row.try_get::<i64, _>(0).map(|number| number.to_string())).unwrap()
}

#[tokio::test]
async fn every_connection_has_its_settings() {
    let (_folder, path) = place();
    for (durability, synchronous) in [(Durability::Power, "2"), (Durability::Process, "1")] {
        let mut writer = to_write(&path, durability, true).connect().await.unwrap();
        for (pragma, expected) in [
            ("PRAGMA journal_mode", "wal"),
            ("PRAGMA synchronous", synchronous),
            ("PRAGMA fullfsync", "1"),
            ("PRAGMA checkpoint_fullfsync", "1"),
            ("PRAGMA wal_autocheckpoint", "0"),
            ("PRAGMA journal_size_limit", "67108864"),
            ("PRAGMA page_size", "4096"),
            ("PRAGMA query_only", "0"),
        ] {
            assert_eq!(read_back(&mut writer, pragma).await, expected, "{pragma}");
        }
        for options in [to_write(&path, durability, false), to_read(&path), to_look(&path)] {
            let mut db = options.connect().await.unwrap();
            for (pragma, expected) in [
                ("PRAGMA busy_timeout", "5000"),
                ("PRAGMA foreign_keys", "1"),
                ("PRAGMA trusted_schema", "0"),
                ("PRAGMA cell_size_check", "1"),
                ("PRAGMA mmap_size", "0"),
                ("PRAGMA temp_store", "2"),
            ] {
                assert_eq!(read_back(&mut db, pragma).await, expected, "{pragma}");
            }
        }
        for options in [to_read(&path), to_look(&path)] {
            let mut db = options.connect().await.unwrap();
            assert_eq!(read_back(&mut db, "PRAGMA query_only").await, "1");
            assert!(sqlx::query("CREATE TABLE other (a)").execute(&mut db).await.is_err());
        }
    }
}

#[tokio::test]
async fn sqlite_is_new_enough() {
    // Before 3.51.3 a log that begins anew at an unlucky moment loses commits.
    let mut db = SqliteConnectOptions::new().in_memory(true).connect().await.unwrap();
    let version = read_back(&mut db, "SELECT sqlite_version()").await;
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
    assert!(parts >= vec![3, 51, 3], "{version}");
}
