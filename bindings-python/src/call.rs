//! One call's own limits, and instants.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mailbearer::config::{self, Partial};
use mailbearer::{Call, Error};
use pyo3::prelude::*;

use crate::error::raise;

/// A duration as options write it.
pub(crate) fn duration(py: Python<'_>, text: Option<&str>, field: &str) -> PyResult<Option<Duration>> {
    text.map(config::parse_duration)
        .transpose()
        .map_err(|sentence| raise(py, &Error::config(field, format!("`{field}`: {sentence}"))))
}

/// One call's own limits; its cancel handle is new.
pub(crate) fn call(py: Python<'_>, timeout: Option<&str>, partial: Option<&str>) -> PyResult<Call> {
    let partial = match partial {
        None => None,
        Some("deliver") => Some(Partial::Deliver),
        Some("refuse") => Some(Partial::Refuse),
        Some(_) => {
            let error = Error::config("partial", "`partial` must be `deliver` or `refuse`");
            return Err(raise(py, &error));
        }
    };
    Ok(Call { timeout: duration(py, timeout, "timeout")?, partial, ..Call::default() })
}

/// An instant as seconds since the epoch.
pub(crate) fn epoch(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// The way back; what lies beyond the clock's range is no instant.
pub(crate) fn instant(epoch: f64) -> Option<SystemTime> {
    let since = Duration::try_from_secs_f64(epoch).ok()?;
    UNIX_EPOCH.checked_add(since)
}
