//! The registry: which sessions there are.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use thiserror::Error;

use super::SessionName;
use super::compute::{Compute, Length, Work};
use super::session::Session;
use super::subject::{Subject, SubjectSpec};
use crate::engine::model::ModelError;
use crate::engine::state::StateHash;
use crate::limits::Limits;

/// All sessions of a server, and what they share.
pub struct Registry {
    limits: Limits,
    compute: Arc<Compute>,
    /// A std lock, since it is only held to look up, insert or remove one entry, never across an await.
    sessions: RwLock<Sessions>,
}

#[derive(Default)]
struct Sessions {
    by_name: BTreeMap<SessionName, Arc<Session>>,
    /// The sum over all sessions
    parameters: usize,
}

/// What became of a wish for a session.
pub enum Created {
    /// It is new.
    New(Arc<Session>),
    /// It was there already, made from the same spec.
    Same(Arc<Session>),
}

/// Why there is no session.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum RegistryError {
    #[error("{0}")]
    Model(#[from] ModelError),
    #[error("there is a session {0} already, made from another body; choose another name or delete it first")]
    NameInUse(SessionName),
    #[error("there is no session {0}")]
    NoSession(SessionName),
    #[error("this server keeps at most {limit} sessions; delete one first")]
    TooManySessions { limit: usize },
    #[error(
        "this server keeps at most {limit} parameters in all sessions together, {used} are in use and this session has {wanted}; delete a session first"
    )]
    TooManyParameters { wanted: usize, used: usize, limit: usize },
}

/// One session in a listing.
pub struct SessionSummary {
    /// Its name
    pub name: SessionName,
    /// Its step
    pub step: u64,
    /// Its state's hash
    pub state: StateHash,
    /// Its number of parameters
    pub parameters: usize,
}

impl Registry {
    /// An empty registry.
    pub fn new(limits: Limits) -> Self {
        Self { limits, compute: Arc::default(), sessions: RwLock::default() }
    }

    /// What this server permits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Where computations run.
    pub fn compute(&self) -> &Arc<Compute> {
        &self.compute
    }

    /// A session of that name and spec, made if there is none.
    pub async fn create(&self, name: SessionName, spec: SubjectSpec) -> Result<Created, RegistryError> {
        if let Some(session) = self.find(&name) {
            return same(session, &spec);
        }
        let subject = Subject::new(spec.clone(), &self.limits)?;
        let wanted = subject.model().parameters();
        // Drawing a large network takes a while: outside the lock, and off the async threads.
        let length = Length::of(wanted as u64, self.limits.inline_multiply_adds);
        let named = name.clone();
        let session = Arc::new(self.compute.run(Work::Pass, length, move || Session::new(named, subject)).await);
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = sessions.by_name.get(&name) {
            return same(Arc::clone(other), &spec);
        }
        if sessions.by_name.len() >= self.limits.sessions {
            return Err(RegistryError::TooManySessions { limit: self.limits.sessions });
        }
        let (used, limit) = (sessions.parameters, self.limits.parameters_total);
        if used + wanted > limit {
            return Err(RegistryError::TooManyParameters { wanted, used, limit });
        }
        sessions.parameters += wanted;
        sessions.by_name.insert(name, Arc::clone(&session));
        Ok(Created::New(session))
    }

    /// The session of that name.
    pub fn session(&self, name: &SessionName) -> Result<Arc<Session>, RegistryError> {
        self.find(name).ok_or_else(|| RegistryError::NoSession(name.clone()))
    }

    /// Removes a session; what is being computed on it ends without being seen.
    pub fn delete(&self, name: &SessionName) -> Result<(), RegistryError> {
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.by_name.remove(name).ok_or_else(|| RegistryError::NoSession(name.clone()))?;
        sessions.parameters -= session.subject().model().parameters();
        Ok(())
    }

    /// At most `limit` sessions by name, those behind `after`, and whether there are more.
    pub fn list(&self, after: Option<&SessionName>, limit: usize) -> (Vec<SessionSummary>, bool) {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut found: Vec<Arc<Session>> = {
            let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
            let page = sessions.by_name.range::<SessionName, _>((from, Bound::Unbounded)).take(limit + 1);
            page.map(|(_, session)| Arc::clone(session)).collect()
        };
        let more = found.len() > limit;
        found.truncate(limit);
        let summary = |session: Arc<Session>| {
            let live = session.live();
            SessionSummary {
                name: session.name().clone(),
                step: live.step,
                state: session.hash(&live),
                parameters: session.subject().model().parameters(),
            }
        };
        (found.into_iter().map(summary).collect(), more)
    }

    fn find(&self, name: &SessionName) -> Option<Arc<Session>> {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner).by_name.get(name).cloned()
    }
}

fn same(session: Arc<Session>, spec: &SubjectSpec) -> Result<Created, RegistryError> {
    if session.is_made_from(spec) {
        Ok(Created::Same(session))
    } else {
        Err(RegistryError::NameInUse(session.name().clone()))
    }
}
