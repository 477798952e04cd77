//! Datasets as NumPy writes them: an npz file with the arrays `inputs` and `targets`.

use std::io::{Cursor, Read};

use npyz::{DType, NpyFile, Order};
use thiserror::Error;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::engine::dataset::{Columns, Dataset, DatasetError};
use crate::engine::matrix::Matrix;
use crate::limits::Limits;

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
    #[error("number {index:?} of the array {name} is {value}, and a finite one was expected")]
    NotFinite { name: &'static str, index: [usize; 2], value: f64 },
    #[error("{0}")]
    Dataset(#[from] DatasetError),
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
    let file = match archive.by_name(&format!("{name}.npy")) {
        Ok(file) => file,
        Err(ZipError::FileNotFound) => return Err(NpzError::Missing { name, found }),
        Err(error) => return Err(wrong(error.to_string())),
    };
    let file = NpyFile::new(file).map_err(|error| wrong(error.to_string()))?;
    let (rows, columns) = match *file.shape() {
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
    let order = file.order();
    let values = numbers(file).map_err(wrong)?;
    if values.len() != count {
        return Err(wrong(format!("it says {count} numbers and has {}", values.len())));
    }
    let matrix = match order {
        Order::C => Matrix::new(rows, columns, values),
        Order::Fortran => Matrix::from_fn(rows, columns, |row, column| values[column * rows + row]),
    };
    let place = matrix.values().iter().position(|value| !value.is_finite());
    match place {
        None => Ok(matrix),
        Some(at) => {
            let value = matrix.values()[at];
            Err(NpzError::NotFinite { name, index: [at / columns, at % columns], value })
        }
    }
}

/// All numbers as doubles; integers that a double does not hold become the nearest one.
#[allow(clippy::cast_precision_loss, reason = "an integer becomes the double nearest to it, as in JSON")]
fn numbers<R: Read>(file: NpyFile<R>) -> Result<Vec<f64>, String> {
    let text = |error: std::io::Error| error.to_string();
    let DType::Plain(kind) = file.dtype() else { return Err("it holds records, and numbers were expected".into()) };
    // The first character is the order of the bytes.
    let kind = kind.to_string();
    match kind.trim_start_matches(['<', '>', '|', '=']) {
        "f8" => file.into_vec::<f64>().map_err(text),
        "f4" => Ok(file.into_vec::<f32>().map_err(text)?.into_iter().map(f64::from).collect()),
        "i8" => Ok(file.into_vec::<i64>().map_err(text)?.into_iter().map(|value| value as f64).collect()),
        "i4" => Ok(file.into_vec::<i32>().map_err(text)?.into_iter().map(f64::from).collect()),
        "i2" => Ok(file.into_vec::<i16>().map_err(text)?.into_iter().map(f64::from).collect()),
        "i1" => Ok(file.into_vec::<i8>().map_err(text)?.into_iter().map(f64::from).collect()),
        "u8" => Ok(file.into_vec::<u64>().map_err(text)?.into_iter().map(|value| value as f64).collect()),
        "u4" => Ok(file.into_vec::<u32>().map_err(text)?.into_iter().map(f64::from).collect()),
        "u2" => Ok(file.into_vec::<u16>().map_err(text)?.into_iter().map(f64::from).collect()),
        "u1" => Ok(file.into_vec::<u8>().map_err(text)?.into_iter().map(f64::from).collect()),
        "b1" => {
            let bits = file.into_vec::<bool>().map_err(text)?;
            Ok(bits.into_iter().map(|bit| if bit { 1.0 } else { 0.0 }).collect())
        }
        other => Err(format!("it holds {other}, and float64, float32, integers or bool were expected")),
    }
}
