//! HTTP: routes, refusals, readers and writers. No loop over numbers in here.

mod bodies;
mod body;
mod code;
mod complaint;
mod diagnose;
mod docs;
mod extract;
mod healthcheck;
mod json;
mod openapi;
mod problem;
mod query;
mod refusal;
mod responses;
mod routes;
mod rows;
mod server;
mod spec_body;
mod stack;
mod strict;

use std::sync::Arc;

pub use healthcheck::healthcheck;
pub use openapi::document;
pub use server::serve;
pub use stack::{router, router_with};

use self::bodies::Bodies;
use crate::limits::Limits;
use crate::session::Registry;

/// What every handler shares.
pub struct App {
    /// All sessions
    pub registry: Registry,
    bodies: Bodies,
}

impl App {
    /// An app without sessions.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { bodies: Bodies::new(&limits), registry: Registry::new(limits) })
    }

    /// What this server permits.
    pub fn limits(&self) -> &Limits {
        self.registry.limits()
    }
}
