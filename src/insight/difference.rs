//! The difference of two traces: every number that is not the same to the bit.

use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::schema;
use crate::engine::trace::{Trace, Values};

/// A number that differs.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Difference {
    /// Where the number stands, in both traces
    #[schema(value_type = schema::Pointer)]
    pub pointer: String,
    /// The number in the first trace; null where it has no such number
    #[schema(value_type = schema::NullableNumber)]
    pub was: Option<f64>,
    /// The number in the second trace; null where it has no such number
    #[schema(value_type = schema::NullableNumber)]
    pub is: Option<f64>,
}

/// Every number that differs, in the order of computation; those that only the first one has come last.
pub fn differences(first: &Trace, second: &Trace) -> Vec<Difference> {
    let mut before = HashMap::new();
    let mut order = vec![];
    first.walk(&mut |place, values| {
        let pointer = place.to_string();
        order.push(pointer.clone());
        before.insert(pointer, (numbers(values), false));
    });
    let mut found = vec![];
    second.walk(&mut |place, values| {
        let pointer = place.to_string();
        let (rows, columns) = shape(values);
        let was = before.get_mut(&pointer).map(|(was, seen)| {
            *seen = true;
            &*was
        });
        for (at, is) in numbers(values).into_iter().enumerate() {
            let was = was.and_then(|was| was.get(at)).copied();
            if was.map(f64::to_bits) != Some(is.to_bits()) {
                found.push(Difference { pointer: indexed(&pointer, at, rows, columns), was, is: Some(is) });
            }
        }
    });
    for pointer in order {
        if let Some((numbers, false)) = before.get(&pointer) {
            // Its shape is gone with it: one entry tells of the whole quantity.
            found.push(Difference { pointer: pointer.clone(), was: numbers.first().copied(), is: None });
        }
    }
    found
}

fn numbers(values: Values) -> Vec<f64> {
    match values {
        Values::Scalar(value) => vec![value],
        Values::Vector(values) => values.to_vec(),
        Values::Matrix(matrix) => matrix.values().to_vec(),
    }
}

/// Rows and columns, where the quantity has them.
fn shape(values: Values) -> (Option<usize>, Option<usize>) {
    match values {
        Values::Scalar(_) => (None, None),
        Values::Vector(values) => (None, Some(values.len())),
        Values::Matrix(matrix) => (Some(matrix.rows()), Some(matrix.columns())),
    }
}

fn indexed(pointer: &str, at: usize, rows: Option<usize>, columns: Option<usize>) -> String {
    match (rows, columns) {
        (Some(_), Some(columns)) => format!("{pointer}/{}/{}", at / columns, at % columns),
        (None, Some(_)) => format!("{pointer}/{at}"),
        _ => pointer.to_owned(),
    }
}
