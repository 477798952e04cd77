//! Training runs make their steps without a trace, and each of them is the step that `step` makes of the same batch, to
//! the bit.

use rstest::rstest;
use serde_json::{Value, json};

use crate::api::Api;

const STEPS: u64 = 23;

type Rows = (Vec<Vec<f64>>, Vec<Vec<f64>>);

/// The last target makes a row of three a probability each.
fn rows(count: usize, outputs: usize) -> Rows {
    let input = |row: usize, x: usize| f64::from(u32::try_from((row * 7 + x * 5) % 13).unwrap()) / 6.5 - 1.0;
    let inputs = (0..count).map(|row| (0..5).map(|x| input(row, x)).collect()).collect();
    let target = |row: usize| match outputs {
        1 => vec![f64::from(u8::from(row.is_multiple_of(3)))],
        _ => (0..outputs).map(|unit| f64::from(u8::from(row % outputs == unit))).collect(),
    };
    (inputs, (0..count).map(target).collect())
}

/// Of eleven rows, so that no batch size divides them.
async fn compare(body: Value, outputs: usize, batch: u64, more: Value) {
    compare_on(rows(11, outputs), body, (batch, STEPS), more).await;
}

/// The same steps by `train` and one by one, from the batches that the run's own steps show.
async fn compare_on((inputs, targets): Rows, body: Value, (batch, steps): (u64, u64), more: Value) {
    let api = Api::start().await;
    for name in ["run", "single"] {
        api.put(&format!("/v1/sessions/{name}"), body.to_string()).await.expect(201);
    }
    let mut run =
        json!({"inputs": inputs, "targets": targets, "steps": steps, "batch_size": batch, "shuffle": batch % 2 == 1});
    run.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let done = api.post("/v1/sessions/run/train", run.to_string()).await.expect(200);
    assert_eq!((&done["state"], &done["step"]), (&json!("done"), &json!(steps)), "{done}");
    let mut last = Value::Null;
    for step in 1..=steps {
        let seen = api.get(&format!("/v1/sessions/run/steps/{step}")).await.expect(200);
        let one = json!({"inputs": seen["forward"]["inputs"], "targets": seen["loss"]["targets"],
            "learning_rate": seen["update"]["optimizer"]["learning_rate"]});
        let mut made = api.post("/v1/sessions/single/step", one.to_string()).await.expect(200);
        made["session"] = json!("run");
        assert_eq!(made, seen, "step {step}");
        last = made;
    }
    let run = api.get("/v1/sessions/run").await.expect(200);
    assert_eq!(run["state"], api.get("/v1/sessions/single").await.expect(200)["state"]);
    assert_eq!(done["loss"], last["loss"]["value"], "{done}");
}

#[rstest]
#[tokio::test]
async fn under_every_optimizer(
    #[values(
        json!({"kind": "sgd", "learning_rate": 0.3}),
        json!({"kind": "sgd", "learning_rate": 0.1, "momentum": 0.9}),
        json!({"kind": "sgd", "learning_rate": 0.1, "momentum": 0.8, "nesterov": true}),
        json!({"kind": "rmsprop"}), json!({"kind": "adam"}), json!({"kind": "adamw"}), json!({"kind": "adagrad"})
    )]
    optimizer: Value,
    #[values(json!({}), json!({"weight_decay": 0.01}), json!({"clip_norm": 0.05}), json!({"weight_decay": 0.1, "clip_norm": 10.0}))]
    more: Value,
    #[values(1, 3, 4)] batch: u64,
) {
    let mut optimizer = optimizer;
    optimizer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let layers = json!([{"kind": "dense", "units": 7, "activation": "tanh"}, {"kind": "dense", "units": 4, "bias": false},
        {"kind": "activation", "activation": "sigmoid"}, {"kind": "dense", "units": 1}]);
    compare(
        json!({"network": {"inputs": 5, "layers": layers}, "optimizer": optimizer, "seed": 3}),
        1,
        batch,
        json!({}),
    )
    .await;
}

#[rstest]
#[tokio::test]
async fn with_every_activation_and_loss(
    #[values("linear", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "softmax")]
    activation: &str,
    #[values(("half_squared_error", "linear"), ("mean_squared_error", "tanh"), ("binary_cross_entropy", "sigmoid"), ("cross_entropy", "softmax"))]
    end: (&str, &str),
    #[values(7, 11)] batch: u64,
) {
    let (loss, last) = end;
    let layers = json!([{"kind": "dense", "units": 6, "activation": activation}, {"kind": "dense", "units": 33, "activation": activation},
        {"kind": "dense", "units": 3, "activation": last}]);
    let schedule = json!({"learning_rate": {"kind": "exponential", "rate": 0.2, "factor": 0.9}});
    compare(json!({"network": {"inputs": 5, "layers": layers}, "loss": loss, "seed": 8}), 3, batch, schedule).await;
}

/// One example a step through layers of few units, whose products are compiled for each number of them, and of one more.
#[rstest]
#[tokio::test]
async fn with_narrow_layers(
    #[values(1, 2, 3, 4, 5, 6, 7, 8, 9)] units: u64,
    #[values("sigmoid", "relu", "softmax")] activation: &str,
    #[values(json!({}), json!({"learning_rate": {"kind": "exponential", "rate": 0.2, "factor": 0.9}}))] schedule: Value,
) {
    let layers = json!([{"kind": "dense", "units": units, "activation": activation},
        {"kind": "activation", "activation": "tanh"}, {"kind": "dense", "units": 9 - units.min(8), "bias": false},
        {"kind": "dense", "units": 3, "activation": "softmax"}]);
    compare(json!({"network": {"inputs": 5, "layers": layers}, "loss": "cross_entropy", "seed": 2}), 3, 1, schedule)
        .await;
}

/// Large enough for every kernel's tiles, and more rows than a tile has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_large_layers() {
    let layers = json!([{"kind": "dense", "units": 150, "activation": "relu"}, {"kind": "dense", "units": 70, "activation": "relu"},
        {"kind": "dense", "units": 3, "activation": "softmax"}]);
    compare(
        json!({"network": {"inputs": 5, "layers": layers}, "loss": "cross_entropy", "optimizer": {"kind": "adam"}}),
        3,
        11,
        json!({}),
    )
    .await;
}

/// Batches whose sums have more terms than a block, and more rows than are read as they lie.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_many_rows(
    #[values(63, 64, 65, 256, 257, 600)] batch: u64,
    #[values(json!({"kind": "sgd", "learning_rate": 0.2}), json!({"kind": "sgd", "learning_rate": 0.2, "momentum": 0.5}))]
    optimizer: Value,
) {
    let layers = json!([{"kind": "dense", "units": 35, "activation": "relu"}, {"kind": "dense", "units": 20, "bias": false},
        {"kind": "dense", "units": 3, "activation": "softmax"}]);
    let body = json!({"network": {"inputs": 5, "layers": layers}, "loss": "cross_entropy", "optimizer": optimizer});
    compare_on(rows(600, 3), body, (batch, 3), json!({})).await;
}

/// A run that leaves the doubles stops before the first step that cannot be made, and all of its steps are there.
#[rstest]
#[case::outputs(json!({"learning_rate": 1e60}), "linear", "half_squared_error")]
#[case::squares(json!({"kind": "adam", "learning_rate": 1e100}), "linear", "half_squared_error")]
#[case::decay(json!({"learning_rate": 1e5, "weight_decay": 1e30}), "tanh", "half_squared_error")]
#[case::probabilities(json!({"learning_rate": 0.7}), "softplus", "binary_cross_entropy")]
#[tokio::test]
async fn a_wild_run_stops_where_a_step_would(#[case] optimizer: Value, #[case] last: &str, #[case] loss: &str) {
    let api = Api::start().await;
    let layers =
        json!([{"kind": "dense", "units": 6, "activation": "relu"}, {"kind": "dense", "units": 1, "activation": last}]);
    let mut body = json!({"network": {"inputs": 5, "layers": layers}, "loss": loss, "seed": 5});
    let rate = optimizer["learning_rate"].clone();
    let mut optimizer = optimizer;
    optimizer.as_object_mut().unwrap().entry("kind").or_insert(json!("sgd"));
    body["optimizer"] = optimizer;
    api.put("/v1/sessions/run", body.to_string()).await.expect(201);
    api.put("/v1/sessions/single", body.to_string()).await.expect(201);
    let (inputs, targets) = rows(11, 1);
    let run = json!({"inputs": inputs, "targets": targets, "steps": 1000, "batch_size": 11});
    let ended = api.post("/v1/sessions/run/train", run.to_string()).await;
    assert!([200, 422].contains(&ended.status), "{rate}: {}", ended.text);
    let last = api.get("/v1/sessions/run").await.expect(200);
    let made = last["step"].as_u64().unwrap();
    assert!(made < 1000, "{last}");
    let one = json!({"inputs": inputs, "targets": targets}).to_string();
    for step in 1..=made {
        api.get(&format!("/v1/sessions/run/steps/{step}")).await.expect(200);
        let single = api.post("/v1/sessions/single/step", &one).await;
        // The last one may lead to parameters that give no loss, which `step` refuses.
        assert!(single.status == 200 || step == made, "{}", single.text);
    }
    api.post("/v1/sessions/run/step", &one).await.expect(422);
}
