//! JSON going out: the one place where a number becomes text.
//!
//! A double is written as the shortest text that reads back as the same double. The text of every number is pinned
//! by a list under test, for an answer must be the same bytes for ever.

use std::convert::Infallible;
use std::io;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use serde_json::ser::Formatter;

use super::App;
use super::code::Code;
use super::problem::Problem;
use crate::session::{Length, Work};

/// A value as JSON.
pub fn bytes(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::with_capacity(SHORT);
    write(&mut bytes, value)?;
    Ok(bytes)
}

/// Room for a short text, so that it is not moved while it is written.
const SHORT: usize = 1024;

fn write(to: impl io::Write, value: &impl Serialize) -> Result<(), serde_json::Error> {
    value.serialize(&mut serde_json::Serializer::with_formatter(to, Shortest))
}

/// A status with a value as its body, written at once: for answers that are small.
pub fn answer(status: StatusCode, value: &impl Serialize) -> Response {
    let mut pieces = Pieces { full: vec![], last: Vec::with_capacity(SHORT) };
    match write(&mut pieces, value) {
        Ok(()) => pieces.into_response(status),
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

/// A text in pieces: none of them is moved to make room for more, so that a long answer is held once.
struct Pieces {
    full: Vec<Bytes>,
    last: Vec<u8>,
}

/// Bytes of a piece of a long text.
const PIECE: usize = 256 << 10;

impl io::Write for Pieces {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if self.last.len() + text.len() > PIECE {
            let full = std::mem::replace(&mut self.last, Vec::with_capacity(PIECE.max(text.len())));
            self.full.push(full.into());
        }
        self.last.extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Pieces {
    fn into_response(self, status: StatusCode) -> Response {
        let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.full.is_empty() {
            return (status, [kind], self.last).into_response();
        }
        let length = self.full.iter().map(Bytes::len).sum::<usize>() + self.last.len();
        let pieces = self.full.into_iter().chain([self.last.into()]).map(Ok::<Bytes, Infallible>);
        let body = Body::from_stream(stream::iter(pieces));
        (status, [kind, (header::CONTENT_LENGTH, length.into())], body).into_response()
    }
}

/// Writes doubles as the shortest text that reads back the same, and everything else as `serde_json` does.
struct Shortest;

impl Formatter for Shortest {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(zmij::Buffer::new().format_finite(value).as_bytes())
    }
}
