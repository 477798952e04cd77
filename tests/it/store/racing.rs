//! Many at once: one order, one winner, and nobody disturbed by another's conflict or by one who leaves.

use std::sync::Arc;
use std::time::Duration;

use chainrule::store::{Change, Commit, CommitError, Conflict, Store};
use tokio::task::JoinSet;

use super::made::{all, append, create, delete, first, grown, key, log, next, only};

type Held = Arc<dyn Store>;

/// Appends as often as it takes until so many have taken.
async fn append_with_retries(store: Held, name: String, times: usize, mark: u8) -> usize {
    let (mut done, mut conflicts) = (0, 0);
    while done < times {
        let head = store.find("", &name).await.unwrap().unwrap();
        let covers = if done % 3 == 0 { 4 } else { 1 };
        match store.commit(only(Change::Append(head.log.id, next(&head, covers, vec![mark, done as u8])))).await {
            Ok(()) => done += 1,
            Err(CommitError::Conflict(Conflict::Head)) => conflicts += 1,
            other => panic!("{other:?}"),
        }
    }
    conflicts
}

pub async fn many_appends_to_one_log_come_in_one_order(store: Held) {
    let made = log("one");
    create(&*store, &made).await;
    let mut tasks = JoinSet::new();
    for mark in 0..8 {
        tasks.spawn(append_with_retries(store.clone(), "one".to_owned(), 15, mark));
    }
    tasks.join_all().await;
    let entries = all(&*store, made.id).await;
    assert_eq!(entries.len(), 1 + 8 * 15);
    for pair in entries.windows(2) {
        assert_eq!(pair[1].head.step, pair[0].head.last + 1);
        assert_eq!(pair[1].head.before, pair[0].head.hash);
    }
    assert!(entries.iter().all(|entry| entry.is_whole("", made.id)));
    for mark in 0..8 {
        let own: Vec<u8> =
            entries[1..].iter().filter(|entry| entry.body[0] == mark).map(|entry| entry.body[1]).collect();
        assert_eq!(own, (0..15).collect::<Vec<u8>>());
    }
}

pub async fn many_logs_grow_at_once(store: Held) {
    let mut tasks = JoinSet::new();
    for n in 0..40_u8 {
        let store = store.clone();
        tasks.spawn(async move {
            let made = log(&format!("log{n:02}"));
            create(&*store, &made).await;
            // In between come conflicts, which are nobody else's business.
            let again = log(&made.name);
            let taken = store.commit(only(Change::Create(again.clone(), first(&again)))).await;
            assert_eq!(taken, Err(CommitError::Conflict(Conflict::Name)));
            assert_eq!(append_with_retries(store.clone(), made.name.clone(), 10, n).await, 0);
            if n % 4 == 3 {
                delete(&*store, &made).await;
            }
            made
        });
    }
    let logs = tasks.join_all().await;
    assert_eq!(store.list("", None, 100).await.unwrap().len(), 30);
    for made in logs {
        let gone = made.name[3..].parse::<u8>().unwrap() % 4 == 3;
        assert_eq!(all(&*store, made.id).await.len(), if gone { 0 } else { 11 }, "{}", made.name);
    }
}

pub async fn one_name_is_won_once(store: Held) {
    for round in 0..5 {
        let mut tasks = JoinSet::new();
        for _ in 0..10 {
            let (store, made) = (store.clone(), log(&format!("round{round}")));
            tasks.spawn(async move {
                let answer = store.commit(only(Change::Create(made.clone(), first(&made)))).await;
                (answer, made)
            });
        }
        let answers = tasks.join_all().await;
        let won: Vec<_> = answers.iter().filter(|(answer, _)| answer.is_ok()).collect();
        assert_eq!(won.len(), 1);
        assert_eq!(store.find("", &format!("round{round}")).await.unwrap().unwrap().log, won[0].1);
        for (answer, _) in &answers {
            assert!(matches!(answer, Ok(()) | Err(CommitError::Conflict(Conflict::Name))), "{answer:?}");
        }
    }
}

pub async fn one_key_is_won_once(store: Held) {
    let mut tasks = JoinSet::new();
    for n in 0..20 {
        let (store, made) = (store.clone(), log(&format!("log{n}")));
        tasks.spawn(async move {
            let change = Change::Create(made.clone(), first(&made));
            store.commit(Commit { change, key: Some(key("", "once")) }).await
        });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let taken = Err(CommitError::Conflict(Conflict::Key));
    assert_eq!(answers.iter().filter(|answer| **answer == taken).count(), 19);
    assert_eq!(store.list("", None, 100).await.unwrap().len(), 1);
}

pub async fn whoever_stops_waiting_disturbs_nobody(store: Held) {
    let logs: Vec<_> = (0..6).map(|n| log(&format!("log{n}"))).collect();
    for made in &logs {
        create(&*store, made).await;
    }
    let mut acknowledged = 0;
    for round in 0..30_u64 {
        let mut tasks = JoinSet::new();
        for made in logs.clone() {
            let store = store.clone();
            tasks.spawn(async move {
                let head = store.find("", &made.name).await.unwrap().unwrap();
                store.commit(only(Change::Append(made.id, next(&head, 1, vec![1; 300])))).await
            });
        }
        // Some are dropped before they began, some in the middle, some are done.
        tokio::time::sleep(Duration::from_micros(round * 97 % 1500)).await;
        tasks.abort_all();
        while let Some(answer) = tasks.join_next().await {
            acknowledged += usize::from(matches!(answer, Ok(Ok(()))));
        }
    }
    let mut kept = 0;
    for made in &logs {
        // One that nobody waits for may come yet; then this one is the loser, and does it again.
        append_with_retries(store.clone(), made.name.clone(), 1, 9).await;
        let entries = all(&*store, made.id).await;
        assert!(entries.windows(2).all(|pair| pair[1].head.before == pair[0].head.hash));
        assert!(entries.iter().all(|entry| entry.is_whole("", made.id)));
        kept += entries.len() - 2;
    }
    assert!(kept >= acknowledged, "{kept} kept, {acknowledged} acknowledged");
    append(&*store, &logs[0], 1, vec![]).await;
}

pub async fn reads_see_whole_commits_only(store: Held) {
    let made = log("demo");
    grown(&*store, &made, 2).await;
    let (writer, name) = (store.clone(), made.name.clone());
    let writing = tokio::spawn(async move {
        for n in 2..120_u64 {
            let head = writer.find("", &name).await.unwrap().unwrap();
            let change = Change::Append(head.log.id, next(&head, 1, vec![0; 2000]));
            writer.commit(Commit { change, key: Some(key("", &format!("step {n}"))) }).await.unwrap();
        }
    });
    let mut seen = 1;
    while !writing.is_finished() {
        let step = store.find("", "demo").await.unwrap().unwrap().entry.step;
        assert!(step >= seen, "step {step} after {seen}");
        seen = step;
        // What was seen once stays, with all that was written beside it.
        if step > 1 {
            assert!(store.key("", &format!("step {step}")).await.unwrap().is_some(), "{step}");
        }
        let entries = all(&*store, made.id).await;
        assert!(entries.len() as u64 > step, "{} entries after step {step}", entries.len());
        assert!(entries.windows(2).all(|pair| pair[1].head.before == pair[0].head.hash));
    }
    writing.await.unwrap();
    assert_eq!(all(&*store, made.id).await.len(), 120);
}
