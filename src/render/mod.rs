//! Traces and insights for people: as documents in Markdown, LaTeX or HTML, and as pictures.
//!
//! A trace becomes a worked solution and an insight a report, both a [`Document`](document::Document), a value of
//! headings, sentences, formulas and tables; each form writes that value down. Nothing is computed here beyond the rounding of numbers: whatever is printed stands in the
//! trace, or in an insight that was made from it.

pub mod document;
pub mod html;
pub mod latex;
pub mod markdown;
pub mod math;
mod mathml;
pub mod number;
pub mod picture;
pub mod report;
pub mod solution;
mod tex;
