//! In which form something is answered: as `?format=` says, else as `Accept` says, else as JSON.
//!
//! It is settled before anything is computed or changed.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde::Deserialize;
use serde::de::{self, Deserializer};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{Object, ObjectBuilder};

use super::code::Code;
use super::problem::Problem;

/// A form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// For programs (the default)
    #[default]
    Json,
    /// A worked solution for a notebook or a code forge
    Markdown,
    /// A worked solution as a LaTeX document
    Latex,
    /// A worked solution as a page of its own
    Html,
    /// A picture
    Svg,
    /// A picture as a Mermaid flowchart
    Mermaid,
    /// The numbers as doubles, for programs that have no time for text
    Safetensors,
}

impl Format {
    /// Every form.
    pub const ALL: [Self; 7] =
        [Self::Json, Self::Markdown, Self::Latex, Self::Html, Self::Svg, Self::Mermaid, Self::Safetensors];

    /// The name in a query.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Markdown => "markdown",
            Self::Latex => "latex",
            Self::Html => "html",
            Self::Svg => "svg",
            Self::Mermaid => "mermaid",
            Self::Safetensors => "safetensors",
        }
    }

    /// The media type, without parameters.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Markdown => "text/markdown",
            Self::Latex => "text/x-tex",
            Self::Html => "text/html",
            Self::Svg => "image/svg+xml",
            Self::Mermaid => "text/vnd.mermaid",
            Self::Safetensors => "application/vnd.safetensors",
        }
    }

    /// Whether a media range names this form's type, and how closely.
    fn fits(self, range: &str) -> u8 {
        let same = |text: &str| range.eq_ignore_ascii_case(text);
        let other_name = self == Self::Latex && (same("application/x-tex") || same("application/x-latex"));
        if other_name { 3 } else { closeness(self.media_type(), range) }
    }
}

/// The schema of a query's `format` where these are offered.
pub fn schema(offered: &[Format]) -> Object {
    let names = offered.iter().map(|form| form.as_str());
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).build()
}

/// The names of as many forms, for [`read`].
pub const fn names<const COUNT: usize>(offered: &[Format]) -> [&'static str; COUNT] {
    let mut names = [""; COUNT];
    let mut at = 0;
    // A constant can have no iterators.
    while at < COUNT {
        names[at] = offered[at].as_str();
        at += 1;
    }
    names
}

/// Reads a query's `format`; what is no form at all is told which of these there are. One that there is elsewhere is
/// refused when it is negotiated.
pub fn read<'de, D: Deserializer<'de>>(from: D, offered: &'static [&'static str]) -> Result<Option<Format>, D::Error> {
    let text = String::deserialize(from)?;
    let found = Format::ALL.into_iter().find(|form| form.as_str() == text);
    found.map(Some).ok_or_else(|| de::Error::unknown_variant(&text, offered))
}

/// The form of an answer that comes in some, the first of which is the one that programs expect.
pub fn negotiate(asked: Option<Format>, headers: &HeaderMap, offered: &[Format]) -> Result<Format, Problem> {
    let refused = |what: String| {
        let forms = offered.iter().map(|form| format!("format={} ({})", form.as_str(), form.media_type()));
        let detail = format!("{what}; there is {}", forms.collect::<Vec<_>>().join(", "));
        Err(Problem::new(Code::NotAcceptable, detail))
    };
    if let Some(asked) = asked {
        if offered.contains(&asked) {
            return Ok(asked);
        }
        return refused(format!("this is not answered as {}", asked.as_str()));
    }
    match heaviest(headers, offered, Format::fits) {
        Some(form) => Ok(form),
        None => refused("Accept names nothing that this can be answered as".into()),
    }
}

/// The media type of an answer that comes in some, the first of which is the one that programs expect, where `Accept`
/// alone chooses.
pub fn negotiate_type(headers: &HeaderMap, offered: &[&'static str]) -> Result<&'static str, Problem> {
    heaviest(headers, offered, closeness).ok_or_else(|| {
        let detail = format!("Accept names nothing that this can be answered as; there is {}", offered.join(", "));
        Problem::new(Code::NotAcceptable, detail)
    })
}

/// Which of some forms `Accept` gives most weight, the first of equals; the first of all where it says nothing.
fn heaviest<T: Copy>(headers: &HeaderMap, offered: &[T], fits: impl Fn(T, &str) -> u8) -> Option<T> {
    let ranges: Vec<(String, u16)> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(range)
        .collect();
    if ranges.is_empty() {
        return offered.first().copied();
    }
    // The weight of a form is that of the range that names it most closely.
    let weight = |form: T| {
        let closest =
            ranges.iter().filter(|(range, _)| fits(form, range) > 0).max_by_key(|(range, _)| fits(form, range));
        closest.map_or(0, |(_, weight)| *weight)
    };
    let heaviest = offered.iter().map(|form| weight(*form)).max().unwrap_or(0);
    offered.iter().copied().find(|form| heaviest > 0 && weight(*form) == heaviest)
}

/// How closely a media range names a media type: 3 by its name, 2 by its kind, 1 as anything, 0 not at all.
fn closeness(media_type: &str, range: &str) -> u8 {
    let same = |text: &str| range.eq_ignore_ascii_case(text);
    let (kind, _) = media_type.split_once('/').unwrap_or_default();
    if same(media_type) {
        3
    } else if same(&format!("{kind}/*")) {
        2
    } else {
        u8::from(same("*/*"))
    }
}

/// An answer whose form was negotiated: a cache must ask again for another Accept.
pub fn varied(mut answer: Response) -> Response {
    answer.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
    answer
}

/// A media range and its weight in thousandths.
fn range(text: &str) -> Option<(String, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().filter(|range| range.contains('/'))?.to_owned();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 to 1000")]
    let weight = weight.map_or(Some(1.0), |q| q.parse::<f64>().ok()).map(|q| (q.clamp(0.0, 1.0) * 1000.0) as u16)?;
    Some((range, weight))
}
