//! What a request says about how its change is to be made: `If-Match` and `Idempotency-Key`.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::App;
use super::again::again;
use super::body::{Json, receive};
use super::code::Code;
use super::problem::Problem;
use super::sheet::Wanted;
use crate::limits::KEY_CHARACTERS;
use crate::session::{Bytes, Claim, Claimed, Condition, Outcome, StateTag, Terms};
use crate::store::Digest;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A body that changes something, and how it is to change it.
pub struct Change<T> {
    /// What is asked
    pub body: T,
    /// On which terms
    pub conditions: Conditions,
}

/// How a change is to be made.
pub struct Conditions {
    condition: Condition,
    /// The client's key, and what tells this request from another one under the same key
    key: Option<(String, Digest)>,
}

impl<T: DeserializeOwned + Send + 'static> FromRequest<Arc<App>> for Change<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let received = receive(&head.headers, body, app).await?;
        let conditions = Conditions::read(&head.method, &head.uri, &head.headers, &received.bytes)?;
        Ok(Self { body: Json::parse(received, app).await?, conditions })
    }
}

/// Of a request whose body is not read.
impl FromRequest<Arc<App>> for Conditions {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Arc<App>) -> Result<Self, Problem> {
        Self::read(request.method(), request.uri(), request.headers(), &[])
    }
}

impl Conditions {
    /// As the headers say; the body is what tells one request from another.
    pub fn read(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<Self, Problem> {
        let condition = if_match(headers)?;
        let key = idempotency_key(headers)?.map(|key| (key, fingerprint(method, uri, body)));
        Ok(Self { condition, key })
    }

    /// Does the work for the first request under its key, and gives its answer to every other one. A refusal for which
    /// the request alone is to blame is kept too.
    pub async fn once<F>(self, app: &App, work: impl FnOnce(Terms) -> F) -> Result<Response, Problem>
    where
        F: Future<Output = Result<Response, Problem>>,
    {
        self.once_as(app, work, |outcome| again(app, outcome, Wanted::JSON)).await
    }

    /// The same, where what is worked on is not yet the answer: `again` makes it of what it came to before.
    pub async fn once_as<T, F, A>(
        self,
        app: &App,
        work: impl FnOnce(Terms) -> F,
        again: impl Fn(Outcome) -> A,
    ) -> Result<T, Problem>
    where
        F: Future<Output = Result<T, Problem>>,
        A: Future<Output = Result<T, Problem>>,
    {
        let Self { condition, key } = self;
        let Some((key, request)) = key else { return work(Terms { condition, claim: None }).await };
        let claim = match app.registry.claim(key.clone(), request).await? {
            // Boxed, for it is rare and large.
            Claimed::Again(outcome) => return Box::pin(again(outcome)).await,
            Claimed::First(claim) => claim,
        };
        let done = work(Terms { condition, claim: Some(Arc::clone(&claim)) }).await;
        match done {
            Err(problem) if problem.code() == Code::IdempotencyKeyBusy => {
                // Another server has answered the same request meanwhile.
                drop(claim);
                match app.registry.claim(key, request).await? {
                    Claimed::Again(outcome) => Box::pin(again(outcome)).await,
                    Claimed::First(_) => Err(problem),
                }
            }
            Err(problem) if problem.code().is_final() => {
                keep(app, &claim, &problem).await;
                Err(problem)
            }
            done => done,
        }
    }
}

async fn keep(app: &App, claim: &Claim, problem: &Problem) {
    let body = Bytes(problem.bytes());
    app.registry.keep(claim, &Outcome::Refused { status: problem.code().status().as_u16(), body }).await;
}

/// An answer with the tag of the state that it is about.
pub fn tagged(mut response: Response, tag: StateTag) -> Response {
    if let Ok(tag) = HeaderValue::try_from(format!("\"{tag}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The answer, unless the client has it: then that it has.
pub async fn unless_known(headers: &HeaderMap, tag: StateTag, answer: impl Future<Output = Response>) -> Response {
    match unchanged(headers, tag) {
        Some(unchanged) => unchanged,
        None => answer.await,
    }
}

/// Whether the client has what it asks for: `If-None-Match` names where the session stands.
fn unchanged(headers: &HeaderMap, tag: StateTag) -> Option<Response> {
    let mut tags = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    // Weak comparison: a proxy that compresses may have made the tag a weak one.
    let known = tags.any(|value| {
        value
            .split(',')
            .map(|tag| tag.trim().trim_start_matches("W/").trim_matches('"'))
            .any(|text| text == "*" || StateTag::parse(text) == Some(tag))
    });
    known.then(|| tagged(StatusCode::NOT_MODIFIED.into_response(), tag))
}

fn if_match(headers: &HeaderMap) -> Result<Condition, Problem> {
    let mut tags = vec![];
    let mut values = headers.get_all(header::IF_MATCH).iter().peekable();
    if values.peek().is_none() {
        return Ok(Condition::None);
    }
    for value in values {
        let text = value.to_str().map_err(|_| wrong_header("If-Match is not text"))?;
        for tag in text.split(',').map(str::trim) {
            if tag == "*" {
                return Ok(Condition::Any);
            }
            let inner = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            if inner.is_none() && !tag.starts_with("W/\"") {
                let detail = format!("If-Match takes tags in quotes, as ETag gives them, and this is {tag:?}");
                return Err(wrong_header(&detail));
            }
            // A tag that this server never gives, a weak one among them, matches nothing.
            tags.extend(inner.and_then(StateTag::parse));
        }
    }
    Ok(Condition::OneOf(tags))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(wrong_header("Idempotency-Key stands twice"));
    }
    let visible =
        |text: &&str| (1..=KEY_CHARACTERS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    match value.to_str().ok().filter(visible) {
        Some(key) => Ok(Some(key.to_owned())),
        None => Err(wrong_header(&format!("an Idempotency-Key has 1 to {KEY_CHARACTERS} visible ASCII characters"))),
    }
}

fn wrong_header(detail: &str) -> Problem {
    Problem::new(Code::InvalidHeader, detail)
}

/// SHA-256 over method, path with query, and body.
fn fingerprint(method: &Method, uri: &Uri, body: &[u8]) -> Digest {
    let mut sha = Sha256::new();
    for part in [method.as_str(), uri.path(), uri.query().unwrap_or_default()] {
        sha.update((part.len() as u64).to_le_bytes());
        sha.update(part);
    }
    sha.update(body);
    sha.finalize().into()
}
