//! The fast tests, in one binary. They go through the public surface: HTTP on a real socket, or the library's own
//! functions where a law of arithmetic is at stake.

mod api;
mod arithmetic;
mod command_line;
mod concurrency;
mod contract;
mod examples;
mod gradients;
mod limits;
mod refusals;
mod rooms;
mod sessions;
mod weights;
