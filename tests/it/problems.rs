//! Every code of refusals: its status never changes, and its `type` leads to what it means and what to do.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::api::Api;

/// Clients decide by these: a code is never taken away and never changes its status.
const CODES: [(&str, u16); 66] = [
    ("malformed_json", 400),
    ("malformed_csv", 400),
    ("malformed_npz", 400),
    ("wrong_type", 400),
    ("unknown_value", 400),
    ("unknown_field", 400),
    ("missing_field", 400),
    ("duplicate_field", 400),
    ("number_out_of_range", 400),
    ("invalid_name", 400),
    ("invalid_path", 400),
    ("invalid_query", 400),
    ("invalid_body", 400),
    ("invalid_header", 400),
    ("not_found", 404),
    ("session_not_found", 404),
    ("step_not_found", 404),
    ("layer_not_found", 404),
    ("preset_not_found", 404),
    ("dataset_not_found", 404),
    ("training_not_found", 404),
    ("method_not_allowed", 405),
    ("not_acceptable", 406),
    ("request_timeout", 408),
    ("step_sealed", 410),
    ("name_in_use", 409),
    ("dataset_exists", 409),
    ("dataset_built_in", 409),
    ("training", 409),
    ("training_over", 409),
    ("idempotency_key_busy", 409),
    ("stale_state", 412),
    ("history_lost", 412),
    ("body_too_large", 413),
    ("unsupported_media_type", 415),
    ("wrong_shape", 422),
    ("conflicting_fields", 422),
    ("network_too_large", 422),
    ("batch_too_small", 422),
    ("batch_too_large", 422),
    ("work_too_large", 422),
    ("answer_too_large", 422),
    ("duplicate_name", 422),
    ("unknown_layer", 422),
    ("unknown_parameter", 422),
    ("unknown_number", 422),
    ("unknown_preset", 422),
    ("unknown_step", 422),
    ("unknown_dataset", 422),
    ("unknown_column", 422),
    ("dataset_too_large", 422),
    ("networks_differ", 422),
    ("idempotency_key_reused", 422),
    ("missing_data", 422),
    ("empty_claim", 422),
    ("loss_needs_softmax", 422),
    ("not_a_probability", 422),
    ("non_finite", 422),
    ("underflow", 422),
    ("internal_error", 500),
    ("session_damaged", 500),
    ("other_arithmetic", 501),
    ("store_damaged", 500),
    ("store_unavailable", 503),
    ("overloaded", 503),
    ("store_full", 507),
];

#[tokio::test]
async fn the_type_of_every_refusal_leads_to_its_explanation() {
    let api = Api::start().await;
    for (code, status) in CODES {
        let shown = api.get(&format!("/problems/{code}")).await.expect(200);
        assert_eq!((&shown["code"], &shown["status"]), (&Value::from(code), &Value::from(status)), "{shown}");
        for field in ["title", "explanation", "remedy"] {
            let text = shown[field].as_str().unwrap();
            assert!(text.len() > 20 && text.ends_with('.') && !text.contains("  "), "{code}: {field}: {text}");
        }
        assert_ne!(shown["explanation"], shown["title"]);
    }
    let problem = api.get("/v1/sessions/none").await.problem(404, "session_not_found");
    let shown = api.get(problem["type"].as_str().unwrap()).await.expect(200);
    assert_eq!((&shown["code"], &shown["title"]), (&problem["code"], &problem["title"]));
    let all = api.get("/problems").await.expect(200);
    let listed: BTreeSet<&str> =
        all["problems"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(listed, CODES.iter().map(|(code, _)| *code).collect());
    let problem = api.get("/problems/no_such_code").await.problem(404, "not_found");
    assert!(problem["detail"].as_str().unwrap().contains("wrong_shape, "), "{problem}");
}

#[tokio::test]
async fn the_document_has_these_codes_and_no_others() {
    let document = Api::start().await.get("/openapi.json").await.expect(200);
    let listed = document["components"]["schemas"]["Code"]["enum"].as_array().unwrap();
    let listed: BTreeSet<&str> = listed.iter().map(|code| code.as_str().unwrap()).collect();
    assert_eq!(listed, CODES.iter().map(|(code, _)| *code).collect());
}
