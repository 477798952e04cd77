//! Numbers that a double cannot hold: what an insight says in their place.

use chainrule::insight::gradient_check::Slope;
use serde_json::{Value, json};

use crate::api::{Answer, Api};

fn dense(weights: &Value) -> Value {
    json!({"kind": "dense", "weights": weights, "bias": false})
}

/// One number through layers of such weights, shown 1 and wanted to be 1.
async fn asked(layers: Vec<Value>, insight: &str, more: &Value) -> Answer {
    let api = Api::start().await;
    let body = json!({"network": {"inputs": 1, "layers": layers}, "optimizer": {"kind": "sgd", "learning_rate": 0.5}});
    api.put("/v1/sessions/it", body.to_string()).await.expect(201);
    let mut question = json!({"inputs": [1], "targets": [1]});
    question.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    api.post(&format!("/v1/sessions/it/{insight}"), question.to_string()).await
}

fn of_the_first_weight(top: u64) -> Value {
    json!({"weight": {"layer": "layer1", "parameter": "weights", "index": [0, 0]}, "top": top})
}

#[tokio::test]
async fn a_blame_that_has_faded_is_said_by_every_insight_that_shows_it() {
    for (insight, more) in [("chain", of_the_first_weight(1)), ("blame", json!({})), ("depth", json!({}))] {
        let layers = |smallest: f64| [1.0, smallest, 1e-160].map(|weight| dense(&json!([[weight]]))).to_vec();
        asked(layers(1e-147), insight, &more).await.expect(200);
        for smallest in [1e-148, 1e-170] {
            let problem = asked(layers(smallest), insight, &more).await.problem(422, "underflow");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains("of layer layer1 is other than 0, but too small"), "{insight}: {detail}");
        }
    }
}

#[tokio::test]
async fn a_blame_that_is_cut_off_is_zero() {
    let layers = || [1.0, 0.0, 1.0].map(|weight| dense(&json!([[weight]]))).to_vec();
    let chain = asked(layers(), "chain", &of_the_first_weight(1)).await.expect(200);
    assert_eq!(chain["gradient"], 0.0);
    assert_eq!(chain["paths"]["heaviest"][0]["log10"], Value::Null);
    let depth = asked(layers(), "depth", &json!({})).await.expect(200);
    assert_eq!(depth["verdict"], "vanishing");
    assert!(depth["because"].as_str().unwrap().contains("are all exactly 0"), "{}", depth["because"]);
}

#[tokio::test]
async fn what_an_optimizer_remembers_may_die_away() {
    let api = Api::start().await;
    let network = json!({"inputs": 2, "layers": [dense(&json!([[0.5], [0.5]]))]});
    let body = json!({"network": network, "optimizer": {"kind": "adam", "learning_rate": 0.001}});
    api.put("/v1/sessions/it", body.to_string()).await.expect(201);
    let post = |path: &str, body: Value| {
        let (api, path) = (api.clone(), format!("/v1/sessions/it/{path}"));
        async move { api.post(&path, body.to_string()).await.expect(200) }
    };
    // The second weight hears of the error once, and then never again: 0.9^8000 is below every double.
    post("step", json!({"inputs": [1, 1], "targets": [2]})).await;
    post("train", json!({"inputs": [[1, 0]], "targets": [[2]], "steps": 8000})).await;
    let batch = json!({"inputs": [1, 0], "targets": [3]});
    let depth = post("depth", batch.clone()).await;
    assert_eq!(depth["verdict"], "healthy");
    let trace = post("step", batch).await;
    let change = trace["update"]["layers"][0]["parameters"]["weights"]["change"][1][0].as_f64().unwrap();
    assert!(change != 0.0 && change.abs() < f64::MIN_POSITIVE, "{change:e}");
}

#[tokio::test]
async fn fading_is_found_behind_every_kind_of_layer() {
    let block = |inner: f64, projection: f64| json!({"kind": "residual", "layers": [dense(&json!([[inner]]))], "shortcut": "projection", "weights": [[projection]]});
    let norm = |gamma: f64| json!({"kind": "layer_norm", "gamma": [gamma, gamma]});
    for (layers, says) in [
        (vec![dense(&json!([[1]])), block(1e-300, 0.0), dense(&json!([[1e-30]]))], "errors[0, 0] of layer layer1"),
        (vec![dense(&json!([[1]])), block(0.0, 1e-300), dense(&json!([[1e-30]]))], "errors[0, 0] of layer layer1"),
        (
            vec![dense(&json!([[1, 2]])), norm(1e-170), dense(&json!([[1e-170], [1e-170]]))],
            "deltas[0, 0] of layer layer2",
        ),
        // The learning rate is a half.
        (vec![dense(&json!([[1]])), dense(&json!([[3e-308]]))], "weights/change[0, 0] of layer layer1"),
    ] {
        let problem = asked(layers, "depth", &json!({})).await.problem(422, "underflow");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with(says), "{detail}");
    }
}

#[tokio::test]
async fn the_heaviest_path_is_found_below_the_range_of_doubles() {
    // 2^-1024 along the first and 2^-1204 along the second; the third path carries the gradient.
    let layers = || {
        vec![
            dense(&json!([[1]])),
            dense(&json!([[2f64.powi(-602), 2f64.powi(-512), 1.0]])),
            dense(&json!([[2f64.powi(-602)], [2f64.powi(-512)], [0.0]])),
        ]
    };
    asked(layers(), "chain", &of_the_first_weight(3)).await.problem(422, "underflow");
    let mut with_a_third = layers();
    with_a_third[2] = dense(&json!([[2f64.powi(-602)], [2f64.powi(-512)], [0.5]]));
    let chain = asked(with_a_third, "chain", &of_the_first_weight(3)).await.expect(200);
    let heaviest = chain["paths"]["heaviest"].as_array().unwrap();
    // The error is a half, as the third path lets a half through.
    for (path, (value, log2)) in heaviest.iter().zip([(-0.25, -2.0), (-(2f64.powi(-1025)), -1025.0), (0.0, -1205.0)]) {
        assert_eq!(path["value"].as_f64().unwrap(), value);
        let told = path["log10"].as_f64().unwrap();
        assert!((told - log2 * 2f64.log10()).abs() < 1e-9, "{told}");
    }
    assert_eq!(heaviest[0]["share"], 1.0);
}

#[tokio::test]
async fn shares_are_right_where_their_sum_passes_every_double() {
    // One number into four ways of the same weight: each passes on a quarter of the blame.
    let layers = vec![dense(&json!([[1e-200]])), dense(&json!([[1e200, -1e200, 1e200, -1e200]])), {
        dense(&json!([[1e108], [1e108], [1e108], [1e108]]))
    }];
    let chain = asked(layers.clone(), "chain", &of_the_first_weight(4)).await.expect(200);
    assert_eq!(chain["gradient"], 0.0);
    for path in chain["paths"]["heaviest"].as_array().unwrap() {
        assert_eq!(path["share"], 0.25);
    }
    let blame = asked(layers, "blame", &json!({})).await.expect(200);
    let received = blame["layers"][2]["units"][0]["received"].as_array().unwrap();
    assert_eq!(received.len(), 4);
    assert!(
        received.iter().all(|one| one["share"] == 1.0 && one["term"].as_f64().unwrap().abs() > 1e307),
        "{received:?}"
    );
    assert_eq!(blame["layers"][1]["units"][0]["error_share"], 0.25);
}

#[tokio::test]
async fn a_result_that_passes_every_double_is_named() {
    // The path's product passes 1e308 on its way down, and the two of them meet as 0.
    let layers = [json!([[1e-200]]), json!([[1e200]]), json!([[1e160, 1e160]]), json!([[1], [-1]])];
    let layers = layers.iter().map(dense).collect();
    let problem = asked(layers, "chain", &of_the_first_weight(1)).await.problem(422, "non_finite");
    assert_eq!(problem["non_finite"]["quantity"], "running");
    assert_eq!(problem["non_finite"]["pointer"], "/paths/heaviest/0/factors/6/running");
}

#[tokio::test]
async fn a_network_without_dense_layers_has_no_depth() {
    let depth = asked(vec![json!({"kind": "activation", "activation": "tanh"})], "depth", &json!({})).await.expect(200);
    assert_eq!(depth["layers"], json!([]));
    assert!(depth["because"].as_str().unwrap().contains("no dense layer"), "{}", depth["because"]);
}

/// A gradient check that finds nothing wrong with anything would be no check.
#[test]
fn a_wrong_gradient_is_noticed_where_it_can_be() {
    // E = w² at w = 3, h = 1e-5.
    let (h, loss) = (1e-5, |w: f64| w * w);
    let slope = Slope::new(loss(3.0 + h), loss(3.0 - h), loss(3.0), 2.0 * h);
    assert!(slope.resolves(6.0) && slope.relative_error(6.0) < 1e-9);
    let wrong = slope.relative_error(6.006);
    assert!((9e-4..1.1e-3).contains(&wrong), "{wrong}");
    assert!(slope.relative_error(-6.0) > 1.9);
    // Half a million of loss hides a thousandth of slope, right or wrong.
    let hidden = Slope::new(5e5, 5e5, 5e5, 2.0 * h);
    assert!(!hidden.resolves(1e-3) && !hidden.resolves(0.0));
    assert!(hidden.resolves(100.0));
}
