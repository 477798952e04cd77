//! Requests at the same time: on one session one total order, on different sessions side by side. What is at work is
//! asked of the server's own turns, so that nothing here depends on how long anything takes.

use std::collections::BTreeMap;

use chainrule::limits::Limits;
use chainrule::session::Work;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::task::{JoinHandle, JoinSet};

use crate::api::{Answer, Api};
use crate::raw::{PATIENCE, Raw};
use crate::sessions::deep;

/// A batch that no other request sends, to tell by the trace whose step it was.
fn marked(number: usize) -> String {
    let inputs: Vec<f64> = (0..40).map(|i| f64::from(i) / 40.0).collect();
    let mut targets = vec![0.0; 10];
    targets[number % 10] = 1.0 / (number + 1) as f64;
    json!({"inputs": inputs, "targets": targets}).to_string()
}

#[rstest]
#[case::short_steps(Limits::default())]
#[case::long_steps(Limits { inline_multiply_adds: 0, inline_answer_bytes: 0, ..Limits::default() })]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn steps_on_one_session_are_one_total_order(#[case] limits: Limits) {
    const CLIENTS: usize = 8;
    const STEPS: usize = 25;
    let api = Api::with(limits).await;
    api.put("/v1/sessions/demo", deep().to_string()).await.expect(201);
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let api = api.clone();
        clients.spawn(async move {
            let mut traces = Vec::new();
            for step in 0..STEPS {
                let mark = client * STEPS + step;
                let trace = api.post("/v1/sessions/demo/step", marked(mark)).await.expect(200);
                assert_eq!(trace["loss"]["targets"][0][mark % 10], 1.0 / (mark + 1) as f64, "the own trace");
                api.post("/v1/sessions/demo/forward", marked(mark)).await.expect(200);
                traces.push(trace);
            }
            traces
        });
    }
    let traces: Vec<Value> = clients.join_all().await.concat();
    let by_step: BTreeMap<u64, &Value> = traces.iter().map(|trace| (trace["step"].as_u64().unwrap(), trace)).collect();
    let dense: Vec<u64> = (1..=(CLIENTS * STEPS) as u64).collect();
    assert_eq!(by_step.keys().copied().collect::<Vec<_>>(), dense, "each number once and none left out");
    for step in 1..CLIENTS * STEPS {
        let after = &by_step[&(step as u64)]["update"]["layers"];
        let before = &by_step[&(step as u64 + 1)]["forward"]["layers"];
        for layer in 0..3 {
            let weights = &after[2 - layer]["parameters"]["weights"]["after"];
            assert_eq!(weights, &before[layer]["parameters"]["weights"], "step {} continues step {step}", step + 1);
        }
    }
}

/// Seconds of work, in a network that says so in a few words and a batch of a few kilobytes: reading it takes no time.
fn heavy() -> (String, String) {
    let layers =
        json!([{"kind": "dense", "units": 1200}, {"kind": "dense", "units": 1200}, {"kind": "dense", "units": 1}]);
    let network = json!({"network": {"inputs": 1, "layers": layers}}).to_string();
    (network, json!({"inputs": vec![[0.5]; 400], "targets": vec![[0.5]; 400]}).to_string())
}

fn begin_heavy_step(api: &Api, session: &str) -> JoinHandle<Answer> {
    let (api, path) = (api.clone(), format!("/v1/sessions/{session}/step?trace=none"));
    tokio::spawn(async move { api.post(&path, heavy().1).await })
}

fn passes_at_work(api: &Api) -> usize {
    api.app.registry.compute().at_work(Work::Pass)
}

/// Waits until a condition holds that other tasks bring about.
async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("it never came to this: {what}"));
}

/// One async thread: a computation on it would keep everybody else waiting.
#[tokio::test(flavor = "current_thread")]
async fn a_long_computation_leaves_the_async_threads_free() {
    let api = Api::start().await;
    api.put("/v1/sessions/heavy", heavy().0).await.expect(201);
    api.put("/v1/sessions/light", r#"{"preset": "worked-example"}"#).await.expect(201);
    let long = begin_heavy_step(&api, "heavy");
    eventually("the long pass is at work", async || passes_at_work(&api) == 1).await;
    let mut answered_meanwhile = 0;
    loop {
        api.post("/v1/sessions/light/step", "{}").await.expect(200);
        if passes_at_work(&api) == 0 {
            break;
        }
        answered_meanwhile += 1;
    }
    long.await.unwrap().expect(200);
    assert!(answered_meanwhile > 0, "{answered_meanwhile} requests were answered during the long one");
}

#[tokio::test(flavor = "current_thread")]
async fn a_session_can_be_read_while_it_steps() {
    let api = Api::start().await;
    let created = api.put("/v1/sessions/heavy", heavy().0).await.expect(201);
    let long = begin_heavy_step(&api, "heavy");
    eventually("the long pass is at work", async || passes_at_work(&api) == 1).await;
    let mut read_meanwhile = 0;
    loop {
        let read = api.get("/v1/sessions/heavy").await.expect(200);
        if passes_at_work(&api) == 0 {
            break;
        }
        assert_eq!(read, created, "the state before the step");
        read_meanwhile += 1;
    }
    long.await.unwrap().expect(200);
    assert!(read_meanwhile > 0, "{read_meanwhile} reads were answered during the step");
    let after = api.get("/v1/sessions/heavy").await.expect(200);
    assert_eq!(after["step"], 1);
    assert_ne!(after["state"], created["state"]);
}

#[tokio::test(flavor = "current_thread")]
async fn long_passes_on_different_sessions_run_at_the_same_time() {
    let api = Api::start().await;
    let sessions = ["a", "b", "c"];
    for session in sessions {
        api.put(&format!("/v1/sessions/{session}"), heavy().0).await.expect(201);
    }
    let steps = sessions.map(|session| begin_heavy_step(&api, session));
    let (turns, mut most) = (api.app.registry.compute().turns(), 0);
    while !steps.iter().all(JoinHandle::is_finished) {
        most = most.max(passes_at_work(&api));
        tokio::task::yield_now().await;
    }
    for step in steps {
        step.await.unwrap().expect(200);
    }
    assert_eq!(most, turns.min(3), "as many as there are cores for");
}

#[tokio::test(flavor = "current_thread")]
async fn long_passes_on_one_session_wait_for_each_other() {
    let api = Api::start().await;
    api.put("/v1/sessions/heavy", heavy().0).await.expect(201);
    let steps = [(); 2].map(|()| begin_heavy_step(&api, "heavy"));
    while !steps.iter().all(JoinHandle::is_finished) {
        assert!(passes_at_work(&api) <= 1, "a step waits for its turn before it takes a core");
        tokio::task::yield_now().await;
    }
    let mut numbers = Vec::new();
    for step in steps {
        numbers.push(step.await.unwrap().expect(200)["step"].as_u64().unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2]);
}

/// The server takes two connections: the usual client's, and the one that leaves. When it answers a third one it has
/// noticed that the second is gone.
#[tokio::test(flavor = "current_thread")]
async fn a_step_whose_client_leaves_is_made_whole() {
    let api = Api::with(Limits { connections: 2, head_timeout: PATIENCE, ..Limits::default() }).await;
    api.put("/v1/sessions/heavy", heavy().0).await.expect(201);
    let mut leaves = Raw::connect(api.address).await;
    leaves.request("POST", "/v1/sessions/heavy/step?trace=none", &heavy().1).await;
    eventually("the long pass is at work", async || passes_at_work(&api) == 1).await;
    drop(leaves);
    let mut next = Raw::connect(api.address).await;
    next.request("GET", "/v1/sessions/heavy", "").await;
    let answer = next.until("}").await;
    assert!(answer.contains(r#""step":0,"#), "{answer}");
    assert_eq!(passes_at_work(&api), 1, "the work goes on and keeps its turn");
    drop(next);

    let shown = async || api.get("/v1/sessions/heavy").await.expect(200);
    eventually("the step is made", async || shown().await["step"] == 1).await;
    assert_eq!(passes_at_work(&api), 0, "the turn is given back");
    api.put("/v1/sessions/same", heavy().0).await.expect(201);
    api.post("/v1/sessions/same/step?trace=none", heavy().1).await.expect(200);
    let same = api.get("/v1/sessions/same").await.expect(200);
    assert_eq!(shown().await["state"], same["state"], "the same step as one that was waited for");
    api.post("/v1/sessions/heavy/step?trace=none", r#"{"inputs": [1], "targets": [1]}"#).await.expect(200);
    assert_eq!(shown().await["step"], 2);
}
