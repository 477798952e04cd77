//! Answers to "why this number?": each a function of a trace, or of passes run with a tap.
//!
//! Nothing here changes a session, and nothing here writes text or pictures.

pub mod blame;
pub mod chain;
pub mod depth;
pub mod diff;
pub mod difference;
pub mod grade;
pub mod gradient_check;
pub mod what_if;

/// Why an example's row cannot be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the batch has {examples} examples, counted from 0, so there is no example {example}")]
pub struct NoSuchExample {
    /// Asked for
    pub example: usize,
    /// There are
    pub examples: usize,
}
