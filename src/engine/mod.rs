//! The arithmetic: values in, values out.
//!
//! A [`spec::ModelSpec`] (what may be asked for) becomes a [`model::Model`] (checked once, immutable) with a
//! [`state::State`] (all that a step changes). [`pass`] turns model, state and a batch into a [`trace::Trace`].
//!
//! Never in here: async, input and output, a clock, JSON text, HTTP.

pub mod activation;
mod batch;
pub mod cost;
pub mod dataset;
pub mod init;
pub mod judge;
pub mod layer;
pub mod loss;
pub mod math;
pub mod matrix;
pub mod mode;
pub mod model;
pub mod name;
pub mod non_finite;
pub mod optimizer;
pub mod pass;
pub mod random;
pub mod run;
pub mod schedule;
pub mod schema;
pub mod snapshot;
pub mod spec;
pub mod state;
pub mod stepper;
pub mod summary;
pub mod tap;
pub mod telephone;
pub mod tensor;
pub mod trace;

/// The version of the arithmetic. It changes when the same request would give other bits.
pub const ARITHMETIC: u32 = 1;
