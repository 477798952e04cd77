//! A dataset coming in: as CSV, as JSON or as an npz file.

use axum::http::{HeaderMap, header};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::body::{essence, parse};
use super::code::Code;
use super::complaint::quoted;
use super::problem::Problem;
use super::rows::{ManyRows, Rows};
use super::strict::objects;
use crate::engine::dataset::{Columns, Dataset};
use crate::engine::schema;
use crate::exchange::csv::{self, Targets};
use crate::exchange::npz;
use crate::limits::Limits;

/// Which columns of a table are targets.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ColumnsQuery {
    /// CSV: the columns that are targets, with commas between, one whose name has a comma in quotes as in the table; the
    /// last one if this and one_hot are left out
    #[param(inline, value_type = schema::Prose, required = false)]
    pub targets: Option<String>,
    /// CSV: a column of labels; each label becomes a target that is 1 in its rows and 0 elsewhere
    #[param(inline, value_type = schema::Prose, required = false)]
    pub one_hot: Option<String>,
}

/// Rows of numbers.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct DatasetRows {
    /// x, `[examples][inputs]`
    #[schema(value_type = ManyRows)]
    inputs: Rows,
    /// y, `[examples][targets]`
    #[schema(value_type = ManyRows)]
    targets: Rows,
}

objects!(DatasetRows);

/// In which form a dataset comes.
pub enum Form {
    /// Rows as JSON
    Json,
    /// The same, for nothing says that they are anything else
    Unsaid,
    /// A table, with its targets
    Csv(Targets),
    /// NumPy's arrays inputs and targets
    Npz,
}

impl Form {
    /// As the headers say, and for a table the query.
    pub fn of(headers: &HeaderMap, columns: &ColumnsQuery) -> Result<Self, Problem> {
        let ColumnsQuery { targets, one_hot } = columns;
        let given = headers.get(header::CONTENT_TYPE).map(|value| essence(value.to_str().unwrap_or_default()));
        let named = given.map(str::to_ascii_lowercase);
        let form = match named.as_deref() {
            Some("text/csv") => {
                return match (targets, one_hot) {
                    (Some(_), Some(_)) => {
                        let detail =
                            "in the query targets and one_hot both say which columns are targets; leave one out";
                        Err(Problem::new(Code::ConflictingFields, detail))
                    }
                    (Some(list), None) => match csv::names(list) {
                        Ok(columns) => Ok(Self::Csv(Targets::Named(columns))),
                        Err(fault) => {
                            let detail = format!("the query's targets: {}", fault.what);
                            Err(Problem::new(Code::InvalidQuery, detail))
                        }
                    },
                    (None, Some(name)) => Ok(Self::Csv(Targets::OneHot(name.trim().to_owned()))),
                    (None, None) => Ok(Self::Csv(Targets::Last)),
                };
            }
            None => Self::Unsaid,
            Some("application/json") => Self::Json,
            Some("application/octet-stream" | "application/zip" | "application/x-npz") => Self::Npz,
            Some(other) => {
                let detail = format!(
                    "the body is {}, and this path takes text/csv, application/json, and npz files as \
                     application/octet-stream",
                    quoted(other)
                );
                return Err(Problem::new(Code::UnsupportedMediaType, detail));
            }
        };
        if targets.is_some() || one_hot.is_some() {
            let detail = "in the query targets and one_hot name columns of CSV, and the body is none";
            return Err(Problem::new(Code::ConflictingFields, detail));
        }
        Ok(form)
    }

    /// The dataset in a body.
    pub fn read(&self, bytes: &[u8], limits: &Limits) -> Result<Dataset, Problem> {
        match self {
            Self::Csv(targets) => csv::read(bytes, targets, limits).map_err(Problem::from),
            Self::Npz => npz::read(bytes, limits).map_err(Problem::from),
            Self::Json | Self::Unsaid => {
                let DatasetRows { inputs, targets } = parse(bytes).map_err(|problem| self.hinted(problem))?;
                let (inputs, targets) = (inputs.into_batch("/inputs")?, targets.into_batch("/targets")?);
                let columns = Columns::numbered(inputs.columns(), targets.columns());
                Ok(Dataset::new(inputs, targets, columns, vec![], limits)?)
            }
        }
    }

    /// A refusal of what is no JSON and was not said to be any.
    fn hinted(&self, problem: Problem) -> Problem {
        if !matches!(self, Self::Unsaid) || problem.code() != Code::MalformedJson {
            return problem;
        }
        let detail = format!(
            "{}; a body without a Content-Type is taken as JSON, so send a table with Content-Type: text/csv, and an npz \
             file with application/octet-stream",
            problem.detail()
        );
        problem.with_detail(detail)
    }
}
