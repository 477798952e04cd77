//! The log is the session: any step again as the bytes that it was answered with, going back, branches, comparing.

use std::sync::Arc;

use axum::Router;
use chainrule::http::App;
use chainrule::limits::Limits;
use chainrule::session::ThisMachine;
use chainrule::store::{MemoryStore, Store};
use rstest::rstest;
use serde_json::{Value, json};

use crate::api::{Answer, Api};
use crate::sessions::{deep, seven};

/// A network with everything that a state may hold: moments, running statistics, dropout that counts updates.
fn rich() -> Value {
    json!({"network": {"inputs": 3, "layers": [
        {"kind": "dense", "units": 4, "activation": "tanh"},
        {"kind": "batch_norm"},
        {"kind": "residual", "layers": [{"kind": "dense", "units": 4, "activation": "gelu"}, {"kind": "dropout", "rate": 0.3}]},
        {"kind": "layer_norm"},
        {"kind": "dense", "units": 2, "activation": "softmax"}]},
        "loss": "cross_entropy", "optimizer": {"kind": "adam", "learning_rate": 0.01, "clip_norm": 1.0}, "seed": 11})
}

fn rich_batch(number: usize) -> String {
    let rows: Vec<[f64; 3]> =
        (0..5).map(|row| [row as f64 / 7.0, number as f64 / 11.0, 1.0 / (row + number + 1) as f64]).collect();
    let targets: Vec<[f64; 2]> =
        (0..5).map(|row| if (row + number).is_multiple_of(2) { [1.0, 0.0] } else { [0.0, 1.0] }).collect();
    json!({"inputs": rows, "targets": targets}).to_string()
}

/// Snapshots after every few steps, or none at all: a recall gives the same bytes.
#[rstest]
#[case::no_snapshots(Limits { snapshot_work: u64::MAX, recalled_states: 0, ..Limits::default() })]
#[case::many_snapshots(Limits { snapshot_work: 50_000, live_bytes: 0, recalled_states: 0, ..Limits::default() })]
#[case::read_in_small_pieces(Limits { log_bytes: 1, live_bytes: 0, snapshot_work: 200_000, recalled_states: 0, ..Limits::default() })]
#[case::from_the_last_recalls(Limits::default())]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_step_is_recalled_as_it_was_answered(#[case] limits: Limits) {
    let api = Api::with(limits).await;
    let s = "/v1/sessions/rich";
    let mut answers: Vec<Answer> = vec![api.put(s, rich().to_string()).await];
    for number in 0..12 {
        let query = ["", "?trace=summary", "?trace=none"][number % 3];
        answers.push(api.post(&format!("{s}/step{query}"), rich_batch(number)).await);
    }
    let weights = json!({"layers": [{"name": "layer1", "parameters": {"bias": [0.1, -0.0, 0.3, 1e-300]}},
        {"name": "layer2", "running": {"mean": [1, 2, 3, 4], "variance": [1, 1, 2, 2]}}]});
    answers.push(api.put(&format!("{s}/weights"), weights.to_string()).await);
    let one = json!({"layers": [{"name": "layer1", "parameters": {"bias": [0, 0, 0, 1]}}]});
    answers.push(api.put(&format!("{s}/weights/layer1"), one.to_string()).await);
    answers.push(api.post(&format!("{s}/rewind"), r#"{"to": 5}"#).await);
    for number in 20..23 {
        answers.push(api.post(&format!("{s}/step"), rich_batch(number)).await);
    }
    answers.push(api.post(&format!("{s}/rewind"), r#"{"to": 17}"#).await);
    answers.push(api.post(&format!("{s}/rewind"), r#"{"to": 0}"#).await);
    answers.push(api.post(&format!("{s}/step"), rich_batch(30)).await);
    // In any order, three times.
    for step in (0..answers.len()).rev().chain([7, 15, 3, 18, 20]).chain(0..answers.len()) {
        let recalled = api.get(&format!("{s}/steps/{step}")).await;
        assert_eq!(recalled.text, answers[step].text, "step {step}");
        assert_eq!(recalled.headers["etag"], answers[step].headers["etag"], "step {step}");
    }
    // A summary's step in full is what it would have been answered in full.
    let full = api.get(&format!("{s}/steps/2?trace=full")).await.expect(200);
    assert_eq!(
        full["forward"]["outputs"],
        serde_json::from_str::<Value>(&answers[2].text).unwrap()["forward"]["outputs"]
    );
    assert!(full["backward"]["layers"][0]["errors"].is_array());

    let history = api.get(&format!("{s}/steps?limit=1000")).await.expect(200);
    let steps = history["steps"].as_array().unwrap();
    assert_eq!(steps.len(), answers.len());
    assert_eq!(history["next"], Value::Null);
    for (step, entry) in steps.iter().enumerate() {
        assert_eq!(entry["step"], step);
        let tag = answers[step].headers["etag"].to_str().unwrap();
        assert_eq!(tag, format!("\"{step}-{}\"", entry["state"].as_str().unwrap()));
        let trace: Value = serde_json::from_str(&answers[step].text).unwrap();
        assert_eq!(entry["loss"], trace["loss"]["value"], "{entry}");
    }
    let kinds: Vec<&str> = steps.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!((kinds[0], kinds[1], kinds[13], kinds[15]), ("create", "step", "weights", "rewind"));
    assert_eq!((&steps[15]["asked"], &steps[2]["asked"]["trace"]), (&json!({"to": 5}), &json!("summary")));
    assert_eq!(steps[20]["state"], steps[0]["state"], "going back to the start is the start");
}

#[tokio::test]
async fn the_history_comes_in_pages() {
    let api = Api::start().await;
    api.put("/v1/sessions/demo", r#"{"preset": "worked-example"}"#).await.expect(201);
    for _ in 0..6 {
        api.post("/v1/sessions/demo/step", "{}").await.expect(200);
    }
    let (mut after, mut seen) = (String::new(), vec![]);
    loop {
        let page = api.get(&format!("/v1/sessions/demo/steps?limit=3{after}")).await.expect(200);
        seen.extend(page["steps"].as_array().unwrap().iter().map(|entry| entry["step"].as_u64().unwrap()));
        let Some(next) = page["next"].as_u64() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, (0..=6).collect::<Vec<_>>());
    let beyond = api.get("/v1/sessions/demo/steps?after=6").await.expect(200);
    assert_eq!(beyond, json!({"steps": [], "next": null}));
    for query in ["limit=0", "limit=1001"] {
        api.get(&format!("/v1/sessions/demo/steps?{query}")).await.problem(400, "number_out_of_range");
    }
    api.get("/v1/sessions/demo/steps/7").await.problem(404, "step_not_found");
    let beyond = api.get("/v1/sessions/demo/steps/99999999999999999999").await.problem(404, "step_not_found");
    assert_eq!(beyond["detail"], "session demo has no step 99999999999999999999; it has 0 to 6");
    let none = api.get("/v1/sessions/demo/steps?format=pdf").await.problem(400, "unknown_value");
    let detail = none["detail"].as_str().unwrap();
    assert!(detail.contains("json") && detail.contains("svg") && !detail.contains("markdown"), "{none}");
    api.get("/v1/sessions/demo/steps?format=markdown").await.problem(406, "not_acceptable");
    api.get("/v1/sessions/demo/diff?format=svg").await.problem(406, "not_acceptable");
    // Whatever comes in several forms says so in each.
    for path in
        ["steps", "steps?format=svg", "steps/0", "steps/1", "steps/1?format=markdown", "diff", "diff?format=html"]
    {
        let answer = api.get(&format!("/v1/sessions/demo/{path}")).await;
        assert!(answer.status == 200 && answer.headers["vary"] == "accept", "{path}: {}", answer.text);
    }
    for path in ["step", "forward", "step?format=safetensors"] {
        let answer = api.post(&format!("/v1/sessions/demo/{path}"), "{}").await;
        assert!(answer.status == 200 && answer.headers["vary"] == "accept", "{path}: {}", answer.text);
    }
    api.get("/v1/sessions/demo/steps/one").await.problem(400, "invalid_path");
    api.get("/v1/sessions/demo/steps/-1").await.problem(400, "invalid_path");
    api.get("/v1/sessions/none/steps/0").await.problem(404, "session_not_found");
}

/// Going back restores moments, running statistics and the count that dropout draws by: the same steps again are the
/// same traces, but for their numbers.
#[tokio::test]
async fn going_back_is_a_step_that_can_be_undone() {
    let api = Api::start().await;
    let s = "/v1/sessions/rich";
    api.put(s, rich().to_string()).await.expect(201);
    let step = async |number| {
        let mut trace = api.post(&format!("{s}/step"), rich_batch(number)).await.expect(200);
        trace.as_object_mut().unwrap().remove("step");
        trace
    };
    let first = [step(0).await, step(1).await, step(2).await];
    let back = api.post(&format!("{s}/rewind"), r#"{"to": 0}"#).await.expect(200);
    assert_eq!(back["step"], 4);
    assert_eq!([step(0).await, step(1).await, step(2).await], first);
    let there = api.get(s).await.expect(200);
    api.post(&format!("{s}/rewind"), r#"{"to": 1}"#).await.expect(200);
    let undone = api.post(&format!("{s}/rewind"), r#"{"to": 7}"#).await.expect(200);
    assert_eq!((&undone["state"], &undone["step"]), (&there["state"], &json!(9)));
    api.post(&format!("{s}/rewind"), r#"{"to": 10}"#).await.fault(422, "unknown_step", "/to", "0 to 9");
    api.post(&format!("{s}/rewind"), "{}").await.problem(400, "missing_field");
    assert_eq!(api.get(s).await.expect(200)["step"], 9);
}

#[rstest]
#[case::held_ready(Limits::default())]
#[case::read_every_time(Limits { live_bytes: 0, snapshot_work: 60_000, ..Limits::default() })]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_has_the_history_and_lives_on_alone(#[case] limits: Limits) {
    let api = Api::with(limits).await;
    let path = |name: &str| format!("/v1/sessions/{name}");
    api.put(&path("trunk"), rich().to_string()).await.expect(201);
    let mut answers = vec![];
    for number in 0..6 {
        answers.push(api.post(&format!("{}/step", path("trunk")), rich_batch(number)).await.text);
    }
    let fork = |from: &str, body: &str| {
        let (path, body) = (format!("{}/fork", path(from)), body.to_owned());
        let api = api.clone();
        async move { api.post(&path, body).await }
    };
    let branch = fork("trunk", r#"{"name": "branch", "at": 4}"#).await;
    assert_eq!(branch.headers["location"], "/v1/sessions/branch");
    let made = branch.expect(201);
    let trunk = api.get(&format!("{}/steps", path("trunk"))).await.expect(200);
    assert_eq!((&made["step"], &made["state"]), (&json!(4), &trunk["steps"][4]["state"]));

    // The same step on both sides is the same, but for the name.
    let on_branch = api.post(&format!("{}/step", path("branch")), rich_batch(4)).await.text;
    assert_eq!(on_branch.replace(r#""session":"branch""#, r#""session":"trunk""#), answers[4]);
    let twig = fork("branch", r#"{"name": "twig", "at": 2}"#).await.expect(201);
    assert_eq!((&twig["step"], &twig["state"]), (&json!(2), &trunk["steps"][2]["state"]));
    let top = fork("branch", r#"{"name": "top"}"#).await.expect(201);
    assert_eq!(top["step"], 5);
    let made_up = fork("top", "{}").await.expect(201)["name"].as_str().unwrap().to_owned();
    fork("trunk", r#"{"name": "branch"}"#).await.problem(409, "name_in_use");
    fork("trunk", r#"{"name": "late", "at": 7}"#).await.fault(422, "unknown_step", "/at", "0 to 6");
    fork("trunk", r#"{"name": "No"}"#).await.problem(400, "invalid_name");
    fork("none", r#"{"name": "late"}"#).await.problem(404, "session_not_found");

    for name in ["trunk", "branch"] {
        api.delete(&path(name)).await.expect(204);
        api.get(&path(name)).await.problem(404, "session_not_found");
    }
    // A name that is used again is another session.
    api.put(&path("trunk"), deep().to_string()).await.expect(201);
    let name = &made_up;
    let history = api.get(&format!("{}/steps", path(name))).await.expect(200);
    let kinds: Vec<_> =
        history["steps"].as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["fork", "step", "step", "step", "step", "step"]);
    assert_eq!(history["steps"][0]["asked"]["from"], json!({"session": "top", "at": 5}));
    for step in 1..=4 {
        assert_eq!(history["steps"][step]["state"], trunk["steps"][step]["state"]);
        assert_eq!(api.get(&format!("{}/steps/{step}", path(name))).await.text, answers[step - 1]);
    }
    assert_eq!(api.get(&format!("{}/steps/5", path(name))).await.text, on_branch);
    api.post(&format!("{}/step", path(name)), rich_batch(9)).await.expect(200);
    let back = api.post(&format!("{}/rewind", path(name)), r#"{"to": 3}"#).await.expect(200);
    assert_eq!((&back["state"], &back["step"]), (&trunk["steps"][3]["state"], &json!(7)));
    for name in [name.as_str(), "twig", "top", "trunk"] {
        api.delete(&path(name)).await.expect(204);
    }
    assert_eq!(api.get("/v1/sessions").await.expect(200)["sessions"], json!([]));
}

/// A branch's step 0 is the branching: listed, recalled, compared with and gone back to alike.
#[rstest]
#[case::held_ready(Limits::default())]
#[case::read_every_time(Limits { live_bytes: 0, ..Limits::default() })]
#[tokio::test]
async fn step_0_of_a_branch_is_where_it_branched_off(#[case] limits: Limits) {
    let api = Api::with(limits).await;
    let trunk = "/v1/sessions/trunk";
    api.put(trunk, r#"{"preset": "worked-example"}"#).await.expect(201);
    for _ in 0..4 {
        api.post(&format!("{trunk}/step"), "{}").await.expect(200);
    }
    let made = api.post(&format!("{trunk}/fork"), r#"{"name": "kid", "at": 3}"#).await;
    let kid = "/v1/sessions/kid";
    api.post(&format!("{kid}/step"), "{}").await.expect(200);
    let state = serde_json::from_str::<Value>(&made.text).unwrap()["state"].clone();
    assert_eq!(api.get(&format!("{kid}/steps")).await.expect(200)["steps"][0]["state"], state);
    let recalled = api.get(&format!("{kid}/steps/0")).await;
    assert_eq!((&recalled.text, &recalled.headers["etag"]), (&made.text, &made.headers["etag"]));
    let diff = api.get(&format!("{kid}/diff?at=0&with=trunk&with_at=3")).await.expect(200);
    assert_eq!((&diff["this"]["state"], &diff["same"]), (&state, &json!(true)));
    let back = api.post(&format!("{kid}/rewind"), r#"{"to": 0}"#).await.expect(200);
    assert_eq!((&back["state"], &back["step"]), (&state, &json!(5)));
    assert_eq!(api.get(&format!("{kid}/steps/5")).await.expect(200), back);
    assert_eq!(api.get(&format!("{kid}/steps?after=4")).await.expect(200)["steps"][0]["asked"], json!({"to": 3}));
    let twig = api.post(&format!("{kid}/fork"), r#"{"name": "twig", "at": 0}"#).await.expect(201);
    assert_eq!((&twig["state"], &twig["step"]), (&state, &json!(3)));
    let twigs = api.get("/v1/sessions/twig/steps").await.expect(200);
    let trunks = api.get(&format!("{trunk}/steps")).await.expect(200);
    assert_eq!(twigs["steps"][0]["state"], state);
    assert_eq!((&twigs["steps"][1], &twigs["steps"][3]), (&trunks["steps"][1], &trunks["steps"][3]));
    // A fork is always a new session.
    let taken = api.post(&format!("{trunk}/fork"), r#"{"name": "kid", "at": 3}"#).await.problem(409, "name_in_use");
    let text = taken.to_string();
    assert!(text.contains("choose another name") && !text.contains("made from another body"), "{taken}");
}

#[tokio::test]
async fn two_states_are_compared() {
    let api = Api::start().await;
    let demo = "/v1/sessions/demo";
    api.put(demo, r#"{"preset": "worked-example"}"#).await.expect(201);
    let trace = api.post(&format!("{demo}/step"), "{}").await.expect(200);
    let diff = api.get(&format!("{demo}/diff?at=0&with_at=1")).await.expect(200);
    assert_eq!((&diff["this"]["step"], &diff["with"]["step"], &diff["same"]), (&json!(0), &json!(1), &json!(false)));
    for (layer, update) in [(0, 1), (1, 0)] {
        let after = &trace["update"]["layers"][update]["parameters"]["weights"]["after"];
        let before = &trace["forward"]["layers"][layer]["parameters"]["weights"];
        let difference = &diff["layers"][layer]["parameters"]["weights"];
        for (row, values) in difference.as_array().unwrap().iter().enumerate() {
            for (column, value) in values.as_array().unwrap().iter().enumerate() {
                let of = |matrix: &Value| matrix[row][column].as_f64().unwrap();
                assert_eq!(value.as_f64().unwrap(), of(after) - of(before));
            }
        }
    }
    api.post(&format!("{demo}/fork"), r#"{"name": "other", "at": 0}"#).await.expect(201);
    let same = api.get(&format!("{demo}/diff?with=other&at=0")).await.expect(200);
    assert_eq!((&same["same"], &same["layers"][0]["norm"]), (&json!(true), &json!(0.0)));
    api.put("/v1/sessions/deep", deep().to_string()).await.expect(201);
    api.post("/v1/sessions/deep/step", seven().to_string()).await.expect(200);
    api.get(&format!("{demo}/diff?with=deep")).await.problem(422, "networks_differ");
    api.get(&format!("{demo}/diff?with=none")).await.problem(404, "session_not_found");
    api.get(&format!("{demo}/diff?with=NO")).await.problem(400, "invalid_name");
    api.get(&format!("{demo}/diff?at=2")).await.problem(404, "step_not_found");
    api.get(&format!("{demo}/diff?with_at=2")).await.problem(404, "step_not_found");
    let deep = api.get("/v1/sessions/deep/diff?at=0").await.expect(200);
    assert!(deep["layers"].as_array().unwrap().len() > 2 && deep["layers"][0]["norm"].as_f64().unwrap() > 0.0);
}

/// A branch of a branch, from before that one branched off: what it does not share is its own. Going back, and replaced
/// parameters, are recalled as the session was answered that did it.
#[rstest]
#[case::held_ready(Limits::default())]
#[case::read_every_time(Limits { live_bytes: 0, ..Limits::default() })]
#[tokio::test]
async fn a_branch_of_a_branch_has_what_it_shares_and_no_more(#[case] limits: Limits) {
    let api = Api::with(limits).await;
    let path = |name: &str| format!("/v1/sessions/{name}");
    api.put(&path("trunk"), rich().to_string()).await.expect(201);
    let bias = json!({"layers": [{"name": "layer1", "parameters": {"bias": [0, 0, 0, 1]}}]}).to_string();
    let mut answers = vec![
        api.post(&format!("{}/step", path("trunk")), rich_batch(0)).await.text,
        api.post(&format!("{}/rewind", path("trunk")), r#"{"to": 0}"#).await.text,
        api.put(&format!("{}/weights", path("trunk")), bias).await.text,
    ];
    for number in 1..4 {
        api.post(&format!("{}/step", path("trunk")), rich_batch(number)).await.expect(200);
    }
    api.post(&format!("{}/fork", path("trunk")), r#"{"name": "branch", "at": 5}"#).await.expect(201);
    api.post(&format!("{}/fork", path("branch")), r#"{"name": "twig", "at": 3}"#).await.expect(201);
    answers.push(api.post(&format!("{}/step", path("twig")), rich_batch(9)).await.text);
    answers.push(api.post(&format!("{}/step", path("twig")), rich_batch(8)).await.text);
    for query in ["limit=1000", "limit=1", "limit=2"] {
        let (mut after, mut seen) = (String::new(), vec![]);
        loop {
            let page = api.get(&format!("{}/steps?{query}{after}", path("twig"))).await.expect(200);
            seen.extend(page["steps"].as_array().unwrap().clone());
            let Some(next) = page["next"].as_u64() else { break };
            after = format!("&after={next}");
        }
        assert_eq!(seen.len(), 6, "{query}: {seen:?}");
        for (step, entry) in seen.iter().enumerate() {
            assert_eq!(entry["step"], step, "{query}");
            let recalled = api.get(&format!("{}/steps/{step}", path("twig"))).await;
            let tag = recalled.headers["etag"].to_str().unwrap();
            // The creation record stands where the branch began.
            let stands = if step == 0 { 3 } else { step };
            assert_eq!(tag, format!("\"{stands}-{}\"", entry["state"].as_str().unwrap()), "{query}");
        }
    }
    for (step, answer) in answers.iter().enumerate() {
        let recalled = api.get(&format!("{}/steps/{}", path("twig"), step + 1)).await;
        assert_eq!(&recalled.text, answer, "step {}", step + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_once_is_served_under_lower_limits() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(1 << 20));
    let over = |limits| App::over(limits, Arc::clone(&store), Arc::new(ThisMachine));
    let before = Api::of(over(Limits::default()), Router::new()).await;
    before.put("/v1/sessions/rich", rich().to_string()).await.expect(201);
    let step = before.post("/v1/sessions/rich/step", rich_batch(1)).await;
    let low = Limits {
        units: 3,
        parameters: 9,
        layers: 1,
        examples: 1,
        multiply_adds: 1,
        pass_numbers: 1,
        ..Limits::default()
    };
    let after = Api::of(over(low), Router::new()).await;
    for path in ["", "/steps/0", "/steps", "/weights"] {
        let path = format!("/v1/sessions/rich{path}");
        assert_eq!(after.get(&path).await.expect(200), before.get(&path).await.expect(200), "{path}");
    }
    assert_eq!(after.get("/v1/sessions/rich/steps/1").await.text, step.text);
    // But no more of it.
    after.post("/v1/sessions/rich/step", rich_batch(2)).await.expect(422);
    after.put("/v1/sessions/richer", rich().to_string()).await.expect(422);
}
