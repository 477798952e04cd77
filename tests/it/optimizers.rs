//! What an optimizer may be told: each of its settings on both sides of its range, and none of another's.

use chainrule::engine::optimizer::OptimizerKind;
use serde_json::{Value, json};

use crate::api::Api;

/// A session with this optimizer.
fn session(optimizer: &Value) -> String {
    let layers = json!([{"kind": "dense", "units": 1}]);
    json!({"network": {"inputs": 1, "layers": layers}, "optimizer": optimizer}).to_string()
}

/// A setting, what is just permitted, and what is just not, with what the refusal says.
struct Range {
    field: &'static str,
    inside: &'static [f64],
    outside: &'static [f64],
    says: &'static str,
}

const NOT_NEGATIVE: &[f64] = &[0.0, f64::MIN_POSITIVE, 1e300];
const NEGATIVE: &[f64] = &[-f64::MIN_POSITIVE, -1.0];
/// The largest double below 1.
const BELOW_ONE: f64 = 1.0 - f64::EPSILON / 2.0;
const PART: &[f64] = &[0.0, 0.5, BELOW_ONE];
const NO_PART: &[f64] = &[-f64::MIN_POSITIVE, 1.0, 2.0];

const fn part(field: &'static str) -> Range {
    Range { field, inside: PART, outside: NO_PART, says: "from 0 up to but not 1" }
}

const fn not_negative(field: &'static str) -> Range {
    Range { field, inside: NOT_NEGATIVE, outside: NEGATIVE, says: "not below zero" }
}

/// Every optimizer's.
const COMMON: [Range; 3] = [
    not_negative("learning_rate"),
    not_negative("weight_decay"),
    Range { field: "clip_norm", inside: &[f64::MIN_POSITIVE, 1e300], outside: &[0.0, -1.0], says: "above zero" },
];

/// An optimizer's own.
fn own(kind: OptimizerKind) -> Vec<Range> {
    match kind {
        OptimizerKind::Sgd => vec![part("momentum")],
        OptimizerKind::Rmsprop => vec![part("alpha"), not_negative("epsilon")],
        OptimizerKind::Adam | OptimizerKind::Adamw => vec![part("beta1"), part("beta2"), not_negative("epsilon")],
        OptimizerKind::Adagrad => vec![not_negative("epsilon")],
    }
}

/// The settings that one optimizer or another has for itself.
const OWN: [&str; 5] = ["momentum", "alpha", "beta1", "beta2", "epsilon"];

#[tokio::test]
async fn every_setting_has_its_range() {
    let api = Api::start().await;
    for kind in OptimizerKind::ALL {
        let (mut accepted, name) = (0, json!(kind).as_str().unwrap().to_owned());
        for Range { field, inside, outside, says } in COMMON.into_iter().chain(own(*kind)) {
            let body = |value: f64| session(&json!({"kind": kind, field: value}));
            for &value in outside {
                let answer = api.put("/v1/sessions/refused", body(value)).await;
                answer.fault(400, "number_out_of_range", &format!("/optimizer/{field}"), says);
            }
            for &value in inside {
                let created = api.put(&format!("/v1/sessions/{name}-{accepted}"), body(value)).await.expect(201);
                accepted += 1;
                // What is switched off stands nowhere.
                let off = value == 0.0 && ["momentum", "weight_decay"].contains(&field);
                let shown = if off { Value::Null } else { json!(value) };
                assert_eq!(created["optimizer"].get(field).unwrap_or(&Value::Null), &shown, "{name} {field}");
            }
            let answer = api.put("/v1/sessions/refused", session(&json!({"kind": kind, field: "0.5"}))).await;
            answer.fault(400, "wrong_type", &format!("/optimizer/{field}"), "a number was expected");
        }
    }
    api.get("/v1/sessions/refused").await.problem(404, "session_not_found");
}

#[tokio::test]
async fn no_setting_of_another_optimizer_is_lost() {
    let api = Api::start().await;
    for kind in OptimizerKind::ALL {
        let name = json!(kind).as_str().unwrap().to_owned();
        let takes: Vec<&str> = own(*kind).iter().map(|range| range.field).collect();
        for field in OWN.into_iter().filter(|field| !takes.contains(field)) {
            let answer = api.put("/v1/sessions/refused", session(&json!({"kind": kind, field: 0.5}))).await;
            let says = format!("{name} has no \"{field}\"");
            answer.fault(422, "conflicting_fields", &format!("/optimizer/{field}"), &says);
        }
        let answer = api.put("/v1/sessions/refused", session(&json!({"kind": kind, "learning_rat": 0.5}))).await;
        answer.fault(400, "unknown_field", "/optimizer/learning_rat", "did you mean learning_rate?");
    }
    let answer = api.put("/v1/sessions/refused", session(&json!({"kind": "adm"}))).await;
    answer.fault(400, "unknown_value", "/optimizer/kind", "did you mean adam?");
}

#[tokio::test]
async fn nesterov_needs_a_momentum() {
    let api = Api::start().await;
    for refused in [json!({"nesterov": true}), json!({"kind": "sgd", "nesterov": true, "momentum": 0})] {
        let answer = api.put("/v1/sessions/refused", session(&refused)).await;
        answer.fault(422, "conflicting_fields", "/optimizer/nesterov", "looks ahead along a momentum");
    }
    let answer = api.put("/v1/sessions/refused", session(&json!({"kind": "adam", "nesterov": true}))).await;
    answer.fault(422, "conflicting_fields", "/optimizer/nesterov", "adam has no");
    let created = api.put("/v1/sessions/off", session(&json!({"nesterov": false}))).await.expect(201);
    assert_eq!(created["optimizer"], json!({"kind": "sgd", "learning_rate": 0.1}));
    let on = json!({"nesterov": true, "momentum": f64::MIN_POSITIVE});
    let created = api.put("/v1/sessions/on", session(&on)).await.expect(201);
    assert_eq!(created["optimizer"]["nesterov"], true);
}

#[tokio::test]
async fn what_is_left_out_is_pytorchs() {
    let api = Api::start().await;
    for (number, full) in [
        json!({"kind": "sgd", "learning_rate": 0.1}),
        json!({"kind": "rmsprop", "learning_rate": 0.01, "alpha": 0.99, "epsilon": 1e-8}),
        json!({"kind": "adam", "learning_rate": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}),
        json!({"kind": "adamw", "learning_rate": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.01}),
        json!({"kind": "adagrad", "learning_rate": 0.01, "epsilon": 1e-10}),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/v1/sessions/s{number}");
        let created = api.put(&path, session(&json!({"kind": full["kind"]}))).await.expect(201);
        assert_eq!(created["optimizer"], full);
        api.put(&path, session(&full)).await.expect(200);
    }
}
