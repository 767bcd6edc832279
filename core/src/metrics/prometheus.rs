//! Prometheus' text format 0.0.4 (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::fmt::Write as _;

use super::family::{Families, Number, Sample};

/// The families as text; those without samples are left out.
pub(crate) fn text(families: &Families) -> String {
    let mut out = String::new();
    for family in families.0.iter().filter(|family| !family.samples.is_empty()) {
        let (kind, tail) = match family.samples[0].value {
            Number::Count(_) => ("counter", "_total"),
            Number::Level(_) => ("gauge", ""),
            Number::Durations(_) => ("histogram", ""),
        };
        let name = format!("{}{tail}", family.name);
        // Writing to a String cannot fail.
        let _ = writeln!(out, "# HELP {name} {}\n# TYPE {name} {kind}", family.help);
        for sample in &family.samples {
            write_sample(&mut out, &name, sample);
        }
    }
    out
}

fn write_sample(out: &mut String, name: &str, sample: &Sample) {
    let with = |more: Option<(&str, &str)>| {
        let own = sample.labels.iter().map(|(name, value)| (*name, value.as_str()));
        let all: Vec<String> =
            own.chain(more).map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
    };
    let labels = with(None);
    let _ = match &sample.value {
        Number::Count(count) => writeln!(out, "{name}{labels} {count}"),
        Number::Level(level) => writeln!(out, "{name}{labels} {level}"),
        Number::Durations(histogram) => {
            for (bound, count) in histogram.cumulative() {
                let _ = writeln!(out, "{name}_bucket{} {count}", with(Some(("le", &bound.to_string()))));
            }
            let count = histogram.count();
            let _ = writeln!(out, "{name}_bucket{} {count}", with(Some(("le", "+Inf"))));
            writeln!(out, "{name}_sum{labels} {}\n{name}_count{labels} {count}", histogram.sum)
        }
    };
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::histogram::Histogram;

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let mut families = Families::default();
        families.begin("mailbearer_sent", "", "Messages.");
        families.add(&[("mailbox", "a\"b\\c\n@x")], Number::Count(3));
        families.begin("mailbearer_open", "", "Connections.");
        families.add(&[], Number::Level(1.5));
        families.begin("mailbearer_empty", "", "Nothing.");
        families.begin("mailbearer_send_seconds", "s", "Time.");
        let mut histogram = Histogram::default();
        histogram.note(Duration::from_millis(7));
        families.add(&[("stage", "send")], Number::Durations(histogram));
        let text = text(&families);
        assert!(text.starts_with(
            "# HELP mailbearer_sent_total Messages.\n# TYPE mailbearer_sent_total counter\n\
             mailbearer_sent_total{mailbox=\"a\\\"b\\\\c\\n@x\"} 3\n"
        ));
        assert!(text.contains("# TYPE mailbearer_open gauge\nmailbearer_open 1.5\n"));
        assert!(!text.contains("empty"));
        assert!(text.contains("mailbearer_send_seconds_bucket{stage=\"send\",le=\"0.005\"} 0\n"));
        assert!(text.contains("mailbearer_send_seconds_bucket{stage=\"send\",le=\"0.01\"} 1\n"));
        assert!(text.contains("mailbearer_send_seconds_bucket{stage=\"send\",le=\"+Inf\"} 1\n"));
        assert!(text.ends_with(
            "mailbearer_send_seconds_sum{stage=\"send\"} 0.007\nmailbearer_send_seconds_count{stage=\"send\"} 1\n"
        ));
    }
}
