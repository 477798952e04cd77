//! One resource a file, types above handlers.

pub mod branches;
pub mod datasets;
pub mod explain;
pub mod grade;
pub mod history;
pub mod insights;
pub mod operations;
pub mod passes;
pub mod presets;
pub mod problems;
pub mod sessions;
pub mod telephone;
pub mod training;
pub mod weights;
pub mod what_if;
