//! What lies beside the logs: data by its hash, under names and in use; and runs, which one server at a time holds.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chainrule::store::{
    Change, Commit, CommitError, Conflict, DataChange, DataName, LogId, RunChange, RunTerms, Store,
};

use super::made::{append, branch, conflicts, create, delete, fresh, log, only};

type Held = Arc<dyn Store>;

fn name(tenant: &str, name: &str, hash: u8) -> DataName {
    let (tenant, name, note) = (tenant.to_owned(), name.to_owned(), format!("of {hash}"));
    DataName { tenant, name, hash: [hash; 32], at: 1000, note }
}

async fn data(store: &dyn Store, change: DataChange) -> Result<(), CommitError> {
    store.commit(only(Change::Data(change))).await
}

async fn put(store: &dyn Store, of: DataName, bytes: &[u8]) -> Result<(), CommitError> {
    data(store, DataChange::Name(of, bytes.to_vec())).await
}

async fn forget(store: &dyn Store, name: &str) -> Result<(), CommitError> {
    data(store, DataChange::Forget { tenant: String::new(), name: name.to_owned() }).await
}

pub async fn data_is_found_by_its_name_and_by_its_hash(store: Held) {
    assert_eq!(store.find_data("", "points").await, Ok(None));
    assert_eq!(store.data([1; 32]).await, Ok(None));
    conflicts(forget(&*store, "points").await, Conflict::Gone);
    let all_bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    put(&*store, name("", "points", 1), &all_bytes).await.unwrap();
    put(&*store, name("", "points", 1), &all_bytes).await.unwrap();
    conflicts(put(&*store, name("", "points", 2), b"other").await, Conflict::Name);
    assert_eq!(store.data([2; 32]).await, Ok(None), "what was refused leaves nothing");
    put(&*store, name("someone", "points", 3), b"theirs").await.unwrap();
    put(&*store, name("", "again", 1), b"not read: the hash is known").await.unwrap();
    put(&*store, name("", "zeros", 4), &[]).await.unwrap();
    assert_eq!(store.find_data("", "points").await, Ok(Some(name("", "points", 1))));
    assert_eq!(store.data([1; 32]).await, Ok(Some(all_bytes)));
    assert_eq!(store.data([4; 32]).await, Ok(Some(vec![])));
    let (again, points) = (name("", "again", 1), name("", "points", 1));
    assert_eq!(store.list_data("", None, 2).await, Ok(vec![again, points.clone()]));
    assert_eq!(store.list_data("", Some("again"), 10).await, Ok(vec![points, name("", "zeros", 4)]));
    assert_eq!(store.list_data("nobody", None, 10).await, Ok(vec![]));
}

pub async fn data_stays_as_long_as_it_is_named_or_used(store: Held) {
    let (one, other) = (log("one"), log("other"));
    create(&*store, &one).await;
    create(&*store, &other).await;
    put(&*store, name("", "points", 1), b"bytes").await.unwrap();
    put(&*store, name("", "twin", 1), b"bytes").await.unwrap();
    for log in [one.id, one.id, other.id] {
        data(&*store, DataChange::Use(log, [1; 32], b"bytes".to_vec())).await.unwrap();
    }
    data(&*store, DataChange::Use(one.id, [0; 32], b"unnamed".to_vec())).await.unwrap();
    assert_eq!(store.data_of(one.id).await, Ok(vec![[0; 32], [1; 32]]));
    conflicts(data(&*store, DataChange::Use(LogId(fresh()), [9; 32], vec![1])).await, Conflict::Gone);
    assert_eq!(store.data([9; 32]).await, Ok(None));
    forget(&*store, "twin").await.unwrap();
    forget(&*store, "points").await.unwrap();
    conflicts(forget(&*store, "points").await, Conflict::Gone);
    assert_eq!(store.find_data("", "points").await, Ok(None));
    assert_eq!(store.data([1; 32]).await, Ok(Some(b"bytes".to_vec())));
    // A branch keeps what it goes on from, and the data with it.
    let twig = branch(&one, 0, "twig");
    create(&*store, &twig).await;
    delete(&*store, &one).await;
    delete(&*store, &other).await;
    conflicts(data(&*store, DataChange::Use(one.id, [9; 32], vec![1])).await, Conflict::Gone);
    assert_eq!(store.data([1; 32]).await, Ok(Some(b"bytes".to_vec())));
    delete(&*store, &twig).await;
    for hash in [[0; 32], [1; 32]] {
        assert_eq!(store.data(hash).await, Ok(None));
    }
    // A name alone keeps it too, and nothing is left when it goes.
    put(&*store, name("", "points", 1), b"bytes").await.unwrap();
    assert_eq!(store.data([1; 32]).await, Ok(Some(b"bytes".to_vec())));
    forget(&*store, "points").await.unwrap();
    assert_eq!(store.data([1; 32]).await, Ok(None));
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

async fn run(store: &dyn Store, log: LogId, owner: u8, lease: i64, change: RunChange) -> Result<(), CommitError> {
    let terms = RunTerms { log, owner: [owner; 16], now: now(), lease };
    store.commit(Commit { change: Change::Run(terms, change), key: None }).await
}

const LONG: i64 = 60_000;

fn begin(body: &[u8]) -> RunChange {
    RunChange::Begin { body: body.to_vec() }
}

pub async fn one_owner_holds_a_run(store: Held) {
    let made = log("demo");
    conflicts(run(&*store, made.id, 1, LONG, begin(b"lost")).await, Conflict::Gone);
    create(&*store, &made).await;
    let id = made.id;
    let asked = async || store.run(id, now()).await.unwrap();
    assert_eq!(asked().await, None);
    for change in [RunChange::Take, RunChange::Renew, RunChange::LetGo, RunChange::Cancel] {
        conflicts(run(&*store, id, 1, LONG, change).await, Conflict::Head);
    }
    run(&*store, id, 1, LONG, begin(b"plan")).await.unwrap();
    let found = asked().await.unwrap();
    assert_eq!((found.owner, found.held, found.open, found.cancel), ([1; 16], true, true, false));
    assert_eq!((found.log, found.body), (id, b"plan".to_vec()));
    for change in [begin(b"other"), RunChange::Take, RunChange::Renew, RunChange::LetGo] {
        conflicts(run(&*store, id, 2, LONG, change).await, Conflict::Head);
    }
    conflicts(run(&*store, id, 2, LONG, RunChange::End { body: vec![] }).await, Conflict::Head);
    run(&*store, id, 1, LONG, RunChange::Renew).await.unwrap();
    assert_eq!(store.left_runs(now(), 10).await, Ok(vec![]));
    // Steps go on beside it: it holds no log.
    append(&*store, &made, 1, vec![1]).await;

    run(&*store, id, 1, LONG, RunChange::LetGo).await.unwrap();
    let left = store.left_runs(now(), 10).await.unwrap();
    assert_eq!(left.len(), 1);
    assert!(!left[0].held && left[0].open && left[0].owner == [1; 16] && left[0].body == b"plan");
    run(&*store, id, 2, LONG, RunChange::Take).await.unwrap();
    conflicts(run(&*store, id, 1, LONG, RunChange::Renew).await, Conflict::Head);
    conflicts(run(&*store, id, 1, LONG, RunChange::End { body: vec![] }).await, Conflict::Head);
    run(&*store, id, 3, LONG, RunChange::Cancel).await.unwrap();
    let found = asked().await.unwrap();
    assert_eq!((found.owner, found.held, found.open, found.cancel), ([2; 16], true, true, true));
    run(&*store, id, 2, LONG, RunChange::End { body: b"ended".to_vec() }).await.unwrap();
    let found = asked().await.unwrap();
    assert_eq!((found.held, found.open, found.body), (false, false, b"ended".to_vec()));
    conflicts(run(&*store, id, 2, LONG, RunChange::Take).await, Conflict::Head);
    conflicts(run(&*store, id, 2, LONG, RunChange::Cancel).await, Conflict::Head);
    assert_eq!(store.left_runs(now(), 10).await, Ok(vec![]));
    run(&*store, id, 3, LONG, begin(b"next")).await.unwrap();
    assert!(!asked().await.unwrap().cancel);
    delete(&*store, &made).await;
    assert_eq!(asked().await, None);
    assert_eq!(store.left_runs(now() + 2 * LONG, 10).await, Ok(vec![]));
}

pub async fn a_lease_ends_by_itself(store: Held) {
    let made = log("demo");
    create(&*store, &made).await;
    run(&*store, made.id, 1, 1, begin(b"plan")).await.unwrap();
    // It ends after a millisecond; whoever asks asks until it has.
    while store.left_runs(now(), 10).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // A late owner has it still, as long as nobody else has taken it.
    run(&*store, made.id, 1, 1, RunChange::Renew).await.unwrap();
    while run(&*store, made.id, 2, LONG, RunChange::Take).await.is_err() {}
    conflicts(run(&*store, made.id, 1, LONG, RunChange::Renew).await, Conflict::Head);
    assert_eq!(store.run(made.id, now()).await.unwrap().unwrap().body, b"plan");
}

pub async fn a_run_is_won_once(store: Held) {
    let made = log("demo");
    create(&*store, &made).await;
    let began = (1..=16).map(|owner| {
        let (store, id) = (Arc::clone(&store), made.id);
        tokio::spawn(async move { run(&*store, id, owner, LONG, begin(&[owner])).await.is_ok() })
    });
    let mut won = vec![];
    for (owner, began) in (1..).zip(began.collect::<Vec<_>>()) {
        if began.await.unwrap() {
            won.push(owner);
        }
    }
    let found = store.run(made.id, now()).await.unwrap().unwrap();
    assert_eq!(won.len(), 1, "{won:?}");
    assert_eq!((found.owner, found.body), ([won[0]; 16], vec![won[0]]));
}
