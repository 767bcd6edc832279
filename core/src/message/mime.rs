//! MIME bodies (RFC 2045, 2046): which part stands in which, and how each is encoded. What is built
//! here is 7-bit, but for attached messages that are not.

use std::borrow::Cow;
use std::sync::Arc;

use super::attachment::{Attachment, has_parameter};
use super::content::{Content, Segment, Streamed};
use super::header::Section;
use super::line_ends::{LINE_LIMIT, has_line_over, to_crlf};
use super::open_file::OpenFile;
use super::transfer::{base64, base64_size, quoted_printable};
use crate::crypto::random;
use crate::error::Result;
use crate::input::FieldPath;

/// A body part.
pub(crate) enum Part<'a> {
    /// Text or a file.
    Leaf {
        /// The part's headers.
        headers: Section,
        /// What is in it.
        body: MimeBody<'a>,
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
pub(crate) enum MimeBody<'a> {
    /// Lines that are fit to go as they are.
    Plain(Cow<'a, [u8]>),
    /// RFC 2045 §6.7.
    QuotedPrintable(Cow<'a, [u8]>),
    /// RFC 2045 §6.8.
    Base64(Cow<'a, [u8]>),
    /// The same, read as it goes.
    File(&'a Arc<OpenFile>),
    /// The same, read once.
    Stream(&'a Streamed),
}

/// What is written, piece by piece.
#[derive(Default)]
pub(crate) struct Sink {
    segments: Vec<Segment>,
    octets: Vec<u8>,
}

impl Sink {
    /// With room for so many octets in memory.
    pub(crate) fn with_capacity(octets: usize) -> Self {
        Self { segments: Vec::new(), octets: Vec::with_capacity(octets) }
    }

    pub(crate) fn write(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    fn later(&mut self, segment: Segment) {
        if !self.octets.is_empty() {
            self.segments.push(Segment::Octets(std::mem::take(&mut self.octets).into()));
        }
        self.segments.push(segment);
    }

    /// All that was written, its last line ended.
    pub(crate) fn finish(mut self) -> Content {
        // What is read later is followed by a boundary, so that the end lies in memory.
        if !self.octets.ends_with(b"\r\n") {
            self.octets.extend_from_slice(b"\r\n");
        }
        self.segments.push(Segment::Octets(self.octets.into()));
        Content::new(self.segments)
    }
}

/// What a reader is shown, in as many forms as there are.
#[derive(Clone, Copy)]
pub(crate) struct Texts<'a> {
    pub(crate) text: Option<&'a str>,
    pub(crate) html: Option<&'a str>,
    /// iCalendar: readers that know it offer to answer (RFC 6047).
    pub(crate) calendar: Option<&'a str>,
}

/// The tree for a message: related in alternative in mixed, each only where there is need. With `seven_bit`,
/// attached messages that are not are files.
///
/// # Errors
/// `message_invalid` if a part's header does not fit on a line.
pub(crate) fn tree<'a>(
    texts: Texts<'a>,
    attachments: &'a [(Attachment, Segment)],
    seven_bit: bool,
    place: &FieldPath,
) -> Result<Part<'a>> {
    let Texts { text, html, calendar } = texts;
    let mut inline = Vec::new();
    let mut rest = Vec::new();
    for (at, (attachment, source)) in attachments.iter().enumerate() {
        let place = place.field("attachments").index(at);
        // A content id without HTML that could refer to it is only one more attachment.
        let is_inline = html.is_some() && attachment.inline_id().is_some();
        let part = file(attachment, source, is_inline, seven_bit, &place)?;
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
    if let Some(calendar) = calendar {
        // The richest form comes last (RFC 2046 §5.1.4).
        body.push(text_part(&calendar_type("text/calendar", calendar), calendar));
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
    pub(crate) fn write(&self, out: &mut Sink) {
        match self {
            Self::Leaf { headers, body } => {
                out.write(headers.as_str().as_bytes());
                let encoding = body.encoding();
                out.write(format!("Content-Transfer-Encoding: {encoding}\r\n\r\n").as_bytes());
                body.write(out);
            }
            Self::Multi { media_type, boundary, parts } => {
                let head = format!("Content-Type: {media_type};\r\n boundary=\"{boundary}\"\r\n");
                out.write(head.as_bytes());
                if self.is_eight_bit() {
                    // RFC 2045 §6.4: a part's encoding holds for what contains it.
                    out.write(b"Content-Transfer-Encoding: 8bit\r\n");
                }
                for part in parts {
                    out.write(format!("\r\n--{boundary}\r\n").as_bytes());
                    part.write(out);
                }
                out.write(format!("\r\n--{boundary}--\r\n").as_bytes());
            }
        }
    }

    fn is_eight_bit(&self) -> bool {
        match self {
            Self::Leaf { body, .. } => body.encoding() == "8bit",
            Self::Multi { parts, .. } => parts.iter().any(Self::is_eight_bit),
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

impl MimeBody<'_> {
    fn encoding(&self) -> &'static str {
        match self {
            Self::Plain(octets) if octets.is_ascii() => "7bit",
            Self::Plain(_) => "8bit",
            Self::QuotedPrintable(_) => "quoted-printable",
            Self::Base64(_) | Self::File(_) | Self::Stream(_) => "base64",
        }
    }

    fn write(&self, out: &mut Sink) {
        match self {
            Self::Plain(octets) => out.write(octets),
            Self::QuotedPrintable(octets) => quoted_printable(octets, &mut out.octets),
            Self::Base64(octets) => base64(octets, &mut out.octets),
            Self::File(file) => out.later(Segment::File(Arc::clone(file))),
            Self::Stream(one) => out.later(Segment::Stream(Streamed::clone(one))),
        }
    }

    fn size_hint(&self) -> usize {
        match self {
            Self::Plain(octets) => octets.len(),
            Self::QuotedPrintable(octets) => octets.len() * 2,
            Self::Base64(octets) => base64_size(octets.len() as u64) as usize,
            Self::File(_) | Self::Stream(_) => 0,
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
        MimeBody::Plain(octets)
    } else if foreign() * 3 > octets.len() {
        // Three octets for one against four for three: base64 is the shorter.
        MimeBody::Base64(octets)
    } else {
        MimeBody::QuotedPrintable(octets)
    };
    Part::Leaf { headers, body }
}

/// The media type of an iCalendar object, with the charset that RFC 5545 §3.1.4 demands and the object's own method
/// (RFC 6047 §2.4), unless `given` says them.
fn calendar_type(given: &str, object: &str) -> String {
    let mut out = given.trim().trim_end_matches(';').to_owned();
    if !has_parameter(given, "charset") {
        out.push_str("; charset=utf-8");
    }
    if let Some(method) = calendar_method(object).filter(|_| !has_parameter(given, "method")) {
        out.push_str("; method=");
        out.push_str(&method);
    }
    out
}

/// The METHOD of the object itself, which may be folded (RFC 5545 §3.1) and have parameters.
fn calendar_method(object: &str) -> Option<String> {
    let mut lines: Vec<String> = Vec::new();
    let object = object.strip_prefix('\u{feff}').unwrap_or(object);
    let mut depth = 0;
    // Behind the first component that begins inside, no property of the object itself can stand.
    for line in object.lines() {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some(last)) => last.push_str(rest),
            _ => {
                let begins = line.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("BEGIN:"));
                depth += usize::from(begins);
                if depth > 1 {
                    break;
                }
                lines.push(line.to_owned());
            }
        }
    }
    let method = lines.iter().find_map(|line| {
        let rest = line.get(..6).filter(|name| name.eq_ignore_ascii_case("METHOD")).map(|_| &line[6..])?;
        let mut quoted = false;
        let colon = rest.find(|c| {
            quoted ^= c == '"';
            c == ':' && !quoted
        })?;
        (colon == 0 || rest.starts_with(';')).then(|| rest[colon + 1..].trim().to_owned())
    })?;
    let known = !method.is_empty() && method.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    known.then_some(method)
}

/// Where an iCalendar object names its method.
fn beginning(source: &Segment) -> String {
    const LOOKED_AT: usize = 16 * 1024;
    match source {
        Segment::Octets(octets) => {
            String::from_utf8_lossy(&octets[..octets.len().min(LOOKED_AT)]).into_owned()
        }
        Segment::File(file) => {
            let mut octets = vec![0; LOOKED_AT.min(usize::try_from(file.size()).unwrap_or(LOOKED_AT))];
            match file.read_exact_at(&mut octets, 0) {
                Ok(()) => String::from_utf8_lossy(&octets).into_owned(),
                // Whoever reads it to send it says what is wrong.
                Err(_) => String::new(),
            }
        }
        Segment::Stream(_) | Segment::Spooled(..) => String::new(),
    }
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

fn file<'a>(
    attachment: &Attachment,
    source: &'a Segment,
    inline: bool,
    seven_bit: bool,
    place: &FieldPath,
) -> Result<Part<'a>> {
    let mut media_type = attachment.media_type();
    let mut body = match source {
        Segment::Octets(octets) => MimeBody::Base64(octets.as_ref().into()),
        Segment::File(file) => MimeBody::File(file),
        Segment::Stream(one) => MimeBody::Stream(one),
        Segment::Spooled(..) => return Err(place.error("is a finished message, not an attachment")),
    };
    if let (true, Segment::Octets(octets)) = (attachment.is_message(), source) {
        // RFC 2046 §5.2 forbids to encode messages. One that cannot go as it is goes as a file.
        let lines = to_crlf(octets);
        if lines.contains(&0) || has_line_over(&lines, LINE_LIMIT) || (seven_bit && !lines.is_ascii()) {
            media_type = "application/octet-stream".to_owned();
        } else {
            body = MimeBody::Plain(lines);
        }
    }
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("text/calendar") {
        media_type = calendar_type(&media_type, &beginning(source));
    }
    let mut headers = Section::default();
    let at = place.field("filename");
    let name = attachment.shown_name();
    match &name {
        // Exchange and older readers look for the name here ([MS-OXCMAIL] 2.1.3.4).
        Some(name) if !has_parameter(&media_type, "name") => {
            headers.with_name("Content-Type", &media_type, "name", name, &at)?;
        }
        _ => headers.structured("Content-Type", &media_type, &place.field("content_type"))?,
    }
    let disposition = if inline { "inline" } else { "attachment" };
    match &name {
        Some(name) => headers.with_name("Content-Disposition", disposition, "filename", name, &at)?,
        None => headers.plain("Content-Disposition", disposition),
    }
    if let Some(id) = attachment.inline_id() {
        headers.plain("Content-ID", &format!("<{id}>"));
    }
    Ok(Part::Leaf { headers, body })
}
