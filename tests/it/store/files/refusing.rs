//! What is not opened, with the reason, and left as it is to the last byte.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use chainrule::limits::DATABASE_CHECKED_FIRST;
use chainrule::store::{Change, CommitError, Durability, Log, OpenError, SqliteStore, Store, StoreError};
use sqlx::Connection as _;

use super::super::made::{all, create, grown, log, next, only};
use super::{Disk, beside, connection, execute, killed, open, place, refused};

#[tokio::test]
async fn a_second_server() {
    let (_folder, path) = place();
    let store = open(&path).await;
    create(&store, &log("demo")).await;
    let error = refused(&path).await;
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("another chainrule server"), "{error}");
    create(&store, &log("other")).await;
    store.close().await;
    let store = open(&path).await;
    drop(store);
    // One that is dropped lets go of it too, as soon as its writer is done.
    for _ in 0..200 {
        if SqliteStore::open(&path, Durability::Power).await.is_ok() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it was never let go of");
}

#[tokio::test]
async fn a_place_that_is_none() {
    let (folder, path) = place();
    let error = SqliteStore::open(&folder.path().join("no/where.db"), Durability::Power).await.err().unwrap();
    assert!(matches!(error, OpenError::NoFolder { .. }), "{error}");
    let error = SqliteStore::open(folder.path(), Durability::Power).await.err().unwrap();
    assert!(matches!(error, OpenError::NotAFile { .. }), "{error}");
    fs::write(&path, "").unwrap();
    let error = SqliteStore::open(&path.join("chainrule.db"), Durability::Power).await.err().unwrap();
    assert!(matches!(error, OpenError::NoFolder { .. }), "{error}");
}

#[tokio::test]
async fn what_is_not_ours() {
    for text in ["hello", &"no database at all ".repeat(1000)] {
        let (_folder, path) = place();
        fs::write(&path, text).unwrap();
        let error = refused(&path).await;
        assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    }
    // Another program's database, with and without its number, with and without a log of its own.
    for application in [false, true] {
        for journal in ["PRAGMA journal_mode = WAL", "PRAGMA journal_mode = DELETE"] {
            let (_folder, path) = place();
            let mut db = connection(&path).await;
            execute(&mut db, journal).await;
            execute(&mut db, "CREATE TABLE photos (name TEXT)").await;
            if application {
                execute(&mut db, "PRAGMA application_id = 1234").await;
            }
            let (_kept, copy) = place();
            for suffix in ["", "-wal"] {
                if beside(&path, suffix).exists() {
                    fs::copy(beside(&path, suffix), beside(&copy, suffix)).unwrap();
                }
            }
            db.close().await.unwrap();
            for path in [path, copy] {
                let error = refused(&path).await;
                assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
                assert!(!beside(&path, "-shm").exists() || beside(&path, "-wal").exists());
            }
        }
    }
}

#[tokio::test]
async fn what_a_newer_version_wrote() {
    let (_folder, path) = place();
    let store = open(&path).await;
    create(&store, &log("demo")).await;
    store.close().await;
    let mut db = connection(&path).await;
    execute(&mut db, "INSERT INTO _sqlx_migrations VALUES (99, 'later', '2030-01-01', TRUE, x'00', 1)").await;
    db.close().await.unwrap();
    let error = refused(&path).await;
    assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error}");
    assert!(error.to_string().contains("newer chainrule"), "{error}");
}

#[tokio::test]
async fn what_says_that_its_tables_were_made_otherwise() {
    let (_folder, path) = place();
    killed(&path, 10).await;
    let mut db = connection(&path).await;
    execute(&mut db, "UPDATE _sqlx_migrations SET checksum = x'00'").await;
    // As a kill would leave it: what the log holds is not moved into the main file by looking.
    let (_kept, copy) = place();
    for suffix in ["", "-wal"] {
        fs::copy(beside(&path, suffix), beside(&copy, suffix)).unwrap();
    }
    db.close().await.unwrap();
    let error = refused(&copy).await;
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
}

#[tokio::test]
async fn what_is_cut_short() {
    let (_folder, path) = place();
    let store = open(&path).await;
    grown(&store, &log("demo"), 200).await;
    store.close().await;
    let whole = fs::read(&path).unwrap();
    for keep in [20, 99, 100, 4096, 4097, whole.len() / 2, whole.len() - 4096, whole.len() - 1] {
        fs::write(&path, &whole[..keep]).unwrap();
        let error = refused(&path).await;
        assert!(matches!(error, OpenError::Damaged { .. }), "{keep} bytes: {error}");
    }
    fs::write(&path, &whole).unwrap();
    open(&path).await.close().await;

    // The main file is gone, the log is there: SQLite would throw it away.
    let (_folder, path) = place();
    killed(&path, 10).await;
    fs::write(&path, "").unwrap();
    let error = refused(&path).await;
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    fs::remove_file(&path).unwrap();
    let error = refused(&path).await;
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn a_broken_tree() {
    let (_folder, path) = place();
    let store = open(&path).await;
    grown(&store, &log("demo"), 300).await;
    store.close().await;
    let whole = fs::read(&path).unwrap();
    // The type of a page, at its beginning.
    let page = (2..whole.len() / 4096).rev().find(|page| whole[page * 4096] == 13).unwrap();
    let mut broken = whole.clone();
    broken[page * 4096..page * 4096 + 64].fill(0xee);
    fs::write(&path, broken).unwrap();
    let error = refused(&path).await;
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

/// A database of exactly so many bytes, with a log of 300 entries, whose last page is broken.
async fn broken_at_its_end(path: &Path, bytes: u64) -> Log {
    let made = log("demo");
    let store = open(path).await;
    grown(&store, &made, 300).await;
    store.close().await;
    let size = || fs::metadata(path).unwrap().len();
    let store = open(path).await;
    // A page of an overflowing row takes 4092 bytes of it, and a row that just fits takes a page of its own.
    let pages = (bytes - size()) / 4096 - 8;
    store.keep_snapshot(made.id, 0, vec![7; pages as usize * 4092]).await.unwrap();
    store.close().await;
    for step in 1.. {
        if size() >= bytes {
            break;
        }
        let store = open(path).await;
        store.keep_snapshot(made.id, step, vec![7; 4000]).await.unwrap();
        store.close().await;
    }
    assert_eq!(size(), bytes);
    let mut whole = fs::read(path).unwrap();
    let page = whole.len() - 4096;
    whole[page..page + 64].fill(0xee);
    fs::write(path, whole).unwrap();
    made
}

#[tokio::test]
async fn a_broken_tree_of_a_large_database() {
    // As large as one that is checked before it is opened may be.
    let (_folder, path) = place();
    broken_at_its_end(&path, DATABASE_CHECKED_FIRST).await;
    let error = refused(&path).await;
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");

    // A page more: it is opened, and read as far as it goes; when the damage is found, nothing more is written.
    let (_folder, path) = place();
    let made = broken_at_its_end(&path, DATABASE_CHECKED_FIRST + 4096).await;
    let store = open(&path).await;
    for _ in 0..1000 {
        if store.ready().await.is_err() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(matches!(store.ready().await, Err(StoreError::Damaged(_))));
    let head = store.find("", "demo").await.unwrap().unwrap();
    let answer = store.commit(only(Change::Append(made.id, next(&head, 1, vec![])))).await;
    assert!(matches!(answer, Err(CommitError::Refused(StoreError::Damaged(_)))), "{answer:?}");
    assert_eq!(all(&store, made.id).await.len(), 300);
    store.close().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_second_server_by_another_name() {
    let (folder, path) = place();
    let store = open(&path).await;
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let error = SqliteStore::open(&link, Durability::Power).await.err().unwrap();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    store.close().await;
}

#[tokio::test]
async fn what_may_only_be_read() {
    let (_folder, path) = place();
    let store = open(&path).await;
    create(&store, &log("demo")).await;
    store.close().await;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    if fs::OpenOptions::new().write(true).open(&path).is_err() {
        let error = refused(&path).await;
        assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
    }

    let Some(disk) = Disk::new(8) else { return };
    let path = disk.path().join("chainrule.db");
    let made = log("demo");
    let store = open(&path).await;
    grown(&store, &made, 5).await;
    store.close().await;
    disk.remount("ro");
    let error = refused(&path).await;
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
    let error = refused(&disk.path().join("new.db")).await;
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
    disk.remount("rw");
    let store = open(&path).await;
    assert_eq!(all(&store, made.id).await.len(), 5);
    store.close().await;
}

#[tokio::test]
async fn what_has_no_room() {
    let Some(disk) = Disk::new(1) else { return };
    fs::write(disk.path().join("filler"), vec![1; 2_000_000]).unwrap_err();
    let error = SqliteStore::open(&disk.path().join("chainrule.db"), Durability::Power).await.err().unwrap();
    assert!(matches!(error, OpenError::Full { .. }), "{error}");
}
