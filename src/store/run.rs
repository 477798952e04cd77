//! Work on a log that goes on by itself: who is at it, and until when nobody else may be.
//!
//! A log has at most one run, the latest. Its owner renews a lease; whoever finds an open run whose lease has ended may
//! take it. That a run is never made twice at once rests on the log itself: of two appends at one place one is refused.
//! A lease only spares the work.

use super::LogId;

/// Who works, drawn anew by every server.
pub type Owner = [u8; 16];

/// A run as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The log
    pub log: LogId,
    /// Who works on it, or did last
    pub owner: Owner,
    /// Whether nobody else may take it now
    pub held: bool,
    /// Whether it is to go on
    pub open: bool,
    /// Whether somebody wants it to end
    pub cancel: bool,
    /// What it is; opaque
    pub body: Vec<u8>,
}

/// What becomes of a run. Whatever cannot be done as things stand is a conflict with the log's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunChange {
    /// A new one, in the place of one that has ended or that nobody holds.
    Begin {
        /// What it is
        body: Vec<u8>,
    },
    /// One that is open and that nobody holds is held again.
    Take,
    /// Whoever holds it goes on holding it.
    Renew,
    /// Whoever holds it lets go of it; it stays open.
    LetGo,
    /// Whoever works on it shall stop, whoever it is.
    Cancel,
    /// Whoever works on it has ended it.
    End {
        /// What it was
        body: Vec<u8>,
    },
}

/// Who changes which run, and when. A store that several servers share goes by its own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunTerms {
    /// The log
    pub log: LogId,
    /// Who asks
    pub owner: Owner,
    /// Milliseconds since 1970
    pub now: i64,
    /// Milliseconds for which it is held
    pub lease: i64,
}
