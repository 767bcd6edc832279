//! Addresses as the envelope takes them (RFC 5321 §4.1.2, RFC 6531 §3.3).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use url::Host;

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
        let forbidden = |c: char| {
            c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | char::REPLACEMENT_CHARACTER)
        };
        if text.contains(forbidden) {
            return Err(wrong("spaces, control characters and < > cannot be in it"));
        }
        let Some((local, domain)) = text.rsplit_once('@') else {
            return Err(wrong("it has no `@`"));
        };
        if local.len() > 64 {
            return Err(wrong("the part before `@` is over 64 octets"));
        }
        if !is_quoted_string(local) && !is_dot_atom(local) {
            return Err(wrong("the part before `@` is malformed"));
        }
        let ascii = ascii_domain(domain).ok_or_else(|| wrong("the domain is malformed"))?;
        let domain = if local.is_ascii() { ascii } else { domain.to_owned() };
        Ok(Self { local: local.to_owned(), domain })
    }

    /// The domain in ASCII.
    pub(crate) fn ascii_domain(&self) -> String {
        ascii_domain(&self.domain).unwrap_or_else(|| "localhost".to_owned())
    }

    /// Equal for the same mailbox: domains are compared without case (RFC 5321 §2.4).
    pub(crate) fn key(&self) -> String {
        format!("{}@{}", self.local, self.ascii_domain().to_ascii_lowercase())
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
            ("\"a@b\"@x.org", "\"a@b\"@x.org"),
            ("\"a\\\"b\"@x.org", "\"a\\\"b\"@x.org"),
            ("ada@[127.0.0.1]", "ada@[127.0.0.1]"),
            ("ada@[IPv6:::1]", "ada@[IPv6:::1]"),
            ("ada@bücher.example", "ada@xn--bcher-kva.example"),
            ("ada@例え。テスト", "ada@xn--r8jz45g.xn--zckzah"),
            ("用户@例え.テスト", "用户@例え.テスト"),
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
            "a..b@x.org",
            ".a@x.org",
            "a.@x.org",
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
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@x.org",
        ] {
            assert!(Address::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_same_mailbox_has_the_same_key() {
        let key = |text| Address::parse(text).unwrap().key();
        assert_eq!(key("ada@EXAMPLE.com"), key("ada@example.com"));
        assert_eq!(key("ada@bücher.example"), key("ada@XN--bcher-kva.example"));
        assert_ne!(key("Ada@example.com"), key("ada@example.com"));
    }
}
