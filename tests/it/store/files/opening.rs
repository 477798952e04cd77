//! What is opened, and what is there when it is opened again.

use std::fs;

use chainrule::store::{Change, Commit, CommitError, Durability, Sharing, SqliteStore, Store, StoreError};

use super::super::made::{all, append, branch, create, first, grown, key, log, only};
use super::{Disk, beside, bytes_of, killed, open, place};

#[tokio::test]
async fn everything_is_there_when_it_is_opened_again() {
    let (_folder, path) = place();
    let (made, twig) = (log("demo"), log("twig"));
    for durability in [Durability::Power, Durability::Process] {
        let store = SqliteStore::open(&path, durability).await.unwrap();
        if durability == Durability::Power {
            grown(&store, &made, 5).await;
            create(&store, &branch(&made, 2, "branch")).await;
            store.keep_snapshot(made.id, 3, vec![3; 9]).await.unwrap();
            store.commit(Commit { change: Change::Nothing, key: Some(key("", "once")) }).await.unwrap();
            create(&store, &twig).await;
        }
        assert_eq!(all(&store, made.id).await.len(), 5);
        assert_eq!(store.snapshot(made.id, 9).await, Ok(Some((3, vec![3; 9]))));
        assert_eq!(store.key("", "once").await, Ok(Some(key("", "once"))));
        let names: Vec<_> = store.list("", None, 9).await.unwrap().into_iter().map(|head| head.log.name).collect();
        assert_eq!(names, ["branch", "demo", "twig"]);
        assert_eq!((store.kind(), store.sharing()), ("sqlite", Sharing::Alone));
        store.close().await;
        // All of it is in one file.
        assert!(!beside(&path, "-wal").exists() && !beside(&path, "-shm").exists());
        assert!(matches!(store.ready().await, Err(StoreError::Unavailable(_))));
        assert!(matches!(store.commit(only(Change::Nothing)).await, Err(CommitError::Refused(_))));
        store.close().await;
    }
}

#[tokio::test]
async fn a_killed_servers_log_is_brought_into_the_file() {
    let (_folder, path) = place();
    let made = killed(&path, 40).await;
    let store = open(&path).await;
    assert_eq!(all(&store, made.id).await.len(), 40);
    // What is shown is in the main file, where it was synced; the log is empty.
    assert_eq!(fs::metadata(beside(&path, "-wal")).unwrap().len(), 0);
    append(&store, &made, 1, vec![1]).await;
    drop(store);
}

#[tokio::test]
async fn an_absent_or_empty_file_becomes_a_database() {
    let (_folder, path) = place();
    fs::write(&path, b"").unwrap();
    fs::write(beside(&path, "-wal"), b"").unwrap();
    let store = open(&path).await;
    create(&store, &log("demo")).await;
    store.close().await;

    // One that was broken off while it was made: its first page is there, and the journal that undoes it.
    let (_folder, other) = place();
    fs::write(&other, &fs::read(&path).unwrap()[..4096]).unwrap();
    let mut journal = vec![0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7, 0, 0, 0, 0, 0, 0, 0, 0];
    journal.extend([0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 16, 0]);
    journal.resize(512, 0);
    fs::write(beside(&other, "-journal"), journal).unwrap();
    let store = open(&other).await;
    assert_eq!(store.list("", None, 9).await, Ok(vec![]));
    create(&store, &log("demo")).await;
    store.close().await;
}

#[tokio::test]
async fn a_lost_index_of_the_log_is_made_anew() {
    let (_folder, path) = place();
    let made = killed(&path, 10).await;
    fs::write(beside(&path, "-shm"), vec![0x55; 32768]).unwrap();
    let store = open(&path).await;
    assert_eq!(all(&store, made.id).await.len(), 10);
    store.close().await;
}

#[tokio::test]
async fn what_is_queued_is_done_before_it_closes() {
    let (_folder, path) = place();
    let store = std::sync::Arc::new(open(&path).await);
    let mut waiting = tokio::task::JoinSet::new();
    for n in 0..500 {
        let (store, made) = (store.clone(), log(&format!("log{n:03}")));
        waiting.spawn(async move { store.commit(only(Change::Create(made.clone(), first(&made)))).await });
    }
    tokio::task::yield_now().await;
    store.close().await;
    let done = waiting.join_all().await.into_iter().flatten().count();
    let store = open(&path).await;
    assert_eq!(store.list("", None, 1000).await.unwrap().len(), done);
    store.close().await;
}

#[tokio::test]
async fn it_can_be_read_beside_a_running_server() {
    let (folder, path) = place();
    let store = open(&path).await;
    let made = log("demo");
    grown(&store, &made, 5).await;
    let reader = SqliteStore::open_to_read(&path).await.unwrap();
    assert_eq!(all(&reader, made.id).await.len(), 5);
    append(&store, &made, 1, vec![1]).await;
    assert_eq!(all(&reader, made.id).await.len(), 6);
    assert!(matches!(
        reader.commit(only(Change::Delete(made.id))).await,
        Err(CommitError::Refused(StoreError::Full(text))) if text.contains("reading only")
    ));
    reader.close().await;
    append(&store, &made, 1, vec![1]).await;
    store.close().await;

    // And when there is none.
    let before = bytes_of(folder.path());
    let reader = SqliteStore::open_to_read(&path).await.unwrap();
    assert_eq!(all(&reader, made.id).await.len(), 7);
    reader.close().await;
    assert!(bytes_of(folder.path()) == before);
    assert!(SqliteStore::open_to_read(&folder.path().join("absent.db")).await.is_err());
    assert!(!folder.path().join("absent.db").exists());
}

#[tokio::test]
async fn it_can_be_read_where_nothing_can_be_written() {
    let Some(disk) = Disk::new(8) else { return };
    let path = disk.path().join("chainrule.db");
    let store = open(&path).await;
    let made = log("demo");
    grown(&store, &made, 5).await;
    store.close().await;
    disk.remount("ro");
    let reader = SqliteStore::open_to_read(&path).await.unwrap();
    assert_eq!(all(&reader, made.id).await.len(), 5);
    reader.close().await;
}
