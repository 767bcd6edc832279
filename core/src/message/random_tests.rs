//! Random input, the same every time: what comes in is either refused, or means the same when it is read again, and
//! a header section holds what was asked for and nothing else.

use super::*;
use crate::address::{Mailbox, address_list, encoded_word};
use crate::testing::Random;

/// Pieces that mailbox strings are made of, in and out of their places.
const PIECES: &[&str] = &[
    "ada@example.com",
    "<ada@example.com>",
    "<",
    ">",
    "(",
    ")",
    "\"",
    "\\",
    ",",
    ";",
    ":",
    "@",
    ".",
    " ",
    "  ",
    "\t",
    "Ada",
    "Jürgen",
    "漢字",
    "🙂",
    "\u{202e}",
    "\u{200b}",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "\r\n",
    "\n",
    "\r",
    "\0",
    "\u{1b}",
    "\r\n ",
    "=?utf-8?q?A=0D=0AX-Injected:_yes?=",
    "=?utf-8?b?QQ0KWC1JbmplY3RlZDogeWVz?=",
    "=?iso-8859-1?q?=85=0A?=",
    "=?us-ascii?Q?=00=7F=1B?=",
    "=?utf-8?q?a=09b?=",
    "=?utf-8?q?=C3?=",
    "=?utf-8?q?=A9?=",
    "=?utf-8?q?=3D=3Futf-8=3Fq=3F=3D0A=3F=3D?=",
    "=?utf-8*en?b?w6k=?=",
    "=?koi8-r?q?=0D=0AX?=",
    "=?utf-8?x?=0A?=",
    "=?utf-8?q?",
    "?=",
    "=?",
    "=0D=0A",
    "[127.0.0.1]",
    "a..b@x.org",
    "\"a b\"@x.org",
    "undisclosed-recipients:;",
    "a@bücher.example",
    "ü@x.org",
    "Bcc: eve@example.net",
];

/// Pieces of words in free text.
const WORDS: &[&str] = &[
    "Hello",
    "Grüße",
    "漢字",
    "🙂",
    " ",
    "  ",
    "\t",
    "=?utf-8?q?x?=",
    "=?",
    "?=",
    "=",
    "e\u{301}",
    "\u{feff}",
    "\u{a0}",
    "a,b;c:",
    "\"",
    "\\",
    "(x)",
    "<y@z>",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ".",
];

fn rendered(message: &Message) -> Result<Rendered> {
    let MessageKind::Built(fields) = &*message.kind else { panic!("not built") };
    render::render(fields, None, &FilePolicy::Deny, Spelling::Snake)
}

/// The header fields, unfolded, after a look at every octet.
fn section(octets: &[u8]) -> Vec<(String, String)> {
    let text = std::str::from_utf8(octets).unwrap();
    let (head, _) = text.split_once("\r\n\r\n").unwrap();
    let mut out: Vec<(String, String)> = Vec::new();
    for line in head.split("\r\n") {
        assert!(!line.chars().any(|c| c.is_control() && c != '\t'), "{line:?}");
        assert!(line.len() <= 998 && !line.trim().is_empty(), "{line:?}");
        match line.starts_with([' ', '\t']) {
            true => out.last_mut().unwrap().1.push_str(line),
            false => {
                let (name, value) = line.split_once(": ").unwrap();
                out.push((name.to_owned(), value.to_owned()));
            }
        }
    }
    out
}

#[test]
fn no_mailbox_string_brings_a_header_of_its_own() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let (mut taken, mut named) = (0, 0);
    for round in 0..6000 {
        let mut text = random.text(PIECES, 6);
        if random.one_in(2) {
            text = match random.below(3) {
                0 => format!("ada@example.com ({text})"),
                1 => format!("{text} <ada@example.com>"),
                _ => format!("\"{text}\" <ada@example.com>"),
            };
        }
        let (key, header) = random.pick(&[
            ("to", "To"),
            ("cc", "Cc"),
            ("reply_to", "Reply-To"),
            ("sender", "Sender"),
            ("from", "From"),
            ("headers", "Disposition-Notification-To"),
            ("name", "To"),
        ]);
        let mut fields = json!({"from": "a@example.com", "to": "b@example.org", "text": "t"});
        match key {
            "headers" => fields["headers"] = json!({ header: text }),
            "name" => fields["to"] = json!({"name": text, "address": "b@example.org"}),
            _ => fields[key] = json!(text),
        }
        let Ok(message) = Message::from_json(fields, Vec::new(), Spelling::Snake) else { continue };
        let Ok(rendered) = rendered(&message) else { continue };
        let MessageKind::Built(fields) = &*message.kind else { panic!("not built") };
        taken += 1;
        let found = section(&rendered.bytes());
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        let blank = text.trim().is_empty() && key != "name";
        let expected = [
            "Date",
            "From",
            "Sender",
            "Reply-To",
            "To",
            "Cc",
            "Message-ID",
            "Disposition-Notification-To",
            "MIME-Version",
            "Content-Type",
            "Content-Transfer-Encoding",
        ];
        let mut at = 0;
        for name in &names {
            // Each at most once, in our order, and none but ours.
            let next = expected[at..].iter().position(|e| e == name);
            at += next.unwrap_or_else(|| panic!("round {round}: {name} in {names:?} of {text:?}")) + 1;
        }
        let always =
            ["Date", "From", "To", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"];
        let more = usize::from(!always.contains(&header) && !blank && names.contains(&header));
        assert_eq!(names.len(), always.len() + more, "round {round}: {names:?} of {text:?}");
        if names.contains(&header) && !matches!(key, "headers") {
            let list = match key {
                "to" | "name" => fields.to.clone(),
                "cc" => fields.cc.clone(),
                "reply_to" => fields.reply_to.clone(),
                "sender" => fields.sender.clone().into_iter().collect(),
                _ => fields.from.clone(),
            };
            let value = &found.iter().find(|(name, _)| name == header).unwrap().1;
            if fields.to_group.is_none() || key != "to" {
                let read = Mailbox::parse_list(value, &FieldPath::top(Spelling::Snake)).unwrap();
                assert_eq!(read, list, "round {round}: {value:?} of {text:?}");
                named += usize::from(list[0].name.is_some());
            }
        }
        // Nothing that was hidden in a word came out.
        for (_, value) in &found {
            assert!(
                !encoded_word::decode(value).contains(['\r', '\n', '\0', '\u{1b}', '\u{7f}']),
                "{value:?}"
            );
        }
    }
    assert!(taken > 1000 && named > 300, "{taken} {named}");
}

#[test]
fn free_text_of_any_kind_comes_back_and_stays_in_its_header() {
    let mut random = Random(0x0dd_ba11);
    for round in 0..4000 {
        let text = random.text(WORDS, 30);
        let fields = json!({
            "from": "a@example.com", "to": "b@example.org", "subject": text, "text": "t", "headers": {"X-Note": text},
        });
        let octets =
            rendered(&Message::from_json(fields, Vec::new(), Spelling::Snake).unwrap()).unwrap().bytes();
        let found = section(&octets);
        assert_eq!(found.len(), 9, "round {round}: {text:?}");
        for header in ["Subject", "X-Note"] {
            let value = &found.iter().find(|(name, _)| name == header).unwrap().1;
            // A header may begin with a fold.
            let value = value.strip_prefix(' ').unwrap_or(value);
            assert_eq!(encoded_word::decode(value), text.replace('\t', " "), "round {round}: {value}");
        }
    }
}

#[test]
fn what_is_encoded_is_decoded_wherever_the_line_begins() {
    let mut random = Random(0xc0de);
    for round in 0..4000 {
        let text = random.text(WORDS, 20);
        let used = random.below(90);
        for encoded in
            [encoded_word::encode(&text, used), encoded_word::encode_text(&text.replace('\t', " "), used)]
        {
            let value = encoded.strip_prefix("\r\n ").unwrap_or(&encoded);
            let decoded = encoded_word::decode(&value.replace("\r\n", ""));
            assert!(
                decoded == text || decoded == text.replace('\t', " "),
                "round {round}: {text:?} as {encoded:?}"
            );
            for line in encoded.split("\r\n").skip(1) {
                assert!(line.starts_with(' ') && line.trim() != "", "{encoded:?}");
                assert!(line.len() <= 76 || !line.contains("=?"), "{encoded:?}");
            }
            for word in encoded.split([' ', '\r', '\n']).filter(|word| word.starts_with("=?")) {
                assert!(word.len() <= 75 && word.ends_with("?="), "{word}");
            }
        }
    }
    // What others wrote, and what nobody should.
    for _ in 0..4000 {
        let text = random.text(PIECES, 8);
        let decoded = encoded_word::decode(&text);
        if !text.contains("=?") {
            assert_eq!(decoded, text);
        }
        let _ = address_list::parse(&text);
    }
}

/// Pieces of raw messages.
const MIME: &[&str] = &[
    "From: a@x.org\r\n",
    "From: A <a@x.org>\n",
    "To: b@x.org\r\n",
    "To: friends: b@x.org, c@x.org;\r",
    "Cc: d@x.org,\r\n e@x.org\r\n",
    "Bcc: hidden@x.org\r\n",
    "bcc :\r\n hidden@x.org\r\n",
    "Resent-Bcc: hidden@x.org\n",
    "BCC: Jürgen <hidden@x.org>\r\n",
    "Subject: x\r\n",
    "Subject: Grüße\r\n",
    "\r\n",
    "\n",
    "\r",
    " folded\r\n",
    "\tfolded\n",
    "no header\r\n",
    "Date: Mon, 23 Nov 2026 10:30:00 +0100\r\n",
    "Message-ID: <1@x.org>\r\n",
    "message-id:\r\n",
    "Date:\r\n",
    ".\r\n",
    "..\n",
    "body\r\n",
    "body: b\n",
    ": \r\n",
    "From me Mon\r\n",
    "Resent-To: r@x.org\r\n",
    "Resent-From: s@x.org\r\n",
    "X-A: =?utf-8?q?=0D=0A?=\r\n",
    "MIME-Version: 1.0\r\n",
    "é\n",
    "\u{feff}",
];

#[test]
fn finished_mime_is_mended_once_and_keeps_what_it_said() {
    let mut random = Random(0x5eed_0001);
    let mut taken = 0;
    for round in 0..6000 {
        let mut mime = random.text(MIME, 8);
        if random.one_in(2) {
            mime = format!("From: a@x.org\r\nTo: b@x.org\r\n{mime}\r\n{}", random.text(MIME, 5));
        }
        let envelope = random
            .one_in(3)
            .then(|| Envelope { mail_from: "m@x.org".to_owned(), rcpt_to: vec!["n@x.org".to_owned()] });
        let Ok(message) = Message::raw(mime.clone(), envelope, None) else { continue };
        let MessageKind::Raw(raw) = &*message.kind else { panic!("not raw") };
        taken += 1;
        let Ok(rendered) = raw.complete(None, Spelling::Snake) else { continue };
        let octets = rendered.bytes();
        // CRLF throughout, an end at the end, and no blind copy before the body.
        assert!(matches!(line_ends::to_crlf(&octets), std::borrow::Cow::Borrowed(_)), "{mime:?}");
        assert!(octets.ends_with(b"\r\n"));
        let text = String::from_utf8(octets.to_vec()).unwrap();
        let end =
            if text.starts_with("\r\n") { 0 } else { text.find("\r\n\r\n").map_or(text.len(), |at| at + 2) };
        let (head, body) = text.split_at(end);
        assert!(!head.contains("hidden@"), "round {round}: {mime:?} became {text:?}");
        // What was written stands there still, in its order.
        let whole = String::from_utf8(
            line_ends::to_crlf(mime.trim_start_matches('\u{feff}').as_bytes()).into_owned(),
        )
        .unwrap();
        let said = body.trim_start_matches("\r\n");
        let without_end = said.strip_suffix("\r\n").unwrap_or(said);
        let stands = whole.ends_with(said) || whole.ends_with(without_end);
        assert!(stands, "round {round}: {mime:?} became {text:?}");
        for name in ["subject:", "x-a:", "cc:", "to:"] {
            let count = |text: &str| {
                text.split("\r\n").filter(|line| line.to_ascii_lowercase().starts_with(name)).count()
            };
            assert_eq!(count(&text), count(&whole), "round {round}: {name} of {mime:?} in {text:?}");
        }
        for name in ["message-id:", "date:", "from:"] {
            let with = |line: &&str| line.to_ascii_lowercase().starts_with(name);
            assert!(
                head.split("\r\n").any(|line| with(&line)),
                "round {round}: {name} of {mime:?} in {text:?}"
            );
        }
        // Read again, nothing changes.
        let again = Message::raw(octets.clone(), Some(rendered.envelope.clone()), None).unwrap();
        let MessageKind::Raw(again) = &*again.kind else { panic!("not raw") };
        assert_eq!(again.rendered.bytes(), octets, "round {round}: {mime:?}");
        assert_eq!(again.rendered.envelope, rendered.envelope);
        assert_eq!((again.rendered.eight_bit, &again.message_id), (rendered.eight_bit, &raw.message_id));
        // The other form says the same in ASCII.
        if let Some(fallback) = rendered.fallback {
            let octets = fallback.content.load().unwrap();
            let head = String::from_utf8_lossy(&octets).split("\r\n\r\n").next().unwrap().to_owned();
            assert!(head.is_ascii(), "round {round}: {head:?}");
            let once = |text: &str| encoded_word::decode(&text.replace("\r\n\t", " ").replace("\r\n", ""));
            // What would end a header is encoded once more, so that it is never read as that.
            let unfold = |text: &str| encoded_word::decode(&once(text));
            let original = text.split("\r\n\r\n").next().unwrap();
            let blanks = |text: String| text.replace([' ', '\t', '\u{feff}'], "");
            assert_eq!(blanks(unfold(&head)), blanks(unfold(original)), "round {round}");
        }
    }
    assert!(taken > 2000, "{taken}");
}
