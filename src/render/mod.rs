//! A trace for people: as a worked solution, in Markdown, LaTeX or HTML.
//!
//! A trace becomes a [`Solution`](solution::Solution), a value of headings, sentences, formulas and tables; each form
//! writes that value down. Nothing is computed here beyond the rounding of numbers: whatever is printed stands in the
//! trace, or in an insight that was made from it.

pub mod html;
pub mod latex;
pub mod markdown;
pub mod math;
mod mathml;
pub mod number;
pub mod picture;
pub mod solution;
mod tex;
