//! Whatever only looks leaves a session as it is, to the bit: passes, insights and refusals, over random networks of
//! every kind of layer and every optimizer.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use chainrule::engine::matrix::Matrix;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::api::Api;
use crate::networks::{Case, case};

/// One server for all cases: each has a session of its own.
static SERVER: LazyLock<(Runtime, Api)> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let api = runtime.block_on(Api::start());
    (runtime, api)
});

static SESSIONS: AtomicUsize = AtomicUsize::new(0);

fn rows(matrix: &Matrix) -> Vec<&[f64]> {
    matrix.iter_rows().collect()
}

/// What can be asked of a session without changing it: every look, and steps that are refused.
fn looks(case: &Case) -> Vec<(&'static str, Value)> {
    let model = case.model();
    let (inputs, targets) = case.data(&model);
    let batch = json!({"inputs": rows(&inputs), "targets": rows(&targets)});
    let with = |more: Value| {
        let mut body = batch.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let last = model.layers().last().unwrap().name.as_str();
    let weight = json!({"weight": {"layer": last, "parameter": "weights", "index": [0, 0]}});
    let otherwise = json!({"what_if": [
        {"at": "/forward/inputs/0/0", "set": 0.5}, {"ablate": {"layer": last, "unit": 0}}]});
    vec![
        ("forward", batch.clone()),
        ("forward", with(json!({"mode": "train"}))),
        ("backward", batch.clone()),
        ("backward", with(json!({"mode": "eval", "learning_rate": 7.0}))),
        ("backward?trace=summary", batch.clone()),
        ("forward", with(otherwise.clone())),
        ("backward", with(otherwise)),
        ("chain", with(weight)),
        ("blame", batch.clone()),
        ("depth", batch.clone()),
        ("gradient-check", with(json!({"sample": 3}))),
        ("grade", with(json!({"claim": {"loss": {"value": 0.5}}}))),
        ("step", with(json!({"mode": "trane"}))),
        ("step", with(json!({"inputs": [[1e308]]}))),
        (
            "step",
            with(
                json!({"learning_rate": 1e308, "targets": rows(&targets), "inputs": rows(&inputs.map(|x| x * 1e300))}),
            ),
        ),
    ]
}

async fn check(case: &Case) -> Result<(), TestCaseError> {
    let (_, api) = &*SERVER;
    let session = format!("/v1/sessions/s{}", SESSIONS.fetch_add(1, Ordering::Relaxed));
    let spec = serde_json::to_value(case.spec()).unwrap();
    api.put(&session, spec.to_string()).await.expect(201);
    let looks = looks(case);
    // A step from the start, so that optimizers and running statistics have something to remember.
    let (_, batch) = &looks[0];
    let made = api.post(&format!("{session}/step?trace=none"), batch.to_string()).await;
    prop_assert!([200, 422].contains(&made.status), "{}", made.text);
    let before = (api.get(&session).await.text, api.get(&format!("{session}/weights")).await.text);
    let mut looked = 0;
    for (path, body) in looks {
        let answer = api.post(&format!("{session}/{path}"), body.to_string()).await;
        prop_assert!([200, 400, 422].contains(&answer.status), "{path}: {}", answer.text);
        if path == "step" && answer.status == 200 {
            // Some networks take even these.
            return Ok(());
        }
        looked += usize::from(answer.status == 200);
        let after = (api.get(&session).await.text, api.get(&format!("{session}/weights")).await.text);
        prop_assert!(after == before, "{path} with {body} changed {} to {}", before.0, after.0);
    }
    prop_assert!(looked >= 2, "{looked} looks were answered");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn looking_changes_nothing(case in case()) {
        SERVER.0.block_on(check(&case))?;
    }
}
