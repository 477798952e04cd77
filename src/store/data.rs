//! Data beside the logs: blobs by the hash of what they hold, the names that people gave them, and which log uses which.
//! A blob stays as long as it has a name or a log that uses it.

use super::{Digest, LogId};

/// A name for a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataName {
    /// Whose it is
    pub tenant: String,
    /// What it is found by
    pub name: String,
    /// The blob
    pub hash: Digest,
    /// Milliseconds since 1970
    pub at: i64,
    /// What it is, in short, for a listing; opaque
    pub note: String,
}

/// What becomes of data. Each may be written twice with the same end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataChange {
    /// A blob gets a name. A name that stands for another blob is a conflict.
    Name(DataName, Vec<u8>),
    /// A name is given up; where there is none, that is a conflict.
    Forget {
        /// Whose it is
        tenant: String,
        /// The name
        name: String,
    },
    /// A log uses a blob from now on. A log that has no name is a conflict.
    Use(LogId, Digest, Vec<u8>),
}
