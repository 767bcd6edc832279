//! A received message as `mail-parser` reads it (RFC 5322, 2045, 2047, 2231), for the page and for the log.

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::parsers::MessageStream;
use mail_parser::{Encoding, HeaderName, Message, MessageParser, MessagePart, MimeHeaders, PartType};

/// The most messages within messages, and digests, that are looked into: `mail-parser` builds one object
/// inside the other, and dropping them takes stack for each.
const NESTED: usize = 100;

/// What can be read of a message; nothing where it has no headers at all.
pub(crate) struct Reading<'a> {
    raw: &'a [u8],
    message: Option<Message<'a>>,
}

/// A part that is not the text: an attachment, or an image that the HTML shows.
pub(crate) struct File<'a> {
    pub(crate) name: Option<String>,
    /// The Content-ID without its angle brackets.
    pub(crate) id: Option<String>,
    /// The media type, in lower case.
    pub(crate) kind: String,
    /// The octets as they were before the transfer encoding.
    pub(crate) octets: Cow<'a, [u8]>,
}

/// Reads the whole message.
pub(crate) fn whole(raw: &[u8]) -> Reading<'_> {
    let parser = MessageParser::default();
    let message = if is_deep(raw) { parser.parse_headers(raw) } else { parser.parse(raw) };
    Reading { raw, message }
}

/// Reads the headers; the body is not looked at.
pub(crate) fn head(raw: &[u8]) -> Reading<'_> {
    Reading { raw, message: MessageParser::default().parse_headers(raw) }
}

/// Each header field in its order: its name, and its value unfolded and decoded.
pub(crate) fn headers(raw: &[u8]) -> Vec<(String, String)> {
    let message = MessageParser::new().parse_headers(raw);
    let decoded = |header: &mail_parser::Header<'_>| {
        let value = raw.get(header.offset_start() as usize..header.offset_end() as usize);
        let value = MessageStream::new(value.unwrap_or_default()).parse_unstructured();
        (header.name().to_owned(), value.as_text().unwrap_or_default().to_owned())
    };
    message.map_or_else(Vec::new, |message| message.headers().iter().map(decoded).collect())
}

impl<'a> Reading<'a> {
    /// The Subject, decoded; empty if there is none.
    pub(crate) fn subject(&self) -> String {
        self.message.as_ref().and_then(|message| message.subject()).unwrap_or_default().to_owned()
    }

    /// The Message-ID with its angle brackets; empty if there is none.
    pub(crate) fn message_id(&self) -> String {
        let raw = self.message.as_ref().and_then(|message| message.header_raw(HeaderName::MessageId));
        raw.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The addresses in From.
    pub(crate) fn senders(&self) -> Vec<String> {
        let from = self.message.as_ref().and_then(|message| message.from());
        let address = |found: &mail_parser::Addr<'_>| found.address().map(str::to_owned);
        from.map_or_else(Vec::new, |from| from.iter().filter_map(address).collect())
    }

    /// The text that is shown.
    pub(crate) fn text(&self) -> Option<&str> {
        self.shown(|body| matches!(body, PartType::Text(_)))?.1.text_contents()
    }

    /// The HTML that is shown.
    pub(crate) fn html(&self) -> Option<&str> {
        self.shown(|body| matches!(body, PartType::Html(_)))?.1.text_contents()
    }

    /// Every part that is not shown as text or HTML.
    pub(crate) fn files(&self) -> Vec<File<'_>> {
        let Some(message) = &self.message else {
            return Vec::new();
        };
        let shown = [
            self.shown(|body| matches!(body, PartType::Text(_))),
            self.shown(|body| matches!(body, PartType::Html(_))),
        ];
        let is_shown = |at: usize| shown.iter().flatten().any(|(shown, _)| *shown == at);
        let parts = message.parts.iter().enumerate();
        parts
            .filter(|(at, part)| {
                let is_empty_root = *at == 0 && part.is_empty() && part.content_type().is_none();
                !part.is_multipart() && !is_shown(*at) && !is_empty_root
            })
            .map(|(_, part)| self.file(part))
            .collect()
    }

    /// The part that `cid:` and this id mean (RFC 2392).
    pub(crate) fn with_id(&self, content_id: &str) -> Option<File<'_>> {
        let parts = &self.message.as_ref()?.parts;
        parts.iter().find(|part| part.content_id() == Some(content_id)).map(|part| self.file(part))
    }

    fn shown(&self, is: impl Fn(&PartType<'_>) -> bool) -> Option<(usize, &MessagePart<'a>)> {
        let message = self.message.as_ref()?;
        let bodies = message.text_body.iter().chain(&message.html_body);
        let mut parts = bodies.filter_map(|at| Some((*at as usize, message.part(*at)?)));
        parts.find(|(_, part)| is(&part.body))
    }

    fn file<'s>(&'s self, part: &'s MessagePart<'a>) -> File<'s> {
        let kind = match part.content_type() {
            Some(kind) => format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()),
            None => "text/plain".to_owned(),
        };
        File {
            name: part.attachment_name().map(str::to_owned),
            id: part.content_id().map(str::to_owned),
            kind: kind.to_ascii_lowercase(),
            octets: self.octets(part),
        }
    }

    /// `mail-parser` turns texts into UTF-8, and a message within a message stands for the whole of the
    /// outer one: those are taken from the raw message.
    fn octets<'s>(&'s self, part: &'s MessagePart<'a>) -> Cow<'s, [u8]> {
        let exact = match &part.body {
            PartType::Text(_) | PartType::Html(_) => true,
            PartType::Message(_) => part.encoding == Encoding::None,
            _ => false,
        };
        let raw = self.raw.get(part.offset_body as usize..part.offset_end as usize);
        let decoded = match (exact, raw, part.encoding) {
            (true, Some(raw), Encoding::None) => Some(Cow::Borrowed(raw)),
            (true, Some(raw), Encoding::Base64) => base64_decode(raw).map(Cow::Owned),
            (true, Some(raw), Encoding::QuotedPrintable) => quoted_printable_decode(raw).map(Cow::Owned),
            _ => None,
        };
        decoded.unwrap_or(Cow::Borrowed(part.contents()))
    }
}

/// Whether the message may hold more messages within messages than are looked into.
fn is_deep(raw: &[u8]) -> bool {
    let slashes = raw.iter().enumerate().filter(|(_, octet)| **octet == b'/').map(|(at, _)| at);
    let nests = |at: &usize| {
        let before = &raw[at.saturating_sub(7)..*at];
        let after = raw.get(at + 1..at + 7).unwrap_or_default();
        before.eq_ignore_ascii_case(b"message") || after.eq_ignore_ascii_case(b"digest")
    };
    slashes.filter(nests).nth(NESTED).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] = b"Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\n =?utf-8?Q?_an_alle?=\r\n\
        From: \"Doe, <Ada>\" <ada@x.example>, bob@y.example (Bob, B), g: c@z.example;\r\n\
        Message-ID:\r\n <1@x.example>\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n\
        --b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\nplain\r\n--c\r\nContent-Type: multipart/related; boundary=d\r\n\r\n\
        --d\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<b>=C3=BC</b>=\r\n!\r\n\
        --d\r\nContent-Type: image/png\r\nContent-ID: <logo@x.example>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw==\r\n--d--\r\n--c--\r\n\
        --b\r\nContent-Type: application/pdf; name=\"a.pdf\"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename*=utf-8''%C3%BC.pdf\r\n\r\nAAEC\r\n\
        --b\r\nContent-Type: text/csv; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\nContent-Disposition: attachment; filename=t.csv\r\n\r\nGr\xfc\xdfe;1\r\n\
        --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nwithin\r\n--b--\r\n";

    #[test]
    fn parts_are_found_and_decoded() {
        let message = whole(MESSAGE);
        assert_eq!(message.subject(), "Grüße an alle");
        assert_eq!(message.message_id(), "<1@x.example>");
        assert_eq!(message.senders(), ["ada@x.example", "bob@y.example", "c@z.example"]);
        assert_eq!(message.text().unwrap(), "plain");
        assert_eq!(message.html().unwrap(), "<b>ü</b>!");
        let files: Vec<_> = message
            .files()
            .into_iter()
            .map(|file| (file.name, file.kind, file.octets.into_owned()))
            .collect();
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(
            files,
            [
                (None, "image/png".into(), b"\x89PNG".to_vec()),
                (named("ü.pdf"), "application/pdf".into(), vec![0, 1, 2]),
                (named("t.csv"), "text/csv".into(), b"Gr\xfc\xdfe;1".to_vec()),
                (None, "message/rfc822".into(), b"Subject: inner\r\n\r\nwithin".to_vec()),
            ]
        );
        assert_eq!(*message.with_id("logo@x.example").unwrap().octets, *b"\x89PNG");
        assert!(message.with_id("nothing").is_none());
        let shown = headers(MESSAGE);
        assert_eq!(shown[0], ("Subject".into(), "Grüße an alle".into()));
        assert_eq!(shown[1].1, "\"Doe, <Ada>\" <ada@x.example>, bob@y.example (Bob, B), g: c@z.example;");
        assert_eq!(head(MESSAGE).subject(), "Grüße an alle");
    }

    #[test]
    fn messages_within_messages_are_followed_only_so_far() {
        let deep = b"Content-Type: message/rfc822\r\n\r\n".repeat(200_000);
        assert_eq!(whole(&deep).text(), None);
        let few =
            [b"Content-Type: message/rfc822\r\n\r\n".repeat(3), b"Subject: x\r\n\r\nx".to_vec()].concat();
        assert_eq!(whole(&few).files().len(), 1);
    }

    /// Pieces of the message above, cut and joined anew, from a seed that a failure prints.
    #[test]
    fn nonsense_is_read_as_far_as_it_goes() {
        let mut random = 0x9E37_79B9_7F4A_7C15_u64;
        let mut below = |most: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % most.max(1) as u64) as usize
        };
        let lines: Vec<&[u8]> = MESSAGE.split_inclusive(|octet| *octet == b'\n').collect();
        for _ in 0..3000 {
            let mut raw = Vec::new();
            for _ in 0..below(30) {
                let line = lines[below(lines.len())];
                let (from, to) =
                    (below(3) * below(line.len()), line.len() - below(3) * below(line.len()) / 2);
                raw.extend_from_slice(line.get(from..to).unwrap_or(line));
                if below(9) == 0 {
                    raw.push(below(256) as u8);
                }
            }
            let message = whole(&raw);
            let octets: usize = message.files().iter().map(|file| file.octets.len()).sum();
            assert!(octets <= raw.len() * 4, "{}", raw.escape_ascii());
            let _ =
                (message.text(), message.html(), message.senders(), headers(&raw), head(&raw).message_id());
        }
    }
}
