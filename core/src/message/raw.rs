//! Finished MIME, passed through: what RFC 5321 §2.3.7 and RFC 5322 §3.6 need is repaired, and
//! nothing else is touched.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use memchr::{memchr, memchr_iter};
use serde_json::{Value, json};

use super::attachment::{self, Blob};
use super::content::Content;
use super::envelope::{self, Recipients};
use super::fields::{Made, now, rfc5322_date};
use super::header::{self, Section};
use super::line_ends::{LINE_LIMIT, has_line_over, to_crlf};
use super::requests::{self, Requests};
use super::spool::{self, Spooled};
use super::{Fallback, Rendered};
use crate::address::addr_spec::Address;
use crate::address::{Mailbox, MailboxOption, address_list, encoded_word};
use crate::error::{Error, Result};
use crate::input::reader::{Reader, string};
use crate::input::{FieldPath, Spelling};
use crate::receipt::Envelope;

/// A raw message, ready for the wire from the moment it is made.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    /// As it is sent once it is [complete](Self::complete).
    pub(crate) rendered: Rendered,
    /// It has no From header.
    lacks_from: bool,
    /// Nothing says who sends it: the null reverse-path stands in the envelope meanwhile.
    lacks_sender: bool,
    /// With angle brackets.
    pub(crate) message_id: String,
    pub(crate) tag: Option<String>,
}

impl Raw {
    /// Reads `{raw: {blob} | text, envelope, tag, message_id, date}` and what the server is asked for.
    pub(crate) fn read(
        value: Value,
        blobs: &[Blob],
        spelling: Spelling,
        default_sender: Option<&MailboxOption>,
    ) -> Result<Self> {
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
        Self::beside(mime, reader, spelling, default_sender)
    }

    /// As [`read`](Self::read), of MIME that stands beside the fields.
    pub(crate) fn read_spooled(value: Value, mime: Spooled, spelling: Spelling) -> Result<Self> {
        let known = [&["envelope", "tag", "message_id", "date"][..], &requests::KNOWN].concat();
        let reader = Reader::new(value, FieldPath::top(spelling), &known)?;
        let mime = match mime.file {
            None => Mime::Whole(mime.head),
            Some(_) => Mime::Spooled(mime),
        };
        Self::beside(mime, reader, spelling, None)
    }

    fn beside(
        mime: Mime,
        mut reader: Reader,
        spelling: Spelling,
        default_sender: Option<&MailboxOption>,
    ) -> Result<Self> {
        let envelope = reader.take("envelope").map(|v| envelope::read_partly(v, reader.at("envelope")));
        let (mail_from, rcpt_to) = envelope.transpose()?.map_or((None, None), |(from, to)| (from, Some(to)));
        let tag = reader.line("tag")?;
        let (made, requests) = (Made::read(&mut reader)?, Requests::read(&mut reader)?);
        Self::new(mime, Beside { mail_from, rcpt_to, tag, made, requests, default_sender }, spelling)
    }

    /// Repairs `mime`; what is said beside it has been checked.
    pub(crate) fn new(mime: Mime, beside: Beside<'_>, spelling: Spelling) -> Result<Self> {
        let place = FieldPath::top(spelling).field("raw");
        let (mime, rest, has_nul) = mime.mended();
        if has_nul {
            return Err(place.error("has a NUL octet").with_hint("Encode binary content in base64."));
        }
        let mime = without_separator(mime);
        let mut fields = scan(&mime);
        let is_body = !mime.is_empty() && is_body(&fields);
        if is_body {
            fields.clear();
        } else if mime.starts_with(b" ") || mime.starts_with(b"\t") {
            return Err(place.error("begins with the continuation of a header that is not there"));
        }
        let lacks_from = !fields.iter().any(|f| f.is("from"));
        let is_signed = fields.iter().any(|f| f.is("dkim-signature"));
        if lacks_from && is_signed {
            let error = place.error("has no From header");
            return Err(error.with_hint("It is signed (DKIM-Signature), so mailbearer adds none."));
        }
        let mail_from = match beside.mail_from {
            Some(given) => Some(given),
            None => sender(&fields, &mime, &place)?,
        };
        let rcpt_to = match beside.rcpt_to {
            Some(given) => given,
            None => recipients(&fields, &mime, &place)?,
        };
        let lacks_sender = mail_from.is_none();
        let envelope = Envelope { mail_from: mail_from.unwrap_or_default(), rcpt_to };
        let given =
            |name: &str| fields.iter().filter(|f| f.is(name)).map(|f| f.value(&mime)).find(|v| !v.is_empty());
        let mut front = String::new();
        let message_id = match given("message-id") {
            Some(id) => id,
            None => {
                let default = || Mailbox::from_option(beside.default_sender?, &place).ok();
                let domain = author_domain(&fields, &mime)
                    .or_else(|| default().map(|mailbox| mailbox.address.ascii_domain()))
                    .or_else(|| Some(Address::parse(&envelope.mail_from).ok()?.ascii_domain()));
                let id = beside.made.message_id(domain.as_deref())?;
                front.push_str(&format!("Message-ID: {id}\r\n"));
                id
            }
        };
        if given("date").is_none() {
            front.push_str(&format!("Date: {}\r\n", rfc5322_date(beside.made.date.unwrap_or_else(now))));
        }
        if is_body || mime.is_empty() {
            front.push_str("\r\n");
        }
        let head = fields.last().map_or(0, |f| f.range.end);
        if rest.is_some() && head == mime.len() {
            return Err(place.error(format!("has a header section of more than {} KiB", spool::HEAD / 1024)));
        }
        let kept = |f: &&HeaderField| !f.is_left_out(&mime);
        let wide: Vec<_> = fields.iter().filter(kept).filter(|f| !mime[f.range.clone()].is_ascii()).collect();
        let left_out = fields.iter().filter(|f| !kept(f)).map(|f| (f.range.clone(), String::new()));
        let changes: Vec<_> = left_out.collect();
        let tail = rest.as_ref().map(|rest| rest.tail).unwrap_or_default();
        let content = |bytes: Bytes| match &rest {
            None => bytes.into(),
            Some(rest) => Content::spooled(bytes, rest),
        };
        let bytes = assemble(&mime, &front, changes.clone(), rest.is_none());
        let head_is_utf8 = !wide.is_empty() && std::str::from_utf8(&mime[..head]).is_ok();
        let wide_envelope = envelope::needs_smtputf8(&envelope);
        let encodes = head_is_utf8 && !wide_envelope && !is_signed;
        let fallback =
            match encodes.then(|| wide.iter().map(|f| f.encoded(&mime)).collect::<Option<Vec<_>>>()) {
                Some(Some(encoded)) => {
                    let bytes = assemble(&mime, &front, [changes, encoded].concat(), rest.is_none());
                    let eight_bit = !bytes.is_ascii() || tail.eight_bit;
                    Some(Fallback { content: content(bytes), eight_bit })
                }
                _ => None,
            };
        Ok(Self {
            rendered: Rendered {
                smtputf8: head_is_utf8 || wide_envelope,
                eight_bit: !bytes.is_ascii() || tail.eight_bit,
                long_line: has_line_over(&bytes, LINE_LIMIT) || tail.long_line,
                envelope,
                content: content(bytes),
                fallback,
                requests: beside.requests,
            },
            lacks_from,
            lacks_sender,
            message_id,
            tag: beside.tag,
        })
    }

    /// With what the mailer adds where nobody said it, as RFC 6409 §8 lets a submission server do: From and the
    /// reverse-path. `default` is the mailer's sender.
    ///
    /// # Errors
    /// `message_invalid` if nothing says who sends it.
    pub(crate) fn complete(&self, default: Option<&MailboxOption>, spelling: Spelling) -> Result<Rendered> {
        let mut out = self.rendered.clone();
        if !self.lacks_from && !self.lacks_sender {
            return Ok(out);
        }
        let place = FieldPath::top(spelling).field("raw");
        let from = match default {
            Some(default) => Mailbox::from_option(default, &place)?,
            None => match Address::parse(&out.envelope.mail_from) {
                Ok(address) => Mailbox { name: None, address },
                Err(_) => {
                    let error = place.error("has no From header");
                    return Err(error.with_hint("Add a From header, or set `from` on the mailer."));
                }
            },
        };
        if self.lacks_from {
            let mut section = Section::default();
            section.mailboxes("From", std::slice::from_ref(&from), &place)?;
            let wide = !section.as_str().is_ascii();
            let front = Bytes::from(section.as_str().to_owned());
            out.content = out.content.behind(front.clone());
            out.smtputf8 |= wide;
            out.eight_bit |= wide;
            out.fallback = out.fallback.filter(|_| !wide);
            if let Some(fallback) = &mut out.fallback {
                fallback.content = fallback.content.behind(front);
            }
        }
        if self.lacks_sender {
            out.envelope.mail_from = from.address.to_string();
            out.smtputf8 |= envelope::needs_smtputf8(&out.envelope);
        }
        Ok(out)
    }

    /// The envelope as [`read`](Self::read) takes it.
    pub(crate) fn envelope_json(&self) -> Value {
        match self.lacks_sender {
            true => json!({ "rcpt_to": self.rendered.envelope.rcpt_to }),
            false => json!(self.rendered.envelope),
        }
    }
}

/// What is said beside finished MIME.
#[derive(Default)]
pub(crate) struct Beside<'a> {
    /// The reverse-path; the headers say it where it is absent.
    pub(crate) mail_from: Option<String>,
    /// The forward-paths; the headers say them where they are absent.
    pub(crate) rcpt_to: Option<Vec<String>>,
    pub(crate) tag: Option<String>,
    /// Serves where the headers have no Message-ID or Date.
    pub(crate) made: Made,
    pub(crate) requests: Requests,
    /// The mailer's sender.
    pub(crate) default_sender: Option<&'a MailboxOption>,
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

    /// The field with its text in encoded words (RFC 2047), and where it stands; `None` if its syntax may forbid them.
    fn encoded(&self, mime: &[u8]) -> Option<(Range<usize>, String)> {
        if !header::is_free_text(&self.name) {
            return None;
        }
        let name = std::str::from_utf8(&mime[self.range.start..self.value.start]).ok()?;
        let value = self.value(mime).replace('\t', " ");
        // Words that are encoded already stay what they say, unless that would leave its header.
        let said = encoded_word::decode(&value);
        let said = if said.contains(char::is_control) { value } else { said };
        let text = encoded_word::encode_text(&said, name.len() + 1);
        Some((self.range.clone(), format!("{name} {text}\r\n")))
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
                // A BOM from the middle of a pasted file hides no Bcc.
                let mut hidden = name;
                while let Some(rest) = hidden.strip_prefix("\u{feff}".as_bytes()) {
                    hidden = rest;
                }
                let name = if hidden.to_ascii_lowercase().ends_with(b"bcc") { hidden } else { name };
                let name = if name.iter().all(u8::is_ascii_graphic) { name } else { b"" };
                let name = String::from_utf8_lossy(name).to_ascii_lowercase();
                fields.push(HeaderField { name, range: start..end, value: start + colon + 1..end });
            }
        }
        start = end;
    }
    fields
}

/// The octets behind an mbox separator (RFC 4155), which `sendmail -t` is fed with at times, and behind the BOM that
/// some editors write: no header begins with one.
fn without_separator(mut mime: Bytes) -> Bytes {
    while mime.starts_with("\u{feff}".as_bytes()) {
        mime = mime.slice(3..);
    }
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

/// Who sends it as the headers have it, those of the latest resending first (RFC 5322 §3.6.6). `None` if there is
/// no From.
fn sender(fields: &[HeaderField], mime: &[u8], place: &FieldPath) -> Result<Option<String>> {
    let (block, all) = (resent_block(fields), fields.iter().collect::<Vec<_>>());
    let mut senders = Vec::new();
    for (fields, name) in
        [(&block, "resent-sender"), (&block, "resent-from"), (&all, "sender"), (&all, "from")]
    {
        if senders.is_empty() {
            senders = addresses(fields, &[name], mime, place)?;
        }
    }
    match &senders[..] {
        [one] => Ok(Some(one.to_string())),
        [] if !fields.iter().any(|f| f.is("from")) => Ok(None),
        [] => Err(place.error("has no address in its From header")),
        _ => Err(place
            .error("has several senders in its headers")
            .with_hint("Add a Sender header with one address, or give the envelope.")),
    }
}

/// Who receives it as the headers have it, those of the latest resending if there is one.
fn recipients(fields: &[HeaderField], mime: &[u8], place: &FieldPath) -> Result<Vec<String>> {
    let (block, all) = (resent_block(fields), fields.iter().collect::<Vec<_>>());
    let mut recipients = Recipients::default();
    let named = match block.is_empty() {
        true => addresses(&all, &["to", "cc", "bcc"], mime, place)?,
        false => addresses(&block, &["resent-to", "resent-cc", "resent-bcc"], mime, place)?,
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
    Ok(rcpt_to)
}

/// The addresses in the fields that have one of the names.
fn addresses(
    fields: &[&HeaderField],
    names: &[&str],
    mime: &[u8],
    place: &FieldPath,
) -> Result<Vec<Address>> {
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
}

/// Whether there is no header section at all: the first line is none, and no line of the first paragraph is one that
/// says who sends or receives.
fn is_body(fields: &[HeaderField]) -> bool {
    const TELLING: &[&str] =
        &["from", "to", "cc", "bcc", "subject", "date", "message-id", "sender", "received"];
    let tells = |f: &HeaderField| TELLING.contains(&f.name.as_str()) || f.name.starts_with("resent-");
    fields.first().is_some_and(|first| first.name.is_empty()) && !fields.iter().any(tells)
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

/// `front`, then `mime` with other text in some ranges; where it is `whole`, its last line is ended.
fn assemble(mime: &Bytes, front: &str, mut changes: Vec<(Range<usize>, String)>, whole: bool) -> Bytes {
    let ended = !whole || mime.ends_with(b"\r\n");
    if front.is_empty() && changes.is_empty() && ended {
        return mime.clone();
    }
    changes.sort_by_key(|(range, _)| range.start);
    let mut out = Vec::with_capacity(front.len() + mime.len() + 2);
    out.extend_from_slice(front.as_bytes());
    let mut copied = 0;
    for (range, text) in changes {
        out.extend_from_slice(&mime[copied..range.start]);
        out.extend_from_slice(text.as_bytes());
        copied = range.end;
    }
    out.extend_from_slice(&mime[copied..]);
    if whole && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.into()
}
