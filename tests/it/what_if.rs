//! What if, and grading: what may be set to something else, what may be claimed, and every refusal with its place.

use chainrule::limits::{Limits, OVERRIDES, TEXT_CHARACTERS};
use serde_json::{Value, json};

use crate::api::Api;

const WORKED: &str = r#"{"preset": "worked-example"}"#;

async fn worked() -> Api {
    let api = Api::start().await;
    api.put("/v1/sessions/demo", WORKED).await.expect(201);
    api
}

fn set(at: &str) -> Value {
    json!({"at": at, "set": 0.25})
}

fn ablate(layer: &str, unit: u64) -> Value {
    json!({"ablate": {"layer": layer, "unit": unit}})
}

fn what_if(overrides: &[Value]) -> String {
    json!({"what_if": overrides}).to_string()
}

#[tokio::test]
async fn only_what_there_is_can_be_otherwise() {
    let api = worked().await;
    let before = api.get("/v1/sessions/demo").await.expect(200);
    let good = set("/forward/inputs/0/0");
    let longest = "/".repeat(TEXT_CHARACTERS);
    for (wanted, status, code, pointer, says) in [
        (set("/forward/layers/0/output/0/0"), 422, "unknown_number", "at", "no number that this pass computes"),
        (set("/forward/layers/2/outputs/0/0"), 422, "unknown_number", "at", "looks like /forward"),
        (set("/forward/layers/0/outputs/0/2"), 422, "unknown_number", "at", "/outputs/0/2"),
        (set("/forward/layers/0/outputs/1/0"), 422, "unknown_number", "at", "/outputs/1/0"),
        (set("/forward/layers/0/outputs/0"), 422, "unknown_number", "at", "no number"),
        // An index as RFC 6901 writes it, and no other.
        (set("/forward/layers/0/outputs/0/01"), 422, "unknown_number", "at", "/outputs/0/01"),
        (set("/forward/layers/0/outputs/0/+1"), 422, "unknown_number", "at", "/outputs/0/+1"),
        (set("/forward/layers/0/outputs/-0/1"), 422, "unknown_number", "at", "/outputs/-0/1"),
        (set("/forward/layers/00/outputs/0/1"), 422, "unknown_number", "at", "/layers/00"),
        (set("/loss/value/0"), 422, "unknown_number", "at", "no number"),
        (set("forward"), 422, "unknown_number", "at", "no number"),
        (set(""), 422, "unknown_number", "at", "no number"),
        (set(&longest), 422, "unknown_number", "at", "////"),
        (set(&format!("/{longest}")), 422, "unknown_number", "at", "at most 4096 characters"),
        (ablate("hiden", 0), 422, "unknown_layer", "ablate/layer", "no layer hiden"),
        (ablate("Hidden", 0), 400, "invalid_name", "ablate/layer", "a-z"),
        (ablate("hidden", 2), 422, "unknown_number", "ablate/unit", "2 units, counted from 0"),
        (json!({"ablate": {"layer": "hidden"}}), 400, "missing_field", "ablate", "unit"),
        (json!({"at": "/loss/value"}), 400, "missing_field", "", "\"at\" and \"set\""),
        (json!({"set": 1}), 400, "missing_field", "", "\"at\" and \"set\""),
        (json!({}), 400, "missing_field", "", "\"ablate\""),
        (
            json!({"at": "/loss/value", "set": 1e308, "ablate": {"layer": "hidden", "unit": 0}}),
            422,
            "conflicting_fields",
            "",
            "two entries",
        ),
        (json!({"at": "/loss/value", "set": "1"}), 400, "wrong_type", "set", "a number"),
        (json!({"at": "/loss/value", "sett": 1}), 400, "unknown_field", "sett", "did you mean set?"),
    ] {
        let pointer = format!("/what_if/1/{pointer}");
        let body = what_if(&[good.clone(), wanted]);
        let answer = api.post("/v1/sessions/demo/backward", body).await;
        answer.fault(status, code, pointer.trim_end_matches('/'), says);
    }
    // What a pass does not come to cannot be set in it.
    let downward = what_if(&[set("/backward/layers/0/deltas/0/0")]);
    api.post("/v1/sessions/demo/forward", &downward).await.problem(422, "unknown_number");
    api.post("/v1/sessions/demo/backward", &downward).await.expect(200);
    let answer = api.post("/v1/sessions/demo/step", what_if(&[good])).await;
    answer.fault(422, "conflicting_fields", "/what_if", "a step is made, or it is not");
    assert_eq!(api.get("/v1/sessions/demo").await.expect(200), before);
}

#[tokio::test]
async fn so_many_things_are_otherwise_at_once() {
    let api = worked().await;
    let explained = json!({"preset": "worked-example"});
    for path in ["/v1/sessions/demo/forward", "/v1/sessions/demo/backward", "/v1/explain"] {
        let body = |count: usize| {
            let mut body = if path == "/v1/explain" { explained.clone() } else { json!({}) };
            body["what_if"] = json!(vec![set("/forward/layers/1/outputs/0/0"); count]);
            body.to_string()
        };
        for count in [1, OVERRIDES] {
            let found = api.post(path, body(count)).await.expect(200);
            assert_eq!(found["format"], "chainrule.what-if/1");
            assert_eq!(found["what_if"].as_array().unwrap().len(), count);
        }
        for count in [0, OVERRIDES + 1] {
            api.post(path, body(count)).await.fault(422, "wrong_shape", "/what_if", "1 to 100 things");
        }
    }
}

#[tokio::test]
async fn a_unit_that_is_ablated_puts_out_nothing() {
    let api = worked().await;
    let before = api.get("/v1/sessions/demo").await.expect(200);
    let batch = json!({"inputs": [[0.5, 0.3], [1, -1]], "targets": [[1], [0]], "what_if": [ablate("hidden", 1)]});
    let found = api.post("/v1/sessions/demo/forward", batch.to_string()).await.expect(200);
    let is = |pointer: &str| {
        let differences = found["differences"].as_array().unwrap();
        let found = differences.iter().find(|difference| difference["pointer"] == pointer);
        found.map(|difference| difference["is"].clone())
    };
    for example in 0..2 {
        assert_eq!(is(&format!("/forward/layers/0/outputs/{example}/1")), Some(json!(0.0)));
        assert_eq!(is(&format!("/forward/layers/0/outputs/{example}/0")), None, "the other unit stays");
        assert!(is(&format!("/forward/outputs/{example}/0")).is_some(), "the outputs follow");
    }
    assert_eq!(api.get("/v1/sessions/demo").await.expect(200), before);
}

/// The whole trace of a batch with something otherwise.
async fn otherwise(api: &Api, body: &Value, what_if: Value) -> Value {
    let mut trace = api.post("/v1/explain", body.to_string()).await.expect(200);
    let mut body = body.clone();
    body["what_if"] = json!([what_if]);
    let found = api.post("/v1/explain", body.to_string()).await.expect(200);
    for difference in found["differences"].as_array().unwrap() {
        *trace.pointer_mut(difference["pointer"].as_str().unwrap()).unwrap() = difference["is"].clone();
    }
    trace
}

/// Whether a unit's numbers are all zero in each row of these, or in the row itself.
fn is_zero(numbers: &Value, unit: usize) -> bool {
    match &numbers[0] {
        Value::Array(_) => numbers.as_array().unwrap().iter().all(|row| row[unit] == 0.0),
        _ => numbers[unit] == 0.0,
    }
}

#[tokio::test]
async fn a_unit_that_is_ablated_learns_nothing() {
    let api = Api::start().await;
    let activations = ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "softmax"];
    let dense = |activation: &str| json!({"kind": "dense", "name": "below", "units": 3, "activation": activation, "bias": [0.1, 0.2, 0.3]});
    // The layer whose unit is missing, with those around it; below it the weights that lead to the unit.
    let mut stacks: Vec<(&str, Vec<Value>)> = vec![];
    for activation in activations {
        stacks.push(("below", vec![dense(activation)]));
        stacks.push(("f", vec![dense("linear"), json!({"kind": "activation", "name": "f", "activation": activation})]));
    }
    stacks.push(("f", vec![dense("tanh"), json!({"kind": "dropout", "name": "f", "rate": 0.25})]));
    let top = json!({"kind": "dense", "name": "top", "units": 2});
    for (layer, mut layers) in stacks {
        layers.push(top.clone());
        let network = json!({"inputs": 2, "layers": layers});
        let body = json!({"network": network, "inputs": [[0.5, -0.3], [1, 2], [-1, 0.25]], "targets": [[1, 0], [0, 2], [1, 1]]});
        let trace = otherwise(&api, &body, ablate(layer, 1)).await;
        let of = |name: &str| {
            let layers = trace["backward"]["layers"].as_array().unwrap();
            layers.iter().find(|layer| layer["name"] == name).unwrap()
        };
        let (at, below) = (of(layer), of("below"));
        assert!(is_zero(&at["deltas"], 1), "{network}: {at}");
        assert!(is_zero(&below["deltas"], 1), "{network}: {below}");
        for parameter in ["weights", "bias"] {
            assert!(is_zero(&below["gradients"][parameter], 1), "{network}: {below}");
            assert!(!is_zero(&below["gradients"][parameter], 0), "{network}: the other units learn");
        }
        assert!(is_zero(
            &trace["update"]["layers"].as_array().unwrap().last().unwrap()["parameters"]["weights"]["change"],
            1
        ));
    }
}

#[tokio::test]
async fn blame_ends_at_an_ablated_unit_that_has_no_slope() {
    let api = Api::start().await;
    let inner = json!([{"kind": "dense", "name": "inner", "units": 2, "activation": "tanh"}]);
    for (layer, fields) in [
        (json!({"kind": "residual", "name": "f", "layers": inner}), vec!["/layers/0/gradients/weights"]),
        (json!({"kind": "batch_norm", "name": "f"}), vec!["/gradients/gamma", "/gradients/beta", "/deltas"]),
        (json!({"kind": "layer_norm", "name": "f"}), vec!["/gradients/gamma", "/gradients/beta"]),
    ] {
        let layers = json!([layer, {"kind": "dense", "units": 1}]);
        let body =
            json!({"network": {"inputs": 2, "layers": layers}, "inputs": [[0.5, -0.3], [1, 2]], "targets": [[1], [0]]});
        let trace = otherwise(&api, &body, ablate("f", 1)).await;
        let at = &trace["backward"]["layers"][1];
        assert!(is_zero(&at["errors"], 1), "{at}");
        for field in fields {
            let found = at.pointer(field).unwrap();
            assert!(is_zero(found, 1) && !is_zero(found, 0), "{field}: {at}");
        }
    }
}

#[tokio::test]
async fn what_a_step_finds_is_not_set() {
    let api = Api::start().await;
    let network = json!({"inputs": 2, "layers": [{"kind": "batch_norm"}, {"kind": "dense", "units": 1}]});
    let optimizer = json!({"kind": "adam", "learning_rate": 0.1});
    let body =
        json!({"network": network, "optimizer": optimizer, "inputs": [[0.5, -0.3], [1, 2]], "targets": [[1], [0]]});
    for (at, says) in [
        ("/update/loss_after", "the loss of another pass"),
        ("/update/layers/1/running/mean/before/0", "what the step found"),
        ("/update/layers/0/parameters/bias/state/before/first_moment/0", "what the step found"),
        ("/update/layers/1/running/median/before/0", "no number that this pass computes"),
        ("/update/timestep", "no number that this pass computes"),
    ] {
        let mut body = body.clone();
        body["what_if"] = json!([set(at)]);
        let answer = api.post("/v1/explain", body.to_string()).await;
        answer.fault(422, "unknown_number", "/what_if/0/at", says);
    }
}

#[tokio::test]
async fn what_would_overflow_is_said() {
    let api = worked().await;
    let body = what_if(&[json!({"at": "/forward/layers/1/outputs/0/0", "set": 1e200})]);
    let problem = api.post("/v1/sessions/demo/backward", body).await.problem(422, "non_finite");
    // The slope of a sigmoid is computed from what it puts out.
    assert_eq!(problem["non_finite"]["pointer"], "/forward/layers/1/derivatives/0/0");
    api.post("/v1/sessions/demo/backward", r#"{"what_if": [{"at": "/loss/value", "set": 1e999}]}"#).await.fault(
        400,
        "number_out_of_range",
        "/what_if/0/set",
        "1e999",
    );
}

#[tokio::test]
async fn a_claim_is_part_of_a_trace() {
    let api = worked().await;
    let before = api.get("/v1/sessions/demo").await.expect(200);
    let layer = |layer: Value| json!({"forward": {"layers": [layer]}});
    let outputs = |outputs: Value| json!({"forward": {"outputs": outputs}});
    for (claim, code, pointer, says) in [
        (json!({}), "empty_claim", "", "no number"),
        (json!({"forward": {"outputs": [[null]]}}), "empty_claim", "", "no number"),
        (json!({"foward": {"outputs": [[0.6]]}}), "unknown_number", "/foward", "nothing of that name"),
        (layer(json!({"output": [[0.6, 0.5]]})), "unknown_number", "/forward/layers/0/output", "nothing of that name"),
        (layer(json!({"name": "hiden", "outputs": [[0.6, 0.5]]})), "unknown_number", "/forward/layers/0", "nothing"),
        (json!({"forward": {"layers": [{}, {}, {}]}}), "unknown_number", "/forward/layers/2", "nothing"),
        // What only begins like a part of a trace is none.
        (json!({"back": {}, "loss": {"value": 0.065}}), "unknown_number", "/back", "nothing of that name"),
        (json!({"forward": {"layer": {}}, "loss": {"value": 0.065}}), "unknown_number", "/forward/layer", "nothing"),
        // A key is one step of a way, and its pointer is written so.
        (json!({"forward/outputs": [[0.638]]}), "unknown_number", "/forward~1outputs", "nothing"),
        (json!({"a~/b": 1}), "unknown_number", "/a~0~1b", "nothing"),
        // Settings stand in their places, and are no place to hide in.
        (json!({"loss": {"value": 0.065, "momentum": 1}}), "unknown_number", "/loss/momentum", "nothing"),
        (json!({"kind": {}, "loss": {"value": 0.065}}), "unknown_number", "/kind", "nothing"),
        (json!({"format": {"forward": {}}, "loss": {"value": 0.065}}), "unknown_number", "/format", "nothing"),
        (
            json!({"backward": {"layers": [{"activation": "sigmoid", "deltas": [[0.083]]}]}}),
            "unknown_number",
            "/backward/layers/0/activation",
            "nothing",
        ),
        (layer(json!({"name": "hidden", "rate": [[0.6, 0.5]]})), "unknown_number", "/forward/layers/0/rate", "nothing"),
        (layer(json!({"name": "0/layers/hidden"})), "unknown_number", "/forward/layers/0", "nothing"),
        (json!([1]), "unknown_number", "/0", "nothing"),
        (outputs(json!([[0.6, 0.5]])), "wrong_shape", "/forward/outputs", "1 × 1 here"),
        (outputs(json!([0.6, 0.5])), "wrong_shape", "/forward/outputs", "this is 2"),
        (outputs(json!([[0.6], []])), "wrong_shape", "/forward/outputs", "ragged"),
        (layer(json!({"outputs": [[0.6], [0.5], [0.4]]})), "wrong_shape", "/forward/layers/0/outputs", "1 × 2 here"),
        (json!({"loss": {"value": [0.1, 0.2]}}), "wrong_shape", "/loss/value", "a single number"),
    ] {
        let pointer = format!("/claim{pointer}");
        let answer = api.post("/v1/sessions/demo/grade", json!({"claim": claim}).to_string()).await;
        answer.fault(422, code, &pointer, says);
        let stateless = json!({"preset": "worked-example", "claim": claim}).to_string();
        api.post("/v1/grade", stateless).await.fault(422, code, &pointer, says);
    }
    for (claim, pointer, says) in [
        (outputs(json!("0.638")), "/forward/outputs", "this is a text, where a number is claimed"),
        (outputs(json!([[true]])), "/forward/outputs/0/0", "this is true or false"),
        (outputs(json!([[{}]])), "/forward/outputs/0/0", "this is an object"),
        (json!("0.638"), "", "this is a text, where an object is claimed"),
        (json!({"forward": 1}), "/forward", "this is a number, where an object is claimed"),
        (json!({"forward": {"layers": "all"}}), "/forward/layers", "where a list of layers is claimed"),
        (layer(json!({"name": 1})), "/forward/layers/0/name", "where a layer's name is claimed"),
    ] {
        let pointer = format!("/claim{pointer}");
        let answer = api.post("/v1/sessions/demo/grade", json!({"claim": claim}).to_string()).await;
        answer.fault(400, "wrong_type", &pointer, says);
    }
    for (body, code, pointer, says) in [
        (json!({}), "missing_field", "", "claim"),
        (json!({"clam": {}}), "unknown_field", "/clam", "did you mean claim?"),
        (
            json!({"claim": outputs(json!([[0.638]])), "tolerance": -1e-300}),
            "number_out_of_range",
            "/tolerance",
            "from 0 to 1",
        ),
        (
            json!({"claim": outputs(json!([[0.638]])), "tolerance": 1.0_f64.next_up()}),
            "number_out_of_range",
            "/tolerance",
            "from 0 to 1",
        ),
        (
            json!({"claim": outputs(json!([[0.638]])), "learning_rate": -1}),
            "number_out_of_range",
            "/learning_rate",
            "below zero",
        ),
    ] {
        api.post("/v1/sessions/demo/grade", body.to_string()).await.fault(400, code, pointer, says);
    }
    for (claim, pointer) in [
        (r#"{"loss": {"value": 0.065}, "loss": {}}"#, "/claim/loss"),
        (r#"{"loss": {"value": 0.065, "value": 0.065}}"#, "/claim/loss/value"),
        (r#"{"forward": {"layers": [{}, {"a/b": 1, "a/b": 2}]}}"#, "/claim/forward/layers/1/a~1b"),
        (r#"{"update": {"optimizer": {"kind": "sgd", "kind": "adam"}}}"#, "/claim/update/optimizer/kind"),
    ] {
        let answer = api.post("/v1/sessions/demo/grade", format!(r#"{{"claim": {claim}}}"#)).await;
        answer.fault(400, "duplicate_field", pointer, "stands twice");
    }
    for (tolerance, output, verdict) in [(0.0, 0.638, "right"), (0.0, 0.637, "wrong"), (1.0, 0.637, "right")] {
        let body = json!({"claim": outputs(json!([[output]])), "tolerance": tolerance}).to_string();
        let grade = api.post("/v1/sessions/demo/grade", body).await.expect(200);
        assert_eq!((&grade["verdict"], &grade["compared"]), (&json!(verdict), &json!(1)), "{grade}");
    }
    assert_eq!(api.get("/v1/sessions/demo").await.expect(200), before);
}

#[tokio::test]
async fn grading_takes_as_much_as_all_its_passes() {
    // 2·2 and 2·1 multiplications, 2·(3·2 + 2) and 3 + 2 numbers at 16 each on the way up, four times in a step; and
    // then one pass for each mistake. An entry of the claim is compared in each of them: an object in an object, and a
    // number.
    let step = 4 * (4 + 2 + 16 * (3 * 2 + 2 + 3 + 2)) + 3 * 16;
    let claim = r#"{"claim": {"loss": {"value": 0.065}}}"#;
    for (multiply_adds, permitted) in [(64 * step, true), (64 * step - 1, false)] {
        let api = Api::with(Limits { multiply_adds, ..Limits::default() }).await;
        api.put("/v1/sessions/demo", WORKED).await.expect(201);
        let answer = api.post("/v1/sessions/demo/grade", claim).await;
        if permitted {
            assert_eq!(answer.expect(200)["verdict"], "right");
        } else {
            let problem = answer.problem(422, "work_too_large");
            assert!(problem["detail"].as_str().unwrap().contains(&(64 * step).to_string()), "{problem}");
        }
        api.post("/v1/sessions/demo/step", "{}").await.expect(200);
    }
}

#[tokio::test]
async fn grading_keeps_as_many_numbers_as_it_says() {
    // Inputs and targets, parameters with their gradients, changes and results, and what each layer leaves; the claim
    // beside them.
    let claim = r#"{"claim": {"loss": {"value": 0.065}}}"#;
    let limit = async |pass_numbers: u64| {
        let api = Api::with(Limits { pass_numbers, ..Limits::default() }).await;
        api.put("/v1/sessions/demo", WORKED).await.expect(201);
        api.post("/v1/sessions/demo/step", "{}").await.expect(200);
        api.post("/v1/sessions/demo/grade", claim).await
    };
    let problem = limit(100).await.problem(422, "work_too_large");
    let detail = problem["detail"].as_str().unwrap();
    let numbers: u64 = detail.split_once("makes ").unwrap().1.split(' ').next().unwrap().parse().unwrap();
    limit(numbers - 1).await.problem(422, "work_too_large");
    limit(numbers).await.expect(200);
}
