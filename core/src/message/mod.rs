//! Messages: from fields or raw octets to an envelope and the octets for the wire (RFC 5322, RFC 2045
//! to 2047). A message is data: nothing here talks to a server, and dots are not stuffed here. No
//! header, address or name with a control character gets through.

mod attachment;
mod builder;
mod byte_stream;
mod content;
mod date;
mod dkim;
mod envelope;
mod fields;
mod header;
pub(crate) mod line_ends;
mod mime;
mod open_file;
#[cfg(test)]
mod random_tests;
mod raw;
#[cfg(test)]
mod raw_tests;
mod render;
mod requests;
mod spool;
#[cfg(test)]
mod tests;
mod transfer;

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::address::MailboxOption;
use crate::config::{DkimSettings, FilePolicy};
use crate::error::{Error, ErrorCode, Result};
use crate::input::Spelling;
use crate::receipt::Envelope;

pub use self::attachment::{Attachment, Blob};
pub use self::builder::MessageBuilder;
pub use self::byte_stream::ByteStream;
pub(crate) use self::content::{Content, Piece, Reading};
pub use self::spool::{Spool, Spooled};

use self::fields::{Fields, Priority};
use self::raw::{Beside, Mime, Raw};
pub(crate) use self::requests::{Hold, Requests, xtext};
pub(crate) use crate::input::FieldPath;
use crate::input::reader::no_controls;

/// A message: data, with its Message-ID and Date from the moment it is made. Cheap to clone.
///
/// ```
/// use mailbearer::Message;
/// let message = Message::builder()
///     .from("Ada <ada@example.com>")
///     .to("grace@example.org")
///     .subject("Hello")
///     .text("Hi")
///     .build()?;
/// assert!(message.message_id().ends_with("@example.com>"));
/// # Ok::<(), mailbearer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Message {
    kind: Arc<MessageKind>,
}

#[derive(Debug)]
enum MessageKind {
    Built(Box<Fields>),
    Raw(Box<Raw>),
}

/// What the mailer adds to a message.
pub(crate) struct Defaults<'a> {
    /// From where the message has none.
    pub(crate) from: Option<MailboxOption>,
    /// Which files attachments may name.
    pub(crate) files: &'a FilePolicy,
    /// The caller's spelling, for messages about fields.
    pub(crate) spelling: Spelling,
}

/// A message ready for the wire.
#[derive(Clone, Debug)]
pub(crate) struct Rendered {
    /// The sender and the recipients, as the server gets them.
    pub envelope: Envelope,
    /// CRLF line ends throughout, the last line ended; not dot-stuffed; Bcc removed.
    pub content: Content,
    /// Needs SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// Has octets over 127 in it: needs 8BITMIME (RFC 6152).
    pub eight_bit: bool,
    /// A line is over 998 octets (raw messages only).
    pub long_line: bool,
    /// What goes to a server that cannot take `content`.
    pub fallback: Option<Fallback>,
    /// What the server is asked for.
    pub requests: Requests,
}

/// The same message for a server without SMTPUTF8 or 8BITMIME: it needs no SMTPUTF8.
#[derive(Clone, Debug)]
pub(crate) struct Fallback {
    pub content: Content,
    /// It needs 8BITMIME all the same.
    pub eight_bit: bool,
}

#[cfg(test)]
impl Rendered {
    fn bytes(&self) -> Bytes {
        self.content.load().unwrap()
    }
}

impl Message {
    /// A message of fields, one call per field.
    pub fn builder() -> MessageBuilder {
        MessageBuilder::default()
    }

    /// Fields as JSON; attachments refer to `blobs` by index, each to one of its own if it is a stream. An object with `raw` is finished MIME:
    /// `{"raw": {"blob": 0}, "envelope": …, "tag": …}`.
    ///
    /// # Errors
    /// `message_invalid`, naming the field in the caller's spelling.
    pub fn from_json(fields: Value, blobs: Vec<Blob>, spelling: Spelling) -> Result<Self> {
        Self::read(fields, blobs, spelling, None)
    }

    /// Reads as [`from_json`](Self::from_json) does, for a mailer whose sender is `default_sender`.
    pub(crate) fn read(
        fields: Value,
        blobs: Vec<Blob>,
        spelling: Spelling,
        default_sender: Option<&MailboxOption>,
    ) -> Result<Self> {
        if fields.get("raw").is_some() {
            return Raw::read(fields, &blobs, spelling, default_sender)
                .map(|raw| Self { kind: Arc::new(MessageKind::Raw(Box::new(raw))) });
        }
        Fields::read(fields, &blobs, spelling, default_sender).map(Self::built)
    }

    /// Finished MIME that came piece by piece; `fields` are those of [`from_json`](Self::from_json) without `raw`.
    ///
    /// # Errors
    /// `message_invalid`, naming the field in the caller's spelling.
    pub fn from_spool(fields: Value, mime: Spooled, spelling: Spelling) -> Result<Self> {
        let raw = Raw::read_spooled(fields, mime, spelling)?;
        Ok(Self { kind: Arc::new(MessageKind::Raw(Box::new(raw))) })
    }

    /// Finished MIME. Bcc and Resent-Bcc are removed, Message-ID and Date put in front if absent, bare
    /// CR and LF made CRLF. Without From the mailer's sender, else the envelope's, is put in front; without any header
    /// an empty line, too. Nothing else changes. Without `envelope` the headers say who sends and who receives, those
    /// of the latest resending first.
    ///
    /// # Errors
    /// `message_invalid`: a NUL octet, or an envelope that cannot be read from the headers.
    pub fn raw(mime: impl Into<Bytes>, envelope: Option<Envelope>, tag: Option<String>) -> Result<Self> {
        let place = FieldPath::top(Spelling::Snake);
        let envelope = envelope.map(|e| envelope::check(e, &place.field("envelope"))).transpose()?;
        if let Some(tag) = &tag {
            no_controls(tag, &place.field("tag"))?;
        }
        let (mail_from, rcpt_to) = envelope.map(|e| (e.mail_from, e.rcpt_to)).unzip();
        let beside = Beside { mail_from, rcpt_to, tag, ..Beside::default() };
        let raw = Raw::new(Mime::Whole(mime.into()), beside, Spelling::Snake)?;
        Ok(Self { kind: Arc::new(MessageKind::Raw(Box::new(raw))) })
    }

    /// With angle brackets.
    pub fn message_id(&self) -> &str {
        match &*self.kind {
            MessageKind::Built(fields) => &fields.message_id,
            MessageKind::Raw(raw) => &raw.message_id,
        }
    }

    /// The caller's own string.
    pub fn tag(&self) -> Option<&str> {
        match &*self.kind {
            MessageKind::Built(fields) => fields.tag.as_deref(),
            MessageKind::Raw(raw) => raw.tag.as_deref(),
        }
    }

    /// Who sends finished MIME and who receives it: what was given, else what its headers name. None for a message of
    /// fields, whose sender may be the mailer's.
    pub fn envelope(&self) -> Option<&Envelope> {
        match &*self.kind {
            MessageKind::Built(_) => None,
            MessageKind::Raw(raw) => Some(&raw.rendered.envelope),
        }
    }

    /// What [`from_json`](Self::from_json) makes the same message of, Message-ID and Date included: for
    /// pickling. Raw messages come as they are sent, with their envelope.
    pub fn to_json(&self, spelling: Spelling) -> (Value, Vec<Blob>) {
        let mut blobs = Vec::new();
        let value = match &*self.kind {
            MessageKind::Built(fields) => fields.to_json(&mut blobs),
            MessageKind::Raw(raw) => {
                // A temporary file that cannot be read any more leaves nothing, and that is refused when it is read.
                blobs.push(raw.rendered.content.load().unwrap_or_default().into());
                let mut out = Map::new();
                out.insert("raw".to_owned(), json!({ "blob": 0 }));
                out.insert("envelope".to_owned(), raw.envelope_json());
                if let Some(tag) = &raw.tag {
                    out.insert("tag".to_owned(), json!(tag));
                }
                raw.rendered.requests.to_json(&mut out);
                Value::Object(out)
            }
        };
        (spelling.from_core(value), blobs)
    }

    /// The octets as they would be sent, without a mailer's defaults: a `from` is needed, and any
    /// attached file is read, which blocks. Boundaries differ from call to call.
    ///
    /// # Errors
    /// `message_invalid`, also for a stream, or `attachment_unreadable`, naming the field as `spelling` has it.
    pub fn to_bytes(&self, spelling: Spelling) -> Result<Bytes> {
        match &*self.kind {
            MessageKind::Built(fields) => {
                render::render(fields, None, &FilePolicy::Allow, spelling)?.content.load()
            }
            MessageKind::Raw(raw) => raw.complete(None, spelling)?.content.load(),
        }
    }

    /// Envelope and octets. Each call makes new boundaries, so a retry sends what was rendered first.
    pub(crate) async fn render(&self, defaults: Defaults<'_>) -> Result<Rendered> {
        let fields = match &*self.kind {
            MessageKind::Raw(raw) => return raw.complete(defaults.from.as_ref(), defaults.spelling),
            MessageKind::Built(fields) => fields,
        };
        let Defaults { from, files, spelling } = defaults;
        if !is_heavy(fields) {
            return render::render(fields, from.as_ref(), files, spelling);
        }
        let (message, files) = (self.clone(), files.clone());
        let work = move || match &*message.kind {
            MessageKind::Built(fields) => render::render(fields, from.as_ref(), &files, spelling),
            MessageKind::Raw(raw) => raw.complete(from.as_ref(), spelling),
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|e| Error::new(ErrorCode::Internal, format!("cannot build the message: {e}")))?
    }

    /// Adds the mailer's signature.
    ///
    /// # Errors
    /// `message_invalid` for a stream, `attachment_unreadable`.
    pub(crate) async fn signed(rendered: Rendered, dkim: DkimSettings) -> Result<Rendered> {
        let work = move || {
            let sign = |content: &Content| dkim::sign(content, &dkim, SystemTime::now());
            let content = sign(&rendered.content)?;
            let fallback = match &rendered.fallback {
                Some(other) => Some(Fallback { content: sign(&other.content)?, ..*other }),
                None => None,
            };
            Ok(Rendered { content, fallback, ..rendered })
        };
        // An RSA signature alone takes a millisecond.
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|e| Error::new(ErrorCode::Internal, format!("cannot sign the message: {e}")))?
    }

    fn built(fields: Fields) -> Self {
        Self { kind: Arc::new(MessageKind::Built(Box::new(fields))) }
    }
}

/// Whether building it would hold up the other tasks of this thread: files to read, or much to encode.
fn is_heavy(fields: &Fields) -> bool {
    let size: Option<usize> = fields.attachments.iter().map(|a| a.in_memory().map(Bytes::len)).sum();
    let text = [&fields.text, &fields.html].into_iter().flatten().map(String::len).sum::<usize>();
    size.is_none_or(|size| size + text > 256 << 10)
}
