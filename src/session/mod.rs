//! Sessions: named models that learn, one change after the other.
//!
//! Never in here: HTTP types, SQL, rendering.

mod compute;
mod inspect;
mod name;
mod preset;
mod registry;
#[allow(clippy::module_inception, reason = "the session is what this room is named after")]
mod session;
mod subject;

pub use compute::{Compute, Length, Work};
pub use inspect::Inspection;
pub use name::SessionName;
pub use preset::{PRESETS, Preset};
pub use registry::{Created, Registry, RegistryError, SessionSummary};
pub use session::{Live, Session, SessionError, Stepped};
pub use subject::{BatchPart, Data, Detail, PassRequest, Subject, SubjectError, SubjectSpec};
