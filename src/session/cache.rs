//! The sessions that are held ready: those used last, up to a number of bytes. One that is in use stays.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use lru::LruCache;

use super::SessionName;
use super::session::Session;

/// Sessions by name.
pub struct Cache {
    limit: usize,
    /// A std lock: it is held to find, add or remove entries, never across an await.
    held: Mutex<Held>,
}

struct Held {
    slots: LruCache<SessionName, Arc<Slot>>,
    bytes: usize,
}

/// The place of one name.
#[derive(Default)]
pub struct Slot {
    /// The session, where it is ready
    session: RwLock<Option<Ready>>,
    /// Held by the one who loads, makes or deletes the session of this name
    pub gate: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Ready {
    session: Arc<Session>,
    bytes: usize,
}

impl Cache {
    /// An empty one for so many bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, held: Mutex::new(Held { slots: LruCache::unbounded(), bytes: 0 }) }
    }

    /// The place of a name, which is now the one used last.
    pub fn slot(&self, name: &SessionName) -> Arc<Slot> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(held.slots.get_or_insert_ref(name, Arc::default))
    }

    /// Holds a session ready, or none of that name; then lets others go, where it is too much.
    pub fn put(&self, slot: &Slot, session: Option<Arc<Session>>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let ready = session.map(|session| Ready { bytes: session.bytes(), session });
        held.bytes += ready.as_ref().map_or(0, |ready| ready.bytes);
        let before = std::mem::replace(&mut *slot.session.write().unwrap_or_else(PoisonError::into_inner), ready);
        held.bytes -= before.map_or(0, |before| before.bytes);
        held.shrink(self.limit);
    }

    /// Bytes that are held.
    pub fn bytes(&self) -> usize {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// Takes a name out that has no session, where nobody waits for one.
    pub fn tidy(&self, name: &SessionName, slot: &Arc<Slot>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's own, and the caller's.
        if slot.get().is_none() && Arc::strong_count(slot) == 2 {
            held.slots.pop(name);
        }
    }
}

impl Held {
    /// Lets go what was used longest ago and is not in use now, until the rest is not more than the limit.
    fn shrink(&mut self, limit: usize) {
        let mut in_use = vec![];
        while self.bytes > limit
            && let Some((name, slot)) = self.slots.pop_lru()
        {
            if slot.in_use() {
                in_use.push((name, slot));
            } else {
                self.bytes -= slot.ready().map_or(0, |ready| ready.bytes);
            }
        }
        for (name, slot) in in_use.into_iter().rev() {
            self.slots.put(name.clone(), slot);
            self.slots.demote(&name);
        }
    }
}

impl Slot {
    /// The session, where it is ready.
    pub fn get(&self) -> Option<Arc<Session>> {
        self.ready().map(|ready| ready.session)
    }

    fn ready(&self) -> Option<Ready> {
        self.session.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether anybody but the cache has the slot or its session.
    fn in_use(self: &Arc<Self>) -> bool {
        let session = self.session.read().unwrap_or_else(PoisonError::into_inner);
        Arc::strong_count(self) > 1 || session.as_ref().is_some_and(|ready| Arc::strong_count(&ready.session) > 1)
    }
}
