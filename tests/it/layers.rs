//! What the layers of a deep network may be: blocks in blocks, sizes that meet, settings in their ranges. Each refusal
//! beside what is just not refused.

use chainrule::limits::{Limits, NESTING};
use serde_json::{Value, json};

use crate::api::Api;

/// A session with these layers upon two inputs.
fn session(layers: &Value) -> String {
    json!({"network": {"inputs": 2, "layers": layers}}).to_string()
}

/// So many residual blocks inside of each other, with a layer in the innermost.
fn nested(blocks: usize) -> Value {
    let inner = json!({"kind": "dense", "units": 2});
    (0..blocks).fold(inner, |inner, _| json!({"kind": "residual", "layers": [inner]}))
}

#[tokio::test]
async fn blocks_stand_so_deep_in_each_other() {
    let api = Api::start().await;
    api.put("/v1/sessions/deep", session(&json!([nested(NESTING)]))).await.expect(201);
    let batch = r#"{"inputs": [0.1, 0.2], "targets": [0, 1]}"#;
    let step = api.post("/v1/sessions/deep/step", batch).await.expect(200);
    let (up, down) = ("/layers/0".repeat(NESTING + 1), "/layers/0".repeat(NESTING + 1));
    assert_eq!(step.pointer(&format!("/forward{up}/name")).unwrap(), "layer1.1.1.1.1.1.1.1.1");
    assert_eq!(step.pointer(&format!("/update{down}/name")).unwrap(), "layer1.1.1.1.1.1.1.1.1");

    let pointer = format!("/network{}", "/layers/0".repeat(NESTING + 2));
    let answer = api.put("/v1/sessions/deeper", session(&json!([nested(NESTING + 1)]))).await;
    answer.fault(422, "network_too_large", &pointer, "at most 8 deep");
    // Beside a block of its own, not inside of it, there is room again.
    api.put("/v1/sessions/two", session(&json!([nested(NESTING), nested(NESTING)]))).await.expect(201);
    let answer = api.put("/v1/sessions/deepest", session(&json!([nested(1_000)]))).await;
    assert!((400..500).contains(&answer.status), "{}", answer.text);
}

#[tokio::test]
async fn layers_inside_of_others_count() {
    let api = Api::with(Limits { layers: 4, parameters: 10, units: 4, ..Limits::default() }).await;
    let block = |layers: Value| json!([{"kind": "residual", "layers": layers}, {"kind": "dropout"}]);
    let plain = json!({"kind": "activation", "activation": "tanh"});
    api.put("/v1/sessions/four", session(&block(json!([plain, plain])))).await.expect(201);
    let answer = api.put("/v1/sessions/five", session(&block(json!([plain, plain, plain])))).await;
    answer.fault(422, "network_too_large", "/network/layers", "at most 4 layers, those inside of others counted");
    let dense = |bias: bool| json!([{"kind": "dense", "units": 2, "bias": bias}, {"kind": "layer_norm"}]);
    api.put("/v1/sessions/parameters", session(&block(dense(true)))).await.expect(201);
    let norms = json!([{"kind": "batch_norm"}, {"kind": "residual", "layers": dense(false)}]);
    let answer = api.put("/v1/sessions/more", session(&norms)).await;
    answer.fault(422, "network_too_large", "/network", "at most 10 parameters");
    let answer = api.put("/v1/sessions/wide", session(&block(json!([{"kind": "dense", "units": 5}])))).await;
    answer.fault(422, "network_too_large", "/network/layers/0/layers/0/units", "1 to 4 units");
}

#[tokio::test]
async fn the_two_ways_of_a_block_meet() {
    let api = Api::start().await;
    let wider = json!([{"kind": "dense", "units": 3}]);
    for (block, code, pointer, says) in [
        (json!({"layers": wider}), "wrong_shape", "/shortcut", "3 units of 2"),
        (json!({"layers": wider, "shortcut": "identity"}), "wrong_shape", "/shortcut", "use shortcut projection"),
        (
            json!({"layers": wider, "shortcut": "projection", "weights": [[1, 2], [3, 4]]}),
            "wrong_shape",
            "/weights",
            "[2][3], not [2][2]",
        ),
        (json!({"layers": wider, "weights": [[1, 2, 3], [4, 5, 6]]}), "conflicting_fields", "/weights", "identity"),
        (json!({"layers": wider, "init": "zeros"}), "conflicting_fields", "/init", "identity"),
        (
            json!({"layers": wider, "shortcut": "projection", "weights": [[1, 2, 3], [4, 5, 6]], "init": "zeros"}),
            "conflicting_fields",
            "/init",
            "not drawn",
        ),
        (json!({"layers": []}), "wrong_shape", "/layers", "at least one"),
        (json!({"layers": wider, "units": 3}), "conflicting_fields", "/units", "no \"units\""),
    ] {
        let mut layer = block;
        layer["kind"] = json!("residual");
        let answer = api.put("/v1/sessions/block", session(&json!([layer]))).await;
        answer.fault(422, code, &format!("/network/layers/0{pointer}"), says);
    }
    for (name, block) in [
        ("identity", json!({"layers": [{"kind": "dense", "units": 2}]})),
        ("drawn", json!({"layers": wider, "shortcut": "projection", "init": "he_normal"})),
        ("given", json!({"layers": wider, "shortcut": "projection", "weights": [[1, 2, 3], [4, 5, 6]]})),
        // A projection may also be put where none is needed.
        ("square", json!({"layers": [{"kind": "dense", "units": 2}], "shortcut": "projection"})),
    ] {
        let mut layer = block;
        layer["kind"] = json!("residual");
        api.put(&format!("/v1/sessions/{name}"), session(&json!([layer]))).await.expect(201);
    }
    let given = api.get("/v1/sessions/given/weights/layer1").await.expect(200);
    assert_eq!(given["layers"][0]["parameters"]["weights"], json!([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]));
}

#[tokio::test]
async fn layers_have_settings_of_their_own_in_their_ranges() {
    let api = Api::start().await;
    let below_one = 1.0_f64.next_down();
    for (number, (layer, refused)) in [
        (
            json!({"kind": "dropout", "rate": 0}),
            vec![
                (400, "number_out_of_range", "rate", json!(1), "from 0 up to but not 1"),
                (400, "number_out_of_range", "rate", json!(-f64::MIN_POSITIVE), "from 0"),
                (400, "wrong_type", "rate", json!("half"), "a number"),
                (422, "conflicting_fields", "units", json!(2), "it takes rate"),
            ],
        ),
        (json!({"kind": "dropout", "rate": below_one}), vec![]),
        (
            json!({"kind": "batch_norm", "epsilon": f64::MIN_POSITIVE, "momentum": 0, "gamma": [1, 2], "beta": [0, 0]}),
            vec![
                (400, "number_out_of_range", "epsilon", json!(0), "above zero"),
                (400, "number_out_of_range", "epsilon", json!(-1e-5), "above zero"),
                (400, "number_out_of_range", "momentum", json!(-0.1), "from 0 to 1"),
                (400, "number_out_of_range", "momentum", json!(1.0_f64.next_up()), "from 0 to 1"),
                (422, "wrong_shape", "gamma", json!([1]), "2 units need 2 numbers in gamma, not 1"),
                (422, "wrong_shape", "beta", json!([1, 2, 3]), "2 units need 2 numbers in beta, not 3"),
                (422, "conflicting_fields", "bias", json!(true), "batch_norm has no"),
            ],
        ),
        (json!({"kind": "batch_norm", "momentum": 1}), vec![]),
        (
            json!({"kind": "layer_norm", "epsilon": 1e-5, "gamma": [1, 2]}),
            vec![
                (400, "number_out_of_range", "epsilon", json!(0), "above zero"),
                (422, "wrong_shape", "gamma", json!([]), "2 units need 2 numbers in gamma, not 0"),
                (422, "conflicting_fields", "momentum", json!(0.1), "layer_norm has no"),
            ],
        ),
        (
            json!({"kind": "activation", "activation": "gelu"}),
            vec![
                (400, "unknown_value", "activation", json!("glu"), "gelu"),
                (422, "conflicting_fields", "units", json!(2), "it takes activation"),
            ],
        ),
        (
            json!({"kind": "dense", "units": 2}),
            vec![
                (422, "conflicting_fields", "rate", json!(0.5), "a dense layer has no"),
                (422, "conflicting_fields", "layers", json!([{"kind": "dropout"}]), "a dense layer has no"),
                (400, "unknown_value", "kind", json!("dens"), "did you mean dense?"),
            ],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/v1/sessions/s{number}");
        for (status, code, field, value, says) in refused {
            let mut layer = layer.clone();
            layer[field] = value;
            let answer = api.put(&path, session(&json!([layer]))).await;
            answer.fault(status, code, &format!("/network/layers/0/{field}"), says);
        }
        api.put(&path, session(&json!([layer]))).await.expect(201);
    }
    for (layer, says) in [
        (json!({"kind": "activation"}), "activation"),
        (json!({"kind": "residual"}), "layers"),
        (json!({"kind": "dense"}), "units"),
    ] {
        let answer = api.put("/v1/sessions/missing", session(&json!([layer]))).await;
        answer.fault(400, "missing_field", "/network/layers/0", says);
    }
}

#[tokio::test]
async fn names_inside_of_blocks_are_unique_and_made_where_there_is_room() {
    let api = Api::start().await;
    let block = |name: &str, inner: &Value| json!({"kind": "residual", "name": name, "layers": [inner]});
    let dense = |name: &str| json!({"kind": "dense", "units": 2, "name": name});
    let answer = api.put("/v1/sessions/twice", session(&json!([dense("a"), block("b", &dense("a"))]))).await;
    answer.fault(422, "duplicate_name", "/network/layers/1/layers/0/name", "stands for /layers/0 already");
    let answer = api.put("/v1/sessions/own", session(&json!([block("a", &dense("a"))]))).await;
    answer.fault(422, "duplicate_name", "/network/layers/0/layers/0/name", "unique");
    // Two characters behind the block's own name.
    let unnamed = json!({"kind": "dense", "units": 2});
    api.put("/v1/sessions/room", session(&json!([block(&"n".repeat(61), &unnamed)]))).await.expect(201);
    let answer = api.put("/v1/sessions/none", session(&json!([block(&"n".repeat(62), &unnamed)]))).await;
    answer.fault(400, "invalid_name", "/network/layers/0/layers/0/name", "1 to 63 characters");
}

#[tokio::test]
async fn a_loss_that_reads_probabilities_asks_for_a_softmax_at_the_end() {
    let api = Api::start().await;
    let body = |layers: Value| json!({"network": {"inputs": 2, "layers": layers}, "loss": "cross_entropy"}).to_string();
    let softmax = json!({"kind": "activation", "activation": "softmax"});
    api.put("/v1/sessions/good", body(json!([{"kind": "dense", "units": 3}, softmax]))).await.expect(201);
    for last in [
        json!({"kind": "batch_norm"}),
        json!({"kind": "dropout"}),
        json!({"kind": "residual", "layers": [softmax]}),
        json!({"kind": "activation", "activation": "sigmoid"}),
    ] {
        let answer = api.put("/v1/sessions/bad", body(json!([softmax, last]))).await;
        answer.fault(422, "loss_needs_softmax", "/network/layers/1/activation", "softmax");
    }
}

#[tokio::test]
async fn running_statistics_are_replaced_where_there_are_some() {
    let api = Api::start().await;
    let layers = json!([{"kind": "dense", "units": 2}, {"kind": "residual", "layers": [{"kind": "batch_norm", "name": "norm"}]}]);
    let before = api.put("/v1/sessions/demo", session(&layers)).await.expect(201);
    let inside = |layer: Value| json!({"layers": [{"name": "layer2", "layers": [layer]}]}).to_string();
    let running =
        |mean: Value, variance: Value| inside(json!({"name": "norm", "running": {"mean": mean, "variance": variance}}));
    let at = "/layers/0/layers/0/running";
    for (body, status, code, pointer, says) in [
        (running(json!([0]), json!([1, 1])), 422, "wrong_shape", format!("{at}/mean"), "2 running means, not 1"),
        (running(json!([0, 0]), json!([1, 1, 1])), 422, "wrong_shape", format!("{at}/variance"), "not 3"),
        (
            running(json!([0, 0]), json!([1, -1e-300])),
            400,
            "number_out_of_range",
            format!("{at}/variance/1"),
            "not below zero",
        ),
        (inside(json!({"name": "norm", "running": {"mean": [0, 0]}})), 400, "missing_field", at.into(), "variance"),
        (
            json!({"layers": [{"name": "layer1", "running": {"mean": [0, 0], "variance": [1, 1]}}]}).to_string(),
            422,
            "unknown_parameter",
            "/layers/0/running".into(),
            "batch_norm alone",
        ),
    ] {
        api.put("/v1/sessions/demo/weights", &body).await.fault(status, code, &pointer, says);
    }
    assert_eq!(api.get("/v1/sessions/demo").await.expect(200), before);
    let after = api.put("/v1/sessions/demo/weights", running(json!([1, -2]), json!([0, 4]))).await.expect(200);
    assert_eq!(after["layers"][1]["layers"][0]["running"], json!({"mean": [1.0, -2.0], "variance": [0.0, 4.0]}));
    assert_ne!(after["state"], before["state"]);
}
