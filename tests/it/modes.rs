//! Training and use: what each pass does if it is not told, and what of it stays.

use serde_json::{Value, json};

use crate::api::Api;

const BATCH: &str = r#"{"inputs": [[0.1, 0.2], [0.3, -0.4], [1, 0.5]], "targets": [[0, 1], [1, 0], [0, 0]]}"#;

/// Dropout and a batch normalization, the latter inside of a block.
fn both() -> String {
    let layers = json!([
        {"kind": "dropout", "name": "drop"},
        {"kind": "residual", "name": "block", "layers": [{"kind": "batch_norm", "name": "norm"}]},
        {"kind": "dense", "units": 2}]);
    json!({"network": {"inputs": 2, "layers": layers}}).to_string()
}

fn with_mode(body: &str, mode: &str) -> String {
    let mut body: Value = serde_json::from_str(body).unwrap();
    body["mode"] = json!(mode);
    body.to_string()
}

#[track_caller]
fn is_of(trace: &Value, mode: &str) {
    let layers = &trace["forward"]["layers"];
    let train = mode == "train";
    assert_eq!(layers[0].get("mask").is_some(), train, "{trace}");
    let statistics = if train { "batch" } else { "running" };
    assert_eq!(layers[1]["layers"][0]["statistics"], statistics, "{trace}");
    if let Some(update) = trace.get("update") {
        assert_eq!(update["layers"][1]["layers"][0].get("running").is_some(), train, "{trace}");
    }
}

#[tokio::test]
async fn forward_is_use_and_the_others_are_training_unless_told() {
    let api = Api::start().await;
    let before = api.put("/v1/sessions/demo", both()).await.expect(201);
    for (pass, usual) in [("forward", "eval"), ("backward", "train")] {
        let path = format!("/v1/sessions/demo/{pass}");
        let untold = api.post(&path, BATCH).await;
        for mode in ["train", "eval"] {
            let told = api.post(&path, with_mode(BATCH, mode)).await;
            assert_eq!(told.text == untold.text, mode == usual, "{pass} {mode}");
            is_of(&told.expect(200), mode);
        }
        for (mode, code, says) in [(json!("test"), "unknown_value", "train"), (json!(null), "wrong_type", "null")] {
            let body = json!({"inputs": [0, 0], "targets": [0, 0], "mode": mode}).to_string();
            api.post(&path, body).await.fault(400, code, "/mode", says);
        }
    }
    assert_eq!(api.get("/v1/sessions/demo").await.expect(200), before, "none of these leaves anything");
    is_of(&api.post("/v1/sessions/demo/step", BATCH).await.expect(200), "train");
    let mut explained: Value = serde_json::from_str(&both()).unwrap();
    explained.as_object_mut().unwrap().extend(serde_json::from_str::<serde_json::Map<_, _>>(BATCH).unwrap());
    for (body, mode) in [(explained.to_string(), "train"), (with_mode(&explained.to_string(), "eval"), "eval")] {
        is_of(&api.post("/v1/explain", body).await.expect(200), mode);
    }
}

/// The running statistics, which the shown weights bring along.
async fn running(api: &Api) -> Value {
    let shown = api.get("/v1/sessions/demo/weights/norm").await.expect(200);
    shown["layers"][0]["running"].clone()
}

#[tokio::test]
async fn running_statistics_follow_steps_of_training_alone() {
    let api = Api::start().await;
    let created = api.put("/v1/sessions/demo", both()).await.expect(201);
    let start = json!({"mean": [0.0, 0.0], "variance": [1.0, 1.0]});
    assert_eq!(running(&api).await, start);
    for pass in ["forward", "backward"] {
        api.post(&format!("/v1/sessions/demo/{pass}"), with_mode(BATCH, "train")).await.expect(200);
    }
    let eval = api.post("/v1/sessions/demo/step", with_mode(BATCH, "eval")).await.expect(200);
    assert_eq!(running(&api).await, start, "a step of use changes parameters alone");
    let state = api.get("/v1/sessions/demo").await.expect(200)["state"].clone();
    assert!(eval["step"] == 1 && state != created["state"]);

    let trained = api.post("/v1/sessions/demo/step", BATCH).await.expect(200);
    let update = &trained["update"]["layers"][1]["layers"][0]["running"];
    let after = running(&api).await;
    for statistic in ["mean", "variance"] {
        assert_eq!(update[statistic]["before"], start[statistic]);
        assert_eq!(update[statistic]["after"], after[statistic]);
        assert_ne!(after[statistic], start[statistic]);
    }
    let used = api.post("/v1/sessions/demo/forward", BATCH).await.expect(200);
    let norm = &used["forward"]["layers"][1]["layers"][0];
    assert_eq!((&norm["mean"], &norm["variance"]), (&after["mean"], &after["variance"]));
}

#[tokio::test]
async fn a_mask_is_drawn_anew_for_every_step_and_the_same_for_every_look() {
    let api = Api::start().await;
    let layers = json!([{"kind": "dropout"}, {"kind": "dense", "units": 2}]);
    let body = json!({"network": {"inputs": 20, "layers": layers}}).to_string();
    api.put("/v1/sessions/demo", &body).await.expect(201);
    let batch = json!({"inputs": vec![1.0; 20], "targets": [0.5, 0.5]}).to_string();
    let mask = |trace: &Value| trace["forward"]["layers"][0]["mask"].clone();
    let mut masks = Vec::new();
    for _ in 0..4 {
        let looked = api.post("/v1/sessions/demo/backward", &batch).await.expect(200);
        let forward = api.post("/v1/sessions/demo/forward", with_mode(&batch, "train")).await.expect(200);
        let stepped = api.post("/v1/sessions/demo/step", &batch).await.expect(200);
        assert_eq!((mask(&looked), mask(&forward)), (mask(&stepped), mask(&stepped)));
        assert!(!masks.contains(&mask(&stepped)), "one of a million masks came twice");
        masks.push(mask(&stepped));
    }
}

#[tokio::test]
async fn one_example_has_no_statistics_of_its_own() {
    let api = Api::start().await;
    let before = api.put("/v1/sessions/demo", both()).await.expect(201);
    let [one, two] =
        [vec![[0.5, 0.3]; 1], vec![[0.5, 0.3]; 2]].map(|rows| json!({"inputs": rows, "targets": rows}).to_string());
    for (pass, body) in [
        ("step", one.clone()),
        ("backward", one.clone()),
        ("forward", with_mode(&one, "train")),
        ("backward", r#"{"inputs": [0.5, 0.3], "targets": [1, 0]}"#.into()),
    ] {
        let answer = api.post(&format!("/v1/sessions/demo/{pass}"), body).await;
        answer.fault(422, "batch_too_small", "/inputs", "layer norm takes mean and variance over the batch");
    }
    assert_eq!(api.get("/v1/sessions/demo").await.expect(200), before);
    for (pass, body) in [
        ("forward", one.clone()),
        ("backward", with_mode(&one, "eval")),
        ("step", with_mode(&one, "eval")),
        ("forward", with_mode(&two, "train")),
        ("step", two),
    ] {
        api.post(&format!("/v1/sessions/demo/{pass}"), body).await.expect(200);
    }
    // A row has statistics of its own.
    let body = both().replace("batch_norm", "layer_norm");
    api.put("/v1/sessions/rows", body).await.expect(201);
    api.post("/v1/sessions/rows/step", one).await.expect(200);
}
