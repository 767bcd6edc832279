//! What runs in this process: how many sends, and whether the mailer was closed.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;

use super::outbox::Outbox;
use crate::call::Cancel;
use crate::error::{Error, ErrorCode, Result};
use crate::metrics::Metrics;
use crate::sync::lock;

/// One mailer's state in one process.
#[derive(Default)]
pub(super) struct Running {
    pub(super) metrics: Metrics,
    /// The process's own of the same mailbox, once something was counted.
    pub(super) shared_metrics: OnceLock<Option<Arc<Metrics>>>,
    pub(super) outbox: Outbox,
    state: Mutex<RunningState>,
    left: Notify,
    ending: Cancel,
}

#[derive(Default)]
struct RunningState {
    closed: bool,
    sends: usize,
}

/// One running send; leaving is dropping it.
pub(super) struct Ticket<'a> {
    running: &'a Running,
    /// Cancelled when the mailer's time to end is over.
    pub(super) ending: Cancel,
}

impl Running {
    /// This process's state; a forked child of a closed mailer has a closed one.
    pub(super) fn begin(parent: Option<&Self>) -> Self {
        let closed = parent.and_then(|parent| Some(parent.state.try_lock().ok()?.closed)).unwrap_or(false);
        Self { state: Mutex::new(RunningState { closed, sends: 0 }), ..Self::default() }
    }

    /// Counts a send in.
    pub(super) fn enter(&self) -> Result<Ticket<'_>> {
        let mut state = self.lock();
        if state.closed {
            return Err(Error::new(ErrorCode::Closed, "this mailer was closed"));
        }
        state.sends += 1;
        Ok(Ticket { running: self, ending: self.ending.clone() })
    }

    pub(super) fn in_flight(&self) -> usize {
        self.lock().sends
    }

    /// Closes; waits for the last send, or cancels them when `timeout` is over and waits for their end.
    pub(super) async fn end(&self, timeout: Duration) {
        self.lock().closed = true;
        if tokio::time::timeout(timeout, self.empty()).await.is_err() {
            self.ending.cancel();
            // A cancelled send ends at its next step; the bound is for a step that does not.
            let _ = tokio::time::timeout(LAST_STEP, self.empty()).await;
        }
    }

    async fn empty(&self) {
        loop {
            let left = self.left.notified();
            if self.in_flight() == 0 {
                return;
            }
            left.await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, RunningState> {
        lock(&self.state)
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.running.lock().sends -= 1;
        self.running.left.notify_waiters();
    }
}

const LAST_STEP: Duration = Duration::from_secs(5);
