//! Scripted faults: what is to go wrong, where, and how often.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Where a fault can be put. Each has the name in [`Point::NAMES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    Connect,
    Greeting,
    Ehlo,
    Helo,
    Starttls,
    Tls,
    Auth,
    AuthChallenge,
    AuthResponse,
    Mail,
    Rcpt,
    Data,
    Bdat,
    Body,
    End,
    Rset,
    Noop,
    Quit,
    Idle,
    Token,
    Authorize,
    Devicecode,
    Discovery,
    Keys,
}

impl Point {
    const NAMES: [(&'static str, Self); 24] = [
        ("connect", Self::Connect),
        ("greeting", Self::Greeting),
        ("ehlo", Self::Ehlo),
        ("helo", Self::Helo),
        ("starttls", Self::Starttls),
        ("tls", Self::Tls),
        ("auth", Self::Auth),
        ("auth_challenge", Self::AuthChallenge),
        ("auth_response", Self::AuthResponse),
        ("mail", Self::Mail),
        ("rcpt", Self::Rcpt),
        ("data", Self::Data),
        ("bdat", Self::Bdat),
        ("body", Self::Body),
        ("end", Self::End),
        ("rset", Self::Rset),
        ("noop", Self::Noop),
        ("quit", Self::Quit),
        ("idle", Self::Idle),
        ("token", Self::Token),
        ("authorize", Self::Authorize),
        ("devicecode", Self::Devicecode),
        ("discovery", Self::Discovery),
        ("keys", Self::Keys),
    ];

    fn named(name: &str) -> Result<Self, String> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, point)| *point).ok_or_else(|| {
            let names: Vec<_> = Self::NAMES.iter().map(|(name, _)| *name).collect();
            format!("unknown fault point `{name}`; there are: {}", names.join(" "))
        })
    }

    fn is_http(self) -> bool {
        matches!(self, Self::Token | Self::Authorize | Self::Devicecode | Self::Discovery | Self::Keys)
    }
}

/// One thing that goes wrong.
///
/// SMTP points: `connect`, `greeting`, `ehlo`, `helo`, `starttls`, `tls` (the handshake), `auth` (the
/// verdict on the credentials, sent in line or not), `auth_challenge` (the `334` that asks for them),
/// `auth_response` (the reply to a response line of its own), `mail`, `rcpt`, `data`, `bdat` (a chunk
/// before the last), `body` (some of the body has arrived), `end` (the final reply), `rset`, `noop`,
/// `quit`, `idle` (between commands). HTTP points: `token`, `authorize`, `devicecode`, `discovery`, `keys`.
///
/// A scripted reply has its real effect: a recipient answered with 550 is not
/// in the envelope, a message answered with 451 is not kept, and 421 closes the connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// The point's name.
    pub at: String,
    /// SMTP: the reply to send instead; lines separated by `\n`, CRLF is added. At `auth` the word
    /// `334-json` sends an error challenge, waits for the client's answer, then refuses with 535.
    pub reply: Option<String>,
    /// SMTP: octets to send instead, one for each character up to U+00FF; nothing is added.
    pub raw: Option<String>,
    /// HTTP: the status to answer with instead.
    pub status: Option<u16>,
    /// HTTP: the body to answer with instead. With `drop`, the connection is cut behind it.
    pub body: Option<String>,
    /// HTTP: headers of that answer.
    pub headers: BTreeMap<String, String>,
    /// Close the connection instead of answering.
    pub drop: bool,
    /// Let the request have its effect before it goes wrong: at `end` the message is kept, at `token`
    /// a refresh token is rotated, and a `delay` comes only then.
    pub after: bool,
    /// Seconds to wait first. Alone, the point is only late. At `idle`: how long the client must be silent.
    pub delay: f64,
    /// How often it happens; 0 for ever. Default 1.
    pub times: i64,
    /// Only where the command line (HTTP: the decoded form, with `&username=` where it is known)
    /// contains this, in any case. At `idle`: the command before the silence; without it, `idle`
    /// waits for a message that was accepted on the connection.
    #[serde(rename = "match")]
    pub matching: Option<String>,
    /// SMTP: send the reply one octet at a time.
    pub bytewise: bool,
    /// How many occasions to let pass first.
    pub skip: usize,
}

impl Default for Fault {
    fn default() -> Self {
        Self {
            at: String::new(),
            reply: None,
            raw: None,
            status: None,
            body: None,
            headers: BTreeMap::new(),
            drop: false,
            after: false,
            delay: 0.0,
            times: 1,
            matching: None,
            bytewise: false,
            skip: 0,
        }
    }
}

impl Fault {
    /// A fault at this point that does nothing yet; set its other members.
    pub fn at(point: &str) -> Self {
        Self { at: point.into(), ..Self::default() }
    }

    /// The names of all points.
    #[cfg(test)]
    pub(crate) fn points() -> Vec<String> {
        Point::NAMES.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    /// The point, if the fault makes sense there.
    fn checked(&self) -> Result<Point, String> {
        let point = Point::named(&self.at)?;
        let at = &self.at;
        if point.is_http() && (self.reply.is_some() || self.raw.is_some() || self.bytewise) {
            return Err(format!("`{at}` is an HTTP point: give `status` and `body`"));
        }
        if !point.is_http() && (self.status.is_some() || self.body.is_some() || !self.headers.is_empty()) {
            return Err(format!("`{at}` is an SMTP point: give `reply` or `raw`"));
        }
        if self.reply.is_some() && self.raw.is_some() {
            return Err("give `reply` or `raw`, not both".into());
        }
        if let Some(status) = self.status
            && !(200..=599).contains(&status)
        {
            return Err(format!("`status` {status} is not from 200 to 599"));
        }
        if let Some(raw) = &self.raw
            && raw.chars().any(|c| u32::from(c) > 0xff)
        {
            return Err("`raw` takes characters up to U+00FF, one for each octet".into());
        }
        for (name, value) in &self.headers {
            let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
            if name.is_empty() || !name.chars().all(token) || value.chars().any(char::is_control) {
                return Err(format!("header `{name}` cannot be sent"));
            }
        }
        if !(0.0..=3600.0).contains(&self.delay) {
            return Err("`delay` must be from 0 to 3600 seconds".into());
        }
        if self.times < 0 {
            return Err("`times` must be 0 (for ever) or more".into());
        }
        let works = self.reply.is_some()
            || self.raw.is_some()
            || self.status.is_some()
            || self.body.is_some()
            || !self.headers.is_empty()
            || self.drop
            || self.bytewise
            || self.delay > 0.0;
        if !works {
            return Err(format!(
                "the fault at `{at}` does nothing: give `reply`, `raw`, `status`, `body`, `drop` or `delay`"
            ));
        }
        Ok(point)
    }

    /// The octets that stand in for the normal SMTP reply, if the fault has any.
    pub(crate) fn octets(&self) -> Option<Vec<u8>> {
        if let Some(raw) = &self.raw {
            return Some(raw.chars().map(|c| u32::from(c).to_le_bytes()[0]).collect());
        }
        let reply = self.reply.as_ref()?;
        let mut octets = Vec::with_capacity(reply.len() + 2);
        for line in reply.trim_end_matches(['\r', '\n']).split('\n') {
            octets.extend_from_slice(line.trim_end_matches('\r').as_bytes());
            octets.extend_from_slice(b"\r\n");
        }
        Some(octets)
    }
}

/// The faults still to come.
#[derive(Default)]
pub(crate) struct Faults(Vec<(Point, Fault)>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) -> Result<(), String> {
        let point = fault.checked()?;
        if self.0.len() >= 1000 {
            return Err("there are 1000 faults already".into());
        }
        self.0.push((point, fault));
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Removes those that `which` picks.
    pub(crate) fn remove(&mut self, which: impl Fn(&Fault) -> bool) {
        self.0.retain(|(_, fault)| !which(fault));
    }

    /// Those that are there, in order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter().map(|(_, fault)| fault)
    }

    /// The first fault for this occasion, counted down.
    pub(crate) fn take(&mut self, point: Point, text: &str) -> Option<Fault> {
        let mut index = 0;
        while index < self.0.len() {
            let (at, fault) = &mut self.0[index];
            index += 1;
            if *at != point || !fits(fault, text) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            match fault.times {
                0 => return Some(fault.clone()),
                1 => return Some(self.0.remove(index - 1).1),
                _ => {
                    fault.times -= 1;
                    return Some(fault.clone());
                }
            }
        }
        None
    }

    /// How long a client must be silent for the next `idle` fault, if one fits.
    pub(crate) fn idle_after(&self, command: &str, delivered: bool) -> Option<f64> {
        self.0
            .iter()
            .filter(|(point, _)| *point == Point::Idle)
            .find(|(_, fault)| match fault.matching {
                Some(_) => fits(fault, command),
                None => delivered,
            })
            .map(|(_, fault)| fault.delay)
    }
}

fn fits(fault: &Fault, text: &str) -> bool {
    fault.matching.as_ref().is_none_or(|part| text.to_lowercase().contains(&part.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(at: &str, reply: &str) -> Fault {
        Fault { reply: Some(reply.into()), ..Fault::at(at) }
    }

    #[test]
    fn a_fault_is_counted_skipped_and_matched() {
        let mut faults = Faults::default();
        faults
            .add(Fault { times: 2, skip: 1, matching: Some("BOB@".into()), ..reply("rcpt", "550 no") })
            .unwrap();
        let bob = "RCPT TO:<bob@x.example>";
        assert!(faults.take(Point::Rcpt, "RCPT TO:<ada@x.example>").is_none());
        assert!(faults.take(Point::Rcpt, bob).is_none(), "the first is skipped");
        assert!(faults.take(Point::Mail, bob).is_none());
        assert!(faults.take(Point::Rcpt, bob).is_some());
        assert!(faults.take(Point::Rcpt, bob).is_some());
        assert!(faults.take(Point::Rcpt, bob).is_none());
    }

    #[test]
    fn nonsense_is_refused() {
        let mut faults = Faults::default();
        let unknown = faults.add(reply("recipient", "550 no")).unwrap_err();
        assert!(unknown.contains("rcpt") && unknown.contains("devicecode"));
        assert!(faults.add(Fault::at("rcpt")).is_err());
        assert!(faults.add(reply("token", "550 no")).is_err());
        assert!(faults.add(Fault { status: Some(500), ..Fault::at("rcpt") }).is_err());
        assert!(serde_json::from_str::<Fault>(r#"{"at":"rcpt","replay":"550"}"#).is_err());
    }

    #[test]
    fn a_reply_gets_its_line_ends_and_raw_octets_do_not() {
        let lines = reply("ehlo", "250-a\n250 b").octets().unwrap();
        assert_eq!(lines, b"250-a\r\n250 b\r\n");
        let raw = Fault { raw: Some("250 \u{e9}\n".into()), ..Fault::at("mail") };
        assert_eq!(raw.octets().unwrap(), b"250 \xe9\n");
    }
}
