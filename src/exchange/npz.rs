//! Datasets as NumPy writes them: an npz file with the arrays `inputs` and `targets`.

use std::io::{Cursor, Read};

use npyz::{DType, NpyFile, NpyHeader, Order};
use thiserror::Error;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::engine::dataset::{Columns, Dataset, DatasetError};
use crate::engine::matrix::Matrix;
use crate::limits::{FAULTS_NAMED, Limits};

/// Why bytes are no dataset.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum NpzError {
    #[error("this is no npz file: {0}")]
    NoArchive(String),
    #[error("there is no array {name} here; there is {}", .found.join(", "))]
    Missing { name: &'static str, found: Vec<String> },
    #[error("the array {name} cannot be read: {what}")]
    Array { name: &'static str, what: String },
    /// At least one, and not more than are named in a refusal
    #[error("{}", .0.first().map(|number| number.text.as_str()).unwrap_or_default())]
    Numbers(Vec<NpzFault>),
    #[error("{0}")]
    Dataset(#[from] DatasetError),
}

/// A number that cannot be taken as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NpzFault {
    /// The array
    pub name: &'static str,
    /// Row and column, counted from 0
    pub index: [usize; 2],
    /// What is wrong, its place included
    pub text: String,
}

/// Why an array's numbers cannot be taken.
enum Unread {
    /// All of them
    Array(String),
    /// Some: their places as they lie, each with what is wrong
    Numbers(Vec<(usize, String)>),
}

/// Reads a dataset. Nothing is unpacked before its size is known to be permitted.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Dataset, NpzError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| NpzError::NoArchive(error.to_string()))?;
    let inputs = array(&mut archive, "inputs", limits)?;
    let targets = array(&mut archive, "targets", limits)?;
    let columns = Columns::numbered(inputs.columns(), targets.columns());
    Ok(Dataset::new(inputs, targets, columns, vec![], limits)?)
}

fn array(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &'static str, limits: &Limits) -> Result<Matrix, NpzError> {
    let wrong = |what: String| NpzError::Array { name, what };
    let plain = |file: &str| file.strip_suffix(".npy").unwrap_or(file).to_owned();
    let found = archive.file_names().take(20).filter_map(|file| file.ok().map(|file| plain(&file))).collect();
    let mut file = match archive.by_name(&format!("{name}.npy")) {
        Ok(file) => file,
        Err(ZipError::FileNotFound) => return Err(NpzError::Missing { name, found }),
        Err(error) => return Err(wrong(error.to_string())),
    };
    let header = NpyHeader::from_reader(&mut file).map_err(|error| wrong(error.to_string()))?;
    let (rows, columns) = match *header.shape() {
        [rows] => (rows, 1),
        [rows, columns] => (rows, columns),
        ref shape => return Err(wrong(format!("it has {} dimensions, and two were expected", shape.len()))),
    };
    let sizes = usize::try_from(rows).ok().zip(usize::try_from(columns).ok());
    let permitted = sizes.and_then(|(rows, columns)| Some((rows, columns, rows.checked_mul(columns)?)));
    let Some((rows, columns, count)) = permitted.filter(|(.., count)| *count <= limits.dataset_numbers) else {
        let count = usize::try_from(rows.saturating_mul(columns)).unwrap_or(usize::MAX);
        return Err(DatasetError::TooManyNumbers { count, limit: limits.dataset_numbers }.into());
    };
    if count == 0 {
        return Err(wrong("it is empty".into()));
    }
    let order = header.order();
    let values = numbers(NpyFile::with_header(header, &mut file));
    if !matches!(values, Err(Unread::Array(_))) {
        check_end(&mut file).map_err(wrong)?;
    }
    let place = |at: usize| match order {
        Order::C => [at / columns, at % columns],
        Order::Fortran => [at % rows, at / rows],
    };
    let fault = |(at, what): (usize, String)| {
        let index = place(at);
        NpzFault { name, index, text: format!("number {index:?} of the array {name} {what}") }
    };
    let values = match values {
        Ok(values) => values,
        Err(Unread::Array(what)) => return Err(wrong(what)),
        Err(Unread::Numbers(places)) => return Err(NpzError::Numbers(places.into_iter().map(fault).collect())),
    };
    if values.len() != count {
        return Err(wrong(format!("it says {count} numbers and has {}", values.len())));
    }
    let infinite = values.iter().enumerate().filter(|(_, value)| !value.is_finite());
    let infinite = infinite.map(|(at, value)| fault((at, format!("is {value}, and a finite one was expected"))));
    let infinite: Vec<_> = infinite.take(FAULTS_NAMED).collect();
    if !infinite.is_empty() {
        return Err(NpzError::Numbers(infinite));
    }
    Ok(match order {
        Order::C => Matrix::new(rows, columns, values),
        Order::Fortran => Matrix::from_fn(rows, columns, |row, column| values[column * rows + row]),
    })
}

/// That nothing stands behind the numbers. Only where a file was read to its end is its checksum compared.
fn check_end(file: &mut impl Read) -> Result<(), String> {
    match file.read(&mut [0]) {
        Ok(0) => Ok(()),
        Ok(_) => Err("more bytes stand behind it than its shape has numbers".into()),
        Err(error) => Err(format!("it is damaged ({error})")),
    }
}

/// All numbers as doubles.
fn numbers<R: Read>(file: NpyFile<R>) -> Result<Vec<f64>, Unread> {
    let text = |error: std::io::Error| Unread::Array(error.to_string());
    let DType::Plain(kind) = file.dtype() else {
        return Err(Unread::Array("it holds records, and numbers were expected".into()));
    };
    // The first character is the order of the bytes.
    let kind = kind.to_string();
    match kind.trim_start_matches(['<', '>', '|', '=']) {
        "f8" => file.into_vec::<f64>().map_err(text),
        "f4" => Ok(file.into_vec::<f32>().map_err(text)?.into_iter().map(f64::from).collect()),
        "i8" => whole(&file.into_vec::<i64>().map_err(text)?),
        "i4" => Ok(file.into_vec::<i32>().map_err(text)?.into_iter().map(f64::from).collect()),
        "i2" => Ok(file.into_vec::<i16>().map_err(text)?.into_iter().map(f64::from).collect()),
        "i1" => Ok(file.into_vec::<i8>().map_err(text)?.into_iter().map(f64::from).collect()),
        "u8" => whole(&file.into_vec::<u64>().map_err(text)?),
        "u4" => Ok(file.into_vec::<u32>().map_err(text)?.into_iter().map(f64::from).collect()),
        "u2" => Ok(file.into_vec::<u16>().map_err(text)?.into_iter().map(f64::from).collect()),
        "u1" => Ok(file.into_vec::<u8>().map_err(text)?.into_iter().map(f64::from).collect()),
        "b1" => {
            let bits = file.into_vec::<bool>().map_err(text)?;
            Ok(bits.into_iter().map(|bit| if bit { 1.0 } else { 0.0 }).collect())
        }
        other => Err(Unread::Array(format!("it holds {other}, and float64, float32, integers or bool were expected"))),
    }
}

/// Whole numbers as doubles, unless one of them would become another number.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "what changes on the way is refused")]
fn whole<T: Copy + Into<i128>>(values: &[T]) -> Result<Vec<f64>, Unread> {
    let double = |value: T| -> f64 { value.into() as f64 };
    // A double below 2^65 becomes the very i128 that it is.
    let changed = values.iter().enumerate().filter(|(_, value)| double(**value) as i128 != (**value).into());
    let changed = changed.map(|(at, value)| (at, format!("is {}, which no double is", (*value).into())));
    let changed: Vec<_> = changed.take(FAULTS_NAMED).collect();
    if changed.is_empty() {
        Ok(values.iter().map(|value| double(*value)).collect())
    } else {
        Err(Unread::Numbers(changed))
    }
}
