//! Blobs, their names, and which log uses which.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::OVERHEAD;
use crate::store::{Conflict, DataChange, DataName, Digest, LogId};

#[derive(Default)]
pub(super) struct HeldData {
    blobs: BTreeMap<Digest, Vec<u8>>,
    names: BTreeMap<(String, String), DataName>,
    uses: BTreeSet<(LogId, Digest)>,
}

impl HeldData {
    pub(super) fn find(&self, tenant: &str, name: &str) -> Option<DataName> {
        self.names.get(&(tenant.to_owned(), name.to_owned())).cloned()
    }

    pub(super) fn list(&self, tenant: &str, after: Option<&str>, limit: usize) -> Vec<DataName> {
        let first = (tenant.to_owned(), after.unwrap_or_default().to_owned());
        let names = self.names.range((Bound::Excluded(first), Bound::Unbounded));
        names.take_while(|((owner, _), _)| owner == tenant).map(|(_, name)| name.clone()).take(limit).collect()
    }

    pub(super) fn blob(&self, hash: Digest) -> Option<Vec<u8>> {
        self.blobs.get(&hash).cloned()
    }

    pub(super) fn of(&self, log: LogId) -> Vec<Digest> {
        self.uses.range((log, [0; 32])..=(log, [0xff; 32])).map(|(_, hash)| *hash).collect()
    }

    /// What a change adds.
    pub(super) fn size_of(&self, change: &DataChange) -> usize {
        let blob = |hash, bytes: &Vec<u8>| if self.blobs.contains_key(hash) { 0 } else { bytes.len() + OVERHEAD };
        match change {
            DataChange::Name(name, bytes) if self.find(&name.tenant, &name.name).is_none() => {
                blob(&name.hash, bytes) + OVERHEAD
            }
            DataChange::Use(log, hash, bytes) if !self.uses.contains(&(*log, *hash)) => blob(hash, bytes) + OVERHEAD,
            DataChange::Name(..) | DataChange::Use(..) | DataChange::Forget { .. } => 0,
        }
    }

    pub(super) fn check(&self, change: &DataChange) -> Result<(), Conflict> {
        match change {
            DataChange::Name(name, _) => {
                let other = self.find(&name.tenant, &name.name).is_some_and(|known| known.hash != name.hash);
                if other { Err(Conflict::Name) } else { Ok(()) }
            }
            DataChange::Forget { tenant, name } => self.find(tenant, name).map(|_| ()).ok_or(Conflict::Gone),
            DataChange::Use(..) => Ok(()),
        }
    }

    /// Does what was checked; answers how many bytes became free.
    pub(super) fn apply(&mut self, change: DataChange) -> usize {
        match change {
            DataChange::Name(name, bytes) => {
                self.blobs.entry(name.hash).or_insert(bytes);
                self.names.entry((name.tenant.clone(), name.name.clone())).or_insert(name);
                0
            }
            DataChange::Use(log, hash, bytes) => {
                self.blobs.entry(hash).or_insert(bytes);
                self.uses.insert((log, hash));
                0
            }
            DataChange::Forget { tenant, name } => match self.names.remove(&(tenant, name)) {
                Some(name) => OVERHEAD + self.sweep(name.hash),
                None => 0,
            },
        }
    }

    /// Forgets what a log used; answers how many bytes became free.
    pub(super) fn unused_by(&mut self, log: LogId) -> usize {
        let mut freed = 0;
        for hash in self.of(log) {
            self.uses.remove(&(log, hash));
            freed += OVERHEAD + self.sweep(hash);
        }
        freed
    }

    /// Removes a blob that nothing names and nothing uses.
    fn sweep(&mut self, hash: Digest) -> usize {
        let wanted =
            self.names.values().any(|name| name.hash == hash) || self.uses.iter().any(|(_, used)| *used == hash);
        if wanted { 0 } else { self.blobs.remove(&hash).map_or(0, |bytes| bytes.len() + OVERHEAD) }
    }
}
