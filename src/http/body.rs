//! JSON coming in: content type, size, time, and then a value or a refusal that knows its pointer.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use super::App;
use super::bodies::{Held, too_large};
use super::code::Code;
use super::diagnose;
use super::problem::Problem;
use crate::limits::Limits;
use crate::session::{Length, Work};

/// A JSON body. An empty one is `{}`; a missing content type is JSON.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + Send + 'static> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let received = receive(&head.headers, body, app).await?;
        Self::parse(received, app).await.map(Self)
    }
}

impl<T: DeserializeOwned + Send + 'static> Json<T> {
    /// A value from a body that was received, on the right thread.
    pub async fn parse(received: Held, app: &App) -> Result<T, Problem> {
        let length = Length::of(received.bytes.len() as u64, app.limits().inline_answer_bytes);
        app.registry.compute().run(Work::Text, length, move || parse(&received.bytes)).await
    }
}

/// The bytes of a body that says that it is JSON.
pub async fn receive(headers: &HeaderMap, body: Body, app: &App) -> Result<Held, Problem> {
    check_media_type(headers)?;
    receive_any(headers, body, app).await
}

/// The bytes of a body, whatever it is.
pub async fn receive_any(headers: &HeaderMap, body: Body, app: &App) -> Result<Held, Problem> {
    check_encoding(headers)?;
    check_announced(headers, app.limits())?;
    app.bodies.receive(body, app.limits()).await
}

/// A media type without its parameters.
pub fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

/// A value from JSON text.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let bytes = if bytes.trim_ascii().is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(bytes).map_err(|error| Problem::from(diagnose::fault::<T>(bytes, &error)))
}

fn check_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    if let Some(encoding) = headers.get(header::CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        return Err(Problem::new(
            Code::UnsupportedMediaType,
            "compressed bodies are not taken; send the body as it is",
        ));
    }
    Ok(())
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(content_type) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let essence = self::essence(content_type.to_str().unwrap_or_default());
    let json = essence.eq_ignore_ascii_case("application/json")
        || (essence.len() > 5 && essence[essence.len() - 5..].eq_ignore_ascii_case("+json"));
    if json {
        return Ok(());
    }
    let detail = format!("the body is {essence:?}, and this path takes application/json (curl: --json '…')");
    Err(Problem::new(Code::UnsupportedMediaType, detail))
}

/// A body that says that it is too large need not be sent.
fn check_announced(headers: &HeaderMap, limits: &Limits) -> Result<(), Problem> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limits.body_bytes as u64) { Err(too_large(limits)) } else { Ok(()) }
}
