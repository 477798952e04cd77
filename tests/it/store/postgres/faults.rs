//! The server restarts, stops answering, or its answers get lost; and clients who do not wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chainrule::store::{Change, Commit, CommitError, Conflict, Store, StoreError};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::super::made::{all, append, create, key, log, next, only};
use super::proxy::{Loses, MARK, Relay};
use super::server::{Server, shared, url_by};
use super::{conflict, replica};

/// Numbers that look random and are the same in every run.
fn drawn(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_leaves_it_open() {
    let server = shared();
    let url = server.database().await;
    let database = url.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    let relay = Relay::to(server.port).await;
    let direct = replica(&url).await;
    let store = replica(&url_by(relay.port, &database)).await;
    let made = log("demo");
    create(&*direct, &made).await;
    for (loses, written, seconds) in [
        (Loses::Answer, true, 0),
        (Loses::Question, false, 0),
        (Loses::AnswerSilently, true, 8),
        (Loses::Answer, true, 0),
    ] {
        let head = direct.find("", "demo").await.unwrap().unwrap();
        let entry = next(&head, 1, MARK.to_vec());
        let commit =
            Commit { change: Change::Append(made.id, entry.clone()), key: Some(key("", &entry.head.step.to_string())) };
        relay.loses(loses);
        let began = Instant::now();
        let answer = store.commit(commit.clone()).await;
        assert!(matches!(answer, Err(CommitError::Unknown(StoreError::Unavailable(_)))), "{answer:?}");
        let took = began.elapsed();
        assert!(took >= Duration::from_secs(seconds) && took < Duration::from_secs(seconds + 2), "{took:?}");
        relay.loses(Loses::Nothing);
        // What is read back tells, by the append's own number.
        let last = store.find("", "demo").await.unwrap().unwrap().entry;
        assert_eq!(last.append == entry.head.append, written);
        let again = if written { conflict(Conflict::Key) } else { Ok(()) };
        assert_eq!(store.commit(commit).await, again);
        assert_eq!(direct.find("", "demo").await.unwrap().unwrap().entry, entry.head);
    }
    assert_eq!(all(&*direct, made.id).await.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_who_leave_half_way_leave_no_disorder() {
    let store = replica(&shared().database().await).await;
    let logs: Vec<_> = (0..8).map(|n| log(&format!("log{n}"))).collect();
    for made in &logs {
        create(&*store, made).await;
    }
    let mut seed = 1;
    let (mut round, mut done, mut left) = (0, 0, 0);
    while left < 1000 {
        round += 1;
        let made = &logs[round % 8];
        // The last to leave may be still at it.
        let head = store.find("", &made.name).await.unwrap().unwrap();
        let change = Change::Append(made.id, next(&head, 1, vec![0; drawn(&mut seed) as usize % 20_000]));
        let patience = Duration::from_micros(drawn(&mut seed) % 500);
        tokio::select! {
            biased;
            () = sleep(patience) => left += 1,
            answer = store.commit(Commit { change, key: Some(key("", &format!("round{round}"))) }) => {
                assert!(answer.is_ok() || answer == conflict(Conflict::Head), "{answer:?}");
                done += 1;
            }
        }
        if round % 3 == 0 {
            tokio::select! {
                biased;
                () = sleep(patience / 3) => {}
                read = store.entries(made.id, 0, 9999, 100_000) => assert!(!read.unwrap().is_empty()),
            }
        }
    }
    assert!(done > 10, "all of them left, which tells nothing of those who nearly stay");
    sleep(Duration::from_millis(500)).await;
    let mut entries = 0;
    for made in &logs {
        entries += all(&*store, made.id).await.len();
    }
    let mut tasks = JoinSet::new();
    for made in logs.clone() {
        let store = store.clone();
        tasks.spawn(async move {
            for _ in 0..125 {
                append(&*store, &made, 1, vec![1; 500]).await;
            }
        });
    }
    tasks.join_all().await;
    for made in &logs {
        let found = all(&*store, made.id).await;
        entries -= found.len().saturating_sub(125);
        assert!(found.windows(2).all(|pair| pair[1].head.before == pair[0].head.hash));
        assert!(found.iter().all(|entry| entry.is_whole("", made.id)));
    }
    assert_eq!(entries, 0);
}

/// Whether an error is one of a server that is away.
fn away(error: &CommitError) -> bool {
    matches!(error, CommitError::Refused(StoreError::Unavailable(_)) | CommitError::Unknown(StoreError::Unavailable(_)))
}

/// Appends until it is told to stop; gives the steps that were acknowledged, and how often it was not.
async fn appends(store: Arc<dyn Store>, name: String, stop: Arc<AtomicBool>) -> (Vec<u64>, usize) {
    let (mut acknowledged, mut failures) = (Vec::new(), 0);
    while !stop.load(Ordering::SeqCst) {
        let head = match store.find("", &name).await {
            Ok(head) => head.unwrap(),
            Err(StoreError::Unavailable(_)) => {
                failures += 1;
                sleep(Duration::from_millis(10)).await;
                continue;
            }
            Err(error) => panic!("{error:?}"),
        };
        match store.commit(only(Change::Append(head.log.id, next(&head, 1, vec![1; 100])))).await {
            Ok(()) => acknowledged.push(head.entry.last + 1),
            Err(CommitError::Conflict(Conflict::Head)) => {}
            Err(error) => {
                assert!(away(&error), "{error:?}");
                failures += 1;
            }
        }
    }
    (acknowledged, failures)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_restarts_under_load() {
    let server = Arc::new(Server::start(""));
    let store = replica(&server.database().await).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for n in 0..6 {
        // Some share a log.
        let made = log(&format!("log{}", n % 4));
        if n < 4 {
            create(&*store, &made).await;
        }
        tasks.push(tokio::spawn(appends(store.clone(), made.name, stop.clone())));
    }
    for _ in 0..3 {
        sleep(Duration::from_millis(500)).await;
        let server = server.clone();
        tokio::task::spawn_blocking(move || server.control(&["-m", "immediate", "-w", "restart"])).await.unwrap();
        let back = Instant::now();
        while let Err(error) = store.ready().await {
            assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
            assert!(back.elapsed() < Duration::from_secs(2), "{error}");
        }
    }
    sleep(Duration::from_millis(500)).await;
    stop.store(true, Ordering::SeqCst);
    let (mut acknowledged, mut failures) = (vec![Vec::new(); 4], 0);
    for (n, task) in tasks.into_iter().enumerate() {
        let (steps, failed) = task.await.unwrap();
        acknowledged[n % 4].extend(steps);
        failures += failed;
    }
    assert!(failures > 0, "nobody noticed");
    for (n, mut steps) in acknowledged.into_iter().enumerate() {
        let made = store.find("", &format!("log{n}")).await.unwrap().unwrap().log;
        let entries = all(&*store, made.id).await;
        assert!(entries.iter().all(|entry| entry.is_whole("", made.id)));
        assert!(entries.windows(2).all(|pair| pair[1].head.before == pair[0].head.hash));
        // No step was acknowledged twice, and none that was is gone.
        let count = steps.len();
        steps.sort_unstable();
        steps.dedup();
        assert_eq!(steps.len(), count);
        assert!(count > 10 && *steps.last().unwrap() < entries.len() as u64);
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_stands_still() {
    let server = Server::start("fsync = off");
    let store = replica(&server.database().await).await;
    let made = log("demo");
    create(&*store, &made).await;
    let head = store.find("", "demo").await.unwrap().unwrap();
    let commit = only(Change::Append(made.id, next(&head, 1, vec![])));

    // In the middle of statements, and before them.
    let (busy, name) = (store.clone(), "demo".to_owned());
    let stop = Arc::new(AtomicBool::new(false));
    let reading = tokio::spawn(appends(busy, name, stop.clone()));
    sleep(Duration::from_millis(200)).await;
    server.signal("STOP");
    stop.store(true, Ordering::SeqCst);
    sleep(Duration::from_millis(200)).await;
    let began = Instant::now();
    let (ready, found, committed) = tokio::join!(store.ready(), store.find("", "demo"), store.commit(commit));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    for answer in [ready, found.map(|_| ())] {
        assert!(matches!(&answer, Err(StoreError::Unavailable(text)) if text.contains("seconds")), "{answer:?}");
    }
    // Nothing was sent, and that is known.
    let refused = committed.unwrap_err();
    assert!(matches!(refused, CommitError::Refused(StoreError::Unavailable(_))), "{refused:?}");
    tokio::time::timeout(Duration::from_secs(10), reading).await.expect("it waits without end").unwrap();

    server.signal("CONT");
    store.ready().await.unwrap();
    append(&*store, &made, 1, vec![]).await;
    store.close().await;
    let closed = store.ready().await;
    assert!(matches!(closed, Err(StoreError::Unavailable(_))), "{closed:?}");
}
