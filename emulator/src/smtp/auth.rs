//! AUTH (RFC 4954): XOAUTH2 and OAUTHBEARER (RFC 7628) with tokens that are really checked; passwords are
//! listened to and refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::reply::Reply;
use super::session::{Session, User};
use super::wire::{Closed, Line};
use crate::access;
use crate::config::AuthRefusal;
use crate::fault::Point;
use crate::seen::Auth;

/// What came of asking for a response.
enum Response {
    Octets(Vec<u8>),
    /// A reply is on its way already.
    Refused,
}

impl Session {
    pub(super) async fn auth(&mut self, mechanism: &str, initial: Option<String>) -> Result<(), Closed> {
        let offered = self.words.mechanisms(&self.config);
        let known = matches!(mechanism, "XOAUTH2" | "OAUTHBEARER" | "LOGIN" | "PLAIN")
            && self.config.offers("AUTH")
            && offered.split(' ').any(|name| name.eq_ignore_ascii_case(mechanism));
        if self.hello.is_none() {
            return self.answer(self.words.need("hello"));
        }
        if !self.wire.is_tls() {
            return self.answer(self.words.tls_first());
        }
        if self.user.is_some() || self.envelope.is_some() {
            return self.answer(self.words.out_of_order());
        }
        if !known {
            return self.answer(self.words.unknown_mechanism());
        }
        let inline = initial.is_some();
        let response = match (mechanism, initial) {
            ("LOGIN", initial) => return self.login(initial).await,
            // RFC 4954 §4: `=` stands for an empty response.
            (_, Some(initial)) if initial == "=" => Response::Octets(Vec::new()),
            (_, Some(initial)) => self.decoded(initial.as_bytes())?,
            (_, None) => self.ask(mechanism, "").await?,
        };
        let Response::Octets(response) = response else {
            return Ok(());
        };
        let (username, token) = match mechanism {
            "XOAUTH2" => xoauth2(&response),
            "OAUTHBEARER" => oauthbearer(&response),
            _ => return self.password(mechanism, plain_username(&response), inline).await,
        };
        self.bearer(mechanism, username, &token, inline).await
    }

    /// The verdict on a token.
    async fn bearer(
        &mut self,
        mechanism: &str,
        username: String,
        token: &str,
        inline: bool,
    ) -> Result<(), Closed> {
        let checked = access::check(&self.shared.lock(), &self.shared.keys, token, &username);
        let (mut seen, normal) = match checked {
            Ok(id) => {
                let full = self
                    .config
                    .max_connections
                    .is_some_and(|most| self.shared.lock().connections_of(&username) >= most);
                let reply = if full {
                    self.words.too_many_connections(self.now())
                } else {
                    self.words.authenticated()
                };
                (self.seen(mechanism, &username, inline, id), reply)
            }
            Err(id) => {
                (self.seen(mechanism, &username, inline, id), self.words.not_authenticated(self.now()))
            }
        };
        let text = format!("AUTH {mechanism} user={username}");
        let fault = (!inline)
            .then(|| self.shared.take_fault(Point::AuthResponse, &text))
            .flatten()
            .or_else(|| self.shared.take_fault(Point::Auth, &text));
        let is_scripted =
            fault.as_ref().is_some_and(|fault| fault.reply.is_some() || fault.raw.is_some() || fault.drop);
        let challenge = match fault.as_ref().and_then(|fault| fault.reply.as_deref()) {
            Some("334-json") => true,
            _ => {
                !is_scripted
                    && checked.is_err()
                    && self.words.auth_refusal(&self.config) == AuthRefusal::Challenge
            }
        };
        if challenge {
            let delay = fault.map_or(0.0, |fault| fault.delay);
            self.wire.flush().await?;
            crate::http::pause(delay).await;
            let json = STANDARD.encode(self.words.error_challenge());
            self.answer(Reply::new(&format!("334 {json}")))?;
            return self.after_challenge(seen).await;
        }
        let settled = self.settle(fault, normal).await?;
        if settled.reply.0.starts_with(b"334") {
            // A scripted challenge of any kind is an error challenge too.
            self.emit(settled).await?;
            return self.after_challenge(seen).await;
        }
        seen.accepted = settled.effective;
        seen.reply = settled.reply.first_line();
        if settled.effective {
            self.shared.lock().connect(&username);
            self.user = Some(User { username, mechanism: mechanism.to_owned() });
        }
        self.shared.note_auth(seen);
        self.emit(settled).await
    }

    /// The client's answer to an error challenge, then the refusal. The refusal is noted first: many clients
    /// hang up here, or send their next command instead of an answer.
    async fn after_challenge(&mut self, mut seen: Auth) -> Result<(), Closed> {
        let reply = self.words.not_authenticated(self.now());
        seen.reply = reply.first_line();
        self.shared.note_auth(seen);
        let line = self.response_line().await?;
        // `AQ==` or nothing is what belongs here; anything longer might be the token again.
        let answer = match line {
            Line::Whole(line) if line.len() <= 8 => String::from_utf8_lossy(&line).into_owned(),
            _ => "***".into(),
        };
        self.shared.lock().log.challenge_answered(self.number, answer);
        self.answer(reply)
    }

    async fn login(&mut self, initial: Option<String>) -> Result<(), Closed> {
        let inline = initial.is_some();
        let username = match initial {
            Some(initial) => self.decoded(initial.as_bytes())?,
            None => self.ask("LOGIN", "VXNlcm5hbWU6").await?,
        };
        let Response::Octets(username) = username else {
            return Ok(());
        };
        let Response::Octets(_) = self.ask("LOGIN", "UGFzc3dvcmQ6").await? else {
            return Ok(());
        };
        let username = String::from_utf8_lossy(&username).into_owned();
        self.password("LOGIN", username, inline).await
    }

    async fn password(&mut self, mechanism: &str, username: String, inline: bool) -> Result<(), Closed> {
        let reply = self.words.basic_disabled(self.now());
        let text = format!("AUTH {mechanism} user={username}");
        let settled = self.decide(Point::Auth, &text, reply).await?;
        let mut seen = self.seen(mechanism, &username, inline, 0);
        seen.reply = settled.reply.first_line();
        seen.accepted = settled.effective;
        if settled.effective {
            self.shared.lock().connect(&username);
            self.user = Some(User { username, mechanism: mechanism.to_owned() });
        }
        self.shared.note_auth(seen);
        self.emit(settled).await
    }

    /// `334` with this challenge, and the response to it.
    async fn ask(&mut self, mechanism: &str, challenge: &str) -> Result<Response, Closed> {
        let normal = Reply::new(&format!("334 {challenge}"));
        let text = format!("AUTH {mechanism}");
        let settled = self.decide(Point::AuthChallenge, &text, normal).await?;
        let goes_on = settled.effective;
        self.emit(settled).await?;
        if !goes_on {
            return Ok(Response::Refused);
        }
        match self.response_line().await? {
            Line::TooLong => {
                self.answer(self.words.line_too_long())?;
                Ok(Response::Refused)
            }
            Line::Whole(line) => self.decoded(&line),
        }
    }

    async fn response_line(&mut self) -> Result<Line, Closed> {
        let idle = self.idle();
        let line = self.wire.line(None, idle).await?;
        self.log("***".into());
        Ok(line)
    }

    fn decoded(&mut self, line: &[u8]) -> Result<Response, Closed> {
        if line == b"*" {
            self.answer(self.words.cancelled())?;
            return Ok(Response::Refused);
        }
        match STANDARD.decode(line) {
            Ok(octets) => Ok(Response::Octets(octets)),
            Err(_) => {
                self.answer(self.words.not_base64())?;
                Ok(Response::Refused)
            }
        }
    }

    fn seen(&self, mechanism: &str, username: &str, inline: bool, token_id: usize) -> Auth {
        Auth {
            mechanism: mechanism.to_owned(),
            username: username.to_owned(),
            inline,
            token_id,
            connection: self.number,
            ..Auth::default()
        }
    }
}

/// `user=…^Aauth=Bearer …^A^A`; anything else gives an empty user and an empty token.
fn xoauth2(response: &[u8]) -> (String, String) {
    let parsed = std::str::from_utf8(response).ok().and_then(|text| {
        let rest = text.strip_prefix("user=")?;
        let (username, rest) = rest.split_once('\x01')?;
        let token = bearer(rest.strip_suffix("\x01\x01")?)?;
        Some((username.to_owned(), token.to_owned()))
    });
    parsed.unwrap_or_default()
}

/// `n,a=…,^Ahost=…^Aport=…^Aauth=Bearer …^A^A` (RFC 7628 §3.1).
fn oauthbearer(response: &[u8]) -> (String, String) {
    let parsed = std::str::from_utf8(response).ok().and_then(|text| {
        let (header, pairs) = text.split_once('\x01')?;
        let username = header.strip_prefix("n,a=")?.strip_suffix(',')?;
        let pairs = pairs.strip_suffix("\x01\x01")?;
        let token = pairs.split('\x01').find_map(bearer)?;
        let username = username.replace("=2C", ",").replace("=3D", "=");
        Some((username, token.to_owned()))
    });
    parsed.unwrap_or_default()
}

fn bearer(pair: &str) -> Option<&str> {
    let value = pair.strip_prefix("auth=")?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then_some(token)
}

fn plain_username(response: &[u8]) -> String {
    let mut parts = response.split(|octet| *octet == 0);
    String::from_utf8_lossy(parts.nth(1).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vectors_are_read() {
        let google = STANDARD.decode("dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ==").unwrap();
        assert_eq!(
            xoauth2(&google),
            ("someuser@example.com".into(), "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg".into())
        );
        let rfc7628 = STANDARD.decode("bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB").unwrap();
        assert_eq!(
            oauthbearer(&rfc7628),
            ("user@example.com".into(), "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==".into())
        );
    }

    #[test]
    fn half_a_response_is_nobody() {
        for broken in [
            &b"user=a@x.example\x01auth=Bearer t\x01"[..],
            b"user=a@x.example auth=Bearer t\x01\x01",
            b"\xff",
            b"",
        ] {
            assert_eq!(xoauth2(broken), (String::new(), String::new()));
            assert_eq!(oauthbearer(broken), (String::new(), String::new()));
        }
    }
}
