//! Runs, as a store of one server keeps them: it goes by the clock of whoever asks.

use crate::store::{Conflict, LogId, Owner, Run, RunChange, RunTerms};

pub(super) struct HeldRun {
    owner: Owner,
    until: i64,
    open: bool,
    cancel: bool,
    body: Vec<u8>,
}

impl HeldRun {
    pub(super) fn seen(&self, log: LogId, now: i64) -> Run {
        let Self { owner, until, open, cancel, ref body } = *self;
        Run { log, owner, held: open && until > now, open, cancel, body: body.clone() }
    }

    pub(super) fn check(run: Option<&Self>, terms: RunTerms, change: &RunChange) -> Result<(), Conflict> {
        let fits = match (run, change) {
            (None, change) => matches!(change, RunChange::Begin { .. }),
            (Some(run), RunChange::Begin { .. }) => !run.open || run.until <= terms.now,
            (Some(run), RunChange::Take) => run.open && run.until <= terms.now,
            (Some(run), RunChange::Cancel) => run.open,
            (Some(run), RunChange::Renew | RunChange::LetGo | RunChange::End { .. }) => {
                run.open && run.owner == terms.owner
            }
        };
        if fits { Ok(()) } else { Err(Conflict::Head) }
    }

    /// What was checked, done.
    pub(super) fn after(run: Option<Self>, terms: RunTerms, change: RunChange) -> Self {
        let until = terms.now.saturating_add(terms.lease);
        let before = run.unwrap_or(Self { owner: terms.owner, until, open: true, cancel: false, body: vec![] });
        match change {
            RunChange::Begin { body } => Self { owner: terms.owner, until, open: true, cancel: false, body },
            RunChange::Take => Self { owner: terms.owner, until, ..before },
            RunChange::Renew => Self { until, ..before },
            RunChange::LetGo => Self { until: 0, ..before },
            RunChange::Cancel => Self { cancel: true, ..before },
            RunChange::End { body } => Self { until: 0, open: false, body, ..before },
        }
    }
}
