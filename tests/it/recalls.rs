//! A long history, whose steps are recalled one after the other.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api::Api;

/// Recalls that go on from where others ended, in sessions longer than what is kept of them, their branches among them.
#[tokio::test]
async fn a_long_history_is_read_forward_and_back() {
    let api = Api::start().await;
    api.put("/v1/sessions/long", r#"{"preset": "worked-example"}"#).await.expect(201);
    let mut answers = vec![];
    for number in 0..310 {
        let (path, body) = match number {
            150 => ("rewind", r#"{"to": 40}"#.to_owned()),
            200 => ("train", r#"{"steps": 50}"#.to_owned()),
            _ => ("step", json!({"inputs": [f64::from(number) / 310.0, 0.3], "targets": [1]}).to_string()),
        };
        answers.push(api.post(&format!("/v1/sessions/long/{path}"), body).await);
    }
    // Step 201 to 250 are those of the run.
    let answered = |step: usize| match step {
        1..=200 => Some(&answers[step - 1]),
        251.. => Some(&answers[step - 50]),
        _ => None,
    };
    let fork = r#"{"name": "fork", "at": 300}"#;
    api.post("/v1/sessions/long/fork", fork).await.expect(201);
    let forward = (1..=359).step_by(7);
    let (back, jumps) = ((1..=359).rev().step_by(11), (0..60).map(|n| n * 149 % 359 + 1));
    let mut trained = BTreeMap::new();
    for step in forward.chain(back).chain(jumps).chain(201..=250) {
        let recalled = api.get(&format!("/v1/sessions/long/steps/{step}")).await;
        if let Some(answer) = answered(step) {
            assert_eq!(recalled.text, answer.text, "step {step}");
        } else {
            assert_eq!(trained.entry(step).or_insert_with(|| recalled.text.clone()), &recalled.text, "step {step}");
        }
        if step <= 300 {
            assert_eq!(api.get(&format!("/v1/sessions/fork/steps/{step}")).await.text, recalled.text, "step {step}");
        }
    }
    let weights = |step: usize, when: &str| {
        let trace: Value = serde_json::from_str(&trained[&step]).unwrap();
        let layer = if when == "after" { &trace["update"]["layers"][1] } else { &trace["forward"]["layers"][0] };
        if when == "after" {
            layer["parameters"]["weights"]["after"].clone()
        } else {
            layer["parameters"]["weights"].clone()
        }
    };
    for step in 201..250 {
        assert_eq!(weights(step, "after"), weights(step + 1, "before"), "step {step}");
    }
}
