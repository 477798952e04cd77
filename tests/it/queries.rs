//! Queries are read as strictly as bodies.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;

use crate::api::{Api, send};

#[tokio::test]
async fn a_query_that_means_nothing_is_refused_by_its_name() {
    let api = Api::start().await;
    for (query, code, says) in [
        ("limit=-1", "number_out_of_range", r#"limit: this is "-1""#),
        ("limit=-99999999999999999999", "number_out_of_range", "limit: "),
        ("limit=0", "number_out_of_range", "limit: a whole number from 1 to 1000"),
        ("limit=1001", "number_out_of_range", "limit: a whole number from 1 to 1000"),
        ("limit=99999999999999999999", "number_out_of_range", "limit: a whole number from 1 to 1000"),
        ("limit=abc", "wrong_type", r#"limit: this is the text "abc", and a whole number"#),
        ("limit=", "wrong_type", "limit: "),
        ("limit", "wrong_type", "limit: "),
        ("limit=-", "wrong_type", "limit: "),
        ("limit=1.5", "wrong_type", "limit: "),
        ("limit=+5", "wrong_type", r#"limit: this is the text " 5""#),
        ("limit=%25", "wrong_type", r#"limit: this is the text "%""#),
        ("after=A", "invalid_name", "after: "),
        ("limt=2", "unknown_field", r#""limt" here; did you mean limit?"#),
        ("=2", "unknown_field", r#""""#),
        ("%6Cimit=2&x=1", "unknown_field", r#""x""#),
        ("limit=2&limit=2", "duplicate_field", r#""limit" stands twice"#),
        ("limit=2&%6Cimit=3", "duplicate_field", r#""limit" stands twice"#),
        ("after=%ff", "invalid_query", "UTF-8"),
        ("%ff", "invalid_query", "UTF-8"),
    ] {
        let problem = api.get(&format!("/v1/sessions?{query}")).await.problem(400, code);
        assert!(problem["detail"].as_str().unwrap().contains(says), "{query}: {problem}");
    }
    for query in ["", "&", "limit=1", "limit=1000", "limit=007", "%6cimit=1&&after=a", "after=a%2Db"] {
        api.get(&format!("/v1/sessions?{query}")).await.expect(200);
    }
    let problem = api.post("/v1/explain?trace=ful", "{}").await.problem(400, "unknown_value");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("trace: ") && detail.contains("did you mean full?"), "{detail}");
}

#[tokio::test]
async fn a_query_that_would_be_lost_is_refused_everywhere() {
    let api = Api::start().await;
    let preset = r#"{"preset": "worked-example"}"#;
    api.put("/v1/sessions/demo", preset).await.expect(201);
    let document = api.get("/openapi.json").await.expect(200);
    let mut refused = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.replace("{name}", "demo").replace("{layer}", "hidden");
        for (method, operation) in item.as_object().unwrap() {
            if operation["tags"][0] == "operations" {
                continue;
            }
            let method: Method = method.to_uppercase().parse().unwrap();
            let request = api.request(method, &format!("{path}?sede=1")).header(CONTENT_TYPE, "application/json");
            let problem = send(request.body(preset)).await.problem(400, "unknown_field");
            assert!(problem["detail"].as_str().unwrap().contains(r#""sede""#), "{path}: {problem}");
            refused += 1;
        }
    }
    assert!(refused > 20, "{refused} operations");
    api.get("/v1/presets?%ff").await.problem(400, "invalid_query");
    // An empty query is none, and probes may put what they like behind these.
    api.put("/v1/sessions/new?", preset).await.expect(201);
    for path in ["/livez", "/readyz", "/v1/info"] {
        api.get(&format!("{path}?t=1")).await.expect(200);
    }
}
