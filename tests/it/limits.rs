//! Every limit from both sides: what lies just inside is done, what lies just outside is refused with the limit's
//! value before anything of that size is allocated or computed.

use chainrule::limits::Limits;
use serde_json::json;

use crate::api::Api;

fn network(inputs: u64, units: &[u64]) -> String {
    let layers: Vec<_> = units.iter().map(|units| json!({"kind": "dense", "units": units, "bias": false})).collect();
    json!({"network": {"inputs": inputs, "layers": layers}}).to_string()
}

#[tokio::test]
async fn a_network_has_a_largest_size() {
    let limits = Limits { units: 8, layers: 3, parameters: 100, ..Limits::default() };
    let api = Api::with(limits).await;
    for (name, body, pointer) in [
        ("units", [network(2, &[8]), network(2, &[9])], "/network/layers/0/units"),
        ("inputs", [network(8, &[2]), network(9, &[2])], "/network/inputs"),
        ("layers", [network(2, &[2, 2, 2]), network(2, &[2, 2, 2, 2])], "/network/layers"),
        ("parameters", [network(4, &[5, 8, 5]), network(4, &[5, 8, 6])], "/network"),
    ] {
        let path = format!("/v1/sessions/{name}");
        let problem = api.put(&path, &body[1]).await.problem(422, "network_too_large");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        api.put(&path, &body[0]).await.expect(201);
    }
}

#[tokio::test]
async fn enormous_claims_are_refused_at_once() {
    let api = Api::start().await;
    for size in [65_537, 1_000_000_000, u64::MAX / 2, u64::MAX] {
        api.put("/v1/sessions/claim", network(2, &[size])).await.problem(422, "network_too_large");
        api.put("/v1/sessions/claim", network(size, &[2])).await.problem(422, "network_too_large");
    }
    api.put("/v1/sessions/claim", network(65_536, &[65_536, 65_536])).await.problem(422, "network_too_large");
    api.put("/v1/sessions/claim", network(1, &[1; 1_001])).await.problem(422, "network_too_large");
    api.put("/v1/sessions/claim", network(1, &[1; 1_000])).await.expect(201);
    api.put("/v1/sessions/most", network(1_000, &[2_000])).await.expect(201);
}

#[tokio::test]
async fn a_batch_has_a_largest_size() {
    let api = Api::with(Limits { examples: 3, ..Limits::default() }).await;
    api.put("/v1/sessions/demo", network(1, &[1])).await.expect(201);
    let rows = |count: usize| json!({"inputs": vec![[1.0]; count], "targets": vec![[1.0]; count]}).to_string();
    api.post("/v1/sessions/demo/step", rows(3)).await.expect(200);
    let problem = api.post("/v1/sessions/demo/step", rows(4)).await.problem(422, "batch_too_large");
    assert_eq!(problem["errors"][0]["pointer"], "/inputs");
}

#[tokio::test]
async fn a_body_has_a_largest_size() {
    let api = Api::with(Limits { body_bytes: 100, ..Limits::default() }).await;
    let padded = |size: usize| format!("{:<size$}", r#"{"preset": "worked-example"}"#);
    api.put("/v1/sessions/demo", padded(100)).await.expect(201);
    api.put("/v1/sessions/demo", padded(101)).await.problem(413, "body_too_large");
}

#[tokio::test]
async fn an_answer_has_a_largest_size_and_there_is_a_way_to_ask_for_less() {
    let estimate = |examples: u64| {
        // One layer of 1·1: the weight, and up to five numbers that an update makes of it; the loss and the loss
        // after. A row brings input, a, h, f′, error, delta, the output once more, target and loss, and three numbers
        // that only a softmax has. 27 bytes a number, 2,048 a layer and once more.
        (examples * 12 + 6 + 2) * 27 + 2 * 2_048
    };
    let api = Api::with(Limits { answer_bytes: estimate(10), ..Limits::default() }).await;
    api.put("/v1/sessions/demo", network(1, &[1])).await.expect(201);
    let rows = |count: usize| {
        json!({"inputs": vec![[-1.234_567_890_123_456_7e-100]; count], "targets": vec![[1.0]; count]}).to_string()
    };
    let full = api.post("/v1/sessions/demo/backward", rows(10)).await;
    assert!((full.text.len() as u64) < estimate(10), "the estimate is never too small");
    full.expect(200);
    let problem = api.post("/v1/sessions/demo/backward", rows(11)).await.problem(422, "answer_too_large");
    let detail = problem["detail"].as_str().unwrap();
    for part in [estimate(11).to_string(), estimate(10).to_string(), "trace=summary".into()] {
        assert!(detail.contains(&part), "{detail} says {part}");
    }
    api.post("/v1/sessions/demo/backward?trace=summary", rows(11)).await.expect(200);
    api.post("/v1/sessions/demo/backward?trace=none", rows(11)).await.expect(200);
    api.post("/v1/sessions/demo/forward", rows(11)).await.expect(200);
}

#[tokio::test]
async fn a_request_computes_for_a_while_at_the_most() {
    // 2·3 multiplications, and 3·3 + 2 numbers that count as 16 each, on the way up; four times that in a step.
    let row = 2 * 3 + 16 * (3 * 3 + 2);
    let api = Api::with(Limits { multiply_adds: 4 * row, ..Limits::default() }).await;
    api.put("/v1/sessions/demo", network(2, &[3])).await.expect(201);
    let rows =
        |count: usize| json!({"inputs": vec![[1.0, 2.0]; count], "targets": vec![[0.0, 0.0, 0.0]; count]}).to_string();
    api.post("/v1/sessions/demo/step", rows(1)).await.expect(200);
    let problem = api.post("/v1/sessions/demo/step", rows(2)).await.problem(422, "work_too_large");
    assert!(problem["detail"].as_str().unwrap().contains(&(8 * row).to_string()), "{problem}");
    api.post("/v1/sessions/demo/forward", rows(4)).await.expect(200);
    api.post("/v1/sessions/demo/forward", rows(5)).await.problem(422, "work_too_large");
}

#[tokio::test]
async fn a_pass_leaves_so_many_numbers_in_memory_whatever_is_answered() {
    // A row of 1·1 on the way up: the input, three numbers and two of a softmax, the output, the target and the loss;
    // then the weight, the loss and the loss after.
    let numbers = |examples: u64| examples * (1 + 5 + 3) + 1 + 2;
    let api = Api::with(Limits { pass_numbers: numbers(4), ..Limits::default() }).await;
    api.put("/v1/sessions/demo", network(1, &[1])).await.expect(201);
    let rows = |count: usize| json!({"inputs": vec![[1.0]; count]}).to_string();
    for detail in ["full", "summary", "none"] {
        let path = format!("/v1/sessions/demo/forward?trace={detail}");
        api.post(&path, rows(4)).await.expect(200);
        let problem = api.post(&path, rows(5)).await.problem(422, "work_too_large");
        assert!(problem["detail"].as_str().unwrap().contains(&numbers(5).to_string()), "{problem}");
    }
    // What a body of a few hundred kilobytes could ask of the shipped limits: 65,536 units for 65,536 rows.
    let api = Api::with(Limits::default()).await;
    api.put("/v1/sessions/wide", network(1, &[65_536])).await.expect(201);
    api.post("/v1/sessions/wide/forward?trace=none", rows(65_536)).await.problem(422, "work_too_large");
}

#[tokio::test]
async fn a_summary_has_a_largest_size_too() {
    let api = Api::with(Limits { answer_bytes: 4 * 30 * 27 + 2 * 2_048, ..Limits::default() }).await;
    api.put("/v1/sessions/demo", network(1, &[30])).await.expect(201);
    let rows = |count: usize| json!({"inputs": vec![[1.0]; count]}).to_string();
    api.post("/v1/sessions/demo/forward?trace=summary", rows(4)).await.expect(200);
    let problem = api.post("/v1/sessions/demo/forward?trace=summary", rows(5)).await.problem(422, "answer_too_large");
    assert!(problem["detail"].as_str().unwrap().contains("ask for trace=none"), "{problem}");
    api.post("/v1/sessions/demo/forward?trace=none", rows(5)).await.expect(200);
}

#[tokio::test]
async fn a_server_keeps_so_many_sessions_and_parameters() {
    let api = Api::with(Limits { sessions: 2, parameters_total: 100, ..Limits::default() }).await;
    api.put("/v1/sessions/a", network(1, &[40])).await.expect(201);
    let problem = api.put("/v1/sessions/b", network(1, &[61])).await.problem(507, "store_full");
    assert!(problem["detail"].as_str().unwrap().contains("40 are in use"), "{problem}");
    api.put("/v1/sessions/b", network(1, &[60])).await.expect(201);
    api.put("/v1/sessions/c", network(1, &[1])).await.problem(507, "store_full");
    api.put("/v1/sessions/a", network(1, &[40])).await.expect(200);
    api.delete("/v1/sessions/b").await.expect(204);
    api.put("/v1/sessions/c", network(1, &[60])).await.expect(201);
    api.delete("/v1/sessions/a").await.expect(204);
    api.post("/v1/sessions", network(1, &[40])).await.expect(201);
}
