//! What the server says no to, and what that means; each connection is as it was afterwards.

use std::time::Duration;

use chainrule::store::{Change, CommitError, Durability, PostgresStore, Store, StoreError};
use sqlx::{Connection as _, PgConnection};
use tokio::time::sleep;

use super::super::made::{all, append, create, entry, first, grown, log, next, only};
use super::replica;
use super::server::{PASSWORD, run, shared};

/// Makes an append whose body begins with `refuse ` fail with the code that follows.
const REFUSE: &str = "
    create function refuse() returns trigger language plpgsql as $$ begin
        raise exception 'made up' using errcode = substr(encode(new.body, 'escape'), 8);
    end $$;
    create trigger refuse before insert on entries for each row
        when (encode(new.body, 'escape') like 'refuse %') execute function refuse();";

#[tokio::test]
async fn each_code_has_its_meaning() {
    let url = shared().database().await;
    let store = replica(&url).await;
    run(&url, REFUSE).await;
    let made = log("demo");
    create(&*store, &made).await;
    for (code, expected) in [
        ("53100", "full"),
        ("25006", "full"),
        ("42501", "full"),
        ("54000", "full"),
        ("XX001", "damaged"),
        ("XX002", "damaged"),
        ("42P01", "damaged"),
        ("40001", "unavailable"),
        ("40P01", "unavailable"),
        ("53300", "unavailable"),
        ("53200", "unavailable"),
        ("55P03", "unavailable"),
        ("57014", "unavailable"),
        ("57P01", "unavailable"),
        ("57P03", "unavailable"),
        ("58030", "unavailable"),
        ("23514", "unavailable"),
    ] {
        let head = store.find("", "demo").await.unwrap().unwrap();
        let refused = next(&head, 1, format!("refuse {code}").into_bytes());
        let error = store.commit(only(Change::Append(made.id, refused))).await.unwrap_err();
        let (CommitError::Refused(refused), text) = (&error, error.to_string()) else { panic!("{code}: {error:?}") };
        let is = match refused {
            StoreError::Full(_) => "full",
            StoreError::Damaged(_) => "damaged",
            StoreError::Unavailable(_) => "unavailable",
        };
        assert_eq!(is, expected, "{code}");
        assert!(text.contains(code) && text.contains("made up") && !text.contains(PASSWORD), "{text}");
        append(&*store, &made, 1, vec![]).await;
    }
    assert_eq!(all(&*store, made.id).await.len(), 18);
}

#[tokio::test]
async fn a_step_beyond_all_numbers_is_refused() {
    let store = replica(&shared().database().await).await;
    let made = log("demo");
    let far = Change::Create(made.clone(), entry(&made, u64::MAX, u64::MAX, [0; 32], vec![]));
    let answer = store.commit(only(far)).await;
    assert!(matches!(answer, Err(CommitError::Refused(StoreError::Full(_)))), "{answer:?}");
    assert_eq!(store.find("", "demo").await, Ok(None));
}

#[tokio::test]
async fn a_database_that_becomes_read_only() {
    let server = shared();
    let url = server.database().await;
    let store = replica(&url).await;
    let made = log("demo");
    grown(&*store, &made, 2).await;
    let name = url.rsplit('/').next().unwrap().split('?').next().unwrap();
    let ends = format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'");
    server.does(&format!("alter database {name} set default_transaction_read_only = on")).await;
    server.does(&ends).await;
    // Connections that were used just now are not asked whether they live.
    sleep(Duration::from_millis(150)).await;
    let full = store.ready().await;
    assert!(matches!(full, Err(StoreError::Full(_))), "{full:?}");
    let head = store.find("", "demo").await.unwrap().unwrap();
    let append = only(Change::Append(made.id, next(&head, 1, vec![])));
    let answer = store.commit(append.clone()).await;
    assert!(matches!(answer, Err(CommitError::Refused(StoreError::Full(_)))), "{answer:?}");
    server.does(&format!("alter database {name} reset default_transaction_read_only")).await;
    server.does(&ends).await;
    sleep(Duration::from_millis(150)).await;
    store.ready().await.unwrap();
    assert_eq!(store.commit(append).await, Ok(()));
}

#[tokio::test]
async fn no_room_for_another_connection() {
    let server = shared();
    let url = server.database().await;
    let name = url.rsplit('/').next().unwrap().split('?').next().unwrap();
    let role = format!("of_{name}");
    server.does(&format!("create role {role} login password 'guest' connection limit 1")).await;
    server.does(&format!("alter database {name} owner to {role}")).await;
    let url = url.replace("tester:s3cret%2F%40%3A%3F", &format!("{role}:guest"));
    let store = PostgresStore::open(&url, Durability::Power).await.unwrap();
    store.close().await;
    // PostgreSQL takes a moment to see that a connection was closed.
    let store = loop {
        match PostgresStore::open(&url, Durability::Power).await {
            Ok(store) => break store,
            Err(error) => assert!(error.to_string().contains("too many connections"), "{error}"),
        }
    };
    // Another server has the only connection, whoever had it before: the store looks for what was deleted when it opens.
    let frees = format!("select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = '{role}'");
    let mut other = PgConnection::connect(&url).await;
    for _ in 0..500 {
        if other.is_ok() {
            break;
        }
        server.does(&frees).await;
        other = PgConnection::connect(&url).await;
    }
    sleep(Duration::from_millis(150)).await;
    let full =
        |error: &StoreError| matches!(error, StoreError::Unavailable(text) if text.contains("too many connections"));
    let refused = store.list("", None, 9).await.unwrap_err();
    assert!(full(&refused), "{refused:?}");
    let made = log("demo");
    let refused = store.commit(only(Change::Create(made.clone(), first(&made)))).await;
    assert!(matches!(&refused, Err(CommitError::Refused(error)) if full(error)), "{refused:?}");
    other.unwrap().close().await.unwrap();
    while let Err(error) = store.ready().await {
        assert!(full(&error), "{error:?}");
        sleep(Duration::from_millis(20)).await;
    }
    create(&store, &made).await;
}

/// Notes what a connection was set to when it wrote.
const NOTE: &str = "
    create table seen (setting text, value text);
    create function note() returns trigger language plpgsql as $$ begin
        insert into seen select s, current_setting(s) from unnest(array['synchronous_commit', 'statement_timeout',
            'lock_timeout', 'idle_in_transaction_session_timeout', 'application_name', 'transaction_isolation']) s;
        return new;
    end $$;
    create trigger note before insert on entries for each row execute function note();";

#[tokio::test]
async fn a_connection_is_set_up_whatever_the_database_says() {
    for (durability, of_database, expected) in [
        (Durability::Power, "off", "on"),
        (Durability::Power, "local", "local"),
        (Durability::Power, "remote_apply", "remote_apply"),
        (Durability::Process, "on", "off"),
    ] {
        let url = shared().database().await;
        let name = url.rsplit('/').next().unwrap().split('?').next().unwrap();
        shared().does(&format!("alter database {name} set synchronous_commit = {of_database}")).await;
        shared().does(&format!("alter database {name} set default_transaction_isolation = serializable")).await;
        let store = PostgresStore::open(&url, durability).await.unwrap();
        run(&url, NOTE).await;
        create(&store, &log("demo")).await;
        run(
            &url,
            &format!(
                "do $$ begin assert (select string_agg(value, ' ' order by setting) from seen)
                    = 'chainrule 5s 2s 5s {expected} read committed',
                    (select string_agg(value, ' ' order by setting) from seen); end $$"
            ),
        )
        .await;
    }
}
