//! What may be tried again, and when: pure functions of the error and the time that is left.

use std::time::Duration;

use crate::error::{Error, ErrorCode};

/// How a send is retried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// All tries, the first included.
    pub(crate) attempts: u32,
    /// The first pause.
    pub(crate) base_delay: Duration,
    /// The longest pause.
    pub(crate) max_delay: Duration,
}

impl Policy {
    /// The pause before the next try, or `None` if this error is final.
    ///
    /// `attempt` counts from 1; `jitter` in `0.0..1.0` spreads the pause over its upper half.
    pub(crate) fn pause(
        &self,
        attempt: u32,
        error: &Error,
        remaining: Duration,
        jitter: f64,
    ) -> Option<Duration> {
        // A turn that comes too late, or a mailbox that is paused: nothing was sent, and whoever waits wants to know.
        let held_back = error.code() == ErrorCode::Throttled && error.smtp().is_none();
        // The token source has its own tries; doing them again here would multiply them.
        let tokens = (300..400).contains(&error.code().number());
        if !error.retryable() || held_back || tokens || attempt >= self.attempts {
            return None;
        }
        let pause = backoff(self.base_delay, self.max_delay, attempt, jitter);
        let pause = pause.max(error.retry_after().unwrap_or_default());
        (pause < remaining).then_some(pause)
    }
}

/// The pause behind try `attempt`, counted from 1: doubled each time, never over `longest`. `jitter` in `0.0..1.0`
/// spreads it over its upper half, so that those who failed together do not come back together.
pub(crate) fn backoff(first: Duration, longest: Duration, attempt: u32, jitter: f64) -> Duration {
    let doubled = first.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    doubled.min(longest).mul_f64(0.5 + jitter / 2.0)
}

/// Whether every further message would fail for the same reason.
pub(crate) fn is_fatal_for_all(error: &Error) -> bool {
    let number = error.code().number();
    (100..200).contains(&number)
        || (300..400).contains(&number)
        || matches!(error.code(), ErrorCode::AuthRejected | ErrorCode::SmtpAuthDisabled | ErrorCode::Closed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy =
        Policy { attempts: 3, base_delay: Duration::from_secs(1), max_delay: Duration::from_secs(60) };
    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn only_what_may_be_repeated_is_and_only_while_there_is_time() {
        let lost = Error::new(ErrorCode::ConnectionLost, "x");
        assert_eq!(POLICY.pause(1, &lost, HOUR, 1.0), Some(Duration::from_secs(1)));
        assert_eq!(POLICY.pause(2, &lost, HOUR, 0.0), Some(Duration::from_secs(1)));
        assert_eq!(POLICY.pause(3, &lost, HOUR, 0.0), None);
        assert_eq!(POLICY.pause(1, &lost, Duration::from_millis(100), 0.0), None);
        let told = lost.clone().with_retry_after(Some(Duration::from_secs(30)));
        assert_eq!(POLICY.pause(1, &told, HOUR, 0.0), Some(Duration::from_secs(30)));
        assert_eq!(POLICY.pause(1, &lost.with_uncertain_delivery(), HOUR, 0.0), None);
        let paused = Error::new(ErrorCode::Throttled, "x").with_retry_after(Some(Duration::from_secs(1)));
        assert_eq!(POLICY.pause(1, &paused, HOUR, 0.0), None, "what we hold back ourselves is told at once");
        for code in [ErrorCode::AuthRejected, ErrorCode::TokenEndpointUnavailable, ErrorCode::MessageRejected]
        {
            assert_eq!(POLICY.pause(1, &Error::new(code, "x"), HOUR, 0.0), None, "{code:?}");
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let (first, longest) = (Duration::from_secs(1), Duration::from_secs(60));
        let pauses = |jitter| [1, 2, 3, 7, 4000].map(|n| backoff(first, longest, n, jitter).as_millis());
        assert_eq!(pauses(1.0), [1000, 2000, 4000, 60_000, 60_000]);
        assert_eq!(pauses(0.0), [500, 1000, 2000, 30_000, 30_000]);
    }

    #[test]
    fn one_bad_message_does_not_stop_the_others() {
        let fatal = |code| is_fatal_for_all(&Error::new(code, "x"));
        assert!(fatal(ErrorCode::ClientRejected) && fatal(ErrorCode::AuthRejected));
        assert!(!fatal(ErrorCode::MessageInvalid) && !fatal(ErrorCode::ConnectionLost));
    }
}
