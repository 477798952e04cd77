//! Training runs over several servers on one PostgreSQL: whichever server dies, another one takes the run up and brings
//! it to the end that it would have come to; every server tells the same of it.

use std::process::Command;
use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::command_line::{BINARY, Server};
use crate::raw::PATIENCE;
use crate::store::postgres::server::shared;

fn started(store: &str) -> Server {
    Server::start(Command::new(BINARY).args(["--listen", "127.0.0.1:0", "--store", store, "--log", "off"]))
}

struct Asker(Client);

impl Asker {
    fn new() -> Self {
        Self(Client::builder().no_proxy().timeout(PATIENCE).build().unwrap())
    }

    async fn ask(&self, server: &Server, method: &str, path: &str, body: &Value) -> (StatusCode, Value) {
        let url = format!("http://{}/v1/sessions/{path}", server.address);
        let mut request = self.0.request(method.parse().unwrap(), url).header("prefer", "respond-async");
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}")))
    }

    async fn read(&self, server: &Server, path: &str) -> Value {
        let (status, value) = self.ask(server, "GET", path, &Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{path}: {value}");
        value
    }

    /// Asks until the run stands so.
    async fn until(&self, server: &Server, session: &str, stands: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let view = self.read(server, &format!("{session}/train")).await;
            if stands(&view) {
                return view;
            }
            assert!(Instant::now() < end, "{view}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn network() -> Value {
    json!({
        "network": {"inputs": 64, "layers": [
            {"kind": "dense", "units": 32, "activation": "relu"},
            {"kind": "dense", "units": 10, "activation": "softmax"},
        ]},
        "loss": "cross_entropy", "optimizer": {"kind": "adam"},
    })
}

fn run(steps: u64) -> Value {
    json!({"dataset": "digits", "standardize": true, "steps": steps, "batch_size": 16, "seed": 7, "evaluate_every": 1000})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_outlives_its_server_and_is_the_same_on_all() {
    let url = shared().database().await;
    let asker = Asker::new();
    let alone = started("memory");
    let steps = 30_000;
    assert_eq!(asker.ask(&alone, "PUT", "demo", &network()).await.0, StatusCode::CREATED);
    assert_eq!(asker.ask(&alone, "POST", "demo/train", &run(steps)).await.0, StatusCode::ACCEPTED);
    let expected = asker.until(&alone, "demo", |view| view["state"] == "done").await;

    let (first, second) = (started(&url), started(&url));
    assert_eq!(asker.ask(&first, "PUT", "demo", &network()).await.0, StatusCode::CREATED);
    assert_eq!(asker.ask(&first, "POST", "demo/train", &run(steps)).await.0, StatusCode::ACCEPTED);
    // The other one knows of it, sees it go on, and changes nothing meanwhile.
    let seen = asker.until(&second, "demo", |view| view["step"].as_u64().unwrap() > 0).await;
    assert_eq!(seen["state"], "running");
    let (status, refused) = asker.ask(&second, "POST", "demo/rewind", &json!({"to": 0})).await;
    assert_eq!((status, &refused["code"]), (StatusCode::CONFLICT, &json!("training")), "{refused}");
    let before = asker.read(&second, "demo").await["step"].as_u64().unwrap();
    assert!(before < steps, "the run is over before its server is killed");
    first.kill();
    let third = started(&url);
    let end = asker.until(&third, "demo", |view| view["state"] == "done").await;
    assert_eq!(end, expected);
    for server in [&second, &third] {
        assert_eq!(asker.read(server, "demo/train").await, expected);
        assert_eq!(asker.read(server, "demo").await["state"], asker.read(&alone, "demo").await["state"]);
    }
    for step in [1, before.max(1), steps / 2, steps] {
        let path = format!("demo/steps/{step}");
        assert_eq!(asker.read(&second, &path).await, asker.read(&alone, &path).await, "step {step}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_ended_through_whichever_server() {
    let url = shared().database().await;
    let asker = Asker::new();
    let (first, second) = (started(&url), started(&url));
    assert_eq!(asker.ask(&first, "PUT", "demo", &network()).await.0, StatusCode::CREATED);
    assert_eq!(asker.ask(&first, "POST", "demo/train", &run(1_000_000_000)).await.0, StatusCode::ACCEPTED);
    asker.until(&second, "demo", |view| view["step"].as_u64().unwrap() > 0).await;
    let (status, _) = asker.ask(&second, "DELETE", "demo/train", &Value::Null).await;
    assert!([StatusCode::OK, StatusCode::ACCEPTED].contains(&status), "{status}");
    let ended = asker.until(&second, "demo", |view| view["state"] == "cancelled").await;
    assert_eq!(asker.read(&first, "demo/train").await, ended);
    let step = json!({"inputs": vec![vec![0.0; 64]], "targets": [[1, 0, 0, 0, 0, 0, 0, 0, 0, 0]]});
    let (status, stepped) = asker.ask(&second, "POST", "demo/step", &step).await;
    assert_eq!((status, &stepped["step"]), (StatusCode::OK, &json!(ended["step"].as_u64().unwrap() + 1)));

    // A run that nobody is at work on is ended too.
    assert_eq!(asker.ask(&first, "POST", "demo/train", &run(1_000_000_000)).await.0, StatusCode::ACCEPTED);
    asker.until(&second, "demo", |view| view["step"].as_u64() > stepped["step"].as_u64()).await;
    first.kill();
    asker.ask(&second, "DELETE", "demo/train", &Value::Null).await;
    asker.until(&second, "demo", |view| view["state"] == "cancelled").await;
}
