//! JSON going out: the one place where a number becomes text.
//!
//! A double is written as the shortest text that reads back as the same double. The text of every number is pinned
//! by a list under test, for an answer must be the same bytes for ever.

use std::convert::Infallible;
use std::io;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use serde_json::ser::Formatter;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

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
    let mut full = vec![];
    let keep = |piece| {
        full.push(piece);
        Ok(())
    };
    let mut pieces = Pieces { last: Vec::with_capacity(SHORT), full: keep };
    if let Err(error) = write(&mut pieces, value) {
        return unwritten(&error.to_string());
    }
    let last = pieces.last;
    if full.is_empty() {
        return (status, [JSON], last).into_response();
    }
    let length = full.iter().map(Bytes::len).sum::<usize>() + last.len();
    let pieces = full.into_iter().chain([last.into()]).map(Ok::<Bytes, Infallible>);
    let length = (header::CONTENT_LENGTH, HeaderValue::from(length));
    (status, [JSON, length], Body::from_stream(stream::iter(pieces))).into_response()
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
    match Length::of(size, app.limits().inline_answer_bytes) {
        Length::Short => answer(status, &value),
        Length::Long => answer_on_the_way(app, status, value).await,
    }
}

/// A long answer, whose beginning is on its way while the rest is written. The writer does not wait for the client, so
/// that a slow one keeps no thread.
async fn answer_on_the_way(app: &App, status: StatusCode, value: impl Serialize + Send + 'static) -> Response {
    let (sender, mut written) = unbounded_channel();
    let work = move || {
        // A client that has left is not written for.
        let full = |piece| sender.send(Written::Piece(piece)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe));
        let mut pieces = Pieces { last: Vec::with_capacity(SHORT), full };
        let end = match write(&mut pieces, &value) {
            Ok(()) => Written::Last(pieces.last.into()),
            Err(error) => Written::Failed(error.to_string()),
        };
        // Whether anybody is still there to hear it does not matter any more.
        sender.send(end).ok();
    };
    app.registry.compute().begin(Work::Text, work).await;
    match written.recv().await {
        Some(Written::Piece(first)) => {
            let rest = stream::unfold(Some(written), |written| async { following(written?).await });
            let body = Body::from_stream(stream::iter([Ok(first)]).chain(rest));
            (status, [JSON], body).into_response()
        }
        Some(Written::Last(whole)) => (status, [JSON], whole).into_response(),
        Some(Written::Failed(error)) => unwritten(&error),
        None => unwritten("its writer met a defect of the server"),
    }
}

/// The next piece of a text, and what comes after it. An end that is missing breaks the answer off: the client sees that
/// it is not whole.
async fn following(
    mut written: UnboundedReceiver<Written>,
) -> Option<(io::Result<Bytes>, Option<UnboundedReceiver<Written>>)> {
    Some(match written.recv().await {
        Some(Written::Piece(piece)) => (Ok(piece), Some(written)),
        Some(Written::Last(piece)) => (Ok(piece), None),
        Some(Written::Failed(error)) => (Err(io::Error::other(error)), None),
        None => (Err(io::ErrorKind::UnexpectedEof.into()), None),
    })
}

fn unwritten(error: &str) -> Response {
    Problem::new(Code::InternalError, format!("the answer could not be written: {error}")).into_response()
}

const JSON: (HeaderName, HeaderValue) = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));

/// What the writer of a long text tells.
enum Written {
    /// More comes
    Piece(Bytes),
    /// The end
    Last(Bytes),
    /// There will be no end
    Failed(String),
}

/// A text in pieces: none of them is moved to make room for more, so that a long answer is held once.
struct Pieces<F> {
    last: Vec<u8>,
    /// Takes each piece that is full
    full: F,
}

/// Bytes of a piece of a long text.
const PIECE: usize = 256 << 10;

impl<F: FnMut(Bytes) -> io::Result<()>> io::Write for Pieces<F> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if self.last.len() + text.len() > PIECE {
            let full = std::mem::replace(&mut self.last, Vec::with_capacity(PIECE.max(text.len())));
            (self.full)(full.into())?;
        }
        self.last.extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes doubles as the shortest text that reads back the same, and everything else as `serde_json` does.
struct Shortest;

impl Formatter for Shortest {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(zmij::Buffer::new().format_finite(value).as_bytes())
    }
}
