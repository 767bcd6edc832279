//! Whether a token may be used, and whether to renew it: a pure function of its times and now.

use std::time::{Duration, Instant, SystemTime};

/// What to do with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Use it.
    Fresh,
    /// Use it; renew it beside.
    Stale,
    /// Wait for another.
    Invalid,
}

/// When a token was acquired, by both clocks, and what its service said of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// By the wall clock.
    pub(crate) acquired: SystemTime,
    /// By the monotonic clock.
    pub(crate) acquired_mono: Instant,
    /// How long it lasts from there; `None`: until it is refused.
    pub(crate) lifetime: Option<Duration>,
    /// When the service wants it renewed.
    pub(crate) refresh_in: Option<Duration>,
}

/// Both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) wall: SystemTime,
    pub(crate) mono: Instant,
}

impl Now {
    pub(crate) fn read() -> Self {
        Self { wall: SystemTime::now(), mono: Instant::now() }
    }
}

/// What the provider's preset asks for; both give way to half the lifetime, so that tokens that live
/// a minute can be used at all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FreshnessLimits {
    /// Less left than this: renew ahead of use.
    pub(crate) refresh_ahead: Duration,
    /// Less left than this: do not use.
    pub(crate) min_remaining: Duration,
}

/// Judges a token. `min_remaining` is the caller's own demand, taken as it is.
pub(crate) fn judge(
    times: &Times,
    now: Now,
    limits: FreshnessLimits,
    min_remaining: Option<Duration>,
) -> Freshness {
    let Some(lifetime) = times.lifetime else { return Freshness::Fresh };
    let half = lifetime / 2;
    let age = age(times, now);
    let remaining = lifetime.saturating_sub(age);
    if remaining <= min_remaining.unwrap_or_else(|| limits.min_remaining.min(half)) {
        return Freshness::Invalid;
    }
    let mut renew_at = lifetime - limits.refresh_ahead.min(half);
    if let Some(asked) = times.refresh_in {
        renew_at = renew_at.min(asked);
    } else if lifetime >= LONG {
        renew_at = renew_at.min(half);
    }
    if age < renew_at { Freshness::Fresh } else { Freshness::Stale }
}

/// MSAL renews tokens that live this long, as managed identities' do, at half their life.
const LONG: Duration = Duration::from_secs(2 * 3600);

/// The greater of both clocks: the monotonic one stands still while the machine sleeps, the wall clock
/// may be set back.
fn age(times: &Times, now: Now) -> Duration {
    let wall = now.wall.duration_since(times.acquired).unwrap_or_default();
    wall.max(now.mono.saturating_duration_since(times.acquired_mono))
}

#[cfg(test)]
mod tests {
    use super::Freshness::*;
    use super::*;

    const MINUTE: u64 = 60;
    const HOUR: u64 = 3600;

    fn limits(ahead: u64, min: u64) -> FreshnessLimits {
        FreshnessLimits { refresh_ahead: Duration::from_secs(ahead), min_remaining: Duration::from_secs(min) }
    }

    #[test]
    fn freshness_follows_the_table() {
        let usual = limits(5 * MINUTE, 30);
        let hve = limits(20 * MINUTE, 20 * MINUTE);
        for (lifetime, refresh_in, age, limits, min, expected) in [
            (HOUR, None, 0, usual, None, Fresh),
            (HOUR, None, 55 * MINUTE - 1, usual, None, Fresh),
            (HOUR, None, 55 * MINUTE, usual, None, Stale),
            (HOUR, None, HOUR - 31, usual, None, Stale),
            (HOUR, None, HOUR - 30, usual, None, Invalid),
            (HOUR, None, 2 * HOUR, usual, None, Invalid),
            (HOUR, Some(30 * MINUTE), 30 * MINUTE - 1, usual, None, Fresh),
            (HOUR, Some(30 * MINUTE), 30 * MINUTE, usual, None, Stale),
            (HOUR, Some(2 * HOUR), 56 * MINUTE, usual, None, Stale),
            (2 * HOUR, None, HOUR, usual, None, Stale),
            (28 * HOUR, None, 13 * HOUR, usual, None, Fresh),
            (28 * HOUR, Some(20 * HOUR), 15 * HOUR, usual, None, Fresh),
            // Short-lived: half the life is fresh, whatever the preset says.
            (10, None, 4, usual, None, Fresh),
            (10, None, 5, usual, None, Invalid),
            (MINUTE, None, 29, usual, None, Fresh),
            (0, None, 0, usual, None, Invalid),
            // The caller's own demand.
            (HOUR, None, 0, usual, Some(2 * HOUR), Invalid),
            (HOUR, None, 30 * MINUTE, usual, Some(40 * MINUTE), Invalid),
            (HOUR, None, HOUR - 10, usual, Some(5), Stale),
            // HVE refuses tokens that are about to expire.
            (HOUR, None, 39 * MINUTE, hve, None, Fresh),
            (HOUR, None, 41 * MINUTE, hve, None, Invalid),
        ] {
            let start = Now::read();
            let times = Times {
                acquired: start.wall,
                acquired_mono: start.mono,
                lifetime: Some(Duration::from_secs(lifetime)),
                refresh_in: refresh_in.map(Duration::from_secs),
            };
            let later = Duration::from_secs(age);
            let now = Now { wall: start.wall + later, mono: start.mono + later };
            let seen = judge(&times, now, limits, min.map(Duration::from_secs));
            assert_eq!(seen, expected, "{lifetime} {refresh_in:?} {age} {min:?}");
            // Either clock alone is enough: a machine that slept, a wall clock that was set back.
            for now in [
                Now { wall: start.wall + later, mono: start.mono },
                Now { wall: start.wall - Duration::from_secs(99), mono: start.mono + later },
            ] {
                assert_eq!(judge(&times, now, limits, min.map(Duration::from_secs)), expected);
            }
        }
    }

    #[test]
    fn a_token_without_an_end_is_good_until_refused() {
        let now = Now::read();
        let times = Times { acquired: now.wall, acquired_mono: now.mono, lifetime: None, refresh_in: None };
        assert_eq!(judge(&times, now, limits(300, 30), Some(Duration::MAX)), Fresh);
    }
}
