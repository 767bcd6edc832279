//! How long things took: counts by upper bound, as Prometheus and OpenTelemetry have them.

use std::time::Duration;

use serde_json::{Value, json};

/// Upper bounds in seconds; what took longer is counted beyond the last.
pub(crate) const BOUNDS: [f64; 13] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Durations, counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Histogram {
    /// One for each bound, and one for the rest.
    pub(crate) counts: [u64; BOUNDS.len() + 1],
    /// Seconds.
    pub(crate) sum: f64,
}

impl Histogram {
    pub(crate) fn note(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        let at = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.counts[at] += 1;
        self.sum += seconds;
    }

    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// `count`, `sum`, and how many took no longer than each bound.
    pub(crate) fn to_json(&self) -> Value {
        let within: Vec<Value> = self.cumulative().map(|(bound, count)| json!([bound, count])).collect();
        json!({"count": self.count(), "sum": self.sum, "within": within})
    }

    /// Each bound with the number of those that took no longer.
    pub(crate) fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        BOUNDS.iter().zip(self.counts).scan(0, |sum, (bound, count)| {
            *sum += count;
            Some((*bound, *sum))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_counts_what_took_as_long() {
        let mut histogram = Histogram::default();
        for millis in [1, 5, 6, 1_000, 90_000] {
            histogram.note(Duration::from_millis(millis));
        }
        let within: Vec<u64> = histogram.cumulative().map(|(_, count)| count).collect();
        assert_eq!((within[0], within[1], within[7], within[12]), (2, 3, 4, 4));
        assert_eq!(histogram.count(), 5);
        assert!((histogram.sum - 91.012).abs() < 1e-9);
    }
}
