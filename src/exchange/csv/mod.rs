//! Datasets as CSV (RFC 4180): a line of names, then a row of numbers a line.

mod records;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use thiserror::Error;

use self::records::{Record, Records};
use super::quoted;
use crate::engine::dataset::{Columns, Dataset, DatasetError};
use crate::engine::matrix::Matrix;
use crate::limits::{COLUMN_NAME_BYTES, FAULTS_NAMED, Limits};

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
    /// At least one, and not more than are named in a refusal
    #[error("{}", .0.first().map(ToString::to_string).unwrap_or_default())]
    Faults(Vec<CsvFault>),
    #[error("the table has no column {}; it has {}", quoted(.name), listed(.columns))]
    UnknownColumn { name: String, columns: Vec<String> },
    #[error("column {} is named twice among the targets", quoted(.name))]
    NamedTwice { name: String },
    #[error("every column is a target, and at least one must be an input")]
    NoInputs,
    #[error("{0}")]
    Dataset(#[from] DatasetError),
}

impl CsvError {
    /// As many places as are named in a refusal.
    fn of(mut faults: Vec<CsvFault>) -> Self {
        faults.truncate(FAULTS_NAMED);
        Self::Faults(faults)
    }
}

/// A bad place of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvFault {
    /// The line, counted from 1
    pub line: u64,
    /// The column, counted from 1, where it is one column's
    pub column: Option<usize>,
    /// That column's name, where it has one
    pub name: Option<String>,
    /// What is wrong there
    pub what: String,
}

impl fmt::Display for CsvFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        if let Some(name) = &self.name {
            write!(f, " ({name})")?;
        }
        write!(f, ": {}", self.what)
    }
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
    let mut records = Records::new(bytes, limits.units);
    let mut record = Record::default();
    if !records.next(&mut record) {
        return Err(CsvError::Empty);
    }
    let names = header(&record, limits)?;
    let roles = roles(&names, targets)?;
    let mut table = Table::new(&names, &roles);
    let mut faults: Vec<CsvFault> = vec![];
    while faults.len() < FAULTS_NAMED && records.next(&mut record) {
        if let Err(error) = table.add(&record, &mut faults, limits) {
            if faults.is_empty() {
                return Err(error.into());
            }
            break;
        }
    }
    if !faults.is_empty() {
        return Err(CsvError::of(faults));
    }
    if table.rows == 0 {
        return Err(CsvError::NoRows);
    }
    table.into_dataset(limits)
}

/// The names in a list of columns, written as a line of a table is.
pub fn names(list: &str) -> Result<Vec<String>, CsvFault> {
    // A query is no longer than a head may be.
    let mut records = Records::new(list.as_bytes(), usize::MAX);
    let mut record = Record::default();
    if !records.next(&mut record) {
        return Ok(vec![String::new()]);
    }
    let names = record.fields().map(str::to_owned).collect();
    record.faults.into_iter().next().map_or(Ok(names), Err)
}

/// The names of the columns.
fn header(record: &Record, limits: &Limits) -> Result<Vec<String>, CsvError> {
    if !record.faults.is_empty() {
        return Err(CsvError::of(record.faults.clone()));
    }
    let (count, limit) = (record.count(), limits.units);
    if count > limit {
        return Err(DatasetError::TooManyColumns { what: "columns", count, limit }.into());
    }
    let names: Vec<String> = record.fields().map(str::to_owned).collect();
    let mut faults = vec![];
    let mut wrong = |column: usize, what: String| {
        faults.push(CsvFault { line: record.line, column: Some(column + 1), name: None, what });
    };
    let other = [(';', "semicolons"), ('\t', "tabs"), ('|', "bars")];
    if let ([name], Some((_, others))) = (&*names, other.into_iter().find(|(other, _)| record.has(*other))) {
        let what = format!("there is one column alone, {}, with {others} in it; commas part columns", quoted(name));
        wrong(0, what);
    }
    let mut known = BTreeMap::new();
    for (column, name) in names.iter().enumerate() {
        if name.is_empty() {
            wrong(column, "a column needs a name".into());
        } else if name.len() > COLUMN_NAME_BYTES {
            wrong(column, format!("a column's name has at most {COLUMN_NAME_BYTES} bytes"));
        } else if let Some(first) = known.insert(name, column) {
            wrong(column, format!("the name {} is that of column {} too", quoted(name), first + 1));
        }
    }
    if names.len() > 1 && names.iter().all(|name| name.parse::<f64>().is_ok()) {
        wrong(0, "the first line names the columns, and this one is a row of numbers".into());
    }
    if faults.is_empty() { Ok(names) } else { Err(CsvError::of(faults)) }
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
struct Table<'n> {
    names: &'n [String],
    roles: &'n [Role],
    /// The names of the columns that are inputs
    taken: BTreeSet<&'n str>,
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

impl<'n> Table<'n> {
    fn new(names: &'n [String], roles: &'n [Role]) -> Self {
        let width = roles.iter().filter(|role| matches!(role, Role::Target(_))).count();
        let inputs = names.iter().zip(roles).filter(|(_, role)| **role == Role::Input);
        let taken = inputs.map(|(name, _)| name.as_str()).collect();
        let (inputs, targets, labels, label_of) = (vec![], vec![], BTreeMap::new(), vec![]);
        Self { names, roles, taken, rows: 0, inputs, targets, width, labels, label_of }
    }

    /// Adds a row, or what is wrong with it to the faults; refuses where there are more than a dataset has.
    fn add(&mut self, record: &Record, faults: &mut Vec<CsvFault>, limits: &Limits) -> Result<(), DatasetError> {
        let fault = |column: usize, what: String| {
            let name = self.names.get(column).cloned();
            CsvFault { line: record.line_of(column), column: Some(column + 1), name, what }
        };
        let (fields, expected) = (record.count(), self.names.len());
        if !record.faults.is_empty() {
            faults.extend(record.faults.iter().map(|found| {
                let column = found.column.unwrap_or(1) - 1;
                CsvFault { line: found.line, ..fault(column, found.what.clone()) }
            }));
            return Ok(());
        }
        if fields != expected {
            let what = format!("this line has {fields} fields and the header has {expected}");
            faults.push(fault(fields.min(expected), what));
            return Ok(());
        }
        if self.rows == limits.dataset_rows {
            return Err(DatasetError::TooManyRows { count: self.rows + 1, limit: limits.dataset_rows });
        }
        let row = self.targets.len();
        self.targets.resize(row + self.width, 0.0);
        for (column, (text, role)) in record.fields().zip(self.roles).enumerate() {
            let mut number = || number(text).map_err(|what| faults.push(fault(column, what))).unwrap_or_default();
            match role {
                Role::Input => self.inputs.push(number()),
                Role::Target(at) => self.targets[row + at] = number(),
                Role::Label => match self.labels.get(text) {
                    Some(place) => self.label_of.push(*place),
                    None => match self.new_label(text) {
                        Ok(()) => {
                            self.label_of.push(self.labels.len());
                            self.labels.insert(text.to_owned(), self.labels.len());
                        }
                        Err(what) => faults.push(fault(column, what)),
                    },
                },
            }
        }
        self.rows += 1;
        let (count, limit) = (self.numbers(), limits.dataset_numbers);
        if count > limit { Err(DatasetError::TooManyNumbers { count, limit }) } else { Ok(()) }
    }

    /// Whether a label can be one: it becomes the name of a column.
    fn new_label(&self, text: &str) -> Result<(), String> {
        if text.is_empty() {
            return Err("a label is missing".into());
        }
        if text.len() > COLUMN_NAME_BYTES {
            return Err(format!("a label names a column, and its name has at most {COLUMN_NAME_BYTES} bytes"));
        }
        if self.taken.contains(text) {
            return Err(format!("the label {} names a column, and there is an input of that name", quoted(text)));
        }
        Ok(())
    }

    /// Numbers that the dataset will have.
    fn numbers(&self) -> usize {
        self.inputs.len() + self.targets.len() + self.rows.saturating_mul(self.labels.len())
    }

    fn into_dataset(self, limits: &Limits) -> Result<Dataset, CsvError> {
        let (names, roles) = (self.names, self.roles);
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

/// A finite number.
fn number(text: &str) -> Result<f64, String> {
    if text.is_empty() {
        return Err("a number is missing".into());
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(format!("{text:.40} is no finite double")),
        Err(_) => Err(format!("{} is no number; a column of labels is named in one_hot", quoted(text))),
    }
}

/// The first of the columns by their names.
fn listed(columns: &[String]) -> String {
    const LISTED: usize = 20;
    let more = if columns.len() > LISTED { ", …" } else { "" };
    columns.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ") + more
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
