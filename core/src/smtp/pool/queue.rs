//! Who waits for a connection of one mailbox, what there is to give, and who gets it. No lock in here, and
//! nothing to wait for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{oneshot, watch};

use super::limits::MailboxLimits;
use super::{Acquired, RouteKey};
use crate::error::Result;
use crate::smtp::fleet::{self, Fleet};
use crate::smtp::job::Job;
use crate::smtp::protocol::breaker::Breaker;

#[derive(Default)]
pub(super) struct PoolState {
    /// Slots taken: connections opening, open or closing.
    pub(super) open: usize,
    /// Idle connections, the last used last.
    pub(super) idle: Vec<Idle>,
    /// Connections under way with room for another message, the longest waiting first.
    pub(super) seats: VecDeque<Idle>,
    pub(super) waiting: VecDeque<Waiter>,
    pub(super) breaker: Breaker,
    pub(super) limits: MailboxLimits,
    /// Where slots must be leased first.
    pub(super) fleet: Option<Arc<Fleet>>,
    /// Leases without a connection yet.
    pub(super) spare: Vec<fleet::Lease>,
}

/// Where a connection stands; shared by its task and the pool's entry of it.
pub(crate) struct Place {
    pub(super) opened: tokio::time::Instant,
    /// Messages are under way, and there is room behind them; else nothing is.
    pub(super) seat: AtomicBool,
    /// The connection was told to close, so that another one can be opened.
    pub(super) evicted: AtomicBool,
    /// The connection's lease among all processes.
    lease: Option<Arc<fleet::LeaseState>>,
}

impl Place {
    pub(crate) fn new(opened: tokio::time::Instant, lease: Option<Arc<fleet::LeaseState>>) -> Self {
        Self { opened, seat: AtomicBool::new(false), evicted: AtomicBool::new(false), lease }
    }

    /// Whether all processes count this connection.
    pub(crate) fn is_leased(&self) -> bool {
        self.lease.is_some()
    }

    /// Others have the right to its connection.
    pub(crate) fn is_lost(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.is_over())
    }

    /// Whether the connection has served long enough, because others wait.
    pub(crate) fn is_to_go(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.is_to_go())
    }

    pub(crate) fn is_seat(&self) -> bool {
        self.seat.load(Ordering::Relaxed)
    }

    pub(crate) fn was_evicted(&self) -> bool {
        self.evicted.load(Ordering::Relaxed)
    }
}

/// An idle connection, or a seat on one: its task waits at the other end.
pub(crate) struct Idle {
    pub(super) key: Arc<RouteKey>,
    pub(super) job: oneshot::Sender<Job>,
    /// Errs when the socket is closed.
    pub(super) ended: watch::Receiver<()>,
    pub(super) place: Arc<Place>,
}

/// Which connections will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Any,
    /// A connection opened after earlier ones were lost in good order.
    OpenedAfter(tokio::time::Instant),
    /// One of the caller's own.
    Slot,
}

pub(super) struct Waiter {
    pub(super) key: Arc<RouteKey>,
    pub(super) wanted: Wanted,
    /// The idle connection that was told to close for this one; errs when it has.
    pub(super) evicted: Option<watch::Receiver<()>>,
    pub(super) grant: oneshot::Sender<Result<Acquired>>,
}

impl Waiter {
    fn takes(&self, idle: &Idle) -> bool {
        let fits = match self.wanted {
            Wanted::Any => true,
            Wanted::OpenedAfter(at) => idle.place.opened > at,
            Wanted::Slot => false,
        };
        fits && idle.key == self.key
    }
}

pub(super) enum Found {
    Idle(Idle),
    Slot(Option<fleet::Lease>),
}

impl PoolState {
    pub(super) fn put(&mut self, idle: Idle) {
        match idle.place.is_seat() {
            true => self.seats.push_back(idle),
            false => self.idle.push(idle),
        }
    }

    pub(super) fn take(&mut self, place: &Arc<Place>) -> Option<Idle> {
        let this = |idle: &Idle| Arc::ptr_eq(&idle.place, place);
        if let Some(at) = self.idle.iter().position(this) {
            return Some(self.idle.remove(at));
        }
        let at = self.seats.iter().position(this)?;
        self.seats.remove(at)
    }

    pub(super) fn next_grant(
        &mut self,
        now: tokio::time::Instant,
    ) -> Option<(oneshot::Sender<Result<Acquired>>, Found)> {
        // A task whose runtime went away closed its end.
        self.idle.retain(|idle| !idle.job.is_closed());
        self.seats.retain(|seat| !seat.job.is_closed());
        let mut first = true;
        let mut at = 0;
        while at < self.waiting.len().min(LOOK_AHEAD) {
            if self.waiting[at].grant.is_closed() {
                self.waiting.remove(at);
                continue;
            }
            let found = self.find(at, first, now);
            if let Some(found) = found
                && let Some(waiter) = self.waiting.remove(at)
            {
                return Some((waiter.grant, found));
            }
            // Slots go in order: only what the first cannot use is for the others.
            first = false;
            at += 1;
        }
        None
    }

    pub(super) fn wanted(&self, now: tokio::time::Instant) -> Option<usize> {
        let mut waiting = self.waiting.iter().filter(|waiter| !waiter.grant.is_closed()).peekable();
        let first = waiting.peek()?;
        let cap = first.key.settings.max_connections;
        let own = self.limits.connections(now, cap);
        let room = own.map_or(MOST_AT_ONCE, |own| own.saturating_sub(self.open)).min(MOST_AT_ONCE);
        let wanted = waiting.count().min(room);
        (wanted > 0).then_some(wanted)
    }

    pub(super) fn evict_lost(&mut self) {
        for idle in self.idle.extract_if(.., |idle| idle.place.is_lost()) {
            drop(idle.evict());
        }
        let kept = std::mem::take(&mut self.seats).into_iter();
        let (lost, kept): (Vec<_>, VecDeque<_>) = {
            let (lost, kept): (Vec<_>, Vec<_>) = kept.partition(|seat| seat.place.is_lost());
            (lost, kept.into())
        };
        self.seats = kept;
        for seat in lost {
            drop(seat.evict());
        }
    }

    fn find(&mut self, at: usize, may_open: bool, now: tokio::time::Instant) -> Option<Found> {
        let waiter = &self.waiting[at];
        if let Some(at) = self.idle.iter().rposition(|idle| waiter.takes(idle)) {
            return Some(Found::Idle(self.idle.remove(at)));
        }
        // A seat is a round trip away, a new connection seven: one more is opened when the seats are taken.
        if let Some(at) = self.seats.iter().position(|seat| waiter.takes(seat))
            && let Some(seat) = self.seats.remove(at)
        {
            return Some(Found::Idle(seat));
        }
        if !may_open {
            return None;
        }
        let cap = waiter.key.settings.max_connections;
        let cap = self.limits.connections(now, cap);
        if cap.is_none_or(|cap| self.open < cap) {
            let lease = match &self.fleet {
                None => None,
                Some(fleet) if self.spare.is_empty() && self.open == 0 && fleet.is_away() => {
                    Some(fleet.lease_alone())
                }
                // Without one the fleet's next beat asks for it.
                Some(_) => Some(self.spare.pop()?),
            };
            self.open += 1;
            return Some(Found::Slot(lease));
        }
        let closing = waiter.evicted.as_ref().is_some_and(|ended| ended.has_changed().is_ok());
        if !closing {
            // Those idle for longest close, as many as are too many; slots come back with their sockets' ends.
            let too_many = (self.open + 1).saturating_sub(cap.unwrap_or(usize::MAX));
            for idle in self.idle.drain(..too_many.min(self.idle.len())) {
                self.waiting[at].evicted = Some(idle.evict());
            }
        }
        None
    }
}

impl Idle {
    /// Tells the connection to close; what comes back errs when it has.
    pub(super) fn evict(self) -> watch::Receiver<()> {
        self.place.evicted.store(true, Ordering::Relaxed);
        self.ended
    }

    /// Hands a job to the connection; false if the connection is gone.
    pub(crate) fn hand(self, job: Job) -> bool {
        self.job.send(job).is_ok()
    }
}

/// New connections asked for at once.
const MOST_AT_ONCE: usize = 8;
/// How many waiters are looked at for what the first cannot use.
const LOOK_AHEAD: usize = 16;
