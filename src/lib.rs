//! chainrule trains neural networks in the open: every number of every pass, as JSON, over HTTP.
//!
//! The rooms and who may look into whom are told in ARCHITECTURE.md; a test holds the table.

pub mod engine;
pub mod exchange;
pub mod http;
pub mod insight;
pub mod limits;
pub mod page;
pub mod render;
pub mod session;
pub mod store;
