//! The numbers of this process, for Prometheus and OpenTelemetry: those that are counted, and how its pools stand.

use std::time::SystemTime;

use crate::config::Settings;
use crate::error::{Error, ErrorCode, Result};
use crate::metrics::family::Families;
use crate::metrics::{self, otlp};
use crate::net::http;
use crate::smtp::pool;

/// The numbers of this process, all mailers together, as Prometheus' text format 0.0.4: serve it with the content
/// type `text/plain; version=0.0.4`. Names and labels stand in `docs/monitoring.md`.
pub fn prometheus() -> String {
    metrics::prometheus::text(&current())
}

/// Tells the same numbers to an OpenTelemetry collector, once: OTLP/HTTP with JSON. `endpoint` is its base URL; the
/// variables of OpenTelemetry's exporters say the rest.
///
/// # Errors
/// `config_invalid`; `connect_failed`, retryable, if the collector cannot be reached or does not take it now.
pub(crate) async fn export(settings: &Settings, endpoint: Option<&str>) -> Result<()> {
    let target = otlp::Collector::read(endpoint, |name| std::env::var(name).ok())?;
    let request = otlp::request(&current(), &target.resource, metrics::numbers().began, SystemTime::now());
    let body = request.to_string().into_bytes();
    let asked = http::post_json(settings.reach(), &target.url, &target.headers, body, target.timeout);
    let answer = asked.await.map_err(|failure| {
        let error = failure.into_error("the collector", ErrorCode::ConnectFailed);
        match error.code() {
            ErrorCode::ConnectFailed => error.with_hint(COLLECTOR_HINT),
            _ => error,
        }
    })?;
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    let host = target.url.host_str().unwrap_or_default();
    let error =
        Error::new(ErrorCode::ConnectFailed, format!("the collector {host} answered HTTP {}", answer.status));
    let passing = matches!(answer.status, 429 | 502..=504);
    Err(error
        .with_retryable(passing)
        .with_retry_after(answer.retry_after)
        .with_hint("Let the collector take OTLP/HTTP with JSON at this path. If it wants a key, check OTEL_EXPORTER_OTLP_HEADERS."))
}

fn current() -> Families {
    metrics::numbers().families(&pool::pools().numbers())
}

const COLLECTOR_HINT: &str = "Check OTEL_EXPORTER_OTLP_ENDPOINT, and that the collector's OTLP/HTTP receiver listens there (port 4318).";
