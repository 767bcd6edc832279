//! What a mailbox may do for now: messages a minute, connections, and whether anything at all. Pure; the
//! clock comes in.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// One mailbox's restraints in this process.
#[derive(Debug, Default)]
pub(crate) struct MailboxLimits {
    /// When messages were, or will be, let through, in order: as many as a minute takes.
    let_through: VecDeque<Instant>,
    /// Fewer connections than allowed, until then.
    halved: Option<(usize, Instant)>,
    /// Nothing, until then, and the server's words.
    paused: Option<(Instant, String)>,
    /// Recipients by the hour, and the hour of the last ones.
    recipients: ([u64; DAY], u64),
}

impl MailboxLimits {
    /// When the next message may go, if at most `per_minute` do in any minute; it is counted from then on.
    pub(crate) fn reserve(&mut self, now: Instant, per_minute: u32) -> Instant {
        let many = per_minute as usize;
        self.forget(now);
        let last = self.let_through.back().copied().unwrap_or(now);
        let earliest = match self.let_through.len() < many {
            true => now,
            false => self.let_through[self.let_through.len() - many] + MINUTE,
        };
        // In order: who asks later does not overtake.
        let at = earliest.max(last).max(now);
        self.let_through.push_back(at);
        at
    }

    /// A message goes then, as somebody else decided.
    pub(crate) fn note(&mut self, now: Instant, at: Instant) {
        self.forget(now);
        self.let_through.push_back(at);
    }

    /// By age and not by number: a turn that is given back must not make room for one more.
    fn forget(&mut self, now: Instant) {
        while self.let_through.front().is_some_and(|at| *at + MINUTE <= now) {
            self.let_through.pop_front();
        }
    }

    /// Messages that were let through within a minute.
    pub(crate) fn last_minute(&self, now: Instant) -> usize {
        self.let_through.iter().filter(|at| **at <= now && now < **at + MINUTE).count()
    }

    /// A message that was to go then did not.
    pub(crate) fn give_back(&mut self, at: Instant) {
        if let Some(found) = self.let_through.iter().rposition(|one| *one == at) {
            self.let_through.remove(found);
        }
    }

    /// So many recipients were accepted in this hour (counted from any beginning).
    pub(crate) fn count_recipients(&mut self, hour: u64, accepted: usize) {
        self.turn_to(hour);
        self.recipients.0[hour as usize % DAY] += accepted as u64;
    }

    /// Recipients that were accepted in this hour and the 23 before it.
    pub(crate) fn recipients_of_a_day(&mut self, hour: u64) -> u64 {
        self.turn_to(hour);
        self.recipients.0.iter().sum()
    }

    fn turn_to(&mut self, hour: u64) {
        let (hours, last) = &mut self.recipients;
        let passed = hour.saturating_sub(*last).min(DAY as u64);
        for back in 0..passed {
            hours[(hour - back) as usize % DAY] = 0;
        }
        *last = hour.max(*last);
    }

    /// How many connections may be open, where `cap` are allowed.
    pub(crate) fn connections(&self, now: Instant, cap: Option<usize>) -> Option<usize> {
        match self.halved {
            Some((fewer, until)) if now < until => Some(cap.map_or(fewer, |cap| cap.min(fewer))),
            _ => cap,
        }
    }

    /// The server counts too many connections: half of the `open` ones must do for a minute.
    pub(crate) fn halve(&mut self, now: Instant, open: usize) {
        let before = self.halved.filter(|(_, until)| now < *until).map_or(open, |(fewer, _)| fewer.min(open));
        self.halved = Some(((before / 2).max(1), now + MINUTE));
    }

    /// The server pauses a mailbox that goes on after errors: nothing is sent for a while.
    pub(crate) fn pause(&mut self, now: Instant, words: String) {
        self.paused = Some((now + PAUSE, words));
    }

    /// Whether a limit would be broken if all this were forgotten now.
    pub(crate) fn matters(&self, now: Instant) -> bool {
        self.let_through.back().is_some_and(|at| now < *at + MINUTE)
            || self.halved.is_some_and(|(_, until)| now < until)
            || self.pause_left(now).is_some()
    }

    /// How long nothing may be sent, and the server's words.
    pub(crate) fn pause_left(&self, now: Instant) -> Option<(Duration, &str)> {
        let (until, words) = self.paused.as_ref()?;
        (now < *until).then(|| (*until - now, words.as_str()))
    }
}

/// Hours.
const DAY: usize = 24;
const MINUTE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_has_more_than_it_may_whenever_messages_come() {
        let start = Instant::now();
        let second = |n: u64| start + Duration::from_secs(n);
        // All at once; one a second; in bursts.
        for arrivals in
            [vec![0; 100], (0..100).collect(), (0..100).map(|n| n / 20 * 35).collect::<Vec<u64>>()]
        {
            let mut limits = MailboxLimits::default();
            let times: Vec<Instant> = arrivals.iter().map(|at| limits.reserve(second(*at), 30)).collect();
            for (at, time) in times.iter().enumerate() {
                assert!(*time >= second(arrivals[at]));
                let minute = times.iter().filter(|other| *other >= time && **other < *time + MINUTE).count();
                assert!(minute <= 30, "{minute} in a minute");
            }
            assert!(times.is_sorted());
            assert!(*times.last().unwrap() <= second(3 * 60 + arrivals.last().unwrap()));
        }
        let mut limits = MailboxLimits::default();
        let all: Vec<_> = (0..30).map(|_| limits.reserve(start, 30)).collect();
        assert!(all.iter().all(|at| *at == start), "a burst is not held up");
        let waiting: Vec<_> = (0..20).map(|_| limits.reserve(start, 30)).collect();
        assert!(waiting.iter().all(|at| *at == start + MINUTE));
        // Whoever gives up leaves no hole behind.
        for at in waiting {
            limits.give_back(at);
        }
        assert_eq!(limits.reserve(start, 30), start + MINUTE);
        limits.give_back(start + MINUTE);
        limits.give_back(start);
        assert_eq!(limits.reserve(start, 30), start);
    }

    #[test]
    fn recipients_are_forgotten_after_a_day() {
        let mut limits = MailboxLimits::default();
        let begin = 497_000;
        for hour in 0..30 {
            limits.count_recipients(begin + hour, 10);
            assert_eq!(limits.recipients_of_a_day(begin + hour), 10 * (hour + 1).min(24));
        }
        assert_eq!(limits.recipients_of_a_day(begin + 40), 130);
        // A clock that is set back counts on.
        limits.count_recipients(begin + 39, 1);
        assert_eq!(limits.recipients_of_a_day(begin + 39), 131);
        assert_eq!(limits.recipients_of_a_day(begin + 1000), 0);
    }

    #[test]
    fn connections_are_halved_for_a_minute_and_never_to_none() {
        let now = Instant::now();
        let mut limits = MailboxLimits::default();
        assert_eq!(limits.connections(now, Some(3)), Some(3));
        limits.halve(now, 8);
        assert_eq!((limits.connections(now, Some(3)), limits.connections(now, None)), (Some(3), Some(4)));
        limits.halve(now, 8);
        limits.halve(now, 8);
        limits.halve(now, 8);
        assert_eq!(limits.connections(now, None), Some(1));
        assert_eq!(limits.connections(now + MINUTE, None), None);
    }

    #[test]
    fn what_a_provider_counts_is_not_forgotten() {
        let now = Instant::now();
        let mut limits = MailboxLimits::default();
        assert!(!limits.matters(now));
        limits.reserve(now, 30);
        assert!(limits.matters(now + MINUTE - Duration::from_millis(1)) && !limits.matters(now + MINUTE));
        limits.halve(now, 4);
        assert!(limits.matters(now + Duration::from_secs(59)) && !limits.matters(now + MINUTE));
        limits.pause(now, "550 5.2.252".into());
        assert!(limits.matters(now + PAUSE - MINUTE) && !limits.matters(now + PAUSE));
    }

    #[test]
    fn a_pause_ends_by_itself() {
        let now = Instant::now();
        let mut limits = MailboxLimits::default();
        assert!(limits.pause_left(now).is_none());
        limits.pause(now, "550 5.2.252".into());
        assert_eq!(limits.pause_left(now), Some((PAUSE, "550 5.2.252")));
        assert!(limits.pause_left(now + PAUSE).is_none());
    }
}
