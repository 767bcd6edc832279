//! What goes over a connection, line by line, for people who look for a fault: the option `trace`. Whatever proves who
//! we are is hidden, and so are bodies.

use super::auth::repeats;
use crate::event::{Event, EventSink};
use crate::input::Secret;
use crate::net::stream::Tap;

/// The transcript of one connection, told as events `smtp.trace`.
pub(crate) struct Transcript {
    events: EventSink,
    number: u64,
    client: Client,
    /// What of a line is there already.
    sent: Vec<u8>,
    received: Vec<u8>,
    /// AUTH is under way: what we say is a secret.
    in_auth: bool,
    /// What we said then: a server may repeat it.
    responses: Vec<Secret>,
}

/// What the client's octets are.
enum Client {
    Lines,
    /// A body that ends with a dot alone; how much of it went, and whether a line begins, or holds a dot so far.
    Body {
        octets: u64,
        line: Line,
    },
    /// What is left of a chunk, and how long it was.
    Chunk {
        left: u64,
        octets: u64,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Begins,
    Dot,
    DotReturn,
    Other,
}

impl Transcript {
    pub(crate) fn new(events: EventSink, number: u64) -> Self {
        Self {
            events,
            number,
            client: Client::Lines,
            sent: Vec::new(),
            received: Vec::new(),
            in_auth: false,
            responses: Vec::new(),
        }
    }

    fn tell(&self, direction: &'static str, line: &str) {
        let shown: String = line
            .trim_end()
            .chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .take(LONGEST)
            .collect();
        self.events.emit(|| {
            Event::new("smtp.trace")
                .with("connection", self.number)
                .with("direction", direction)
                .with("line", shown.as_str())
        });
    }

    fn command(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "AUTH" => {
                self.in_auth = true;
                let mechanism = words.next().unwrap_or_default();
                let hidden = words.next().map(|response| self.responses.push(Secret::new(response)));
                self.tell(
                    "client",
                    &format!("AUTH {mechanism}{}", if hidden.is_some() { " [hidden]" } else { "" }),
                );
            }
            _ if self.in_auth => {
                self.responses.push(Secret::new(line.trim_end()));
                self.tell("client", "[hidden]");
            }
            "BDAT" => {
                let octets = words.next().and_then(|n| n.parse().ok()).unwrap_or_default();
                self.client = Client::Chunk { left: octets, octets };
                self.tell("client", line);
            }
            _ => self.tell("client", line),
        }
    }

    fn reply(&mut self, line: &str) {
        if line.starts_with("354") {
            self.client = Client::Body { octets: 0, line: Line::Begins };
        }
        let code = line.get(..3).unwrap_or_default().to_owned();
        if self.in_auth && code == "334" {
            return self.tell("server", if line.trim_end().len() > 4 { "334 [hidden]" } else { "334" });
        }
        // The last line of a reply has a blank behind its code.
        if self.in_auth && line.as_bytes().get(3) != Some(&b'-') {
            self.in_auth = false;
        }
        match self.responses.iter().any(|response| repeats(response.expose(), line)) {
            true => self.tell("server", &format!("{code} [the server repeats the token]")),
            false => self.tell("server", line),
        }
    }

    /// One octet of a body; at its end, how long it was.
    fn body(&mut self, octet: u8) -> Option<u64> {
        let Client::Body { octets, line } = &mut self.client else { return None };
        *octets += 1;
        *line = match (*line, octet) {
            (Line::Begins, b'.') => Line::Dot,
            (Line::Dot, b'\r') => Line::DotReturn,
            (Line::DotReturn, b'\n') => return Some(*octets),
            (_, b'\n') => Line::Begins,
            _ => Line::Other,
        };
        None
    }
}

impl Tap for Transcript {
    fn sent(&mut self, mut octets: &[u8]) {
        while let [octet, rest @ ..] = octets {
            match &mut self.client {
                Client::Chunk { left: 0, octets } => {
                    let text = format!("[{octets} octets]");
                    self.client = Client::Lines;
                    self.tell("client", &text);
                    continue;
                }
                Client::Chunk { left, .. } => *left -= 1,
                Client::Body { .. } => {
                    if let Some(octets) = self.body(*octet) {
                        self.client = Client::Lines;
                        self.tell("client", &format!("[{octets} octets]"));
                    }
                }
                Client::Lines => {
                    self.sent.push(*octet);
                    if *octet == b'\n' {
                        let line = std::mem::take(&mut self.sent);
                        self.command(&String::from_utf8_lossy(&line));
                    }
                }
            }
            octets = rest;
        }
        if let Client::Chunk { left: 0, octets } = self.client {
            self.client = Client::Lines;
            self.tell("client", &format!("[{octets} octets]"));
        }
    }

    fn received(&mut self, octets: &[u8]) {
        for octet in octets {
            // A server without line ends fills no memory.
            if self.received.len() < LONGEST * 4 {
                self.received.push(*octet);
            }
            if *octet == b'\n' {
                let line = std::mem::take(&mut self.received);
                self.reply(&String::from_utf8_lossy(&line));
            }
        }
    }

    fn secured(&mut self, version: &str) {
        self.tell("both", &format!("[{}]", version.replace('_', ".")));
    }
}

const LONGEST: usize = 1000;

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn record() -> (Transcript, Arc<Mutex<Vec<String>>>) {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = lines.clone();
        let sink = EventSink::new(move |event: &Event| {
            let text = |name: &str| event.fields[name].as_str().unwrap().to_owned();
            kept.lock().unwrap().push(format!("{} {}", &text("direction")[..1], text("line")));
        });
        (Transcript::new(sink, 1), lines)
    }

    #[test]
    fn commands_and_replies_are_told_and_secrets_and_bodies_are_not() {
        const TOKEN: &str = "SECRET-0123456789-abcdefghij";
        let response = STANDARD.encode(format!("user=a@x\x01auth=Bearer {TOKEN}\x01\x01"));
        let (mut transcript, lines) = record();
        let talk: Vec<(bool, String)> = vec![
            (false, "220 hi\r\n".into()),
            (true, "EHLO x\r\n".into()),
            (false, "250-a\r\n250 AUTH XOAUTH2\r\n".into()),
            (true, format!("AUTH XOAUTH2 {response}\r\n")),
            (false, format!("334 {}\r\n", STANDARD.encode("{\"status\":\"401\"}"))),
            (true, "\r\n".into()),
            (false, format!("535 bad {TOKEN}\r\n")),
            (true, "AUTH OAUTHBEARER\r\n".into()),
            (false, "334 \r\n".into()),
            (true, format!("{response}\r\n")),
            (false, "235 ok\r\n".into()),
            (true, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n".into()),
            (false, "250 ok\r\n250 ok\r\n354 go\r\n".into()),
            (true, "AUTH in a body\r\n..\r\n.x\r\n".into()),
            (true, ".\r\nRSET\r\nBDAT 5 LAST\r\nQUIT\n".into()),
            (true, "QUIT\r\n".into()),
            (false, format!("250 ok\r\n221 bye {}\r\n", &response[..40])),
        ];
        for (ours, octets) in talk {
            // However they are cut.
            for octet in octets.as_bytes().chunks(3) {
                if ours { transcript.sent(octet) } else { transcript.received(octet) }
            }
        }
        let lines = lines.lock().unwrap().clone();
        assert_eq!(
            lines,
            [
                "s 220 hi",
                "c EHLO x",
                "s 250-a",
                "s 250 AUTH XOAUTH2",
                "c AUTH XOAUTH2 [hidden]",
                "s 334 [hidden]",
                "c [hidden]",
                "s 535 [the server repeats the token]",
                "c AUTH OAUTHBEARER",
                "s 334",
                "c [hidden]",
                "s 235 ok",
                "c MAIL FROM:<a@x>",
                "c RCPT TO:<b@x>",
                "c DATA",
                "s 250 ok",
                "s 250 ok",
                "s 354 go",
                "c [27 octets]",
                "c RSET",
                "c BDAT 5 LAST",
                "c [5 octets]",
                "c QUIT",
                "s 250 ok",
                "s 221 [the server repeats the token]",
            ]
        );
    }
}
