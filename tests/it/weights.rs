//! Parameters read and replaced.

use serde_json::{Value, json};

use crate::api::Api;
use crate::sessions::{deep, seven};

#[tokio::test]
async fn what_was_read_can_be_put_back() {
    let api = Api::start().await;
    api.put("/v1/sessions/demo", deep().to_string()).await.expect(201);
    let first = api.get("/v1/sessions/demo/weights").await.expect(200);
    let step = api.post("/v1/sessions/demo/step", seven().to_string()).await.expect(200);
    let second = api.get("/v1/sessions/demo/weights").await.expect(200);
    assert_ne!(second["state"], first["state"]);

    let back = api.put("/v1/sessions/demo/weights", first.to_string()).await.expect(200);
    assert_eq!((&back["layers"], &back["state"]), (&first["layers"], &first["state"]), "to the bit");
    assert_eq!(back["step"], 2, "a replacement is a change like any other");
    let again = api.post("/v1/sessions/demo/step", seven().to_string()).await.expect(200);
    assert_eq!((&again["update"], &again["step"]), (&step["update"], &json!(3)));
}

#[tokio::test]
async fn one_layer_is_read_and_replaced_alone() {
    let api = Api::start().await;
    api.put("/v1/sessions/demo", deep().to_string()).await.expect(201);
    let whole = api.get("/v1/sessions/demo/weights").await.expect(200);
    let middle = api.get("/v1/sessions/demo/weights/middle").await.expect(200);
    assert_eq!(middle["layers"], json!([whole["layers"][1]]));
    assert_eq!(middle["state"], whole["state"]);

    let zeros = vec![vec![0.0; 20]; 30];
    let body = json!({"layers": [{"name": "middle", "parameters": {"weights": zeros}}]});
    let answer = api.put("/v1/sessions/demo/weights/middle", body.to_string()).await.expect(200);
    assert_eq!(answer["layers"], json!([{"name": "middle", "kind": "dense", "parameters": {"weights": zeros}}]));
    let after = api.get("/v1/sessions/demo/weights").await.expect(200);
    assert_eq!(after["layers"][1]["parameters"]["weights"], json!(zeros));
    for other in [0, 2] {
        assert_eq!(after["layers"][other], whole["layers"][other], "the others stay");
    }
    api.get("/v1/sessions/demo/weights/nothing").await.problem(404, "layer_not_found");
    api.put("/v1/sessions/demo/weights/nothing", body.to_string()).await.problem(404, "layer_not_found");
    let problem = api.put("/v1/sessions/demo/weights/layer1", body.to_string()).await.problem(422, "unknown_layer");
    assert_eq!(problem["errors"][0]["pointer"], "/layers/0/name");
}

#[tokio::test]
async fn a_wrong_replacement_changes_nothing() {
    let api = Api::start().await;
    let before = api.put("/v1/sessions/demo", deep().to_string()).await.expect(201);
    let bias = |count: usize| json!({"bias": vec![0.5; count]});
    let layers = |layers: Value| json!({"layers": layers}).to_string();
    for (body, code, pointer, says) in [
        (
            layers(json!([{"name": "nix", "parameters": {}}])),
            "unknown_layer",
            "/layers/0/name",
            "layer1, middle, layer3",
        ),
        (
            layers(json!([{"name": "layer1", "parameters": bias(30)}, {"name": "layer3", "parameters": bias(9)}])),
            "wrong_shape",
            "/layers/1/parameters/bias",
            "layer3 needs bias of shape [10], not [9]",
        ),
        (
            layers(json!([{"name": "middle", "parameters": bias(20)}])),
            "unknown_parameter",
            "/layers/0/parameters/bias",
            "middle has no bias",
        ),
        (
            layers(json!([{"name": "middle", "parameters": {"weights": [[1.0]]}}])),
            "wrong_shape",
            "/layers/0/parameters/weights",
            "middle needs weights of shape [30][20], not [1][1]",
        ),
        (
            layers(json!([{"name": "middle", "parameters": {"weights": [1.0]}}])),
            "wrong_shape",
            "/layers/0/parameters/weights",
            "rows",
        ),
        (
            layers(json!([{"name": "layer1", "parameters": {}}, {"name": "layer1", "parameters": {}}])),
            "duplicate_name",
            "/layers/1/name",
            "twice",
        ),
        (layers(json!([])), "wrong_shape", "/layers", "at least one"),
    ] {
        let problem = api.put("/v1/sessions/demo/weights", &body).await.problem(422, code);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    }
    let unlike_an_answer = [
        (json!({"state": "0", "layers": []}), "unknown_value", "/state"),
        (json!({"session": "Not a name", "layers": []}), "unknown_value", "/session"),
        (json!({"step": 9_007_199_254_740_992_u64, "layers": []}), "number_out_of_range", "/step"),
    ];
    for (body, code, pointer) in unlike_an_answer {
        let problem = api.put("/v1/sessions/demo/weights", &body.to_string()).await.problem(400, code);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
    }
    api.put("/v1/sessions/demo/weights", "{}").await.problem(400, "missing_field");
    assert_eq!(api.get("/v1/sessions/demo").await.expect(200), before);
}
