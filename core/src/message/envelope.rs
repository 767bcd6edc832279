//! Envelopes: who sends and who receives, each recipient once (RFC 5321 §2.3.1).

use std::collections::HashSet;

use serde_json::Value;

use crate::address::Mailbox;
use crate::address::addr_spec::Address;
use crate::error::Result;
use crate::input::reader::{Reader, no_controls, string};
use crate::input::{FieldPath, Spelling};
use crate::receipt::Envelope;

/// Reads the caller's `{mail_from, rcpt_to}`.
pub(crate) fn read(value: Value, place: FieldPath) -> Result<Envelope> {
    let mut reader = Reader::new(value, place, &["mail_from", "rcpt_to"])?;
    let at = reader.at("mail_from");
    let mail_from = reader.take("mail_from").ok_or_else(|| {
        at.error("is missing").with_hint("For a bounce, give an empty string: the null reverse-path.")
    })?;
    let mail_from = string(mail_from, &at)?;
    let rcpt_to = reader.many("rcpt_to").into_iter().map(|(v, at)| string(v, &at)).collect::<Result<_>>()?;
    check(Envelope { mail_from, rcpt_to }, reader.place())
}

/// Reads the envelope of finished MIME: without `mail_from`, the headers say who sends.
pub(crate) fn read_partly(mut value: Value, place: FieldPath) -> Result<(Option<String>, Vec<String>)> {
    let key = place.spell("mail_from").into_owned();
    let said = value.get(&key).is_some_and(|sender| !sender.is_null());
    if let (false, Value::Object(map)) = (said, &mut value) {
        map.insert(key, Value::String(String::new()));
    }
    let envelope = read(value, place)?;
    Ok((said.then_some(envelope.mail_from), envelope.rcpt_to))
}

impl Envelope {
    /// An envelope from mailboxes as people and other mail libraries write them: display names are left out, and `<>`
    /// or nothing is the null reverse-path.
    ///
    /// # Errors
    /// `message_invalid`, naming the mailbox.
    pub fn of_mailboxes(mail_from: &str, rcpt_to: &[String], spelling: Spelling) -> Result<Self> {
        let place = FieldPath::top(spelling).field("envelope");
        let address = |text: &str, at: &FieldPath| {
            Mailbox::read(Value::from(text), at).map(|mailbox| mailbox.address.to_string())
        };
        let mail_from = match mail_from.trim() {
            "" | "<>" => String::new(),
            text => address(text, &place.field("mail_from"))?,
        };
        let at = place.field("rcpt_to");
        let rcpt_to = rcpt_to.iter().enumerate().map(|(i, text)| address(text, &at.index(i)));
        check(Self { mail_from, rcpt_to: rcpt_to.collect::<Result<_>>()? }, &place)
    }
}

/// Checks every address; the null reverse-path is allowed, no recipient at all is not.
pub(crate) fn check(envelope: Envelope, place: &FieldPath) -> Result<Envelope> {
    let mail_from = match envelope.mail_from.as_str() {
        "" => String::new(),
        text => address(text, &place.field("mail_from"))?.to_string(),
    };
    let at = place.field("rcpt_to");
    let mut recipients = Recipients::default();
    for (i, text) in envelope.rcpt_to.iter().enumerate() {
        recipients.add(&address(text, &at.index(i))?);
    }
    let rcpt_to = recipients.into_list();
    if rcpt_to.is_empty() {
        return Err(at.error("is empty"));
    }
    Ok(Envelope { mail_from, rcpt_to })
}

/// Whether an address in it needs SMTPUTF8.
pub(crate) fn needs_smtputf8(envelope: &Envelope) -> bool {
    !envelope.mail_from.is_ascii() || envelope.rcpt_to.iter().any(|a| !a.is_ascii())
}

/// Recipients in their order, each once.
#[derive(Debug, Default)]
pub(crate) struct Recipients {
    list: Vec<String>,
    seen: HashSet<String>,
}

impl Recipients {
    /// Adds the address unless the same mailbox is there.
    pub(crate) fn add(&mut self, address: &Address) {
        if self.seen.insert(address.key()) {
            self.list.push(address.to_string());
        }
    }

    /// The forward-paths.
    pub(crate) fn into_list(self) -> Vec<String> {
        self.list
    }
}

fn address(text: &str, place: &FieldPath) -> Result<Address> {
    no_controls(text, place)?;
    Address::parse(text).map_err(|what| place.error(format!("is wrong: {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Spelling;
    use serde_json::json;

    fn envelope(value: Value) -> Result<Envelope> {
        read(value, FieldPath::top(Spelling::Camel).field("envelope"))
    }

    #[test]
    fn each_recipient_is_there_once_and_the_sender_may_be_null() {
        let got = envelope(json!({"mailFrom": "", "rcptTo": ["a@x.org", "a@X.ORG", "A@x.org", "ü@x.org"]}));
        let got = got.unwrap();
        assert_eq!(got.mail_from, "");
        assert_eq!(got.rcpt_to, ["a@x.org", "A@x.org", "ü@x.org"]);
        assert!(needs_smtputf8(&got));
    }

    #[test]
    fn mistakes_name_the_field() {
        for (value, field) in [
            (json!({"rcptTo": ["a@x.org"]}), "envelope.mailFrom"),
            (json!({"mailFrom": "a", "rcptTo": ["a@x.org"]}), "envelope.mailFrom"),
            (json!({"mailFrom": "Ada <a@x.org>", "rcptTo": ["a@x.org"]}), "envelope.mailFrom"),
            (json!({"mailFrom": "a@x.org\r\nRCPT TO:<b@y.org>", "rcptTo": []}), "envelope.mailFrom"),
            (json!({"mailFrom": "a@x.org", "rcptTo": []}), "envelope.rcptTo"),
            (json!({"mailFrom": "a@x.org", "rcptTo": ["b@y.org", "c> NOTIFY=NEVER"]}), "envelope.rcptTo[1]"),
            (json!({"mailFrom": "a@x.org", "rcptTo": ["b@y.org"], "size": 1}), "envelope.size"),
            (json!("a@x.org"), "envelope"),
        ] {
            assert_eq!(envelope(value).unwrap_err().field(), Some(field));
        }
    }
}
