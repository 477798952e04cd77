//! Room for request bodies: all bodies that are being received or read hold so many bytes together, and no more.
//!
//! A body takes room as its bytes arrive: one that is announced and does not come takes none from others. That alone
//! could come to a stand, every body half there and waiting for the others' room. So room for one whole body is kept
//! back: whoever finds no other takes it and can then go on to the end. Whatever fits goes on, in no order, so that
//! the rest of a body that is almost there does not queue behind one that has yet to begin.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::code::Code;
use super::problem::Problem;
use crate::limits::Limits;

/// The room there is.
pub struct Bodies {
    /// A permit a byte
    shared: Arc<Semaphore>,
    /// Room for one whole body
    kept_back: Arc<Semaphore>,
    /// Told whenever room is given back
    freed: Arc<Notify>,
}

/// A body with the room that it takes, given back when it is dropped.
pub struct Held {
    /// What arrived
    pub bytes: Vec<u8>,
    room: Option<OwnedSemaphorePermit>,
    whole: Option<OwnedSemaphorePermit>,
    freed: Arc<Notify>,
}

impl Bodies {
    /// As much as the limits say, and at least for one body.
    pub fn new(limits: &Limits) -> Self {
        let shared = limits.bodies_bytes.saturating_sub(limits.body_bytes).min(Semaphore::MAX_PERMITS);
        Self { shared: Arc::new(Semaphore::new(shared)), kept_back: Arc::new(Semaphore::new(1)), freed: Arc::default() }
    }

    /// The whole of a body, within its size, its time and the room there is.
    pub async fn receive(&self, mut body: Body, limits: &Limits) -> Result<Held, Problem> {
        let mut held = Held { bytes: Vec::new(), room: None, whole: None, freed: Arc::clone(&self.freed) };
        let (mut sending, mut waiting) = (limits.body_timeout, limits.bodies_timeout);
        loop {
            let Some(frame) = within(&mut sending, body.frame()).await else {
                let seconds = limits.body_timeout.as_secs();
                let detail = format!("the body did not arrive within {seconds} s");
                return Err(Problem::new(Code::RequestTimeout, detail));
            };
            let Some(frame) = frame else { return Ok(held) };
            let frame = frame
                .map_err(|error| Problem::new(Code::InvalidBody, format!("the body could not be received: {error}")))?;
            // Trailers mean nothing here.
            let Ok(data) = frame.into_data() else { continue };
            if held.bytes.len() + data.len() > limits.body_bytes {
                return Err(too_large(limits));
            }
            if within(&mut waiting, self.make_room(&mut held, &data)).await.is_none() {
                let detail = "the server holds as many request bodies as it may; try again in a moment";
                return Err(Problem::new(Code::Overloaded, detail));
            }
            held.bytes.extend_from_slice(&data);
        }
    }

    async fn make_room(&self, held: &mut Held, data: &Bytes) {
        let bytes = u32::try_from(data.len()).unwrap_or(u32::MAX);
        loop {
            let mut freed = pin!(self.freed.notified());
            // From here on nothing that is given back goes unnoticed.
            freed.as_mut().enable();
            if held.whole.is_some() {
                return;
            } else if let Ok(room) = Arc::clone(&self.shared).try_acquire_many_owned(bytes) {
                match &mut held.room {
                    Some(all) => all.merge(room),
                    none => *none = Some(room),
                }
                return;
            } else if let Ok(whole) = Arc::clone(&self.kept_back).try_acquire_owned() {
                held.whole = Some(whole);
                return;
            }
            freed.await;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room = None;
        self.whole = None;
        self.freed.notify_waiters();
    }
}

/// The refusal of a body that is too large, whether it says so or is found to be.
pub fn too_large(limits: &Limits) -> Problem {
    let detail = format!("a body has at most {} bytes; send fewer rows at a time", limits.body_bytes);
    Problem::new(Code::BodyTooLarge, detail)
}

/// What a future gives within the time that is left, which is then less.
async fn within<T>(left: &mut Duration, future: impl Future<Output = T>) -> Option<T> {
    let start = Instant::now();
    let done = tokio::time::timeout(*left, future).await.ok();
    *left = left.saturating_sub(start.elapsed());
    done
}
