//! Sessions: named models that learn, one change after the other.
//!
//! A session is its log: a creation record and the changes after it. Whatever can be asked of it is computed from
//! there, and what is held in memory is what was computed last.
//!
//! Never in here: HTTP types, SQL, rendering.

mod append;
mod apply;
mod cache;
mod cbor;
mod changes;
mod compute;
mod condition;
mod course;
mod dataset;
mod datasets;
mod history;
mod inspect;
mod lifecycle;
mod name;
mod news;
mod once;
mod preset;
mod recent;
mod record;
mod registry;
mod replay;
mod seal;
mod services;
#[allow(clippy::module_inception, reason = "the session is what this room is named after")]
mod session;
mod subject;
mod training;

pub use cbor::Bytes;
pub use compute::{Compute, Length, Work};
pub use condition::{Condition, Stale, StateTag};
pub use course::{CourseSpec, Evaluation, Progress, RunId};
pub use dataset::hexadecimal;
pub use datasets::{DataError, DatasetKind, DatasetSize, DatasetSummary, Draw, FoundDataset, Put};
pub use history::{Past, Recalled};
pub use inspect::Inspection;
pub use name::SessionName;
pub use news::{Listener, News};
pub use once::{Claim, Claimed, KeyError, Outcome};
pub use preset::{PRESETS, Preset};
pub use record::{Asked, Branch, Kind, Note};
pub use registry::{Created, Registry, RegistryError, SessionSummary, Standing};
pub use replay::{Happened, ReplayError};
pub use seal::{SealError, Snapshots};
pub use services::{Machine, ThisMachine};
pub use session::{Live, Session, SessionError, Terms};
pub use subject::{BatchPart, Data, Detail, PassRequest, Subject, SubjectError, SubjectSpec, answerable};
pub use training::{
    Ended, Pace, Plan, Reason, RunLength, RunState, Seen, TrainData, TrainError, TrainRequest, Training, Until, View,
    Watch,
};
