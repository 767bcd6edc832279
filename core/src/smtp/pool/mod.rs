//! Connections, counted per host, port and mailbox, process-wide.
//!
//! The cap is real: a slot is held from before the first packet until the socket is closed. Callers queue
//! in order. Locks are held for moments only, never across an await.

pub(crate) mod limits;
mod queue;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use self::queue::{Found, State, Waiter};
pub(crate) use self::queue::{Idle, Place, Wanted};
use super::fleet::{self, Fleet};
use super::protocol::auth::Refusal;
use super::protocol::refusal::Peer;
use super::session::job::Job;
use super::session::wire::Bounds;
use crate::blocking;
use crate::call::Cancel;
use crate::config::SmtpSettings;
use crate::error::{Error, ErrorCode, Result};
use crate::event::{Event, EventSink};
use crate::fork::ForkCell;
use crate::metrics::{self, PoolNumbers};
use crate::net::redis::{self, Link};
use crate::net::server_url::ServerUrl;
use crate::net::tls::Roots;
use crate::sync::lock;
use crate::token::Identity;

/// The pools of this process.
#[derive(Default)]
pub(crate) struct Pools {
    mailboxes: Mutex<HashMap<Cap, Arc<Mailbox>>>,
    hosts: Mutex<HashMap<(String, u16), Arc<Host>>>,
}

/// What this process has learned about a server.
#[derive(Default)]
pub(crate) struct Host {
    /// The server refused an AUTH line with the response on it.
    two_step: AtomicBool,
    /// The server cannot follow when commands run ahead.
    in_groups: AtomicBool,
}

impl Host {
    /// Whether this host refused a response on the AUTH line before.
    pub(crate) fn is_two_step(&self) -> bool {
        self.two_step.load(Ordering::Relaxed)
    }

    /// This host refused a response on the AUTH line.
    pub(crate) fn remember_two_step(&self) {
        self.two_step.store(true, Ordering::Relaxed);
    }

    /// Whether nothing may run ahead of its reply.
    pub(crate) fn in_groups_only(&self) -> bool {
        self.in_groups.load(Ordering::Relaxed)
    }

    /// From now on nothing may; true the first time.
    pub(crate) fn fall_back_to_groups(&self) -> bool {
        !self.in_groups.swap(true, Ordering::Relaxed)
    }
}

/// Everything that made a connection: only an equal one is reused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) settings: Arc<SmtpSettings>,
    pub(crate) roots: Roots,
    pub(crate) username: Option<String>,
    pub(crate) tokens: Identity,
    /// A connection lives on the runtime that opened it, and may be stuck there with it.
    pub(crate) runtime: tokio::runtime::Id,
}

impl Key {
    /// Equal but for the runtime.
    fn is_same_route(&self, other: &Self) -> bool {
        (&self.settings, &self.roots, &self.username, &self.tokens)
            == (&other.settings, &other.roots, &other.username, &other.tokens)
    }
}

/// What connections are counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cap {
    host: String,
    port: u16,
    /// The username; the token source where it is not known.
    mailbox: String,
    /// Where the limits are kept together with other processes.
    shared: Option<ServerUrl>,
}

impl Cap {
    /// The labels that people see.
    fn name(&self) -> metrics::MailboxLabel {
        let mailbox = if self.mailbox.starts_with('\n') { "" } else { &self.mailbox };
        metrics::MailboxLabel::new(&self.host, self.port, mailbox)
    }

    pub(crate) fn of(settings: &SmtpSettings, username: Option<&str>, tokens: &Identity) -> Self {
        Self {
            host: settings.host.to_ascii_lowercase(),
            port: settings.port,
            mailbox: username.map_or_else(|| format!("\n{}", tokens.source), str::to_owned),
            shared: settings.shared.clone(),
        }
    }
}

/// This process's pools.
pub(crate) fn pools() -> &'static Pools {
    static CELL: ForkCell<Pools> = ForkCell::new();
    CELL.get(|_| Pools::default())
}

impl Pools {
    /// What was used already.
    pub(crate) fn known(&self, cap: &Cap) -> Option<Arc<Mailbox>> {
        lock(&self.mailboxes).get(cap).cloned()
    }

    /// The counted connections that `key` falls under.
    ///
    /// # Errors
    /// `closed` or `internal` if the task that keeps limits together with others cannot run.
    pub(crate) fn mailbox(&self, key: &Key) -> Result<Arc<Mailbox>> {
        let cap = Cap::of(&key.settings, key.username.as_deref(), &key.tokens);
        let mut mailboxes = lock(&self.mailboxes);
        if mailboxes.len() >= MANY && !mailboxes.contains_key(&cap) {
            mailboxes.retain(|_, mailbox| Arc::strong_count(mailbox) > 1 || mailbox.is_paused());
        }
        if let Some(known) = mailboxes.get(&cap) {
            return Ok(known.clone());
        }
        let made = match &cap.shared {
            None => Arc::default(),
            Some(url) => Mailbox::of_fleet(redis::link(url, &key.roots)?, &cap)?,
        };
        Ok(mailboxes.entry(cap).or_insert(made).clone())
    }

    /// How all mailboxes stand.
    pub(crate) fn numbers(&self) -> Vec<(metrics::MailboxLabel, PoolNumbers)> {
        let all: Vec<_> =
            lock(&self.mailboxes).iter().map(|(cap, mailbox)| (cap.name(), mailbox.clone())).collect();
        let mut all: Vec<_> = all.into_iter().map(|(name, mailbox)| (name, mailbox.numbers())).collect();
        all.sort_by(|(a, _), (b, _)| (&a.server, &a.mailbox).cmp(&(&b.server, &b.mailbox)));
        // Those whose name is not known stand together.
        all.dedup_by(|(after, more), (before, numbers)| {
            let same = after == before;
            if same {
                numbers.add(more);
            }
            same
        });
        all
    }

    /// What is known of this server.
    pub(crate) fn host(&self, host: &str, port: u16) -> Arc<Host> {
        lock(&self.hosts).entry((host.to_ascii_lowercase(), port)).or_default().clone()
    }
}

/// The connections of one mailbox at one server.
#[derive(Default)]
pub(crate) struct Mailbox {
    state: Mutex<State>,
    /// The limits are kept together with other processes.
    fleet: Option<Arc<Fleet>>,
}

/// What a caller gets for waiting.
pub(crate) enum Lease {
    /// A connection that is there; dropping it closes it.
    Idle(Idle),
    /// The right to open one.
    Slot(Slot),
}

/// The right to one connection, given back on drop.
pub(crate) struct Slot {
    mailbox: Arc<Mailbox>,
    held: bool,
    /// The connection's place among those of all processes.
    lease: Option<fleet::Lease>,
}

impl Mailbox {
    fn of_fleet(link: Arc<Link>, cap: &Cap) -> Result<Arc<Self>> {
        let name = format!("{}\n{}\n{}", cap.host, cap.port, cap.mailbox.to_lowercase());
        let runtime = blocking::handle()?;
        let fleet = Fleet::new(link, &name)?;
        let state = Mutex::new(State { fleet: Some(fleet.clone()), ..State::default() });
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
        key: &Arc<Key>,
        wanted: Wanted,
        again: bool,
        bounds: Bounds<'_>,
    ) -> Result<Lease> {
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
        key: Arc<Key>,
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
    pub(crate) fn close_idle(&self, key: &Key) -> Vec<watch::Receiver<()>> {
        let idle = &mut lock(&self.state).idle;
        let these = idle.extract_if(.., |idle| idle.key.is_same_route(key));
        these.map(Idle::evict).collect()
    }

    /// # Errors
    /// `throttled` while the server pauses this mailbox.
    pub(crate) fn may_send(&self, peer: &Peer) -> Result<()> {
        let state = lock(&self.state);
        let Some((left, words)) = state.limits.pause_left(tokio::time::Instant::now()) else { return Ok(()) };
        let text =
            format!("{} pauses this mailbox because messages failed again and again: {words}", peer.host);
        Err(Error::new(ErrorCode::Throttled, text)
            .with_retry_after(Some(left))
            .with_hint("Stop sending from this mailbox, cure the cause, then wait: every further message makes the pause longer."))
    }

    /// Waits for the mailbox's turn, if only so many messages may go in a minute.
    ///
    /// # Errors
    /// `throttled` at once if the turn would come after the deadline; `cancelled`.
    pub(crate) async fn let_through(&self, key: &Key, bounds: Bounds<'_>, events: &EventSink) -> Result<()> {
        let Some(per_minute) = key.settings.messages_per_minute else { return Ok(()) };
        let now = tokio::time::Instant::now();
        let mut alone = per_minute;
        if let Some(fleet) = &self.fleet {
            let longest = bounds.deadline.saturating_duration_since(now);
            let asked = bounds.within(longest, "turn from Redis", fleet.turn(per_minute, longest)).await;
            fleet.tell_if_away(events);
            let now = tokio::time::Instant::now();
            match asked? {
                fleet::Turn::After(wait, mark) => {
                    // Remembered here too, for the case that Redis goes away.
                    lock(&self.state).limits.note(now, now + wait);
                    let turn = Turn { mailbox: self, at: Some(now + wait), mark: Some(mark) };
                    return turn.wait(wait, bounds, events).await;
                }
                fleet::Turn::TooLate(wait) => return Err(too_late(per_minute, wait)),
                fleet::Turn::Alone(share) => alone = share,
            }
        }
        let now = tokio::time::Instant::now();
        let at = lock(&self.state).limits.reserve(now, alone);
        let wait = at.saturating_duration_since(now);
        let turn = Turn { mailbox: self, at: Some(at), mark: None };
        if at >= bounds.deadline {
            return Err(too_late(alone, wait));
        }
        turn.wait(wait, bounds, events).await
    }

    /// Waits shortly until what the mailbox does not use any more was given back to the other processes.
    pub(crate) async fn settle(&self) {
        if let Some(fleet) = &self.fleet {
            fleet.settle().await;
        }
    }

    /// Tells, once, an outage of what keeps the limits together.
    pub(crate) fn tell_if_away(&self, events: &EventSink) {
        if let Some(fleet) = &self.fleet {
            fleet.tell_if_away(events);
        }
    }

    /// How many waiters a new connection would help, if any.
    pub(super) fn wanted(&self) -> Option<usize> {
        lock(&self.state).wanted()
    }

    /// Opens what these leases allow; those that nobody needs are given back.
    pub(super) fn lend(self: &Arc<Self>, leases: Vec<fleet::Lease>) {
        lock(&self.state).spare.extend(leases);
        self.give_out();
        // Dropped outside the lock.
        let _unused = std::mem::take(&mut lock(&self.state).spare);
    }

    /// Tells idle connections whose leases are lost to close.
    pub(super) fn evict_lost(&self) {
        lock(&self.state).evict_lost();
    }

    /// Tells the connection that was idle for longest to close, if there is one.
    pub(super) fn evict_one(&self) {
        let mut state = lock(&self.state);
        if !state.idle.is_empty() {
            // Its end is seen by its lease.
            drop(state.idle.remove(0).evict());
        }
    }

    /// Gives all who wait this error.
    pub(super) fn refuse(&self, error: &Error) {
        let waiting = std::mem::take(&mut lock(&self.state).waiting);
        for waiter in waiting {
            // Whoever went away needs no answer.
            let _ = waiter.grant.send(Err(error.clone()));
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

    /// Takes what a failure says about the mailbox to heart.
    pub(crate) fn learn(&self, error: &Error) {
        let Some(reply) = error.smtp() else { return };
        let now = tokio::time::Instant::now();
        let mut state = lock(&self.state);
        if reply.code == 432 {
            let open = state.open;
            state.limits.halve(now, open);
        }
        let continuous = |status: &str| {
            status
                .strip_prefix("5.2.")
                .and_then(|detail| detail.parse().ok())
                .is_some_and(|n: u16| (251..=255).contains(&n))
        };
        // The same numbers stand on single refusals with 554.
        if reply.code == 550 && reply.enhanced.as_deref().is_some_and(continuous) {
            state.limits.pause(now, reply.to_string());
        }
    }

    /// # Errors
    /// `auth_rejected` while the breaker is open.
    pub(crate) fn may_sign_in(&self, peer: &Peer) -> Result<()> {
        let Some(left) = lock(&self.state).breaker.remaining(Instant::now()) else { return Ok(()) };
        let seconds = left.as_secs() + 1;
        let message = format!(
            "{} refused the token several times in a row; mailbearer tries again in {seconds} s",
            peer.host
        );
        Err(Error::new(ErrorCode::AuthRejected, message).with_retry_after(Some(left)))
    }

    /// AUTH went well.
    pub(crate) fn signed_in(&self) {
        lock(&self.state).breaker.accepted();
    }

    /// Counts a refusal if it `counts` and is no passing one; says whether the breaker is open now.
    pub(crate) fn sign_in_refused(&self, refusal: &Refusal, counts: bool) -> bool {
        let breaker = &mut lock(&self.state).breaker;
        let now = Instant::now();
        if counts && refusal.is_permanent() {
            breaker.refused(now);
        }
        breaker.remaining(now).is_some()
    }

    fn is_paused(&self) -> bool {
        lock(&self.state).breaker.remaining(Instant::now()).is_some()
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
            let Some((grant, found)) = lock(&self.state).next_grant() else { return };
            let lease = match found {
                Found::Idle(idle) => Lease::Idle(idle),
                Found::Slot(lease) => Lease::Slot(Slot { mailbox: self.clone(), held: true, lease }),
            };
            // Whoever waited went away in this moment. Given back without another round: this is the round.
            match grant.send(Ok(lease)) {
                Ok(()) | Err(Err(_)) => {}
                Err(Ok(Lease::Idle(idle))) => lock(&self.state).put(idle),
                Err(Ok(Lease::Slot(mut slot))) => {
                    slot.held = false;
                    lock(&self.state).open -= 1;
                }
            }
        }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        if let Some(fleet) = &self.fleet {
            fleet.wake();
        }
    }
}

/// A turn that was promised; given back if its message does not go.
struct Turn<'a> {
    mailbox: &'a Mailbox,
    at: Option<tokio::time::Instant>,
    /// What the other processes know it by.
    mark: Option<String>,
}

impl Turn<'_> {
    async fn wait(mut self, wait: Duration, bounds: Bounds<'_>, events: &EventSink) -> Result<()> {
        if let Some(at) = self.at
            && !wait.is_zero()
        {
            events.emit(|| {
                Event::new("limit.waiting")
                    .with("limit", "messages_per_minute")
                    .with("delay", wait.as_secs_f64())
            });
            tokio::select! {
                biased;
                () = bounds.cancel.cancelled() => return Err(Cancel::error()),
                () = tokio::time::sleep_until(at) => {}
            }
        }
        self.at = None;
        Ok(())
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Some(at) = self.at else { return };
        lock(&self.mailbox.state).limits.give_back(at);
        if let (Some(fleet), Some(mark)) = (&self.mailbox.fleet, self.mark.take())
            && let Ok(runtime) = blocking::handle()
        {
            let fleet = fleet.clone();
            runtime.spawn(async move { fleet.skip_turn(&mark).await });
        }
    }
}

fn too_late(per_minute: u32, wait: Duration) -> Error {
    let text = format!(
        "{per_minute} messages a minute are allowed: the next one may go in {} s, later than the call may take",
        wait.as_secs() + 1
    );
    Error::new(ErrorCode::Throttled, text).with_retry_after(Some(wait)).with_hint(
        "Wait, give the call more time, or raise limits.messages_per_minute if the provider allows it.",
    )
}

impl Slot {
    /// The pool it belongs to.
    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// How its lease among all processes stands, if it needs one.
    pub(crate) fn standing(&self) -> Option<Arc<fleet::Standing>> {
        self.lease.as_ref().map(|lease| lease.standing().clone())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // Before anybody asks for another.
        self.lease = None;
        if self.held {
            lock(&self.mailbox.state).open -= 1;
            self.mailbox.serve();
        }
    }
}

fn hour() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |age| age.as_secs() / 3600)
}

/// Mailboxes remembered before unused ones are forgotten.
const MANY: usize = 1024;
