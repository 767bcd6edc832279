//! The server's clock, and the ways in which Microsoft and Google write a time.

use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// Seconds since the Unix epoch on this machine's clock.
pub(crate) fn unix_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// `2026-01-09 02:02:12Z`, as in Entra's error answers.
pub(crate) fn entra(unix: f64) -> String {
    let at = moment(unix);
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// `2026-01-09T02:02:12.345Z`, as in Exchange's diagnostic brackets.
pub(crate) fn exchange(unix: f64) -> String {
    let at = moment(unix);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.millisecond()
    )
}

/// `2026-01-09T02:02:12Z`, which a browser reads and shows in its own zone.
pub(crate) fn iso(unix: f64) -> String {
    entra(unix).replace(' ', "T")
}

/// `Fri, 09 Jan 2026 02:02:12 +0000`, as in greetings.
pub(crate) fn rfc2822(unix: f64) -> String {
    moment(unix).format(&Rfc2822).unwrap_or_else(|_| entra(unix))
}

fn moment(unix: f64) -> OffsetDateTime {
    // Nanoseconds of any date this side of the year 9999 fit; a clock beyond that reads as the epoch.
    // Rounded to microseconds, which is what an f64 of today's seconds holds.
    OffsetDateTime::from_unix_timestamp_nanos((unix * 1e6).round() as i128 * 1000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_has_its_own_way_to_write_a_time() {
        let at = 1_767_924_132.345;
        assert_eq!(entra(at), "2026-01-09 02:02:12Z");
        assert_eq!(exchange(at), "2026-01-09T02:02:12.345Z");
        assert_eq!(iso(at), "2026-01-09T02:02:12Z");
        assert_eq!(rfc2822(at), "Fri, 09 Jan 2026 02:02:12 +0000");
    }
}
