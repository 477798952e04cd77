//! Insights as documents: what each found, in sentences and tables. Long lists are cut, and it is said where.

mod blame;
mod chain;
mod depth;
mod difference;
mod grade;
mod gradient_check;

use std::fmt::Display;

pub use blame::blame;
pub use chain::chain;
pub use depth::{Player, depth, telephone};
pub use difference::{Side, diff, what_if};
pub use grade::grade;
pub use gradient_check::gradient_check;

use super::document::{Cell, Document, Section, text};
use super::number::Digits;

/// Rows of a table that are shown, at the most.
const ROWS: usize = 50;

/// A document of one title.
fn document(title: impl Into<String>, sections: Vec<Section>) -> Document {
    Document { title: title.into(), sections }
}

/// A number in a table.
fn number(digits: Digits, value: f64) -> Cell {
    Cell::Number(digits.write(value))
}

/// A number in a table, where there is one.
fn number_if(digits: Digits, value: Option<f64>) -> Cell {
    value.map(|value| digits.write(value)).into()
}

/// A whole number in a table: all of its digits.
fn whole(value: impl Display) -> Cell {
    Cell::Words(value.to_string())
}

/// Says of how many only some are shown, if that is so.
fn say_if_cut(section: &mut Section, shown: usize, all: usize, which: &str) {
    if shown < all {
        section.say(vec![text(format!("{shown} of {all} are shown, {which}; format=json has all of them."))]);
    }
}

/// A place such as `hidden weights [0, 1]`, in something that is called `hidden weights`.
fn place(of: impl Display, index: &[usize]) -> String {
    let index: Vec<String> = index.iter().map(ToString::to_string).collect();
    format!("{of} [{}]", index.join(", "))
}
