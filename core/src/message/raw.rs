//! Finished MIME, passed through: what RFC 5321 §2.3.7 and RFC 5322 §3.6 need is repaired, and
//! nothing else is touched.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use memchr::{memchr, memchr_iter};
use serde_json::Value;

use super::Rendered;
use super::attachment::{self, Blob};
use super::content::Content;
use super::envelope::{self, Recipients};
use super::fields::{Made, now, rfc5322_date};
use super::line_ends::{LINE_LIMIT, has_line_over, to_crlf};
use super::requests::{self, Requests};
use super::spool::{self, Spooled};
use crate::address::addr_spec::Address;
use crate::address::address_list;
use crate::error::{Error, Result};
use crate::input::reader::{Reader, string};
use crate::input::{FieldPath, Spelling};
use crate::receipt::Envelope;

/// A raw message, ready for the wire from the moment it is made.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub(crate) rendered: Rendered,
    /// With angle brackets.
    pub(crate) message_id: String,
    pub(crate) tag: Option<String>,
}

impl Raw {
    /// Reads `{raw: {blob} | text, envelope, tag, message_id, date}` and what the server is asked for.
    pub(crate) fn read(value: Value, blobs: &[Blob], spelling: Spelling) -> Result<Self> {
        let known = [&["raw", "envelope", "tag", "message_id", "date"][..], &requests::KNOWN].concat();
        let mut reader = Reader::new(value, FieldPath::top(spelling), &known)?;
        let at = reader.at("raw");
        let mime = match reader.take("raw") {
            Some(value @ Value::Object(_)) => {
                let mut inner = Reader::new(value, at, &["blob"])?;
                let at = inner.at("blob");
                let index = inner.take("blob").ok_or_else(|| at.error("is missing"))?;
                match attachment::find_blob(&index, &at, blobs)? {
                    Blob::Octets(octets) => Mime::Whole(octets),
                    Blob::Stream(_) => return Err(at.error("is a stream: finished MIME is looked at whole")),
                }
            }
            Some(text) => Mime::Whole(string(text, &at)?.into()),
            None => return Err(at.error("is missing")),
        };
        Self::beside(mime, reader, spelling)
    }

    /// As [`read`](Self::read), of MIME that stands beside the fields.
    pub(crate) fn read_spooled(value: Value, mime: Spooled, spelling: Spelling) -> Result<Self> {
        let known = [&["envelope", "tag", "message_id", "date"][..], &requests::KNOWN].concat();
        let reader = Reader::new(value, FieldPath::top(spelling), &known)?;
        let mime = match mime.file {
            None => Mime::Whole(mime.head),
            Some(_) => Mime::Spooled(mime),
        };
        Self::beside(mime, reader, spelling)
    }

    fn beside(mime: Mime, mut reader: Reader, spelling: Spelling) -> Result<Self> {
        let envelope =
            reader.take("envelope").map(|v| envelope::read(v, reader.at("envelope"))).transpose()?;
        let tag = reader.line("tag")?;
        let (made, requests) = (Made::read(&mut reader)?, Requests::read(&mut reader)?);
        Self::new(mime, envelope, tag, &made, requests, spelling)
    }

    /// Repairs `mime`. An envelope that is given has been checked; `made` serves where the headers
    /// have no Message-ID or Date.
    pub(crate) fn new(
        mime: Mime,
        envelope: Option<Envelope>,
        tag: Option<String>,
        made: &Made,
        requests: Requests,
        spelling: Spelling,
    ) -> Result<Self> {
        let place = FieldPath::top(spelling).field("raw");
        let (mime, rest, has_nul) = mime.mended();
        if has_nul {
            return Err(place.error("has a NUL octet").with_hint("Encode binary content in base64."));
        }
        let mime = without_separator(mime);
        if mime.starts_with(b" ") || mime.starts_with(b"\t") {
            return Err(place.error("begins with the continuation of a header that is not there"));
        }
        let fields = scan(&mime);
        if !fields.iter().any(|f| f.is("from")) {
            return Err(place.error("has no From header"));
        }
        let envelope = match envelope {
            Some(envelope) => envelope,
            None => from_headers(&fields, &mime, &place)?,
        };
        let given =
            |name: &str| fields.iter().filter(|f| f.is(name)).map(|f| f.value(&mime)).find(|v| !v.is_empty());
        let mut front = String::new();
        let message_id = match given("message-id") {
            Some(id) => id,
            None => {
                let id = made.message_id(author_domain(&fields, &mime).as_deref())?;
                front.push_str(&format!("Message-ID: {id}\r\n"));
                id
            }
        };
        if given("date").is_none() {
            front.push_str(&format!("Date: {}\r\n", rfc5322_date(made.date.unwrap_or_else(now))));
        }
        let head = fields.last().map_or(0, |f| f.range.end);
        let drop: Vec<_> = fields.iter().filter(|f| f.is_left_out(&mime)).map(|f| f.range.clone()).collect();
        if rest.is_some() && head == mime.len() {
            return Err(place.error(format!("has a header section of more than {} KiB", spool::HEAD / 1024)));
        }
        let bytes = assemble(&mime, front, &drop, rest.is_none());
        let tail = rest.as_ref().map(|rest| rest.tail).unwrap_or_default();
        let head_is_utf8 =
            fields.iter().filter(|f| !f.is_left_out(&mime)).any(|f| !mime[f.range.clone()].is_ascii())
                && std::str::from_utf8(&mime[..head]).is_ok();
        Ok(Self {
            rendered: Rendered {
                smtputf8: head_is_utf8 || envelope::needs_smtputf8(&envelope),
                eight_bit: !bytes.is_ascii() || tail.eight_bit,
                long_line: has_line_over(&bytes, LINE_LIMIT) || tail.long_line,
                envelope,
                content: match rest {
                    None => bytes.into(),
                    Some(rest) => Content::spooled(bytes, &rest),
                },
                requests,
            },
            message_id,
            tag,
        })
    }
}

/// What is read: in memory whole, or its beginning, with the rest in a file.
pub(crate) enum Mime {
    Whole(Bytes),
    Spooled(Spooled),
}

impl Mime {
    /// Its octets in memory with CRLF line ends, what is left in a file, and whether a NUL is anywhere.
    fn mended(self) -> (Bytes, Option<Spooled>, bool) {
        match self {
            Self::Whole(mime) => {
                let has_nul = memchr(0, &mime).is_some();
                match to_crlf(&mime) {
                    Cow::Borrowed(_) => (mime, None, has_nul),
                    Cow::Owned(repaired) => (repaired.into(), None, has_nul),
                }
            }
            Self::Spooled(spooled) => (spooled.head.clone(), Some(spooled.clone()), spooled.has_nul),
        }
    }
}

/// One header field: its name in lower case, and where it stands with its folded lines and CRLF.
#[derive(Debug)]
struct HeaderField {
    name: String,
    range: Range<usize>,
    value: Range<usize>,
}

impl HeaderField {
    fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// Unfolded, without white space around it. What is not UTF-8 becomes U+FFFD.
    fn value(&self, mime: &[u8]) -> String {
        let text = String::from_utf8_lossy(&mime[self.value.clone()]);
        text.replace("\r\n", "").trim().to_owned()
    }

    /// Blind copies stay blind; an empty Message-ID or Date makes room for a real one.
    fn is_left_out(&self, mime: &[u8]) -> bool {
        match self.name.as_str() {
            "bcc" | "resent-bcc" => true,
            "message-id" | "date" => self.value(mime).is_empty(),
            _ => false,
        }
    }
}

/// The fields up to the empty line. A line that is none has no name, and the search goes on behind it:
/// readers differ in what they make of it, and a Bcc that some of them would see must not stay.
fn scan(mime: &[u8]) -> Vec<HeaderField> {
    let mut fields: Vec<HeaderField> = Vec::new();
    let mut start = 0;
    let ends = memchr_iter(b'\n', mime).map(|lf| lf + 1).chain([mime.len()]);
    for end in ends {
        let line = &mime[start..end];
        match (line.first(), fields.last_mut()) {
            (None | Some(b'\r'), _) => break,
            (Some(b' ' | b'\t'), Some(field)) => {
                field.range.end = end;
                field.value.end = end;
            }
            _ => {
                let colon = memchr(b':', line).unwrap_or(0);
                // RFC 5322 §4.5 has white space before the colon.
                let name = line[..colon].trim_ascii_end();
                let name = if name.iter().all(u8::is_ascii_graphic) { name } else { b"" };
                let name = String::from_utf8_lossy(name).to_ascii_lowercase();
                fields.push(HeaderField { name, range: start..end, value: start + colon + 1..end });
            }
        }
        start = end;
    }
    fields
}

/// The octets behind an mbox separator (RFC 4155), which `sendmail -t` is fed with at times.
fn without_separator(mime: Bytes) -> Bytes {
    let Some(rest) = mime.strip_prefix(b"From ").or_else(|| mime.strip_prefix(b">From ")) else {
        return mime;
    };
    // RFC 5322 §4.5 has blanks before a colon, too.
    if rest.trim_ascii_start().starts_with(b":") {
        return mime;
    }
    let end = memchr(b'\n', &mime).map_or(mime.len(), |lf| lf + 1);
    mime.slice(end..)
}

/// A header's name as people write it.
fn title(name: &str) -> String {
    let upper = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + rest
    };
    name.split('-').map(upper).collect::<Vec<_>>().join("-")
}

/// Sender and recipients as the headers have them; those of the latest resending if there is one
/// (RFC 5322 §3.6.6).
fn from_headers(fields: &[HeaderField], mime: &[u8], place: &FieldPath) -> Result<Envelope> {
    let block = resent_block(fields);
    let all: Vec<&HeaderField> = fields.iter().collect();
    let addresses = |fields: &[&HeaderField], names: &[&str]| -> Result<Vec<Address>> {
        let mut out = Vec::new();
        for field in fields.iter().filter(|f| names.contains(&f.name.as_str())) {
            let wrong = |what: String| {
                Error::invalid_message(place.path(), format!("the header {}: {what}", title(&field.name)))
                    .with_hint("Correct the header, or give the envelope together with the message.")
            };
            let list = address_list::parse(&field.value(mime)).map_err(wrong)?;
            for entry in list.entries {
                out.push(Address::parse(&entry.address).map_err(|what| wrong(format!("is wrong: {what}")))?);
            }
        }
        Ok(out)
    };
    let mut senders = Vec::new();
    for (fields, name) in
        [(&block, "resent-sender"), (&block, "resent-from"), (&all, "sender"), (&all, "from")]
    {
        if senders.is_empty() {
            senders = addresses(fields, &[name])?;
        }
    }
    let mail_from = match &senders[..] {
        [one] => one.to_string(),
        [] => return Err(place.error("has no address in its From header")),
        _ => {
            return Err(place
                .error("has several senders in its headers")
                .with_hint("Add a Sender header with one address, or give the envelope."));
        }
    };
    let mut recipients = Recipients::default();
    let named = match block.is_empty() {
        true => addresses(&all, &["to", "cc", "bcc"])?,
        false => addresses(&block, &["resent-to", "resent-cc", "resent-bcc"])?,
    };
    for address in named {
        recipients.add(&address);
    }
    let rcpt_to = recipients.into_list();
    if rcpt_to.is_empty() {
        return Err(place
            .error("has no recipient in its headers")
            .with_hint("Add a To, Cc or Bcc header, or give the envelope."));
    }
    Ok(Envelope { mail_from, rcpt_to })
}

/// The topmost Resent- fields that name somebody. Each resending puts its block in front, so the block
/// ends where a name comes again or a trace field stands.
fn resent_block(fields: &[HeaderField]) -> Vec<&HeaderField> {
    let mut block: Vec<&HeaderField> = Vec::new();
    for field in fields {
        if field.name.starts_with("resent-") {
            if block.iter().any(|f| f.name == field.name) {
                break;
            }
            block.push(field);
        } else if !block.is_empty() && matches!(field.name.as_str(), "received" | "return-path") {
            break;
        }
    }
    if !block.iter().any(|f| matches!(f.name.as_str(), "resent-to" | "resent-cc" | "resent-bcc")) {
        block.clear();
    }
    block
}

fn author_domain(fields: &[HeaderField], mime: &[u8]) -> Option<String> {
    let from = fields.iter().find(|f| f.is("from"))?;
    let list = address_list::parse(&from.value(mime)).ok()?;
    Some(Address::parse(&list.entries.first()?.address).ok()?.ascii_domain())
}

/// `front`, then `mime` without the ranges in `drop`; where it is `whole`, its last line is ended.
fn assemble(mime: &Bytes, front: String, drop: &[Range<usize>], whole: bool) -> Bytes {
    let ended = !whole || mime.ends_with(b"\r\n");
    if front.is_empty() && drop.is_empty() && ended {
        return mime.clone();
    }
    let mut out = front.into_bytes();
    out.reserve(mime.len() + 2);
    let mut copied = 0;
    for range in drop {
        out.extend_from_slice(&mime[copied..range.start]);
        copied = range.end;
    }
    out.extend_from_slice(&mime[copied..]);
    if whole && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.into()
}
