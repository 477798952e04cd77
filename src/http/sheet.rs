//! Worked solutions going out: what a query may say of one, and the answer.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::App;
use super::code::Code;
use super::format::{Format, negotiate};
use super::problem::Problem;
use crate::engine::trace::Trace;
use crate::limits::DIGITS_MOST;
use crate::render::number::Digits;
use crate::render::solution::{Options, Solution, Voice};
use crate::render::{html, latex, markdown};
use crate::session::{Detail, Length, Work};

/// Who tells a worked solution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VoiceName {
    /// As a textbook does
    Textbook,
    /// As a production line
    Factory,
}

/// What a query says of a worked solution.
#[derive(Clone, Copy, Default)]
pub struct Wishes {
    /// The form that is asked for, if one is
    pub format: Option<Format>,
    /// Significant digits
    pub digits: Option<u64>,
    /// A unit, counted from 1
    pub unit: Option<u64>,
    /// An example, counted from 1
    pub example: Option<u64>,
    /// Who tells it
    pub voice: Option<VoiceName>,
}

/// How a trace is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As JSON
    Json,
    /// As a worked solution
    Solution(Format, Options),
}

/// The forms of a trace.
pub const OFFERED: &[Format] = &[Format::Json, Format::Markdown, Format::Latex, Format::Html];

impl Wishes {
    /// How a trace of that detail is answered; settled before it is computed.
    pub fn form(self, headers: &HeaderMap, detail: Option<Detail>) -> Result<Form, Problem> {
        let format = negotiate(self.format, headers, OFFERED)?;
        let Self { digits, unit, example, voice, .. } = self;
        if format == Format::Json {
            let of_solutions = [("digits", digits), ("unit", unit), ("example", example), ("voice", voice.map(|_| 0))];
            return match of_solutions.iter().find(|(_, value)| value.is_some()) {
                None => Ok(Form::Json),
                Some((name, _)) => {
                    let detail =
                        format!("the query's {name} is for a worked solution; add format=markdown, latex or html");
                    Err(Problem::new(Code::ConflictingFields, detail))
                }
            };
        }
        if detail.is_some_and(|detail| detail != Detail::Full) {
            let detail = "a worked solution is made of the whole trace; leave trace out, or ask for format=json";
            return Err(Problem::new(Code::ConflictingFields, detail));
        }
        let digits = match digits {
            None => Digits::default(),
            Some(digits) => Digits::new(digits).ok_or_else(|| {
                let detail = format!("the query's digits: 1 to {DIGITS_MOST} were expected");
                Problem::new(Code::NumberOutOfRange, detail)
            })?,
        };
        let place = |name: &str, value: Option<u64>| match value {
            Some(0) => Err(Problem::new(Code::NumberOutOfRange, format!("the query's {name} is counted from 1"))),
            value => Ok(value.map_or(0, |value| usize::try_from(value - 1).unwrap_or(usize::MAX))),
        };
        let voice = if voice == Some(VoiceName::Factory) { Voice::Factory } else { Voice::Textbook };
        let options = Options { digits, unit: place("unit", unit)?, example: place("example", example)?, voice };
        Ok(Form::Solution(format, options))
    }
}

/// A trace as a worked solution; written off the async threads where it is long.
pub async fn answer(app: &App, size: u64, trace: Trace, (format, options): (Format, Options)) -> Response {
    let length = Length::of(size, app.limits().inline_answer_bytes);
    let write = move || {
        let solution = Solution::of(&trace, options);
        match format {
            Format::Latex => latex::write(&solution),
            Format::Html => html::write(&solution),
            _ => markdown::write(&solution),
        }
    };
    document(StatusCode::OK, format, app.registry.compute().run(Work::Text, length, write).await)
}

/// A text in a form.
pub fn document(status: StatusCode, format: Format, text: String) -> Response {
    let media_type = HeaderValue::from_str(&format!("{}; charset=utf-8", format.media_type()));
    let mut response = (status, text).into_response();
    let headers = response.headers_mut();
    if let Ok(media_type) = media_type {
        headers.insert(header::CONTENT_TYPE, media_type);
    }
    headers.append(header::VARY, HeaderValue::from_static("accept"));
    if format == Format::Html {
        // Nothing but the page's own style: no script, nothing from elsewhere.
        let hash = STANDARD.encode(Sha256::digest(html::STYLE.as_bytes()));
        let policy = format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'");
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
    }
    response
}
