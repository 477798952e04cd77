//! The worked examples: the tutorial's, to the last bit, and Mazur's, to every digit he printed. (PyTorch's are
//! compared over HTTP in tests/python.)

use serde_json::{Value, json};

use crate::api::{Api, fixture, numbers};

#[tokio::test]
async fn the_worked_example_is_right_to_the_last_bit() {
    let api = Api::start().await;
    let golden = fixture("worked-example.json")["trace"].clone();
    let explained = api.post("/v1/explain", r#"{"preset": "worked-example"}"#).await.expect(200);
    same_bits(&explained, &golden);

    api.put("/v1/sessions/demo", r#"{"preset": "worked-example"}"#).await.expect(201);
    let forward = api.post("/v1/sessions/demo/forward", "{}").await.expect(200);
    same_bits(&forward["forward"], &golden["forward"]);
    same_bits(&forward["loss"], &golden["loss"]);
    let step = api.post("/v1/sessions/demo/step", "{}").await.expect(200);
    for part in ["forward", "loss", "backward", "update"] {
        same_bits(&step[part], &golden[part]);
    }
    assert_eq!((&step["session"], &step["step"]), (&json!("demo"), &json!(1)));
}

#[track_caller]
fn same_bits(got: &Value, golden: &Value) {
    let (got, golden) = (numbers(got), numbers(golden));
    assert!(golden.len() > 2, "the fixture has numbers");
    let in_bits = |numbers: Vec<(String, f64)>| {
        numbers.into_iter().map(|(pointer, number)| (pointer, number.to_bits())).collect::<Vec<_>>()
    };
    assert_eq!(in_bits(got), in_bits(golden));
}

#[tokio::test]
async fn the_tutorials_printed_numbers_are_the_traces() {
    let api = Api::start().await;
    let trace = api.post("/v1/explain", r#"{"preset": "worked-example"}"#).await.expect(200);
    for (pointer, printed, digits) in [
        ("/forward/layers/0/pre_activations/0/0", 0.26, 2),
        ("/forward/layers/0/pre_activations/0/1", 0.30, 2),
        ("/forward/layers/0/outputs/0/0", 0.565, 3),
        ("/forward/layers/0/outputs/0/1", 0.574, 3),
        ("/forward/layers/1/pre_activations/0/0", 0.569, 3),
        ("/forward/outputs/0/0", 0.638, 3),
        ("/loss/value", 0.065, 3),
        ("/backward/layers/0/deltas/0/0", 0.083, 3),
        ("/backward/layers/1/deltas/0/0", 0.012, 3),
        ("/backward/layers/1/deltas/0/1", 0.008, 3),
        ("/update/layers/0/parameters/weights/change/0/0", 0.024, 3),
        ("/update/layers/0/parameters/weights/change/1/0", 0.024, 3),
        ("/update/layers/1/parameters/weights/change/0/0", 0.003, 3),
    ] {
        let number = trace.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer}"));
        let rounded = format!("{number:.digits$}");
        assert_eq!(rounded, format!("{printed:.digits$}"), "{pointer}");
    }
    assert!(trace["update"]["loss_after"].as_f64() < trace["loss"]["value"].as_f64());
}

#[tokio::test]
async fn mazurs_example_has_his_digits() {
    let api = Api::start().await;
    let created = api.put("/v1/sessions/mazur", r#"{"preset": "mazur"}"#).await.expect(201);
    let biases = [0, 1].map(|layer| created["network"]["layers"][layer]["bias"].clone());
    let step = api.post("/v1/sessions/mazur/step", "{}").await.expect(200);
    assert_eq!(format!("{:.9}", step["loss"]["value"].as_f64().unwrap()), "0.298371109");
    // His first changed weight, w5.
    let w5 = &step["update"]["layers"][0]["parameters"]["weights"]["after"][0][0];
    assert_eq!(format!("{:.8}", w5.as_f64().unwrap()), "0.35891648");

    // In his text biases stay as they were.
    let layers = [("hidden", &biases[0]), ("output", &biases[1])]
        .map(|(name, bias)| json!({"name": name, "parameters": {"bias": bias}}));
    api.put("/v1/sessions/mazur/weights", json!({"layers": layers}).to_string()).await.expect(200);
    let after = api.post("/v1/sessions/mazur/forward", "{}").await.expect(200);
    assert_eq!(format!("{:.9}", after["loss"]["value"].as_f64().unwrap()), "0.291027774");
}
