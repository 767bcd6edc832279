//! Reading replies (RFC 5321 §4.2), octet by octet if need be, with a cap on everything.
//!
//! Tolerant where real servers are sloppy (no space after the code, bare LF, octets over 127), strict
//! where sloppiness would shift replies against commands.

use std::fmt;

use crate::error::Reply;

/// Collects octets and hands out whole replies.
#[derive(Debug, Default)]
pub(crate) struct ReplyParser {
    buffer: Vec<u8>,
    /// Octets of `buffer` already searched for a line end.
    searched: usize,
    /// The lines so far of a reply whose last line has not come: code and text.
    lines: Vec<(u16, String)>,
    octets: usize,
}

/// What came is no SMTP reply. The text says what it was instead, without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ReplyParser {
    /// Takes octets as they come.
    pub(crate) fn push(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    /// The next whole reply, if it is there; its `command` is left to the caller.
    ///
    /// # Errors
    /// [`Malformed`]: the connection cannot be used any more.
    pub(crate) fn next(&mut self) -> Result<Option<Reply>, Malformed> {
        while let Some(end) = memchr::memchr(b'\n', &self.buffer[self.searched..]) {
            let end = self.searched + end;
            if end >= MAX_LINE {
                return Err(Malformed(format!("a reply line is longer than {MAX_LINE} octets")));
            }
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            self.searched = 0;
            if let Some(reply) = self.line(&line)? {
                return Ok(Some(reply));
            }
        }
        self.searched = self.buffer.len();
        if self.searched > MAX_LINE {
            return Err(Malformed(format!("a reply line is longer than {MAX_LINE} octets")));
        }
        Ok(None)
    }

    /// Nothing came beyond the replies handed out.
    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.lines.is_empty()
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<Reply>, Malformed> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(code) = code(line) else {
            return Err(Malformed(format!("`{}` is not an SMTP reply", shown(line))));
        };
        let more = match line.get(3) {
            Some(b'-') => true,
            Some(b' ') | None => false,
            Some(_) => return Err(Malformed(format!("`{}` is not an SMTP reply", shown(line)))),
        };
        if let Some((first, _)) = self.lines.first()
            && *first != code
        {
            return Err(Malformed(format!("one reply has the codes {first} and {code}")));
        }
        let text = printable(line.get(4..).unwrap_or_default());
        self.octets += line.len();
        self.lines.push((code, text));
        if self.lines.len() > MAX_LINES || self.octets > MAX_REPLY {
            return Err(Malformed(format!("a reply is longer than {MAX_LINES} lines or {MAX_REPLY} octets")));
        }
        if more {
            return Ok(None);
        }
        self.octets = 0;
        Ok(Some(joined(code, std::mem::take(&mut self.lines))))
    }
}

fn joined(code: u16, lines: Vec<(u16, String)>) -> Reply {
    let enhanced = lines.first().and_then(|(_, text)| enhanced(code, text)).map(str::to_owned);
    let text: Vec<&str> = lines
        .iter()
        .map(|(_, text)| match enhanced_of(text) {
            Some(status) if enhanced.is_some() => text[status.len()..].trim_start(),
            _ => text.as_str(),
        })
        .collect();
    let text = text.join("\n").trim_end().to_owned();
    Reply { code, enhanced, text, command: None }
}

fn code(line: &[u8]) -> Option<u16> {
    let [a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', ..] = line else { return None };
    Some(u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0'))
}

/// An enhanced status code (RFC 2034 §4) whose class is that of the reply.
fn enhanced(code: u16, text: &str) -> Option<&str> {
    enhanced_of(text).filter(|status| status.as_bytes()[0] - b'0' == (code / 100) as u8)
}

fn enhanced_of(text: &str) -> Option<&str> {
    let word = text.split([' ', '\t']).next()?;
    let parts: Vec<&str> = word.split('.').collect();
    let [class, subject, detail] = parts[..] else { return None };
    let number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    (matches!(class, "2" | "4" | "5") && number(subject) && number(detail)).then_some(word)
}

fn shown(line: &[u8]) -> String {
    printable(&line[..line.len().min(80)])
}

/// What a terminal would obey is not passed on.
fn printable(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    text.chars().map(|c| if c.is_control() && c != '\t' { '?' } else { c }).collect()
}

/// RFC 5321 §4.5.3.1.5 says 512; servers that echo addresses or diagnose go beyond.
const MAX_LINE: usize = 4096;
const MAX_LINES: usize = 100;
const MAX_REPLY: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn one(octets: &[u8]) -> Result<Option<Reply>, Malformed> {
        let mut parser = ReplyParser::default();
        parser.push(octets);
        parser.next()
    }

    #[test]
    fn replies_of_every_shape() {
        let table: &[(&[u8], u16, Option<&str>, &str)] = &[
            (b"250 2.0.0 OK <a@b>\r\n", 250, Some("2.0.0"), "OK <a@b>"),
            (b"250\r\n", 250, None, ""),
            (b"334\n", 334, None, ""),
            (b"334 \r\n", 334, None, ""),
            (b"250 ok\n", 250, None, "ok"),
            (b"535-5.7.8 Bad.\r\n535 5.7.8  see https://x\r\n", 535, Some("5.7.8"), "Bad.\nsee https://x"),
            (b"250-mx.example\r\n250-SIZE 10\r\n250 DSN\r\n", 250, None, "mx.example\nSIZE 10\nDSN"),
            // Its class is not the reply's: it is text.
            (b"550 2.1.5 odd\r\n", 550, None, "2.1.5 odd"),
            (b"220 10.0.0.1 ready\r\n", 220, None, "10.0.0.1 ready"),
            (b"554 5.2.252 STOREDRV; x\r\n", 554, Some("5.2.252"), "STOREDRV; x"),
            (b"550 5.7.1\r\n", 550, Some("5.7.1"), ""),
            (b"550 \x1b[31mred\x07\tx\r\n", 550, None, "?[31mred?\tx"),
            (b"550 caf\xe9\r\n", 550, None, "caf\u{fffd}"),
        ];
        for (octets, code, status, text) in table {
            let reply = one(octets).unwrap().unwrap();
            assert_eq!((reply.code, reply.enhanced.as_deref(), reply.text.as_str()), (*code, *status, *text));
        }
    }

    #[test]
    fn an_octet_at_a_time_is_the_same() {
        let octets = b"250-2.1.0 a\r\n250 2.1.0 b\r\n354 go\r\n";
        let mut parser = ReplyParser::default();
        let mut seen = Vec::new();
        for octet in octets {
            parser.push(&[*octet]);
            while let Some(reply) = parser.next().unwrap() {
                seen.push(reply.to_string());
            }
        }
        assert_eq!(seen, ["250 2.1.0 a b", "354 go"]);
        assert!(parser.is_empty());
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for octets in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"\r\n",
            b"25 ok\r\n",
            b"150 ok\r\n",
            b"650 ok\r\n",
            b"250x\r\n",
            b"250-a\r\n550 b\r\n",
            b"\x15\x03\x01\x00\n",
        ] {
            assert!(one(octets).is_err(), "{octets:?}");
        }
    }

    #[test]
    fn caps_hold() {
        let mut line = b"250 ".to_vec();
        line.resize(MAX_LINE + 1, b'x');
        assert!(one(&line).is_err());
        line.truncate(MAX_LINE - 2);
        line.extend_from_slice(b"\r\n");
        assert!(one(&line).unwrap().is_some());
        assert!(one(&b"250-x\r\n".repeat(MAX_LINES + 1)).is_err());
        let mut long = b"250-".to_vec();
        long.resize(4000, b'y');
        long.extend_from_slice(b"\r\n");
        assert!(one(&long.repeat(30)).is_err());
    }

    #[test]
    fn a_half_reply_is_not_one() {
        let mut parser = ReplyParser::default();
        parser.push(b"250-first\r\n25");
        assert_eq!(parser.next(), Ok(None));
        assert!(!parser.is_empty());
    }
}
