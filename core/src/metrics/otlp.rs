//! OpenTelemetry's OTLP/HTTP with JSON (<https://opentelemetry.io/docs/specs/otlp/>), and the environment of its
//! exporters (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>).

use std::time::{Duration, SystemTime};

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use url::Url;

use super::family::{Families, MetricFamily, Number, Sample};
use super::histogram::BOUNDS;
use crate::error::{Error, Result};
use crate::instant::unix_nanos;

/// Where numbers go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Collector {
    pub(crate) url: Url,
    /// Headers of the request; they may hold a secret.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) timeout: Duration,
    /// Attributes of the resource.
    pub(crate) resource: Vec<(String, String)>,
}

impl Collector {
    /// From the variables of OpenTelemetry's exporters; `endpoint`, a base URL, goes before theirs.
    ///
    /// # Errors
    /// `config_invalid` naming the variable.
    pub(crate) fn read(endpoint: Option<&str>, variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let own = |what: &str| {
            let names = [format!("OTEL_EXPORTER_OTLP_METRICS_{what}"), format!("OTEL_EXPORTER_OTLP_{what}")];
            names.into_iter().find_map(|name| Some((variable(&name)?, name)))
        };
        let (given, name) = match endpoint {
            Some(url) => (url.to_owned(), "endpoint".to_owned()),
            None => own("ENDPOINT").unwrap_or_else(|| (USUAL.to_owned(), "endpoint".to_owned())),
        };
        let wrong = |name: &str, what: &str| Error::config(name, format!("`{name}` {what}"));
        let mut url = Url::parse(given.trim())
            .ok()
            .filter(|url| ["http", "https"].contains(&url.scheme()) && url.host_str().is_some())
            .ok_or_else(|| wrong(&name, "is no http or https URL"))?;
        // The one for metrics alone is taken as it is.
        if name != "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT" {
            let path = url.path().trim_end_matches('/').to_owned();
            url.set_path(&format!("{path}/v1/metrics"));
        }
        let headers = match own("HEADERS") {
            Some((text, name)) => {
                pairs(&text).ok_or_else(|| wrong(&name, "is not of the form key=value,key=value"))?
            }
            None => Vec::new(),
        };
        let timeout = match own("TIMEOUT") {
            Some((text, name)) => {
                text.trim().parse().map_err(|_| wrong(&name, "is no number of milliseconds"))?
            }
            None => 10_000,
        };
        let mut resource = match variable("OTEL_RESOURCE_ATTRIBUTES") {
            Some(text) => pairs(&text)
                .ok_or_else(|| wrong("OTEL_RESOURCE_ATTRIBUTES", "is not of the form key=value,key=value"))?,
            None => Vec::new(),
        };
        if let Some(service) = variable("OTEL_SERVICE_NAME") {
            resource.retain(|(key, _)| key != "service.name");
            resource.push(("service.name".to_owned(), service));
        }
        if !resource.iter().any(|(key, _)| key == "service.name") {
            resource.push(("service.name".to_owned(), "unknown_service:mailbearer".to_owned()));
        }
        // 0 is no limit in the specification; nothing waits for ever here.
        let timeout = if timeout == 0 { LONGEST } else { Duration::from_millis(timeout).min(LONGEST) };
        Ok(Self { url, headers, timeout, resource })
    }
}

/// `key=value,key2=value2`, the values percent-encoded.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    text.split(',')
        .filter(|pair| !pair.trim().is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=')?;
            let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
            Some((key.trim().to_owned(), value.into_owned())).filter(|(key, _)| !key.is_empty())
        })
        .collect()
}

/// An `ExportMetricsServiceRequest`; counts began at `start`.
pub(crate) fn request(
    families: &Families,
    resource: &[(String, String)],
    start: SystemTime,
    now: SystemTime,
) -> Value {
    let times = (unix_nanos(start).to_string(), unix_nanos(now).to_string());
    let metrics: Vec<Value> = families
        .0
        .iter()
        .filter(|family| !family.samples.is_empty())
        .map(|family| metric(family, &times.0, &times.1))
        .collect();
    json!({"resourceMetrics": [{
        "resource": {"attributes": attributes(resource.iter().map(|(key, value)| (key.as_str(), value.as_str())))},
        "scopeMetrics": [{
            "scope": {"name": "mailbearer", "version": env!("CARGO_PKG_VERSION")},
            "metrics": metrics,
        }],
    }]})
}

fn metric(family: &MetricFamily, start: &str, now: &str) -> Value {
    let mut out = json!({"name": family.name, "description": family.help, "unit": family.unit});
    let points: Vec<Value> = family.samples.iter().map(|sample| point(sample, start, now)).collect();
    match family.samples[0].value {
        Number::Level(_) => out["gauge"] = json!({"dataPoints": points}),
        Number::Count(_) => {
            out["sum"] =
                json!({"dataPoints": points, "aggregationTemporality": CUMULATIVE, "isMonotonic": true});
        }
        Number::Durations(_) => {
            out["histogram"] = json!({"dataPoints": points, "aggregationTemporality": CUMULATIVE});
        }
    }
    out
}

fn point(sample: &Sample, start: &str, now: &str) -> Value {
    let labels = sample.labels.iter().map(|(name, value)| (*name, value.as_str()));
    let mut out = json!({"attributes": attributes(labels), "timeUnixNano": now});
    // 64-bit integers are strings in protobuf's JSON.
    match &sample.value {
        Number::Level(level) => out["asDouble"] = json!(level),
        Number::Count(count) => {
            out["startTimeUnixNano"] = json!(start);
            out["asInt"] = json!(count.to_string());
        }
        Number::Durations(histogram) => {
            out["startTimeUnixNano"] = json!(start);
            out["count"] = json!(histogram.count().to_string());
            out["sum"] = json!(histogram.sum);
            out["bucketCounts"] = histogram.counts.iter().map(u64::to_string).collect();
            out["explicitBounds"] = json!(BOUNDS);
        }
    }
    out
}

fn attributes<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    pairs.map(|(key, value)| json!({"key": key, "value": {"stringValue": value}})).collect()
}

const USUAL: &str = "http://localhost:4318";
const LONGEST: Duration = Duration::from_secs(60);
/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::metrics::histogram::Histogram;

    fn target(endpoint: Option<&str>, set: &[(&str, &str)]) -> Result<Collector> {
        let found = |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Collector::read(endpoint, found)
    }

    #[test]
    fn the_environment_is_read_as_the_specification_has_it() {
        const BASE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
        const OWN: &str = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";
        for (endpoint, set, url) in [
            (None, &[][..], "http://localhost:4318/v1/metrics"),
            (None, &[(BASE, "https://c.example/otlp/")], "https://c.example/otlp/v1/metrics"),
            (None, &[(BASE, "http://a"), (OWN, "http://b")], "http://b/"),
            (Some("http://mine:1"), &[(OWN, "http://b")], "http://mine:1/v1/metrics"),
            (None, &[(BASE, " ")], "http://localhost:4318/v1/metrics"),
        ] {
            assert_eq!(target(endpoint, set).unwrap().url.as_str(), url);
        }
        let all = target(
            None,
            &[
                ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x%2Cy, b = c"),
                ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "250"),
                ("OTEL_RESOURCE_ATTRIBUTES", "service.name=lost,deployment=a%3Db"),
                ("OTEL_SERVICE_NAME", "orders"),
            ],
        )
        .unwrap();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(all.headers, [pair("authorization", "Bearer x,y"), pair("b", "c")]);
        assert_eq!(all.timeout, Duration::from_millis(250));
        assert_eq!(all.resource, [pair("deployment", "a=b"), pair("service.name", "orders")]);
        for (name, value) in [
            (BASE, "collector:4318"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1s"),
        ] {
            let error = target(None, &[(name, value)]).unwrap_err();
            assert_eq!((error.code(), error.field()), (ErrorCode::ConfigInvalid, Some(name)));
        }
    }

    #[test]
    fn a_request_is_what_the_proto_has_as_json() {
        let mut families = Families::default();
        families.begin("mailbearer_messages_sent", "", "Messages.");
        families.add(&[("mailbox", "a@x")], Number::Count(42));
        families.begin("mailbearer_connections_open", "", "Connections.");
        families.add(&[], Number::Level(3.0));
        families.begin("mailbearer_send_seconds", "s", "Time.");
        let mut histogram = Histogram::default();
        histogram.note(Duration::from_millis(7));
        families.add(&[], Number::Durations(histogram));
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let resource = [("service.name".to_owned(), "orders".to_owned())];
        let whole = request(&families, &resource, at(1_700_000_000), at(1_700_000_060));
        let metrics = &whole["resourceMetrics"][0]["scopeMetrics"][0]["metrics"];
        assert_eq!(
            metrics[0]["sum"],
            json!({
                "dataPoints": [{
                    "attributes": [{"key": "mailbox", "value": {"stringValue": "a@x"}}],
                    "startTimeUnixNano": "1700000000000000000", "timeUnixNano": "1700000060000000000",
                    "asInt": "42",
                }],
                "aggregationTemporality": 2, "isMonotonic": true,
            })
        );
        assert_eq!(metrics[1]["gauge"]["dataPoints"][0]["asDouble"], json!(3.0));
        let point = &metrics[2]["histogram"]["dataPoints"][0];
        assert_eq!((&point["count"], &point["bucketCounts"][1]), (&json!("1"), &json!("1")));
        assert_eq!(point["bucketCounts"].as_array().unwrap().len(), BOUNDS.len() + 1);
    }
}
