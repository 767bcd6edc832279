//! Enough of MIME (RFC 2045, 2047) to show a message on a page and to find its Subject.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Parts within parts, and parts in all, that are looked at.
const DEPTH: usize = 16;

/// A part: headers, and either a body or parts of its own.
pub(crate) struct Part<'a> {
    headers: Vec<(String, String)>,
    body: &'a [u8],
    parts: Vec<Self>,
}

/// Takes a message apart, as far as that goes.
pub(crate) fn parse(raw: &[u8]) -> Part<'_> {
    part(raw, DEPTH)
}

/// The headers of a message; its body is not looked at.
pub(crate) fn head(raw: &[u8]) -> Part<'_> {
    part(raw, 0)
}

impl<'a> Part<'a> {
    /// A header's value, unfolded and decoded.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.raw_header(name).map(decode_words)
    }

    /// The media type in lower case.
    pub(crate) fn kind(&self) -> String {
        let value = self.raw_header("Content-Type").unwrap_or("text/plain");
        let kind = value.split(';').next().unwrap_or_default();
        kind.trim().to_ascii_lowercase()
    }

    /// The first part of this type that is not an attachment.
    pub(crate) fn find(&self, kind: &str) -> Option<&Self> {
        if self.parts.is_empty() {
            return (self.kind() == kind && !self.is_attachment()).then_some(self);
        }
        self.parts.iter().find_map(|part| part.find(kind))
    }

    /// Everything that is not the text.
    pub(crate) fn files(&self) -> Vec<&Self> {
        if self.parts.is_empty() {
            let is_text = matches!(self.kind().as_str(), "text/plain" | "text/html");
            return if is_text && !self.is_attachment() { Vec::new() } else { vec![self] };
        }
        self.parts.iter().flat_map(Self::files).collect()
    }

    pub(crate) fn file_name(&self) -> Option<String> {
        [("Content-Disposition", "filename"), ("Content-Type", "name")]
            .iter()
            .find_map(|(header, name)| parameter(self.raw_header(header)?, name))
            .map(|name| decode_words(&name))
    }

    /// The body without its transfer encoding.
    pub(crate) fn decoded(&self) -> Cow<'a, [u8]> {
        let encoding = self.raw_header("Content-Transfer-Encoding").unwrap_or_default();
        match encoding.trim().to_ascii_lowercase().as_str() {
            "base64" => Cow::Owned(base64_lenient(self.body)),
            "quoted-printable" => Cow::Owned(quoted_printable(self.body, false)),
            _ => Cow::Borrowed(self.body),
        }
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        let charset =
            self.raw_header("Content-Type").and_then(|value| parameter(value, "charset")).unwrap_or_default();
        characters(&self.decoded(), &charset)
    }

    fn raw_header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    fn is_attachment(&self) -> bool {
        self.raw_header("Content-Disposition")
            .is_some_and(|value| value.trim().to_ascii_lowercase().starts_with("attachment"))
    }
}

/// The addresses of a header field: what stands in `<…>`, else each comma-separated word with an `@`.
pub(crate) fn addresses(value: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut quoted, mut escaped, mut comment) = (false, false, 0usize);
    let mut word = String::new();
    let mut bracketed: Option<String> = None;
    let mut inside = false;
    for c in value.chars().chain([',']) {
        if escaped {
            escaped = false;
            word.push(c);
            continue;
        }
        match c {
            '\\' if quoted || comment > 0 => escaped = true,
            '"' if comment == 0 => {
                quoted = !quoted;
                word.push(c);
            }
            '(' if !quoted => comment += 1,
            ')' if !quoted && comment > 0 => comment -= 1,
            _ if comment > 0 => {}
            '<' if !quoted => {
                inside = true;
                word.clear();
            }
            '>' if !quoted && inside => {
                inside = false;
                bracketed = Some(std::mem::take(&mut word));
            }
            ',' | ';' if !quoted && !inside => {
                let address = bracketed.take().unwrap_or_else(|| word.clone());
                let address = address.rsplit(':').next().unwrap_or_default().trim();
                if address.contains('@') {
                    found.push(address.to_owned());
                }
                word.clear();
            }
            c => word.push(c),
        }
    }
    found
}

fn part(raw: &[u8], depth: usize) -> Part<'_> {
    let (headers, body) = split(raw);
    let content_type = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("Content-Type"))
        .map(|(_, value)| value.clone())
        .unwrap_or_default();
    let boundary = parameter(&content_type, "boundary")
        .filter(|_| depth > 0 && content_type.trim().to_ascii_lowercase().starts_with("multipart/"));
    let parts = boundary.map_or_else(Vec::new, |boundary| {
        between(body, &boundary).into_iter().map(|raw| part(raw, depth - 1)).collect()
    });
    Part { headers, body, parts }
}

fn split(raw: &[u8]) -> (Vec<(String, String)>, &[u8]) {
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut rest = raw;
    while !rest.is_empty() {
        let end = rest.iter().position(|octet| *octet == b'\n').map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at(end);
        rest = after;
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            break;
        }
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = headers.last_mut() {
                value.push(' ');
                value.push_str(line.trim_start());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            headers.push((name.trim_end().to_owned(), value.trim_start().to_owned()));
        }
    }
    (headers, rest)
}

/// The octets between the delimiter lines of a multipart (RFC 2046 §5.1.1).
fn between<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    let (mut start, mut at) = (None, 0);
    for line in body.split_inclusive(|octet| *octet == b'\n') {
        let tail = line.strip_prefix(delimiter.as_bytes());
        if let Some(tail) = tail {
            let tail = String::from_utf8_lossy(tail);
            let tail = tail.trim_end();
            if tail.is_empty() || tail == "--" {
                if let Some(start) = start.take() {
                    // The line end before a delimiter belongs to the delimiter.
                    let mut end = at;
                    if end > start && body[end - 1] == b'\n' {
                        end -= 1;
                        if end > start && body[end - 1] == b'\r' {
                            end -= 1;
                        }
                    }
                    parts.push(&body[start..end]);
                }
                if tail == "--" || parts.len() >= 1000 {
                    return parts;
                }
                start = Some(at + line.len());
            }
        }
        at += line.len();
    }
    if let Some(start) = start {
        parts.push(&body[start..]);
    }
    parts
}

/// A parameter of a structured header; RFC 2231's `name*` too, without continuations.
fn parameter(value: &str, name: &str) -> Option<String> {
    let mut rest = value.split_once(';')?.1;
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (text, next) = if let Some(quoted) = after.strip_prefix('"') {
            let mut text = String::new();
            let mut escaped = false;
            let mut end = quoted.len();
            for (at, c) in quoted.char_indices() {
                if escaped {
                    text.push(c);
                    escaped = false;
                } else if c == '\\' {
                    escaped = true;
                } else if c == '"' {
                    end = at + 1;
                    break;
                } else {
                    text.push(c);
                }
            }
            (text, quoted[end..].split_once(';').map_or("", |(_, next)| next))
        } else {
            let (text, next) = after.split_once(';').unwrap_or((after, ""));
            (text.trim().to_owned(), next)
        };
        let key = key.trim();
        if key.eq_ignore_ascii_case(name) {
            return Some(text);
        }
        if key.strip_suffix('*').is_some_and(|key| key.eq_ignore_ascii_case(name)) {
            let mut pieces = text.splitn(3, '\'');
            let charset = pieces.next()?.to_owned();
            let encoded = pieces.nth(1)?;
            return Some(characters(&percent(encoded), &charset));
        }
        rest = next;
    }
    None
}

/// RFC 2047 encoded words.
fn decode_words(value: &str) -> String {
    let mut out = String::new();
    let mut rest = value;
    let mut after_word = false;
    while let Some(at) = rest.find("=?") {
        let (before, word) = rest.split_at(at);
        let mut pieces = word[2..].splitn(4, '?');
        let decoded = (|| {
            let (charset, encoding) = (pieces.next()?, pieces.next()?);
            let (text, tail) = (pieces.next()?, pieces.next()?);
            let tail = tail.strip_prefix('=')?;
            let octets = match encoding {
                "b" | "B" => base64_lenient(text.as_bytes()),
                "q" | "Q" => quoted_printable(text.as_bytes(), true),
                _ => return None,
            };
            Some((characters(&octets, charset), tail))
        })();
        match decoded {
            Some((text, tail)) => {
                // White space between two encoded words is not shown.
                if !(after_word && before.trim().is_empty()) {
                    out.push_str(before);
                }
                out.push_str(&text);
                rest = tail;
                after_word = true;
            }
            None => {
                out.push_str(before);
                out.push_str("=?");
                rest = &word[2..];
                after_word = false;
            }
        }
    }
    out.push_str(rest);
    out
}

fn characters(octets: &[u8], charset: &str) -> String {
    let charset = charset.to_ascii_lowercase();
    if charset.starts_with("iso-8859-1") || charset == "windows-1252" {
        return octets.iter().map(|octet| char::from(*octet)).collect();
    }
    String::from_utf8_lossy(octets).into_owned()
}

fn base64_lenient(text: &[u8]) -> Vec<u8> {
    let plain: Vec<u8> = text.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
    LENIENT.decode(plain).unwrap_or_default()
}

fn quoted_printable(text: &[u8], in_header: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'_' if in_header => out.push(b' '),
            b'=' => {
                if let Some(octet) = hex(text, at + 1) {
                    out.push(octet);
                    at += 2;
                } else if text[at..].starts_with(b"=\r\n") {
                    at += 2;
                } else if text[at..].starts_with(b"=\n") {
                    at += 1;
                } else {
                    out.push(b'=');
                }
            }
            octet => out.push(octet),
        }
        at += 1;
    }
    out
}

fn percent(text: &str) -> Vec<u8> {
    let text = text.as_bytes();
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match (text[at], hex(text, at + 1)) {
            (b'%', Some(octet)) => {
                out.push(octet);
                at += 2;
            }
            (octet, _) => out.push(octet),
        }
        at += 1;
    }
    out
}

fn hex(text: &[u8], at: usize) -> Option<u8> {
    let digits = std::str::from_utf8(text.get(at..at + 2)?).ok()?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_and_decoded() {
        let raw = b"Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\n =?utf-8?Q?_an_alle?=\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n\
            --b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\nplain\r\n--c\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<b>=C3=BC</b>=\r\n!\r\n--c--\r\n\
            --b\r\nContent-Type: application/pdf; name=\"a.pdf\"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename*=utf-8''%C3%BC.pdf\r\n\r\nAAEC\r\n--b--\r\n";
        let message = parse(raw);
        assert_eq!(message.header("subject").unwrap(), "Grüße an alle");
        assert_eq!(message.find("text/plain").unwrap().text(), "plain");
        assert_eq!(message.find("text/html").unwrap().text(), "<b>ü</b>!");
        let files = message.files();
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].file_name().unwrap(), "ü.pdf");
        assert_eq!(*files[0].decoded(), [0, 1, 2]);
    }

    #[test]
    fn addresses_are_taken_out_of_their_display_names() {
        assert_eq!(
            addresses("\"Doe, <Ada>\" <ada@x.example>, bob@y.example (Bob, B), g: c@z.example;"),
            ["ada@x.example", "bob@y.example", "c@z.example"]
        );
    }

    #[test]
    fn nonsense_does_not_panic() {
        for raw in [
            &b""[..],
            b"\r\n",
            b"Content-Type: multipart/mixed; boundary=\r\n\r\n--\r\n",
            b"Content-Type: multipart/mixed; boundary=\"\\",
            b"Subject: =?utf-8?B?=?= =?x\xff\r\n\r\n=\xff",
        ] {
            let message = parse(raw);
            let _ = (message.header("subject"), message.files().len(), message.text());
        }
    }
}
