//! What lies beside the logs: snapshots, and the keys of requests that may be sent again.

use std::sync::Arc;

use chainrule::store::{Change, Commit, Conflict, KeyEntry, LogId, Store};

use super::made::{all, append, branch, conflicts, create, delete, first, fresh, grown, key, log, next};

type Held = Arc<dyn Store>;

pub async fn the_latest_snapshot_is_found(store: Held) {
    let made = log("demo");
    grown(&*store, &made, 3).await;
    let other = log("other");
    create(&*store, &other).await;
    store.keep_snapshot(other.id, 15, b"another's".to_vec()).await.unwrap();
    let big: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    for (step, bytes) in [(10, b"ten".to_vec()), (30, big.clone()), (20, vec![]), (0, vec![0; 3])] {
        store.keep_snapshot(made.id, step, bytes).await.unwrap();
    }
    for (until, expected) in [
        (0, (0, vec![0; 3])),
        (9, (0, vec![0; 3])),
        (10, (10, b"ten".to_vec())),
        (19, (10, b"ten".to_vec())),
        (20, (20, vec![])),
        (29, (20, vec![])),
        (30, (30, big.clone())),
        (u64::MAX, (30, big)),
    ] {
        assert_eq!(store.snapshot(made.id, until).await, Ok(Some(expected)), "until {until}");
    }
    store.keep_snapshot(made.id, 10, b"other ten".to_vec()).await.unwrap();
    assert_eq!(store.snapshot(made.id, 15).await, Ok(Some((10, b"other ten".to_vec()))));
    assert_eq!(store.snapshot(other.id, 14).await, Ok(None));
}

pub async fn snapshots_go_with_their_log(store: Held) {
    let nobody = LogId(fresh());
    store.keep_snapshot(nobody, 1, vec![1]).await.unwrap();
    assert_eq!(store.snapshot(nobody, 1).await, Ok(None));

    let made = log("demo");
    create(&*store, &made).await;
    store.keep_snapshot(made.id, 1, vec![1]).await.unwrap();
    let twig = branch(&made, 0, "twig");
    create(&*store, &twig).await;
    delete(&*store, &made).await;
    // The log is still there, for the sake of the branch.
    store.keep_snapshot(made.id, 2, vec![2]).await.unwrap();
    assert_eq!(store.snapshot(made.id, 9).await, Ok(Some((2, vec![2]))));
    delete(&*store, &twig).await;
    assert_eq!(store.snapshot(made.id, 9).await, Ok(None));
    store.keep_snapshot(made.id, 3, vec![3]).await.unwrap();
    assert_eq!(store.snapshot(made.id, 9).await, Ok(None));
}

pub async fn a_key_is_kept_with_what_it_did(store: Held) {
    let made = log("demo");
    let outcome = (0..=255).cycle().take(100_000).collect();
    let whole = KeyEntry { request: [9; 32], at: -5, outcome, ..key("mine", "k\u{e9}y '%_\"") };
    let change = Change::Create(made.clone(), first(&made));
    store.commit(Commit { change, key: Some(whole.clone()) }).await.unwrap();
    assert_eq!(store.key("mine", "k\u{e9}y '%_\"").await, Ok(Some(whole)));
    assert_eq!(store.key("", "k\u{e9}y '%_\"").await, Ok(None));
    assert_eq!(store.key("mine", "k").await, Ok(None));

    let empty = KeyEntry { outcome: vec![], ..key("mine", "empty") };
    store.commit(Commit { change: Change::Nothing, key: Some(empty.clone()) }).await.unwrap();
    assert_eq!(store.key("mine", "empty").await, Ok(Some(empty)));

    let head = store.find("", "demo").await.unwrap().unwrap();
    let change = Change::Append(made.id, next(&head, 1, vec![]));
    store.commit(Commit { change, key: Some(key("mine", "append")) }).await.unwrap();
    assert_eq!(store.key("mine", "append").await, Ok(Some(key("mine", "append"))));
    assert_eq!(all(&*store, made.id).await.len(), 2);
}

pub async fn a_key_comes_before_every_other_conflict(store: Held) {
    let made = log("demo");
    let zero = create(&*store, &made).await;
    store.commit(Commit { change: Change::Nothing, key: Some(key("", "once")) }).await.unwrap();
    let again = log("demo");
    let new = log("new");
    let mut stale = next(&store.find("", "demo").await.unwrap().unwrap(), 1, vec![]);
    stale.head.before = [0; 32];
    let stands = next(&store.find("", "demo").await.unwrap().unwrap(), 1, vec![]);
    for change in [
        Change::Nothing,
        Change::Create(new.clone(), first(&new)),
        Change::Create(again.clone(), first(&again)),
        Change::Append(made.id, stale),
        Change::Append(made.id, stands.clone()),
        Change::Append(LogId(fresh()), stands),
        Change::Delete(made.id),
        Change::Delete(LogId(fresh())),
    ] {
        let other = KeyEntry { outcome: b"another".to_vec(), ..key("", "once") };
        conflicts(store.commit(Commit { change, key: Some(other) }).await, Conflict::Key);
    }
    assert_eq!(store.key("", "once").await, Ok(Some(key("", "once"))));
    assert_eq!(all(&*store, made.id).await, vec![zero]);
    assert_eq!(store.find("", "new").await, Ok(None));
    // The same key of somebody else is another key.
    store.commit(Commit { change: Change::Delete(made.id), key: Some(key("b", "once")) }).await.unwrap();
}

pub async fn keys_are_forgotten_by_their_time(store: Held) {
    let made = log("demo");
    create(&*store, &made).await;
    for at in [-10, 0, 999, 1000, 1001] {
        let key = KeyEntry { at, ..key(if at % 2 == 0 { "even" } else { "odd" }, &format!("at {at}")) };
        store.commit(Commit { change: Change::Nothing, key: Some(key) }).await.unwrap();
    }
    store.forget_keys(1000).await.unwrap();
    for (tenant, at, stays) in
        [("even", -10, false), ("even", 0, false), ("odd", 999, false), ("even", 1000, true), ("odd", 1001, true)]
    {
        assert_eq!(store.key(tenant, &format!("at {at}")).await.unwrap().is_some(), stays, "{at}");
    }
    store.forget_keys(1000).await.unwrap();
    // What is forgotten may be used again.
    store.commit(Commit { change: Change::Nothing, key: Some(key("odd", "at 999")) }).await.unwrap();
    append(&*store, &made, 1, vec![]).await;
    store.forget_keys(i64::MAX).await.unwrap();
    assert_eq!(store.key("odd", "at 1001").await, Ok(None));
    assert_eq!(all(&*store, made.id).await.len(), 2);
}
