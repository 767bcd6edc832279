//! MIME bodies (RFC 2045, 2046): which part stands in which, and how each is encoded. What is built
//! here is 7-bit, but for attached messages that are not.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::attachment::Attachment;
use super::header::Section;
use super::line_ends::{LINE_LIMIT, has_line_over, to_crlf};
use super::place::Place;
use crate::error::Result;
use crate::random;

/// A body part.
pub(crate) enum Part<'a> {
    /// Text or a file.
    Leaf {
        /// Its headers.
        headers: Section,
        /// What is in it.
        body: Body<'a>,
    },
    /// Several parts.
    Multi {
        /// `multipart/mixed` and the like, with parameters other than the boundary.
        media_type: &'static str,
        /// The line between the parts, without its dashes.
        boundary: String,
        /// In their order.
        parts: Vec<Self>,
    },
}

/// The octets of a part and how they go over the wire.
pub(crate) enum Body<'a> {
    /// Lines that are fit to go as they are.
    Plain(Cow<'a, [u8]>),
    /// RFC 2045 §6.7.
    QuotedPrintable(Cow<'a, [u8]>),
    /// RFC 2045 §6.8.
    Base64(Cow<'a, [u8]>),
}

/// The tree for a message: related in alternative in mixed, each only where there is need.
///
/// # Errors
/// `message_invalid` if a part's header does not fit on a line.
pub(crate) fn tree<'a>(
    text: Option<&'a str>,
    html: Option<&'a str>,
    attachments: &'a [(Attachment, Bytes)],
    place: &Place,
) -> Result<Part<'a>> {
    let mut inline = Vec::new();
    let mut rest = Vec::new();
    for (at, (attachment, octets)) in attachments.iter().enumerate() {
        let place = place.field("attachments").index(at);
        // A content id without HTML that could refer to it is only one more attachment.
        let is_inline = html.is_some() && attachment.inline_id().is_some();
        let part = file(attachment, octets, is_inline, &place)?;
        if is_inline { inline.push(part) } else { rest.push(part) }
    }
    let mut body = Vec::new();
    if let Some(text) = text {
        body.push(text_part("text/plain; charset=utf-8", text));
    }
    if let Some(html) = html {
        let html = text_part("text/html; charset=utf-8", html);
        body.push(match inline.is_empty() {
            true => html,
            false => {
                inline.insert(0, html);
                multi("multipart/related; type=\"text/html\"", inline)?
            }
        });
    }
    let body = match body.len() {
        0 => None,
        1 => body.pop(),
        _ => Some(multi("multipart/alternative", body)?),
    };
    match (body, rest.is_empty()) {
        (Some(body), true) => Ok(body),
        (None, true) => Ok(text_part("text/plain; charset=utf-8", "")),
        (body, false) => {
            rest.splice(0..0, body);
            multi("multipart/mixed", rest)
        }
    }
}

impl Part<'_> {
    /// Writes headers, the empty line and the body; the last line is ended.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Leaf { headers, body } => {
                out.extend_from_slice(headers.as_str().as_bytes());
                let encoding = body.encoding();
                out.extend_from_slice(format!("Content-Transfer-Encoding: {encoding}\r\n\r\n").as_bytes());
                body.write(out);
            }
            Self::Multi { media_type, boundary, parts } => {
                let head = format!("Content-Type: {media_type};\r\n boundary=\"{boundary}\"\r\n");
                out.extend_from_slice(head.as_bytes());
                for part in parts {
                    out.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
                    part.write(out);
                }
                out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
            }
        }
    }

    /// About how many octets it will be.
    pub(crate) fn size_hint(&self) -> usize {
        match self {
            Self::Leaf { body, .. } => 500 + body.size_hint(),
            Self::Multi { parts, .. } => 500 + parts.iter().map(Self::size_hint).sum::<usize>(),
        }
    }
}

impl Body<'_> {
    fn encoding(&self) -> &'static str {
        match self {
            Self::Plain(octets) if octets.is_ascii() => "7bit",
            Self::Plain(_) => "8bit",
            Self::QuotedPrintable(_) => "quoted-printable",
            Self::Base64(_) => "base64",
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Plain(octets) => out.extend_from_slice(octets),
            Self::QuotedPrintable(octets) => quoted_printable(octets, out),
            Self::Base64(octets) => base64(octets, out),
        }
    }

    fn size_hint(&self) -> usize {
        match self {
            Self::Plain(octets) => octets.len(),
            Self::QuotedPrintable(octets) => octets.len() * 2,
            Self::Base64(octets) => octets.len().div_ceil(57) * 78,
        }
    }
}

fn multi<'a>(media_type: &'static str, parts: Vec<Part<'a>>) -> Result<Part<'a>> {
    // `=_` occurs in no quoted-printable and no base64 line (RFC 2045 §6.7).
    Ok(Part::Multi { media_type, boundary: format!("=_{}", random::hex()?), parts })
}

fn text_part<'a>(media_type: &str, text: &'a str) -> Part<'a> {
    let mut headers = Section::default();
    headers.plain("Content-Type", media_type);
    let octets = to_crlf(text.as_bytes());
    let foreign = || octets.iter().filter(|b| !b.is_ascii()).count();
    let body = if is_plain(&octets) {
        Body::Plain(octets)
    } else if foreign() * 3 > octets.len() {
        // Three octets for one against four for three: base64 is the shorter.
        Body::Base64(octets)
    } else {
        Body::QuotedPrintable(octets)
    };
    Part::Leaf { headers, body }
}

/// Whether no relay, mailbox format or transfer can change it: short ASCII lines without trailing
/// spaces, leading dots and leading `From `.
fn is_plain(octets: &[u8]) -> bool {
    // Without a branch an octet, so that the compiler makes vectors of it; a CR is part of an end by now.
    let odd = |b: &u8| !((b' '..=b'~').contains(b) | matches!(b, b'\t' | b'\n' | b'\r'));
    if octets.chunks(256).any(|chunk| chunk.iter().fold(false, |found, b| found | odd(b))) {
        return false;
    }
    let mut rest = octets;
    let mut lines = std::iter::from_fn(|| {
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        Some(line)
    });
    lines.all(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        line.len() <= 78
            && !line.ends_with(b" ")
            && !line.ends_with(b"\t")
            && !line.starts_with(b".")
            && !line.starts_with(b"From ")
    })
}

fn file<'a>(attachment: &Attachment, octets: &'a Bytes, inline: bool, place: &Place) -> Result<Part<'a>> {
    let mut media_type = attachment.media_type();
    let mut body = Body::Base64(octets.as_ref().into());
    if media_type.to_ascii_lowercase().starts_with("message/") {
        // RFC 2046 §5.2 forbids to encode messages. One that cannot go as it is goes as a file.
        let lines = to_crlf(octets);
        if lines.contains(&0) || has_line_over(&lines, LINE_LIMIT) {
            media_type = "application/octet-stream".to_owned();
        } else {
            body = Body::Plain(lines);
        }
    }
    let mut headers = Section::default();
    headers.structured("Content-Type", &media_type, &place.field("content_type"))?;
    let disposition = if inline { "inline" } else { "attachment" };
    headers.disposition(disposition, attachment.shown_name().as_deref(), &place.field("filename"))?;
    if let Some(id) = attachment.inline_id() {
        headers.plain("Content-ID", &format!("<{id}>"));
    }
    Ok(Part::Leaf { headers, body })
}

/// Lines of 76 characters, each ended (RFC 2045 §6.8).
fn base64(octets: &[u8], out: &mut Vec<u8>) {
    let mut line = [0; 76];
    for chunk in octets.chunks(57) {
        // 57 octets make 76 characters, so the slice always fits.
        let len = STANDARD.encode_slice(chunk, &mut line).unwrap_or(0);
        out.extend_from_slice(&line[..len]);
        out.extend_from_slice(b"\r\n");
    }
}

/// Lines of at most 76 characters. A dot or `From ` that would begin a line is encoded too, so that
/// neither SMTP's dots nor mbox's `>From` come near the text.
fn quoted_printable(octets: &[u8], out: &mut Vec<u8>) {
    let mut column = 0;
    let mut at = 0;
    while let Some(&octet) = octets.get(at) {
        let rest = &octets[at..];
        if rest.starts_with(b"\r\n") {
            out.extend_from_slice(b"\r\n");
            column = 0;
            at += 2;
            continue;
        }
        let plain = match octet {
            b' ' | b'\t' => rest.len() > 1 && !rest[1..].starts_with(b"\r\n"),
            b'=' => false,
            b'.' => column != 0 && column < QP_LINE,
            b'F' => !(rest.starts_with(b"From ") && (column == 0 || column >= QP_LINE)),
            other => other.is_ascii_graphic(),
        };
        if column + if plain { 1 } else { 3 } > QP_LINE {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        if plain {
            out.push(octet);
            column += 1;
        } else {
            out.extend_from_slice(&[b'=', HEX[usize::from(octet >> 4)], HEX[usize::from(octet & 15)]]);
            column += 3;
        }
        at += 1;
    }
}

/// The 76th character is for the soft line break's `=`.
const QP_LINE: usize = 75;
const HEX: &[u8; 16] = b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    use super::*;

    fn qp(text: &str) -> String {
        let mut out = Vec::new();
        quoted_printable(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn quoted_printable_is_as_the_rfc_has_it() {
        for (text, want) in [
            ("", ""),
            ("a=b", "a=3Db"),
            ("a ", "a=20"),
            ("a \r\nb\t\r\n", "a=20\r\nb=09\r\n"),
            ("a b", "a b"),
            (".\r\n..\r\na.", "=2E\r\n=2E.\r\na."),
            ("From x\r\nFrom", "=46rom x\r\nFrom"),
            ("é\0", "=C3=A9=00"),
        ] {
            assert_eq!(qp(text), want, "{text:?}");
        }
        for text in
            ["x".repeat(1000), "é".repeat(1000), ".".repeat(1000), "From ".repeat(300), " ".repeat(500)]
        {
            for line in qp(&text).split("\r\n") {
                assert!(line.len() <= 76 && !line.starts_with('.') && !line.starts_with("From "), "{line}");
                assert!(!line.ends_with(' '), "{line:?}");
            }
        }
    }

    #[test]
    fn base64_lines_are_full_and_ended() {
        let mut out = Vec::new();
        base64(&[7; 115], &mut out);
        let lines: Vec<_> = std::str::from_utf8(&out).unwrap().split("\r\n").map(str::len).collect();
        assert_eq!(lines, [76, 76, 4, 0]);
    }
}
