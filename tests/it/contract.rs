//! openapi.yaml: committed, up to date, and complete.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::api::{Api, file};

#[tokio::test]
async fn the_committed_document_is_the_codes() {
    let current = chainrule::http::document().to_yaml().unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.yaml");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &current).unwrap();
    }
    let committed = file("openapi.yaml");
    assert!(
        committed.trim_end() == current.trim_end(),
        "openapi.yaml is not what the code says any more; renew it with `make golden` and read the difference"
    );
    let api = Api::start().await;
    assert_eq!(api.get("/openapi.yaml").await.text.trim_end(), committed.trim_end());
    assert_eq!(api.get("/openapi.json").await.expect(200)["openapi"], "3.1.0");
}

#[test]
fn every_response_is_described_and_every_schema_has_its_limits() {
    let document: Value = serde_json::from_str(&chainrule::http::document().to_json().unwrap()).unwrap();
    let mut missing = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                if response["description"].as_str().is_none_or(|text| text.len() < 8) {
                    missing.insert(format!("{method} {path} {status}: a description"));
                }
            }
            for field in ["summary", "operationId"] {
                if operation[field].as_str().is_none() {
                    missing.insert(format!("{method} {path}: {field}"));
                }
            }
        }
    }
    lint(&document, "", &mut missing);
    assert!(missing.is_empty(), "the document lacks:\n{}", missing.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_property_says_what_it_is() {
    let document: Value = serde_json::from_str(&chainrule::http::document().to_json().unwrap()).unwrap();
    let mut found = vec![];
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        properties(schema, name, &mut found);
    }
    properties(&document["paths"], "paths", &mut found);
    assert!(found.len() > 400, "{} properties", found.len());
    // What a type says of itself is not what a field says.
    let types: BTreeSet<&str> = document["components"]["schemas"]
        .as_object()
        .unwrap()
        .values()
        .filter(|schema| schema["type"] != "object")
        .filter_map(|schema| schema["description"].as_str())
        .collect();
    let silent = found.iter().filter(|(_, property)| {
        property["description"].as_str().is_none_or(|text| text.chars().count() < 8 || types.contains(text))
    });
    let silent: Vec<_> = silent.map(|(at, property)| format!("{at}: {}", property["description"])).collect();
    assert!(silent.is_empty(), "properties without a description of their own:\n{}", silent.join("\n"));
}

/// Every property of every object in a schema, with its place.
fn properties<'d>(value: &'d Value, at: &str, found: &mut Vec<(String, &'d Value)>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields.iter().filter(|(key, _)| !key.starts_with("example")) {
                if let ("properties", Some(entries)) = (key.as_str(), field.as_object()) {
                    found.extend(entries.iter().map(|(name, property)| (format!("{at}/{name}"), property)));
                }
                properties(field, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| properties(item, at, found)),
        _ => {}
    }
}

/// Finds every schema that lets anything of its type through.
fn lint(value: &Value, at: &str, missing: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            let has = |field: &str| fields.contains_key(field);
            let types: Vec<&str> = match fields.get("type") {
                Some(Value::String(kind)) => vec![kind],
                Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
                _ => vec![],
            };
            for kind in types {
                let bounded = match kind {
                    "string" => has("enum") || has("maxLength"),
                    "array" => has("maxItems"),
                    "integer" => has("minimum") && has("maximum"),
                    // A double's range is its format.
                    "number" => fields.get("format").is_some_and(|format| format == "double"),
                    _ => true,
                };
                if !bounded {
                    missing.insert(format!("{at}: a limit for {kind}"));
                }
            }
            for (key, field) in fields {
                // An example is a value, not a schema.
                if key != "example" && key != "examples" {
                    lint(field, &format!("{at}/{key}"), missing);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                lint(item, &format!("{at}/{index}"), missing);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn the_apis_own_page_needs_nothing_from_elsewhere() {
    let api = Api::start().await;
    let page = api.get("/docs/").await;
    assert_eq!((page.status, page.media_type.as_str()), (200, "text/html"));
    let mut files = 0;
    for part in page.text.split(['"', '\'']).filter(|part| part.starts_with("./") || *part == "index.css") {
        let answer = api.get(&format!("/docs/{}", part.trim_start_matches("./"))).await;
        assert_eq!(answer.status, 200, "{part}");
        assert!(
            !answer.text.is_empty() && !answer.media_type.contains("octet-stream"),
            "{part}: {}",
            answer.media_type
        );
        files += 1;
    }
    assert!(files >= 5, "{files} files");
    assert!(!page.text.contains("http://") && !page.text.contains("https://"), "{}", page.text);
    let settings = api.get("/docs/swagger-initializer.js").await.text;
    assert!(settings.contains("/openapi.json") && settings.contains(r#""validatorUrl": "none""#), "{settings}");
}
