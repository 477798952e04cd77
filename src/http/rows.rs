//! Readers of numbers: a batch as a row or as rows, biases as a switch or as values.
//!
//! They are written by hand, since serde's untagged enums lose the pointer.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, SeqAccess, Visitor};
use utoipa::openapi::{OneOfBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::code::Code;
use super::problem::Fault;
use crate::engine::matrix::Matrix;
use crate::engine::schema;

/// Rows of numbers as they came in, whose shape is still to be checked.
#[derive(Debug, Default)]
pub struct Rows {
    values: Vec<f64>,
    /// The numbers in each row so far; a flat row is one
    lengths: Lengths,
    flat: bool,
}

/// What is known of the rows' lengths.
#[derive(Debug, Default)]
struct Lengths {
    rows: usize,
    first: usize,
    /// The first row that differs from the first one, with its length
    ragged: Option<(usize, usize)>,
}

impl Rows {
    /// A batch; a flat row is a batch of one.
    pub fn into_batch(self, pointer: &str) -> Result<Matrix, Fault> {
        self.into_matrix(pointer)
    }

    /// Weights `[in][out]`; a flat row is none.
    pub fn into_weights(self, pointer: &str) -> Result<Matrix, Fault> {
        if self.flat {
            let detail = "weights are rows, one for each unit below: [[…], …]";
            return Err(Fault::new(pointer, Code::WrongShape, detail));
        }
        self.into_matrix(pointer)
    }

    fn into_matrix(self, pointer: &str) -> Result<Matrix, Fault> {
        let Lengths { rows, first, ragged } = self.lengths;
        if let Some((row, length)) = ragged {
            let detail = format!("row {row} has {length} numbers and row 0 has {first}; all rows are of one length");
            return Err(Fault::new(format!("{pointer}/{row}"), Code::WrongShape, detail));
        }
        if rows == 0 || first == 0 {
            return Err(Fault::new(
                pointer,
                Code::WrongShape,
                "there are no numbers here; at least one row of one is needed",
            ));
        }
        Ok(Matrix::new(rows, first, self.values))
    }
}

impl Lengths {
    fn add(&mut self, length: usize) {
        if self.rows == 0 {
            self.first = length;
        } else if length != self.first && self.ragged.is_none() {
            self.ragged = Some((self.rows, length));
        }
        self.rows += 1;
    }
}

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(RowsVisitor)
    }
}

struct RowsVisitor;

impl<'de> Visitor<'de> for RowsVisitor {
    type Value = Rows;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row of numbers or an array of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Rows, A::Error> {
        let mut rows = Rows::default();
        let mut item = Item { values: &mut rows.values, expected: Expected::Either };
        let Some(first) = items.next_element_seed(item.reborrow())? else { return Ok(rows) };
        match first {
            Found::Number => {
                item.expected = Expected::Number;
                while items.next_element_seed(item.reborrow())?.is_some() {}
                rows.flat = true;
                rows.lengths.add(rows.values.len());
            }
            Found::Row(length) => {
                rows.lengths.add(length);
                item.expected = Expected::Row;
                while let Some(found) = items.next_element_seed(item.reborrow())? {
                    if let Found::Row(length) = found {
                        rows.lengths.add(length);
                    }
                }
            }
        }
        Ok(rows)
    }
}

/// One element of the outer array: a number, or a row of them.
struct Item<'v> {
    values: &'v mut Vec<f64>,
    expected: Expected,
}

/// What the elements before this one have settled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Either,
    Number,
    Row,
}

enum Found {
    Number,
    Row(usize),
}

impl Item<'_> {
    fn reborrow(&mut self) -> Item<'_> {
        Item { values: self.values, expected: self.expected }
    }

    fn number<E: de::Error>(self, value: f64, shown: de::Unexpected<'_>) -> Result<Found, E> {
        if self.expected == Expected::Row {
            return Err(E::invalid_type(shown, &self));
        }
        self.values.push(value);
        Ok(Found::Number)
    }
}

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Item<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.expected {
            Expected::Either => "a number or a row of numbers",
            Expected::Number => "a number",
            Expected::Row => "a row of numbers",
        })
    }

    #[allow(clippy::cast_precision_loss, reason = "an integer in JSON is read as the double nearest to it")]
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Found, E> {
        self.number(value as f64, de::Unexpected::Unsigned(value))
    }

    #[allow(clippy::cast_precision_loss, reason = "an integer in JSON is read as the double nearest to it")]
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Found, E> {
        self.number(value as f64, de::Unexpected::Signed(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Found, E> {
        self.number(value, de::Unexpected::Float(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Found, A::Error> {
        if self.expected == Expected::Number {
            return Err(de::Error::invalid_type(de::Unexpected::Seq, &self));
        }
        let before = self.values.len();
        while let Some(value) = items.next_element()? {
            self.values.push(value);
        }
        Ok(Found::Row(self.values.len() - before))
    }
}

impl PartialSchema for Rows {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .description(Some("A batch of rows, `[examples][units]`; a single flat row is taken as a batch of one."))
            .item(schema::Row::schema())
            .item(schema::Matrix::schema())
            .into()
    }
}

impl ToSchema for Rows {}

/// How rows are described that may be as many as a dataset has.
pub struct ManyRows;

impl PartialSchema for ManyRows {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .description(Some("Rows of a dataset, `[examples][units]`; a single flat row is taken as one example."))
            .item(schema::Row::schema())
            .item(schema::DatasetMatrix::schema())
            .into()
    }
}

impl ToSchema for ManyRows {}

/// Whether a layer has biases, or their values.
#[derive(Debug)]
pub enum BiasBody {
    /// Starting at zero, or none
    Switch(bool),
    /// One for each unit
    Values(Vec<f64>),
}

impl<'de> Deserialize<'de> for BiasBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BiasVisitor)
    }
}

struct BiasVisitor;

impl<'de> Visitor<'de> for BiasVisitor {
    type Value = BiasBody;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false or an array of numbers")
    }

    fn visit_bool<E>(self, value: bool) -> Result<BiasBody, E> {
        Ok(BiasBody::Switch(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<BiasBody, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element()? {
            values.push(value);
        }
        Ok(BiasBody::Values(values))
    }
}

impl PartialSchema for BiasBody {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .description(Some("true: starting at zero; false: none; values: one for each unit"))
            .item(bool::schema())
            .item(schema::Row::schema())
            .into()
    }
}

impl ToSchema for BiasBody {}
