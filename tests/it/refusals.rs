//! Bad input gets a clear refusal, with a code for programs and a pointer to the place, and loses nothing.

use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::api::{Api, send};

/// A body for a session with one layer like this.
fn layer(fields: &str) -> String {
    format!(r#"{{"network": {{"inputs": 2, "layers": [{{"kind": "dense", {fields}}}]}}}}"#)
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_a_400() {
    let api = Api::start().await;
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    for (body, code, pointer, says) in [
        (r#"{"network":"#.into(), "malformed_json", "", "line 1"),
        ("nonsense".into(), "malformed_json", "", "line 1"),
        (r#"{"seed": 01}"#.into(), "malformed_json", "", "column"),
        (r#"{"seed": NaN}"#.into(), "malformed_json", "", "column"),
        (deep.clone(), "wrong_type", "", "an array"),
        (format!(r#"{{"network": {deep}}}"#), "wrong_type", "/network", "an array"),
        ("[]".into(), "wrong_type", "", "an array"),
        (r#"["worked-example"]"#.into(), "wrong_type", "", "an array"),
        (r#"{"network": [2, []]}"#.into(), "wrong_type", "/network", "an object was expected"),
        (r#"{"network": null}"#.into(), "wrong_type", "/network", "null"),
        (r#"{"loss": {"cross_entropy": null}}"#.into(), "wrong_type", "/loss", "a text was expected"),
        (r#"{"optimizer": {"learning_rate": null}}"#.into(), "wrong_type", "/optimizer/learning_rate", "null"),
        (layer(r#""unit": 2"#), "unknown_field", "/network/layers/0/unit", "did you mean units?"),
        (r#"{"a/b~c": 1}"#.into(), "unknown_field", "/a~1b~0c", "known are"),
        (layer(r#""units": "2""#), "wrong_type", "/network/layers/0/units", "a whole number"),
        (layer(r#""units": 2.5"#), "wrong_type", "/network/layers/0/units", "2.5"),
        (layer(r#""units": -1"#), "number_out_of_range", "/network/layers/0/units", "-1"),
        (layer(r#""units": 0"#), "number_out_of_range", "/network/layers/0/units", "1 to 65536"),
        (layer(r#""units": 1, "units": 2"#), "duplicate_field", "/network/layers/0/units", "twice"),
        (
            layer(r#""units": 1, "activation": "sigmod""#),
            "unknown_value",
            "/network/layers/0/activation",
            "did you mean sigmoid?",
        ),
        (layer(r#""units": 1, "activation": 7"#), "wrong_type", "/network/layers/0/activation", "7"),
        (layer(r#""units": 1, "bias": "yes""#), "wrong_type", "/network/layers/0/bias", "true, false"),
        (layer(r#""units": 1, "bias": [1, null]"#), "wrong_type", "/network/layers/0/bias/1", "null"),
        (layer(r#""units": 1, "bias": [1e999]"#), "number_out_of_range", "/network/layers/0/bias/0", "1e999"),
        (layer(r#""weights": [[1], [-1e400]]"#), "number_out_of_range", "/network/layers/0/weights/1/0", "-1e400"),
        (layer(r#""weights": [[1], 2]"#), "wrong_type", "/network/layers/0/weights/1", "a row of numbers"),
        (layer(r#""weights": [[1], ["x"]]"#), "wrong_type", "/network/layers/0/weights/1/0", "the text \"x\""),
        (layer(r#""units": 1, "init": "glorot""#), "unknown_value", "/network/layers/0/init", "glorot_uniform"),
        (
            layer(r#""units": 1, "init": {"kind": "normal", "std": -1}"#),
            "number_out_of_range",
            "/network/layers/0/init/std",
            "below zero",
        ),
        (
            layer(r#""units": 1, "init": {"kind": "uniform", "low": 2}"#),
            "number_out_of_range",
            "/network/layers/0/init/high",
            "lower end",
        ),
        (layer(r#""units": 1, "init": {"kind": "constant"}"#), "missing_field", "/network/layers/0/init", "value"),
        (
            layer(r#""units": 1, "init": {"kind": "constant", "value": 1e7}"#),
            "number_out_of_range",
            "/network/layers/0/init/value",
            "1000000",
        ),
        (layer(r#""units": 1, "name": "Größe""#), "invalid_name", "/network/layers/0/name", "a-z"),
        (layer(r#""activation": "tanh""#), "missing_field", "/network/layers/0", "units"),
        (r#"{"network": {"layers": []}}"#.into(), "missing_field", "/network", "inputs"),
        (
            r#"{"network": {"inputs": 1, "layers": [{"units": 1}]}}"#.into(),
            "missing_field",
            "/network/layers/0",
            "kind",
        ),
        (
            r#"{"network": {"inputs": 0, "layers": [{"kind": "dense", "units": 1}]}}"#.into(),
            "number_out_of_range",
            "/network/inputs",
            "1 to",
        ),
        ("{}".into(), "missing_field", "", "a network or a preset"),
        (
            format!(r#"{{"seed": 9007199254740992, {}"#, &layer(r#""units": 1"#)[1..]),
            "number_out_of_range",
            "/seed",
            "9007199254740991",
        ),
        (
            format!(r#"{{"optimizer": {{"learning_rate": -0.1}}, {}"#, &layer(r#""units": 1"#)[1..]),
            "number_out_of_range",
            "/optimizer/learning_rate",
            "below zero",
        ),
    ] {
        let problem = api.put("/v1/sessions/demo", &body).await.problem(400, code);
        let shown = &body[..body.len().min(120)];
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{shown}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{shown}: {problem}");
    }
    api.get("/v1/sessions/demo").await.problem(404, "session_not_found");
}

#[tokio::test]
async fn a_network_that_cannot_be_is_a_422() {
    let api = Api::start().await;
    for (body, code, pointer, says) in [
        (layer(r#""units": 3, "weights": [[1, 2], [3, 4]]"#), "wrong_shape", "/network/layers/0/weights", "[2][3], not [2][2]"),
        (layer(r#""weights": [[1, 2]]"#), "wrong_shape", "/network/layers/0/weights", "layer layer1: 2 inputs"),
        (layer(r#""weights": [[1, 2], [3]]"#), "wrong_shape", "/network/layers/0/weights/1", "row 1 has 1"),
        (layer(r#""weights": [[], []]"#), "wrong_shape", "/network/layers/0/weights", "no numbers"),
        (layer(r#""weights": [1, 2]"#), "wrong_shape", "/network/layers/0/weights", "rows"),
        (layer(r#""units": 3, "bias": [1, 2]"#), "wrong_shape", "/network/layers/0/bias", "3 units need 3 numbers in bias, not 2"),
        (layer(r#""weights": [[1], [2]], "init": "zeros""#), "conflicting_fields", "/network/layers/0/init", "weights"),
        (layer(r#""units": 1, "init": {"kind": "zeros", "mean": 1}"#), "conflicting_fields", "/network/layers/0/init/mean", "mean"),
        (r#"{"network": {"inputs": 1, "layers": []}}"#.into(), "wrong_shape", "/network/layers", "at least one"),
        (
            r#"{"network": {"inputs": 1, "layers": [{"kind": "dense", "units": 1, "name": "layer2"}, {"kind": "dense", "units": 1}]}}"#.into(),
            "duplicate_name",
            "/network/layers/1/name",
            "unique",
        ),
        (format!(r#"{{"loss": "cross_entropy", {}"#, &layer(r#""units": 3"#)[1..]), "loss_needs_softmax", "/network/layers/0/activation", "softmax"),
        (r#"{"preset": "worked-exmaple"}"#.into(), "unknown_preset", "/preset", "worked-example"),
        (r#"{"preset": "worked-example", "seed": 1}"#.into(), "conflicting_fields", "/seed", "preset"),
    ] {
        let problem = api.put("/v1/sessions/demo", &body).await.problem(422, code);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{body}: {problem}");
    }
    api.get("/v1/sessions/demo").await.problem(404, "session_not_found");
}

#[tokio::test]
async fn a_batch_that_does_not_fit_is_a_422() {
    let api = Api::start().await;
    let before = api.put("/v1/sessions/demo", r#"{"preset": "worked-example"}"#).await.expect(201);
    for (body, code, pointer, says) in [
        (
            r#"{"inputs": [[1, 2, 3]], "targets": [1]}"#,
            "wrong_shape",
            "/inputs",
            "layer hidden takes 2 inputs, and the rows have 3",
        ),
        (
            r#"{"inputs": [[1, 2]], "targets": [[1, 2]]}"#,
            "wrong_shape",
            "/targets",
            "layer output puts out 1 values, and the target rows have 2",
        ),
        (
            r#"{"inputs": [[1, 2], [3, 4]], "targets": [[1]]}"#,
            "wrong_shape",
            "/targets",
            "each input row needs its target row; there are 2 of inputs and 1 of targets",
        ),
        (r#"{"inputs": [[1, 2], [3]], "targets": [[1], [1]]}"#, "wrong_shape", "/inputs/1", "row 1 has 1"),
        (r#"{"inputs": [], "targets": [[1]]}"#, "wrong_shape", "/inputs", "no numbers"),
        (r#"{"inputs": [[]], "targets": [[1]]}"#, "wrong_shape", "/inputs", "no numbers"),
        (r#"{"inputs": [1, 2]}"#, "missing_data", "", "targets"),
        (r#"{"targets": [1]}"#, "missing_data", "", "inputs"),
    ] {
        let problem = api.post("/v1/sessions/demo/step", body).await.problem(422, code);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{body}: {problem}");
    }
    for (body, code, pointer) in [
        (r#"{"inputs": [1, [2]], "targets": [1]}"#, "wrong_type", "/inputs/1"),
        (r#"{"inputs": {"0": 1}}"#, "wrong_type", "/inputs"),
        (r#"{"inputs": [0.5, null]}"#, "wrong_type", "/inputs/1"),
        (r#"{"learning_rat": 0.1}"#, "unknown_field", "/learning_rat"),
        (r#"{"learning_rate": -1}"#, "number_out_of_range", "/learning_rate"),
        (r#"{"learning_rate": 1e999}"#, "number_out_of_range", "/learning_rate"),
    ] {
        let problem = api.post("/v1/sessions/demo/step", body).await.problem(400, code);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
    }
    assert_eq!(api.get("/v1/sessions/demo").await.expect(200), before);
}

#[tokio::test]
async fn probabilities_are_asked_for_where_a_loss_reads_them() {
    let api = Api::start().await;
    let body = r#"{"network": {"inputs": 1, "layers": [{"kind": "dense", "weights": [[1]], "bias": false}]}, "loss": "binary_cross_entropy"}"#;
    api.put("/v1/sessions/linear", body).await.expect(201);
    api.post("/v1/sessions/linear/step", r#"{"inputs": [0.5], "targets": [1]}"#).await.expect(200);
    let problem = api
        .post("/v1/sessions/linear/step", r#"{"inputs": [1.5], "targets": [1]}"#)
        .await
        .problem(422, "not_a_probability");
    assert!(problem["detail"].as_str().unwrap().contains("sigmoid"), "{problem}");
    let problem = api.post("/v1/sessions/linear/step", r#"{"inputs": [[0.5], [0.5]], "targets": [[1], [1.5]]}"#).await;
    assert_eq!(problem.problem(422, "not_a_probability")["errors"][0]["pointer"], "/targets");
    assert_eq!(api.get("/v1/sessions/linear").await.expect(200)["step"], 1);
}

/// A network whose numbers overflow somewhere, where exactly, and from what.
struct Overflow {
    layers: Value,
    loss: &'static str,
    body: Value,
    pointer: &'static str,
    layer: Value,
    value: &'static str,
    operands: Value,
    after_the_update: bool,
}

#[tokio::test]
async fn a_number_that_is_not_finite_is_named_and_changes_nothing() {
    let api = Api::start().await;
    let linear = |weights: Value| json!({"kind": "dense", "weights": weights, "bias": false});
    let operand = |name: &str, index: Value, value: f64| json!({"name": name, "index": index, "value": value});
    let cases = [
        // The second term of the sum passes the largest double.
        Overflow {
            layers: json!([linear(json!([[1e308], [1e308]]))]),
            loss: "half_squared_error",
            body: json!({"inputs": [1.0, 1.5], "targets": [0.0]}),
            pointer: "/forward/layers/0/pre_activations/0/0",
            layer: json!("layer1"),
            value: "infinity",
            operands: json!([
                operand("sum", json!([]), 1e308),
                operand("inputs", json!([0, 1]), 1.5),
                operand("weights", json!([1, 0]), 1e308)
            ]),
            after_the_update: false,
        },
        // Only in the second layer, and for the second example.
        Overflow {
            layers: json!([linear(json!([[1e200], [0.0]])), linear(json!([[-1e200]]))]),
            loss: "half_squared_error",
            body: json!({"inputs": [[0.0, 0.0], [1.0, 0.0]], "targets": [[0.0], [0.0]]}),
            pointer: "/forward/layers/1/pre_activations/1/0",
            layer: json!("layer2"),
            value: "negative_infinity",
            operands: json!([operand("inputs", json!([1, 0]), 1e200), operand("weights", json!([0, 0]), -1e200)]),
            after_the_update: false,
        },
        Overflow {
            layers: json!([linear(json!([[1.0], [0.0]]))]),
            loss: "half_squared_error",
            body: json!({"inputs": [1e200, 0.0], "targets": [0.0]}),
            pointer: "/loss/per_example/0",
            layer: Value::Null,
            value: "infinity",
            operands: json!([operand("targets", json!([0, 0]), 0.0), operand("outputs", json!([0, 0]), 1e200)]),
            after_the_update: false,
        },
        // The prediction for the right class has underflowed to 0.
        Overflow {
            layers: json!([{"kind": "dense", "weights": [[1000.0, 0.0], [0.0, 0.0]], "bias": false, "activation": "softmax"}]),
            loss: "cross_entropy",
            body: json!({"inputs": [1.0, 0.0], "targets": [0.0, 1.0]}),
            pointer: "/loss/per_example/0",
            layer: Value::Null,
            value: "infinity",
            operands: json!([
                operand("sum", json!([]), 0.0),
                operand("targets", json!([0, 1]), 1.0),
                operand("outputs", json!([0, 1]), 0.0)
            ]),
            after_the_update: false,
        },
        // Down to the layer below: 1e150 · 1e160.
        Overflow {
            layers: json!([linear(json!([[0.0], [0.0]])), linear(json!([[1e160]]))]),
            loss: "half_squared_error",
            body: json!({"inputs": [1.0, 1.0], "targets": [1e150]}),
            pointer: "/backward/layers/1/errors/0/0",
            layer: json!("layer1"),
            value: "infinity",
            operands: json!([operand("deltas", json!([0, 0]), 1e150), operand("weights", json!([0, 0]), 1e160)]),
            after_the_update: false,
        },
        Overflow {
            layers: json!([linear(json!([[0.0], [0.0]]))]),
            loss: "half_squared_error",
            body: json!({"inputs": [0.0, 1e160], "targets": [1e150]}),
            pointer: "/backward/layers/0/gradients/weights/1/0",
            layer: json!("layer1"),
            value: "negative_infinity",
            operands: json!([operand("inputs", json!([0, 1]), 1e160), operand("deltas", json!([0, 0]), 1e150)]),
            after_the_update: false,
        },
        Overflow {
            layers: json!([linear(json!([[0.0], [0.0]]))]),
            loss: "half_squared_error",
            body: json!({"inputs": [1.0, 0.0], "targets": [1e150], "learning_rate": 1e160}),
            pointer: "/update/layers/0/parameters/weights/change/0/0",
            layer: json!("layer1"),
            value: "infinity",
            operands: json!([operand("learning_rate", json!([]), 1e160), operand("gradients", json!([0, 0]), -1e150)]),
            after_the_update: false,
        },
        // The step itself is finite, and the network it leads to is not.
        Overflow {
            layers: json!([linear(json!([[0.0], [0.0]]))]),
            loss: "half_squared_error",
            body: json!({"inputs": [1e10, 0.0], "targets": [1e150], "learning_rate": 1e140}),
            pointer: "/forward/layers/0/pre_activations/0/0",
            layer: json!("layer1"),
            value: "infinity",
            operands: json!([operand("inputs", json!([0, 0]), 1e10), operand("weights", json!([0, 0]), 1e300)]),
            after_the_update: true,
        },
    ];
    for (number, case) in cases.iter().enumerate() {
        let session = format!("/v1/sessions/case{number}");
        let spec = json!({"network": {"inputs": 2, "layers": case.layers}, "loss": case.loss});
        let before = api.put(&session, spec.to_string()).await.expect(201);
        let answer = api.post(&format!("{session}/step"), case.body.to_string()).await;
        assert!(!answer.text.contains("null"), "{}", answer.text);
        let problem = answer.problem(422, "non_finite");
        let found = &problem["non_finite"];
        assert_eq!(found["pointer"], case.pointer, "{problem}");
        assert_eq!(found["layer"], case.layer, "{problem}");
        assert_eq!(found["value"], case.value, "{problem}");
        assert_eq!(found["operands"], case.operands, "{problem}");
        assert_eq!(found["after_the_update"], case.after_the_update, "{problem}");
        assert_eq!(api.get(&session).await.expect(200), before, "the session is as it was");
    }
}

#[tokio::test]
async fn no_refusal_of_the_framework_escapes() {
    let api = Api::start().await;
    api.get("/nothing").await.problem(404, "not_found");
    api.get("/docs/nothing").await.problem(404, "not_found");
    api.get("/v1/sessions/").await.problem(404, "not_found");
    api.get("/v1/sessions/demo/nothing").await.problem(404, "not_found");
    for (method, path) in [
        (Method::POST, "/v1/info"),
        (Method::DELETE, "/v1/sessions"),
        (Method::PATCH, "/v1/sessions/demo"),
        (Method::GET, "/v1/sessions/demo/step"),
        (Method::OPTIONS, "/v1/sessions/demo/step"),
        (Method::POST, "/docs/"),
    ] {
        let answer = send(api.request(method.clone(), path)).await;
        assert!(answer.headers.contains_key("allow"), "{method} {path}");
        answer.problem(405, "method_not_allowed");
    }
    for name in ["A", "-a", "a%20b", "%E2%82%AC", "a%00b", "..%2f..", &"a".repeat(64)] {
        api.get(&format!("/v1/sessions/{name}")).await.problem(400, "invalid_name");
    }
    api.get("/v1/sessions/%ff").await.problem(400, "invalid_path");
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "jsonish", "+json"] {
        let request = api.request(Method::POST, "/v1/explain").header(CONTENT_TYPE, media_type).body("{}");
        send(request).await.problem(415, "unsupported_media_type");
    }
    let compressed = api.request(Method::POST, "/v1/explain").header(CONTENT_ENCODING, "gzip").body("{}");
    send(compressed).await.problem(415, "unsupported_media_type");
}

#[tokio::test]
async fn what_a_client_sent_is_shown_and_not_sent_back_whole() {
    let api = Api::start().await;
    api.put("/v1/sessions/demo", r#"{"preset": "worked-example"}"#).await.expect(201);
    let long = "é".repeat(5_000);
    let cut = |text: &Value| {
        let text = text.as_str().unwrap();
        assert_eq!((text.chars().count(), text.ends_with('…')), (4_096, true), "{text}");
    };
    let body = json!({ &long: 1 }).to_string();
    let problem = api.put("/v1/sessions/new", body).await.problem(400, "unknown_field");
    cut(&problem["errors"][0]["pointer"]);
    let body = json!({"layers": [{"name": &long, "parameters": {}}]}).to_string();
    api.put("/v1/sessions/demo/weights", body).await.problem(400, "invalid_name");
    cut(&api.get(&format!("/{long}")).await.problem(404, "not_found")["detail"]);
    cut(&api.get(&format!("/v1/sessions/demo/weights/{long}")).await.problem(404, "layer_not_found")["detail"]);
    api.get(&format!("/v1/sessions/{long}")).await.problem(400, "invalid_name");
    for query in [format!("{long}=1"), format!("limit={long}"), format!("after={long}")] {
        let answer = api.get(&format!("/v1/sessions?{query}")).await;
        assert_eq!(answer.status, 400);
        assert!(answer.text.chars().count() < 3 * 4_096, "{}", answer.text);
    }
    // As long as it may be is shown as it is.
    let name = "k".repeat(4_095);
    let problem = api.put("/v1/sessions/new", json!({ &name: 1 }).to_string()).await.problem(400, "unknown_field");
    assert_eq!(problem["errors"][0]["pointer"], format!("/{name}"));
}
