//! Every limit from both sides: what lies just inside is done, what lies just outside is refused with the limit's
//! value before anything of that size is allocated or computed.

use chainrule::limits::{FAULTS_NAMED, Limits};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::api::{Api, send};

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

/// Every kind of layer, and an optimizer that leaves all that an optimizer can leave.
fn every_kind() -> Value {
    json!({
        "network": {"inputs": 2, "layers": [
            {"kind": "dense", "units": 3, "activation": "softmax"},
            {"kind": "residual", "layers": [
                {"kind": "batch_norm"},
                {"kind": "residual", "shortcut": "projection", "layers": [
                    {"kind": "dense", "units": 4, "bias": false}, {"kind": "activation", "activation": "gelu"}]},
                {"kind": "dense", "units": 3}]},
            {"kind": "dropout"},
            {"kind": "layer_norm"}]},
        "optimizer": {"kind": "adam", "weight_decay": 0.1, "clip_norm": 0.5}
    })
}

/// The number behind a word in a refusal's detail.
fn told(problem: &Value, before: &str) -> u64 {
    let detail = problem["detail"].as_str().unwrap();
    let (_, rest) = detail.split_once(before).unwrap_or_else(|| panic!("{before:?} in {detail}"));
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

#[tokio::test]
async fn an_answer_of_any_pass_has_a_largest_size() {
    let batch = json!({"inputs": [[0.1, 0.2], [0.3, -0.4]], "targets": [[0, 1, 0], [1, 0, 0]]}).to_string();
    let none = Api::with(Limits { answer_bytes: 0, ..Limits::default() }).await;
    none.put("/v1/sessions/deep", every_kind().to_string()).await.expect(201);
    for pass in ["forward", "backward", "step", "forward?trace=summary", "step?trace=summary"] {
        let path = format!("/v1/sessions/deep/{pass}");
        let problem = none.post(&path, &batch).await.problem(422, "answer_too_large");
        let bytes = told(&problem, "can take ");
        for (answer_bytes, fits) in [(bytes, true), (bytes - 1, false)] {
            let api = Api::with(Limits { answer_bytes, ..Limits::default() }).await;
            api.put("/v1/sessions/deep", every_kind().to_string()).await.expect(201);
            let answer = api.post(&path, &batch).await;
            if fits {
                assert!((answer.text.len() as u64) < bytes, "{pass}");
                answer.expect(200);
            } else {
                let problem = answer.problem(422, "answer_too_large");
                assert_eq!(told(&problem, "has at most "), answer_bytes, "{problem}");
            }
        }
    }
    none.post("/v1/sessions/deep/step?trace=none", &batch).await.expect(200);
}

#[tokio::test]
async fn a_store_in_memory_holds_so_many_bytes() {
    let api = Api::with(Limits { memory_store_bytes: 10_000, ..Limits::default() }).await;
    api.put("/v1/sessions/a", network(1, &[1])).await.expect(201);
    let step = || api.post("/v1/sessions/a/step", r#"{"inputs": [1], "targets": [1]}"#);
    let mut steps = 0;
    while step().await.status == 200 {
        steps += 1;
        assert!(steps < 100, "the store takes more than it may");
    }
    assert!(steps > 5, "a small step takes less than {} bytes", 10_000 / (steps + 1));
    for problem in [
        step().await.problem(507, "store_full"),
        api.put("/v1/sessions/c", network(1, &[1])).await.problem(507, "store_full"),
        api.post("/v1/sessions", network(1, &[1])).await.problem(507, "store_full"),
    ] {
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("at most 10000 bytes") && detail.contains("--store"), "{detail}");
    }
    // Nothing was changed, and what is there is read as before.
    assert_eq!(api.get("/v1/sessions/a").await.expect(200)["step"], steps);
    api.get(&format!("/v1/sessions/a/steps/{steps}")).await.expect(200);
    api.delete("/v1/sessions/a").await.expect(204);
    api.put("/v1/sessions/c", network(1, &[1])).await.expect(201);
}

/// Sessions leave memory and come back as they were, whatever else happens to them meanwhile.
#[tokio::test]
async fn sessions_in_memory_take_so_many_bytes() {
    let live_bytes = 20_000;
    let api = Api::with(Limits { live_bytes, ..Limits::default() }).await;
    let name = |index: usize| format!("/v1/sessions/s{index}");
    for index in 0..20 {
        api.put(&name(index), network(1, &[10])).await.expect(201);
    }
    for round in 1..=3 {
        for index in 0..20 {
            let batch = serde_json::json!({"inputs": [index], "targets": [vec![0.1; 10]]}).to_string();
            let trace = api.post(&format!("{}/step", name(index)), batch).await.expect(200);
            assert_eq!(trace["step"], round);
            assert!(api.app.registry.live_bytes() <= live_bytes, "{} bytes", api.app.registry.live_bytes());
        }
    }
    let states = async |index| api.get(&format!("{}/steps?limit=1000", name(index))).await.expect(200);
    for index in 0..20 {
        let history = states(index).await;
        let now = api.get(&name(index)).await.expect(200);
        assert_eq!(history["steps"][3]["state"], now["state"]);
        assert_eq!(history["steps"].as_array().unwrap().len(), 4);
    }
}

#[tokio::test]
async fn a_page_has_a_largest_size() {
    let api = Api::with(Limits { page: 3, ..Limits::default() }).await;
    for name in ["a", "b", "c", "d"] {
        api.put(&format!("/v1/sessions/{name}"), network(1, &[1])).await.expect(201);
    }
    for (query, entries) in [("", 3), ("?limit=3", 3), ("?limit=1", 1)] {
        let page = api.get(&format!("/v1/sessions{query}")).await.expect(200);
        assert_eq!(page["sessions"].as_array().unwrap().len(), entries, "{query}");
    }
    for query in ["limit=4", "limit=0"] {
        let problem = api.get(&format!("/v1/sessions?{query}")).await.problem(400, "number_out_of_range");
        assert!(problem["detail"].as_str().unwrap().contains("from 1 to 3"), "{problem}");
    }
    let api = Api::start().await;
    api.get("/v1/sessions?limit=1000").await.expect(200);
    api.get("/v1/sessions?limit=1001").await.problem(400, "number_out_of_range");
}

#[tokio::test]
async fn a_dataset_has_a_largest_size() {
    let limits = Limits { units: 4, dataset_rows: 3, dataset_numbers: 9, ..Limits::default() };
    let api = Api::with(limits).await;
    let put = async |name: &str, query: &str, table: &str| {
        let request = api.request(Method::PUT, &format!("/v1/datasets/{name}{query}"));
        send(request.header(CONTENT_TYPE, "text/csv").body(table.to_owned())).await
    };
    for (name, query, fits, beyond) in [
        ("columns", "", "a,b,c,d\n1,2,3,4\n", "a,b,c,d,e\n1,2,3,4,5\n"),
        ("rows", "", "a,b\n1,2\n3,4\n5,6\n", "a,b\n1,2\n3,4\n5,6\n7,8\n"),
        ("numbers", "", "a,b,c\n1,2,3\n4,5,6\n7,8,9\n", "a,b,c,d\n1,2,3,4\n5,6,7,8\n1,2,3,4\n"),
        ("labels", "?one_hot=b", "a,b\n1,x\n2,y\n3,y\n", "a,b\n1,x\n2,y\n3,z\n"),
    ] {
        put(name, query, fits).await.expect(201);
        put(&format!("{name}-more"), query, beyond).await.problem(422, "dataset_too_large");
    }
    // A line with more fields than any table may have is counted to its end, and what is wrong with it stays few.
    let commas = format!("a,b\n1{}\n", ",\"1\"2".repeat(100_000));
    let problem = put("commas", "", &commas).await.problem(400, "malformed_csv");
    assert_eq!(problem["errors"].as_array().unwrap().len(), FAULTS_NAMED, "{problem}");
    let problem = put("commas", "", &commas.replace("\"1\"2", "")).await.problem(400, "malformed_csv");
    assert!(problem["detail"].as_str().unwrap().contains("this line has 100001 fields"), "{problem}");
    // Bad places come before sizes: whoever mends them sees the other then.
    let problem = put("both", "", "a,b\n1,x\n3,4\n5,6\n7,8\n9,y\n").await.problem(400, "malformed_csv");
    assert_eq!(problem["errors"].as_array().unwrap().len(), 1, "{problem}");
}

#[tokio::test]
async fn a_dataset_that_is_too_large_for_a_body_is_told_how_to_be_smaller() {
    let api = Api::with(Limits { body_bytes: 100, ..Limits::default() }).await;
    let body = |size: usize| format!("{:<size$}", r#"{"inputs": [[1]], "targets": [[1]]}"#);
    api.put("/v1/datasets/whole", body(100)).await.expect(201);
    let problem = api.put("/v1/datasets/more", body(101)).await.problem(413, "body_too_large");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("at most 100 bytes") && detail.contains("npz") && !detail.contains("at a time"),
        "{detail}"
    );
}

#[tokio::test]
async fn names_have_so_many_characters() {
    let api = Api::start().await;
    let [longest, longer] = [63, 64].map(|characters| "n".repeat(characters));
    let body = |name: &str| {
        let layers = json!([{"kind": "dense", "units": 1, "name": name}]);
        json!({"network": {"inputs": 1, "layers": layers}}).to_string()
    };
    api.put(&format!("/v1/sessions/{longest}"), body(&longest)).await.expect(201);
    let shown = api.get(&format!("/v1/sessions/{longest}/weights/{longest}")).await.expect(200);
    assert_eq!((&shown["session"], &shown["layers"][0]["name"]), (&json!(longest), &json!(longest)));
    let problem = api.put(&format!("/v1/sessions/{longer}"), body("a")).await.problem(400, "invalid_name");
    assert!(problem["detail"].as_str().unwrap().contains("1 to 63 characters"), "{problem}");
    let problem = api.put("/v1/sessions/demo", body(&longer)).await.problem(400, "invalid_name");
    assert_eq!(problem["errors"][0]["pointer"], "/network/layers/0/name");
    api.get("/v1/sessions/demo").await.problem(404, "session_not_found");
}

#[tokio::test]
async fn first_weights_are_drawn_within_a_range() {
    let api = Api::start().await;
    let body = |init: &Value| {
        let layers = json!([{"kind": "dense", "units": 1, "bias": false, "init": init}]);
        json!({"network": {"inputs": 1, "layers": layers}}).to_string()
    };
    let beyond = 1e6_f64.next_up();
    for (number, (init, field, outside)) in [
        (json!({"kind": "constant", "value": 1e6}), "value", beyond),
        (json!({"kind": "constant", "value": -1e6}), "value", -beyond),
        (json!({"kind": "uniform", "low": -1e6, "high": 1e6}), "low", -beyond),
        (json!({"kind": "uniform", "low": -1e6, "high": 1e6}), "high", beyond),
        (json!({"kind": "normal", "mean": 1e6, "std": 1e6}), "mean", beyond),
        (json!({"kind": "normal", "mean": -1e6, "std": 0}), "mean", -beyond),
        (json!({"kind": "normal", "mean": 0, "std": 1e6}), "std", beyond),
        (json!({"kind": "normal", "mean": 0, "std": 0}), "std", -f64::MIN_POSITIVE),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/v1/sessions/s{number}");
        let mut refused = init.clone();
        refused[field] = json!(outside);
        let problem = api.put(&path, body(&refused)).await.problem(400, "number_out_of_range");
        assert_eq!(problem["errors"][0]["pointer"], format!("/network/layers/0/init/{field}"), "{problem}");
        let created = api.put(&path, body(&init)).await.expect(201);
        assert_eq!(created["network"]["layers"][0]["init"]["kind"], init["kind"]);
        if init["kind"] == "constant" {
            let weights = api.get(&format!("{path}/weights")).await.expect(200);
            assert_eq!(weights["layers"][0]["parameters"]["weights"][0][0], init["value"]);
        }
    }
}
