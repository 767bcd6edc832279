//! Numbers by name and labels, for other programs: what Prometheus and OpenTelemetry are told.

use super::histogram::Histogram;

/// All samples of one name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MetricFamily {
    /// The name in Prometheus, without a counter's `_total`.
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    /// UCUM: `s`, `By`, or none.
    pub(crate) unit: &'static str,
    pub(crate) samples: Vec<Sample>,
}

/// One number, or one histogram.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) value: Number,
}

/// What kind it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Number {
    /// A number that only grows.
    Count(u64),
    Level(f64),
    Durations(Histogram),
}

/// Families in the order in which they were begun.
#[derive(Debug, Default)]
pub(crate) struct Families(pub(crate) Vec<MetricFamily>);

impl Families {
    /// Begins one; the samples that follow are its own.
    pub(crate) fn begin(&mut self, name: &'static str, unit: &'static str, help: &'static str) {
        self.0.push(MetricFamily { name, help, unit, samples: Vec::new() });
    }

    pub(crate) fn add(&mut self, labels: &[(&'static str, &str)], value: Number) {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        if let Some(family) = self.0.last_mut() {
            family.samples.push(Sample { labels, value });
        }
    }
}
