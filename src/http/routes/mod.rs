//! One resource a file, types above handlers.

pub mod explain;
pub mod operations;
pub mod passes;
pub mod presets;
pub mod sessions;
pub mod weights;
