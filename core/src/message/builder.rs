//! Messages from Rust, one call per field.

use serde_json::{Map, Value, json};

use super::Message;
use super::attachment::Attachment;
use super::fields::Fields;
use crate::address::MailboxOption;
use crate::error::Result;
use crate::input::{FieldPath, Spelling};
use crate::receipt::Envelope;

/// Makes a [`Message`]. A mailbox is `"ada@example.com"` or `"Ada <ada@example.com>"`; what is wrong
/// is said by [`build`](Self::build).
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct MessageBuilder {
    fields: Map<String, Value>,
    headers: Map<String, Value>,
    attachments: Vec<Attachment>,
}

impl MessageBuilder {
    /// Adds an author; the mailer's `from` where there is none.
    pub fn from(self, mailbox: impl Into<String>) -> Self {
        self.add("from", mailbox)
    }

    /// Names the sender, if the author does not send, or if there are several authors (RFC 5322 §3.6.2).
    pub fn sender(self, mailbox: impl Into<String>) -> Self {
        self.set("sender", mailbox)
    }

    /// Adds a mailbox that answers go to.
    pub fn reply_to(self, mailbox: impl Into<String>) -> Self {
        self.add("reply_to", mailbox)
    }

    /// Adds a recipient.
    pub fn to(self, mailbox: impl Into<String>) -> Self {
        self.add("to", mailbox)
    }

    /// Adds a recipient of a copy.
    pub fn cc(self, mailbox: impl Into<String>) -> Self {
        self.add("cc", mailbox)
    }

    /// Adds a recipient whom nobody else sees.
    pub fn bcc(self, mailbox: impl Into<String>) -> Self {
        self.add("bcc", mailbox)
    }

    /// The subject, in any script.
    pub fn subject(self, subject: impl Into<String>) -> Self {
        self.set("subject", subject)
    }

    /// The plain text. It is never made from the HTML.
    pub fn text(self, text: impl Into<String>) -> Self {
        self.set("text", text)
    }

    /// The HTML; beside a text, readers choose.
    pub fn html(self, html: impl Into<String>) -> Self {
        self.set("html", html)
    }

    /// Adds an attachment or an inline image.
    pub fn attach(mut self, attachment: Attachment) -> Self {
        self.attachments.push(attachment);
        self
    }

    /// Adds a header of your own; headers that are fields here are refused.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let values = self.headers.entry(name).or_insert_with(|| json!([]));
        if let Value::Array(values) = values {
            values.push(Value::String(value.into()));
        }
        self
    }

    /// The Message-ID; made from random numbers where absent.
    pub fn message_id(self, id: impl Into<String>) -> Self {
        self.set("message_id", id)
    }

    /// The Date, RFC 3339 with an offset; now where absent.
    pub fn date(self, date: impl Into<String>) -> Self {
        self.set("date", date)
    }

    /// Adds the Message-ID that this answers.
    pub fn in_reply_to(self, id: impl Into<String>) -> Self {
        self.add("in_reply_to", id)
    }

    /// Adds a Message-ID of the thread, oldest first.
    pub fn reference(self, id: impl Into<String>) -> Self {
        self.add("references", id)
    }

    /// Adds a URL that ends the subscription; with an https one, one click is enough (RFC 8058).
    pub fn list_unsubscribe(self, url: impl Into<String>) -> Self {
        self.add("list_unsubscribe", url)
    }

    /// `high`, `normal` or `low`.
    pub fn priority(self, priority: impl Into<String>) -> Self {
        self.set("priority", priority)
    }

    /// The envelope, where it is not what the fields say.
    pub fn envelope(mut self, envelope: Envelope) -> Self {
        self.fields.insert("envelope".to_owned(), json!(envelope));
        self
    }

    /// An invitation or the like as an iCalendar object (RFC 5545), beside the text: readers that know it
    /// offer to answer.
    pub fn calendar(self, object: impl Into<String>) -> Self {
        self.set("calendar", object)
    }

    /// Asks for delivery reports (RFC 3461): `success`, `failure`, `delay`, each of them once, or `never`. A
    /// server that gives none refuses with `capability_missing`.
    pub fn notify(mut self, when: impl Into<String>) -> Self {
        let dsn = self.fields.entry("dsn").or_insert_with(|| json!({"notify": []}));
        if let Some(list) = dsn["notify"].as_array_mut() {
            list.push(Value::String(when.into()));
        }
        self
    }

    /// Demands TLS on the whole way (RFC 8689). If the server does not offer this, the error is
    /// `capability_missing`.
    pub fn require_tls(mut self) -> Self {
        self.fields.insert("require_tls".to_owned(), Value::Bool(true));
        self
    }

    /// The server keeps it for so long before it goes on (RFC 4865), such as `2h`.
    pub fn hold_for(self, time: impl Into<String>) -> Self {
        self.set("hold_for", time)
    }

    /// The server keeps it until then, RFC 3339 with an offset.
    pub fn hold_until(self, date: impl Into<String>) -> Self {
        self.set("hold_until", date)
    }

    /// Your own string: it comes back in receipts, errors and events, and is not sent.
    pub fn tag(self, tag: impl Into<String>) -> Self {
        self.set("tag", tag)
    }

    /// The message, with its Message-ID and Date.
    ///
    /// # Errors
    /// `message_invalid`, naming the field.
    pub fn build(self) -> Result<Message> {
        self.build_as(None)
    }

    pub(crate) fn build_as(mut self, default_sender: Option<&MailboxOption>) -> Result<Message> {
        if !self.headers.is_empty() {
            self.fields.insert("headers".to_owned(), Value::Object(self.headers));
        }
        let mut fields = Fields::read(Value::Object(self.fields), &[], Spelling::Snake, default_sender)?;
        let place = FieldPath::top(Spelling::Snake).field("attachments");
        for (at, attachment) in self.attachments.into_iter().enumerate() {
            fields.attachments.push(attachment.check(&place.index(at))?);
        }
        Ok(Message::built(fields))
    }

    fn set(mut self, key: &str, value: impl Into<String>) -> Self {
        self.fields.insert(key.to_owned(), Value::String(value.into()));
        self
    }

    fn add(mut self, key: &str, value: impl Into<String>) -> Self {
        let list = self.fields.entry(key).or_insert_with(|| json!([]));
        if let Value::Array(list) = list {
            list.push(Value::String(value.into()));
        }
        self
    }
}
