//! Instants as callers write them: RFC 3339 with an offset.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::Result;
use crate::input::FieldPath;

/// Reads one.
pub(super) fn parse(text: &str, place: &FieldPath) -> Result<OffsetDateTime> {
    let date = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| {
        place.error("is not an RFC 3339 instant with an offset").with_hint(
            "Write it like `2026-11-23T09:30:00+01:00`; without an offset nobody knows when it is.",
        )
    })?;
    // Neither format can write others, and mail is younger.
    if !(1900..=9999).contains(&date.year()) {
        return Err(place.error("is not a year that mail knows"));
    }
    Ok(date)
}

/// Writes one.
pub(super) fn write(date: OffsetDateTime) -> String {
    date.format(&Rfc3339).unwrap_or_default()
}
