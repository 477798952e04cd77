//! Worked solutions and pictures going out: what a query may say of one, and the answer.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::code::Code;
use super::format::{Format, negotiate};
use super::problem::Problem;
use crate::engine::trace::Trace;
use crate::limits::DIGITS_MOST;
use crate::render::number::Digits;
use crate::render::picture::chart::{self, Series};
use crate::render::picture::{Drawing, Picture, draw, flowchart, svg};
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

/// What a picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PictureName {
    /// What each unit puts out
    Network,
    /// The blame that goes back
    Backward,
}

/// What a query says of a worked solution or of a picture.
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
    /// What is drawn
    pub picture: Option<PictureName>,
}

/// How a trace is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As JSON
    Json,
    /// As a worked solution
    Solution(Format, Options),
    /// As a picture
    Picture(Format, Drawing),
}

/// The forms of a trace.
pub const OFFERED: &[Format] =
    &[Format::Json, Format::Markdown, Format::Latex, Format::Html, Format::Svg, Format::Mermaid];

impl Wishes {
    /// How a trace of that detail is answered; settled before it is computed.
    pub fn form(self, headers: &HeaderMap, detail: Option<Detail>) -> Result<Form, Problem> {
        let format = negotiate(self.format, headers, OFFERED)?;
        let Self { digits, unit, example, voice, picture, .. } = self;
        let drawn = matches!(format, Format::Svg | Format::Mermaid);
        let given = [
            ("digits", digits.is_some() && format == Format::Json),
            ("example", example.is_some() && format == Format::Json),
            ("unit", unit.is_some() && (drawn || format == Format::Json)),
            ("voice", voice.is_some() && (drawn || format == Format::Json)),
            ("picture", picture.is_some() && !drawn),
        ];
        if let Some((name, _)) = given.iter().find(|(_, misplaced)| *misplaced) {
            let forms = match *name {
                "picture" => "a picture; add format=svg or mermaid",
                "unit" | "voice" => "a worked solution; add format=markdown, latex or html",
                _ => "a worked solution or a picture; add format=markdown, latex, html, svg or mermaid",
            };
            return Err(Problem::new(Code::ConflictingFields, format!("the query's {name} is for {forms}")));
        }
        if format == Format::Json {
            return Ok(Form::Json);
        }
        if detail.is_some_and(|detail| detail != Detail::Full) {
            let detail = "this form is made of the whole trace; leave trace out, or ask for format=json";
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
        if drawn {
            let picture = if picture == Some(PictureName::Backward) { Picture::Backward } else { Picture::Network };
            return Ok(Form::Picture(format, Drawing { picture, digits, example: place("example", example)? }));
        }
        let voice = if voice == Some(VoiceName::Factory) { Voice::Factory } else { Voice::Textbook };
        let options = Options { digits, unit: place("unit", unit)?, example: place("example", example)?, voice };
        Ok(Form::Solution(format, options))
    }
}

/// A trace as a worked solution or as a picture; written off the async threads where it is long.
pub async fn answer(app: &App, size: u64, trace: Trace, form: Form) -> Response {
    let length = Length::of(size, app.limits().inline_answer_bytes);
    let format = match form {
        Form::Json => Format::Json,
        Form::Solution(format, _) | Form::Picture(format, _) => format,
    };
    if let Form::Picture(_, Drawing { picture: Picture::Backward, .. }) = form
        && trace.backward.is_none()
    {
        let detail = "the query's picture: there is no way back in this trace; ask backward, step or explain";
        return Problem::new(Code::ConflictingFields, detail).into_response();
    }
    let write = move || match form {
        Form::Solution(Format::Latex, options) => latex::write(&Solution::of(&trace, options)),
        Form::Solution(Format::Html, options) => html::write(&Solution::of(&trace, options)),
        Form::Solution(_, options) => markdown::write(&Solution::of(&trace, options)),
        Form::Picture(Format::Mermaid, drawing) => flowchart(&trace, drawing),
        Form::Picture(_, drawing) => draw(&trace, drawing),
        Form::Json => String::new(),
    };
    document(StatusCode::OK, format, app.registry.compute().run(Work::Text, length, write).await)
}

/// The form of an answer that is numbers or a chart of them.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChartQuery {
    /// json or svg: wins over Accept
    #[param(inline, required = false, nullable = false)]
    format: Option<Format>,
}

impl ChartQuery {
    /// Whether a chart is asked for.
    pub fn is_drawn(&self, headers: &HeaderMap) -> Result<bool, Problem> {
        Ok(negotiate(self.format, headers, &[Format::Json, Format::Svg])? == Format::Svg)
    }
}

/// How blame fades in some networks, as a chart.
pub fn chart(title: &str, series: &[Series]) -> Response {
    document(StatusCode::OK, Format::Svg, chart::draw(title, series))
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
    let style = match format {
        Format::Html => Some(html::STYLE),
        Format::Svg => Some(svg::STYLE),
        _ => None,
    };
    if let Some(style) = style {
        // Nothing but its own style: no script, nothing from elsewhere.
        let hash = STANDARD.encode(Sha256::digest(style.as_bytes()));
        let policy = format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'");
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
    }
    response
}
