//! From fields to the octets for the wire.

use super::attachment::Attachment;
use super::content::{Content, Segment};
use super::fields::{Fields, rfc5322_date};
use super::header::Section;
use super::line_ends::LINE_LIMIT;
use super::mime::{self, Sink, Texts};
use super::{Fallback, Priority, Rendered, envelope};
use crate::address::{Mailbox, MailboxOption};
use crate::config::FilePolicy;
use crate::error::Result;
use crate::input::{FieldPath, Spelling};

/// Renders `fields`. Blocks on the file system if there are attachments by path.
///
/// # Errors
/// `message_invalid` or `attachment_unreadable`, naming the field.
pub(crate) fn render(
    fields: &Fields,
    default_from: Option<&MailboxOption>,
    files: &FilePolicy,
    spelling: Spelling,
) -> Result<Rendered> {
    let place = FieldPath::top(spelling);
    let from = author(fields, default_from, &place)?;
    let envelope = fields.envelope(&from);
    let mut head = Section::default();
    write_head(fields, &from, &place, &mut head)?;
    let attachments = open(&fields.attachments, files, &place.field("attachments"))?;
    let texts = Texts {
        text: fields.text.as_deref(),
        html: fields.html.as_deref(),
        calendar: fields.calendar.as_deref(),
    };
    let write = |seven_bit| -> Result<Content> {
        let tree = mime::tree(texts, &attachments, seven_bit, &place)?;
        let mut out = Sink::with_capacity(head.as_str().len() + tree.size_hint());
        out.write(head.as_str().as_bytes());
        tree.write(&mut out);
        Ok(out.finish())
    };
    let content = write(false)?;
    let eight_bit = !content.octets_in_memory().all(|octets| octets.is_ascii());
    let smtputf8 = envelope::needs_smtputf8(&envelope) || !head.as_str().is_ascii();
    let fallback = match eight_bit && !smtputf8 {
        true => Some(Fallback { content: write(true)?, eight_bit: false }),
        false => None,
    };
    Ok(Rendered {
        smtputf8,
        eight_bit,
        fallback,
        long_line: false,
        envelope,
        content,
        requests: fields.requests.clone(),
    })
}

/// Small files are loaded, so that their message may run ahead of replies; others are read as they go.
fn open(list: &[Attachment], files: &FilePolicy, place: &FieldPath) -> Result<Vec<(Attachment, Segment)>> {
    let mut room = LOADED;
    let open_one = |(at, one): (usize, &Attachment)| {
        let segment = one.open(files, room, &place.index(at))?;
        if let Segment::Octets(octets) = &segment {
            room = room.saturating_sub(octets.len() as u64);
        }
        Ok((one.clone(), segment))
    };
    list.iter().enumerate().map(open_one).collect()
}

/// Octets of files loaded at most: in base64 they just fit where messages run ahead.
const LOADED: u64 = 180 * 1024;

fn author(fields: &Fields, default: Option<&MailboxOption>, place: &FieldPath) -> Result<Vec<Mailbox>> {
    if !fields.from.is_empty() {
        return Ok(fields.from.clone());
    }
    let at = place.field("from");
    match default {
        Some(default) => Ok(vec![Mailbox::from_option(default, &at)?]),
        None => Err(at.error("is missing").with_hint("Set it on the message, or on the mailer for all.")),
    }
}

/// The ids of a thread, at most on as much as RFC 5537 §3.4.4 lets a line have: the first one and the latest stay.
fn thread(ids: &[String]) -> String {
    let most = LINE_LIMIT - "References: ".len();
    let [first, rest @ ..] = ids else { return String::new() };
    let mut size = first.len();
    let fits = rest.iter().rev().take_while(|id| {
        size += id.len() + 1;
        size <= most
    });
    let latest = fits.count().max(2).min(rest.len());
    std::iter::once(first).chain(&rest[rest.len() - latest..]).cloned().collect::<Vec<_>>().join(" ")
}

fn write_head(fields: &Fields, from: &[Mailbox], place: &FieldPath, head: &mut Section) -> Result<()> {
    head.plain("Date", &rfc5322_date(fields.date));
    head.mailboxes("From", from, &place.field("from"))?;
    head.mailboxes("Sender", fields.sender.as_slice(), &place.field("sender"))?;
    head.mailboxes("Reply-To", &fields.reply_to, &place.field("reply_to"))?;
    head.mailboxes("To", &fields.to, &place.field("to"))?;
    if let Some(group) = &fields.to_group {
        head.plain("To", &Mailbox::encode_group(group, 4));
    }
    head.mailboxes("Cc", &fields.cc, &place.field("cc"))?;
    if let Some(subject) = &fields.subject {
        head.unstructured("Subject", subject, &place.field("subject"))?;
    }
    head.plain("Message-ID", &fields.message_id);
    for (name, field, ids) in [
        ("In-Reply-To", "in_reply_to", fields.in_reply_to.join(" ")),
        ("References", "references", thread(&fields.references)),
    ] {
        if !ids.is_empty() {
            head.structured(name, &ids, &place.field(field))?;
        }
    }
    if !fields.list_unsubscribe.is_empty() {
        let urls: Vec<_> = fields.list_unsubscribe.iter().map(|u| format!("<{u}>")).collect();
        head.structured("List-Unsubscribe", &urls.join(", "), &place.field("list_unsubscribe"))?;
        // RFC 8058 §2: one click is a POST, and only over https.
        if fields
            .list_unsubscribe
            .iter()
            .any(|u| u.get(..6).is_some_and(|s| s.eq_ignore_ascii_case("https:")))
        {
            head.plain("List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
        }
    }
    if let Some(values) = fields.priority.and_then(Priority::values) {
        for (name, value) in Priority::HEADERS.iter().zip(values) {
            head.plain(name, value);
        }
    }
    let at = place.field("headers");
    for custom in &fields.headers {
        head.custom(custom, &at.verbatim(&custom.name))?;
    }
    head.plain("MIME-Version", "1.0");
    Ok(())
}
