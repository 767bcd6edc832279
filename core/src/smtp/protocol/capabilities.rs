//! What a server says it can do: the reply to EHLO (RFC 5321 §4.1.1.1).

use crate::error::Reply;

/// The extensions that matter to us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// RFC 1870: offered; with the largest message in octets, if the server says one.
    pub(crate) size: Option<Option<u64>>,
    /// RFC 2920.
    pub(crate) pipelining: bool,
    /// RFC 6152.
    pub(crate) eight_bit_mime: bool,
    /// RFC 6531.
    pub(crate) smtputf8: bool,
    /// RFC 3207.
    pub(crate) starttls: bool,
    /// RFC 2034.
    pub(crate) enhanced_status_codes: bool,
    /// RFC 3461.
    pub(crate) dsn: bool,
    /// RFC 8689.
    pub(crate) require_tls: bool,
    /// RFC 4865: offered; with the longest hold in seconds, if the server says one.
    pub(crate) future_release: Option<Option<u64>>,
    /// RFC 3030.
    pub(crate) chunking: bool,
    /// RFC 4954: mechanisms, upper case, each once.
    pub(crate) auth: Vec<String>,
}

impl Capabilities {
    /// Reads a positive reply to EHLO: the first line is the server's name, each other an extension.
    pub(crate) fn from_reply(reply: &Reply) -> Self {
        let mut out = Self::default();
        for line in reply.text.lines().skip(1) {
            out.keyword(line);
        }
        out
    }

    /// Whether a SASL mechanism is offered.
    pub(crate) fn offers(&self, mechanism: &str) -> bool {
        self.auth.iter().any(|offered| offered == mechanism)
    }

    fn keyword(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        let Some(keyword) = words.next() else { return };
        let keyword = keyword.to_ascii_uppercase();
        match keyword.as_str() {
            // 0 means no fixed limit (RFC 1870 §4).
            "SIZE" => self.size = Some(words.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0)),
            "PIPELINING" => self.pipelining = true,
            "8BITMIME" => self.eight_bit_mime = true,
            "SMTPUTF8" => self.smtputf8 = true,
            "STARTTLS" => self.starttls = true,
            "ENHANCEDSTATUSCODES" => self.enhanced_status_codes = true,
            "DSN" => self.dsn = true,
            "REQUIRETLS" => self.require_tls = true,
            "FUTURERELEASE" => self.future_release = Some(words.next().and_then(|n| n.parse().ok())),
            "CHUNKING" => self.chunking = true,
            "AUTH" => self.mechanisms(words),
            // A draft's form, still sent beside the other for old clients.
            _ => {
                if let Some(first) = keyword.strip_prefix("AUTH=") {
                    self.mechanisms(std::iter::once(first).chain(words));
                }
            }
        }
    }

    fn mechanisms<'a>(&mut self, words: impl Iterator<Item = &'a str>) {
        for word in words {
            let word = word.to_ascii_uppercase();
            if !word.is_empty() && !self.auth.contains(&word) {
                self.auth.push(word);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Capabilities {
        let text = lines.join("\n");
        Capabilities::from_reply(&Reply { code: 250, enhanced: None, text, command: None })
    }

    #[test]
    fn exchange_before_and_after_tls() {
        let before = of(&[
            "AM0PR10CA0001.outlook.office365.com Hello [10.0.0.1]",
            "SIZE 157286400",
            "PIPELINING",
            "DSN",
            "ENHANCEDSTATUSCODES",
            "STARTTLS",
            "8BITMIME",
            "BINARYMIME",
            "CHUNKING",
            "SMTPUTF8",
        ]);
        assert!(before.starttls && before.pipelining && before.dsn && before.chunking);
        assert!(before.eight_bit_mime && before.smtputf8 && before.enhanced_status_codes);
        assert_eq!((before.size, before.auth.len()), (Some(Some(157_286_400)), 0));
        assert!(of(&["x", "AUTH LOGIN XOAUTH2"]).offers("XOAUTH2"));
    }

    #[test]
    fn odd_forms_are_understood() {
        let odd = of(&["STARTTLS", "size", "auth=login xoauth2", "AUTH XOAUTH2 oauthbearer", "", "SIZEABLE"]);
        assert!(!odd.starttls, "the first line is the server's name");
        assert_eq!(odd.size, Some(None));
        assert_eq!(odd.auth, ["LOGIN", "XOAUTH2", "OAUTHBEARER"]);
        assert_eq!(of(&["x", "SIZE 0"]).size, Some(None));
        assert_eq!(of(&["x", "SIZE many"]).size, Some(None));
        assert_eq!(of(&["x"]).size, None);
    }
}
