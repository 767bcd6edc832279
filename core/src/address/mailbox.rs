//! Mailboxes of the caller's: a string that names one, or a display name beside an address.

use serde::{Deserialize, Deserializer, de};
use serde_json::{Value, json};

use super::addr_spec::{Address, is_atext};
use super::address_list::{self, ListEntry};
use super::encoded_word;
use crate::error::{Error, Result};
use crate::input::FieldPath;
use crate::input::reader::{Reader, kind, no_controls, spaced};

/// `"ada@example.com"`, or with a display name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxOption {
    /// The display name.
    pub name: Option<String>,
    /// The address.
    pub address: String,
}

impl MailboxOption {
    /// From a string or `{name, address}`, for the option `field`.
    ///
    /// # Errors
    /// `config_invalid`.
    pub fn read(value: Value, field: &str) -> Result<Self, Error> {
        serde_json::from_value(value).map_err(|e| Error::config(field, format!("`{field}`: {e}")))
    }
}

impl<'de> Deserialize<'de> for MailboxOption {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Named {
            name: Option<String>,
            address: String,
        }
        match Value::deserialize(de)? {
            Value::String(address) => Ok(Self { name: None, address }),
            value => serde_json::from_value::<Named>(value)
                .map(|n| Self { name: n.name, address: n.address })
                .map_err(|_| de::Error::custom("a mailbox is a string or {name, address}")),
        }
    }
}

/// A checked mailbox.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mailbox {
    /// The display name; never empty.
    pub(crate) name: Option<String>,
    /// The address.
    pub(crate) address: Address,
}

impl Mailbox {
    /// Reads `"Ada <ada@example.com>"`, `"ada@example.com"` or `{name, address}`.
    pub(crate) fn read(value: Value, place: &FieldPath) -> Result<Self> {
        match value {
            Value::String(text) => Self::parse(&text, place),
            value @ Value::Object(_) => {
                let mut reader = Reader::new(value, place.clone(), &["name", "address"])?;
                let name = reader.text("name")?;
                let name = name.map(|name| display_name(&name, &reader.at("name"))).transpose()?.flatten();
                let at = reader.at("address");
                let address = reader.line("address")?.ok_or_else(|| at.error("is missing"))?;
                Ok(Self { name, address: checked(&address, &at)? })
            }
            other => Err(place.error(format!("must be a string or {{name, address}}, not {}", kind(&other)))),
        }
    }

    /// The mailer's default.
    pub(crate) fn from_option(option: &MailboxOption, place: &FieldPath) -> Result<Self> {
        match &option.name {
            Some(name) => {
                no_controls(&option.address, place)?;
                Ok(Self { name: display_name(name, place)?, address: checked(&option.address, place)? })
            }
            None => Self::parse(&option.address, place),
        }
    }

    /// Returns the form that [`Mailbox::read`] takes.
    pub(crate) fn to_json(&self) -> Value {
        json!({ "name": self.name, "address": self.address.to_string() })
    }

    /// Returns the form of a header, with the display name encoded (RFC 5322 §3.4, RFC 2047 §5). The line has
    /// `used` characters already.
    pub(crate) fn encode(&self, used: usize) -> String {
        match &self.name {
            None => self.address.to_string(),
            Some(name) => {
                let phrase = phrase(name, used);
                let last = phrase.rsplit_once("\r\n").map_or(used + phrase.len(), |(_, l)| l.len());
                let address = self.address.to_string();
                // Lines with encoded words have at most 76 characters (RFC 2047 §2).
                let fold = if last + address.len() + 3 > 76 { "\r\n" } else { "" };
                format!("{phrase}{fold} <{address}>")
            }
        }
    }

    /// The name of a group without members, such as `undisclosed-recipients:;` (RFC 5322 §3.4); `None` for
    /// anything else.
    pub(crate) fn empty_group(text: &str, place: &FieldPath) -> Result<Option<String>> {
        let text = spaced(text, place)?;
        let groups = address_list::parse(&text).ok().filter(|list| list.entries.is_empty());
        match groups.unwrap_or_default().groups.as_slice() {
            [Some(name)] => display_name(name, place),
            _ => Ok(None),
        }
    }

    /// Returns the form of a header of a group without members. The line has `used` characters already.
    pub(crate) fn encode_group(name: &str, used: usize) -> String {
        format!("{}:;", phrase(name, used))
    }

    /// Reads a whole list, as a header has it.
    pub(crate) fn parse_list(text: &str, place: &FieldPath) -> Result<Vec<Self>> {
        let text = spaced(text, place)?;
        let list = address_list::parse(&text).map_err(|what| place.error(what))?;
        if !list.groups.is_empty() {
            return Err(place.error("has a group, where mailboxes are wanted"));
        }
        list.entries.iter().map(|entry| Self::of_entry(entry, place)).collect()
    }

    /// What an encoded word brings is looked at as it is read (RFC 2047 §5): it could end the header.
    fn of_entry(entry: &ListEntry, place: &FieldPath) -> Result<Self> {
        let address = checked(&entry.address, place)?;
        let name = entry.name.as_deref().map(|name| display_name(name, place)).transpose()?.flatten();
        Ok(Self { name, address })
    }

    fn parse(text: &str, place: &FieldPath) -> Result<Self> {
        let text = spaced(text, place)?;
        let hint = |error: Error| {
            error.with_hint(
                "Write `ada@example.com` or `Ada <ada@example.com>`; a name with a comma needs quotes, \
                 and several mailboxes are a list.",
            )
        };
        let list = address_list::parse(&text).map_err(|what| hint(place.error(what)))?;
        if !list.groups.is_empty() {
            return Err(hint(place.error("is a group, not a mailbox")));
        }
        let mut mailboxes = Vec::with_capacity(list.entries.len());
        for entry in &list.entries {
            mailboxes.push(Self::of_entry(entry, place).map_err(hint)?);
        }
        match (mailboxes.pop(), mailboxes.is_empty()) {
            (None, _) => Err(hint(place.error("is empty"))),
            (Some(one), true) => Ok(one),
            (Some(_), false) => Err(place
                .error("holds several mailboxes in one string")
                .with_hint("Give a list: one string is one mailbox.")),
        }
    }
}

/// The name without white space around it; `None` if nothing is left.
fn display_name(name: &str, place: &FieldPath) -> Result<Option<String>> {
    let name = spaced(name, place)?;
    Ok(Some(name.trim()).filter(|name| !name.is_empty()).map(str::to_owned))
}

fn checked(address: &str, place: &FieldPath) -> Result<Address> {
    Address::parse(address).map_err(|what| place.error(format!("is wrong: {what}")))
}

/// A display name as atoms, a quoted string or encoded words, whichever is the plainest.
fn phrase(name: &str, used: usize) -> String {
    // A quoted string that looks like an encoded word is decoded by many readers all the same.
    if !name.is_ascii() || name.contains("=?") || name.len() > QUOTED_LIMIT {
        return encoded_word::encode(name, used);
    }
    let atoms = name.split(' ').all(|atom| !atom.is_empty() && atom.chars().all(is_atext));
    if atoms {
        return name.to_owned();
    }
    quoted(name)
}

/// A quoted-string (RFC 5322 §3.2.4); `text` has no control characters.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// A longer name is written as encoded words, which can be folded anywhere.
const QUOTED_LIMIT: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Spelling;

    fn read(value: Value) -> Result<Mailbox> {
        Mailbox::read(value, &FieldPath::top(Spelling::Camel).field("reply_to"))
    }

    #[test]
    fn one_string_is_one_mailbox() {
        let error = read(json!("a@x.org, b@y.org")).unwrap_err();
        assert_eq!(error.field(), Some("replyTo"));
        assert!(error.hint().unwrap().contains("Give a list"), "{error}");
        for wrong in
            ["", " ", "Doe, Jane <j@x.org>", "friends: a@x.org;", "mailto:a@x.org", "Ada", "<>", "a@x.org b"]
        {
            assert!(read(json!(wrong)).is_err(), "{wrong}");
        }
        for wrong in [json!(1), json!(["a@x.org"]), json!({"name": "x"}), json!({"address": 1})] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
        let error = read(json!({"nam": "x", "address": "a@x.org"})).unwrap_err();
        assert_eq!(error.message(), "unknown message field `replyTo.nam`; did you mean `replyTo.name`?");
    }

    #[test]
    fn nothing_that_ends_a_header_comes_out_of_an_encoded_word() {
        for c in ['\r', '\n', '\0', '\u{b}', '\u{1b}', '\u{7f}', '\u{85}', '\u{9b}'] {
            use base64::Engine;
            let bad = format!("A{c}X-Injected: yes");
            let quoted: String = bad.bytes().map(|b| format!("={b:02X}")).collect();
            let base64 = base64::engine::general_purpose::STANDARD.encode(&bad);
            let latin: String = bad.chars().map(|c| format!("={:02X}", u32::from(c))).collect();
            for word in [
                format!("=?utf-8?q?{quoted}?="),
                format!("=?UTF-8*en?Q?{quoted}?="),
                format!("=?utf-8?b?{base64}?="),
                format!("=?us-ascii?B?{base64}?="),
                format!("=?iso-8859-1?q?{latin}?="),
                format!("=?utf-8?q?A?= =?utf-8?q?{quoted}?="),
            ] {
                for text in [
                    format!("ada@example.com ({word})"),
                    format!("{word} <ada@example.com>"),
                    format!("\"{word}\" <ada@example.com>"),
                    format!("Ada ({word}) <ada@example.com>"),
                    format!("Ada {word} <ada@example.com>"),
                ] {
                    // Between quotes there is no encoded word (RFC 2047 §5); whatever is read is written safely.
                    match read(json!(text)) {
                        Err(error) => {
                            assert_eq!(error.field(), Some("replyTo"));
                            assert!(error.message().contains("control character (U+"), "{error}");
                            assert!(!error.to_string().contains(c), "{error}");
                        }
                        Ok(mailbox) => {
                            let name = mailbox.name.clone().unwrap();
                            assert!(!name.contains(char::is_control), "{text:?}: {name:?}");
                            assert!(
                                mailbox
                                    .encode(4)
                                    .replace("\r\n ", "")
                                    .bytes()
                                    .all(|b| b.is_ascii_graphic() || b == b' ')
                            );
                        }
                    }
                }
                assert!(read(json!(format!("{word} <ada@example.com>"))).is_err(), "{word}");
                assert!(read(json!(format!("ada@example.com ({word})"))).is_err(), "{word}");
            }
        }
        // White space is white space, encoded too; a charset that is not read stays as it is.
        let name = |text: &str| read(json!(text)).unwrap().name.unwrap();
        assert_eq!(name("=?utf-8?q?A=09B?= <a@x.org>"), "A B");
        assert_eq!(name("A\tB\t<a@x.org>"), "A B");
        assert_eq!(read(json!({"name": "A\tB", "address": "a@x.org"})).unwrap().name.unwrap(), "A B");
        assert_eq!(name("=?koi8-r?q?=0D=0AX_y?= <a@x.org>"), "=?koi8-r?q?=0D=0AX_y?=");
    }

    #[test]
    fn names_come_back_as_they_went_in() {
        for name in [
            "Ada",
            "Ada Lovelace",
            "Lovelace, Ada",
            "O'Brien (Sales)",
            "A \"B\" \\ C",
            "=?utf-8?q?x?=",
            "Jürgen",
            "張偉 <x>",
            "a  b",
            "Dr.",
            "محمد",
            "עברית",
            "ไทย",
            "🙂 Ada 🙂",
            "@",
            ";:,",
            &"long ".repeat(60),
            &"é".repeat(300),
        ] {
            let mailbox = read(json!({"name": name, "address": "a@x.org"})).unwrap();
            let header = mailbox.encode(4);
            assert!(header.is_ascii());
            assert!(header.split("\r\n").all(|l| l.len() <= 78), "{header}");
            let read = Mailbox::parse(&header.replace("\r\n", ""), &FieldPath::top(Spelling::Snake)).unwrap();
            assert_eq!(read.name.as_deref(), Some(name.trim()), "{header}");
            assert_eq!(read, mailbox);
        }
    }
}
