//! One call's own limits, and instants.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mailbearer::config::read_duration;
use mailbearer::{Call, Cancel};
use pyo3::prelude::*;

use crate::error::raise;

/// A duration as options write it.
pub(crate) fn duration(py: Python<'_>, text: Option<&str>, field: &str) -> PyResult<Option<Duration>> {
    text.map(|text| read_duration(field, text)).transpose().map_err(|error| raise(py, &error))
}

/// One call's own limits; its cancel handle is new.
pub(crate) fn call(py: Python<'_>, timeout: Option<&str>, partial: Option<&str>) -> PyResult<Call> {
    Call::read(timeout, partial, Cancel::default()).map_err(|error| raise(py, &error))
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
