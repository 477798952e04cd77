//! A database's files as whoever runs a server meets them: one server whatever the file is called, a log that was cut,
//! a row that is gone.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};

use crate::command_line::Server;
use crate::transfer::{ask, command, serving};

/// A session with so many steps.
fn made(server: &Server, name: &str, steps: usize) {
    ask(server, "PUT", &format!("/v1/sessions/{name}"), &json!({"preset": "worked-example"}));
    for _ in 0..steps {
        ask(server, "POST", &format!("/v1/sessions/{name}/step"), &json!({}));
    }
}

fn step_of(server: &Server, name: &str) -> Value {
    let shown = ask(server, "GET", &format!("/v1/sessions/{name}"), &Value::Null);
    serde_json::from_slice::<Value>(&shown).unwrap()["step"].clone()
}

#[test]
fn a_file_has_one_server_whatever_it_is_called() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let store = |name: &str| format!("sqlite:{}", at(name));
    let server = serving(&store("one.db"));
    made(&server, "demo", 3);
    fs::hard_link(at("one.db"), at("two.db")).unwrap();
    fs::remove_file(at("one.db.lock")).unwrap();
    for name in ["one.db", "two.db"] {
        for arguments in
            [vec!["--listen", "127.0.0.1:0", "--store", &store(name)], vec!["snapshot", "--store", &store(name)]]
        {
            let (done, said) = command(&arguments);
            assert!(!done && said.contains("another chainrule server has this database open"), "{said}");
            assert!(said.contains(name) && said.contains("stop that one") && !said.contains(".lock"), "{said}");
        }
    }
    // Who was refused took nothing from the one that has it.
    made(&server, "other", 2);
    let (done, said) = command(&["export", &at("sessions.chainrule"), "--store", &store("one.db")]);
    assert!(done && said.starts_with("2 sessions, 7 new log entries"), "{said}");
    fs::remove_file(at("two.db")).unwrap();
    server.kill();
    let server = serving(&store("one.db"));
    assert_eq!((step_of(&server, "demo"), step_of(&server, "other")), (json!(3), json!(2)));
    drop(server);
    let (done, said) = command(&["import", &at("sessions.chainrule"), "--store", &store("one.db")]);
    assert!(done && said.starts_with("2 sessions, 0 new log entries"), "{said}");
    let (done, said) = command(&["snapshot", "--store", &store("one.db")]);
    assert!(done && said.starts_with("2 sessions with a snapshot"), "{said}");
}

/// What a server says at its start of a log that has so many bytes fewer than it was left with.
fn started_without(folder: &Path, bytes: impl Fn(u64) -> u64) -> (u64, String) {
    let at = folder.join("chainrule.db");
    let store = format!("sqlite:{}", at.display());
    let server = serving(&store);
    made(&server, "demo", 12);
    server.kill();
    let log = folder.join("chainrule.db-wal");
    let size = fs::metadata(&log).unwrap().len();
    fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(size - bytes(size)).unwrap();
    let server = serving(&store);
    let last = serde_json::from_slice::<Value>(&ask(&server, "GET", "/v1/sessions", &Value::Null)).unwrap();
    let steps = last["sessions"][0]["step"].as_u64().unwrap_or_default();
    (steps, server.said())
}

#[test]
fn a_torn_end_of_the_log_is_told_at_the_start() {
    let (one, two, three) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (steps, said) = started_without(one.path(), |_| 0);
    assert!(steps == 12 && !said.contains("torn"), "{said}");

    let (steps, said) = started_without(two.path(), |_| 100);
    let told = said.lines().find(|line| line.contains("WARN") && line.contains("torn")).expect(&said);
    let bytes: u64 = told.split("its last ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    // A frame of the log is a page and 24 bytes.
    assert!(steps == 11 && bytes % 4120 == 4020 && told.contains("chainrule.db-wal"), "{steps}: {said}");

    let (steps, said) = started_without(three.path(), |size| size - 10);
    assert!(steps == 0 && said.contains("its last 10 bytes"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_entry_is_gone_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("chainrule.db").display());
    let server = serving(&store);
    made(&server, "demo", 8);
    server.kill();
    // Opened and closed by a server, so that all is in the one file.
    assert!(command(&["snapshot", "--store", &store]).0);
    let mut database = SqliteConnection::connect(&store).await.unwrap();
    let gone = sqlx::query("delete from entries where step = 5").execute(&mut database).await.unwrap();
    assert_eq!(gone.rows_affected(), 1);
    database.close().await.unwrap();
    let server = serving(&store);
    let url = |query: &str| format!("http://{}/v1/sessions/demo/steps{query}", server.address);
    let client = reqwest::Client::new();
    for query in ["", "?after=4", "?limit=6"] {
        let answer = client.get(url(query)).send().await.unwrap();
        assert_eq!(answer.status(), 500, "{query}");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["code"], "session_damaged");
        assert!(problem["detail"].as_str().unwrap().contains("step 5: its entry is missing"), "{problem}");
    }
    for (query, steps) in [("?limit=4", vec![0, 1, 2, 3]), ("?after=5", vec![6, 7, 8])] {
        let page: Value = client.get(url(query)).send().await.unwrap().json().await.unwrap();
        let found: Vec<u64> =
            page["steps"].as_array().unwrap().iter().map(|step| step["step"].as_u64().unwrap()).collect();
        assert_eq!(found, steps, "{query}");
    }
}
