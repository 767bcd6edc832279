//! A mailbox's limits, kept by all processes and hosts that send from it, on one Redis server.
//!
//! A connection is a lease of the server's. A process takes it ahead, renews it at every beat, and loses it if it stands
//! still for too long. If there is no room, the process waits in line, and those who hold more than they use give way.
//! While Redis is away, each process keeps what it holds and opens one connection at most.

mod lease;
mod scripts;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant, SystemTime};

use redis::Value;
use ring::digest::{SHA256, digest};
use tokio::runtime::Handle;
use tokio::sync::Notify;

pub(crate) use self::lease::{Lease, LeaseState};
use crate::crypto::random;
use crate::error::{Error, Result};
use crate::event::{Event, EventSink};
use crate::net::redis::{RedisLink, RedisTrouble};
use crate::sync::lock;

/// One mailbox's part in its fleet.
pub(crate) struct Fleet {
    link: Arc<RedisLink>,
    keys: Keys,
    /// This process, to the others.
    process: String,
    next: AtomicU64,
    /// Something is wanted, or was given back.
    wake: Notify,
    away: Arc<AtomicBool>,
    state: Mutex<FleetState>,
}

/// The names of what is kept; the braces keep them together in a cluster.
struct Keys {
    slots: String,
    waiting: String,
    processes: String,
    turns: String,
    /// There while slots that ran out may still be somebody's.
    quiet: String,
}

#[derive(Default)]
struct FleetState {
    held: HashMap<String, Arc<LeaseState>>,
    /// Slots that Redis is to be told of, and since when: their leases run out by themselves.
    given_back: Vec<(String, Instant)>,
    /// A task is giving slots back.
    giving_back: bool,
    /// Connections that all processes may have, as our waiters said last.
    cap: Option<usize>,
    /// Since when we wait, by the server's clock; 0: we do not.
    since: u64,
    /// How many processes there were when last heard of.
    processes: u32,
    /// Why Redis was not heard last time.
    trouble: String,
    /// The outage was told.
    told: bool,
}

/// The connections of this process for whose limits a fleet is asked.
pub(crate) trait Member: Send + Sync + 'static {
    /// How many more connections its callers wait for, if any do.
    fn wanted(&self) -> Option<usize>;
    /// Takes leases that were granted, and gives out what can be given out now.
    fn take_leases(self: &Arc<Self>, leases: Vec<Lease>);
    /// Closes an idle connection, since others wait.
    fn evict_one(&self);
    /// Closes connections whose leases are lost.
    fn evict_lost(&self);
    /// Tells those who wait that it cannot be.
    fn refuse(&self, error: &Error);
}

/// A turn to send.
pub(crate) enum SharedTurn {
    /// After this wait; the mark gives it back.
    After(Duration, String),
    /// The turn would come only after this wait.
    TooLate(Duration),
    /// Redis is away: as many a minute are ours.
    Alone(u32),
}

impl Fleet {
    /// For the mailbox that `name` says.
    pub(crate) fn new(link: Arc<RedisLink>, name: &str) -> Result<Arc<Self>> {
        let hash = digest(&SHA256, name.as_bytes());
        let tag: String = hash.as_ref().iter().take(12).map(|octet| format!("{octet:02x}")).collect();
        let key = |what: &str| format!("mailbearer:{{{tag}}}:{what}");
        Ok(Arc::new(Self {
            link,
            keys: Keys {
                slots: key("slots"),
                waiting: key("waiting"),
                processes: key("processes"),
                turns: key("turns"),
                quiet: key("quiet"),
            },
            process: random::hex()?,
            next: AtomicU64::new(0),
            wake: Notify::new(),
            away: Arc::default(),
            state: Mutex::default(),
        }))
    }

    /// Starts its task, which runs until the member is gone.
    pub(crate) fn serve<M: Member>(self: &Arc<Self>, member: &Arc<M>, runtime: &Handle) {
        runtime.spawn(self.clone().run(Arc::downgrade(member)));
    }

    /// Somebody asks for a connection, of which all processes may have `cap`.
    pub(crate) fn note_cap(&self, cap: Option<usize>) {
        self.lock().cap = cap;
    }

    /// Waits until what is not used any more was given back, but not for long: the process may be about to end.
    pub(crate) async fn await_given_back(&self) {
        for _ in 0..SETTLING {
            // A slot comes back a moment after its connection's end was seen.
            tokio::time::sleep(Duration::from_millis(10)).await;
            let state = self.lock();
            if (state.given_back.is_empty() && !state.giving_back) || self.is_away() {
                return;
            }
        }
    }

    /// Somebody waits, or the mailbox is gone.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(crate) fn is_away(&self) -> bool {
        self.away.load(Ordering::Acquire)
    }

    /// A connection while Redis is away: it is registered when that is over, or makes way.
    pub(crate) fn lease_alone(self: &Arc<Self>) -> Lease {
        let id = self.new_id();
        self.hold(id, (Instant::now(), SystemTime::now()))
    }

    /// The next turn of the mailbox, if it comes within `longest`. Waits shortly for a server that has just
    /// gone away.
    ///
    /// # Errors
    /// `config_invalid` if the server refuses us.
    pub(crate) async fn turn(&self, a_minute: u32, longest: Duration) -> Result<SharedTurn> {
        let mut call = scripts::TURN.prepare_invoke();
        call.key(&self.keys.turns).key(&self.keys.processes);
        call.arg(a_minute).arg(longest.as_millis() as u64).arg(&self.process).arg(LEASE_MS);
        // Until it answers, or its absence is certain.
        loop {
            if self.is_away() {
                // Whether it is back is looked at by our task alone: no message waits for that.
                let processes = self.lock().processes.max(1);
                return Ok(SharedTurn::Alone((a_minute / processes).max(1)));
            }
            let trouble = match self.link.run::<(u8, u64, String, u32)>(&call).await {
                Ok((there, wait, mark, processes)) => {
                    self.lock().processes = processes;
                    let wait = Duration::from_millis(wait);
                    return Ok(if there == 1 {
                        SharedTurn::After(wait, mark)
                    } else {
                        SharedTurn::TooLate(wait)
                    });
                }
                Err(trouble) => trouble,
            };
            self.check(&trouble)?;
            if self.is_certain() {
                self.lock().trouble = trouble.words().to_owned();
                self.away.store(true, Ordering::Release);
                self.wake();
                continue;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// A turn that is not used.
    pub(crate) async fn skip_turn(&self, mark: &str) {
        let mut call = scripts::SKIP_TURN.prepare_invoke();
        call.key(&self.keys.turns).arg(mark);
        // If it cannot be told, the turn is wasted and nothing worse.
        let _: Result<Value, RedisTrouble> = self.link.run(&call).await;
    }

    /// Tells once an outage that the limits are kept by each process for itself.
    pub(crate) fn tell_if_away(&self, events: &EventSink) {
        if !self.is_away() || std::mem::replace(&mut self.lock().told, true) {
            return;
        }
        let place = self.link.place();
        let (processes, trouble) = {
            let state = self.lock();
            (state.processes.max(1), state.trouble.clone())
        };
        events.emit(|| {
            Event::new("warning").with("code", "limits_shared").with(
                "message",
                format!(
                    "Redis at {place} cannot be used ({trouble}): until it can, this process keeps the connections it has, \
                     opens none beside one of its own, and sends a share of 1/{processes} of the messages a minute"
                ),
            )
        });
    }

    /// # Errors
    /// `config_invalid` for a server that never took us.
    fn check(&self, trouble: &RedisTrouble) -> Result<()> {
        match trouble {
            RedisTrouble::Refused(words) if !self.link.is_known() => {
                let text = format!("`limits.shared`: Redis at {}: {words}", self.link.place());
                Err(Error::config("limits.shared", text)
                    .with_hint("Check the URL's user, password and database, and tls.roots for rediss://."))
            }
            _ => Ok(()),
        }
    }

    async fn run<M: Member>(self: Arc<Self>, member: Weak<M>) {
        // As long as somebody has the member.
        loop {
            let Some(of) = member.upgrade() else { return };
            self.return_slots().await;
            let wanted = of.wanted();
            let pause = if wanted.is_some() || self.has_something_to_tell() {
                self.beat(&of, wanted.unwrap_or(0)).await;
                Some(if wanted.is_some() { RETRY.mul_f64(0.5 + random::unit()) } else { BEAT })
            } else {
                None
            };
            drop(of);
            let woken = self.wake.notified();
            match pause {
                None => woken.await,
                // Woken or not: the next beat comes soon.
                Some(pause) => drop(tokio::time::timeout(pause, woken).await),
            }
        }
    }

    async fn beat<M: Member>(self: &Arc<Self>, member: &Arc<M>, wanted: usize) {
        let new: Vec<String> = (0..wanted).map(|_| self.new_id()).collect();
        let (held, since, cap) = {
            let state = self.lock();
            (state.held.values().cloned().collect::<Vec<_>>(), state.since, state.cap)
        };
        let asked = (Instant::now(), SystemTime::now());
        let mut call = scripts::BEAT.prepare_invoke();
        call.key(&self.keys.slots).key(&self.keys.waiting).key(&self.keys.processes).key(&self.keys.quiet);
        call.arg(&self.process).arg(cap.unwrap_or(0)).arg(LEASE_MS).arg(WAITER_MS);
        call.arg(wanted).arg(since).arg(held.len());
        for one in &held {
            call.arg(&one.id);
        }
        for id in &new {
            call.arg(id);
        }
        match self.link.run::<Vec<String>>(&call).await {
            Ok(answer) => self.take_answer(member, &answer, &held, new, asked),
            Err(trouble) => {
                // The script may have run although nothing was heard of it.
                self.lock().given_back.extend(new.into_iter().map(|id| (id, asked.0)));
                self.note_silence(member, &trouble);
            }
        }
    }

    fn take_answer<M: Member>(
        self: &Arc<Self>,
        member: &Arc<M>,
        answer: &[String],
        held: &[Arc<LeaseState>],
        new: Vec<String>,
        asked: (Instant, SystemTime),
    ) {
        let number = |at: usize| answer.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
        let (taken, others) = (number(0) as usize, number(1));
        let lost = answer.get(4..).unwrap_or_default();
        for one in held {
            match lost.contains(&one.id) {
                true => one.lose(),
                false => one.renewed(asked),
            }
            one.want(others > 0);
        }
        {
            let mut state = self.lock();
            state.processes = u32::try_from(number(2)).unwrap_or(u32::MAX);
            state.since = number(3);
            state.told = false;
        }
        self.away.store(false, Ordering::Release);
        if !lost.is_empty() {
            member.evict_lost();
        }
        let short = taken < new.len();
        let leases = new.into_iter().take(taken).map(|id| self.hold(id, asked)).collect();
        member.take_leases(leases);
        // One at a time: the next beat looks again. Our own waiters cannot use what is idle here.
        if others > 0 || short {
            member.evict_one();
        }
    }

    fn note_silence<M: Member>(&self, member: &Arc<M>, trouble: &RedisTrouble) {
        if let Err(error) = self.check(trouble) {
            return member.refuse(&error);
        }
        if self.is_certain() {
            self.lock().trouble = trouble.words().to_owned();
            self.away.store(true, Ordering::Release);
            // One of our own may be opened now; an idle one that nobody can use makes way for it.
            member.take_leases(Vec::new());
            if member.wanted().is_some() {
                member.evict_one();
            }
        }
    }

    /// Whether Redis has been away for longer than a restart takes.
    fn is_certain(&self) -> bool {
        self.link.down_for().is_some_and(|down| down >= PATIENCE)
    }

    fn hold(self: &Arc<Self>, id: String, asked: (Instant, SystemTime)) -> Lease {
        let state = Arc::new(LeaseState::new(id.clone(), self.away.clone(), asked));
        self.lock().held.insert(id, state.clone());
        self.wake();
        Lease { fleet: self.clone(), state }
    }

    fn give_back(&self, id: &str) {
        let mut state = self.lock();
        if state.held.remove(id).is_some() {
            state.given_back.push((id.to_owned(), Instant::now()));
        }
        drop(state);
        self.wake();
    }

    async fn return_slots(&self) {
        // Each turn tells Redis of so many, or ends.
        loop {
            let batch = {
                let mut state = self.lock();
                let now = Instant::now();
                // What ran out by itself before it could be told does no harm.
                state.given_back.retain(|(_, since)| now.saturating_duration_since(*since) < LEASE);
                let many = state.given_back.len().min(AT_ONCE);
                state.giving_back = many > 0;
                state.given_back.drain(..many).collect::<Vec<_>>()
            };
            if batch.is_empty() {
                return;
            }
            let mut call = scripts::GIVE_BACK.prepare_invoke();
            call.key(&self.keys.slots);
            for (id, _) in &batch {
                call.arg(id);
            }
            let told: Result<Value, RedisTrouble> = self.link.run(&call).await;
            let mut state = self.lock();
            if told.is_err() {
                state.giving_back = false;
                state.given_back.extend(batch);
                return;
            }
        }
    }

    fn has_something_to_tell(&self) -> bool {
        let state = self.lock();
        !state.held.is_empty() || state.since != 0 || self.is_away()
    }

    fn new_id(&self) -> String {
        format!("{}:{}", self.process, self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn lock(&self) -> MutexGuard<'_, FleetState> {
        lock(&self.state)
    }
}

/// What a slot is taken for, in milliseconds.
const LEASE_MS: u64 = 30_000;
/// How long a waiter counts as one after it last asked.
const WAITER_MS: u64 = 3_000;
/// Between two renewals, and between two looks at who waits.
const BEAT: Duration = Duration::from_millis(500);
/// Between two questions of one who waits.
const RETRY: Duration = Duration::from_millis(100);
/// As a time.
const LEASE: Duration = Duration::from_millis(LEASE_MS);
/// Slots that one script gives back.
const AT_ONCE: usize = 200;
/// Looks at whether all is given back, ten milliseconds apart.
const SETTLING: u32 = 100;
/// How long a server may be silent before each process goes on alone: a restart is no outage.
const PATIENCE: Duration = Duration::from_secs(3);
