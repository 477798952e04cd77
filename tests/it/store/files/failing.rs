//! Disks that are full, and disks that fail: what was acknowledged is there, what was not is whole or not at all, and
//! it goes on when it can.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use chainrule::store::{Change, CommitError, Durability, SqliteStore, Store, StoreError};

use super::super::made::{all, append, create, delete, grown, log, next, only};
use super::{Disk, open, place};

#[tokio::test]
async fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let Some(disk) = Disk::new(2) else { return };
    let path = disk.path().join("chainrule.db");
    let filler = disk.path().join("filler");
    fs::write(&filler, vec![1; 700_000]).unwrap();
    let store = open(&path).await;
    let made = log("demo");
    create(&store, &made).await;
    let mut written = 1;
    let refusal = loop {
        let head = store.find("", "demo").await.unwrap().unwrap();
        match store.commit(only(Change::Append(made.id, next(&head, 1, vec![written as u8; 10_000])))).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 300);
    };
    assert!(matches!(&refusal, CommitError::Refused(StoreError::Full(text)) if text.contains("full")), "{refusal:?}");
    // What is there is served, again and again, and nothing is half there.
    for _ in 0..5 {
        assert_eq!(all(&store, made.id).await.len(), written);
        let head = store.find("", "demo").await.unwrap().unwrap();
        let answer = store.commit(only(Change::Append(made.id, next(&head, 1, vec![0; 100_000])))).await;
        assert!(matches!(answer, Err(CommitError::Refused(StoreError::Full(_)))), "{answer:?}");
    }
    fs::remove_file(&filler).unwrap();
    let start = Instant::now();
    append(&store, &made, 1, vec![2; 10_000]).await;
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_eq!(all(&store, made.id).await.len(), written + 1);
    delete(&store, &made).await;
    let other = log("other");
    grown(&store, &other, 3).await;
    store.close().await;
    let store = open(&path).await;
    assert_eq!(all(&store, other.id).await.len(), 3);
    store.close().await;
}

/// Runs the child below under strace with one of its system calls failing, and checks what it leaves.
async fn with_a_failing_call(call: &str, error: &str, which: u32) -> Option<(usize, usize)> {
    let (folder, path) = place();
    let output = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")])
        .args(["-P", path.to_str().unwrap(), "-P", &format!("{}-wal", path.display())])
        .args(["-e", &format!("inject={call}:error={error}:when={which}")])
        .arg(std::env::current_exe().unwrap())
        .args(["a_child_that_writes", "--nocapture", "--test-threads=1"])
        .env("CHAINRULE_TEST_DATABASE", &path)
        .output();
    let Ok(output) = output else {
        eprintln!("not tested: there is no strace");
        return None;
    };
    if String::from_utf8_lossy(&output.stderr).contains("PTRACE_") {
        eprintln!("not tested: strace may not trace here");
        return None;
    }
    let said = String::from_utf8(output.stdout).unwrap();
    let what = format!("{error} at {call} {which}:\n{said}{}", String::from_utf8_lossy(&output.stderr));
    let steps = |word: &str| -> BTreeSet<u64> {
        said.lines().filter_map(|line| line.split_once(word)?.1.trim().parse().ok()).collect()
    };
    let (acknowledged, unknown) = (steps("ACK "), steps("UNKNOWN "));
    if said.contains("NOT OPENED") {
        assert!(acknowledged.is_empty(), "{what}");
    } else {
        assert!(output.status.success() && said.contains("ALL DONE"), "{what}");
    }
    let store = SqliteStore::open(&path, Durability::Power).await.unwrap_or_else(|error| panic!("{error}\n{what}"));
    let head = store.find("", "demo").await.unwrap();
    let entries = match head {
        Some(head) => all(&store, head.log.id).await,
        None => vec![],
    };
    let kept: BTreeSet<u64> = entries.iter().map(|entry| entry.head.step).collect();
    assert!(acknowledged.is_subset(&kept), "{what}\nkept: {kept:?}");
    assert!(kept.iter().all(|step| acknowledged.contains(step) || unknown.contains(step)), "{what}\nkept: {kept:?}");
    store.close().await;
    drop(folder);
    Some((acknowledged.len(), unknown.len()))
}

async fn every_failing_call(call: &str, error: &str, calls: impl Iterator<Item = u32>) -> usize {
    let mut unknown = 0;
    for which in calls {
        let Some((_, more)) = with_a_failing_call(call, error, which).await else { return usize::MAX };
        unknown += more;
    }
    unknown
}

#[tokio::test]
async fn a_failed_sync_is_never_taken_for_success() {
    // The first ones are at opening.
    assert!(every_failing_call("fsync,fdatasync", "EIO", (1..20).step_by(2)).await > 0);
}

#[tokio::test]
async fn a_failed_write_is_answered_as_such() {
    // Opening takes about half of them.
    assert!(every_failing_call("pwrite64", "EIO", (1..120).step_by(7)).await > 0);
    every_failing_call("pwrite64", "ENOSPC", (1..60).step_by(7)).await;
}

/// Appends to one log, says what it is answered, and reads back what it does not know.
#[tokio::test]
async fn a_child_that_writes() {
    let Ok(path) = std::env::var("CHAINRULE_TEST_DATABASE") else { return };
    let store = match SqliteStore::open(Path::new(&path), Durability::Power).await {
        Ok(store) => store,
        Err(error) => return println!("\nNOT OPENED: {error}"),
    };
    let made = log("demo");
    let mut step = 0;
    let until = Instant::now() + Duration::from_secs(20);
    while step < 12 {
        assert!(Instant::now() < until, "it does not come back");
        let head = match store.find("", "demo").await {
            Ok(head) => head,
            Err(StoreError::Unavailable(_)) => {
                assert!(store.ready().await.is_err() || store.find("", "demo").await.is_ok());
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        let change = match &head {
            None => Change::Create(made.clone(), super::super::made::first(&made)),
            Some(head) => Change::Append(head.log.id, next(head, 1, vec![1; 6000])),
        };
        step = head.map_or(0, |head| head.entry.step + 1);
        match store.commit(only(change)).await {
            Ok(()) => println!("\nACK {step}"),
            Err(CommitError::Unknown(_)) => println!("\nUNKNOWN {step}"),
            Err(CommitError::Refused(error)) => println!("\nREFUSED {step}: {error}"),
            Err(error) => panic!("{error}"),
        }
    }
    store.close().await;
    println!("\nALL DONE");
}
