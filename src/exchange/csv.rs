//! Datasets as CSV (RFC 4180): a line of names, then a row of numbers a line.

use std::collections::BTreeMap;

use ::csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};
use thiserror::Error;

use crate::engine::dataset::{Columns, Dataset, DatasetError};
use crate::engine::matrix::Matrix;
use crate::limits::Limits;

/// Which columns of a table are targets. All others are inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// The last column
    Last,
    /// These columns, in this order
    Named(Vec<String>),
    /// One column of labels: as many targets as there are labels, 1 in the label's own and 0 elsewhere. Labels that are
    /// all numbers come in the order of these, others in that of their letters
    OneHot(String),
}

/// Why a text is no dataset. Lines and columns count from 1.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum CsvError {
    #[error("there are no lines here; the first one names the columns")]
    Empty,
    #[error("there is only the line of names; at least one row of numbers must follow")]
    NoRows,
    #[error("line 1, column {column}: {what}")]
    Header { column: usize, what: String },
    #[error("line {line} has {fields} fields and the header has {expected}")]
    Length { line: u64, fields: u64, expected: u64 },
    #[error("line {line}, column {column} ({name}): {what}")]
    Field { line: u64, column: usize, name: String, what: String },
    #[error("line {line} is not UTF-8")]
    NotUtf8 { line: u64 },
    #[error("the table has no column {name:?}; it has {}", .columns.join(", "))]
    UnknownColumn { name: String, columns: Vec<String> },
    #[error("column {name:?} is named twice among the targets")]
    NamedTwice { name: String },
    #[error("every column is a target, and at least one must be an input")]
    NoInputs,
    #[error("the table cannot be read: {0}")]
    Other(String),
    #[error("{0}")]
    Dataset(#[from] DatasetError),
}

/// What a column is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Input,
    /// The place among the targets
    Target(usize),
    Label,
}

/// Reads a dataset.
pub fn read(bytes: &[u8], targets: &Targets, limits: &Limits) -> Result<Dataset, CsvError> {
    // Excel begins its files with the mark of UTF-8.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = ReaderBuilder::new().has_headers(false).trim(Trim::All).from_reader(bytes);
    let mut record = StringRecord::new();
    if !reader.read_record(&mut record).map_err(refusal)? {
        return Err(CsvError::Empty);
    }
    let names: Vec<String> = record.iter().map(str::to_owned).collect();
    check_names(&names, limits)?;
    let roles = roles(&names, targets)?;
    let mut table = Table::new(&roles);
    while reader.read_record(&mut record).map_err(refusal)? {
        let line = line(&record, bytes);
        if table.rows == limits.dataset_rows {
            return Err(DatasetError::TooManyRows { count: table.rows + 1, limit: limits.dataset_rows }.into());
        }
        table.add(&record, &roles).map_err(|(column, what)| CsvError::Field {
            line,
            column: column + 1,
            name: names[column].clone(),
            what,
        })?;
        if table.numbers() > limits.dataset_numbers {
            let limit = limits.dataset_numbers;
            return Err(DatasetError::TooManyNumbers { count: table.numbers(), limit }.into());
        }
    }
    if table.rows == 0 {
        return Err(CsvError::NoRows);
    }
    table.into_dataset(&names, &roles, limits)
}

fn check_names(names: &[String], limits: &Limits) -> Result<(), CsvError> {
    /// Longer than any name that people read.
    const LONGEST: usize = 256;
    let wrong = |column: usize, what: String| Err(CsvError::Header { column: column + 1, what });
    if names.len() > limits.units {
        let (count, limit) = (names.len(), limits.units);
        return Err(DatasetError::TooManyColumns { what: "columns", count, limit }.into());
    }
    let mut known = BTreeMap::new();
    for (column, name) in names.iter().enumerate() {
        if name.is_empty() {
            return wrong(column, "a column needs a name".into());
        }
        if name.len() > LONGEST {
            return wrong(column, format!("a column's name has at most {LONGEST} bytes"));
        }
        if let Some(first) = known.insert(name, column) {
            return wrong(column, format!("the name {name:?} is that of column {} too", first + 1));
        }
    }
    if names.len() > 1 && names.iter().all(|name| name.parse::<f64>().is_ok()) {
        return wrong(0, "the first line names the columns, and this one is a row of numbers".into());
    }
    Ok(())
}

fn roles(names: &[String], targets: &Targets) -> Result<Vec<Role>, CsvError> {
    let mut roles = vec![Role::Input; names.len()];
    let place = |name: &String| {
        let unknown = || CsvError::UnknownColumn { name: name.clone(), columns: names.to_vec() };
        names.iter().position(|known| known == name).ok_or_else(unknown)
    };
    match targets {
        Targets::Last => {
            if let Some(last) = roles.last_mut() {
                *last = Role::Target(0);
            }
        }
        Targets::Named(wanted) => {
            for (at, name) in wanted.iter().enumerate() {
                let column = place(name)?;
                if roles[column] != Role::Input {
                    return Err(CsvError::NamedTwice { name: name.clone() });
                }
                roles[column] = Role::Target(at);
            }
        }
        Targets::OneHot(name) => roles[place(name)?] = Role::Label,
    }
    if roles.contains(&Role::Input) { Ok(roles) } else { Err(CsvError::NoInputs) }
}

/// The rows that are read so far.
struct Table {
    rows: usize,
    inputs: Vec<f64>,
    targets: Vec<f64>,
    /// How many targets a row has; none with labels
    width: usize,
    /// The labels that there are, each with the order in which it came
    labels: BTreeMap<String, usize>,
    /// The label of each row
    label_of: Vec<usize>,
}

impl Table {
    fn new(roles: &[Role]) -> Self {
        let width = roles.iter().filter(|role| matches!(role, Role::Target(_))).count();
        Self { rows: 0, inputs: vec![], targets: vec![], width, labels: BTreeMap::new(), label_of: vec![] }
    }

    fn add(&mut self, record: &StringRecord, roles: &[Role]) -> Result<(), (usize, String)> {
        let row = self.targets.len();
        self.targets.resize(row + self.width, 0.0);
        for (column, (text, role)) in record.iter().zip(roles).enumerate() {
            let number = || number(text).map_err(|what| (column, what));
            match role {
                Role::Input => self.inputs.push(number()?),
                Role::Target(at) => self.targets[row + at] = number()?,
                Role::Label => {
                    if text.is_empty() {
                        return Err((column, "a label is missing".into()));
                    }
                    let next = self.labels.len();
                    self.label_of.push(*self.labels.entry(text.to_owned()).or_insert(next));
                }
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// Numbers that the dataset will have.
    fn numbers(&self) -> usize {
        self.inputs.len() + self.targets.len() + self.rows.saturating_mul(self.labels.len())
    }

    fn into_dataset(self, names: &[String], roles: &[Role], limits: &Limits) -> Result<Dataset, CsvError> {
        let of_role =
            |wanted: Role| names.iter().zip(roles).filter(move |(_, role)| **role == wanted).map(|(name, _)| name);
        let input_names: Vec<String> = of_role(Role::Input).cloned().collect();
        let inputs = Matrix::new(self.rows, input_names.len(), self.inputs);
        if self.labels.is_empty() {
            let target_names = (0..self.width).flat_map(|at| of_role(Role::Target(at))).cloned().collect();
            let targets = Matrix::new(self.rows, self.width, self.targets);
            let columns = Columns { inputs: input_names, targets: target_names };
            return Ok(Dataset::new(inputs, targets, columns, vec![], limits)?);
        }
        if self.labels.len() > limits.units {
            let (count, limit) = (self.labels.len(), limits.units);
            return Err(DatasetError::TooManyColumns { what: "labels", count, limit }.into());
        }
        let mut labels: Vec<(String, usize)> = self.labels.into_iter().collect();
        if labels.iter().all(|(label, _)| number(label).is_ok()) {
            let value = |label: &str| number(label).unwrap_or(0.0);
            labels.sort_by(|(one, _), (other, _)| value(one).total_cmp(&value(other)));
        }
        let mut place = vec![0; labels.len()];
        labels.iter().enumerate().for_each(|(at, (_, first))| place[*first] = at);
        let hot = |row: usize, at: usize| if place[self.label_of[row]] == at { 1.0 } else { 0.0 };
        let targets = Matrix::from_fn(self.rows, labels.len(), hot);
        let classes: Vec<String> = labels.into_iter().map(|(label, _)| label).collect();
        let columns = Columns { inputs: input_names, targets: classes.clone() };
        Ok(Dataset::new(inputs, targets, columns, classes, limits)?)
    }
}

/// The line of a record, counted from 1. The reader's own count is that of the empty lines before it.
fn line(record: &StringRecord, bytes: &[u8]) -> u64 {
    let Some(position) = record.position() else { return 0 };
    let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let before = bytes.get(start..).unwrap_or_default().iter();
    let empty = before.take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|byte| **byte == b'\n').count();
    position.line() + empty as u64
}

/// A finite number.
fn number(text: &str) -> Result<f64, String> {
    if text.is_empty() {
        return Err("a number is missing".into());
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(format!("{text:.40} is no finite double")),
        Err(_) => Err(format!("{text:.40?} is no number; a column of labels is named in one_hot")),
    }
}

fn refusal(error: ::csv::Error) -> CsvError {
    let line = error.position().map_or(0, ::csv::Position::line);
    match error.into_kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            CsvError::Length { line, fields: len, expected: expected_len }
        }
        ErrorKind::Utf8 { .. } => CsvError::NotUtf8 { line },
        kind => CsvError::Other(format!("{kind:?}")),
    }
}

/// A dataset as CSV: its inputs, then its targets, each number as the shortest text that reads back as the same.
pub fn write(dataset: &Dataset) -> Vec<u8> {
    let mut writer = ::csv::Writer::from_writer(vec![]);
    let columns = dataset.columns();
    // A vector takes whatever is written to it, and every record has as many fields as the first.
    let _ = writer.write_record(columns.inputs.iter().chain(&columns.targets));
    let mut text = zmij::Buffer::new();
    for (inputs, targets) in dataset.inputs().iter_rows().zip(dataset.targets().iter_rows()) {
        for value in inputs.iter().chain(targets) {
            let _ = writer.write_field(text.format_finite(*value));
        }
        let _ = writer.write_record(None::<&[u8]>);
    }
    writer.into_inner().unwrap_or_default()
}
