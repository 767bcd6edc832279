//! When AUTH is not tried for a while.

use std::time::{Duration, Instant};

/// Stops asking after refusals in a row, lest the provider lock the account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Breaker {
    refusals: u32,
    last: Option<Instant>,
}

impl Breaker {
    /// How long no AUTH should be tried; `None` if it may.
    pub(crate) fn remaining(&self, now: Instant) -> Option<Duration> {
        let last = self.last.filter(|_| self.refusals >= REFUSALS)?;
        PAUSE.checked_sub(now.saturating_duration_since(last)).filter(|left| !left.is_zero())
    }

    /// AUTH was refused for good.
    pub(crate) fn refused(&mut self, now: Instant) {
        self.refusals = self.refusals.saturating_add(1);
        self.last = Some(now);
    }

    /// AUTH was accepted.
    pub(crate) fn accepted(&mut self) {
        *self = Self::default();
    }
}

const REFUSALS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_breaker_opens_after_three_in_a_row_and_closes_by_time_or_success() {
        let t = Instant::now();
        let at = |s| t + Duration::from_secs(s);
        let mut breaker = Breaker::default();
        breaker.refused(t);
        breaker.refused(t);
        assert_eq!(breaker.remaining(t), None);
        breaker.refused(at(1));
        assert_eq!(breaker.remaining(at(11)), Some(Duration::from_secs(20)));
        assert_eq!(breaker.remaining(at(31)), None);
        breaker.refused(at(40));
        assert!(breaker.remaining(at(41)).is_some());
        breaker.accepted();
        assert_eq!(breaker.remaining(at(41)), None);
    }
}
