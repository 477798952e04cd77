//! Refusals for people: who asks for HTML, as a browser does, gets the problem as a page.

use std::fmt::Write as _;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use serde::Deserialize;

use super::code::Code;
use super::format::{Format, negotiate};
use super::problem::PROBLEM_JSON;
use super::sheet::document;
use crate::render::html::{escaped, page};

/// The forms of a refusal and of its explanation.
pub const OFFERED: &[Format] = &[Format::Json, Format::Html];

/// A refusal is small; one that is longer stays as it is.
const LONGEST: usize = 1 << 20;

/// What is shown of a problem.
#[derive(Deserialize)]
struct Shown {
    title: String,
    status: u16,
    detail: String,
    code: String,
    #[serde(default)]
    errors: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    pointer: String,
    code: String,
    detail: String,
}

/// Turns refusals into pages for those who ask for pages.
pub async fn as_asked(request: Request, next: Next) -> Response {
    let html = wants_html(request.headers());
    let response = next.run(request).await;
    let is_problem = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == PROBLEM_JSON);
    if !html || !is_problem {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, LONGEST).await else { return Response::from_parts(parts, Body::empty()) };
    let Ok(problem) = serde_json::from_slice::<Shown>(&bytes) else {
        return Response::from_parts(parts, Body::from(bytes));
    };
    let page = document(parts.status, Format::Html, of_problem(&problem));
    let (of_page, body) = page.into_parts();
    // What else the refusal says of itself stays: Allow, Retry-After, ETag.
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.extend(of_page.headers);
    Response::from_parts(parts, body)
}

/// Whether HTML is asked for before JSON.
pub fn wants_html(headers: &HeaderMap) -> bool {
    let named = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.contains("text/html"));
    headers.get_all(header::ACCEPT).iter().any(named) && matches!(negotiate(None, headers, OFFERED), Ok(Format::Html))
}

/// Where to read on.
const MORE: &str = "<a href=\"/problems\">All codes</a>. <a href=\"/docs\">All there is</a>.";

fn of_problem(problem: &Shown) -> String {
    let Shown { title, status, detail, code, errors } = problem;
    let mut body = format!("<h1>{}</h1>\n<p>{}</p>\n", escaped(title), escaped(detail));
    if !errors.is_empty() {
        let each = errors.iter().map(|Place { pointer, code, detail }| {
            let place = if pointer.is_empty() { "the whole body" } else { pointer };
            format!("<li><code>{}</code>: {} (<code>{}</code>)</li>", escaped(place), escaped(detail), escaped(code))
        });
        // Writing to a text cannot fail.
        let _ = writeln!(body, "<h2>Where</h2>\n<ul>{}</ul>", each.collect::<String>());
    }
    let _ = writeln!(
        body,
        "<p>Status {status}, <a href=\"/problems/{0}\"><code>{0}</code></a>: what it means and what to do. \
         {MORE}</p>",
        escaped(code)
    );
    page(title, &body)
}

/// What a code means, as a page.
pub fn of_code(code: Code) -> String {
    let body = format!(
        "<h1>{}</h1>\n<p>{}</p>\n<h2>What to do</h2>\n<p>{}</p>\n<p>Status {}, code <code>{}</code>. \
         {MORE}</p>\n",
        escaped(code.title()),
        escaped(code.explanation()),
        escaped(code.remedy()),
        code.status().as_u16(),
        code.as_str()
    );
    page(code.title(), &body)
}

/// Every code, as a page.
pub fn of_all_codes() -> String {
    let each = Code::ALL.iter().map(|code| {
        let (name, title) = (code.as_str(), escaped(code.title()));
        format!("<li>{} <a href=\"/problems/{name}\"><code>{name}</code></a>: {title}</li>\n", code.status().as_u16())
    });
    let title = "The codes of refusals";
    page(title, &format!("<h1>{title}</h1>\n<ul>\n{}</ul>\n", each.collect::<String>()))
}
