//! Durations in options: a number with a unit, such as `"30s"`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use crate::error::Error;

/// Reads `"500ms"`, `"30s"`, `"10m"`, `"1h"`, `"1d"`; fractions such as `"1.5s"` are fine.
///
/// # Errors
/// A sentence that says how to write it, for anything else: a bare number has no unit to guess.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let scale = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(format!("`{text}` is not a duration; {HINT}")),
    };
    let number: f64 = number.trim().parse().map_err(|_| format!("`{text}` is not a duration; {HINT}"))?;
    let seconds = number * scale;
    if !(0.0..=LONGEST).contains(&seconds) {
        return Err(format!("`{text}` is out of range (0 to 100 years)"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// As [`parse_duration`], for the option `field`.
///
/// # Errors
/// `config_invalid`.
pub fn read_duration(field: &str, text: &str) -> Result<Duration, Error> {
    parse_duration(text).map_err(|sentence| Error::config(field, format!("`{field}`: {sentence}")))
}

/// For `#[serde(deserialize_with)]` on an optional duration: `null` is `None`.
pub(crate) fn option<'de, D: Deserializer<'de>>(de: D) -> Result<Option<Duration>, D::Error> {
    match serde_json::Value::deserialize(de)? {
        serde_json::Value::Null => Ok(None),
        serde_json::Value::String(text) => parse_duration(&text).map(Some).map_err(de::Error::custom),
        serde_json::Value::Number(number) => {
            Err(de::Error::custom(format!("a duration needs a unit, not the bare number {number}; {HINT}")))
        }
        _ => Err(de::Error::custom(format!("a duration is a string; {HINT}"))),
    }
}

/// Like [`option`], but tells `null` (no limit) from an absent key.
pub(crate) fn nullable<'de, D: Deserializer<'de>>(de: D) -> Result<Option<Option<Duration>>, D::Error> {
    option(de).map(Some)
}

const HINT: &str = "write for instance \"500ms\", \"30s\", \"10m\" or \"1h\"";
const LONGEST: f64 = 100.0 * 365.0 * 86_400.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration(" 1.5 s "), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("10m"), Ok(Duration::from_secs(600)));
        for bad in ["", "10", "s", "ten s", "-1s", "1e99h", "NaNs", "infs", "1 minute"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
