//! AUTH with a bearer token (RFC 4954, RFC 7628, Google's XOAUTH2): pure, reply by reply.
//!
//! The exchange says what to send next; whether a fresh token may help, and when to stop asking, are
//! functions beside it. No line of it ever reaches an event, an error or a log.

use std::collections::HashSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use zeroize::Zeroizing;

use super::capabilities::Capabilities;
use crate::config::{InitialResponse, Mechanism};
use crate::error::{Error, ErrorCode, Reply, Result};
use crate::input::Secret;

/// A mechanism that both sides have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sasl {
    Xoauth2,
    Oauthbearer,
}

impl Sasl {
    /// Chooses; XOAUTH2 first, since every provider's own clients use it.
    ///
    /// # Errors
    /// `capability_missing`, naming what the server offers.
    pub(crate) fn choose(wanted: Mechanism, server: &Capabilities, host: &str) -> Result<Self> {
        let candidates: &[Self] = match wanted {
            Mechanism::Auto => &[Self::Xoauth2, Self::Oauthbearer],
            Mechanism::Xoauth2 => &[Self::Xoauth2],
            Mechanism::Oauthbearer => &[Self::Oauthbearer],
        };
        if let Some(found) = candidates.iter().find(|m| server.offers(m.name())) {
            return Ok(*found);
        }
        let names: Vec<_> = candidates.iter().map(|m| m.name()).collect();
        let offered = match server.auth.as_slice() {
            [] => "no AUTH at all".to_owned(),
            mechanisms => mechanisms.iter().take(12).map(|m| shown(m)).collect::<Vec<_>>().join(" "),
        };
        Err(Error::new(
            ErrorCode::CapabilityMissing,
            format!("{host} does not offer {}, but {offered}", names.join(" or ")),
        )
        .with_hint("Use the provider's submission host and port (587 with STARTTLS, or 465)."))
    }

    /// The mechanism's name on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Xoauth2 => "XOAUTH2",
            Self::Oauthbearer => "OAUTHBEARER",
        }
    }

    /// What ends an error challenge: an empty line, or a lone 0x01 (RFC 7628 §3.2.3).
    fn end_of_challenge(self) -> &'static str {
        match self {
            Self::Xoauth2 => "\r\n",
            Self::Oauthbearer => "AQ==\r\n",
        }
    }
}

/// Whether the response goes on the AUTH line, which RFC 4954 §4 limits to 512 octets.
pub(crate) fn inline(
    wanted: InitialResponse,
    mechanism: Sasl,
    response: &str,
    long_line: bool,
    two_step: bool,
) -> bool {
    match wanted {
        InitialResponse::Always => true,
        InitialResponse::Never => false,
        InitialResponse::Auto if two_step => false,
        InitialResponse::Auto => long_line || fits(mechanism, response),
    }
}

fn fits(mechanism: Sasl, response: &str) -> bool {
    "AUTH ".len() + mechanism.name().len() + 1 + response.len() + 2 <= 512
}

/// One AUTH exchange.
#[derive(Debug)]
pub(crate) struct AuthExchange {
    mechanism: Sasl,
    /// Base64 already.
    response: Secret,
    /// A refused long line is asked again in two steps.
    may_fall_back: bool,
    state: Awaiting,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Awaiting {
    Inline,
    Asked,
    Responded,
    Challenged(Option<String>),
}

/// What follows from a reply.
#[derive(Debug)]
pub(crate) enum AuthStep {
    /// Send this, CRLF included.
    Send(Secret),
    /// The server does not take the response inline: remember it, and send this.
    FallBack(Secret),
    /// Signed in.
    Done,
    /// Refused.
    Refused(AuthRefusal),
    /// The reply has no place here.
    Unexpected(Reply),
}

/// How the server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuthRefusal {
    /// The final reply.
    pub(crate) reply: Reply,
    /// The server sent an error challenge before.
    pub(crate) challenged: bool,
    /// The `status` in that challenge's JSON.
    pub(crate) status: Option<String>,
    /// Octets of the line that was refused.
    pub(crate) line: usize,
}

impl AuthExchange {
    /// The exchange, and the line that opens it.
    pub(crate) fn start(
        mechanism: Sasl,
        response: Secret,
        inline: bool,
        may_fall_back: bool,
    ) -> (Self, Secret) {
        let line = match inline {
            true => format!("AUTH {} {}\r\n", mechanism.name(), response.expose()),
            false => format!("AUTH {}\r\n", mechanism.name()),
        };
        let state = if inline { Awaiting::Inline } else { Awaiting::Asked };
        (Self { mechanism, response, may_fall_back, state }, Secret::new(line))
    }

    /// Takes a reply.
    pub(crate) fn reply(&mut self, reply: Reply) -> AuthStep {
        match (reply.code, &self.state) {
            (200..300, Awaiting::Asked) => AuthStep::Unexpected(reply),
            (200..300, _) => AuthStep::Done,
            // Asked, or the inline response was dropped and is asked for again.
            (334, Awaiting::Asked) => self.respond(),
            (334, Awaiting::Inline) if reply.text.trim().is_empty() => self.respond(),
            (334, Awaiting::Inline | Awaiting::Responded) => {
                self.state = Awaiting::Challenged(challenge_status(&reply.text));
                AuthStep::Send(Secret::new(self.mechanism.end_of_challenge()))
            }
            (500 | 501 | 555, Awaiting::Inline) if self.may_fall_back && !about_the_data(&reply) => {
                self.state = Awaiting::Asked;
                AuthStep::FallBack(Secret::new(format!("AUTH {}\r\n", self.mechanism.name())))
            }
            (535, Awaiting::Inline) if self.may_fall_back && self.is_long() && speaks_of_base64(&reply) => {
                self.state = Awaiting::Asked;
                AuthStep::FallBack(Secret::new(format!("AUTH {}\r\n", self.mechanism.name())))
            }
            (400..600, state) => {
                let (challenged, status) = match state {
                    Awaiting::Challenged(status) => (true, status.clone()),
                    _ => (false, None),
                };
                let line = self.line_length();
                AuthStep::Refused(AuthRefusal { reply: self.redacted(reply), challenged, status, line })
            }
            _ => AuthStep::Unexpected(self.redacted(reply)),
        }
    }

    /// The response on the AUTH line is longer than RFC 4954 §4 lets it be.
    fn is_long(&self) -> bool {
        !fits(self.mechanism, self.response.expose())
    }

    /// Octets of the line that was sent last, CRLF included.
    fn line_length(&self) -> usize {
        let command = "AUTH ".len() + self.mechanism.name().len();
        match self.state {
            Awaiting::Inline => command + 1 + self.response.expose().len() + 2,
            Awaiting::Asked => command + 2,
            Awaiting::Responded => self.response.expose().len() + 2,
            Awaiting::Challenged(_) => self.mechanism.end_of_challenge().len(),
        }
    }

    fn respond(&mut self) -> AuthStep {
        self.state = Awaiting::Responded;
        AuthStep::Send(Secret::new(format!("{}\r\n", self.response.expose())))
    }

    /// Some servers echo the line that they did not understand, whole or in part, decoded or not.
    fn redacted(&self, reply: Reply) -> Reply {
        let text = match repeats(self.response.expose(), &reply.text) {
            true => "(the server's words repeat the token and are left out)".to_owned(),
            false => reply.text,
        };
        Reply { text, command: Some(format!("AUTH {}", self.mechanism.name())), ..reply }
    }
}

/// Whether a piece of an AUTH `response`, or of the token in it, stands in `text`, blanks aside.
pub(super) fn repeats(response: &str, text: &str) -> bool {
    let text: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let pieces: HashSet<&[u8]> = text.windows(PIECE).collect();
    let decoded = Zeroizing::new(STANDARD.decode(response).unwrap_or_default());
    // Behind the token's own name: the mailbox, which stands in front, is no secret.
    let token = memchr::memmem::find(&decoded, b"Bearer ").map_or(&[][..], |at| &decoded[at + 7..]);
    let token = &token[..token.iter().position(|b| *b == 1).unwrap_or(token.len())];
    let short = |secret: &[u8]| (6..PIECE).contains(&secret.len());
    [response.as_bytes(), token].into_iter().any(|secret| {
        secret.windows(PIECE).any(|piece| pieces.contains(piece))
            || short(secret) && memchr::memmem::find(&text, secret).is_some()
    })
}

impl AuthRefusal {
    /// Whether another token may be taken: after an error challenge, or where the reply says no more
    /// than that this one was not. A token from a minute ago is not stale: another would fare no better.
    pub(crate) fn calls_for_another_token(&self, age: Duration, breaker_open: bool) -> bool {
        if self.reply.code < 500 || breaker_open || age < FRESH {
            return false;
        }
        match self.reply.enhanced.as_deref() {
            Some("5.7.139" | "5.7.30") => false,
            Some(status) if status.starts_with("5.5.12") => false,
            Some("5.7.3" | "5.7.8" | "5.7.142" | "5.7.143") | None => {
                self.challenged || self.reply.code == 535
            }
            Some(_) => self.challenged,
        }
    }

    /// Whether it says anything against the account: a 4xx does not, nor a line that the server cannot read.
    pub(crate) fn is_permanent(&self) -> bool {
        self.reply.code >= 500 && !self.is_about_the_line()
    }

    /// Whether the server could not take the line, or the command, and never looked at the token (RFC 5321 §4.2.2).
    pub(crate) fn is_about_the_line(&self) -> bool {
        !self.challenged && matches!(self.reply.code, 500 | 502 | 504 | 521)
    }

    /// Whether it is the line's length that the server could not take.
    pub(crate) fn is_about_the_length(&self) -> bool {
        self.is_about_the_line() && self.line > SHORT_LINE && self.reply.code != 504
    }
}

/// HVE's 501 5.5.121 to 5.5.127 judge the token's envelope, not the length of the line.
fn about_the_data(reply: &Reply) -> bool {
    reply.enhanced.as_deref().is_some_and(|status| status.starts_with("5.5.12"))
}

/// Postfix cuts a line at 2,048 octets without a word, and hands what is left to Dovecot.
fn speaks_of_base64(reply: &Reply) -> bool {
    reply.text.to_ascii_lowercase().contains("base64")
}

/// The `status` of an error challenge: Google's and Dovecot's number, RFC 7628's word.
fn challenge_status(text: &str) -> Option<String> {
    let text = text.trim();
    let json = STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).ok()?;
    let value: serde_json::Value = serde_json::from_slice(&json).ok()?;
    let status = match value.get("status")? {
        serde_json::Value::String(status) => status.clone(),
        serde_json::Value::Number(status) => status.to_string(),
        _ => return None,
    };
    let known = status.len() <= 3 && status.bytes().all(|b| b.is_ascii_digit())
        || ["invalid_token", "invalid_request", "insufficient_scope"].contains(&status.as_str());
    known.then_some(status)
}

fn shown(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(40).collect()
}

/// No run of that length is by chance the same in a token and in anybody's prose.
const PIECE: usize = 12;
/// Any server takes a line of that length (RFC 5321 §4.5.3.1.4).
const SHORT_LINE: usize = 512;
const FRESH: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::protocol::reply::ReplyParser;

    fn reply(line: &str) -> Reply {
        let mut parser = ReplyParser::default();
        parser.push(format!("{line}\r\n").as_bytes());
        parser.next().unwrap().unwrap()
    }

    /// Runs an exchange against replies and says what was sent and how it ended.
    fn run(mechanism: Sasl, inline: bool, fall_back: bool, replies: &[&str]) -> (Vec<String>, String) {
        let (mut exchange, first) =
            AuthExchange::start(mechanism, Secret::new("VE9LRU4="), inline, fall_back);
        let mut sent = vec![first.expose().trim_end().to_owned()];
        for line in replies {
            match exchange.reply(reply(line)) {
                AuthStep::Send(line) => sent.push(line.expose().trim_end().to_owned()),
                AuthStep::FallBack(line) => sent.push(format!("fallback {}", line.expose().trim_end())),
                AuthStep::Done => return (sent, "done".into()),
                AuthStep::Refused(r) => {
                    return (sent, format!("{} {} {:?}", r.reply.code, r.challenged, r.status.as_deref()));
                }
                AuthStep::Unexpected(r) => return (sent, format!("unexpected {}", r.code)),
            }
        }
        (sent, "more".into())
    }

    #[test]
    fn exchanges_of_every_shape() {
        use Sasl::{Oauthbearer as O, Xoauth2 as X};
        let google = "334 eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIn0=";
        let rfc = "334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=";
        type Case<'a> = (Sasl, bool, bool, &'a [&'a str], &'a [&'a str], &'a str);
        let table: &[Case<'_>] = &[
            (X, true, true, &["235 2.7.0 ok"], &["AUTH XOAUTH2 VE9LRU4="], "done"),
            (X, false, true, &["334 ", "235 ok"], &["AUTH XOAUTH2", "VE9LRU4="], "done"),
            (X, false, true, &["334", "235 ok"], &["AUTH XOAUTH2", "VE9LRU4="], "done"),
            (X, true, true, &["334 ", "235 ok"], &["AUTH XOAUTH2 VE9LRU4=", "VE9LRU4="], "done"),
            (X, true, true, &["535 5.7.3 no"], &["AUTH XOAUTH2 VE9LRU4="], "535 false None"),
            (
                X,
                true,
                true,
                &[google, "535 5.7.8 no"],
                &["AUTH XOAUTH2 VE9LRU4=", ""],
                "535 true Some(\"401\")",
            ),
            (
                O,
                false,
                true,
                &["334", rfc, "535 no"],
                &["AUTH OAUTHBEARER", "VE9LRU4=", "AQ=="],
                "535 true Some(\"invalid_token\")",
            ),
            (X, true, true, &["334 not base64!", "535 no"], &["AUTH XOAUTH2 VE9LRU4=", ""], "535 true None"),
            (
                X,
                true,
                true,
                &["500 5.5.2 Line too long", "334 ", "235 ok"],
                &["AUTH XOAUTH2 VE9LRU4=", "fallback AUTH XOAUTH2", "VE9LRU4="],
                "done",
            ),
            (
                X,
                true,
                true,
                &["555-5.5.2 Syntax error", "334 "],
                &["AUTH XOAUTH2 VE9LRU4=", "fallback AUTH XOAUTH2", "VE9LRU4="],
                "more",
            ),
            (X, true, false, &["500 long"], &["AUTH XOAUTH2 VE9LRU4="], "500 false None"),
            (X, false, true, &["500 what"], &["AUTH XOAUTH2"], "500 false None"),
            (
                X,
                true,
                true,
                &["501 5.5.124 Invalid XOAUTH2 auth data"],
                &["AUTH XOAUTH2 VE9LRU4="],
                "501 false None",
            ),
            (X, true, true, &["454 4.7.0 later"], &["AUTH XOAUTH2 VE9LRU4="], "454 false None"),
            (X, true, true, &[google, google], &["AUTH XOAUTH2 VE9LRU4=", ""], "unexpected 334"),
            (X, false, true, &["235 so soon"], &["AUTH XOAUTH2"], "unexpected 235"),
            (X, true, true, &["354 odd"], &["AUTH XOAUTH2 VE9LRU4="], "unexpected 354"),
        ];
        for (mechanism, inline, fall_back, replies, sent, end) in table {
            // The second form of this reply ends with its own last line.
            let replies: Vec<_> = replies.iter().map(|r| r.replace("555-", "555 ")).collect();
            let replies: Vec<_> = replies.iter().map(String::as_str).collect();
            let seen = run(*mechanism, *inline, *fall_back, &replies);
            assert_eq!(
                (seen.0.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), seen.1.as_str()),
                (*sent, *end)
            );
        }
    }

    #[test]
    fn a_token_that_comes_back_in_any_form_is_left_out() {
        let token = "SECRET-0123456789-abcdefghij-KLMNOP";
        let response = STANDARD.encode(format!("user=ada@contoso.com\x01auth=Bearer {token}\x01\x01"));
        let echoes = [
            format!("535 bad token {token}"),
            format!("535 bad {}", &token[4..20]),
            format!("535 AUTH XOAUTH2 {response}"),
            format!("535 ...{}", &response[40..70]),
            format!("535-{}\r\n535 {}", &response[20..28], &response[28..36]),
            format!("501 5.5.4 {}", &response[..30]),
        ];
        for echo in &echoes {
            let mut exchange =
                AuthExchange::start(Sasl::Xoauth2, Secret::new(response.clone()), true, false).0;
            let AuthStep::Refused(refusal) = exchange.reply(reply(echo)) else { panic!("{echo}") };
            assert!(refusal.reply.text.starts_with("(the server's words"), "{}", refusal.reply.text);
        }
        let mut exchange = AuthExchange::start(Sasl::Xoauth2, Secret::new(response), true, false).0;
        let AuthStep::Refused(refusal) = exchange.reply(reply("535 5.7.3 no user=ada@contoso.com here"))
        else {
            panic!()
        };
        assert_eq!(refusal.reply.text, "no user=ada@contoso.com here", "a name is no secret");
        let challenge =
            |status: &str| challenge_status(&STANDARD.encode(format!("{{\"status\":\"{status}\"}}")));
        assert_eq!(challenge("401").as_deref(), Some("401"));
        assert_eq!(challenge("invalid_token").as_deref(), Some("invalid_token"));
        assert_eq!(challenge(token), None);
    }

    #[test]
    fn a_long_line_that_was_cut_is_asked_again_in_two_steps() {
        let cut = || reply("535 5.7.8 Error: authentication failed: Invalid base64 data in initial response");
        let start = |length, fall_back| {
            AuthExchange::start(Sasl::Xoauth2, Secret::new("A".repeat(length)), true, fall_back).0
        };
        assert!(matches!(start(2500, true).reply(cut()), AuthStep::FallBack(_)));
        assert!(matches!(start(400, true).reply(cut()), AuthStep::Refused(_)), "it was not cut");
        assert!(matches!(start(2500, false).reply(cut()), AuthStep::Refused(_)));
        assert!(matches!(start(2500, true).reply(reply("535 5.7.3 no")), AuthStep::Refused(_)));
    }

    #[test]
    fn an_echoed_token_is_left_out() {
        let secret = "dXNlcj1hQHgBYXV0aD1CZWFyZXIgYWJjZGVmZ2g=";
        let (mut exchange, _) = AuthExchange::start(Sasl::Xoauth2, Secret::new(secret), true, false);
        let AuthStep::Refused(refusal) = exchange.reply(reply(&format!("501 what is {}", &secret[..30])))
        else {
            panic!("not refused")
        };
        assert!(!refusal.reply.text.contains("dXNl"), "{}", refusal.reply.text);
    }

    #[test]
    fn a_line_that_cannot_be_taken_says_nothing_about_the_token() {
        for (code, challenged, line, about_line, about_length) in [
            (500, false, 1500, true, true),
            (500, false, 60, true, false),
            (502, false, 15, true, false),
            (504, false, 1500, true, false),
            (521, false, 600, true, true),
            (535, false, 1500, false, false),
            (500, true, 2, false, false),
        ] {
            let reply = Reply { code, enhanced: None, text: "x".into(), command: None };
            let refusal = AuthRefusal { reply, challenged, status: None, line };
            assert_eq!(refusal.is_about_the_line(), about_line, "{code} {line}");
            assert_eq!(refusal.is_about_the_length(), about_length, "{code} {line}");
            assert_eq!(refusal.is_permanent(), !about_line, "{code} {line}");
        }
    }

    #[test]
    fn another_token_only_where_it_may_help() {
        let old = Duration::from_secs(600);
        let table = [
            ("535 5.7.3 no", false, old, false, true),
            ("535 5.7.8 no", true, old, false, true),
            ("535 no", false, old, false, true),
            ("535 5.7.142 x", false, old, false, true),
            ("535 5.7.143 x", false, old, false, true),
            ("535 5.7.139 x", false, old, false, false),
            ("535 5.7.139 x", true, old, false, false),
            ("550 5.7.30 x", true, old, false, false),
            ("501 5.5.124 x", true, old, false, false),
            ("501 5.5.127 x", false, old, false, false),
            ("535 5.7.9 x", false, old, false, false),
            ("535 5.7.9 x", true, old, false, true),
            ("454 4.7.0 x", true, old, false, false),
            ("500 x", false, old, false, false),
            ("535 5.7.3 no", false, Duration::from_secs(59), false, false),
            ("535 5.7.3 no", false, old, true, false),
        ];
        for (line, challenged, age, open, expected) in table {
            let refusal = AuthRefusal { reply: reply(line), challenged, status: None, line: 60 };
            assert_eq!(refusal.calls_for_another_token(age, open), expected, "{line} {challenged} {age:?}");
        }
    }

    #[test]
    fn long_responses_go_inline_only_where_that_is_known_to_work() {
        use InitialResponse::{Always, Auto, Never};
        let (short, long) = ("x".repeat(497), "x".repeat(498));
        let table = [
            (Auto, &short, false, false, true),
            (Auto, &long, false, false, false),
            (Auto, &long, true, false, true),
            (Auto, &short, true, true, false),
            (Always, &long, false, true, true),
            (Never, &short, true, false, false),
        ];
        for (wanted, response, long_line, two_step, expected) in table {
            assert_eq!(inline(wanted, Sasl::Xoauth2, response, long_line, two_step), expected);
        }
    }

    #[test]
    fn the_mechanism_is_one_that_both_have() {
        let server = |auth: &[&str]| Capabilities {
            auth: auth.iter().map(|&m| m.to_owned()).collect(),
            ..Capabilities::default()
        };
        let choose = |wanted, auth: &[&str]| Sasl::choose(wanted, &server(auth), "h");
        assert_eq!(choose(Mechanism::Auto, &["OAUTHBEARER", "XOAUTH2"]).unwrap(), Sasl::Xoauth2);
        assert_eq!(choose(Mechanism::Auto, &["OAUTHBEARER"]).unwrap(), Sasl::Oauthbearer);
        for (wanted, auth) in [
            (Mechanism::Auto, &["LOGIN"][..]),
            (Mechanism::Auto, &[]),
            (Mechanism::Xoauth2, &["OAUTHBEARER"]),
        ] {
            assert_eq!(choose(wanted, auth).unwrap_err().code(), ErrorCode::CapabilityMissing);
        }
    }
}
