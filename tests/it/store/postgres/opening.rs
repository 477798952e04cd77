//! Opening a database: what is wrong is said clearly, without the password, and nothing is changed.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use chainrule::store::{Durability, PostgresStore, ServerError};
use tokio::task::JoinSet;

use super::super::made::{all, append, branch, create, grown, log};
use super::replica;
use super::server::{PASSWORD, run, shared, url_by};

/// What is said where a store is not opened.
async fn refusal(url: &str) -> ServerError {
    let began = Instant::now();
    let error = PostgresStore::open(url, Durability::Power).await.map(|_| ()).unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(4), "{error} after {:?}", began.elapsed());
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(!text.contains("s3cret") && !text.contains(PASSWORD), "{text}");
    }
    error
}

#[track_caller]
fn says(error: &ServerError, parts: &[&str]) {
    for part in parts {
        assert!(error.to_string().contains(part), "{part:?} is not in: {error}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = refusal(&url_by(closed, "any")).await;
    assert!(matches!(error, ServerError::Unavailable(_)), "{error:?}");
    says(&error, &[&format!("127.0.0.1:{closed}"), "refused", "start it", "--store"]);

    // One that takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let error = refusal(&url_by(port, "any")).await;
    assert!(matches!(error, ServerError::Unavailable(_)), "{error:?}");
    says(&error, &[&format!("127.0.0.1:{port}"), "no answer within 3 seconds"]);
}

#[tokio::test]
async fn a_url_that_is_wrong() {
    let server = shared();
    let error = refusal(&server.url("any").replace("s3cret", "s3cret-and-wrong")).await;
    assert!(matches!(error, ServerError::Invalid(_)), "{error:?}");
    says(&error, &["password authentication failed", "tester", "check the user and the password"]);

    let error = refusal(&server.url("nowhere")).await;
    assert!(matches!(error, ServerError::Invalid(_)), "{error:?}");
    says(&error, &["\"nowhere\" does not exist", "createdb nowhere"]);

    let url = server.url("any");
    for (wrong, part) in [
        (url.replace("sslmode=", "pasword=s3cret&sslmode="), "pasword"),
        (url.replace("sslmode=disable", "sslmode=s3cret"), "sslmode"),
        ("postgres://tester:s3cret@[::1/any".to_owned(), "cannot be read"),
        ("postgres://tester:s3cret@127.0.0.1:s3cret/any".to_owned(), "cannot be read"),
        ("postgres://tester:s3cret/@127.0.0.1/any".to_owned(), "cannot be read"),
    ] {
        let error = refusal(&wrong).await;
        assert!(matches!(error, ServerError::Invalid(_)), "{error:?}");
        says(&error, &[part]);
    }
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let url = shared().database().await;
    replica(&url).await.close().await;
    run(&url, "insert into _sqlx_migrations values (99, 'the future', now(), true, '', 0)").await;
    let error = refusal(&url).await;
    assert!(matches!(error, ServerError::Newer(_)), "{error:?}");
    says(&error, &["newer version", "99"]);

    run(&url, "delete from _sqlx_migrations where version = 99; update _sqlx_migrations set checksum = 'x'").await;
    let error = refusal(&url).await;
    assert!(matches!(error, ServerError::Damaged(_)), "{error:?}");
}

#[tokio::test]
async fn a_database_that_may_not_be_written_to() {
    let server = shared();
    let url = server.database().await;
    replica(&url).await.close().await;
    let name = url.rsplit('/').next().unwrap().split('?').next().unwrap();
    server.does(&format!("alter database {name} set default_transaction_read_only = on")).await;
    let error = refusal(&url).await;
    assert!(matches!(error, ServerError::Unsuitable(_)), "{error:?}");
    says(&error, &["read-only", &format!("alter database {name} set default_transaction_read_only = off")]);
    server.does(&format!("alter database {name} reset default_transaction_read_only")).await;
    replica(&url).await.ready().await.unwrap();

    // A user who may log in and nothing else.
    let url = server.database().await;
    run(&url, "revoke all on schema public from public; create role guest login password 'guest'").await;
    let error = refusal(&url.replace("tester:s3cret%2F%40%3A%3F", "guest:guest")).await;
    assert!(matches!(error, ServerError::Unsuitable(_)), "{error:?}");
    says(&error, &["guest must be allowed", "alter database"]);
}

#[tokio::test]
async fn a_database_with_somebody_elses_tables() {
    let url = shared().database().await;
    run(&url, "create table runs (place text); insert into runs values ('Oslo')").await;
    let error = refusal(&url).await;
    assert!(matches!(error, ServerError::Unsuitable(_)), "{error:?}");
    says(&error, &["has a table runs", "not chainrule's", "a database of its own"]);
    assert!(!error.to_string().contains("try again"), "{error}");
    run(
        &url,
        "do $$ begin assert (select string_agg(relname, ' ') from pg_class where relnamespace = 'public'::regnamespace)
            = 'runs'; assert (select place from runs) = 'Oslo'; end $$",
    )
    .await;
    // One of another name is in nobody's way.
    run(&url, "alter table runs rename to journeys").await;
    replica(&url).await.close().await;
    replica(&url).await.ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_servers_start_at_once() {
    let url = shared().database().await;
    let mut starting = JoinSet::new();
    for _ in 0..8 {
        let url = url.clone();
        starting.spawn(async move { replica(&url).await });
    }
    let replicas = starting.join_all().await;
    let made = log("demo");
    create(&*replicas[0], &made).await;
    for replica in &replicas {
        append(&**replica, &made, 1, vec![]).await;
    }
    assert_eq!(all(&*replicas[7], made.id).await.len(), 9);
}

#[tokio::test]
async fn what_a_server_left_behind_is_swept() {
    let url = shared().database().await;
    let store = replica(&url).await;
    let (parent, other) = (log("parent"), log("other"));
    grown(&*store, &parent, 3).await;
    let twig = branch(&parent, 1, "twig");
    grown(&*store, &twig, 600).await;
    create(&*store, &other).await;
    // A server that stopped between a deletion and its sweep.
    run(&url, "update logs set named = false where name <> 'other'").await;
    assert_eq!(store.log(twig.id).await, Ok(Some(twig.clone())));
    let next = replica(&url).await;
    let began = Instant::now();
    while next.log(parent.id).await.unwrap().is_some() {
        assert!(began.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(next.log(twig.id).await, Ok(None));
    assert_eq!(all(&*next, other.id).await.len(), 1);
}
