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
use crate::error::{Error, Result};
use crate::input::reader::{Reader, is_blank};
use crate::input::{FieldPath, Spelling};
use crate::receipt::Envelope;

/// Everything a built message is made of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fields {
    pub(crate) from: Vec<Mailbox>,
    pub(crate) sender: Option<Mailbox>,
    pub(crate) reply_to: Vec<Mailbox>,
    pub(crate) to: Vec<Mailbox>,
    /// The name of the group that stands in To in place of mailboxes.
    pub(crate) to_group: Option<String>,
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
        let sender = reader.take("sender").filter(|v| !is_blank(v));
        let sender = sender.map(|v| Mailbox::read(v, &reader.at("sender"))).transpose()?;
        if from.len() > 1 && sender.is_none() {
            let error = reader.at("from").error("has several mailboxes, and there is no sender");
            let sender = reader.place().spell("sender");
            return Err(error.with_hint(format!("Set `{sender}` to the one who sends (RFC 5322 §3.6.2).")));
        }
        let reply_to = mailboxes(&mut reader, "reply_to")?;
        let (to, to_group) = recipients(&mut reader)?;
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
                let list = list.into_iter().filter(|(v, _)| !v.is_null());
                list.map(|(v, at)| Attachment::read(v, &at, blobs)).collect::<Result<_>>()
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
        let subject = reader.words("subject")?;
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
            to_group,
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
        if let Some(group) = &self.to_group {
            out.insert("to".to_owned(), json!(Mailbox::encode_group(group, 0).replace("\r\n", "")));
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
        let id = match reader.line("message_id")?.filter(|text| !text.trim().is_empty()) {
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
        let date = match reader.line("date")?.filter(|text| !text.trim().is_empty()) {
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
    reader.any(key).into_iter().map(|(value, at)| Mailbox::read(value, &at)).collect()
}

/// The mailboxes in `to`, or the group that stands for them: `undisclosed-recipients:;` says that nobody is named
/// (RFC 5322 §3.4).
fn recipients(reader: &mut Reader) -> Result<(Vec<Mailbox>, Option<String>)> {
    let (mut mailboxes, mut groups) = (Vec::new(), Vec::new());
    for (value, at) in reader.any("to") {
        let group = match &value {
            Value::String(text) => Mailbox::empty_group(text, &at)?,
            _ => None,
        };
        match group {
            Some(name) => groups.push(name),
            None => mailboxes.push(Mailbox::read(value, &at)?),
        }
    }
    if groups.len() > 1 || !(groups.is_empty() || mailboxes.is_empty()) {
        let error = reader.at("to").error("holds a group and something beside it");
        return Err(error.with_hint("Give the group alone, and the recipients in `bcc`."));
    }
    Ok((mailboxes, groups.pop()))
}

fn put(out: &mut Map<String, Value>, key: &str, list: Vec<Value>) {
    if !list.is_empty() {
        out.insert(key.to_owned(), Value::Array(list));
    }
}

fn calendar(reader: &mut Reader) -> Result<Option<String>> {
    let at = reader.at("calendar");
    let Some(text) = reader.text("calendar")?.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    // A BOM is no part of the object (RFC 5545 §3.1: it begins with BEGIN).
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
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
        None | Some("") => Ok(None),
        Some("high") => Ok(Some(Priority::High)),
        Some("normal") => Ok(Some(Priority::Normal)),
        Some("low") => Ok(Some(Priority::Low)),
        Some(_) => Err(at.error("must be `high`, `normal` or `low`")),
    }
}

/// Ids of other messages: strings that may each hold several, as the header does.
fn ids(reader: &mut Reader, key: &str) -> Result<Vec<String>> {
    let mut out = Vec::new();
    for (text, at) in reader.many_words(key)? {
        let found = message_ids(&text).ok_or_else(|| not_an_id(&at))?;
        if found.is_empty() {
            return Err(not_an_id(&at));
        }
        for id in found {
            out.push(bracketed(&id, &at)?);
        }
    }
    Ok(out)
}

/// What stands between angle brackets, and words with an `@`; phrases and comments beside them say nothing
/// (RFC 5322 §4.5.4). `None` for a bracket, quote or comment that is not closed.
fn message_ids(text: &str) -> Option<Vec<String>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let behind = &rest[first.len_utf8()..];
        rest = match first {
            '<' => {
                let (id, after) = behind.split_once('>')?;
                out.push(id.trim().to_owned());
                after
            }
            '>' => return None,
            '"' => behind_closing(behind, None, '"')?,
            '(' => behind_closing(behind, Some('('), ')')?,
            ' ' | ',' => behind,
            _ => {
                let end = rest.find([' ', ',', '<', '>', '"', '(']).unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                if word.contains('@') {
                    out.push(word.to_owned());
                }
                after
            }
        };
    }
    Some(out)
}

/// What follows the closing character; a backslash takes the next one's meaning away.
fn behind_closing(text: &str, open: Option<char>, close: char) -> Option<&str> {
    let (mut depth, mut escaped) = (0, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == close && depth == 0 => return Some(&text[at + c.len_utf8()..]),
            _ if c == close => depth -= 1,
            _ if Some(c) == open => depth += 1,
            _ => {}
        }
    }
    None
}

/// The id with its angle brackets. What is inside is not judged further: other programs made it.
fn bracketed(text: &str, place: &FieldPath) -> Result<String> {
    let bare = text.strip_prefix('<').and_then(|t| t.strip_suffix('>')).unwrap_or(text);
    let fits = (1..=900).contains(&bare.len());
    if !fits || !bare.bytes().all(|b| b.is_ascii_graphic() && !b"<>".contains(&b)) {
        return Err(not_an_id(place));
    }
    Ok(format!("<{bare}>"))
}

fn not_an_id(place: &FieldPath) -> Error {
    place
        .error("is not a Message-ID")
        .with_hint("Write it in ASCII without spaces, with or without one pair of angle brackets.")
}

fn urls(reader: &mut Reader) -> Result<Vec<String>> {
    let mut out = Vec::new();
    for (text, at) in reader.many_words("list_unsubscribe")? {
        let listed = bracketed_urls(&text).ok_or_else(|| {
            let error = at.error("has text beside the URLs in angle brackets");
            error.with_hint(
                "Give a list of URLs, or write them as the header has them: `<https://…>, <mailto:…>`.",
            )
        })?;
        for bare in listed.unwrap_or_else(|| vec![text.trim().to_owned()]) {
            out.push(unsubscribe_url(&bare, &at)?);
        }
    }
    Ok(out)
}

fn unsubscribe_url(bare: &str, place: &FieldPath) -> Result<String> {
    let lower = bare.to_ascii_lowercase();
    let another = |scheme: &str| lower.match_indices(scheme).any(|(at, _)| bare[..at].ends_with([',', ' ']));
    if bare.contains(' ') || ["https:", "http:", "mailto:"].into_iter().any(another) {
        return Err(place
            .error("holds several URLs in one string, or a blank")
            .with_hint("Give a list: one string is one URL. (`<https://…>, <mailto:…>` is read, too.)"));
    }
    let url = Url::parse(bare).ok().filter(|u| matches!(u.scheme(), "https" | "http" | "mailto"));
    let Some(url) = url else {
        return Err(place.error("is not an https, http or mailto URL"));
    };
    // As given where it can be: a signature in it may not survive being normalised.
    let plain = bare.bytes().all(|b| b.is_ascii_graphic() && !b"<>,".contains(&b));
    Ok(if plain { bare.to_owned() } else { String::from(url).replace(',', "%2C") })
}

/// URLs as RFC 2369 §2 has them in a header: in angle brackets, commas between them, comments and white space
/// of no meaning. `Some(None)` if there are no brackets, `None` for what is neither.
fn bracketed_urls(text: &str) -> Option<Option<Vec<String>>> {
    let mut rest = text.trim_start();
    if !rest.starts_with(['<', '(']) {
        return Some(None);
    }
    let mut out = Vec::new();
    let mut separated = true;
    while let Some(first) = rest.chars().next() {
        let behind = &rest[first.len_utf8()..];
        rest = match first {
            '<' if separated => {
                let (url, after) = behind.split_once('>')?;
                out.push(url.replace(' ', ""));
                separated = false;
                after
            }
            ',' => {
                separated = true;
                behind
            }
            '(' => behind_closing(behind, Some('('), ')')?,
            ' ' => behind,
            _ => return None,
        };
    }
    Some((!out.is_empty()).then_some(out))
}
