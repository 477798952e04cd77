//! JSON going out: the one place where a number becomes text.
//!
//! A double is written as the shortest text that reads back as the same double. The text of every number is pinned
//! by a list under test, for an answer must be the same bytes for ever.

use std::io;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::ser::Formatter;

use super::App;
use super::code::Code;
use super::problem::Problem;
use crate::session::{Length, Work};

/// A value as JSON.
pub fn bytes(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::with_capacity(1024);
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Shortest))?;
    Ok(bytes)
}

/// A status with a value as its body, written at once: for answers that are small.
pub fn answer(status: StatusCode, value: &impl Serialize) -> Response {
    match bytes(value) {
        Ok(body) => (status, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => {
            Problem::new(Code::InternalError, format!("the answer could not be written: {error}")).into_response()
        }
    }
}

/// A value as the body of a 200; a large one is written off the async threads.
pub async fn large_answer(app: &App, size: u64, value: impl Serialize + Send + 'static) -> Response {
    large_answer_with(app, StatusCode::OK, size, value).await
}

/// The same with another status.
pub async fn large_answer_with(
    app: &App,
    status: StatusCode,
    size: u64,
    value: impl Serialize + Send + 'static,
) -> Response {
    let length = Length::of(size, app.limits().inline_answer_bytes);
    app.registry.compute().run(Work::Text, length, move || answer(status, &value)).await
}

/// Writes doubles as the shortest text that reads back the same, and everything else as `serde_json` does.
struct Shortest;

impl Formatter for Shortest {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(zmij::Buffer::new().format_finite(value).as_bytes())
    }
}
