//! Requests that are sent again step once and are answered alike; changes that insist on a state are refused where it
//! is another one.

use chainrule::limits::Limits;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::api::{Answer, Api, send};

const DEMO: &str = "/v1/sessions/demo";

/// A request with headers.
async fn with(api: &Api, method: Method, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = api.request(method, path).header("content-type", "application/json").body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request).await
}

async fn keyed(api: &Api, method: Method, path: &str, body: &str, key: &str) -> Answer {
    with(api, method, path, body, &[("idempotency-key", key)]).await
}

fn same(first: &Answer, again: &Answer) {
    assert_eq!((first.status, &first.text), (again.status, &again.text));
    for header in ["etag", "location", "content-type"] {
        assert_eq!(first.headers.get(header), again.headers.get(header), "{header}");
    }
}

/// Every writing call, each sent three times, with other changes between: done once, and answered alike.
#[tokio::test]
async fn every_writing_call_is_done_once() {
    for live_bytes in [Limits::default().live_bytes, 0] {
        let api = Api::with(Limits { live_bytes, ..Limits::default() }).await;
        let calls = [
            (Method::PUT, "/v1/sessions/demo", r#"{"preset": "worked-example"}"#, 201),
            (Method::PUT, "/v1/sessions/demo", r#"{"preset": "worked-example"}"#, 200),
            (Method::POST, "/v1/sessions", r#"{"preset": "worked-example"}"#, 201),
            (Method::POST, "/v1/sessions/demo/step", "{}", 200),
            (Method::POST, "/v1/sessions/demo/step?trace=summary", r#"{"inputs": [1, 2], "targets": [0.5]}"#, 200),
            (Method::POST, "/v1/sessions/demo/step?trace=none", r#"{"learning_rate": 0.1}"#, 200),
            (
                Method::PUT,
                "/v1/sessions/demo/weights",
                r#"{"layers": [{"name": "hidden", "parameters": {"weights": [[1, 2], [3, 4]]}}]}"#,
                200,
            ),
            (
                Method::PUT,
                "/v1/sessions/demo/weights/output",
                r#"{"layers": [{"name": "output", "parameters": {"weights": [[1], [2]]}}]}"#,
                200,
            ),
            (Method::POST, "/v1/sessions/demo/rewind", r#"{"to": 1}"#, 200),
            (Method::POST, "/v1/sessions/demo/fork", r#"{"name": "branch", "at": 2}"#, 201),
            (Method::POST, "/v1/sessions/demo/fork", "{}", 201),
            (Method::POST, "/v1/sessions/demo/step", r#"{"inputs": [1], "targets": [1]}"#, 422),
            (Method::POST, "/v1/sessions/demo/step", r#"{"inputs": [1e308, 1e308], "targets": [1e308]}"#, 422),
            (Method::DELETE, "/v1/sessions/branch", "", 204),
        ];
        let mut firsts = vec![];
        for (number, (method, path, body, status)) in calls.iter().enumerate() {
            let key = format!("key-{number}");
            let first = keyed(&api, method.clone(), path, body, &key).await;
            assert_eq!(first.status, *status, "{path}: {}", first.text);
            let steps = api.get(DEMO).await.expect(200)["step"].clone();
            same(&first, &keyed(&api, method.clone(), path, body, &key).await);
            assert_eq!(api.get(DEMO).await.expect(200)["step"], steps, "{path} is done once");
            firsts.push((key, first));
        }
        let sessions = api.get("/v1/sessions").await.expect(200)["sessions"].as_array().unwrap().len();
        assert_eq!(sessions, 3, "demo and the two with made-up names");
        for ((method, path, body, _), (key, first)) in calls.iter().zip(&firsts) {
            if !path.contains("branch") && !body.contains("branch") {
                same(first, &keyed(&api, method.clone(), path, body, key).await);
            }
        }
        assert_eq!(api.get(DEMO).await.expect(200)["step"], 6);
    }
}

#[tokio::test]
async fn a_key_stands_for_one_request() {
    let api = Api::start().await;
    api.put(DEMO, r#"{"preset": "worked-example"}"#).await.expect(201);
    let step = format!("{DEMO}/step");
    keyed(&api, Method::POST, &step, "{}", "k").await.expect(200);
    for (path, body) in
        [(step.as_str(), r#"{"learning_rate": 1}"#), (&format!("{step}?trace=none"), "{}"), ("/v1/sessions", "{}")]
    {
        keyed(&api, Method::POST, path, body, "k").await.problem(422, "idempotency_key_reused");
    }
    keyed(&api, Method::DELETE, DEMO, "", "k").await.problem(422, "idempotency_key_reused");
    assert_eq!(api.get(DEMO).await.expect(200)["step"], 1);
    // What cannot be read was no request: the same key serves for the mended one.
    keyed(&api, Method::POST, &step, r#"{"learning_rat": 1}"#, "typo").await.problem(400, "unknown_field");
    keyed(&api, Method::POST, &step, r#"{"learning_rate": 1}"#, "typo").await.expect(200);
    // What was not there may be there later.
    keyed(&api, Method::POST, "/v1/sessions/late/step", "{}", "late").await.problem(404, "session_not_found");
    api.put("/v1/sessions/late", r#"{"preset": "worked-example"}"#).await.expect(201);
    keyed(&api, Method::POST, "/v1/sessions/late/step", "{}", "late").await.expect(200);
    // The session of the first answer is gone: nothing is done to the one that has its name now.
    api.delete("/v1/sessions/late").await.expect(204);
    api.put("/v1/sessions/late", r#"{"preset": "worked-example"}"#).await.expect(201);
    let problem = keyed(&api, Method::POST, "/v1/sessions/late/step", "{}", "late").await;
    assert!(problem.problem(404, "session_not_found")["detail"].as_str().unwrap().contains("is deleted"));
    assert_eq!(api.get("/v1/sessions/late").await.expect(200)["step"], 0);
}

/// What may be otherwise later is judged anew; what the request alone is to blame for stays refused.
#[tokio::test]
async fn a_refusal_is_kept_where_the_request_alone_is_to_blame() {
    let api = Api::start().await;
    api.put(DEMO, r#"{"preset": "worked-example"}"#).await.expect(201);
    let (step, train, rewind) = (format!("{DEMO}/step"), format!("{DEMO}/train"), format!("{DEMO}/rewind"));
    let run = r#"{"dataset": "mine", "steps": 1}"#;
    keyed(&api, Method::POST, &train, run, "train").await.problem(422, "unknown_dataset");
    keyed(&api, Method::POST, &rewind, r#"{"to": 2}"#, "rewind").await.problem(422, "unknown_step");
    keyed(&api, Method::POST, &format!("{DEMO}/fork"), r#"{"name": "late", "at": 2}"#, "fork")
        .await
        .problem(422, "unknown_step");
    let large = r#"{"inputs": [1e120, 1e120], "targets": [1]}"#;
    let weights = |size: f64| {
        json!({"layers": [{"name": "hidden", "parameters": {"weights": [[size, size], [size, size]]}}]}).to_string()
    };
    let weights_path = format!("{DEMO}/weights");
    api.put(&weights_path, weights(1e200)).await.expect(200);
    keyed(&api, Method::POST, &step, large, "step").await.problem(422, "non_finite");

    api.put("/v1/datasets/mine", r#"{"inputs": [[0, 1], [1, 0]], "targets": [[1], [0]]}"#).await.expect(201);
    keyed(&api, Method::POST, &train, run, "train").await.expect(200);
    keyed(&api, Method::POST, &rewind, r#"{"to": 2}"#, "rewind").await.expect(200);
    keyed(&api, Method::POST, &format!("{DEMO}/fork"), r#"{"name": "late", "at": 2}"#, "fork").await.expect(201);
    api.put(&weights_path, weights(1e-300)).await.expect(200);
    keyed(&api, Method::POST, &step, large, "step").await.expect(200);

    // Another session of the name may have another network.
    let three = r#"{"inputs": [1, 2, 3], "targets": [1]}"#;
    keyed(&api, Method::POST, &step, three, "shape").await.problem(422, "wrong_shape");
    api.delete(DEMO).await.expect(204);
    let network = r#"{"network": {"inputs": 3, "layers": [{"kind": "dense", "units": 1}]}}"#;
    api.put(DEMO, network).await.expect(201);
    keyed(&api, Method::POST, &step, three, "shape").await.expect(200);

    // Kept: the key stands for that request.
    let wide = r#"{"network": {"inputs": 70000, "layers": [{"kind": "dense", "units": 1}]}}"#;
    let first = keyed(&api, Method::PUT, "/v1/sessions/wide", wide, "wide").await;
    same(&first, &keyed(&api, Method::PUT, "/v1/sessions/wide", wide, "wide").await);
    first.problem(422, "network_too_large");
    keyed(&api, Method::PUT, "/v1/sessions/wide", network, "wide").await.problem(422, "idempotency_key_reused");
}

/// What is promised of a run under a key ends with the next run, and of a session with its deletion.
#[tokio::test]
async fn a_key_of_a_run_serves_until_another_run_follows() {
    let api = Api::start().await;
    api.put(DEMO, r#"{"preset": "worked-example"}"#).await.expect(201);
    let (train, run) = (format!("{DEMO}/train"), r#"{"inputs": [[0, 1], [1, 0]], "targets": [[1], [0]], "steps": 2}"#);
    let first = keyed(&api, Method::POST, &train, run, "first").await;
    assert_eq!(keyed(&api, Method::POST, &train, run, "first").await.expect(200)["to"], first.expect(200)["to"]);
    keyed(&api, Method::POST, &train, run, "second").await.expect(200);
    keyed(&api, Method::POST, &train, run, "first").await.problem(404, "training_not_found");
    assert_eq!(api.get(DEMO).await.expect(200)["step"], 4, "nothing is done again");
    api.delete(DEMO).await.expect(204);
    keyed(&api, Method::POST, &train, run, "second").await.problem(404, "session_not_found");
}

#[tokio::test]
async fn making_a_session_may_insist_on_one_that_is_there() {
    let api = Api::start().await;
    let body = r#"{"preset": "worked-example"}"#;
    let made = api.put(DEMO, body).await;
    let tag = made.headers["etag"].to_str().unwrap().to_owned();
    let stepped = api.post(&format!("{DEMO}/step"), "{}").await;
    let now = stepped.headers["etag"].to_str().unwrap().to_owned();
    let insist = async |path: &str, tag: &str| {
        let method = if path.ends_with("sessions") { Method::POST } else { Method::PUT };
        with(&api, method, path, body, &[("if-match", tag)]).await
    };
    insist(DEMO, &tag).await.problem(412, "stale_state");
    insist(DEMO, &format!("\"9{}", &now[2..])).await.problem(412, "history_lost");
    for known in [now.as_str(), "*", &format!("{tag}, {now}"), &format!("{tag} ,\t{now}")] {
        let again = insist(DEMO, known).await;
        assert!(again.status == 200 && again.headers["etag"] == now.as_str(), "{known}: {}", again.text);
    }
    for path in ["/v1/sessions/new", "/v1/sessions"] {
        for any in [now.as_str(), "*", "\"nonsense\""] {
            let problem = insist(path, any).await.problem(412, "stale_state");
            assert!(problem["detail"].as_str().unwrap().contains("yet to be made"), "{problem}");
        }
    }
    let sessions = api.get("/v1/sessions").await.expect(200);
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1, "nothing was made");
    // What the document allows: a list with spaces, as the server reads it.
    let document: Value = api.get("/openapi.json").await.expect(200);
    let parameters = document["paths"]["/v1/sessions/{name}"]["put"]["parameters"].as_array().unwrap().clone();
    let header = parameters.into_iter().find(|one| one["name"] == "If-Match").unwrap();
    assert_eq!(header["schema"]["pattern"], "^[!-~]([ -~]*[!-~])?$");
}

#[tokio::test]
async fn a_key_has_so_many_visible_characters() {
    let api = Api::start().await;
    api.put(DEMO, r#"{"preset": "worked-example"}"#).await.expect(201);
    let step = format!("{DEMO}/step");
    keyed(&api, Method::POST, &step, "{}", &"k".repeat(255)).await.expect(200);
    for wrong in [String::new(), "k".repeat(256), "k\u{e9}".into()] {
        keyed(&api, Method::POST, &step, "{}", &wrong).await.problem(400, "invalid_header");
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    with(&api, Method::POST, &step, "{}", &twice).await.problem(400, "invalid_header");
    assert_eq!(api.get(DEMO).await.expect(200)["step"], 1);
}

/// Fifty at once under one key: one step, and whoever is not told to come again is told the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_request_many_times_at_once_is_done_once() {
    let api = Api::start().await;
    api.put(DEMO, r#"{"preset": "worked-example"}"#).await.expect(201);
    for round in 1..=10 {
        let mut requests = JoinSet::new();
        for _ in 0..50 {
            let api = api.clone();
            let key = format!("round-{round}");
            requests.spawn(async move { keyed(&api, Method::POST, &format!("{DEMO}/step"), "{}", &key).await });
        }
        let mut answers = vec![];
        while let Some(answer) = requests.join_next().await {
            let answer = answer.unwrap();
            if answer.status == 409 {
                assert!(answer.headers.contains_key("retry-after"));
                answer.problem(409, "idempotency_key_busy");
            } else {
                answers.push(answer.expect(200));
            }
        }
        assert!(!answers.is_empty() && answers.iter().all(|answer| answer == &answers[0] && answer["step"] == round));
    }
    assert_eq!(api.get(DEMO).await.expect(200)["step"], 10);
}

#[tokio::test]
async fn a_change_may_insist_on_a_state() {
    let api = Api::start().await;
    let made = api.put(DEMO, r#"{"preset": "worked-example"}"#).await;
    let tag = made.headers["etag"].to_str().unwrap().to_owned();
    let step = format!("{DEMO}/step");
    let insist = async |method: Method, path: &str, body: &str, tag: &str| {
        with(&api, method, path, body, &[("if-match", tag)]).await
    };
    let first = insist(Method::POST, &step, "{}", &tag).await;
    let now = first.headers["etag"].to_str().unwrap().to_owned();
    first.expect(200);
    let weights = r#"{"layers": [{"name": "hidden", "parameters": {"weights": [[1, 2], [3, 4]]}}]}"#;
    for (method, path, body) in [
        (Method::POST, step.as_str(), "{}"),
        (Method::PUT, &format!("{DEMO}/weights"), weights),
        (Method::PUT, &format!("{DEMO}/weights/hidden"), weights),
        (Method::POST, &format!("{DEMO}/rewind"), r#"{"to": 0}"#),
        (Method::POST, &format!("{DEMO}/fork"), r#"{"name": "other"}"#),
        (Method::DELETE, DEMO, ""),
    ] {
        for stale in [tag.clone(), format!("W/{now}"), "\"nonsense\"".into(), format!("{tag}, \"1-00\"")] {
            let problem = insist(method.clone(), path, body, &stale).await.problem(412, "stale_state");
            assert!(problem["detail"].as_str().unwrap().contains("step 1"), "{problem}");
        }
    }
    let never = format!("\"2{}", &now[2..]);
    insist(Method::POST, &step, "{}", &never).await.problem(412, "history_lost");
    insist(Method::POST, &step, "{}", "1-2").await.problem(400, "invalid_header");
    let shown = api.get(DEMO).await;
    assert_eq!(shown.headers["etag"], now.as_str(), "nothing was changed");
    // Going back does not bring an old tag back.
    insist(Method::POST, &format!("{DEMO}/rewind"), r#"{"to": 0}"#, &now).await.expect(200);
    insist(Method::POST, &step, "{}", &tag).await.problem(412, "stale_state");
    insist(Method::POST, &step, "{}", "*").await.expect(200);
    let now = api.get(DEMO).await.headers["etag"].to_str().unwrap().to_owned();
    insist(Method::POST, &step, "{}", &format!("{tag}, {now}")).await.expect(200);
    let now = api.get(DEMO).await.headers["etag"].to_str().unwrap().to_owned();
    insist(Method::DELETE, DEMO, "", &now).await.expect(204);
}

/// The first answer is given again, whatever the session has become: a condition was for the first time.
#[tokio::test]
async fn a_retry_is_answered_though_the_state_has_gone_on() {
    let api = Api::start().await;
    let made = api.put(DEMO, r#"{"preset": "worked-example"}"#).await;
    let tag = made.headers["etag"].to_str().unwrap().to_owned();
    let headers = [("if-match", tag.as_str()), ("idempotency-key", "k")];
    let first = with(&api, Method::POST, &format!("{DEMO}/step"), "{}", &headers).await;
    api.post(&format!("{DEMO}/step"), "{}").await.expect(200);
    same(&first, &with(&api, Method::POST, &format!("{DEMO}/step"), "{}", &headers).await);
    // A refusal because of a condition is not kept: the same request may be right later.
    let headers = [("if-match", tag.as_str()), ("idempotency-key", "other")];
    with(&api, Method::POST, &format!("{DEMO}/step"), "{}", &headers).await.problem(412, "stale_state");
    keyed(&api, Method::POST, &format!("{DEMO}/step"), "{}", "other").await.expect(200);
}

#[tokio::test]
async fn a_client_that_has_it_is_not_sent_it_again() {
    let api = Api::start().await;
    api.put(DEMO, r#"{"preset": "worked-example"}"#).await.expect(201);
    for path in [DEMO.to_owned(), format!("{DEMO}/weights"), format!("{DEMO}/weights/hidden")] {
        let first = api.get(&path).await;
        let tag = first.headers["etag"].to_str().unwrap();
        let again = with(&api, Method::GET, &path, "", &[("if-none-match", tag)]).await;
        assert_eq!((again.status, again.text.as_str(), again.headers["etag"].to_str().unwrap()), (304, "", tag));
        let other: Value = with(&api, Method::GET, &path, "", &[("if-none-match", "\"0-00\"")]).await.expect(200);
        assert_eq!(other, serde_json::from_str::<Value>(&first.text).unwrap());
        assert_ne!(other, json!(null));
    }
}
