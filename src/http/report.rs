//! Insights going out: as JSON, or as a document for people.

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::IntoParams;
use utoipa::openapi::Object;

use super::App;
use super::code::Code;
use super::format::{self, Format, negotiate, varied};
use super::json;
use super::problem::Problem;
use super::sheet::{digits, document, written};
use crate::engine::schema;
use crate::render::document::Document;
use crate::render::number::Digits;
use crate::session::{Length, Work};

/// The forms of an insight.
const REPORT: &[Format] = &[Format::Json, Format::Markdown, Format::Latex, Format::Html];
const REPORT_NAMES: [&str; REPORT.len()] = format::names(REPORT);
/// The forms of an insight that is drawn, too.
const CHART: &[Format] = &[Format::Json, Format::Markdown, Format::Latex, Format::Html, Format::Svg];
const CHART_NAMES: [&str; CHART.len()] = format::names(CHART);

/// Reads a query's `format` where an insight is answered.
pub fn report_format<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Format>, D::Error> {
    format::read(from, &REPORT_NAMES)
}

fn chart_format<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Format>, D::Error> {
    format::read(from, &CHART_NAMES)
}

/// The schema of a query's `format` where an insight is answered.
pub fn report_formats() -> Object {
    format::schema(REPORT)
}

fn chart_formats() -> Object {
    format::schema(CHART)
}

/// How an insight is answered.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReportQuery {
    /// json, markdown, latex or html: wins over Accept
    #[param(schema_with = report_formats, required = false)]
    #[serde(default, deserialize_with = "report_format")]
    format: Option<Format>,
    /// Significant digits of a document; 4 if left out
    #[param(inline, value_type = schema::Digits, required = false)]
    digits: Option<u64>,
}

/// How an insight that is drawn, too, is answered.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChartQuery {
    /// json, markdown, latex, html or svg: wins over Accept
    #[param(schema_with = chart_formats, required = false)]
    #[serde(default, deserialize_with = "chart_format")]
    format: Option<Format>,
    /// Significant digits of a document; 4 if left out
    #[param(inline, value_type = schema::Digits, required = false)]
    digits: Option<u64>,
}

impl ReportQuery {
    /// What is asked for; settled before anything is computed.
    pub fn form(&self, headers: &HeaderMap) -> Result<Report, Problem> {
        Report::of_insight(self.format, self.digits, headers)
    }
}

impl ChartQuery {
    /// What is asked for; settled before anything is computed.
    pub fn form(&self, headers: &HeaderMap) -> Result<Report, Problem> {
        Report::of(self.format, self.digits, headers, CHART)
    }
}

/// The form of an insight's answer.
#[derive(Clone, Copy)]
pub struct Report {
    format: Format,
    digits: Digits,
}

impl Report {
    /// The form of an insight that is not drawn.
    pub fn of_insight(format: Option<Format>, digits: Option<u64>, headers: &HeaderMap) -> Result<Self, Problem> {
        Self::of(format, digits, headers, REPORT)
    }

    /// A form with so many digits.
    pub fn new(format: Format, digits: Digits) -> Self {
        Self { format, digits }
    }

    fn of(
        asked: Option<Format>,
        asked_digits: Option<u64>,
        headers: &HeaderMap,
        offered: &[Format],
    ) -> Result<Self, Problem> {
        let format = negotiate(asked, headers, offered)?;
        if asked_digits.is_some() && matches!(format, Format::Json | Format::Svg) {
            let detail = "the query's digits is for a document; add format=markdown, latex or html";
            return Err(Problem::new(Code::ConflictingFields, detail));
        }
        Ok(Self { format, digits: digits(asked_digits)? })
    }

    /// Whether a picture is asked for.
    pub fn is_drawn(self) -> bool {
        self.format == Format::Svg
    }

    /// An insight of about so many bytes, or what is written of it; off the async threads where it is long.
    pub async fn answer<T: Serialize + Send + 'static>(
        self,
        app: &App,
        size: u64,
        insight: T,
        write: impl FnOnce(&T, Digits) -> Document + Send + 'static,
    ) -> Response {
        if self.format == Format::Json {
            return varied(json::large_answer(app, size, insight).await);
        }
        let Self { format, digits } = self;
        let length = Length::of(size, app.limits().inline_answer_bytes);
        let work = move || written(&write(&insight, digits), format);
        document(StatusCode::OK, format, app.registry.compute().run(Work::Text, length, work).await)
    }
}
