//! An entry of a log, and the hash that ties it to the one before it.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// SHA-256 over something.
pub type Digest = [u8; 32];

/// What a log is known by for ever: random, so that a name that is used again is another log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId(pub [u8; 16]);

/// One entry of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// All but the bytes
    pub head: EntryHead,
    /// What it says; opaque
    pub body: Vec<u8>,
}

/// An entry without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryHead {
    /// The first step that it covers; the key, together with the log
    pub step: u64,
    /// The last step that it covers, mostly the same
    pub last: u64,
    /// Milliseconds since 1970 by the writer's clock; the order of entries is that of their steps
    pub at: i64,
    /// Drawn anew for every append: tells one's own append, whose answer was lost, from another's
    pub append: [u8; 16],
    /// The hash of the state that it leads to
    pub state: Digest,
    /// The hash of the entry before it; of the entry that a log goes on from; zeros where there is none
    pub before: Digest,
    /// What it says, in short, for a listing; opaque
    pub note: String,
    /// Over all of the entry and whose it is, by [`Entry::seal`]
    pub hash: Digest,
}

impl LogId {
    /// From bytes as a store keeps them.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl Entry {
    /// Sets the hash.
    #[must_use]
    pub fn sealed(mut self, tenant: &str, log: LogId) -> Self {
        self.head.hash = self.seal(tenant, log);
        self
    }

    /// Whether the hash is that of the entry in this log.
    pub fn is_whole(&self, tenant: &str, log: LogId) -> bool {
        self.head.hash == self.seal(tenant, log)
    }

    /// SHA-256 over `chainrule.entry/1⏎` and, in this order, tenant, log, step, last, at, append, state, before, note
    /// and body. Integers are little-endian with 8 bytes; texts and bytes of any length have theirs before them.
    fn seal(&self, tenant: &str, log: LogId) -> Digest {
        let EntryHead { step, last, at, append, state, before, note, hash: _ } = &self.head;
        let mut sha = Sha256::new();
        sha.update(b"chainrule.entry/1\n");
        let sized = |sha: &mut Sha256, bytes: &[u8]| {
            sha.update((bytes.len() as u64).to_le_bytes());
            sha.update(bytes);
        };
        sized(&mut sha, tenant.as_bytes());
        sha.update(log.0);
        sha.update(step.to_le_bytes());
        sha.update(last.to_le_bytes());
        sha.update(at.to_le_bytes());
        sha.update(append);
        sha.update(state);
        sha.update(before);
        sized(&mut sha, note.as_bytes());
        sized(&mut sha, &self.body);
        sha.finalize().into()
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(const_hex::Buffer::<16>::new().format(&self.0))
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
