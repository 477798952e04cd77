//! The fast tests, in one binary. They go through the public surface: HTTP on a real socket, or the library's own
//! functions where a law of arithmetic is at stake.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that meets something else has failed")]
#![allow(clippy::disallowed_methods, reason = "what is compared may be computed any other way")]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "small numbers")]
#![allow(clippy::needless_pass_by_value, clippy::unused_async, reason = "what a test or a table calls has one form")]
#![allow(clippy::too_many_lines, reason = "a table of cases is read line by line")]

mod api;
mod arithmetic;
mod command_line;
mod concurrency;
mod connections;
mod contract;
mod database_files;
mod estimates;
mod examples;
mod gradients;
mod history;
mod insights;
mod layers;
mod limits;
mod modes;
mod networks;
mod optimizers;
mod problems;
mod queries;
mod range;
mod raw;
mod recalls;
mod refusals;
mod replicas;
mod retries;
mod rooms;
mod sealing;
mod server;
mod sessions;
mod simulation;
mod stepper;
mod store;
mod training;
mod transfer;
mod untouched;
mod weights;
mod what_if;
