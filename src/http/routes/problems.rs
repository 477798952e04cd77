//! What the codes of refusals mean: where a refusal's `type` leads.

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::schema;
use crate::http::code::Code;
use crate::http::extract::Path;
use crate::http::format::Format;
use crate::http::json;
use crate::http::problem::Problem;
use crate::http::problem_page;
use crate::http::responses;
use crate::http::sheet::document;

/// The codes there are.
#[derive(Serialize, ToSchema)]
pub struct CodeList {
    /// Each with its status and its meaning
    problems: Vec<CodeView>,
}

/// A code of refusals explained.
#[derive(Serialize, ToSchema)]
pub struct CodeView {
    /// The stable code
    code: Code,
    /// The HTTP status that it comes with
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What it means, in a line
    #[schema(value_type = schema::Prose)]
    title: &'static str,
    /// What has happened
    #[schema(value_type = schema::Prose)]
    explanation: &'static str,
    /// What to do about it
    #[schema(value_type = schema::Prose)]
    remedy: &'static str,
}

impl CodeView {
    fn of(code: Code) -> Self {
        Self {
            code,
            status: code.status().as_u16(),
            title: code.title(),
            explanation: code.explanation(),
            remedy: code.remedy(),
        }
    }
}

/// List the refusals
///
/// Every code that a refusal may have. Who asks for HTML gets a page.
#[utoipa::path(get, path = "/problems", tag = "problems", operation_id = "list_problems",
    responses((status = 200, description = "The codes, each explained.", body = CodeList), responses::ListProblems))]
pub async fn list(headers: HeaderMap) -> Response {
    if problem_page::wants_html(&headers) {
        return document(StatusCode::OK, Format::Html, problem_page::of_all_codes());
    }
    let problems = Code::ALL.iter().map(|&code| CodeView::of(code)).collect();
    json::answer(StatusCode::OK, &CodeList { problems })
}

/// Explain a refusal
///
/// What the code of a refusal means, and what to do. A refusal's `type` leads here. Who asks for HTML gets a page.
#[utoipa::path(get, path = "/problems/{code}", tag = "problems", operation_id = "explain_problem",
    params(("code" = inline(schema::Name), Path, description = "The code of a refusal", example = "wrong_shape")),
    responses((status = 200, description = "What it means, and what to do.", body = CodeView), responses::ExplainProblem))]
pub async fn show(Path(code): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let code = Code::find(&code).ok_or_else(|| {
        let known: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        Problem::new(Code::NotFound, format!("there is no code of that name; known are {}", known.join(", ")))
    })?;
    if problem_page::wants_html(&headers) {
        return Ok(document(StatusCode::OK, Format::Html, problem_page::of_code(code)));
    }
    Ok(json::answer(StatusCode::OK, &CodeView::of(code)))
}
