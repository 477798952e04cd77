//! Sessions that another version of the arithmetic computed: their past is neither changed nor computed again, and they
//! go on from where they stood.
//!
//! The other version is made of this one: a session learns with a rate of 0.6, and its log is then written down as one
//! of version 0 whose rate is 0.5, so that computing it again leads elsewhere, as another arithmetic would.

use std::process::Command;
use std::sync::Arc;

use axum::Router;
use chainrule::engine::ARITHMETIC;
use chainrule::http::App;
use chainrule::limits::Limits;
use chainrule::session::ThisMachine;
use chainrule::store::{Change, Commit, DataChange, Durability, Entry, Log, MemoryStore, SqliteStore, Store};
use ciborium::Value as Cbor;
use rstest::rstest;
use serde_json::{Value, json};

use crate::api::Api;
use crate::command_line::{BINARY, Server, run, text};

const SESSION: &str = "/v1/sessions/old";
const EVERYTHING: u64 = u64::MAX >> 1;

async fn over(store: &Arc<dyn Store>) -> Api {
    // Nothing is held ready: whatever is answered comes from the log.
    let limits = Limits { live_bytes: 0, ..Limits::default() };
    Api::of(App::over(limits, Arc::clone(store), Arc::new(ThisMachine)), Router::new()).await
}

fn network(rate: f64) -> String {
    json!({"network": {"inputs": 2, "layers": [{"kind": "dense", "units": 3, "activation": "tanh"}, {"kind": "dense", "units": 1}]},
        "optimizer": {"kind": "sgd", "learning_rate": rate, "momentum": 0.9}})
    .to_string()
}

/// Writes 0.5 where 0.6 stands, and another version of the arithmetic.
fn rewrite(value: &mut Cbor, version: u32) {
    match value {
        Cbor::Float(rate) if *rate == 0.6 => *rate = 0.5,
        Cbor::Array(items) => items.iter_mut().for_each(|item| rewrite(item, version)),
        Cbor::Map(fields) => {
            for (name, value) in fields {
                if name.as_text() == Some("arithmetic") {
                    *value = Cbor::Integer(version.into());
                }
                rewrite(value, version);
            }
        }
        _ => {}
    }
}

/// The entry as another version of the program would have written it, upon the one before.
fn of_version(mut entry: Entry, version: u32, log: &Log, before: [u8; 32]) -> Entry {
    if entry.head.step == 0 {
        let mut body: Cbor = ciborium::from_reader(entry.body.as_slice()).unwrap();
        rewrite(&mut body, version);
        entry.body.clear();
        ciborium::into_writer(&body, &mut entry.body).unwrap();
    }
    let mut note: Value = serde_json::from_str(&entry.head.note).unwrap();
    note["arithmetic"] = json!(version);
    entry.head.note = note.to_string();
    entry.head.before = before;
    entry.sealed(&log.tenant, log.id)
}

/// A session of six steps, a training run of ten among them, and how it stands, in a store where another version has
/// written it; with a snapshot at its end or without.
async fn written_by(version: u32, rate: f64, snapshot: bool) -> (Arc<dyn Store>, Value) {
    let here: Arc<dyn Store> = Arc::new(MemoryStore::new(1 << 20));
    let api = over(&here).await;
    api.put(SESSION, network(rate)).await.expect(201);
    for _ in 0..4 {
        step(&api).await;
    }
    let run = json!({"inputs": [[1, 0], [0, 1], [1, 1]], "targets": [[1], [1], [0]], "steps": 10, "batch_size": 2});
    api.post(&format!("{SESSION}/train"), run.to_string()).await.expect(200);
    step(&api).await;
    let stands = api.get(&format!("{SESSION}/weights")).await.expect(200);
    let head = here.find("", "old").await.unwrap().unwrap();
    let there: Arc<dyn Store> = Arc::new(MemoryStore::new(1 << 20));
    let mut before = [0; 32];
    for entry in here.entries(head.log.id, 0, EVERYTHING, usize::MAX).await.unwrap() {
        let entry = of_version(entry, version, &head.log, before);
        before = entry.head.hash;
        let change = match entry.head.step {
            0 => Change::Create(head.log.clone(), entry),
            _ => Change::Append(head.log.id, entry),
        };
        there.commit(Commit { change, key: None }).await.unwrap();
    }
    for hash in here.data_of(head.log.id).await.unwrap() {
        let data = here.data(hash).await.unwrap().unwrap();
        let change = Change::Data(DataChange::Use(head.log.id, hash, data));
        there.commit(Commit { change, key: None }).await.unwrap();
    }
    if snapshot {
        api.app.registry.keep_snapshots(&mut |_| ()).await.unwrap();
        let (step, bytes) = here.snapshot(head.log.id, 15).await.unwrap().unwrap();
        assert_eq!(step, 15);
        there.keep_snapshot(head.log.id, step, bytes).await.unwrap();
    }
    (there, stands)
}

async fn step(api: &Api) -> Value {
    let batch = json!({"inputs": [[0.5, -0.25], [0.75, 0.125]], "targets": [[1], [0]]});
    let mut trace = api.post(&format!("{SESSION}/step"), batch.to_string()).await.expect(200);
    let fields = trace.as_object_mut().unwrap();
    assert!(fields.remove("session").is_some() && fields.remove("step").is_some());
    trace
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_goes_on_from_where_an_older_version_left_it() {
    let (store, stood) = written_by(0, 0.6, true).await;
    // Two servers look at it at once, and one of them seals it.
    let (api, other) = (over(&store).await, over(&store).await);
    let (first, second) = tokio::join!(api.get(SESSION), other.get(SESSION));
    let (first, second) = (first.expect(200), second.expect(200));
    assert_eq!((&first["step"], &first), (&json!(16), &second));
    let weights = api.get(&format!("{SESSION}/weights")).await.expect(200);
    assert_eq!((&weights["layers"], &weights["state"]), (&stood["layers"], &stood["state"]));

    // The past: told, and not computed again.
    let steps = api.get(&format!("{SESSION}/steps")).await.expect(200);
    let told: Vec<(u64, &str)> = steps["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["step"].as_u64().unwrap(), step["kind"].as_str().unwrap()))
        .collect();
    let past =
        [(0, "create"), (1, "step"), (2, "step"), (3, "step"), (4, "step"), (14, "train"), (15, "step"), (16, "seal")];
    assert_eq!(told, past);
    for step in [0, 1, 4, 7, 15] {
        let refused = api.get(&format!("{SESSION}/steps/{step}")).await.problem(410, "step_sealed");
        assert!(refused["detail"].as_str().unwrap().contains("version 0 of the arithmetic"), "{refused}");
        api.post(&format!("{SESSION}/rewind"), json!({"to": step}).to_string()).await.problem(410, "step_sealed");
        let fork = json!({"name": "branch", "at": step}).to_string();
        api.post(&format!("{SESSION}/fork"), fork).await.problem(410, "step_sealed");
    }
    api.get(&format!("{SESSION}/diff?at=3")).await.problem(410, "step_sealed");

    // The future: what a session of the rate 0.5 makes of that state, momentum included.
    let seal = api.get(&format!("{SESSION}/steps/16")).await.expect(200);
    assert_eq!((&seal["step"], &seal["state"]), (&json!(16), &stood["state"]));
    let after = step(&api).await;
    let momentum = |trace: &Value, when: &str| {
        trace.pointer(&format!("/update/layers/0/parameters/weights/state/{when}")).cloned()
    };
    assert_eq!(after["update"]["optimizer"]["learning_rate"], json!(0.5));
    assert!(momentum(&after, "before").is_some_and(|before| before.to_string().contains("0.")), "{after}");
    assert_eq!(after["forward"]["layers"][0]["parameters"], stood["layers"][0]["parameters"]);
    let recalled = over(&store).await.get(&format!("{SESSION}/steps/17")).await.expect(200);
    assert_eq!((&recalled["update"], &recalled["step"]), (&after["update"], &json!(17)));
    // Going back to the seal and branching off from it are as anywhere else; the branch has the same past.
    api.post(&format!("{SESSION}/rewind"), r#"{"to": 16}"#).await.expect(200);
    assert_eq!(step(&api).await, after);
    api.post(&format!("{SESSION}/fork"), r#"{"name": "branch", "at": 17}"#).await.expect(201);
    api.get("/v1/sessions/branch/steps/17").await.expect(200);
    api.get("/v1/sessions/branch/steps/15").await.problem(410, "step_sealed");
}

/// A change of the arithmetic that does not concern a session: it is computed again, comes to the same state, and goes
/// on without a snapshot.
#[tokio::test]
async fn where_both_versions_agree_no_snapshot_is_needed() {
    let (store, stood) = written_by(0, 0.5, false).await;
    let api = over(&store).await;
    assert_eq!(api.get(SESSION).await.expect(200)["step"], json!(16));
    assert_eq!(api.get(&format!("{SESSION}/weights")).await.expect(200)["layers"], stood["layers"]);
    api.get(&format!("{SESSION}/steps/15")).await.problem(410, "step_sealed");
    step(&api).await;
}

/// Nothing is written to a session that this version cannot go on with, and nothing of it is shown.
#[rstest]
#[case::no_state_is_kept(0, 0.6, false, "run chainrule snapshot of the older program")]
#[case::a_newer_version(ARITHMETIC + 1, 0.5, true, "with the newer program")]
#[tokio::test]
async fn what_cannot_go_on_is_left_as_it_is(
    #[case] version: u32,
    #[case] rate: f64,
    #[case] snapshot: bool,
    #[case] remedy: &str,
) {
    let (store, _) = written_by(version, rate, snapshot).await;
    let log = store.find("", "old").await.unwrap().unwrap().log.id;
    let before = store.entries(log, 0, EVERYTHING, usize::MAX).await.unwrap();
    let api = over(&store).await;
    for path in ["", "/weights", "/steps", "/steps/3"] {
        let refused = api.get(&format!("{SESSION}{path}")).await.problem(501, "other_arithmetic");
        assert!(refused["detail"].as_str().unwrap().contains(remedy), "{refused}");
    }
    api.post(&format!("{SESSION}/step"), r#"{"inputs": [1, 1], "targets": [1]}"#)
        .await
        .problem(501, "other_arithmetic");
    api.put("/v1/sessions/new", network(0.5)).await.expect(201);
    assert_eq!(store.entries(log, 0, EVERYTHING, usize::MAX).await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_keeps_a_snapshot_of_every_session() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chainrule.db");
    let place = format!("sqlite:{}", file.display());
    let server =
        Server::start(Command::new(BINARY).args(["--listen", "127.0.0.1:0", "--store", &place, "--log", "off"]));
    let client = reqwest::Client::new();
    for (name, steps) in [("one", 1), ("three", 3)] {
        let url = format!("http://{}/v1/sessions/{name}", server.address);
        let preset = json!({"preset": "worked-example"});
        client.put(&url).json(&preset).send().await.unwrap().error_for_status().unwrap();
        for _ in 0..steps {
            client.post(format!("{url}/step")).json(&json!({})).send().await.unwrap().error_for_status().unwrap();
        }
    }
    server.kill();
    let done = run(&["snapshot", "--store", &place]);
    let said = text(&done.stdout);
    assert!(done.status.success() && said.starts_with("2 sessions"), "{said}{}", text(&done.stderr));
    let store = SqliteStore::open(&file, Durability::Power).await.unwrap();
    for (name, last) in [("one", 1), ("three", 3)] {
        let log = store.find("", name).await.unwrap().unwrap().log.id;
        assert_eq!(store.snapshot(log, EVERYTHING).await.unwrap().unwrap().0, last);
    }
    let refused = run(&["snapshot", "--store", "memory"]);
    assert!(!refused.status.success() && text(&refused.stderr).contains("gone when its server stops"));
}
