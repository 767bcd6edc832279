//! Connections, counted per host, port and mailbox, process-wide.
//!
//! The cap is real: a slot is held from before the first packet until the socket is closed. Callers queue
//! in order. Locks are held for moments only, never across an await.

pub(crate) mod limits;
mod member;
mod pauses;
mod pools;
mod queue;
mod reservation;
mod route_key;
mod server_facts;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use tokio::sync::{oneshot, watch};

pub(crate) use self::pools::pools;
use self::queue::{Found, PoolState, Waiter};
pub(crate) use self::queue::{Idle, Place, Wanted};
pub(crate) use self::route_key::{Cap, RouteKey};
pub(crate) use self::server_facts::ServerFacts;
use super::bounds::Bounds;
use super::fleet::{self, Fleet, Member};
use super::job::Job;
use crate::blocking;
use crate::call::Cancel;
use crate::error::{Error, ErrorCode, Result};
use crate::event::EventSink;
use crate::metrics::PoolNumbers;
use crate::net::redis::RedisLink;
use crate::sync::lock;

/// The connections of one mailbox at one server.
#[derive(Default)]
pub(crate) struct Pool {
    state: Mutex<PoolState>,
    /// The limits are kept together with other processes.
    fleet: Option<Arc<Fleet>>,
}

/// What a caller gets for waiting.
pub(crate) enum Acquired {
    /// A connection that is there; dropping it closes it.
    Idle(Idle),
    /// The right to open one.
    Slot(Slot),
}

/// The right to one connection, given back on drop.
pub(crate) struct Slot {
    pool: Arc<Pool>,
    held: bool,
    /// The connection's place among those of all processes.
    lease: Option<fleet::Lease>,
}

impl Pool {
    pub(super) fn of_fleet(link: Arc<RedisLink>, cap: &Cap) -> Result<Arc<Self>> {
        let name = format!("{}\n{}\n{}", cap.host, cap.port, cap.mailbox.to_lowercase());
        let runtime = blocking::handle()?;
        let fleet = Fleet::new(link, &name)?;
        let state = Mutex::new(PoolState { fleet: Some(fleet.clone()), ..PoolState::default() });
        let made = Arc::new(Self { state, fleet: Some(fleet.clone()) });
        fleet.serve(&made, &runtime);
        Ok(made)
    }

    /// Waits for a connection of `key` that will do, a seat on one, or a slot; `again`: ahead of the others.
    ///
    /// # Errors
    /// `throttled` if the deadline passes first, `cancelled`.
    pub(crate) async fn acquire(
        self: &Arc<Self>,
        key: &Arc<RouteKey>,
        wanted: Wanted,
        again: bool,
        bounds: Bounds<'_>,
    ) -> Result<Acquired> {
        if let Some(fleet) = &self.fleet {
            fleet.note_cap(key.settings.max_connections);
        }
        let (grant, mut granted) = oneshot::channel();
        let waiter = Waiter { key: key.clone(), wanted, evicted: None, grant };
        match again {
            true => lock(&self.state).waiting.push_front(waiter),
            false => lock(&self.state).waiting.push_back(waiter),
        }
        self.serve();
        tokio::select! {
            biased;
            lease = &mut granted => {
                lease.unwrap_or_else(|_| Err(Error::new(ErrorCode::Internal, "the queue forgot a caller")))
            }
            () = bounds.cancel.cancelled() => Err(Cancel::error()),
            () = tokio::time::sleep_until(bounds.deadline) => Err(Error::new(
                ErrorCode::Throttled,
                format!(
                    "all connections to {} for this mailbox were in use{} until the call's time was up",
                    key.settings.host,
                    if self.fleet.is_some() { ", here or in other processes," } else { "" }
                ),
            )),
        }
    }

    /// Offers a connection, or a seat on it; its task waits for what comes out of the receiver.
    pub(crate) fn offer(
        self: &Arc<Self>,
        key: Arc<RouteKey>,
        ended: watch::Receiver<()>,
        place: Arc<Place>,
        seat: bool,
    ) -> oneshot::Receiver<Job> {
        let (job, receiver) = oneshot::channel();
        place.seat.store(seat, Ordering::Relaxed);
        place.evicted.store(false, Ordering::Relaxed);
        self.put_back(Idle { key, job, ended, place });
        receiver
    }

    /// A connection that offers a seat became idle, or the other way round. A lease of it stays good.
    pub(crate) fn moved(self: &Arc<Self>, place: &Arc<Place>, seat: bool) {
        place.seat.store(seat, Ordering::Relaxed);
        let found = lock(&self.state).take(place);
        if let Some(idle) = found {
            self.put_back(idle);
        }
    }

    /// Takes an offer back; false if somebody was given it already.
    pub(crate) fn withdraw(&self, place: &Arc<Place>) -> bool {
        lock(&self.state).take(place).is_some()
    }

    /// Offers what was taken and not used.
    pub(crate) fn put_back(self: &Arc<Self>, idle: Idle) {
        lock(&self.state).put(idle);
        self.serve();
    }

    /// Tells the idle connections of this route to close. What comes back errs as each is closed.
    pub(crate) fn close_idle(&self, key: &RouteKey) -> Vec<watch::Receiver<()>> {
        let idle = &mut lock(&self.state).idle;
        let these = idle.extract_if(.., |idle| idle.key.is_same_route(key));
        these.map(Idle::evict).collect()
    }

    /// Waits shortly until what the mailbox does not use any more was given back to the other processes.
    pub(crate) async fn await_given_back(&self) {
        if let Some(fleet) = &self.fleet {
            fleet.await_given_back().await;
        }
    }

    /// Tells, once, an outage of what keeps the limits together.
    pub(crate) fn tell_if_away(&self, events: &EventSink) {
        if let Some(fleet) = &self.fleet {
            fleet.tell_if_away(events);
        }
    }

    pub(crate) fn count_recipients(&self, accepted: usize) {
        lock(&self.state).limits.count_recipients(hour(), accepted);
    }

    pub(crate) fn numbers(&self) -> PoolNumbers {
        let now = tokio::time::Instant::now();
        let mut state = lock(&self.state);
        let paused = state.limits.pause_left(now).map(|(left, _)| left);
        PoolNumbers {
            open: state.open,
            idle: state.idle.len(),
            waiting: state.waiting.len(),
            messages_last_minute: state.limits.last_minute(now),
            recipients_last_day: state.limits.recipients_of_a_day(hour()),
            paused: paused.max(state.breaker.remaining(now.into_std())),
        }
    }

    /// Gives out what there is, and has the fleet asked for what is wanted beside it.
    fn serve(self: &Arc<Self>) {
        self.give_out();
        if let Some(fleet) = &self.fleet
            && self.wanted().is_some()
        {
            fleet.wake();
        }
    }

    /// Gives what there is to whoever waits longest, and what those cannot use to the next ones.
    fn give_out(self: &Arc<Self>) {
        // Each turn takes one waiter from the queue, or ends.
        loop {
            let Some((grant, found)) = lock(&self.state).next_grant(tokio::time::Instant::now()) else {
                return;
            };
            let lease = match found {
                Found::Idle(idle) => Acquired::Idle(idle),
                Found::Slot(lease) => Acquired::Slot(Slot { pool: self.clone(), held: true, lease }),
            };
            // Whoever waited went away in this moment. Given back without another round: this is the round.
            match grant.send(Ok(lease)) {
                Ok(()) | Err(Err(_)) => {}
                Err(Ok(Acquired::Idle(idle))) => lock(&self.state).put(idle),
                Err(Ok(Acquired::Slot(mut slot))) => {
                    slot.held = false;
                    lock(&self.state).open -= 1;
                }
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Some(fleet) = &self.fleet {
            fleet.wake();
        }
    }
}

impl Slot {
    /// The pool it belongs to.
    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// How its lease among all processes stands, if it needs one.
    pub(crate) fn lease_state(&self) -> Option<Arc<fleet::LeaseState>> {
        self.lease.as_ref().map(|lease| lease.state().clone())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // Before anybody asks for another.
        self.lease = None;
        if self.held {
            lock(&self.pool.state).open -= 1;
            self.pool.serve();
        }
    }
}

fn hour() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |age| age.as_secs() / 3600)
}
