//! The same pairs with one of them held in its middle, so that the other certainly meets it there.

use std::sync::Arc;
use std::time::Duration;

use chainrule::store::{Change, Commit, CommitError, Conflict, Log, Store, StoreError};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::super::made::{all, branch, create, first, grown, key, log, next, only};
use super::{conflict, two};

/// Begins a transaction that has done something, lets a commit run into it, ends it, and gives the commit's answer.
async fn behind(url: &str, held: &str, end: &str, store: &Arc<dyn Store>, commit: Commit) -> Result<(), CommitError> {
    let mut other = PgConnection::connect(url).await.unwrap();
    for sql in ["begin", held] {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut other).await.unwrap();
    }
    let store = store.clone();
    let waiting = tokio::spawn(async move { store.commit(commit).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished(), "it does not wait for: {held}");
    sqlx::raw_sql(AssertSqlSafe(end.to_owned())).execute(&mut other).await.unwrap();
    waiting.await.unwrap()
}

fn unname(made: &Log) -> String {
    format!(
        "select from logs where id = '\\x{0}' for update; update logs set named = false where id = '\\x{0}'",
        made.id
    )
}

#[tokio::test]
async fn who_waited_for_a_deletion_finds_the_log_gone() {
    let (a, b, url) = two().await;
    let made = log("demo");
    grown(&*a, &made, 2).await;
    let head = a.find("", "demo").await.unwrap().unwrap();
    let twig = branch(&made, 1, "twig");
    for change in [
        Change::Append(made.id, next(&head, 1, vec![])),
        Change::Create(twig.clone(), first(&twig)),
        Change::Delete(made.id),
    ] {
        // A deletion that comes to nothing stops nobody, and one that is done stops everybody.
        let commit = Commit { change: change.clone(), key: Some(key("", "once")) };
        assert_eq!(behind(&url, &unname(&made), "commit", &b, commit).await, conflict(Conflict::Gone), "{change:?}");
        assert_eq!(a.key("", "once").await, Ok(None));
        super::server::run(&url, "update logs set named = true").await;
        assert_eq!(behind(&url, &unname(&made), "rollback", &b, only(change)).await, Ok(()));
    }
    assert_eq!(all(&*a, made.id).await.len(), 3);
}

#[tokio::test]
async fn a_deletion_waits_for_a_fork_and_leaves_what_it_needs() {
    let (a, b, url) = two().await;
    let made = log("demo");
    let entries = grown(&*a, &made, 2).await;
    let twig = branch(&made, 1, "twig");
    let fork = format!(
        "select from logs where id = '\\x{0}' and named for key share;
        insert into logs (id, tenant, name, origin, origin_at, size) values ('\\x{1}', '', 'twig', '\\x{0}', 1, {2})",
        made.id, twig.id, twig.size
    );
    assert_eq!(behind(&url, &fork, "commit", &b, only(Change::Delete(made.id))).await, Ok(()));
    assert_eq!(a.find("", "demo").await, Ok(None));
    assert_eq!(all(&*a, made.id).await, entries);
    assert_eq!(b.log(twig.id).await, Ok(Some(twig)));
}

#[tokio::test]
async fn who_waited_for_the_same_key_hears_of_the_key() {
    let (a, b, url) = two().await;
    let made = log("demo");
    create(&*a, &made).await;
    let head = a.find("", "demo").await.unwrap().unwrap();
    let new = log("new");
    for (change, name) in [
        (Change::Nothing, "nothing"),
        (Change::Append(made.id, next(&head, 1, vec![])), "append"),
        (Change::Create(new.clone(), first(&new)), "create"),
        (Change::Delete(made.id), "delete"),
    ] {
        let other = format!("insert into keys values ('', '{name}', '', 0, '')");
        let commit = Commit { change, key: Some(key("", name)) };
        assert_eq!(behind(&url, &other, "commit", &b, commit.clone()).await, conflict(Conflict::Key), "{name}");
        let other = other.replace(name, &format!("{name} again"));
        let commit = Commit { key: Some(key("", &format!("{name} again"))), ..commit };
        assert_eq!(behind(&url, &other, "rollback", &b, commit).await, Ok(()), "{name}");
    }
}

#[tokio::test]
async fn who_waited_for_a_deletion_with_the_same_key_hears_of_the_key() {
    let (a, b, url) = two().await;
    let made = log("demo");
    create(&*a, &made).await;
    let head = a.find("", "demo").await.unwrap().unwrap();
    let other = unname(&made) + "; insert into keys values ('', 'once', '', 0, '')";
    let commit = Commit { change: Change::Append(made.id, next(&head, 1, vec![])), key: Some(key("", "once")) };
    assert_eq!(behind(&url, &other, "commit", &b, commit).await, conflict(Conflict::Key));
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let (a, b, url) = two().await;
    let made = log("demo");
    create(&*a, &made).await;
    let head = a.find("", "demo").await.unwrap().unwrap();
    let mut other = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("begin; select from logs for update").execute(&mut other).await.unwrap();
    let commit = only(Change::Append(made.id, next(&head, 1, vec![])));
    let refused = b.commit(commit.clone()).await;
    assert!(matches!(&refused, Err(CommitError::Refused(StoreError::Unavailable(_)))), "{refused:?}");
    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
    assert_eq!(b.commit(commit).await, Ok(()));
}
