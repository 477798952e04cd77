//! Bits of a write-ahead log that change. SQLite opens such a log and drops all that was committed from there on,
//! without a word; here it is refused, unless all that is lost is the last transaction.

use std::fs;
use std::path::Path;

use chainrule::store::{Durability, OpenError, SqliteStore, Store};
use rand_core::{Rng as _, SeedableRng as _};
use rand_pcg::Pcg64;
use sqlx::{Connection as _, Row as _};

use super::super::made::all;
use super::{beside, bytes_of, connection, killed, place};

const FRAME: usize = 24 + 4096;

/// How many entries SQLite finds; nothing where it finds no tables.
async fn seen_by_sqlite(path: &Path) -> usize {
    let mut db = connection(path).await;
    let row = sqlx::query("SELECT count(*) FROM entries").fetch_one(&mut db).await;
    let count: i64 = row.map_or(0, |row| row.get(0));
    db.close().await.unwrap();
    usize::try_from(count).unwrap()
}

#[tokio::test]
async fn no_commit_but_the_last_is_lost_without_a_word() {
    let (_folder, path) = place();
    let entries = 24;
    let made = killed(&path, entries).await;
    let (main, log) = (fs::read(&path).unwrap(), fs::read(beside(&path, "-wal")).unwrap());
    let ends: Vec<usize> = (0..(log.len() - 32) / FRAME).filter(|n| log[32 + n * FRAME + 4..][..4] != [0; 4]).collect();
    assert!(ends.len() >= entries, "{} transactions", ends.len());
    let last = 32 + (ends[ends.len() - 2] + 1) * FRAME;

    let mut random = Pcg64::seed_from_u64(7);
    let (mut refused, mut dropped, mut harmless) = (0, 0, 0);
    for round in 0..150 {
        // Some in the header, some in the headers of frames, the rest anywhere.
        let at = match round {
            0..25 => random.next_u64() as usize % 32,
            25..75 => 32 + random.next_u64() as usize % ((log.len() - 32) / FRAME) * FRAME + round % 24,
            _ => random.next_u64() as usize % log.len(),
        };
        let bit = random.next_u32() % 8;
        let (folder, flipped) = place();
        let mut bytes = log.clone();
        bytes[at] ^= 1 << bit;
        fs::write(&flipped, &main).unwrap();
        fs::write(beside(&flipped, "-wal"), &bytes).unwrap();
        let (_control, control) = place();
        fs::copy(&flipped, &control).unwrap();
        fs::write(beside(&control, "-wal"), &bytes).unwrap();
        let before = bytes_of(folder.path());

        let missing = entries - seen_by_sqlite(&control).await;
        match SqliteStore::open(&flipped, Durability::Power).await {
            Err(OpenError::DamagedWal { .. }) => {
                assert!(bytes_of(folder.path()) == before);
                refused += 1;
                dropped += usize::from(missing > 0);
            }
            Err(other) => panic!("bit {bit} of byte {at}: {other}"),
            Ok(store) => {
                let found = all(&store, made.id).await.len();
                assert_eq!(found, entries - missing);
                let allowed = usize::from(at >= last);
                assert!(missing <= allowed, "bit {bit} of byte {at}: {missing} commits are lost without a word");
                harmless += 1;
                store.close().await;
            }
        }
    }
    // SQLite by itself would have lost something nearly every time.
    assert!(refused >= 100 && dropped >= 100, "{refused} refused, {dropped} dropped by SQLite, {harmless} harmless");
}

#[tokio::test]
async fn a_torn_last_transaction_is_no_damage() {
    let (_folder, path) = place();
    let made = killed(&path, 12).await;
    let (main, log) = (fs::read(&path).unwrap(), fs::read(beside(&path, "-wal")).unwrap());
    for (keep, zeroed) in [(log.len() - 1, 0), (log.len() - 4000, 0), (log.len(), 512), (log.len(), 4096)] {
        let (_folder, torn) = place();
        fs::write(&torn, &main).unwrap();
        let mut bytes = log[..keep].to_vec();
        let end = bytes.len();
        bytes[end - zeroed..].fill(0);
        fs::write(beside(&torn, "-wal"), bytes).unwrap();
        let store = SqliteStore::open(&torn, Durability::Power).await.unwrap();
        assert_eq!(all(&store, made.id).await.len(), 11);
        store.close().await;
    }
}

#[tokio::test]
async fn a_log_whose_beginning_is_zeroed_is_refused() {
    let (_folder, path) = place();
    killed(&path, 12).await;
    let mut log = fs::read(beside(&path, "-wal")).unwrap();
    log[..4096].fill(0);
    fs::write(beside(&path, "-wal"), log).unwrap();
    let error = SqliteStore::open(&path, Durability::Power).await.err().unwrap();
    assert!(matches!(error, OpenError::DamagedWal { .. }), "{error}");
}

#[tokio::test]
async fn who_agreed_to_losing_the_end_goes_on_without_it() {
    let (_folder, path) = place();
    let made = killed(&path, 12).await;
    let mut log = fs::read(beside(&path, "-wal")).unwrap();
    let middle = log.len() / 2;
    log[middle] ^= 1;
    fs::write(beside(&path, "-wal"), log).unwrap();
    let error = SqliteStore::open(&path, Durability::Power).await.err().unwrap();
    assert!(error.to_string().contains("--durability process"), "{error}");
    let store = SqliteStore::open(&path, Durability::Process).await.unwrap();
    let entries = all(&store, made.id).await;
    assert!((1..12).contains(&entries.len()));
    store.close().await;
}
