//! What the server is asked for beside taking a message: reports (RFC 3461), TLS on the whole way (RFC 8689),
//! a later hour (RFC 4865).

use std::time::Duration;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::date;
use crate::error::Result;
use crate::input::reader::{Reader, kind, one_or_list, string};
use crate::input::{FieldPath, parse_duration};

/// A message's requests; most have none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Requests {
    pub(crate) dsn: Option<Dsn>,
    /// TLS is required on the whole way.
    pub(crate) require_tls: bool,
    pub(crate) hold: Option<Hold>,
}

/// Which reports are wanted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dsn {
    /// Words of NOTIFY, lower case; empty: the server's own habit.
    pub(crate) notify: Vec<&'static str>,
    /// The whole message comes back with a failure, or its headers alone.
    pub(crate) full: Option<bool>,
    /// The caller's name for this sending, as it comes back.
    pub(crate) envelope_id: Option<String>,
}

/// How long the server keeps a message before it goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Hold {
    For(Duration),
    Until(OffsetDateTime),
}

/// The fields that are read here.
pub(super) const KNOWN: [&str; 4] = ["dsn", "require_tls", "hold_for", "hold_until"];

impl Requests {
    /// Takes the fields in [`KNOWN`].
    ///
    /// # Errors
    /// `message_invalid`, naming the field.
    pub(super) fn read(reader: &mut Reader) -> Result<Self> {
        let dsn = reader.take("dsn").map(|value| Dsn::read(value, reader.at("dsn"))).transpose()?;
        let require_tls = match reader.take("require_tls") {
            None => false,
            Some(value) => flag(&value, &reader.at("require_tls"))?,
        };
        let at = reader.at("hold_for");
        let held_for = reader.line("hold_for")?.map(|text| duration(&text, &at)).transpose()?;
        let at = reader.at("hold_until");
        let until = reader.line("hold_until")?.map(|text| date::parse(&text, &at)).transpose()?;
        let hold = match (held_for, until) {
            (None, None) => None,
            (Some(time), None) => Some(Hold::For(time)),
            (None, Some(at)) => Some(Hold::Until(at)),
            (Some(_), Some(_)) => {
                return Err(at
                    .error(format!("and `{}` are both set", at.spell("hold_for")))
                    .with_hint("Set one of the two."));
            }
        };
        Ok(Self { dsn, require_tls, hold })
    }

    /// Returns the form that [`Requests::read`] takes.
    pub(super) fn to_json(&self, out: &mut Map<String, Value>) {
        if let Some(dsn) = &self.dsn {
            out.insert("dsn".to_owned(), dsn.to_json());
        }
        if self.require_tls {
            out.insert("require_tls".to_owned(), json!(true));
        }
        match self.hold {
            None => {}
            Some(Hold::For(time)) => {
                out.insert("hold_for".to_owned(), json!(format!("{}s", time.as_secs())));
            }
            Some(Hold::Until(at)) => {
                out.insert("hold_until".to_owned(), json!(date::write(at)));
            }
        }
    }
}

impl Dsn {
    fn read(value: Value, place: FieldPath) -> Result<Self> {
        let mut reader = Reader::new(value, place.clone(), &["notify", "return", "envelope_id"])?;
        let mut notify = Vec::new();
        if let Some(value) = reader.take("notify") {
            for (value, at) in one_or_list(value, &reader.at("notify")) {
                let word = string(value, &at)?.to_ascii_lowercase();
                let known = WHEN.iter().find(|known| **known == word);
                let known = *known.ok_or_else(|| at.error("is `success`, `failure`, `delay` or `never`"))?;
                if !notify.contains(&known) {
                    notify.push(known);
                }
            }
        }
        if notify.contains(&"never") && notify.len() > 1 {
            return Err(reader.at("notify").error("says `never` beside others"));
        }
        let at = reader.at("return");
        let full = match reader.line("return")?.as_deref() {
            None => None,
            Some("full") => Some(true),
            Some("headers") => Some(false),
            Some(_) => return Err(at.error("is `full` or `headers`")),
        };
        let at = reader.at("envelope_id");
        let envelope_id = reader.line("envelope_id")?;
        // RFC 3461 §4.4: 100 characters, printable; more when encoded.
        if envelope_id.as_ref().is_some_and(|id| {
            !(1..=100).contains(&xtext(id).len()) || !id.bytes().all(|b| (b' '..=b'~').contains(&b))
        }) {
            return Err(at.error("must be 1 to 100 printable ASCII characters, when encoded"));
        }
        if notify.is_empty() && full.is_none() && envelope_id.is_none() {
            return Err(place.error("asks for nothing").with_hint("Give `notify`, such as [\"failure\"]."));
        }
        Ok(Self { notify, full, envelope_id })
    }

    fn to_json(&self) -> Value {
        let mut out = Map::new();
        if !self.notify.is_empty() {
            out.insert("notify".to_owned(), json!(self.notify));
        }
        if let Some(full) = self.full {
            out.insert("return".to_owned(), json!(if full { "full" } else { "headers" }));
        }
        if let Some(id) = &self.envelope_id {
            out.insert("envelope_id".to_owned(), json!(id));
        }
        Value::Object(out)
    }
}

/// RFC 3461 §4: what stands for itself, and `+` with two hexadecimal digits for all else.
pub(crate) fn xtext(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'!'..=b'~' if octet != b'+' && octet != b'=' => out.push(char::from(octet)),
            _ => out.push_str(&format!("+{octet:02X}")),
        }
    }
    out
}

/// True or false; C and the environment have them as words.
fn flag(value: &Value, place: &FieldPath) -> Result<bool> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(word) if word == "true" => Ok(true),
        Value::String(word) if word == "false" => Ok(false),
        other => Err(place.error(format!("must be true or false, not {}", kind(other)))),
    }
}

fn duration(text: &str, place: &FieldPath) -> Result<Duration> {
    let time = parse_duration(text).map_err(|what| place.error(format!("is wrong: {what}")))?;
    match time.as_secs() {
        0 => Err(place.error("is less than a second")),
        // RFC 4865 §4 has nine digits.
        1_000_000_000.. => Err(place.error("is longer than 999,999,999 seconds")),
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

const WHEN: [&str; 4] = ["success", "failure", "delay", "never"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Spelling;

    fn read(value: Value) -> Result<Requests> {
        Requests::read(&mut Reader::new(value, FieldPath::top(Spelling::Camel), &KNOWN)?)
    }

    #[test]
    fn what_is_asked_for_comes_back_as_it_was() {
        for value in [
            json!({}),
            json!({"dsn": {"notify": ["success", "delay"], "return": "full", "envelopeId": "job 7+8"}}),
            json!({"dsn": {"return": "headers"}, "requireTls": true, "holdFor": "7200s"}),
            json!({"holdUntil": "2027-01-01T08:00:00+01:00"}),
        ] {
            let mut out = Map::new();
            read(value.clone()).unwrap().to_json(&mut out);
            assert_eq!(Spelling::Camel.from_core(Value::Object(out)), value);
        }
        assert_eq!(read(json!({"dsn": {"notify": "NEVER"}})).unwrap().dsn.unwrap().notify, ["never"]);
        assert!(!read(json!({"requireTls": "false"})).unwrap().require_tls);
        assert_eq!(xtext("job 7+8=ü"), "job+207+2B8+3D+C3+BC");
    }

    #[test]
    fn mistakes_name_the_field() {
        for (value, field) in [
            (json!({"dsn": "failure"}), "dsn"),
            (json!({"dsn": {}}), "dsn"),
            (json!({"dsn": {"notify": ["always"]}}), "dsn.notify[0]"),
            (json!({"dsn": {"notify": ["never", "failure"]}}), "dsn.notify"),
            (json!({"dsn": {"return": "hdrs"}}), "dsn.return"),
            (json!({"dsn": {"envelopeId": ""}}), "dsn.envelopeId"),
            (json!({"dsn": {"envelopeId": "ü"}}), "dsn.envelopeId"),
            (json!({"dsn": {"envelopeId": "+".repeat(40)}}), "dsn.envelopeId"),
            (json!({"dsn": {"notify": "never", "ret": 1}}), "dsn.ret"),
            (json!({"requireTls": 1}), "requireTls"),
            (json!({"holdFor": "2"}), "holdFor"),
            (json!({"holdFor": "1ms"}), "holdFor"),
            (json!({"holdUntil": "tomorrow"}), "holdUntil"),
            (json!({"holdFor": "1h", "holdUntil": "2027-01-01T08:00:00Z"}), "holdUntil"),
        ] {
            assert_eq!(read(value.clone()).unwrap_err().field(), Some(field), "{value}");
        }
    }
}
