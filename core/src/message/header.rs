//! Headers: which a caller may add, and how each kind is written (RFC 5322 §2.2, §3.6).

use std::fmt::Write;

use serde_json::Value;

use super::line_ends::LINE_LIMIT;
use crate::address::quoted;
use crate::address::{Mailbox, encoded_word};
use crate::error::Result;
use crate::input::FieldPath;
use crate::input::reader::{kind, one_or_list, spaced, string};

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
            let value = spaced(&value, &at)?.into_owned();
            let custom = Custom { name: name.clone(), value };
            Section::default().custom(&custom, &at)?;
            out.push(custom);
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

/// Whether a header, its name in lower case, holds free text, which may be encoded.
pub(crate) fn is_free_text(name: &str) -> bool {
    let known = FIELDS.iter().any(|(field, _)| *field == name) || MADE.contains(&name);
    match name {
        "subject" | "content-description" => true,
        "" => false,
        _ => !known && !name.starts_with("resent-") && matches!(Syntax::of(name), Syntax::Text),
    }
}

/// How a header's value is written.
enum Syntax {
    /// RFC 5322 §3.4.
    Mailboxes,
    /// ASCII without encoded words.
    Structured,
    /// A phrase before angle brackets (RFC 2919 §3).
    ListId,
    /// Free text.
    Text,
}

impl Syntax {
    fn of(name: &str) -> Self {
        let lower = name.to_ascii_lowercase();
        match lower.as_str() {
            "list-id" => Self::ListId,
            name if MAILBOXES.contains(&name) => Self::Mailboxes,
            name if STRUCTURED.contains(&name) || name.starts_with("list-") || name.starts_with("arc-") => {
                Self::Structured
            }
            _ => Self::Text,
        }
    }
}

/// Headers that hold mailboxes: RFC 8098 §2.1, and those that programs agree on.
const MAILBOXES: &[&str] = &[
    "apparently-to",
    "disposition-notification-to",
    "errors-to",
    "mail-followup-to",
    "mail-reply-to",
    "return-receipt-to",
    "x-confirm-reading-to",
];

/// Headers whose words mean something to programs.
const STRUCTURED: &[&str] = &[
    "archived-at",
    "authentication-results",
    "auto-submitted",
    "autocrypt",
    "content-language",
    "dkim-signature",
    "feedback-id",
    "importance",
    "original-message-id",
    "precedence",
    "priority",
    "received",
    "sensitivity",
    "supersedes",
    "x-auto-response-suppress",
    "x-priority",
];

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
        self.line(name, &encoded_word::encode_text(value, name.len() + 2), place)
    }

    /// A header of the caller's own.
    ///
    /// # Errors
    /// `message_invalid` if its value is not what this header holds.
    pub(crate) fn custom(&mut self, custom: &Custom, place: &FieldPath) -> Result<()> {
        let Custom { name, value } = custom;
        match Syntax::of(name) {
            Syntax::Text => self.unstructured(name, value, place),
            Syntax::Mailboxes => {
                let mailboxes = Mailbox::parse_list(value, place).map_err(|error| {
                    error.with_hint("This header holds mailboxes, such as `Ada <ada@example.com>`, with commas between them.")
                })?;
                self.mailboxes(name, &mailboxes, place)
            }
            Syntax::ListId if !value.is_ascii() => {
                let (phrase, id) = value.rsplit_once('<').unwrap_or(("", value));
                if !id.is_ascii() {
                    return Err(place.error("has an identifier that is not ASCII"));
                }
                let phrase = encoded_word::encode(phrase.trim().trim_matches('"'), name.len() + 2);
                self.line(name, &format!("{phrase}\r\n <{id}"), place)
            }
            Syntax::Structured if !value.is_ascii() => Err(place
                .error("must be ASCII")
                .with_hint("Programs read this header, and do not decode words in it.")),
            Syntax::Structured | Syntax::ListId => self.structured(name, value, place),
        }
    }

    /// ASCII whose syntax forbids encoding, folded at its spaces.
    ///
    /// # Errors
    /// `message_invalid` if a word of it is longer than a line may be.
    pub(crate) fn structured(&mut self, name: &str, value: &str, place: &FieldPath) -> Result<()> {
        self.line(name, &encoded_word::fold(value, name.len() + 2), place)
    }

    /// Content-Type or Content-Disposition with a file's name, of any script, as the parameter `key`
    /// (RFC 2183, RFC 2231).
    ///
    /// # Errors
    /// As [`Section::structured`].
    pub(crate) fn with_name(
        &mut self,
        header: &str,
        value: &str,
        key: &str,
        name: &str,
        place: &FieldPath,
    ) -> Result<()> {
        let value = encoded_word::fold(value, header.len() + 2);
        self.line(header, &format!("{value}{}", parameter(key, name)), place)
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

/// A parameter on lines of its own: as it is while it is ASCII and fits, since not every reader knows RFC 2231;
/// else in its form (§4), in as many sections as it takes (§3).
fn parameter(key: &str, value: &str) -> String {
    // Many readers decode what looks like an encoded word even between quotes.
    let plain = value.bytes().all(|b| (b' '..=b'~').contains(&b)) && !value.contains("=?");
    if plain {
        let whole = format!(" {key}={}", quoted(value));
        if whole.len() <= SOFT_LIMIT {
            return format!(";\r\n{whole}");
        }
    }
    let mut sections = vec![String::new()];
    let room = SOFT_LIMIT - key.len() - " *00*=\"\";utf-8''".len();
    for c in value.chars() {
        let piece = match plain {
            true => c.to_string(),
            false => percent_encoded(c),
        };
        // Each quote is to be escaped yet.
        let width = |text: &str| text.len() + if plain { text.matches(['"', '\\']).count() } else { 0 };
        match sections.last_mut() {
            Some(last) if width(last) + width(&piece) <= room => last.push_str(&piece),
            _ => sections.push(piece),
        }
    }
    let mut out = String::new();
    let one = sections.len() == 1;
    for (at, section) in sections.iter().enumerate() {
        let charset = if at == 0 { "utf-8''" } else { "" };
        // Writing into a String does not fail.
        let _ = match (plain, one) {
            (true, _) => write!(out, ";\r\n {key}*{at}={}", quoted(section)),
            (false, true) => write!(out, ";\r\n {key}*={charset}{section}"),
            (false, false) => write!(out, ";\r\n {key}*{at}*={charset}{section}"),
        };
    }
    out
}

fn percent_encoded(c: char) -> String {
    let mut octets = [0; 4];
    let octets = c.encode_utf8(&mut octets).bytes();
    octets
        .map(|b| {
            if b.is_ascii_alphanumeric() || b == b'.' {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

/// The line length that RFC 5322 §2.1.1 recommends.
const SOFT_LIMIT: usize = 78;

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
    fn each_header_of_the_callers_is_written_as_its_kind_is() {
        let write = |name: &str, value: &str| {
            let mut section = Section::default();
            for custom in read(json!({name: value}), &place())? {
                section.custom(&custom, &place())?;
            }
            Ok::<_, crate::error::Error>(section.text)
        };
        for (name, value, want) in [
            (
                "Disposition-Notification-To",
                "\"Bücher, neu\" <x@example.com>",
                "Disposition-Notification-To: =?utf-8?b?QsO8Y2hlciwgbmV1?= <x@example.com>\r\n",
            ),
            (
                "return-receipt-to",
                "a@x.org,  Bo (Sales)\t<b@x.org>",
                "return-receipt-to: a@x.org, \"Bo (Sales)\" <b@x.org>\r\n",
            ),
            ("Errors-To", "", ""),
            (
                "List-Id",
                "Grüße <news.example.com>",
                "List-Id: =?utf-8?b?R3LDvMOfZQ==?=\r\n <news.example.com>\r\n",
            ),
            ("List-Id", "News <news.example.com>", "List-Id: News <news.example.com>\r\n"),
            ("Auto-Submitted", "auto-generated", "Auto-Submitted: auto-generated\r\n"),
            ("X-Note", "Bücher", "X-Note: =?utf-8?b?QsO8Y2hlcg==?=\r\n"),
        ] {
            assert_eq!(write(name, value).unwrap(), want);
        }
        let long = format!("<https://example.com/{}>", "a".repeat(200));
        assert_eq!(write("List-Help", &long).unwrap(), format!("List-Help: {long}\r\n"));
        for (name, value) in [
            ("Disposition-Notification-To", "not an address"),
            ("Disposition-Notification-To", "friends: a@x.org;"),
            ("Disposition-Notification-To", "=?utf-8?q?A=0D=0AX:_y?= <a@x.org>"),
            ("Mail-Followup-To", "a\u{200b}@x.org"),
            ("Auto-Submitted", "ä"),
            ("List-Post", "<mailto:ü@x.org>"),
            ("List-Id", "News <nü.example.com>"),
        ] {
            let error = write(name, value).unwrap_err();
            assert_eq!(error.field(), Some(format!("headers.{name}").as_str()), "{error}");
        }
    }

    #[test]
    fn names_of_files_are_as_plain_as_they_can_be() {
        for (name, want) in [
            ("report.pdf", ";\r\n filename=\"report.pdf\""),
            ("a \"b\" \\ c.pdf", ";\r\n filename=\"a \\\"b\\\" \\\\ c.pdf\""),
            ("résumé.pdf", ";\r\n filename*=utf-8''r%C3%A9sum%C3%A9.pdf"),
            ("=?utf-8?q?x?=", ";\r\n filename*=utf-8''%3D%3Futf%2D8%3Fq%3Fx%3F%3D"),
        ] {
            assert_eq!(parameter("filename", name), want);
        }
        // 46 characters, and as many as fit a line of 78.
        for length in [46, 66] {
            let name = "a".repeat(length);
            assert_eq!(parameter("filename", &name), format!(";\r\n filename=\"{name}\""));
        }
        for name in
            ["a".repeat(67), "\"".repeat(200), "é".repeat(100), "漢字".repeat(300), "\u{1f642}".repeat(200)]
        {
            let text = parameter("filename", &name);
            assert!(text.split("\r\n").all(|line| line.len() <= 78), "{text}");
            assert!(text.contains("filename*0") && text.contains("filename*1"), "{text}");
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
