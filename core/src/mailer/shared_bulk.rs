//! A bulk send for a caller that pushes while it waits: Python's and JavaScript's.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};

use tokio::runtime::Handle;

use super::{Bulk, Counts, Mailer};
use crate::call::Call;
use crate::error::Result;
use crate::message::Message;
use crate::receipt::SendResult;
use crate::sync::lock;

/// A [`Bulk`] that may be pushed to while somebody waits for its results. Clones share it.
#[derive(Clone)]
pub struct SharedBulk(Arc<Mutex<Bulk>>);

impl Mailer {
    /// Begins a bulk send: see [`SharedBulk`].
    ///
    /// # Errors
    /// `closed`.
    pub fn shared_bulk(&self, call: Call, runtime: Handle) -> Result<SharedBulk> {
        Ok(SharedBulk(Arc::new(Mutex::new(self.bulk(call, runtime)?))))
    }
}

impl SharedBulk {
    /// As [`Bulk::has_room`].
    pub fn has_room(&self) -> bool {
        lock(&self.0).has_room()
    }

    /// As [`Bulk::push`].
    pub fn push(&self, message: Result<Message>) {
        lock(&self.0).push(message);
    }

    /// As [`Bulk::finish`].
    pub fn finish(&self) {
        lock(&self.0).finish();
    }

    /// The progress.
    pub fn counts(&self) -> Counts {
        lock(&self.0).counts()
    }

    /// One result as it comes, and what else is there by then; `None` when there is nothing to wait for.
    ///
    /// # Errors
    /// Those of [`Bulk::next`].
    pub async fn gather(&self) -> Result<Option<Vec<SendResult>>> {
        // Locked for each poll alone, so that pushing goes on meanwhile: `next` keeps nothing between two polls.
        let next = poll_fn(|context| pin!(lock(&self.0).next()).poll(context));
        let Some(first) = next.await.transpose()? else { return Ok(None) };
        let mut all = vec![first];
        let mut bulk = lock(&self.0);
        while let Some(result) = bulk.ready() {
            all.push(result);
        }
        Ok(Some(all))
    }
}
