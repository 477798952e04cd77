//! Datasets: those built in, and those that somebody has put here under a name.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::sessions::page_limit;
use super::training::{SplitView, into_draw};
use crate::engine::dataset::Columns;
use crate::engine::dataset::split::Split;
use crate::engine::schema;
use crate::exchange::csv;
use crate::http::App;
use crate::http::body::receive_any;
use crate::http::code::Code;
use crate::http::conditions::Conditions;
use crate::http::dataset_body::{ColumnsQuery, DatasetRows, Form};
use crate::http::extract::{Path, dataset_name};
use crate::http::format::negotiate_type;
use crate::http::json;
use crate::http::problem::{Fault, Problem};
use crate::http::query::Query;
use crate::http::responses;
use crate::limits::{NUMBER_BYTES, SEED_MAX};
use crate::session::{DatasetKind, DatasetSize, DatasetSummary, FoundDataset, Length, Put, SessionName, Terms, Work};

/// A page of the datasets.
#[derive(Serialize, ToSchema)]
pub struct DatasetList {
    /// The datasets of this page: those built in first, then others by name
    datasets: Vec<DatasetEntry>,
    /// Where the next page starts, as `after`; null on the last one
    #[schema(value_type = schema::NullableName)]
    next: Option<String>,
}

/// A dataset in a listing.
#[derive(Serialize, ToSchema)]
pub struct DatasetEntry {
    /// What it is called
    #[schema(value_type = schema::Name)]
    name: String,
    /// Where it comes from
    kind: DatasetKind,
    /// One line about it; only where it is built in
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Prose, required = false)]
    title: Option<&'static str>,
    /// How many rows it has
    #[schema(value_type = schema::Count)]
    examples: u64,
    /// Columns that go in
    #[schema(value_type = schema::Count)]
    inputs: u64,
    /// Columns that should come out
    #[schema(value_type = schema::Count)]
    targets: u64,
    /// The hash of its content; of a generated one as it is drawn by default
    #[schema(value_type = schema::StateHash)]
    hash: String,
}

/// A dataset.
#[derive(Serialize, ToSchema)]
pub struct DatasetView {
    /// What it is called
    #[schema(value_type = schema::Name)]
    name: String,
    /// Where it comes from
    kind: DatasetKind,
    /// One line about it
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Prose, required = false)]
    title: Option<&'static str>,
    /// What it is
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Prose, required = false)]
    description: Option<&'static str>,
    /// Where it comes from
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Prose, required = false)]
    source: Option<&'static str>,
    /// On which terms it may be used
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Prose, required = false)]
    license: Option<&'static str>,
    /// The hash of its content
    #[schema(value_type = schema::StateHash)]
    hash: String,
    /// How many rows it has
    #[schema(value_type = schema::Count)]
    examples: u64,
    /// What its columns are called
    columns: ColumnsView,
    /// The labels that the targets stand for, where they are known
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = schema::ColumnNames, required = false)]
    classes: Vec<String>,
    /// How it is parted where nothing else is asked for
    split: SplitView,
    /// With rows=true: x, `[examples][inputs]`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = schema::Matrix, required = false)]
    inputs: Vec<Vec<f64>>,
    /// With rows=true: y, `[examples][targets]`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = schema::Matrix, required = false)]
    targets: Vec<Vec<f64>>,
    /// With rows=true: where the next rows start, as `offset`; left out behind the last
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Count, required = false)]
    next: Option<u64>,
}

/// What a dataset's columns are called.
#[derive(Serialize, ToSchema)]
pub struct ColumnsView {
    /// What goes in, `[inputs]`
    #[schema(value_type = schema::ColumnNames)]
    inputs: Vec<String>,
    /// What should come out, `[targets]`
    #[schema(value_type = schema::ColumnNames)]
    targets: Vec<String>,
}

/// Which page of the datasets.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DatasetPage {
    /// The name after which the page starts
    #[param(inline, value_type = schema::Name, required = false)]
    after: Option<String>,
    /// Entries in the page; 100 if left out
    #[param(inline, value_type = schema::Page, required = false)]
    limit: Option<u64>,
}

/// What of a dataset is shown, and how a generated one is drawn.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DatasetQuery {
    /// generated: where its random numbers start; 0 if left out
    #[param(inline, value_type = schema::Seed, required = false)]
    seed: Option<u64>,
    /// generated: how many examples are drawn; 200 if left out
    #[param(inline, value_type = schema::DrawnExamples, required = false)]
    examples: Option<u64>,
    /// generated: from 0 to 1; 0 if left out
    #[param(inline, value_type = schema::Share, required = false)]
    noise: Option<f64>,
    /// Whether rows are answered too; false if left out
    #[param(inline, required = false, nullable = false)]
    rows: Option<bool>,
    /// The first row that is answered, counted from 0; 0 if left out
    #[param(inline, value_type = schema::Count, required = false)]
    offset: Option<u64>,
    /// Rows that are answered; 1,000 if left out
    #[param(inline, value_type = schema::Page, required = false)]
    limit: Option<u64>,
}

/// List the datasets
#[utoipa::path(get, path = "/v1/datasets", tag = "datasets", operation_id = "list_datasets", params(DatasetPage),
    responses((status = 200, description = "A page of datasets.", body = DatasetList), responses::ListDatasets))]
pub async fn list(State(app): State<Arc<App>>, Query(page): Query<DatasetPage>) -> Result<Response, Problem> {
    let limit = page_limit(&app, page.limit)?;
    let after = page.after.as_deref().map(|after| {
        dataset_name(after)
            .map_err(|_| Problem::new(Code::InvalidName, format!("the query's after: {after:?} is no name")))
    });
    let after = after.transpose()?;
    let (found, more) = app.registry.datasets(after.as_ref().map(SessionName::as_str), limit).await?;
    let next = if more { found.last().map(|dataset| dataset.name.clone()) } else { None };
    let datasets = found.into_iter().map(DatasetEntry::of).collect();
    Ok(json::answer(StatusCode::OK, &DatasetList { datasets, next }))
}

/// Show a dataset
///
/// What it is; its rows too with `rows=true`, and all of them as a table with `Accept: text/csv`.
#[utoipa::path(get, path = "/v1/datasets/{name}", tag = "datasets", operation_id = "show_dataset",
    params(("name" = inline(schema::Name), Path, description = "The dataset's name", example = "xor"), DatasetQuery),
    responses((status = 200, description = "The dataset.", content((DatasetView = "application/json"), (schema::Table = "text/csv"))),
        responses::ShowDataset))]
pub async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(query): Query<DatasetQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let name = dataset_name(&name)?;
    let csv = negotiate_type(&headers, &["application/json", "text/csv"])? == "text/csv";
    let DatasetQuery { seed, examples, noise, rows, offset, limit } = query;
    let draws = [("seed", seed.is_some()), ("examples", examples.is_some()), ("noise", noise.is_some())];
    let draw = into_draw(&app, "", seed, examples, noise).map_err(|fault| of_query(&fault))?;
    if offset.is_some_and(|offset| offset > SEED_MAX) {
        let detail = format!("the query's offset: a whole number of at most {SEED_MAX} was expected");
        return Err(Problem::new(Code::NumberOutOfRange, detail));
    }
    let limit = limit.map_or(Ok(app.limits().page), |limit| page_limit(&app, Some(limit)))?;
    let found = app.registry.dataset(&name, draw).await?;
    if let Some((field, _)) = draws.into_iter().find(|(_, given)| *given && found.kind != DatasetKind::Generated) {
        let detail = format!("the query's {field}: the dataset {name} is not drawn, so this would be without effect");
        return Err(Problem::new(Code::ConflictingFields, detail));
    }
    let first = usize::try_from(offset.unwrap_or(0)).unwrap_or(usize::MAX);
    let numbers = match (csv, rows.unwrap_or(false)) {
        (true, _) => found.dataset.numbers(),
        (false, true) => found.dataset.numbers() / found.dataset.rows() * limit.min(found.dataset.rows()),
        (false, false) => 0,
    };
    let bytes = numbers as u64 * NUMBER_BYTES;
    if bytes > app.limits().answer_bytes {
        let most = app.limits().answer_bytes;
        let detail = format!(
            "the rows would take about {bytes} bytes, and an answer has at most {most}; ask with rows=true and a smaller limit"
        );
        return Err(Problem::new(Code::AnswerTooLarge, detail));
    }
    let length = Length::of(bytes, app.limits().inline_answer_bytes);
    let work = move || {
        if csv {
            let table = csv::write(&found.dataset);
            return ([(header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present")], table).into_response();
        }
        let window = if rows.unwrap_or(false) { Some((first, limit)) } else { None };
        json::answer(StatusCode::OK, &DatasetView::of(found, window))
    };
    Ok(app.registry.compute().run(Work::Text, length, work).await)
}

/// Put a dataset
///
/// Rows of numbers under a name, as CSV, JSON or npz. A dataset never changes: the same content again is answered as it
/// stands, and another content needs another name.
#[utoipa::path(put, path = "/v1/datasets/{name}", tag = "datasets", operation_id = "put_dataset",
    params(("name" = inline(schema::Name), Path, description = "The dataset's name", example = "mine"), ColumnsQuery,
        responses::KeyHeader),
    request_body(description = "The rows", content(
        (DatasetRows = "application/json", example = json!({"inputs": [[0.0, 1.0], [1.0, 1.0]], "targets": [[1.0], [0.0]]})),
        (schema::Table = "text/csv"), (schema::Npz = "application/octet-stream"))),
    responses((status = 201, description = "It is kept.", body = DatasetEntry),
        (status = 200, description = "It was kept already.", body = DatasetEntry), responses::PutDataset))]
pub async fn put(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(columns): Query<ColumnsQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let name = dataset_name(&name)?;
    let (head, body) = request.into_parts();
    let form = Form::of(&head.headers, &columns)?;
    let received = receive_any(&head.headers, body, &app).await.map_err(|problem| whole(&app, problem))?;
    let conditions = Conditions::read(&head.method, &head.uri, &head.headers, &received.bytes)?;
    let length = Length::of(received.bytes.len() as u64, app.limits().inline_answer_bytes);
    let limits = app.limits().clone();
    let read = move || form.read(&received.bytes, &limits);
    let dataset = app.registry.compute().run(Work::Text, length, read).await?;
    let work = async |terms: Terms| {
        let put = app.registry.put_dataset(&name, dataset, terms.claim).await?;
        Ok(kept(put))
    };
    conditions.once(&app, work).await
}

/// Delete a dataset
///
/// Sessions that were trained on it keep its rows.
#[utoipa::path(delete, path = "/v1/datasets/{name}", tag = "datasets", operation_id = "delete_dataset",
    params(("name" = inline(schema::Name), Path, description = "The dataset's name", example = "mine"),
        responses::KeyHeader),
    responses((status = 204, description = "The name is free."), responses::DeleteDataset))]
pub async fn delete(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let name = dataset_name(&name)?;
    let work = async |terms: Terms| {
        app.registry.delete_dataset(&name, terms.claim).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    conditions.once(&app, work).await
}

/// What putting a dataset is answered with.
pub fn kept((summary, put): (DatasetSummary, Put)) -> Response {
    let status = if put == Put::New { StatusCode::CREATED } else { StatusCode::OK };
    json::answer(status, &DatasetEntry::of(summary))
}

impl DatasetEntry {
    fn of(summary: DatasetSummary) -> Self {
        let DatasetSummary { name, kind, title, size, hash } = summary;
        let DatasetSize { examples, inputs, targets } = size;
        Self { name, kind, title, examples, inputs, targets, hash }
    }
}

impl DatasetView {
    /// With the rows of a window, from one on and so many, where there is one.
    fn of(found: FoundDataset, window: Option<(usize, usize)>) -> Self {
        let (hash, dataset, about) = (found.hash(), &found.dataset, found.about);
        let rows = dataset.rows();
        let range = window.map_or(0..0, |(first, count)| first.min(rows)..first.saturating_add(count).min(rows));
        let part = |matrix: &crate::engine::matrix::Matrix| range.clone().map(|row| matrix.row(row).to_vec()).collect();
        let Columns { inputs, targets } = dataset.columns().clone();
        let test = Split::DEFAULT.tests(rows);
        Self {
            name: found.name,
            kind: found.kind,
            title: about.map(|about| about.title),
            description: about.map(|about| about.description),
            source: about.map(|about| about.source),
            license: about.and_then(|about| about.license),
            hash,
            examples: rows as u64,
            columns: ColumnsView { inputs, targets },
            classes: dataset.classes().to_vec(),
            split: SplitView { train: (rows - test) as u64, test: test as u64, seed: Split::DEFAULT.seed },
            inputs: part(dataset.inputs()),
            targets: part(dataset.targets()),
            next: (window.is_some() && range.end < rows).then_some(range.end as u64),
        }
    }
}

/// A refusal of a body that is too large: a dataset cannot come row by row.
fn whole(app: &App, problem: Problem) -> Problem {
    if problem.code() != Code::BodyTooLarge {
        return problem;
    }
    let detail = format!(
        "a body has at most {} bytes, and a dataset is one body; an npz file (numpy.savez_compressed) is mostly smaller \
         than text, float32 or small integers smaller still",
        app.limits().body_bytes
    );
    problem.with_detail(detail)
}

/// A fault whose place is a parameter of the query.
fn of_query(fault: &Fault) -> Problem {
    let parameter = fault.pointer.trim_start_matches('/');
    Problem::new(fault.code, format!("the query's {parameter}: {}", fault.detail))
}
