//! HTTP: routes, refusals, readers and writers. No loop over numbers in here.

mod again;
mod bodies;
mod body;
mod code;
mod complaint;
mod conditions;
mod dataset_body;
mod diagnose;
mod docs;
mod extract;
mod fields;
mod format;
mod healthcheck;
mod json;
mod openapi;
mod page;
mod problem;
mod problem_page;
mod query;
mod refusal;
mod report;
mod responses;
mod routes;
mod rows;
mod schemas;
mod server;
mod sheet;
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
use crate::session::{Machine, Registry, ThisMachine};
use crate::store::{MemoryStore, Store};

/// What every handler shares.
pub struct App {
    /// All sessions
    pub registry: Registry,
    bodies: Bodies,
}

impl App {
    /// An app without sessions, that forgets them when it ends.
    pub fn new(limits: Limits) -> Arc<Self> {
        let store = Arc::new(MemoryStore::new(limits.memory_store_bytes));
        Self::over(limits, store, Arc::new(ThisMachine))
    }

    /// An app over the sessions of a store.
    pub fn over(limits: Limits, store: Arc<dyn Store>, machine: Arc<dyn Machine>) -> Arc<Self> {
        Arc::new(Self { bodies: Bodies::new(&limits), registry: Registry::new(limits, store, machine) })
    }

    /// What this server permits.
    pub fn limits(&self) -> &Limits {
        self.registry.limits()
    }
}
