//! How sessions begin and end: made, branched off from others, deleted.

use std::sync::Arc;

use super::SessionName;
use super::append::{Settled, commit};
use super::cache::Slot;
use super::cbor::Bytes;
use super::compute::{Length, Work};
use super::condition::{Condition, StateTag};
use super::once::{Claim, Outcome, TENANT};
use super::record::{Branch, Command, Creation};
use super::registry::{Created, Registry, RegistryError};
use super::replay::ReplayError;
use super::session::{Live, Session, SessionError, Terms, as_a_whole, keep_snapshot};
use super::subject::{Subject, SubjectSpec};
use crate::engine::ARITHMETIC;
use crate::engine::summary::Sizes;
use crate::engine::trace::FORMAT;
use crate::store::{Change, Commit, Digest, Entry, EntryHead, Log, LogId, Origin};

impl Registry {
    /// A session of that name and spec, made if there is none and the terms insist on none.
    pub async fn create(&self, name: SessionName, spec: SubjectSpec, terms: Terms) -> Result<Created, RegistryError> {
        let registry = self.clone();
        as_a_whole(async move {
            let slot = registry.cache.slot(&name);
            let gate = slot.gate.lock().await;
            let created = registry.create_in(&name, &slot, spec, terms).await;
            drop(gate);
            if created.is_err() {
                registry.cache.tidy(&name, &slot);
            }
            created
        })
        .await
    }

    async fn create_in(
        &self,
        name: &SessionName,
        slot: &Slot,
        spec: SubjectSpec,
        Terms { condition, claim }: Terms,
    ) -> Result<Created, RegistryError> {
        let claim = claim.as_deref();
        loop {
            if let Some(session) = self.load(name, slot).await? {
                return self.same(session, &spec, &condition, claim).await;
            }
            condition.check_absent().map_err(SessionError::from)?;
            let subject = Arc::new(Subject::new(spec.clone(), self.limits())?);
            let creation = Creation {
                arithmetic: ARITHMETIC,
                format: FORMAT.into(),
                name: name.to_string(),
                model: spec.model.clone(),
                data: spec.data.clone(),
                from: None,
            };
            // Drawing a large network takes a while: off the async threads.
            let length = Length::of(subject.model().parameters() as u64, self.limits().inline_multiply_adds);
            let model = Arc::clone(&subject);
            let start = move || Live::new(0, model.model().start(), &model, [0; 32]);
            let start = self.compute().run(Work::Pass, length, start).await;
            if let Some(session) = self.begin(name, subject, creation, (start, None), claim).await? {
                self.cache.put(slot, Some(Arc::clone(&session)));
                return Ok(Created::New(session));
            }
        }
    }

    /// The session that there is already, if it was made from the same spec.
    async fn same(
        &self,
        session: Arc<Session>,
        spec: &SubjectSpec,
        condition: &Condition,
        claim: Option<&Claim>,
    ) -> Result<Created, RegistryError> {
        if !session.is_made_from(spec) {
            return Err(RegistryError::NameInUse(session.name().clone()));
        }
        let live = session.live();
        condition.check(live.tag).map_err(SessionError::from)?;
        if let Some(claim) = claim {
            let log = Bytes(session.log.id.0.to_vec());
            self.keep(claim, &Outcome::Found { log, step: live.step() }).await;
        }
        Ok(Created::Same(session, live))
    }

    /// A session that goes on from a step of this one, under a name of its own.
    pub async fn fork(
        &self,
        parent: &Arc<Session>,
        name: SessionName,
        at: Option<u64>,
        terms: Terms,
    ) -> Result<Arc<Session>, RegistryError> {
        let (registry, parent) = (self.clone(), Arc::clone(parent));
        as_a_whole(async move {
            let slot = registry.cache.slot(&name);
            let gate = slot.gate.lock().await;
            let forked = registry.fork_in(&parent, &name, &slot, at, terms).await;
            drop(gate);
            if forked.is_err() {
                registry.cache.tidy(&name, &slot);
            }
            forked
        })
        .await
    }

    async fn fork_in(
        &self,
        parent: &Session,
        name: &SessionName,
        slot: &Slot,
        at: Option<u64>,
        terms: Terms,
    ) -> Result<Arc<Session>, RegistryError> {
        if self.load(name, slot).await?.is_some() {
            return Err(RegistryError::NameInUse(name.clone()));
        }
        let now = parent.live();
        terms.condition.check(now.tag).map_err(SessionError::from)?;
        let live = parent.at(at).await?;
        let at = live.step();
        let spec = parent.subject().spec();
        let creation = Creation {
            arithmetic: ARITHMETIC,
            format: FORMAT.into(),
            name: name.to_string(),
            model: spec.model,
            data: spec.data,
            from: Some(Branch { session: parent.name().to_string(), at }),
        };
        // Step 0 is every session's own.
        let owner = if at == 0 {
            parent.log.clone()
        } else {
            parent.replay().owner(at).await.map(|(log, _)| log).map_err(SessionError::from)?
        };
        let before = parent.replay().entry(&owner, at).await.map_err(SessionError::from)?.head.hash;
        let from = (Origin { log: parent.log.id, at }, before);
        let begun = self.begin(
            name,
            Arc::clone(&parent.subject),
            creation,
            ((*live).clone(), Some(from)),
            terms.claim.as_deref(),
        );
        match begun.await {
            Ok(Some(session)) => {
                self.cache.put(slot, Some(Arc::clone(&session)));
                let (services, log) = (Arc::clone(&self.services), session.log.id);
                tokio::spawn(async move { keep_snapshot(&services, log, &live).await });
                Ok(session)
            }
            Ok(None) => Err(RegistryError::NameInUse(name.clone())),
            Err(RegistryError::Session(SessionError::Replay(ReplayError::Gone))) => {
                Err(RegistryError::NoSession(parent.name().clone()))
            }
            Err(error) => Err(error),
        }
    }

    /// Writes a log's first entry; `None` where the name was taken meanwhile.
    async fn begin(
        &self,
        name: &SessionName,
        subject: Arc<Subject>,
        creation: Creation,
        (live, from): (Live, Option<(Origin, Digest)>),
        claim: Option<&Claim>,
    ) -> Result<Option<Arc<Session>>, RegistryError> {
        let (origin, before) = from.unzip();
        let log = Log {
            id: LogId(self.services.machine.random()?),
            tenant: TENANT.into(),
            name: name.to_string(),
            origin,
            size: subject.model().parameters() as u64,
        };
        let command = Command::Create(Box::new(creation));
        let head = EntryHead {
            step: 0,
            last: live.step(),
            at: self.services.machine.now(),
            append: self.services.machine.random()?,
            state: live.hash().bytes(),
            before: before.unwrap_or_default(),
            note: command.note(Sizes::default()).to_text(),
            hash: [0; 32],
        };
        let entry = Entry { head, body: command.to_bytes() }.sealed(&log.tenant, log.id);
        let live = live.at(entry.head.last, entry.head.hash);
        let outcome = || Outcome::Created { log: Bytes(log.id.0.to_vec()) };
        let key = claim.map(|claim| claim.entry(&self.services, &outcome()));
        let settled = commit(&self.services, Commit { change: Change::Create(log.clone(), entry), key }).await?;
        let session = || Session::new(log, name.clone(), subject, Arc::clone(&self.services), live);
        Ok((settled == Settled::Made).then(|| Arc::new(session())))
    }

    /// Deletes a session; what is being computed on it ends without being seen. Sessions that branched off from it
    /// live on.
    pub async fn delete(&self, name: &SessionName, terms: Terms) -> Result<(), RegistryError> {
        let (registry, name) = (self.clone(), name.clone());
        as_a_whole(async move {
            let slot = registry.cache.slot(&name);
            let gate = slot.gate.lock().await;
            let deleted = registry.delete_in(&name, &slot, terms).await;
            drop(gate);
            registry.cache.tidy(&name, &slot);
            deleted
        })
        .await
    }

    async fn delete_in(&self, name: &SessionName, slot: &Slot, terms: Terms) -> Result<(), RegistryError> {
        // A damaged session can be deleted too: its numbers are not asked for.
        let no_session = || RegistryError::NoSession(name.clone());
        let head = self.services.store.find(TENANT, name.as_str()).await?.ok_or_else(no_session)?;
        terms.condition.check(StateTag::of(&head.entry)).map_err(SessionError::from)?;
        let key = terms.claim.as_deref().map(|claim| claim.entry(&self.services, &Outcome::Deleted));
        match commit(&self.services, Commit { change: Change::Delete(head.log.id), key }).await {
            Ok(_) => {
                if let Some(session) = slot.get() {
                    session.tell();
                }
                self.cache.put(slot, None);
                Ok(())
            }
            Err(SessionError::Replay(ReplayError::Gone)) => Err(no_session()),
            Err(error) => Err(error.into()),
        }
    }
}
