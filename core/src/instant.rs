//! Instants as they cross into other languages: RFC 3339 in UTC, to the millisecond.

use std::time::SystemTime;

use serde::Serializer;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// `2026-11-23T09:30:00.125Z`.
pub fn to_rfc3339(at: SystemTime) -> String {
    let at = OffsetDateTime::from(at);
    let millis = at.replace_nanosecond(u32::from(at.millisecond()) * 1_000_000).unwrap_or(at);
    // Formatting fails only beyond the year 9999, which no clock of ours gives.
    millis.format(&Rfc3339).unwrap_or_default()
}

/// Nanoseconds since the epoch.
pub(crate) fn unix_nanos(at: SystemTime) -> u128 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos()
}

/// Reads what [`to_rfc3339`] writes, and any other RFC 3339 instant with an offset.
pub(crate) fn from_rfc3339(text: &str) -> Option<SystemTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok().map(SystemTime::from)
}

pub(crate) fn serialize<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&to_rfc3339(*at))
}

pub(crate) fn serialize_option<S: Serializer>(
    at: &Option<SystemTime>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serialize(at, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn instants_survive_the_crossing() {
        let at = UNIX_EPOCH + Duration::from_millis(1_700_000_000_125);
        assert_eq!(to_rfc3339(at), "2023-11-14T22:13:20.125Z");
        assert_eq!(from_rfc3339(&to_rfc3339(at)), Some(at));
        assert_eq!(from_rfc3339("2023-11-14T22:13:20"), None);
    }
}
