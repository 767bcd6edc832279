//! Time limits of a connection: callers' deadlines, the server's silence, idleness and age.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::{Connection, End, Wake};
use crate::error::{Error, ErrorCode};
use crate::smtp::job::InFlight;
use crate::smtp::protocol::pipeline::{Lost, Phase};

impl Connection {
    pub(super) fn look_at_the_clock(&mut self) -> Option<End> {
        let now = Instant::now();
        // The task comes round to it by having been woken.
        self.checked = now;
        if self.held.as_ref().is_some_and(|(_, flight)| flight.deadline <= now) {
            self.give_up(None, Lost::Deadline);
        }
        // From the terminator on only the server's answer counts.
        let late = |flight: &&InFlight| flight.deadline <= now && !self.pipeline.is_committed(flight.id);
        let late: Vec<u64> = self.flights.iter().filter(late).map(|flight| flight.id).collect();
        for id in late {
            self.pipeline.abandon(id, Lost::Deadline);
        }
        if self.pipeline.phase() == Phase::Idle {
            return self.idle_for_long(now);
        }
        if self.patience_ends() <= now {
            self.out_of_patience();
        }
        None
    }

    fn idle_for_long(&mut self, now: Instant) -> Option<End> {
        if now < self.idle_until() {
            return None;
        }
        if self.offer.is_some() && !self.slot.pool().withdraw(&self.place) {
            // Somebody has just been given it.
            self.patience = Patience::new(now);
            return None;
        }
        self.offer = None;
        Some(End::Quit(self.retired().unwrap_or("it was idle")))
    }

    fn out_of_patience(&mut self) {
        let why = match (self.write_error.take(), self.pipeline.phase()) {
            (Some(error), _) => Lost::Connection(error.to_string()),
            (None, Phase::Body) if self.pipeline.hungry().is_some() => return self.body_stands_still(),
            (None, Phase::Body) => Lost::TimedOut("progress with the message".into()),
            (None, Phase::Committed) => Lost::TimedOut("answer to the end of the message".into()),
            (None, _) => Lost::TimedOut(format!("reply to {}", self.pipeline.due().unwrap_or("a command"))),
        };
        self.pipeline.closed(why);
    }

    /// It is not the server that is waited for.
    fn body_stands_still(&mut self) {
        let Some(id) = self.pipeline.hungry() else { return };
        if let Some(flight) = self.flights.iter_mut().find(|flight| flight.id == id) {
            let text = "an attachment gave no octets in time, so nothing was delivered";
            let hint = "Check whether the writer of the stream stands still. To wait longer, raise smtp.timeouts.progress.";
            flight.failure = Some(Error::new(ErrorCode::TimedOut, text).with_hint(hint));
        }
        self.pipeline
            .abandon(id, Lost::Connection("closed within a message, which did not go on".to_owned()));
    }

    fn patience_ends(&self) -> Instant {
        let times = &self.key.settings.timeouts;
        let limit = match self.pipeline.phase() {
            _ if self.write_error.is_some() => times.command.min(LAST_WORDS),
            Phase::Body => times.progress,
            Phase::Committed => times.final_reply,
            Phase::Commands if self.pipeline.awaits_chained_reset() => times.command.min(RAN_AHEAD),
            _ => times.command,
        };
        self.patience.since + limit
    }

    fn idle_until(&self) -> Instant {
        let settings = &self.key.settings;
        let idle = settings.idle_timeout.map_or(FAR, |limit| limit);
        let old = settings.max_age.map_or(self.opened + FAR, |age| self.opened + age);
        old.min(self.patience.since + idle)
    }

    /// When the clock is to be looked at next.
    fn next_limit(&self) -> Instant {
        let limit = self.next_own_limit();
        // Nobody wakes a connection that stands still when others get its place.
        if self.place.is_leased() { limit.min(self.checked + LOOK) } else { limit }
    }

    fn next_own_limit(&self) -> Instant {
        if self.pipeline.phase() == Phase::Idle {
            return self.idle_until();
        }
        let waiting = self.held.iter().map(|(_, flight)| flight.deadline);
        let uncommitted = |flight: &&InFlight| !flight.course.committed.load(Ordering::Relaxed);
        let deadlines = self.flights.iter().filter(uncommitted).map(|flight| flight.deadline);
        deadlines.chain(waiting).fold(self.patience_ends(), Instant::min)
    }

    /// The timer may go off too early, never too late: setting it anew for each octet would cost more.
    pub(super) fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        let limit = self.next_limit();
        if limit < self.timer.deadline() {
            self.timer.as_mut().reset(limit);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if limit <= Instant::now() {
                return Poll::Ready(Wake::Timer);
            }
            self.timer.as_mut().reset(limit);
        }
        Poll::Pending
    }
}

/// How long there was no progress.
pub(super) struct Patience {
    since: Instant,
    mark: Mark,
}

/// Octets handed over, replies read, and whether writing failed: from then on we wait for last words.
pub(super) type Mark = ((u64, u64), bool);

impl Patience {
    pub(super) fn new(since: Instant) -> Self {
        Self { since, mark: ((0, 0), false) }
    }

    /// Octets of a reply that does not end are no progress.
    pub(super) fn moved(&mut self, mark: Mark) {
        if mark != self.mark {
            *self = Self { since: Instant::now(), mark };
        }
    }
}

/// After a write error, for what the server said before it closed.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// For the reply to a command that went together with the end of the message before, once that was answered.
const RAN_AHEAD: Duration = Duration::from_secs(4);
/// Between two looks at whether its place is still its own.
const LOOK: Duration = Duration::from_secs(1);
/// For limits that are none.
pub(super) const FAR: Duration = Duration::from_secs(86_400 * 365);
