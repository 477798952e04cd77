//! Sessions in and out of a portable file, by the command: from SQLite to PostgreSQL and back, the same bytes.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};

use crate::command_line::{BINARY, Server, run, text};
use crate::store::postgres::server::shared;

/// A server on a store.
pub fn serving(store: &str) -> Server {
    Server::start(Command::new(BINARY).args(["--listen", "127.0.0.1:0", "--store", store, "--log", "warn"]))
}

/// What curl is answered; a refusal fails the test.
pub fn ask(server: &Server, method: &str, path: &str, body: &Value) -> Vec<u8> {
    let url = format!("http://{}{path}", server.address);
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--fail-with-body", "-X", method, &url]);
    if !body.is_null() {
        curl.args(["-H", "content-type: application/json", "-d", &body.to_string()]);
    }
    let done = curl.output().unwrap();
    assert!(done.status.success(), "{method} {path}: {} {}", text(&done.stdout), text(&done.stderr));
    done.stdout
}

/// Everything that a server shows of its sessions: the listing, every history and every step of it.
fn all(server: &Server) -> Vec<(String, Vec<u8>)> {
    let mut all = vec![];
    let mut look = |path: String| {
        let bytes = ask(server, "GET", &path, &Value::Null);
        all.push((path, bytes.clone()));
        serde_json::from_slice::<Value>(&bytes).unwrap()
    };
    let sessions = look("/v1/sessions".into());
    for session in sessions["sessions"].as_array().unwrap() {
        let name = session["name"].as_str().unwrap();
        let last = look(format!("/v1/sessions/{name}"))["step"].as_u64().unwrap();
        look(format!("/v1/sessions/{name}/steps?limit=1000"));
        look(format!("/v1/sessions/{name}/weights"));
        for step in 0..=last {
            look(format!("/v1/sessions/{name}/steps/{step}"));
        }
    }
    all
}

/// Runs the command; answers whether it succeeded and all that it said.
pub fn command(arguments: &[&str]) -> (bool, String) {
    let done = run(arguments);
    (done.status.success(), text(&done.stdout) + &text(&done.stderr))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Three sessions of two networks, one of which branches off from another that was deleted, and whose name is another
/// session's now; one went back.
fn furnish(server: &Server) {
    let wide = json!({
        "network": {"inputs": 5, "layers": [{"kind": "dense", "units": 4, "activation": "tanh"}, {"kind": "batch_norm"},
            {"kind": "dropout", "rate": 0.25}, {"kind": "dense", "units": 3, "activation": "softmax"}]},
        "loss": "cross_entropy", "optimizer": {"kind": "adam", "learning_rate": 0.05}, "seed": 7
    });
    let batch: Vec<Vec<f64>> = (0..7).map(|row| (0..5).map(|unit| f64::from(row * unit) / 9.0).collect()).collect();
    let wanted: Vec<[u8; 3]> =
        (0..7).map(|row| [u8::from(row % 3 == 0), u8::from(row % 3 == 1), u8::from(row % 3 == 2)]).collect();
    let data = json!({"inputs": batch, "targets": wanted});
    ask(server, "PUT", "/v1/sessions/wide", &wide);
    for _ in 0..5 {
        ask(server, "POST", "/v1/sessions/wide/step", &data);
    }
    ask(server, "POST", "/v1/sessions/wide/fork", &json!({"name": "branch", "at": 3}));
    ask(server, "POST", "/v1/sessions/branch/step", &data);
    ask(server, "POST", "/v1/sessions/branch/fork", &json!({"name": "twig", "at": 2}));
    ask(server, "POST", "/v1/sessions/twig/step", &data);
    ask(server, "POST", "/v1/sessions/twig/rewind", &json!({"to": 1}));
    ask(server, "DELETE", "/v1/sessions/wide", &Value::Null);
    ask(server, "PUT", "/v1/sessions/wide", &json!({"preset": "worked-example"}));
    ask(server, "POST", "/v1/sessions/wide/step", &Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_move_between_stores_with_their_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let first_store = format!("sqlite:{}", at("first.db"));
    let first = serving(&first_store);
    furnish(&first);
    let shown = all(&first);
    assert!(shown.len() > 20, "{}", shown.len());

    // While the server has the store.
    let (done, said) = command(&["export", &at("sessions.chainrule"), "--store", &first_store]);
    assert!(done && said.starts_with("3 sessions, 1"), "{said}");
    let beside: Vec<String> = names(folder.path()).into_iter().filter(|name| name.starts_with("sessions")).collect();
    assert_eq!(beside, ["sessions.chainrule"], "one file is all");

    let url = shared().database().await;
    let second_store = format!("sqlite:{}", at("second.db"));
    for store in [&*url, &*second_store] {
        let (done, said) = command(&["import", &at("sessions.chainrule"), "--store", store]);
        assert!(done && said.contains("3 sessions"), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
        let (done, said) = command(&["import", &at("sessions.chainrule"), "--store", store]);
        assert!(done && said.starts_with("3 sessions, 0 new log entries"), "{said}");
        assert_eq!(all(&serving(store)), shown, "the same bytes in {store}");
    }
    // The file is a store too, and PostgreSQL gives what it got.
    let (done, said) = command(&["export", &at("again.chainrule"), "--store", &url]);
    assert!(done, "{said}");
    assert_eq!(all(&serving(&format!("sqlite:{}", at("again.chainrule")))), shown);

    // What went on is gone on from.
    ask(&first, "POST", "/v1/sessions/wide/step", &Value::Null);
    let shown = all(&first);
    let (done, said) = command(&["export", &at("later.chainrule"), "--store", &first_store]);
    assert!(done, "{said}");
    let (done, said) = command(&["import", &at("later.chainrule"), "--store", &url]);
    assert!(done && said.starts_with("3 sessions, 1 new log entry"), "{said}");
    assert_eq!(all(&serving(&url)), shown);
    // What is older takes nothing back.
    let (done, said) = command(&["import", &at("sessions.chainrule"), "--store", &url]);
    assert!(done && said.starts_with("3 sessions, 0 new"), "{said}");
    assert_eq!(all(&serving(&url)), shown);

    // What went another way is refused, and nothing else is written either.
    let second = serving(&second_store);
    ask(&second, "POST", "/v1/sessions/wide/step", &json!({"inputs": [[0.3, 0.4]], "targets": [[1.0]]}));
    ask(&second, "DELETE", "/v1/sessions/twig", &Value::Null);
    let shown = all(&second);
    drop(second);
    let (done, said) = command(&["import", &at("later.chainrule"), "--store", &second_store]);
    assert!(!done && said.contains("session wide went another way there from step 2 on"), "{said}");
    assert_eq!(all(&serving(&second_store)), shown);
    // The one that is no trouble comes alone.
    let one = ["import", &at("later.chainrule"), "--store", &second_store, "--session", "twig"];
    let (done, said) = command(&one);
    assert!(done && said.starts_with("1 session, "), "{said}");
}

#[test]
fn what_cannot_be_moved_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let store = format!("sqlite:{}", at("first.db"));
    let server = serving(&store);
    furnish(&server);
    for (arguments, reason) in [
        (vec!["export", "FILE", "--store", "memory"], "gone when its server stops"),
        (vec!["import", "FIRST", "--store", "memory"], "gone when its server stops"),
        (vec!["export", "FIRST", "--store", "STORE"], "is there already"),
        (vec!["export", "FILE", "--store", "STORE", "--session", "nobody"], "there is no session nobody"),
        (vec!["export", "FILE", "--store", "sqlite:absent.db"], "there is no database yet"),
        (vec!["import", "FILE", "--store", "OTHER"], "there is no database yet"),
        (vec!["import", "FIRST", "--store", "STORE"], "first.db"),
    ] {
        let arguments: Vec<String> = arguments
            .into_iter()
            .map(|part| match part {
                "FILE" => at("file"),
                "FIRST" => at("first.db"),
                "STORE" => store.clone(),
                "OTHER" => format!("sqlite:{}", at("other.db")),
                part => part.to_owned(),
            })
            .collect();
        let parts: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (done, said) = command(&parts);
        assert!(!done && said.contains(reason), "{arguments:?}: {said}");
    }
    fs::write(at("first.db.empty"), "").unwrap();
    for file in ["absent.db", "first.db.empty"] {
        let (done, said) = command(&["snapshot", "--store", &format!("sqlite:{}", at(file))]);
        assert!(!done && said.contains("there is no database yet") && said.contains(file), "{said}");
    }
    let mut left = names(folder.path());
    left.retain(|name| !name.starts_with("first.db"));
    assert_eq!(left, Vec::<String>::new(), "nothing is left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_stays_behind_and_the_rest_comes() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let store = format!("sqlite:{}", at("first.db"));
    let server = serving(&store);
    furnish(&server);
    ask(&server, "PUT", "/v1/sessions/sound", &json!({"preset": "worked-example"}));
    server.signal("-TERM");
    drop(server);
    let mut database = SqliteConnection::connect(&store).await.unwrap();
    // The deleted session's second step, which two others share.
    let change = "update entries set body = cast(body || x'00' as blob) where step = 2 and log = (select id from logs where named = 0 and origin is null)";
    assert_eq!(sqlx::query(change).execute(&mut database).await.unwrap().rows_affected(), 1);
    database.close().await.unwrap();
    let (done, said) = command(&["export", &at("file"), "--store", &store]);
    assert!(!done, "{said}");
    for line in ["2 sessions, 3 new", "session branch was left out", "session twig was left out"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let moved = serving(&format!("sqlite:{}", at("file")));
    let listing: Value = serde_json::from_slice(&ask(&moved, "GET", "/v1/sessions", &Value::Null)).unwrap();
    let names: Vec<&str> =
        listing["sessions"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["sound", "wide"]);
}
