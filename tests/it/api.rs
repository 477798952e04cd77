//! A server on a free port and a client that talks to it, so that tests read like a conversation.

use std::future::pending;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use axum::Router;
use chainrule::http::{App, router_with, serve};
use chainrule::limits::Limits;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use tokio::net::TcpListener;

/// A running server.
#[derive(Clone)]
pub struct Api {
    pub address: SocketAddr,
    pub app: Arc<App>,
    client: Client,
}

/// An answer: its status, its media type, its headers and its body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub media_type: String,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Api {
    /// With the limits that the product ships with.
    pub async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    /// With other limits.
    pub async fn with(limits: Limits) -> Self {
        Self::with_routes(limits, Router::new()).await
    }

    /// With routes of the test's own, behind the product's layers.
    pub async fn with_routes(limits: Limits, more: Router<Arc<App>>) -> Self {
        Self::of(App::new(limits), more).await
    }

    /// An app, with routes of the test's own.
    pub async fn of(app: Arc<App>, more: Router<Arc<App>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = app.limits().clone();
        let router = router_with(Arc::clone(&app), more);
        tokio::spawn(async move { serve(listener, router, &limits, pending()).await });
        Self { address, app, client: Client::new() }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path)).await
    }

    pub async fn post(&self, path: &str, body: impl AsRef<str>) -> Answer {
        self.json(Method::POST, path, body).await
    }

    pub async fn put(&self, path: &str, body: impl AsRef<str>) -> Answer {
        self.json(Method::PUT, path, body).await
    }

    async fn json(&self, method: Method, path: &str, body: impl AsRef<str>) -> Answer {
        let request = self.request(method, path).header(CONTENT_TYPE, "application/json");
        send(request.body(body.as_ref().to_owned())).await
    }
}

/// The answer. A refusal of an operation is one that the document lists for it.
pub async fn send(request: RequestBuilder) -> Answer {
    let (client, request) = request.build_split();
    let request = request.unwrap();
    let operation = operation(request.method(), request.url().path());
    let response = client.execute(request).await.unwrap();
    let headers = response.headers().clone();
    let media_type = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let status = response.status().as_u16();
    let answer = Answer { status, media_type, headers, text: response.text().await.unwrap() };
    if let (Some(operation), "application/problem+json") = (operation, answer.media_type.as_str()) {
        let problem: Value = serde_json::from_str(&answer.text).unwrap();
        let code = format!("`{}`", problem["code"].as_str().unwrap());
        let listed = operation["responses"][status.to_string()]["description"].as_str().unwrap_or_default();
        assert!(listed.contains(&code), "{} does not list {code} with {status}: {problem}", operation["operationId"]);
    }
    answer
}

/// The operation of the document that a request asks for.
fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    static DOCUMENT: LazyLock<Value> =
        LazyLock::new(|| serde_json::from_str(&chainrule::http::document().to_json().unwrap()).unwrap());
    let fits = |template: &str| {
        let (parts, of) = (path.split('/'), template.split('/'));
        parts.clone().count() == of.clone().count()
            && parts.zip(of).all(|(part, of)| part == of || (of.starts_with('{') && !part.is_empty()))
    };
    let (_, item) = DOCUMENT["paths"].as_object()?.iter().find(|(template, _)| fits(template))?;
    item.get(method.as_str().to_lowercase())
}

impl Answer {
    /// The body, where the status is as expected; else the test ends with what the server said.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text.chars().take(2_000).collect::<String>());
        if self.text.is_empty() { Value::Null } else { serde_json::from_str(&self.text).unwrap() }
    }

    /// The problem, where the answer is one of this status and code, in the one form that refusals have.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        let media_type = self.media_type.clone();
        let problem = self.expect(status);
        assert_eq!(media_type, "application/problem+json", "{problem}");
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["type"], format!("/problems/{code}"), "{problem}");
        for field in ["title", "detail"] {
            assert!(problem[field].as_str().is_some_and(|text| text.len() > 10), "{field} of {problem}");
        }
        problem
    }

    /// A problem that lies at one place of the request, whose detail says this.
    #[track_caller]
    pub fn fault(self, status: u16, code: &str, pointer: &str, says: &str) {
        let problem = self.problem(status, code);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem} says {says:?}");
    }
}

/// A fixture, or any other file of the repository.
pub fn file(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A fixture as JSON.
pub fn fixture(name: &str) -> Value {
    serde_json::from_str(&file(&format!("tests/golden/{name}"))).unwrap()
}

/// Every number of a JSON value with its pointer.
pub fn numbers(value: &Value) -> Vec<(String, f64)> {
    let mut found = Vec::new();
    collect(value, String::new(), &mut found);
    found
}

fn collect(value: &Value, pointer: String, found: &mut Vec<(String, f64)>) {
    match value {
        Value::Number(number) => found.push((pointer, number.as_f64().unwrap())),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, format!("{pointer}/{index}"), found);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                collect(field, format!("{pointer}/{key}"), found);
            }
        }
        _ => {}
    }
}
