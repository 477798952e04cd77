//! What becomes of a log that is deleted, and of those that go on from it.

use std::sync::Arc;

use chainrule::store::{Change, Commit, Conflict, Log, Store};

use super::made::{all, append, branch, conflicts, create, delete, entry, first, grown, key, log, log_of, only};

type Held = Arc<dyn Store>;

/// Asserts that nothing at all is left of a log.
async fn nothing_is_left(store: &Held, log: &Log) {
    assert_eq!(store.log(log.id).await, Ok(None), "{}", log.name);
    assert_eq!(all(&**store, log.id).await, vec![], "{}", log.name);
    assert_eq!(store.heads(log.id, 0, 9).await, Ok(vec![]), "{}", log.name);
    assert_eq!(store.snapshot(log.id, 99).await, Ok(None), "{}", log.name);
}

pub async fn a_deleted_log_is_gone_and_its_name_is_free(store: Held) {
    let made = log("demo");
    let entries = grown(&*store, &made, 3).await;
    create(&*store, &log("other")).await;
    let gone = Commit { change: Change::Delete(made.id), key: Some(key("", "away")) };
    store.commit(gone).await.unwrap();
    assert_eq!(store.key("", "away").await, Ok(Some(key("", "away"))));
    assert_eq!(store.find("", "demo").await, Ok(None));
    assert_eq!(store.list("", None, 9).await.unwrap().len(), 1);
    nothing_is_left(&store, &made).await;

    let late = entry(&made, 3, 3, entries[2].head.hash, vec![]);
    conflicts(store.commit(only(Change::Append(made.id, late))).await, Conflict::Gone);
    conflicts(store.commit(only(Change::Delete(made.id))).await, Conflict::Gone);

    let again = log("demo");
    let zero = create(&*store, &again).await;
    assert_eq!(store.find("", "demo").await.unwrap().unwrap().log.id, again.id);
    assert_eq!(all(&*store, again.id).await, vec![zero]);
    nothing_is_left(&store, &made).await;
}

pub async fn a_branch_keeps_what_it_goes_on_from(store: Held) {
    let parent = log_of("mine", "parent");
    let entries = grown(&*store, &parent, 5).await;
    store.keep_snapshot(parent.id, 2, vec![2]).await.unwrap();
    let twig = branch(&parent, 3, "twig");
    let own = grown(&*store, &twig, 2).await;
    delete(&*store, &parent).await;

    assert_eq!(store.find("mine", "parent").await, Ok(None));
    assert_eq!(store.list("mine", None, 9).await.unwrap().len(), 1);
    // It is still there for those that go on from it, under the name it had.
    assert_eq!(store.log(parent.id).await, Ok(Some(parent.clone())));
    assert_eq!(all(&*store, parent.id).await, entries);
    assert_eq!(store.snapshot(parent.id, 9).await, Ok(Some((2, vec![2]))));
    // But not for anybody else.
    let late = entry(&parent, 5, 5, entries[4].head.hash, vec![]);
    conflicts(store.commit(only(Change::Append(parent.id, late))).await, Conflict::Gone);
    conflicts(store.commit(only(Change::Delete(parent.id))).await, Conflict::Gone);

    // Another one of that name has nothing to do with it.
    let again = log_of("mine", "parent");
    create(&*store, &again).await;
    append(&*store, &again, 1, vec![1]).await;
    delete(&*store, &again).await;
    nothing_is_left(&store, &again).await;
    assert_eq!(all(&*store, parent.id).await, entries);

    append(&*store, &twig, 1, vec![2]).await;
    assert_eq!(all(&*store, twig.id).await[..2], own[..]);
    delete(&*store, &twig).await;
    nothing_is_left(&store, &twig).await;
    nothing_is_left(&store, &parent).await;
}

pub async fn a_line_of_branches_goes_from_its_end(store: Held) {
    let mut line = vec![log("0")];
    grown(&*store, &line[0], 3).await;
    for n in 1..6_u64 {
        let next = branch(&line[n as usize - 1], n, &n.to_string());
        grown(&*store, &next, 3).await;
        line.push(next);
    }
    // The names of all but the second and the last one go, and everything stays.
    for n in [0, 3, 2, 4] {
        delete(&*store, &line[n]).await;
    }
    for log in &line {
        assert_eq!(all(&*store, log.id).await.len(), 3, "{}", log.name);
    }
    // The last one takes with it all up to the second, which has its name.
    delete(&*store, &line[5]).await;
    for log in &line[2..] {
        nothing_is_left(&store, log).await;
    }
    assert_eq!(all(&*store, line[1].id).await.len(), 3);
    assert_eq!(all(&*store, line[0].id).await.len(), 3);
    delete(&*store, &line[1]).await;
    nothing_is_left(&store, &line[1]).await;
    nothing_is_left(&store, &line[0]).await;
}

pub async fn a_branch_needs_a_log_with_its_name(store: Held) {
    let orphan = branch(&log("nobody"), 0, "orphan");
    conflicts(store.commit(only(Change::Create(orphan.clone(), first(&orphan)))).await, Conflict::Gone);
    assert_eq!(store.log(orphan.id).await, Ok(None));

    let parent = log("parent");
    grown(&*store, &parent, 2).await;
    let twig = branch(&parent, 1, "twig");
    create(&*store, &twig).await;
    delete(&*store, &parent).await;
    let late = branch(&parent, 1, "late");
    conflicts(store.commit(only(Change::Create(late.clone(), first(&late)))).await, Conflict::Gone);
    let taken = branch(&parent, 1, "twig");
    conflicts(store.commit(only(Change::Create(taken.clone(), first(&taken)))).await, Conflict::Name);
    // Neither of them counts as a branch.
    delete(&*store, &twig).await;
    nothing_is_left(&store, &parent).await;
}

pub async fn siblings_keep_their_parent_until_the_last(store: Held) {
    let parent = log("parent");
    let entries = grown(&*store, &parent, 4).await;
    let twigs: Vec<Log> = (0..4).map(|n| branch(&parent, n, &format!("twig{n}"))).collect();
    for twig in &twigs {
        create(&*store, twig).await;
    }
    delete(&*store, &twigs[1]).await;
    nothing_is_left(&store, &twigs[1]).await;
    append(&*store, &parent, 1, vec![]).await;
    delete(&*store, &parent).await;
    for twig in [&twigs[0], &twigs[3], &twigs[2]] {
        assert_eq!(all(&*store, parent.id).await[..4], entries[..]);
        delete(&*store, twig).await;
        nothing_is_left(&store, twig).await;
    }
    nothing_is_left(&store, &parent).await;
    assert_eq!(store.list("", None, 9).await, Ok(vec![]));
}
