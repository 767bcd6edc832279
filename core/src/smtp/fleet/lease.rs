//! The right to one connection among all processes of a fleet.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use super::Fleet;
use crate::sync::lock;

/// Held as long as the socket is open; given back on drop.
pub(crate) struct Lease {
    pub(super) fleet: Arc<Fleet>,
    pub(super) state: Arc<LeaseState>,
}

/// How a lease stands; shared with the connection that has it.
#[derive(Debug)]
pub(crate) struct LeaseState {
    pub(super) id: String,
    /// Another process has its place.
    lost: AtomicBool,
    /// Another process waits for a connection.
    wanted: AtomicBool,
    /// No renewal can be had: what is held is kept.
    away: Arc<AtomicBool>,
    /// The server keeps it until then, by both clocks: one of them stands still in a machine that sleeps.
    until: Mutex<(Instant, SystemTime)>,
    since: Instant,
}

impl LeaseState {
    pub(super) fn new(id: String, away: Arc<AtomicBool>, asked: (Instant, SystemTime)) -> Self {
        let until = Mutex::new((asked.0 + GOOD_FOR, asked.1 + GOOD_FOR));
        Self { id, lost: AtomicBool::new(false), wanted: AtomicBool::new(false), away, until, since: asked.0 }
    }

    /// Notes that the lease was renewed by a question asked at this instant.
    pub(super) fn renewed(&self, asked: (Instant, SystemTime)) {
        *self.until() = (asked.0 + GOOD_FOR, asked.1 + GOOD_FOR);
    }

    pub(super) fn lose(&self) {
        self.lost.store(true, Ordering::Release);
    }

    pub(super) fn want(&self, is: bool) {
        self.wanted.store(is, Ordering::Release);
    }

    /// Whether nothing more may begin under it: it is lost, or too long was nothing heard.
    pub(crate) fn is_over(&self) -> bool {
        if self.lost.load(Ordering::Acquire) {
            return true;
        }
        let until = *self.until();
        let late = Instant::now() >= until.0 || SystemTime::now() >= until.1;
        let over = late && !self.away.load(Ordering::Acquire);
        if over {
            // Somebody else may have it by now, whatever is heard later.
            self.lose();
        }
        over
    }

    /// Whether its turn is over, since others wait.
    pub(crate) fn is_to_go(&self) -> bool {
        let away = self.away.load(Ordering::Acquire);
        self.wanted.load(Ordering::Acquire) && !away && self.since.elapsed() >= TURN
    }

    fn until(&self) -> std::sync::MutexGuard<'_, (Instant, SystemTime)> {
        lock(&self.until)
    }
}

impl Lease {
    pub(crate) fn state(&self) -> &Arc<LeaseState> {
        &self.state
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.fleet.give_back(&self.state.id);
    }
}

/// What a lease is good for, with a reserve for clocks and slow answers.
const GOOD_FOR: Duration = Duration::from_millis(crate::smtp::fleet::LEASE_MS - 3_000);
/// A busy connection serves this long before it makes way.
const TURN: Duration = Duration::from_secs(5);
