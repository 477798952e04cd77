//! Pairs of writers on two servers at once, round after round: both orders of each pair have one right outcome.

use chainrule::store::{Change, Commit, Conflict};

use super::super::made::{all, branch, create, first, grown, key, log, next, only};
use super::{both, conflict, two};

const ROUNDS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_appends_to_one_head_one_takes() {
    let (a, b, _) = two().await;
    let made = log("demo");
    create(&*a, &made).await;
    for round in 0..ROUNDS {
        let head = a.find("", "demo").await.unwrap().unwrap();
        // A range and a single step: their keys may be the same and their ends are not.
        let (one, two) = (next(&head, 1 + round as u64 % 3, vec![1]), next(&head, 1, vec![2]));
        let commits = (only(Change::Append(made.id, one.clone())), only(Change::Append(made.id, two.clone())));
        let answers = both((&a, commits.0), (&b, commits.1)).await;
        let won = if answers[0].is_ok() { one } else { two };
        assert!(answers.contains(&Ok(())) && answers.contains(&conflict(Conflict::Head)), "{answers:?}");
        assert_eq!(b.find("", "demo").await.unwrap().unwrap().entry, won.head);
    }
    assert_eq!(all(&*a, made.id).await.len(), 1 + ROUNDS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_and_a_deletion() {
    let (a, b, _) = two().await;
    for round in 0..ROUNDS {
        let made = log("demo");
        grown(&*a, &made, 2).await;
        let head = a.find("", "demo").await.unwrap().unwrap();
        let append = only(Change::Append(made.id, next(&head, 1, vec![])));
        let delete = only(Change::Delete(made.id));
        let [appended, deleted] = if round % 2 == 0 {
            both((&a, append), (&b, delete)).await
        } else {
            flipped(both((&a, delete), (&b, append)).await)
        };
        assert_eq!(deleted, Ok(()));
        assert!(appended == Ok(()) || appended == conflict(Conflict::Gone), "{appended:?}");
        assert_eq!(b.find("", "demo").await, Ok(None));
        assert_eq!(a.log(made.id).await, Ok(None));
        assert_eq!(all(&*a, made.id).await, vec![]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_and_a_deletion() {
    let (a, b, _) = two().await;
    for round in 0..ROUNDS {
        let made = log("demo");
        let entries = grown(&*a, &made, 2).await;
        let twig = branch(&made, 1, &format!("twig{round}"));
        let fork = only(Change::Create(twig.clone(), first(&twig)));
        let delete = only(Change::Delete(made.id));
        let [forked, deleted] = if round % 2 == 0 {
            both((&a, fork), (&b, delete)).await
        } else {
            flipped(both((&a, delete), (&b, fork)).await)
        };
        assert_eq!(deleted, Ok(()));
        assert_eq!(a.find("", "demo").await, Ok(None));
        if forked.is_ok() {
            assert_eq!(b.log(made.id).await, Ok(Some(made.clone())));
            assert_eq!(all(&*b, made.id).await, entries);
        } else {
            assert_eq!(forked, conflict(Conflict::Gone));
            assert_eq!(b.log(made.id).await, Ok(None));
            assert_eq!(b.log(twig.id).await, Ok(None));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_deletions() {
    let (a, b, _) = two().await;
    for _ in 0..ROUNDS {
        let made = log("demo");
        grown(&*a, &made, 2).await;
        let answers = both((&a, only(Change::Delete(made.id))), (&b, only(Change::Delete(made.id)))).await;
        assert!(answers.contains(&Ok(())) && answers.contains(&conflict(Conflict::Gone)), "{answers:?}");
        assert_eq!(a.log(made.id).await, Ok(None));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_two_branches_of_a_deleted_log() {
    let (a, b, _) = two().await;
    for _ in 0..ROUNDS {
        let root = log("root");
        let parent = branch(&root, 0, "parent");
        let twigs = [branch(&parent, 1, "one"), branch(&parent, 1, "two")];
        for made in [&root, &parent, &twigs[0], &twigs[1]] {
            create(&*a, made).await;
        }
        a.commit(only(Change::Delete(root.id))).await.unwrap();
        b.commit(only(Change::Delete(parent.id))).await.unwrap();
        let answers = both((&a, only(Change::Delete(twigs[0].id))), (&b, only(Change::Delete(twigs[1].id)))).await;
        assert_eq!(answers, [Ok(()), Ok(())]);
        for made in [&root, &parent, &twigs[0], &twigs[1]] {
            assert_eq!(a.log(made.id).await, Ok(None), "{}", made.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_logs_of_one_name() {
    let (a, b, _) = two().await;
    for round in 0..ROUNDS {
        let name = format!("demo{round}");
        let (one, two) = (log(&name), log(&name));
        let commits = [&one, &two].map(|made| only(Change::Create(made.clone(), first(made))));
        let [to_a, to_b] = commits;
        let answers = both((&a, to_a), (&b, to_b)).await;
        assert!(answers.contains(&Ok(())) && answers.contains(&conflict(Conflict::Name)), "{answers:?}");
        let won = if answers[0].is_ok() { one } else { two };
        assert_eq!(b.find("", &name).await.unwrap().unwrap().log, won);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_and_a_new_log_of_that_name() {
    let (a, b, _) = two().await;
    for _ in 0..ROUNDS {
        let (old, new) = (log("demo"), log("demo"));
        create(&*a, &old).await;
        let create = only(Change::Create(new.clone(), first(&new)));
        let [deleted, created] = both((&a, only(Change::Delete(old.id))), (&b, create)).await;
        assert_eq!(deleted, Ok(()));
        let found = a.find("", "demo").await.unwrap().map(|head| head.log);
        if created.is_ok() {
            assert_eq!(found, Some(new.clone()));
            a.commit(only(Change::Delete(new.id))).await.unwrap();
        } else {
            assert_eq!((created, found), (conflict(Conflict::Name), None));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_request_sent_to_two_servers() {
    let (a, b, _) = two().await;
    let made = log("demo");
    create(&*a, &made).await;
    for round in 0..ROUNDS {
        let head = a.find("", "demo").await.unwrap().unwrap();
        let send = |mark| Commit {
            change: Change::Append(made.id, next(&head, 1, vec![mark])),
            key: Some(key("", &format!("round{round}"))),
        };
        let answers = both((&a, send(1)), (&b, send(2))).await;
        // The loser hears of its key, not of the head that its twin has moved.
        assert!(answers.contains(&Ok(())) && answers.contains(&conflict(Conflict::Key)), "{answers:?}");
    }
    assert_eq!(all(&*a, made.id).await.len(), 1 + ROUNDS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_and_a_deletion() {
    let (a, b, _) = two().await;
    for _ in 0..ROUNDS {
        let made = log("demo");
        create(&*a, &made).await;
        let (keeper, id) = (a.clone(), made.id);
        let keeping = tokio::spawn(async move { keeper.keep_snapshot(id, 0, vec![7; 100]).await });
        b.commit(only(Change::Delete(made.id))).await.unwrap();
        keeping.await.unwrap().unwrap();
        assert_eq!(a.snapshot(made.id, 9).await, Ok(None));
        assert_eq!(a.log(made.id).await, Ok(None));
    }
}

fn flipped<T>([one, other]: [T; 2]) -> [T; 2] {
    [other, one]
}
