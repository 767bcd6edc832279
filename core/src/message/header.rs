//! Headers: which a caller may add, and how each kind is written (RFC 5322 §2.2, §3.6).

use std::fmt::Write;

use lettre::message::header::{ContentDisposition, Header, HeaderName, HeaderValue, Headers};
use serde_json::Value;

use super::line_ends::LINE_LIMIT;
use crate::address::{Mailbox, encoded_word};
use crate::error::Result;
use crate::input::FieldPath;
use crate::input::reader::{kind, no_controls, one_or_list, string};

/// A header of the caller's own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Custom {
    /// The name as the caller wrote it.
    pub(crate) name: String,
    /// The value, not encoded.
    pub(crate) value: String,
}

/// Reads the caller's `headers`: names to a value or a list of values.
pub(crate) fn read(value: Value, place: &FieldPath) -> Result<Vec<Custom>> {
    let Value::Object(map) = value else {
        return Err(place.error(format!("must be an object of names and values, not {}", kind(&value))));
    };
    let mut out = Vec::with_capacity(map.len());
    for (name, values) in map {
        let at = place.verbatim(&name);
        check_name(&name, &at)?;
        for (value, at) in one_or_list(values, &at) {
            let value = string(value, &at)?;
            no_controls(&value, &at)?;
            out.push(Custom { name: name.clone(), value });
        }
    }
    Ok(out)
}

/// Whether the caller set this header; names have no case.
pub(crate) fn has(custom: &[Custom], name: &str) -> bool {
    custom.iter().any(|c| c.name.eq_ignore_ascii_case(name))
}

fn check_name(name: &str, place: &FieldPath) -> Result<()> {
    // ftext of RFC 5322 §3.6.8; the length is what leaves room on a line of 78.
    if name.is_empty() || name.len() > 76 || !name.bytes().all(|b| b.is_ascii_graphic() && b != b':') {
        return Err(place
            .error("is not a header name")
            .with_hint("A name is 1 to 76 ASCII characters without spaces and colons."));
    }
    let lower = name.to_ascii_lowercase();
    if let Some((_, field)) = FIELDS.iter().find(|(header, _)| *header == lower) {
        let field = place.spell(field);
        return Err(place.error("cannot be set in `headers`").with_hint(format!("Use the field `{field}`.")));
    }
    if MADE.contains(&lower.as_str()) {
        return Err(place
            .error("cannot be set in `headers`")
            .with_hint("mailbearer makes this header. To make it yourself, send raw MIME."));
    }
    if lower.starts_with("resent-") {
        return Err(place
            .error("cannot be set in `headers`")
            .with_hint("To resend a message, send it as raw MIME with its Resent- headers in front."));
    }
    Ok(())
}

/// Headers that are fields of the message.
const FIELDS: &[(&str, &str)] = &[
    ("bcc", "bcc"),
    ("cc", "cc"),
    ("date", "date"),
    ("from", "from"),
    ("in-reply-to", "in_reply_to"),
    ("list-unsubscribe", "list_unsubscribe"),
    ("list-unsubscribe-post", "list_unsubscribe"),
    ("message-id", "message_id"),
    ("references", "references"),
    ("reply-to", "reply_to"),
    ("return-path", "envelope"),
    ("sender", "sender"),
    ("subject", "subject"),
    ("to", "to"),
];

/// Headers that follow from the message's parts.
const MADE: &[&str] = &[
    "content-description",
    "content-disposition",
    "content-id",
    "content-transfer-encoding",
    "content-type",
    "mime-version",
];

/// Writes a header section.
#[derive(Debug, Default)]
pub(crate) struct Section {
    text: String,
}

impl Section {
    /// Free text of any script (RFC 5322 §2.2.1), encoded and folded.
    ///
    /// # Errors
    /// None for text without control characters; see [`Section::structured`].
    pub(crate) fn unstructured(&mut self, name: &str, value: &str, place: &FieldPath) -> Result<()> {
        if !needs_care(value) {
            return self.structured(name, value, place);
        }
        let encoded = encoded_word::encode(value, name.len() + 2);
        self.line(name, &encoded, place)
    }

    /// ASCII whose syntax forbids encoding, folded at its spaces.
    ///
    /// # Errors
    /// `message_invalid` if a word of it is longer than a line may be.
    pub(crate) fn structured(&mut self, name: &str, value: &str, place: &FieldPath) -> Result<()> {
        let name =
            HeaderName::new_from_ascii(name.to_owned()).map_err(|_| place.error("is not a header name"))?;
        self.value(HeaderValue::new(name, value.to_owned()), place)
    }

    /// Content-Disposition, its file name in any script (RFC 2183, RFC 2231).
    ///
    /// # Errors
    /// As [`Section::structured`].
    pub(crate) fn disposition(
        &mut self,
        kind: &str,
        filename: Option<&str>,
        place: &FieldPath,
    ) -> Result<()> {
        const NAME: &str = "Content-Disposition";
        match filename {
            None => self.line(NAME, kind, place),
            // Many readers decode what looks like an encoded word even between quotes.
            Some(name) if name.contains("=?") => {
                self.line(NAME, &format!("{kind}{}", percent_encoded(name)), place)
            }
            Some(name) if kind == "inline" => {
                self.value(ContentDisposition::inline_with_name(name).display(), place)
            }
            Some(name) => self.value(ContentDisposition::attachment(name).display(), place),
        }
    }

    /// Mailboxes, separated by commas, folded between them; nothing if there are none.
    ///
    /// # Errors
    /// As [`Section::structured`].
    pub(crate) fn mailboxes(&mut self, name: &str, mailboxes: &[Mailbox], place: &FieldPath) -> Result<()> {
        if mailboxes.is_empty() {
            return Ok(());
        }
        let mut value = String::new();
        let mut used = name.len() + 2;
        for (at, mailbox) in mailboxes.iter().enumerate() {
            if at > 0 {
                value.push(',');
                used += 1;
                if used + 1 + mailbox.encode(1).len() > SOFT_LIMIT {
                    value.push_str("\r\n");
                    used = 0;
                }
                value.push(' ');
                used += 1;
            }
            let text = mailbox.encode(used);
            value.push_str(&text);
            used = text.rsplit_once("\r\n").map_or(used + text.len(), |(_, last)| last.len());
        }
        self.line(name, &value, place)
    }

    /// A line that is known to be right.
    pub(crate) fn plain(&mut self, name: &str, value: &str) {
        for part in [name, ": ", value, "\r\n"] {
            self.text.push_str(part);
        }
    }

    /// The section, without the empty line that ends it.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    fn value(&mut self, value: HeaderValue, place: &FieldPath) -> Result<()> {
        let mut one = Headers::new();
        one.insert_raw(value);
        let start = self.text.len();
        // Writing into a String does not fail.
        let _ = write!(self.text, "{one}");
        self.check_lines(start, place)
    }

    fn line(&mut self, name: &str, value: &str, place: &FieldPath) -> Result<()> {
        let start = self.text.len();
        self.plain(name, value);
        self.check_lines(start, place)
    }

    fn check_lines(&self, start: usize, place: &FieldPath) -> Result<()> {
        if self.text[start..].split("\r\n").any(|line| line.len() > LINE_LIMIT) {
            return Err(place.error(format!("makes a header line of more than {LINE_LIMIT} octets")));
        }
        Ok(())
    }
}

/// The parameter `filename` as RFC 2231 §4.1 has it, a line for each section.
fn percent_encoded(name: &str) -> String {
    let mut out = String::new();
    // 15 octets make 45 characters at most, which with the rest is well inside a line.
    for (at, octets) in name.as_bytes().chunks(15).enumerate() {
        let charset = if at == 0 { "utf-8''" } else { "" };
        // Writing into a String does not fail.
        let _ = write!(out, ";\r\n filename*{at}*={charset}");
        for octet in octets {
            let _ = match octet.is_ascii_alphanumeric() {
                true => write!(out, "{}", char::from(*octet)),
                false => write!(out, "%{octet:02X}"),
            };
        }
    }
    out
}

/// The line length that RFC 5322 §2.1.1 recommends.
const SOFT_LIMIT: usize = 78;

/// Whether a reader would not get back what was written, were it only folded.
fn needs_care(value: &str) -> bool {
    value.starts_with(' ')
        || value.ends_with(' ')
        || value.contains("=?")
        || value.split(' ').any(|word| word.len() > LINE_LIMIT - 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Spelling;
    use serde_json::json;

    fn place() -> FieldPath {
        FieldPath::top(Spelling::Camel).field("headers")
    }

    fn unfold(text: &str) -> String {
        encoded_word::decode(
            &text.strip_prefix("Subject: ").unwrap().strip_suffix("\r\n").unwrap().replace("\r\n", ""),
        )
    }

    #[test]
    fn text_of_any_script_and_length_comes_back() {
        for text in [
            "",
            "Hello",
            "Grüße",
            "件名",
            "Привет, мир",
            "مرحبا",
            "שלום",
            "नमस्ते",
            "สวัสดี",
            "Γειά",
            "🙂🙃 mixed é text",
            " leading",
            "trailing ",
            "two  spaces",
            "=?utf-8?q?literal?=",
            "a: b; c, d <e@f>",
            "\u{feff}bom",
            "é a é a é",
            "word ".repeat(300).trim_end(),
            &"x".repeat(3000),
            &"漢字".repeat(500),
            &"é b ".repeat(300),
        ] {
            let mut section = Section::default();
            section.unstructured("Subject", text, &place()).unwrap();
            let header = section.as_str();
            assert!(header.is_ascii() && header.ends_with("\r\n"));
            for line in header.trim_end_matches("\r\n").split("\r\n") {
                assert!(line.len() <= 998 && (text.is_empty() || !line.trim().is_empty()), "{header:?}");
                assert!(line.len() <= 78 || !line.contains("=?"), "{line:?}");
            }
            assert_eq!(unfold(header), text, "{header}");
        }
    }

    #[test]
    fn a_thousand_mailboxes_are_folded() {
        let value = json!({"name": "Ädä", "address": "a@example.com"});
        let list: Vec<_> = (0..1000).map(|_| Mailbox::read(value.clone(), &place()).unwrap()).collect();
        let mut section = Section::default();
        section.mailboxes("To", &list, &place()).unwrap();
        assert!(section.as_str().lines().all(|l| l.len() <= 78));
        assert_eq!(section.as_str().matches("<a@example.com>").count(), 1000);
    }

    #[test]
    fn names_that_are_not_the_callers_to_set_are_refused() {
        for (name, hint) in [
            ("To", "field `to`"),
            ("BCC", "field `bcc`"),
            ("Reply-To", "field `replyTo`"),
            ("Message-ID", "field `messageId`"),
            ("date", "field `date`"),
            ("Content-Type", "raw MIME"),
            ("mime-version", "raw MIME"),
            ("Resent-Bcc", "Resent-"),
            ("X Y", "spaces"),
            ("X:Y", "colons"),
            ("X\r\nBcc", "ASCII"),
            ("Ünï", "ASCII"),
            ("", "ASCII"),
        ] {
            let error = read(json!({name: "x"}), &place()).unwrap_err();
            assert!(error.hint().unwrap().contains(hint), "{error}");
            assert!(error.field().unwrap().starts_with("headers."), "{error}");
        }
        let error = read(json!({"X-Foo": ["a", "b\r\nBcc: c@d"]}), &place()).unwrap_err();
        assert_eq!(error.field(), Some("headers.X-Foo[1]"));
        for value in [json!(1), json!([["a"]]), json!(null)] {
            assert!(read(json!({"X-Foo": value}), &place()).is_err());
        }
        let custom = read(json!({"X-My_Thing": ["a", "b"]}), &place()).unwrap();
        assert_eq!(custom.len(), 2);
        assert_eq!(custom[1], Custom { name: "X-My_Thing".to_owned(), value: "b".to_owned() });
    }
}
