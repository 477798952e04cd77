//! What may be asked of the insights: limits on both sides, and every refusal with its place. That their numbers are
//! right is shown in tests/python.

use chainrule::engine::telephone::Variant;
use chainrule::limits::{Limits, PATHS, SEED_MAX};
use chainrule::session::Work;
use serde_json::{Value, json};

use crate::api::Api;

const WORKED: &str = r#"{"preset": "worked-example"}"#;

/// A server with the worked example on it.
async fn worked() -> Api {
    let api = Api::start().await;
    api.put("/v1/sessions/demo", WORKED).await.expect(201);
    api
}

fn weight(layer: &str, parameter: &str, index: &[i64]) -> Value {
    json!({"layer": layer, "parameter": parameter, "index": index})
}

#[tokio::test]
async fn a_chain_is_asked_for_a_weight_that_there_is() {
    let api = worked().await;
    let hidden = |index: &[i64]| weight("hidden", "weights", index);
    for (body, status, code, pointer, says) in [
        (json!({}), 400, "missing_field", "", "weight"),
        (json!({"weight": {"layer": "hidden", "parameter": "weights"}}), 400, "missing_field", "/weight", "index"),
        (json!({"weight": weight("hiden", "weights", &[0, 0])}), 422, "unknown_layer", "/weight/layer", "hiden"),
        (json!({"weight": weight("Hidden", "weights", &[0, 0])}), 400, "invalid_name", "/weight/layer", "a-z"),
        (json!({"weight": weight("hidden", "bias", &[0])}), 422, "unknown_parameter", "/weight/parameter", "no bias"),
        (json!({"weight": weight("hidden", "weight", &[0])}), 400, "unknown_value", "/weight/parameter", "weights"),
        (json!({"weight": hidden(&[2, 0])}), 422, "unknown_number", "/weight/index", "the shape [2][2]"),
        (json!({"weight": hidden(&[0, 2])}), 422, "unknown_number", "/weight/index", "no number at [0, 2]"),
        (json!({"weight": hidden(&[0])}), 422, "unknown_number", "/weight/index", "no number at [0]"),
        (json!({"weight": hidden(&[])}), 422, "unknown_number", "/weight/index", "no number at []"),
        (json!({"weight": hidden(&[0, 0, 0])}), 422, "unknown_number", "/weight/index", "[0, 0, 0]"),
        (json!({"weight": hidden(&[0, -1])}), 400, "number_out_of_range", "/weight/index/1", "-1"),
        (json!({"weight": hidden(&[0, 0]), "example": 1}), 422, "unknown_number", "/example", "no example 1"),
        (json!({"weight": hidden(&[0, 0]), "tops": 1}), 400, "unknown_field", "/tops", "did you mean top?"),
    ] {
        api.post("/v1/sessions/demo/chain", body.to_string()).await.fault(status, code, pointer, says);
    }
    let found = api.post("/v1/sessions/demo/chain", json!({"weight": hidden(&[1, 1])}).to_string()).await;
    assert_eq!(found.expect(200)["paths"]["count"], "1");
}

/// Four layers, so that 40·40 paths lead to a weight of the first one.
fn wide() -> String {
    let layer = |units: u64| json!({"kind": "dense", "units": units});
    let layers = [layer(40), layer(40), layer(40), layer(1)];
    json!({"network": {"inputs": 1, "layers": layers}}).to_string()
}

fn chain_of_wide(top: usize) -> String {
    json!({"inputs": [1], "targets": [1], "weight": weight("layer1", "weights", &[0, 0]), "top": top}).to_string()
}

#[tokio::test]
async fn so_many_paths_are_shown() {
    let api = Api::start().await;
    api.put("/v1/sessions/wide", wide()).await.expect(201);
    for top in [1, PATHS] {
        let found = api.post("/v1/sessions/wide/chain", chain_of_wide(top)).await.expect(200);
        assert_eq!(found["paths"]["count"], "1600");
        let shown = found["paths"]["heaviest"].as_array().unwrap();
        assert_eq!(shown.len(), top);
        let sizes: Vec<f64> = shown.iter().map(|path| path["value"].as_f64().unwrap().abs()).collect();
        assert!(sizes.is_sorted_by(|a, b| a >= b), "the heaviest first");
    }
    for top in [0, PATHS + 1] {
        let answer = api.post("/v1/sessions/wide/chain", chain_of_wide(top)).await;
        answer.fault(400, "number_out_of_range", "/top", "1 to 1000 paths");
    }
}

/// A server with this limit and the wide network on it, asked for the chain of one of its weights.
async fn chain_within(limits: Limits, top: usize) -> crate::api::Answer {
    let api = Api::with(limits).await;
    api.put("/v1/sessions/wide", wide()).await.expect(201);
    api.post("/v1/sessions/wide/chain", chain_of_wide(top)).await
}

#[tokio::test]
async fn a_search_for_paths_takes_so_much_and_is_answered_with_so_much() {
    let limits = Limits::default;
    let number = |problem: &Value, before: &str| -> u64 {
        let (_, rest) = problem["detail"].as_str().unwrap().split_once(before).unwrap();
        rest.split(' ').next().unwrap().parse().unwrap()
    };
    // Just enough for the pass itself, which is asked first.
    let problem =
        chain_within(Limits { multiply_adds: 50_000, ..limits() }, 1_000).await.problem(422, "work_too_large");
    assert_eq!(problem["errors"][0]["pointer"], "/top");
    let work = number(&problem, "would take ");
    chain_within(Limits { multiply_adds: work - 1, ..limits() }, 1_000).await.problem(422, "work_too_large");
    chain_within(Limits { multiply_adds: work, ..limits() }, 1_000).await.expect(200);

    let problem = chain_within(Limits { pass_numbers: 50_000, ..limits() }, 1_000).await.problem(422, "work_too_large");
    assert_eq!(problem["errors"][0]["pointer"], "/top");
    let numbers = number(&problem, "would keep ");
    chain_within(Limits { pass_numbers: numbers - 1, ..limits() }, 1_000).await.problem(422, "work_too_large");
    chain_within(Limits { pass_numbers: numbers, ..limits() }, 1_000).await.expect(200);

    let problem = chain_within(Limits { answer_bytes: 0, ..limits() }, 1_000).await.problem(422, "answer_too_large");
    let bytes = number(&problem, "can take ");
    chain_within(Limits { answer_bytes: bytes - 1, ..limits() }, 1_000).await.problem(422, "answer_too_large");
    let answer = chain_within(Limits { answer_bytes: bytes, ..limits() }, 1_000).await;
    assert!((answer.text.len() as u64) < bytes);
    answer.expect(200);
}

#[tokio::test]
async fn a_chain_goes_through_a_softmax() {
    let api = Api::start().await;
    let layers = json!([{"kind": "dense", "units": 4, "activation": "tanh"}, {"kind": "dense", "units": 3, "activation": "softmax"}]);
    let body = json!({"network": {"inputs": 2, "layers": layers}, "loss": "cross_entropy"});
    api.put("/v1/sessions/soft", body.to_string()).await.expect(201);
    let body =
        json!({"inputs": [0.3, -0.7], "targets": [0, 0.25, 0.75], "weight": weight("layer1", "weights", &[1, 2])});
    let found = api.post("/v1/sessions/soft/chain", body.to_string()).await.expect(200);
    // From each of three outputs to each of three pre-activations.
    assert_eq!(found["paths"]["count"], "9");
    let paths = found["paths"]["heaviest"].as_array().unwrap();
    assert_eq!(paths.len(), 9);
    let [gradient, sum] = [&found["gradient"], &found["paths"]["sum"]].map(|number| number.as_f64().unwrap());
    let all: f64 = paths.iter().map(|path| path["value"].as_f64().unwrap()).sum();
    for other in [sum, all] {
        assert!((gradient - other).abs() <= 1e-12 * gradient.abs(), "{gradient} and {other}");
    }
    let formulas: Vec<&Value> = paths[0]["factors"].as_array().unwrap().iter().map(|f| &f["formula"]).collect();
    assert!(formulas.contains(&&json!("h_k·([k = j] − h_j)")), "{formulas:?}");
}

#[tokio::test]
async fn blame_and_depth_take_a_batch_and_one_of_its_rows() {
    let api = worked().await;
    for (path, body, status, code, pointer, says) in [
        ("blame", json!({"example": 1}), 422, "unknown_number", "/example", "there is no example 1"),
        ("blame", json!({"example": -1}), 400, "number_out_of_range", "/example", "-1"),
        ("blame", json!({"inputs": [1, 2]}), 422, "missing_data", "", "targets"),
        ("blame", json!({"inputs": [1], "targets": [1]}), 422, "wrong_shape", "/inputs", "layer hidden takes 2 inputs"),
        ("blame", json!({"learning_rate": 1}), 400, "unknown_field", "/learning_rate", "known are"),
        ("depth", json!({"inputs": [1, 2]}), 422, "missing_data", "", "targets"),
        ("depth", json!({"mode": "training"}), 400, "unknown_value", "/mode", "train"),
        ("depth", json!({"example": 0}), 400, "unknown_field", "/example", "known are"),
    ] {
        let answer = api.post(&format!("/v1/sessions/demo/{path}"), body.to_string()).await;
        answer.fault(status, code, pointer, says);
    }
    api.post("/v1/sessions/demo/blame", r#"{"example": 0}"#).await.expect(200);
    api.post("/v1/sessions/demo/depth", "{}").await.expect(200);
    for path in ["chain", "blame", "depth", "gradient-check", "grade"] {
        let body = json!({"weight": weight("a", "bias", &[0]), "claim": {}});
        let body = if ["chain", "grade"].contains(&path) { body } else { json!({}) };
        let field = if path == "chain" { "claim" } else { "weight" };
        let body = body.as_object().unwrap().iter().filter(|(key, _)| *key != field);
        let body = Value::Object(body.map(|(key, value)| (key.clone(), value.clone())).collect());
        api.post(&format!("/v1/sessions/none/{path}"), body.to_string()).await.problem(404, "session_not_found");
    }
}

#[tokio::test]
async fn so_many_gradients_are_checked() {
    let api = worked().await;
    let path = "/v1/sessions/demo/gradient-check";
    for (body, checked) in [(json!({}), 6), (json!({"sample": 2_000}), 6), (json!({"sample": 2, "seed": SEED_MAX}), 2)]
    {
        let found = api.post(path, body.to_string()).await.expect(200);
        assert_eq!((&found["checked"], &found["of"]), (&json!(checked), &json!(6)));
    }
    for (body, code, pointer, says) in [
        (json!({"sample": 0}), "number_out_of_range", "/sample", "1 to 2000 parameters"),
        (json!({"sample": 2_001}), "number_out_of_range", "/sample", "not 2001"),
        (json!({"seed": SEED_MAX + 1}), "number_out_of_range", "/seed", "at most 9007199254740991"),
        (json!({"sampel": 1}), "unknown_field", "/sampel", "did you mean sample?"),
    ] {
        api.post(path, body.to_string()).await.fault(400, code, pointer, says);
    }
    let api = Api::with(Limits { checked_parameters: 3, ..Limits::default() }).await;
    api.put("/v1/sessions/demo", WORKED).await.expect(201);
    assert_eq!(api.post(path, "{}").await.expect(200)["checked"], 3);
    assert_eq!(api.post(path, r#"{"sample": 3}"#).await.expect(200)["checked"], 3);
    api.post(path, r#"{"sample": 4}"#).await.fault(400, "number_out_of_range", "/sample", "1 to 3 parameters");
}

/// Whether a request's passes are computed apart from the threads that answer requests.
async fn leaves_the_threads_that_answer(api: &Api, path: &str, body: String) -> bool {
    let compute = api.app.registry.compute();
    let before = compute.moved(Work::Pass);
    api.post(path, body).await.expect(200);
    compute.moved(Work::Pass) > before
}

#[tokio::test]
async fn work_of_many_short_passes_is_long() {
    let api = Api::start().await;
    let dense = |units: u64| json!({"kind": "dense", "units": units, "activation": "tanh"});
    let network = json!({"inputs": 2, "layers": [dense(40), dense(40), dense(1)]});
    api.put("/v1/sessions/many", json!({"network": network}).to_string()).await.expect(201);
    api.put("/v1/sessions/wide", wide()).await.expect(201);
    let batch = json!({"inputs": [1, 2], "targets": [1]});
    let with = |field: &str, value: Value| {
        let mut body = batch.clone();
        body[field] = value;
        body.to_string()
    };
    for path in ["backward", "depth", "blame"] {
        let path = format!("/v1/sessions/many/{path}");
        assert!(!leaves_the_threads_that_answer(&api, &path, batch.to_string()).await, "{path} is one pass");
    }
    let wrong = with("claim", json!({"loss": {"value": 123.456}}));
    for (path, body) in [
        ("/v1/sessions/many/gradient-check", batch.to_string()),
        ("/v1/sessions/many/grade", wrong),
        ("/v1/sessions/wide/chain", chain_of_wide(PATHS)),
    ] {
        assert!(leaves_the_threads_that_answer(&api, path, body).await, "{path} is many");
    }
}

#[tokio::test]
async fn the_telephone_game_has_so_many_layers_and_units() {
    let api = Api::start().await;
    for (body, variants) in [
        (json!({"depth": 2}), 4),
        (json!({"depth": 2, "width": 1, "seed": SEED_MAX, "variants": ["relu"]}), 1),
        (json!({"depth": 300, "width": 2, "variants": ["residual", "batch_norm"]}), 2),
        (json!({"depth": 2, "width": 1024, "variants": ["sigmoid"]}), 1),
    ] {
        let played = api.post("/v1/depth", body.to_string()).await.expect(200);
        let played = played["variants"].as_array().unwrap();
        assert_eq!(played.len(), variants);
        assert!(played.iter().all(|variant| json!(variant["layers"].as_array().unwrap().len()) == body["depth"]));
    }
    let range = "number_out_of_range";
    let five = Variant::ALL.into_iter().chain([Variant::Relu]).collect::<Vec<_>>();
    for (body, status, code, pointer, says) in [
        (json!({}), 400, "missing_field", "", "depth"),
        (json!({"depth": 1}), 400, range, "/depth", "from 2 to 300"),
        (json!({"depth": 301}), 400, range, "/depth", "this one is 301"),
        (json!({"depth": 2.5}), 400, "wrong_type", "/depth", "2.5"),
        (json!({"depth": 2, "width": 0}), 400, range, "/width", "from 1 to 1024"),
        (json!({"depth": 2, "width": 1_025}), 400, range, "/width", "this one is 1025"),
        (json!({"depth": 2, "seed": SEED_MAX + 1}), 400, range, "/seed", "at most 9007199254740991"),
        (json!({"depth": 2, "variants": []}), 422, "wrong_shape", "/variants", "1 to 4 variants"),
        (json!({"depth": 2, "variants": five}), 422, "wrong_shape", "/variants", "not 5"),
        (
            json!({"depth": 2, "variants": ["relu", "sigmoid", "relu"]}),
            422,
            "wrong_shape",
            "/variants/2",
            "stands twice",
        ),
        (json!({"depth": 2, "variants": ["rule"]}), 400, "unknown_value", "/variants/0", "did you mean relu?"),
        (json!({"depth": 2, "inputs": [1]}), 400, "unknown_field", "/inputs", "known are"),
    ] {
        api.post("/v1/depth", body.to_string()).await.fault(status, code, pointer, says);
    }
}

#[tokio::test]
async fn a_game_keeps_to_the_limits_of_networks() {
    let api = Api::with(Limits { parameters: 1_000, ..Limits::default() }).await;
    api.post("/v1/depth", r#"{"depth": 10}"#).await.fault(422, "network_too_large", "/width", "parameters");
    api.post("/v1/depth", r#"{"depth": 10, "width": 4}"#).await.expect(200);
    let api = Api::with(Limits { layers: 20, ..Limits::default() }).await;
    let game = |depth: u64| json!({"depth": depth, "width": 2, "variants": ["batch_norm"]}).to_string();
    api.post("/v1/depth", game(8)).await.fault(422, "network_too_large", "/depth", "20");
    api.post("/v1/depth", game(7)).await.expect(200);
    let api = Api::with(Limits { units: 8, ..Limits::default() }).await;
    api.post("/v1/depth", r#"{"depth": 3}"#).await.fault(422, "network_too_large", "/width", "8");
}

#[tokio::test]
async fn a_fading_too_far_is_said_and_not_shown_as_zero() {
    let api = Api::start().await;
    let layer = |weight: f64| json!({"kind": "dense", "weights": [[weight]], "bias": false});
    let depth = async |name: &str, lowest_but_one: f64| {
        let layers = [layer(1.0), layer(lowest_but_one), layer(1e-160)];
        let body = json!({"network": {"inputs": 1, "layers": layers}}).to_string();
        api.put(&format!("/v1/sessions/{name}"), body).await.expect(201);
        api.post(&format!("/v1/sessions/{name}/depth"), r#"{"inputs": [1], "targets": [1]}"#).await
    };
    let found = depth("small", 1e-146).await.expect(200);
    assert_eq!(found["layers"][2]["mean_abs_delta"], 1e-160 * 1e-146);
    for (name, weight) in [("smaller", 1e-148), ("nothing", 1e-170)] {
        let problem = depth(name, weight).await.problem(422, "underflow");
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.contains("errors[0, 0] of layer layer1 is other than 0, but too small for a double"),
            "{detail}"
        );
    }
    // A bias's gradient is a row: two examples whose deltas have all digits, and whose mean has not.
    let network = json!({"inputs": 1, "layers": [{"kind": "dense", "units": 2, "weights": [[1, 1]], "bias": [0, 0]}]});
    let inputs = json!([[0], [0]]);
    let targets = json!([[1, 4e-308], [1, -3.9e-308]]);
    api.put("/v1/sessions/bias", json!({"network": network}).to_string()).await.expect(201);
    let batch = json!({"inputs": inputs, "targets": targets}).to_string();
    let problem = api.post("/v1/sessions/bias/depth", batch).await.problem(422, "underflow");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("gradients/bias[1] of layer layer1 is other than 0, but too small"), "{detail}");
}

#[test]
fn no_step_has_more_mistakes_than_passes_are_counted() {
    use chainrule::engine::loss::Loss;
    use chainrule::engine::mode::Mode;
    use chainrule::engine::model::Model;
    use chainrule::engine::optimizer::{Algorithm, Moments, Momentum, Optimizer};
    use chainrule::engine::pass::Pass;
    use chainrule::engine::telephone::{Telephone, Variant};
    use chainrule::insight::grade::ways;
    use chainrule::limits::GRADE_PASSES;

    let limits = Limits::default();
    let game = Telephone { depth: 3, width: 2, seed: chainrule::engine::spec::Seed::default() };
    let adam = Algorithm::Adam(Moments { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 });
    let momentum = Algorithm::Sgd { momentum: Some(Momentum { factor: 0.9, nesterov: true }) };
    let mut most = 0;
    for variant in Variant::ALL {
        for loss in Loss::ALL {
            for algorithm in [Algorithm::Sgd { momentum: None }, momentum, adam] {
                let mut spec = game.model(variant);
                spec.loss = *loss;
                spec.optimizer = Optimizer { algorithm, weight_decay: 0.1, ..spec.optimizer };
                // Not every loss goes with every network.
                let Ok(model) = Model::new(spec, &limits) else { continue };
                let (inputs, targets) = game.data();
                let inputs = model.check_inputs(inputs, Mode::Train, &limits).unwrap();
                let Ok(targets) = model.check_targets(&inputs, targets) else { continue };
                let state = model.start();
                let pass =
                    Pass { model: &model, state: &state, inputs: &inputs, mode: Mode::Train, learning_rate: None };
                most = most.max(ways(&pass, &targets, &limits));
            }
        }
    }
    // And the pass that is right. Cross-entropy has two ways more and three fewer.
    assert!(most > 40, "{most}");
    assert!((most as u64) < GRADE_PASSES, "{most}");
}
