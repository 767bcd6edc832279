//! Addresses as the envelope takes them (RFC 5321 §4.1.2, RFC 6531 §3.3).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use url::Host;

use super::encoded_word;

/// A checked address.
///
/// An internationalised domain is in its A-label form (RFC 5890) if the local part is ASCII, so that
/// any server takes it; with a non-ASCII local part the address needs SMTPUTF8 and stays as given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    local: String,
    domain: String,
}

impl Address {
    /// Reads `local@domain`, or says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("`{}` is not an address: {what}", text.escape_debug());
        let unseen = |c: char| wrong(&format!("it has U+{:04X}, a character that nobody sees", u32::from(c)));
        let at = text.rfind('@').unwrap_or(text.len());
        // Some scripts need joiners in a domain: IDNA says where.
        let is_unseen = |(i, c): &(usize, char)| is_invisible(*c) && !(is_joiner(*c) && *i > at);
        if let Some((_, c)) = text.char_indices().find(is_unseen) {
            return Err(unseen(c));
        }
        let forbidden = |c: char| {
            c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | char::REPLACEMENT_CHARACTER)
        };
        if text.contains(forbidden) {
            return Err(wrong("spaces, control characters and < > cannot be in it"));
        }
        let Some((local, domain)) = text.rsplit_once('@') else {
            return Err(wrong("it has no `@`"));
        };
        if local.len() > LONGEST_LOCAL {
            return Err(wrong(&format!("the part before `@` is over {LONGEST_LOCAL} octets")));
        }
        if encoded_word::is_in(local) {
            // RFC 2047 §5 forbids it, and some servers decode it and send to another address.
            return Err(wrong("an encoded word cannot be in it"));
        }
        let local = if is_quoted_string(local) || is_dot_atom(local) {
            local.to_owned()
        } else if !local.is_empty() && local.chars().all(|c| c == '.' || is_atext(c)) {
            // Some providers gave out names with dots in a row or at an end: in quotes the grammar has them.
            format!("\"{local}\"")
        } else {
            return Err(wrong("the part before `@` is malformed"));
        };
        let ascii = ascii_domain(domain).ok_or_else(|| match domain.chars().find(|c| is_invisible(*c)) {
            Some(c) => unseen(c),
            None => wrong("the domain is malformed"),
        })?;
        let domain = if local.is_ascii() { ascii } else { domain.to_owned() };
        Ok(Self { local, domain })
    }

    /// The domain in ASCII.
    pub(crate) fn ascii_domain(&self) -> String {
        ascii_domain(&self.domain).unwrap_or_else(|| "localhost".to_owned())
    }

    /// Equal for the same mailbox: domains are compared without case (RFC 5321 §2.4), quotes that are not
    /// needed change nothing (§4.1.2).
    pub(crate) fn key(&self) -> String {
        format!("{}@{}", unquoted(&self.local), self.ascii_domain().to_ascii_lowercase())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

/// RFC 5322 §3.2.3, widened by RFC 6532 §3.2.
pub(crate) fn is_atext(c: char) -> bool {
    !c.is_ascii() || c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

/// Characters that are not shown, or that turn the direction of others: format characters, fillers, variation
/// selectors and tags, and white space beyond ASCII (Unicode's Cf, Default_Ignorable_Code_Point, Z).
fn is_invisible(c: char) -> bool {
    !c.is_ascii()
        && (c.is_whitespace()
            || c.is_control()
            || INVISIBLE.iter().any(|&(first, last)| (first..=last).contains(&u32::from(c))))
}

const INVISIBLE: &[(u32, u32)] = &[
    (0xAD, 0xAD),
    (0x34F, 0x34F),
    (0x600, 0x605),
    (0x61C, 0x61C),
    (0x6DD, 0x6DD),
    (0x70F, 0x70F),
    (0x890, 0x891),
    (0x8E2, 0x8E2),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFB),
    (0x110BD, 0x110BD),
    (0x110CD, 0x110CD),
    (0x13430, 0x1343F),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
];

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}')
}

/// RFC 5321 §4.5.3.1.1 names 64 octets as what every server must take, and sets no limit for a client: forwarders
/// (SRS) and mailing lists (VERP) make longer ones. A header line must hold it all the same.
const LONGEST_LOCAL: usize = 700;

/// The local part without quotes, if it needs none.
fn unquoted(local: &str) -> String {
    let Some(inner) = local.strip_prefix('"').and_then(|l| l.strip_suffix('"')) else {
        return local.to_owned();
    };
    let mut said = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        escaped = c == '\\' && !escaped;
        if !escaped {
            said.push(c);
        }
    }
    if is_dot_atom(&said) { said } else { local.to_owned() }
}

fn is_dot_atom(local: &str) -> bool {
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

fn is_quoted_string(local: &str) -> bool {
    let Some(inner) = local.strip_prefix('"').and_then(|l| l.strip_suffix('"')) else { return false };
    let mut escaped = false;
    for c in inner.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return false,
            _ => {}
        }
    }
    !escaped && !inner.is_empty()
}

fn ascii_domain(domain: &str) -> Option<String> {
    if let Some(literal) = domain.strip_prefix('[').and_then(|d| d.strip_suffix(']')) {
        let known = match literal.get(..5) {
            Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => literal[5..].parse::<Ipv6Addr>().is_ok(),
            _ => literal.parse::<Ipv4Addr>().is_ok(),
        };
        return known.then(|| domain.to_owned());
    }
    // Before IDNA: its mapping would let through what a URL's host may have, such as %-escapes.
    if !domain.chars().all(|c| !c.is_ascii() || c.is_ascii_alphanumeric() || "-._".contains(c)) {
        return None;
    }
    let ascii = if domain.is_ascii() {
        domain.to_owned()
    } else {
        match Host::parse(domain).ok()? {
            Host::Domain(ascii) => ascii,
            Host::Ipv4(_) | Host::Ipv6(_) => return None,
        }
    };
    let label =
        |label: &str| (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-');
    (ascii.len() <= 253 && ascii.split('.').all(label)).then_some(ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_the_rfc_has_them() {
        for (text, want) in [
            ("ada@example.com", "ada@example.com"),
            ("ada+tag@EXAMPLE.com", "ada+tag@EXAMPLE.com"),
            ("o'brien@x", "o'brien@x"),
            ("a=?b@x.org", "a=?b@x.org"),
            ("\"a@b\"@x.org", "\"a@b\"@x.org"),
            ("\"a\\\"b\"@x.org", "\"a\\\"b\"@x.org"),
            ("ada@[127.0.0.1]", "ada@[127.0.0.1]"),
            ("ada@[IPv6:::1]", "ada@[IPv6:::1]"),
            ("ada@bücher.example", "ada@xn--bcher-kva.example"),
            ("ada@例え。テスト", "ada@xn--r8jz45g.xn--zckzah"),
            ("用户@例え.テスト", "用户@例え.テスト"),
            // Dots that the grammar has in quotes only.
            ("foo..bar@docomo.ne.jp", "\"foo..bar\"@docomo.ne.jp"),
            ("foo.@docomo.ne.jp", "\"foo.\"@docomo.ne.jp"),
            (".foo@docomo.ne.jp", "\".foo\"@docomo.ne.jp"),
            ("ü..ü@docomo.ne.jp", "\"ü..ü\"@docomo.ne.jp"),
            ("\"foo..bar\"@docomo.ne.jp", "\"foo..bar\"@docomo.ne.jp"),
            // A joiner that Persian needs.
            ("ada@نامه\u{200c}ای.com", "ada@xn--mgba3gch31f060k.com"),
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), want);
        }
    }

    #[test]
    fn what_could_break_a_command_line_is_refused() {
        for text in [
            "",
            "@",
            "ada",
            "@x.org",
            "ada@",
            "a b@x.org",
            "a@x org",
            "<a@x.org>",
            "a@x.org>",
            "a..b c@x.org",
            "a..b\"@x.org",
            "a@b@x.org",
            "a@x..org",
            "a@.x.org",
            "a@x.org.",
            "a@-x.org",
            "a@x%41.org",
            "a\r\n@x.org",
            "a@x.org\n",
            "a\0@x.org",
            "a@[1.2.3]",
            "a@[x",
            "\"a@x.org",
            "\"a\"b\"@x.org",
            "\"a b\"@x.org",
            "a,b@x.org",
            "a@x.org,b@y.org",
            "a@1.2.3.４４",
            "a\u{a0}b@x.org",
            "\"\"@x.org",
            "=?utf-8?q?ada=40evil.example=3E?=@x.org",
            "a=?x?B?w6k=?=b@x.org",
            "\"=?utf-8?q?=0D=0A?=\"@x.org",
            &format!("{}@x.org", "a".repeat(701)),
        ] {
            assert!(Address::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_long_local_part_is_no_fault() {
        let srs = format!("SRS0={}=example.com=ada@x.org", "a".repeat(120));
        assert_eq!(Address::parse(&srs).unwrap().to_string(), srs);
    }

    #[test]
    fn characters_that_nobody_sees_are_named() {
        for c in [
            '\u{ad}',
            '\u{61c}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{feff}',
            '\u{180e}',
            '\u{fe0f}',
            '\u{3164}',
            '\u{e0041}',
            '\u{a0}',
            '\u{2003}',
            '\u{2028}',
            '\u{3000}',
            '\u{85}',
            '\u{fff9}',
        ] {
            let code = format!("U+{:04X}", u32::from(c));
            for text in [
                format!("{c}ada@example.com"),
                format!("a{c}da@example.com"),
                format!("ada{c}@example.com"),
                format!("ada@{c}example.com"),
                format!("ada@exa{c}mple.com"),
                format!("ada@example.com{c}"),
                format!("ä{c}@example.com"),
                format!("\"a{c}\"@example.com"),
                format!("ada{c}"),
            ] {
                let error = Address::parse(&text).unwrap_err();
                assert!(error.contains(&code), "{text:?}: {error}");
            }
        }
    }

    #[test]
    fn the_same_mailbox_has_the_same_key() {
        let key = |text| Address::parse(text).unwrap().key();
        assert_eq!(key("ada@EXAMPLE.com"), key("ada@example.com"));
        assert_eq!(key("ada@bücher.example"), key("ada@XN--bcher-kva.example"));
        assert_ne!(key("Ada@example.com"), key("ada@example.com"));
        assert_eq!(key("foo..bar@x.org"), key("\"foo..bar\"@x.org"));
        assert_eq!(key("\"a\\da\"@x.org"), key("ada@x.org"));
        assert_ne!(key("\"a@b\"@x.org"), key("a@x.org"));
    }
}
