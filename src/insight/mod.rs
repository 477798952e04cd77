//! Answers to "why this number?": each a function of a trace, or of passes run with a tap.
//!
//! Nothing here changes a session, and nothing here draws. Words are names and reasons, a line each.

pub mod blame;
pub mod chain;
pub mod depth;
pub mod diff;
pub mod difference;
pub mod grade;
pub mod gradient_check;
pub mod range;
pub mod what_if;

use crate::engine::name::LayerName;

/// The first names of a list, for a refusal that says what there is.
pub fn names(names: &[LayerName]) -> String {
    const SHOWN: usize = 20;
    if names.is_empty() {
        return "none".to_owned();
    }
    let mut shown: Vec<&str> = names.iter().take(SHOWN).map(LayerName::as_str).collect();
    let more = names.len().saturating_sub(SHOWN);
    let rest = format!("{more} more");
    if more > 0 {
        shown.push(&rest);
    }
    shown.join(", ")
}

/// Why an example's row cannot be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no example {example}: those of the batch are counted from 0, and the last is {}", .examples.saturating_sub(1))]
pub struct NoSuchExample {
    /// Asked for
    pub example: usize,
    /// There are
    pub examples: usize,
}
