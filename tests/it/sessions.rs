//! Sessions made, listed, shown, deleted; and passes that change what they should and nothing else.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::api::{Api, send};

const WORKED: &str = r#"{"preset": "worked-example"}"#;

/// A network as no example has it: four layers, different activations, a bias here and there.
pub fn deep() -> Value {
    json!({
        "network": {"inputs": 40, "layers": [
            {"kind": "dense", "units": 30, "activation": "tanh"},
            {"kind": "dense", "name": "middle", "units": 20, "activation": "relu", "bias": false, "init": "he_normal"},
            {"kind": "dense", "units": 10, "activation": "softmax", "init": {"kind": "normal", "std": 0.1}}]},
        "loss": "cross_entropy",
        "optimizer": {"kind": "sgd", "learning_rate": 0.05},
        "seed": 42
    })
}

/// Seven examples for it.
pub fn seven() -> Value {
    let inputs: Vec<Vec<f64>> =
        (0..7).map(|n| (0..40).map(|i| f64::from(n * 40 + i) / 100.0 - 1.4).collect()).collect();
    let one_hot = |n: usize| (0..10).map(|k| if k == n { 1.0 } else { 0.0 }).collect::<Vec<f64>>();
    json!({"inputs": inputs, "targets": (0..7).map(one_hot).collect::<Vec<_>>()})
}

#[tokio::test]
async fn a_session_lives() {
    let api = Api::start().await;
    let answer = api.put("/v1/sessions/demo", deep().to_string()).await;
    assert_eq!(answer.headers["location"], "/v1/sessions/demo");
    let created = answer.expect(201);
    assert_eq!(created["parameters"], 40 * 30 + 30 + 30 * 20 + 20 * 10 + 10);
    assert_eq!(
        (&created["step"], &created["seed"], &created["loss"]),
        (&json!(0), &json!(42), &json!("cross_entropy"))
    );
    assert_eq!(created["network"]["layers"][1]["init"], json!({"kind": "he_normal"}));
    assert_eq!(created["network"]["layers"][2]["name"], "layer3");
    assert_eq!(api.get("/v1/sessions/demo").await.expect(200), created);

    let step = api.post("/v1/sessions/demo/step", seven().to_string()).await.expect(200);
    assert_eq!(step["step"], 1);
    assert_eq!(step["forward"]["outputs"].as_array().unwrap().len(), 7);
    assert!(step["update"]["loss_after"].as_f64() < step["loss"]["value"].as_f64());
    let shown = api.get("/v1/sessions/demo").await.expect(200);
    assert_eq!(shown["step"], 1);
    assert_ne!(shown["state"], created["state"]);

    assert_eq!(api.delete("/v1/sessions/demo").await.status, 204);
    api.get("/v1/sessions/demo").await.problem(404, "session_not_found");
    api.delete("/v1/sessions/demo").await.problem(404, "session_not_found");
    let again = api.put("/v1/sessions/demo", deep().to_string()).await.expect(201);
    assert_eq!(again, created, "the same body starts at the same bits");
}

#[tokio::test]
async fn creating_again_is_the_same_session_or_a_conflict() {
    let api = Api::start().await;
    api.put("/v1/sessions/demo", WORKED).await.expect(201);
    api.post("/v1/sessions/demo/step", "{}").await.expect(200);
    let again = api.put("/v1/sessions/demo", WORKED).await.expect(200);
    assert_eq!(again["step"], 1, "the session as it stands");
    api.put("/v1/sessions/demo", deep().to_string()).await.problem(409, "name_in_use");
    assert_eq!(api.get("/v1/sessions/demo").await.expect(200), again, "a refusal changes nothing");

    // A default that is written out is still the same body.
    let short = json!({"network": {"inputs": 1, "layers": [{"kind": "dense", "units": 1}]}});
    let long = json!({"network": {"inputs": 1, "layers": [
            {"kind": "dense", "name": "layer1", "units": 1, "activation": "linear", "bias": true, "init": "glorot_uniform"}]},
        "loss": "half_squared_error", "optimizer": {"kind": "sgd", "learning_rate": 0.1}, "seed": 0});
    api.put("/v1/sessions/defaults", short.to_string()).await.expect(201);
    let shown = api.put("/v1/sessions/defaults", long.to_string()).await.expect(200);
    assert_eq!(shown["optimizer"], json!({"kind": "sgd", "learning_rate": 0.1}));

    // What is shown can be sent back.
    let body = json!({"network": shown["network"], "loss": shown["loss"], "optimizer": shown["optimizer"], "seed": shown["seed"]});
    api.put("/v1/sessions/defaults", body.to_string()).await.expect(200);
}

#[tokio::test]
async fn a_name_is_made_up() {
    let api = Api::start().await;
    let first = api.post("/v1/sessions", WORKED).await;
    let location = first.headers["location"].to_str().unwrap().to_owned();
    let name = first.expect(201)["name"].as_str().unwrap().to_owned();
    assert_eq!(location, format!("/v1/sessions/{name}"));
    let second = api.post("/v1/sessions", WORKED).await.expect(201);
    assert_ne!(second["name"], name.as_str());
    api.post(&format!("{location}/step"), "{}").await.expect(200);
}

#[tokio::test]
async fn a_listing_goes_on_where_it_stopped() {
    let api = Api::start().await;
    assert_eq!(api.get("/v1/sessions").await.expect(200), json!({"sessions": [], "next": null}));
    for name in ["c", "a", "e", "b", "d"] {
        api.put(&format!("/v1/sessions/{name}"), WORKED).await.expect(201);
    }
    let names = |page: &Value| {
        page["sessions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let first = api.get("/v1/sessions?limit=2").await.expect(200);
    assert_eq!((names(&first), &first["next"]), (vec!["a".into(), "b".into()], &json!("b")));
    let second = api.get("/v1/sessions?limit=2&after=b").await.expect(200);
    assert_eq!((names(&second), &second["next"]), (vec!["c".into(), "d".into()], &json!("d")));
    let third = api.get("/v1/sessions?limit=2&after=d").await.expect(200);
    assert_eq!((names(&third), &third["next"]), (vec!["e".into()], &Value::Null));
    let whole = api.get("/v1/sessions?limit=5").await.expect(200);
    assert_eq!((names(&whole).len(), &whole["next"]), (5, &Value::Null), "a full page that is the last one");
    api.get("/v1/sessions?after=A").await.problem(400, "invalid_name");
}

#[tokio::test]
async fn forward_and_backward_change_nothing() {
    let api = Api::start().await;
    let before = api.put("/v1/sessions/demo", deep().to_string()).await.expect(201);
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(["forward", "backward"].map(|pass| format!("/v1/sessions/demo/{pass}")));
    }
    let mut texts = Vec::new();
    for path in answers.concat() {
        texts.push(api.post(&path, seven().to_string()).await.text);
    }
    assert_eq!((&texts[0], &texts[1]), (&texts[4], &texts[5]), "the same bytes every time");
    assert_eq!(api.get("/v1/sessions/demo").await.expect(200), before);
    let backward: Value = serde_json::from_str(&texts[1]).unwrap();
    assert_eq!(backward["step"], 0);
    assert!(backward["update"].get("loss_after").is_none());
    let step = api.post("/v1/sessions/demo/step", seven().to_string()).await.expect(200);
    for part in ["forward", "loss", "backward"] {
        assert_eq!(step[part], backward[part], "backward shows what a step does");
    }
    assert_eq!(step["update"]["layers"], backward["update"]["layers"]);
}

#[tokio::test]
async fn a_step_goes_on_from_the_one_before() {
    let api = Api::start().await;
    api.put("/v1/sessions/demo", deep().to_string()).await.expect(201);
    let mut after = None;
    for number in 1..=4 {
        let step = api.post("/v1/sessions/demo/step", seven().to_string()).await.expect(200);
        assert_eq!(step["step"], number);
        if let Some(after) = after {
            let used: Vec<&Value> =
                step["forward"]["layers"].as_array().unwrap().iter().map(|l| &l["parameters"]).collect();
            assert_eq!(json!(used), after);
        }
        let updates = step["update"]["layers"].as_array().unwrap().iter().rev();
        let parameters = updates.map(|layer| {
            let named = layer["parameters"].as_object().unwrap().iter();
            named.map(|(name, update)| (name.clone(), update["after"].clone())).collect::<serde_json::Map<_, _>>()
        });
        after = Some(json!(parameters.collect::<Vec<_>>()));
    }
}

#[tokio::test]
async fn a_learning_rate_counts_for_one_call() {
    let api = Api::start().await;
    api.put("/v1/sessions/demo", WORKED).await.expect(201);
    let usual = api.post("/v1/sessions/demo/backward", "{}").await.expect(200);
    let double = api.post("/v1/sessions/demo/backward", r#"{"learning_rate": 1.0}"#).await.expect(200);
    assert_eq!(double["update"]["optimizer"], json!({"kind": "sgd", "learning_rate": 1.0}));
    let change =
        |trace: &Value| trace["update"]["layers"][0]["parameters"]["weights"]["change"][0][0].as_f64().unwrap();
    assert_eq!(change(&double), 2.0 * change(&usual), "doubling is exact");
    let still = api.post("/v1/sessions/demo/step", r#"{"learning_rate": 0}"#).await.expect(200);
    assert_eq!(still["loss"]["value"], still["update"]["loss_after"], "a rate of 0 changes nothing");
    assert_eq!(still["step"], 1, "and is a step all the same");
    assert_eq!(api.get("/v1/sessions/demo").await.expect(200)["optimizer"]["learning_rate"], 0.5);
}

#[tokio::test]
async fn one_row_is_a_batch_of_one() {
    let api = Api::start().await;
    api.put("/v1/sessions/demo", WORKED).await.expect(201);
    let flat = api.post("/v1/sessions/demo/backward", r#"{"inputs": [0.5, 0.3], "targets": [1]}"#).await;
    let nested = api.post("/v1/sessions/demo/backward", r#"{"inputs": [[0.5, 0.3]], "targets": [[1.0]]}"#).await;
    let own = api.post("/v1/sessions/demo/backward", "{}").await;
    assert_eq!((&flat.text, &flat.text), (&nested.text, &own.text));
    let forward = api.post("/v1/sessions/demo/forward", r#"{"inputs": [0.5, 0.3]}"#).await.expect(200);
    assert!(forward.get("loss").is_none(), "without targets there is no loss");
    assert!(forward.get("backward").is_none() && forward.get("update").is_none());
}

#[tokio::test]
async fn a_body_may_be_empty_and_needs_no_content_type() {
    let api = Api::start().await;
    api.put("/v1/sessions/demo", WORKED).await.expect(201);
    let step = || api.request(Method::POST, "/v1/sessions/demo/step");
    assert_eq!(send(step()).await.expect(200)["step"], 1);
    assert_eq!(send(step().body("{}")).await.expect(200)["step"], 2);
    let with_charset = step().header(CONTENT_TYPE, "application/json; charset=utf-8").body("  ");
    assert_eq!(send(with_charset).await.expect(200)["step"], 3);
}

#[tokio::test]
async fn less_of_a_trace_can_be_asked_for() {
    let api = Api::start().await;
    api.put("/v1/sessions/demo", deep().to_string()).await.expect(201);
    let full = api.post("/v1/sessions/demo/backward", seven().to_string()).await.expect(200);
    let summary = api.post("/v1/sessions/demo/backward?trace=summary", seven().to_string()).await.expect(200);
    assert_eq!(summary["loss"]["value"], full["loss"]["value"]);
    assert_eq!(summary["forward"], json!({"outputs": full["forward"]["outputs"]}));
    for (layer, short) in
        full["backward"]["layers"].as_array().unwrap().iter().zip(summary["backward"]["layers"].as_array().unwrap())
    {
        let squares = crate::api::numbers(&layer["gradients"]).iter().map(|(_, g)| g * g).sum::<f64>();
        let norm = short["gradient_norm"].as_f64().unwrap();
        assert!((norm - squares.sqrt()).abs() <= 1e-14 * norm, "{norm}");
    }
    let none = api.post("/v1/sessions/demo/step?trace=none", seven().to_string()).await.expect(200);
    let keys: Vec<_> = none.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["format", "loss", "session", "step", "update"]);
    assert!(none["update"]["loss_after"].as_f64() < none["loss"]["value"].as_f64());
    api.post("/v1/sessions/demo/step?trace=some", "{}").await.problem(400, "unknown_value");
}

#[tokio::test]
async fn explaining_is_the_first_step_of_a_session_that_is_not_kept() {
    let api = Api::start().await;
    let mut body = deep();
    body.as_object_mut().unwrap().extend(seven().as_object().unwrap().clone());
    let explained = api.post("/v1/explain", body.to_string()).await.expect(200);
    api.put("/v1/sessions/demo", deep().to_string()).await.expect(201);
    let mut step = api.post("/v1/sessions/demo/step", seven().to_string()).await.expect(200);
    step.as_object_mut().unwrap().retain(|key, _| key != "session" && key != "step");
    assert_eq!(explained, step);
    assert_eq!(api.get("/v1/sessions").await.expect(200)["sessions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn presets_are_shown_as_they_are_used() {
    let api = Api::start().await;
    let list = api.get("/v1/presets").await.expect(200);
    assert_eq!(list["presets"][0]["name"], "worked-example");
    for preset in list["presets"].as_array().unwrap() {
        let name = preset["name"].as_str().unwrap();
        let shown = api.get(&format!("/v1/presets/{name}")).await.expect(200);
        let created = api.put(&format!("/v1/sessions/{name}"), json!({"preset": name}).to_string()).await.expect(201);
        for field in ["network", "loss", "optimizer", "seed", "data"] {
            assert_eq!(shown[field], created[field], "{field} of {name}");
        }
        api.post(&format!("/v1/sessions/{name}/step"), "{}").await.expect(200);
    }
    api.get("/v1/presets/nothing").await.problem(404, "preset_not_found");
}

#[tokio::test]
async fn operators_are_answered() {
    let api = Api::start().await;
    for path in ["/livez", "/readyz"] {
        assert_eq!(api.get(path).await.expect(200), json!({"status": "ok"}));
    }
    let info = api.get("/v1/info").await.expect(200);
    assert_eq!(
        (&info["name"], &info["trace"], &info["store"]),
        (&json!("chainrule"), &json!("chainrule.trace/1"), &json!("memory"))
    );
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(info["limits"]["parameters"], 2_000_000);
}
