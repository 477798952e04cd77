//! Requests at the same time: on one session one total order, on different sessions side by side.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::api::Api;
use crate::sessions::deep;

/// A batch that no other request sends, to tell by the trace whose step it was.
fn marked(number: usize) -> String {
    let inputs: Vec<f64> = (0..40).map(|i| f64::from(i) / 40.0).collect();
    let mut targets = vec![0.0; 10];
    targets[number % 10] = 1.0 / (number + 1) as f64;
    json!({"inputs": inputs, "targets": targets}).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn steps_on_one_session_are_one_total_order() {
    const CLIENTS: usize = 8;
    const STEPS: usize = 25;
    let api = Api::start().await;
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

/// Seconds of work on this machine's one or two cores, in one request.
fn heavy() -> (String, String) {
    let layers = json!([{"kind": "dense", "units": 1000}, {"kind": "dense", "units": 1000}]);
    let network = json!({"network": {"inputs": 500, "layers": layers}}).to_string();
    let batch = json!({"inputs": vec![vec![0.5; 500]; 600], "targets": vec![vec![0.5; 1000]; 600]}).to_string();
    (network, batch)
}

/// One async thread: a computation on it would keep everybody else waiting.
#[tokio::test(flavor = "current_thread")]
async fn a_long_computation_leaves_the_async_threads_free() {
    let api = Api::start().await;
    let (network, batch) = heavy();
    api.put("/v1/sessions/heavy", network).await.expect(201);
    api.put("/v1/sessions/light", r#"{"preset": "worked-example"}"#).await.expect(201);
    let done = Arc::new(AtomicBool::new(false));
    let long = tokio::spawn({
        let (api, done) = (api.clone(), Arc::clone(&done));
        async move {
            let answer = api.post("/v1/sessions/heavy/step?trace=none", batch).await;
            done.store(true, Ordering::SeqCst);
            answer
        }
    });
    let mut answered_meanwhile = 0;
    while !done.load(Ordering::SeqCst) {
        api.post("/v1/sessions/light/step", "{}").await.expect(200);
        answered_meanwhile += 1;
    }
    long.await.unwrap().expect(200);
    // On the async thread the long step would have let at most the few requests through that came before it began.
    assert!(answered_meanwhile > 10, "{answered_meanwhile} requests were answered during the long one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_can_be_read_while_it_steps() {
    let api = Api::start().await;
    let (network, batch) = heavy();
    api.put("/v1/sessions/heavy", network).await.expect(201);
    let long = tokio::spawn({
        let api = api.clone();
        async move { api.post("/v1/sessions/heavy/step?trace=none", batch).await }
    });
    let mut seen = Vec::new();
    while !long.is_finished() {
        seen.push(api.get("/v1/sessions/heavy").await.expect(200)["step"].as_u64().unwrap());
    }
    long.await.unwrap().expect(200);
    assert!(
        seen.iter().filter(|step| **step == 0).count() > 5,
        "reads during the step see the state before it: {seen:?}"
    );
    assert!(seen.is_sorted(), "{seen:?}");
    assert_eq!(api.get("/v1/sessions/heavy").await.expect(200)["step"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_leaves_the_session_whole() {
    let api = Api::start().await;
    let (network, batch) = heavy();
    let created = api.put("/v1/sessions/heavy", network).await.expect(201);
    let long = tokio::spawn({
        let (api, batch) = (api.clone(), batch.clone());
        async move { api.post("/v1/sessions/heavy/step?trace=none", batch).await }
    });
    tokio::task::yield_now().await;
    long.abort();
    let _ = long.await;
    // Whether the step was made or not, the next one is made and the numbers stay dense.
    let step = api.post("/v1/sessions/heavy/step?trace=none", batch).await.expect(200)["step"].as_u64().unwrap();
    let shown = api.get("/v1/sessions/heavy").await.expect(200);
    assert_eq!(shown["step"], step);
    assert!((1..=2).contains(&step));
    assert_ne!(shown["state"], created["state"]);
}
