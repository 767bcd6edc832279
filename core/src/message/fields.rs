//! A message as its author states it: checked once, when it is made.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use url::Url;

use super::attachment::{Attachment, Blob};
use super::date;
use super::envelope::{self, Recipients};
use super::header::{self, Custom};
use super::requests::Requests;
use crate::address::{Mailbox, MailboxOption};
use crate::crypto::random;
use crate::error::Result;
use crate::input::reader::Reader;
use crate::input::{FieldPath, Spelling};
use crate::receipt::Envelope;

/// Everything a built message is made of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fields {
    pub(crate) from: Vec<Mailbox>,
    pub(crate) sender: Option<Mailbox>,
    pub(crate) reply_to: Vec<Mailbox>,
    pub(crate) to: Vec<Mailbox>,
    pub(crate) cc: Vec<Mailbox>,
    pub(crate) bcc: Vec<Mailbox>,
    pub(crate) subject: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) html: Option<String>,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) headers: Vec<Custom>,
    /// With angle brackets.
    pub(crate) message_id: String,
    pub(crate) date: OffsetDateTime,
    /// Ids with angle brackets.
    pub(crate) in_reply_to: Vec<String>,
    pub(crate) references: Vec<String>,
    /// URIs without angle brackets.
    pub(crate) list_unsubscribe: Vec<String>,
    pub(crate) priority: Option<Priority>,
    pub(crate) envelope: Option<Envelope>,
    pub(crate) tag: Option<String>,
    /// An invitation or the like, as iCalendar (RFC 5545) has it.
    pub(crate) calendar: Option<String>,
    pub(crate) requests: Requests,
}

/// How urgent the author thinks it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    High,
    Normal,
    Low,
}

const KNOWN: &[&str] = &[
    "from",
    "sender",
    "reply_to",
    "to",
    "cc",
    "bcc",
    "subject",
    "text",
    "html",
    "attachments",
    "headers",
    "message_id",
    "date",
    "in_reply_to",
    "references",
    "list_unsubscribe",
    "priority",
    "envelope",
    "tag",
    "calendar",
    "dsn",
    "require_tls",
    "hold_for",
    "hold_until",
];

impl Fields {
    /// Reads and checks the fields, whose names are in `spelling`. `default_sender`
    /// is who will send it if the fields name none: a new Message-ID has its domain.
    ///
    /// # Errors
    /// `message_invalid`, naming the field.
    pub(crate) fn read(
        value: Value,
        blobs: &[Blob],
        spelling: Spelling,
        default_sender: Option<&MailboxOption>,
    ) -> Result<Self> {
        let mut reader = Reader::new(value, FieldPath::top(spelling), KNOWN)?;
        let from = mailboxes(&mut reader, "from")?;
        let sender = reader.take("sender").map(|v| Mailbox::read(v, &reader.at("sender"))).transpose()?;
        if from.len() > 1 && sender.is_none() {
            let error = reader.at("from").error("has several mailboxes, and there is no sender");
            let sender = reader.place().spell("sender");
            return Err(error.with_hint(format!("Set `{sender}` to the one who sends (RFC 5322 §3.6.2).")));
        }
        let reply_to = mailboxes(&mut reader, "reply_to")?;
        let to = mailboxes(&mut reader, "to")?;
        let cc = mailboxes(&mut reader, "cc")?;
        let bcc = mailboxes(&mut reader, "bcc")?;
        let envelope =
            reader.take("envelope").map(|v| envelope::read(v, reader.at("envelope"))).transpose()?;
        if envelope.is_none() && to.is_empty() && cc.is_empty() && bcc.is_empty() {
            let error = reader.at("to").error("is missing");
            return Err(error.with_hint("A message needs a recipient in `to`, `cc` or `bcc`."));
        }
        let attachments = reader
            .take("attachments")
            .map(|value| {
                let list = crate::input::reader::one_or_list(value, &reader.at("attachments"));
                list.into_iter().map(|(v, at)| Attachment::read(v, &at, blobs)).collect::<Result<_>>()
            })
            .transpose()?
            .unwrap_or_default();
        let headers = reader.take("headers").map(|v| header::read(v, &reader.at("headers"))).transpose()?;
        let made = Made::read(&mut reader)?;
        let priority = priority(&mut reader)?;
        let headers = headers.unwrap_or_default();
        let rival = Priority::HEADERS.iter().find(|name| header::has(&headers, name));
        if let (Some(_), Some(name)) = (priority, rival) {
            let at = reader.at("headers").verbatim(name);
            return Err(at.error("and `priority` are both set").with_hint("Set one of the two."));
        }
        let subject = reader.line("subject")?;
        let text = reader.text("text")?;
        let html = reader.text("html")?;
        let in_reply_to = ids(&mut reader, "in_reply_to")?;
        let references = ids(&mut reader, "references")?;
        let list_unsubscribe = urls(&mut reader)?;
        let tag = reader.line("tag")?;
        let calendar = calendar(&mut reader)?;
        let requests = Requests::read(&mut reader)?;
        let author = from.first().or(sender.as_ref()).map(|m| m.address.ascii_domain());
        let default =
            || Some(Mailbox::from_option(default_sender?, &reader.at("from")).ok()?.address.ascii_domain());
        Ok(Self {
            message_id: made.message_id(author.or_else(default).as_deref())?,
            date: made.date.unwrap_or_else(now),
            from,
            sender,
            reply_to,
            to,
            cc,
            bcc,
            subject,
            text,
            html,
            attachments,
            headers,
            in_reply_to,
            references,
            list_unsubscribe,
            priority,
            envelope,
            tag,
            calendar,
            requests,
        })
    }

    /// Returns the form that [`Fields::read`] takes, in core's spelling. Octets go into `blobs`.
    pub(crate) fn to_json(&self, blobs: &mut Vec<Blob>) -> Value {
        let mut out = Map::new();
        let lists = [
            ("from", &self.from),
            ("reply_to", &self.reply_to),
            ("to", &self.to),
            ("cc", &self.cc),
            ("bcc", &self.bcc),
        ];
        for (key, list) in lists {
            put(&mut out, key, list.iter().map(Mailbox::to_json).collect());
        }
        if let Some(sender) = &self.sender {
            out.insert("sender".to_owned(), sender.to_json());
        }
        let texts = [
            ("subject", self.subject.as_deref()),
            ("text", self.text.as_deref()),
            ("html", self.html.as_deref()),
            ("priority", self.priority.map(Priority::as_str)),
            ("tag", self.tag.as_deref()),
            ("calendar", self.calendar.as_deref()),
            ("message_id", Some(&self.message_id)),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                out.insert(key.to_owned(), json!(text));
            }
        }
        out.insert("date".to_owned(), json!(date::write(self.date)));
        let lists = [
            ("in_reply_to", &self.in_reply_to),
            ("references", &self.references),
            ("list_unsubscribe", &self.list_unsubscribe),
        ];
        for (key, list) in lists {
            put(&mut out, key, list.iter().map(|t| json!(t)).collect());
        }
        put(&mut out, "attachments", self.attachments.iter().map(|a| a.to_json(blobs)).collect());
        if !self.headers.is_empty() {
            let mut headers = Map::new();
            for Custom { name, value } in &self.headers {
                let values = headers.entry(name).or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(values) = values {
                    values.push(json!(value));
                }
            }
            out.insert("headers".to_owned(), Value::Object(headers));
        }
        if let Some(envelope) = &self.envelope {
            out.insert("envelope".to_owned(), json!(envelope));
        }
        self.requests.to_json(&mut out);
        Value::Object(out)
    }

    /// The envelope: the explicit one, else who the headers name; `from` is the From in force.
    pub(crate) fn envelope(&self, from: &[Mailbox]) -> Envelope {
        if let Some(envelope) = &self.envelope {
            return envelope.clone();
        }
        let mut recipients = Recipients::default();
        for mailbox in self.to.iter().chain(&self.cc).chain(&self.bcc) {
            recipients.add(&mailbox.address);
        }
        let sender = self.sender.as_ref().or_else(|| from.first());
        Envelope {
            mail_from: sender.map(|m| m.address.to_string()).unwrap_or_default(),
            rcpt_to: recipients.into_list(),
        }
    }
}

impl Priority {
    /// The headers that say it: none of them is a standard, and no reader looks at all three.
    pub(crate) const HEADERS: [&'static str; 3] = ["X-Priority", "Importance", "Priority"];

    /// Their values; `normal` needs none.
    pub(crate) fn values(self) -> Option<[&'static str; 3]> {
        match self {
            Self::High => Some(["1", "high", "urgent"]),
            Self::Normal => None,
            Self::Low => Some(["5", "low", "non-urgent"]),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }
}

/// Message-ID and Date as the caller gave them.
#[derive(Debug, Default)]
pub(crate) struct Made {
    id: Option<String>,
    pub(crate) date: Option<OffsetDateTime>,
}

impl Made {
    /// Reads `message_id` and `date`.
    pub(crate) fn read(reader: &mut Reader) -> Result<Self> {
        let at = reader.at("message_id");
        let id = match reader.line("message_id")? {
            None => None,
            Some(text) => {
                let id = bracketed(&text, &at)?;
                let sides = id[1..id.len() - 1].split_once('@');
                if !sides.is_some_and(|(left, right)| !left.is_empty() && !right.is_empty()) {
                    return Err(at.error("is not a Message-ID").with_hint("Write it like `<left@right>`."));
                }
                Some(id)
            }
        };
        let at = reader.at("date");
        let date = match reader.line("date")? {
            None => None,
            Some(text) => Some(date::parse(&text, &at)?),
        };
        Ok(Self { id, date })
    }

    /// The given id, else a new one.
    pub(crate) fn message_id(&self, domain: Option<&str>) -> Result<String> {
        match &self.id {
            Some(id) => Ok(id.clone()),
            None => Ok(format!("<{}@{}>", random::hex()?, domain.unwrap_or("localhost"))),
        }
    }
}

/// `Mon, 23 Nov 2026 10:30:00 +0100` (RFC 5322 §3.3).
pub(crate) fn rfc5322_date(date: OffsetDateTime) -> String {
    // Formatting fails only outside the years that `date` lets in.
    date.format(&Rfc2822).unwrap_or_default()
}

/// This second in UTC.
pub(crate) fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(0).unwrap_or(now)
}

fn mailboxes(reader: &mut Reader, key: &str) -> Result<Vec<Mailbox>> {
    reader.many(key).into_iter().map(|(value, at)| Mailbox::read(value, &at)).collect()
}

fn put(out: &mut Map<String, Value>, key: &str, list: Vec<Value>) {
    if !list.is_empty() {
        out.insert(key.to_owned(), Value::Array(list));
    }
}

fn calendar(reader: &mut Reader) -> Result<Option<String>> {
    let at = reader.at("calendar");
    let Some(text) = reader.text("calendar")? else { return Ok(None) };
    let begins =
        text.trim_start().get(..15).is_some_and(|begin| begin.eq_ignore_ascii_case("BEGIN:VCALENDAR"));
    if !begins || text.contains('\0') {
        return Err(at
            .error("is no iCalendar object")
            .with_hint("An iCalendar object begins with BEGIN:VCALENDAR (RFC 5545)."));
    }
    Ok(Some(text))
}

fn priority(reader: &mut Reader) -> Result<Option<Priority>> {
    let at = reader.at("priority");
    match reader.line("priority")?.as_deref() {
        None => Ok(None),
        Some("high") => Ok(Some(Priority::High)),
        Some("normal") => Ok(Some(Priority::Normal)),
        Some("low") => Ok(Some(Priority::Low)),
        Some(_) => Err(at.error("must be `high`, `normal` or `low`")),
    }
}

/// Ids of other messages: strings that may each hold several, as the header does.
fn ids(reader: &mut Reader, key: &str) -> Result<Vec<String>> {
    let mut out = Vec::new();
    for (text, at) in reader.lines(key)? {
        for id in text.split_whitespace() {
            out.push(bracketed(id, &at)?);
        }
    }
    Ok(out)
}

/// The id with its angle brackets. What is inside is not judged further: other programs made it.
fn bracketed(text: &str, place: &FieldPath) -> Result<String> {
    let bare = text.strip_prefix('<').and_then(|t| t.strip_suffix('>')).unwrap_or(text);
    let fits = (1..=900).contains(&bare.len());
    if !fits || !bare.bytes().all(|b| b.is_ascii_graphic() && !b"<>".contains(&b)) {
        return Err(place
            .error("is not a Message-ID")
            .with_hint("Write it in ASCII without spaces, with or without one pair of angle brackets."));
    }
    Ok(format!("<{bare}>"))
}

fn urls(reader: &mut Reader) -> Result<Vec<String>> {
    let mut out = Vec::new();
    for (text, at) in reader.lines("list_unsubscribe")? {
        let bare = text.strip_prefix('<').and_then(|t| t.strip_suffix('>')).unwrap_or(&text);
        let url = Url::parse(bare).ok().filter(|u| matches!(u.scheme(), "https" | "http" | "mailto"));
        let Some(url) = url else {
            return Err(at.error("is not an https, http or mailto URL"));
        };
        // As given where it can be: a signature in it may not survive being normalised.
        let plain = bare.bytes().all(|b| b.is_ascii_graphic() && !b"<>,".contains(&b));
        out.push(if plain { bare.to_owned() } else { String::from(url).replace(',', "%2C") });
    }
    Ok(out)
}
