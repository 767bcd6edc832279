//! Whole messages, read back by a parser that is not ours.

use bytes::Bytes;
use mail_parser::{MessageParser, MimeHeaders, PartType};
use serde_json::{Value, json};

use super::*;
use crate::address::encoded_word;

const NO_FILES: FilePolicy = FilePolicy::Deny;

fn made(fields: Value) -> Result<Message> {
    Message::from_json(fields, Vec::new(), Spelling::Snake)
}

/// A message with a sender and a recipient, and `more`.
fn minimal(more: Value) -> Value {
    let mut fields = json!({"from": "ada@example.com", "to": "grace@example.org"});
    if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
        fields.extend(more);
    }
    fields
}

fn render(message: &Message) -> Result<Rendered> {
    render_with(message, None, &NO_FILES)
}

fn render_with(message: &Message, from: Option<&str>, files: &FilePolicy) -> Result<Rendered> {
    let from = from.map(|address| MailboxOption { name: None, address: address.to_owned() });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(message.render(Defaults { from, files, spelling: Spelling::Snake }))
}

fn octets(fields: Value) -> Bytes {
    let rendered = render(&made(fields).unwrap()).unwrap();
    assert!(!rendered.long_line && rendered.bytes().ends_with(b"\r\n"));
    assert!(matches!(line_ends::to_crlf(&rendered.bytes()), std::borrow::Cow::Borrowed(_)));
    rendered.bytes()
}

fn parse(octets: &[u8]) -> mail_parser::Message<'_> {
    MessageParser::default().parse(octets).unwrap()
}

fn head(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    text.split("\r\n\r\n").next().unwrap().to_owned()
}

const SCRIPTS: &[&str] = &[
    "Hello",
    "Grüße aus Köln",
    "Привет, мир",
    "你好，世界",
    "こんにちは世界",
    "안녕하세요",
    "مرحبا بالعالم",
    "שלום עולם",
    "नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    "Γειά σου Κόσμε",
    "Բարեւ",
    "გამარჯობა",
    "ሰላም",
    "🙂👩‍👩‍👧‍👦🏳️‍🌈",
    "e\u{301}",
    "x, y; z: (a) <b> \"c\" \\d",
    "=?utf-8?q?literal?=",
];

#[test]
fn every_script_survives_in_names_subjects_texts_and_file_names() {
    for text in SCRIPTS.iter().map(|s| (*s).to_owned()).chain(SCRIPTS.iter().map(|s| s.repeat(20))) {
        let fields = json!({
            "from": {"name": text, "address": "ada@example.com"},
            "to": [{"name": text, "address": "grace@example.org"}, "b@example.org"],
            "subject": text, "text": text, "html": format!("<p>{text}</p>"),
            "headers": {"X-Note": text},
            "attachments": [{"content": text, "filename": format!("{text}.txt")}],
        });
        let octets = octets(fields);
        assert!(octets.is_ascii());
        assert!(octets.split(|b| *b == b'\n').all(|l| l.len() <= 120), "{}", head(&octets));
        let parsed = parse(&octets);
        assert_eq!(parsed.subject(), Some(text.as_str()));
        assert_eq!(parsed.from().unwrap().first().unwrap().name(), Some(text.as_str()));
        assert_eq!(parsed.to().unwrap().first().unwrap().name(), Some(text.as_str()));
        assert_eq!(
            parsed.header_raw("X-Note").map(|v| encoded_word::decode(v.replace("\r\n", "").trim())),
            Some(text.clone())
        );
        assert_eq!(parsed.body_text(0).unwrap(), text);
        assert_eq!(parsed.body_html(0).unwrap(), format!("<p>{text}</p>"));
        let attachment = parsed.attachment(0).unwrap();
        assert_eq!(attachment.attachment_name(), Some(format!("{text}.txt").as_str()));
        assert_eq!(attachment.contents(), text.as_bytes());
    }
}

#[test]
fn texts_survive_byte_for_byte() {
    for text in [
        "",
        "Hi",
        "Hi\n",
        "a\r\nb\r\n",
        ".",
        ".\n.\n..\n.a\n",
        "trailing \nspaces\t\n  \n",
        "From me\n>From you\nFrom",
        "a=b =20 =\n",
        "bare\rcr",
        "\n\n\n",
        "tab\there",
        "nul\0 esc\u{1b}",
        "é\n.\nFrom ü \n",
        "--\nsig",
        "-- \nsig",
        &"x".repeat(5000),
        &"漢".repeat(5000),
        &"a ".repeat(5000),
    ] {
        let want = String::from_utf8(line_ends::to_crlf(text.as_bytes()).into_owned()).unwrap();
        let with_file = octets(minimal(json!({"text": text, "attachments": [{"content": "x"}]})));
        assert_eq!(part_text(&with_file, 1), want, "{text:?}");
        // The last line of a whole message has to be ended.
        let alone = octets(minimal(json!({ "text": text })));
        let got = part_text(&alone, 0);
        assert_eq!(
            got.strip_suffix("\r\n").unwrap_or(&got),
            want.strip_suffix("\r\n").unwrap_or(&want),
            "{text:?}"
        );
        for octets in [alone, with_file] {
            assert!(octets.split(|b| *b == b'\n').all(|l| l.len() <= 79 && !l.starts_with(b".")));
        }
    }
}

/// The decoded text of a part, decoded here: the parser takes liberties with line ends.
fn part_text(octets: &[u8], id: usize) -> String {
    let parsed = parse(octets);
    let part = &parsed.parts[id];
    let body = &octets[part.raw_body_offset() as usize..part.raw_end_offset() as usize];
    let encoding = part.content_transfer_encoding().unwrap().to_owned();
    let text = String::from_utf8(body.to_vec()).unwrap();
    match encoding.as_str() {
        "7bit" => text,
        "base64" => {
            use base64::Engine;
            let joined = text.replace("\r\n", "");
            String::from_utf8(base64::engine::general_purpose::STANDARD.decode(joined).unwrap()).unwrap()
        }
        "quoted-printable" => {
            let text = text.replace("=\r\n", "");
            let mut out = Vec::new();
            let mut rest = text.as_bytes();
            while let Some((first, after)) = rest.split_first() {
                if *first == b'=' {
                    out.push(u8::from_str_radix(std::str::from_utf8(&after[..2]).unwrap(), 16).unwrap());
                    rest = &after[2..];
                } else {
                    out.push(*first);
                    rest = after;
                }
            }
            String::from_utf8(out).unwrap()
        }
        other => panic!("{other}"),
    }
}

#[test]
fn parts_nest_by_themselves() {
    let image = json!({"blob": 0, "filename": "logo.png", "content_id": "logo@x"});
    let file = json!({"blob": 0, "filename": "a.pdf"});
    for (more, want) in [
        (json!({}), "text/plain"),
        (json!({"text": "t"}), "text/plain"),
        (json!({"html": "h"}), "text/html"),
        (json!({"text": "t", "html": "h"}), "alternative(text/plain text/html)"),
        (json!({"html": "h", "attachments": [image]}), "related(text/html image/png)"),
        (
            json!({"text": "t", "html": "h", "attachments": [image]}),
            "alternative(text/plain related(text/html image/png))",
        ),
        (json!({"text": "t", "attachments": [file]}), "mixed(text/plain application/pdf)"),
        (json!({"attachments": [file]}), "mixed(application/pdf)"),
        (json!({"text": "t", "attachments": [image]}), "mixed(text/plain image/png)"),
        (
            json!({"text": "t", "html": "h", "attachments": [file, image]}),
            "mixed(alternative(text/plain related(text/html image/png)) application/pdf)",
        ),
    ] {
        let blob = Bytes::from_static(b"\0\xff\r\n.\r\n");
        let message = Message::from_json(minimal(more), vec![blob.clone().into()], Spelling::Snake).unwrap();
        let octets = render(&message).unwrap().bytes();
        let parsed = parse(&octets);
        assert_eq!(shape(&parsed, 0), want);
        for part in &parsed.parts {
            if matches!(part.body, PartType::Binary(_) | PartType::InlineBinary(_)) {
                assert_eq!(part.contents(), &blob);
            }
        }
    }
}

fn shape(message: &mail_parser::Message<'_>, id: usize) -> String {
    let part = &message.parts[id];
    let kind = part.content_type().unwrap();
    match &part.body {
        PartType::Multipart(children) => {
            let inner: Vec<_> = children.iter().map(|c| shape(message, *c as usize)).collect();
            format!("{}({})", kind.subtype().unwrap(), inner.join(" "))
        }
        _ => format!("{}/{}", kind.ctype(), kind.subtype().unwrap()),
    }
}

#[test]
fn control_characters_are_refused_in_every_field() {
    for c in ['\r', '\n', '\0', '\u{b}', '\u{1b}', '\u{7f}', '\u{85}'] {
        let bad = format!("a{c}Bcc: eve@example.net");
        let address = format!("ada@example.com{c}");
        for (field, more) in [
            ("from", json!({ "from": address })),
            ("from", json!({ "from": format!("Ada{c} <a@example.com>") })),
            ("from.name", json!({"from": {"name": bad, "address": "a@example.com"}})),
            ("from.address", json!({"from": {"address": address}})),
            ("sender", json!({ "sender": address })),
            ("reply_to[0]", json!({ "reply_to": [address] })),
            ("to[1]", json!({ "to": ["a@example.com", address] })),
            ("cc", json!({ "cc": address })),
            ("bcc[0].name", json!({"bcc": [{"name": bad, "address": "a@example.com"}]})),
            ("subject", json!({ "subject": bad })),
            ("headers.X-Foo", json!({"headers": {"X-Foo": bad}})),
            ("headers.X-Foo[0]", json!({"headers": {"X-Foo": [bad]}})),
            ("message_id", json!({ "message_id": format!("<a{c}@b>") })),
            ("date", json!({ "date": format!("2026-11-23T09:30:00Z{c}") })),
            ("in_reply_to", json!({ "in_reply_to": format!("<a{c}@b>") })),
            ("references[0]", json!({ "references": [format!("<a{c}@b>")] })),
            ("list_unsubscribe", json!({ "list_unsubscribe": format!("https://example.com/{c}") })),
            ("priority", json!({ "priority": bad })),
            ("tag", json!({ "tag": bad })),
            ("envelope.mail_from", json!({"envelope": {"mail_from": address, "rcpt_to": ["b@example.org"]}})),
            ("envelope.rcpt_to[0]", json!({"envelope": {"mail_from": "", "rcpt_to": [address]}})),
            ("attachments[0]", json!({ "attachments": [{"content": "x", "filename": bad}] })),
            (
                "attachments[0]",
                json!({ "attachments": [{"content": "x", "content_type": format!("a/b{c}")}] }),
            ),
            ("attachments[0]", json!({ "attachments": [{"content": "x", "content_id": bad}] })),
            ("attachments[0]", json!({ "attachments": [bad] })),
        ] {
            let error = made(minimal(more)).unwrap_err();
            assert_eq!(error.code(), ErrorCode::MessageInvalid);
            assert!(error.field().unwrap().starts_with(field), "{field}: {error}");
            assert!(error.message().contains("control character (U+"), "{error}");
            assert!(!error.to_string().contains(c), "{error}");
        }
        let name = format!("X-Foo{c}Bcc");
        let error = made(minimal(json!({"headers": {name: "x"}}))).unwrap_err();
        assert!(!error.to_string().contains(c), "{error}");
    }
}

#[test]
fn a_tab_is_white_space() {
    let octets = octets(minimal(json!({
        "from": "Ada\tLovelace <ada@example.com>", "to": {"name": "Grace\tHopper", "address": "grace@example.org"},
        "subject": "a\tb", "in_reply_to": "<a@b>\t<c@d>", "references": ["\t<a@b>\t"],
        "list_unsubscribe": "<https://example.com/u>,\t<mailto:u@example.com>", "headers": {"X-Note": "a\tb"},
    })));
    let head = head(&octets);
    for line in [
        "From: Ada Lovelace <ada@example.com>",
        "To: Grace Hopper <grace@example.org>",
        "Subject: a b",
        "In-Reply-To: <a@b> <c@d>",
        "References: <a@b>",
        "X-Note: a b",
    ] {
        assert!(head.split("\r\n").any(|l| l == line), "{line} in\n{head}");
    }
    assert!(!head.contains('\t'));
    // No address has one, and an envelope is no header.
    assert!(made(minimal(json!({"cc": "a\tb@example.com"}))).is_err());
    assert!(made(minimal(json!({"envelope": {"mail_from": "a@x\t", "rcpt_to": ["b@x"]}}))).is_err());
    assert!(made(minimal(json!({"tag": "a\tb"}))).is_err());
}

#[test]
fn ids_are_found_among_what_stands_beside_them() {
    let ids = |text: &str| {
        let octets = octets(minimal(json!({ "references": text })));
        let head = head(&octets).replace("\r\n ", " ");
        let line = head.split("\r\n").find_map(|line| line.strip_prefix("References: ")).unwrap();
        line.to_owned()
    };
    for (text, want) in [
        ("<a@x.example><b@x.example>", "<a@x.example> <b@x.example>"),
        ("< a@x.example >", "<a@x.example>"),
        ("a@x.example, <b@x.example>,", "<a@x.example> <b@x.example>"),
        ("Your message of Monday <a@x.example>", "<a@x.example>"),
        ("\"Ada <x@y>, Countess\" <a@x.example> (the <first>) word", "<a@x.example>"),
        ("Grüße <a@x.example>", "<a@x.example>"),
        // Other programs make ids without `@`; brackets say that it is one.
        ("<20261123>", "<20261123>"),
        ("<a\"b@x>", "<a\"b@x>"),
    ] {
        assert_eq!(ids(text), want, "{text}");
    }
    for wrong in ["hello", "<a@b", "a@b>", "<>", "<a b@c>", "<ü@b>", "\"a@b", "(a@b", "<a@b> <>"] {
        assert_eq!(
            made(minimal(json!({"in_reply_to": wrong}))).unwrap_err().field(),
            Some("in_reply_to"),
            "{wrong}"
        );
    }
}

#[test]
fn urls_that_end_a_subscription_are_read_as_the_header_has_them() {
    let urls = |value: Value| {
        let octets = octets(minimal(json!({ "list_unsubscribe": value })));
        let head = head(&octets).replace("\r\n ", " ");
        let find =
            |name: &str| head.split("\r\n").find_map(|line| line.strip_prefix(name).map(str::to_owned));
        (find("List-Unsubscribe: ").unwrap_or_default(), find("List-Unsubscribe-Post: ").is_some())
    };
    let both = ("<https://example.com/u>, <mailto:u@example.com>".to_owned(), true);
    for value in [
        json!("<https://example.com/u>, <mailto:u@example.com>"),
        json!("<https://example.com/u>,<mailto:u@example.com>"),
        json!(" (click) < https://example.com/u > (or write),, <mailto:u@example.com> "),
        json!(["<https://example.com/u>, <mailto:u@example.com>"]),
        json!(["<https://example.com/u>", "mailto:u@example.com"]),
        json!(["https://example.com/u", "", null, "mailto:u@example.com"]),
    ] {
        assert_eq!(urls(value.clone()), both, "{value}");
    }
    assert!(!urls(json!("<mailto:u@example.com>, <mailto:v@example.com>")).1);
    assert_eq!(urls(json!("https://example.com/u?a=b,c")).0, "<https://example.com/u?a=b%2Cc>");
    assert_eq!(urls(json!("")), (String::new(), false));
    for wrong in [
        "https://example.com/u, mailto:u@example.com",
        "https://example.com/u,mailto:u@example.com",
        "https://example.com/u mailto:u@example.com",
        "https://example.com/a b",
    ] {
        let error = made(minimal(json!({"list_unsubscribe": wrong}))).unwrap_err();
        assert_eq!(error.field(), Some("list_unsubscribe"), "{wrong}");
        assert!(error.hint().unwrap().contains("Give a list"), "{wrong}: {error}");
    }
    for wrong in
        ["<https://example.com/u> <mailto:u@x>", "<https://example.com/u", "<javascript:x>", "(x)", "<a>, b"]
    {
        assert!(made(minimal(json!({"list_unsubscribe": wrong}))).is_err(), "{wrong}");
    }
}

#[test]
fn an_empty_optional_field_is_none() {
    let octets = octets(json!({
        "from": "ada@example.com", "to": ["grace@example.org", null, ""], "cc": "", "bcc": [], "reply_to": [null],
        "sender": "", "in_reply_to": "", "references": [""], "list_unsubscribe": [], "attachments": [null],
        "message_id": "", "date": "", "priority": "", "calendar": "", "text": "t",
    }));
    let head = head(&octets);
    for name in
        ["Cc:", "Reply-To:", "Sender:", "In-Reply-To:", "References:", "List-", "X-Priority:", "multipart"]
    {
        assert!(!head.contains(name), "{name} in {head}");
    }
    assert!(head.contains("\r\nTo: grace@example.org\r\n") && head.contains("Message-ID: <"));
    for to in [json!(""), json!([]), json!([null]), json!(null), json!([" "])] {
        let error = made(json!({"from": "ada@example.com", "to": to})).unwrap_err();
        assert_eq!((error.field(), error.message()), (Some("to"), "`to` is missing"), "{to}");
    }
    assert_eq!(
        render_with(&made(json!({"from": "", "to": "a@x.org"})).unwrap(), Some("d@x.org"), &NO_FILES)
            .unwrap()
            .envelope
            .mail_from,
        "d@x.org"
    );
}

#[test]
fn mistakes_are_named_as_the_caller_spells_them() {
    let camel = |fields| Message::from_json(fields, Vec::new(), Spelling::Camel).unwrap_err();
    let error = camel(json!({"to": "a@example.com", "replyTos": "b@example.com"}));
    assert_eq!(error.message(), "unknown message field `replyTos`; did you mean `replyTo`?");
    assert_eq!(
        camel(json!({"to": "a@example.com", "listUnsubscribe": "x"})).field(),
        Some("listUnsubscribe")
    );
    assert_eq!(camel(json!({})).field(), Some("to"));
    assert_eq!(camel(json!([])).field(), Some(""));
    assert_eq!(camel(json!({"to": "a@x", "from": ["a@x", "b@x"]})).field(), Some("from"));
    assert_eq!(camel(json!({"to": "a@x", "text": 1})).message(), "`text` must be a string, not a number");
    for date in ["2026-11-23T09:30:00", "yesterday", "2026-11-23"] {
        let error = camel(json!({"to": "a@x", "date": date}));
        assert!(error.message().contains("RFC 3339"), "{error}");
    }
    for id in ["<>", "a", "<a@b", "a b@c", "<a@b>c", "a@", "ü@b"] {
        assert_eq!(camel(json!({"to": "a@x", "messageId": id})).field(), Some("messageId"), "{id}");
    }
    let error = camel(json!({"to": "a@x", "priority": "high", "headers": {"importance": "low"}}));
    assert_eq!(error.field(), Some("headers.Importance"));
    let error = render(&made(json!({"to": "a@example.com"})).unwrap()).unwrap_err();
    assert_eq!(error.field(), Some("from"));
}

#[test]
fn headers_say_what_was_asked_for() {
    let octets = octets(minimal(json!({
        "sender": "s@example.com", "reply_to": ["r@example.com", "Two <t@example.com>"], "cc": "c@example.com",
        "bcc": "hidden@example.net", "subject": "", "message_id": "id@example.com",
        "date": "2026-11-23T10:30:00.5+01:00", "in_reply_to": "a@b", "references": ["<x@y> z@y", "a@b"],
        "list_unsubscribe": ["mailto:u@example.com", "https://example.com/u?a=b,c"], "priority": "high",
        "headers": {"X-Multi": ["one", "two"], "Auto-Submitted": "auto-generated"},
    })));
    let head = head(&octets);
    for line in [
        "Date: Mon, 23 Nov 2026 10:30:00 +0100",
        "From: ada@example.com",
        "Sender: s@example.com",
        "Reply-To: r@example.com, Two <t@example.com>",
        "To: grace@example.org",
        "Cc: c@example.com",
        "Subject: ",
        "Message-ID: <id@example.com>",
        "In-Reply-To: <a@b>",
        "References: <x@y> <z@y> <a@b>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        "X-Priority: 1",
        "Importance: high",
        "Priority: urgent",
        "X-Multi: one",
        "X-Multi: two",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
    ] {
        assert!(head.split("\r\n").any(|l| l == line), "{line} in\n{head}");
    }
    assert!(
        head.replace("\r\n", "")
            .contains("List-Unsubscribe: <mailto:u@example.com>, <https://example.com/u?a=b%2Cc>"),
        "{head}"
    );
    assert!(!head.to_lowercase().contains("bcc") && !head.contains("hidden"));
}

#[test]
fn one_click_needs_https() {
    let octets = octets(minimal(json!({"list_unsubscribe": "mailto:u@example.com"})));
    assert!(!head(&octets).contains("One-Click"));
    assert!(made(minimal(json!({"list_unsubscribe": "javascript:x"}))).is_err());
}

#[test]
fn the_envelope_is_the_explicit_one_or_the_fields() {
    let envelope =
        |fields: Value, from| render_with(&made(fields).unwrap(), from, &NO_FILES).unwrap().envelope;
    let got = envelope(
        json!({"from": "a@x.org", "to": ["b@x.org", "B <b@X.ORG>"], "cc": "c@x.org", "bcc": ["d@x.org", "c@x.org"]}),
        None,
    );
    assert_eq!(
        (got.mail_from.as_str(), got.rcpt_to),
        ("a@x.org", vec!["b@x.org".into(), "c@x.org".into(), "d@x.org".into()])
    );
    assert_eq!(
        envelope(json!({"from": "a@x.org", "sender": "s@x.org", "to": "b@x.org"}), None).mail_from,
        "s@x.org"
    );
    assert_eq!(envelope(json!({"to": "b@x.org"}), Some("Default <d@x.org>")).mail_from, "d@x.org");
    let got =
        envelope(json!({"from": "a@x.org", "envelope": {"mail_from": "", "rcpt_to": ["z@x.org"]}}), None);
    assert_eq!((got.mail_from.as_str(), got.rcpt_to), ("", vec!["z@x.org".to_owned()]));
}

#[test]
fn internationalised_addresses_need_smtputf8_only_where_ascii_cannot_say_it() {
    let message = made(json!({"from": "Ä <a@bücher.example>", "to": "b@例え.テスト"})).unwrap();
    assert!(message.message_id().ends_with("@xn--bcher-kva.example>"));
    let rendered = render(&message).unwrap();
    assert!(!rendered.smtputf8 && !rendered.eight_bit);
    assert_eq!(rendered.envelope.mail_from, "a@xn--bcher-kva.example");
    assert_eq!(rendered.envelope.rcpt_to, ["b@xn--r8jz45g.xn--zckzah"]);
    let rendered = render(&made(json!({"from": "a@x.org", "to": "用户@例え.テスト"})).unwrap()).unwrap();
    assert!(rendered.smtputf8 && rendered.eight_bit);
    assert!(head(&rendered.bytes()).contains("To: 用户@例え.テスト"));
}

#[test]
fn attached_messages_are_not_encoded() {
    let attach = |octets: &'static [u8]| {
        let fields = minimal(json!({"attachments": [{"blob": 0, "filename": "old.eml"}]}));
        render(&Message::from_json(fields, vec![Bytes::from_static(octets).into()], Spelling::Snake).unwrap())
            .unwrap()
    };
    let plain = attach(b"Subject: old\n\nHi\n.\n");
    assert!(String::from_utf8_lossy(&plain.bytes()).contains("7bit\r\n\r\nSubject: old\r\n\r\nHi\r\n.\r\n"));
    assert!(!plain.eight_bit);
    assert!(
        parse(&plain.bytes())
            .parts
            .iter()
            .any(|p| matches!(&p.body, PartType::Message(m) if m.subject() == Some("old")))
    );
    let eight = attach("Subject: old\n\nHé\n".as_bytes());
    assert!(eight.eight_bit && String::from_utf8_lossy(&eight.bytes()).contains("Encoding: 8bit\r\n"));
    // For a server without 8BITMIME it goes as a file, and the rest as it is.
    let fallback = eight.fallback.unwrap();
    let octets = fallback.content.load().unwrap();
    assert!(octets.is_ascii() && !fallback.eight_bit);
    let parsed = parse(&octets);
    let part = parsed.attachment(0).unwrap();
    assert_eq!(part.contents(), "Subject: old\n\nHé\n".as_bytes());
    assert!(part.is_content_type("application", "octet-stream") && part.attachment_name() == Some("old.eml"));
    assert_eq!(
        parsed.message_id().map(|id| format!("<{id}>")),
        parse(&eight.content.load().unwrap()).message_id().map(|id| format!("<{id}>"))
    );
    assert!(plain.fallback.is_none());
    let binary = attach(b"Subject: old\n\n\0");
    assert!(!binary.eight_bit);
    assert_eq!(parse(&binary.bytes()).attachment(0).unwrap().contents(), b"Subject: old\n\n\0");
}

#[test]
fn path_attachments_are_read_when_the_message_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("résumé.pdf");
    let message = made(minimal(json!({"text": "t", "attachments": [path.to_str().unwrap()]}))).unwrap();
    let error = render_with(&message, None, &FilePolicy::Allow).unwrap_err();
    assert_eq!(error.code(), ErrorCode::AttachmentUnreadable);
    assert!(error.message().contains("résumé.pdf"), "{error}");
    let content: Vec<u8> = (0..700_000u32).map(|i| (i * 7 % 251) as u8).collect();
    std::fs::write(&path, &content).unwrap();
    let octets = render_with(&message, None, &FilePolicy::Allow).unwrap().bytes();
    let parsed = parse(&octets);
    let attachment = parsed.attachment(0).unwrap();
    assert_eq!(attachment.attachment_name(), Some("résumé.pdf"));
    assert_eq!(attachment.contents(), content);
    assert_eq!(render(&message).unwrap_err().code(), ErrorCode::MessageInvalid);
}

#[test]
fn a_long_thread_keeps_its_first_id_and_its_latest() {
    let references = |ids: &[String]| {
        let octets = octets(minimal(json!({ "references": ids, "in_reply_to": ids.last() })));
        let head = head(&octets).replace("\r\n ", " ");
        head.split("\r\n").find_map(|line| line.strip_prefix("References: ")).unwrap().to_owned()
    };
    let ids: Vec<_> = (0..1000).map(|at| format!("<{at:04}.{}@x.example>", "a".repeat(60))).collect();
    let got = references(&ids);
    assert!(got.len() <= 998 - 12 && got.len() > 900, "{}", got.len());
    let got: Vec<_> = got.split(' ').collect();
    assert_eq!(got[0], ids[0]);
    assert_eq!(got[1..], ids[ids.len() - (got.len() - 1)..]);
    // The last two are never left out, whatever their length.
    let long: Vec<_> = (0..9).map(|at| format!("<{at}{}@x.example>", "a".repeat(600))).collect();
    assert_eq!(references(&long), [&*long[0], &*long[7], &*long[8]].join(" "));
    for few in [1, 2, 3, 11] {
        assert_eq!(references(&ids[..few]), ids[..few].join(" "));
    }
}

#[test]
fn ids_are_never_encoded_words() {
    let id = format!("<{}=?utf-8?q?x?=@x.example>", "a".repeat(300));
    let octets = octets(minimal(json!({"in_reply_to": id, "references": [id, "<b@x>"], "message_id": id})));
    assert_eq!(head(&octets).matches(&id).count(), 3);
}

#[test]
fn nobody_is_named_in_to_if_that_is_asked_for() {
    for to in [
        json!("undisclosed-recipients:;"),
        json!(["Undisclosed recipients: ;"]),
        json!("Unbekannte Empfänger:;"),
    ] {
        let message =
            made(json!({"from": "ada@example.com", "to": to, "bcc": ["a@x.org", "b@x.org"]})).unwrap();
        let rendered = render(&message).unwrap();
        assert_eq!(rendered.envelope.rcpt_to, ["a@x.org", "b@x.org"]);
        let head = head(&rendered.bytes());
        let line = head.split("\r\n").find_map(|line| line.strip_prefix("To: ")).unwrap();
        assert!(line.ends_with(":;") && line.is_ascii() && !head.contains("x.org"), "{head}");
        let (fields, blobs) = message.to_json(Spelling::Snake);
        let again = Message::from_json(fields, blobs, Spelling::Snake).unwrap();
        assert_eq!(self::head(&render(&again).unwrap().bytes()), head);
    }
    for wrong in [
        json!({"to": "undisclosed-recipients:;"}),
        json!({"to": ["undisclosed-recipients:;", "a@x.org"], "bcc": "b@x.org"}),
        json!({"to": "friends: a@x.org;", "bcc": "b@x.org"}),
        json!({"to": ":;", "bcc": "b@x.org"}),
        json!({"to": "=?utf-8?q?A=0D=0AX?=:;", "bcc": "b@x.org"}),
        json!({"to": "b@x.org", "cc": "undisclosed-recipients:;"}),
    ] {
        assert!(made(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn an_attached_calendar_says_its_charset_and_its_method() {
    let attach = |content: &str, more: Value| {
        let mut attachment = json!({"blob": 0, "filename": "invite.ics"});
        attachment.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let fields = minimal(json!({"attachments": [attachment]}));
        let blobs = vec![Bytes::from(content.to_owned()).into()];
        let octets = render(&Message::from_json(fields, blobs, Spelling::Snake).unwrap()).unwrap().bytes();
        let text = String::from_utf8_lossy(&octets).into_owned();
        let line =
            text.split("\r\n").find_map(|line| line.strip_prefix("Content-Type: text/calendar")).unwrap();
        assert!(
            text.contains("\r\n name=\"invite.ics\"\r\n")
                && text.contains("\r\n filename=\"invite.ics\"\r\n")
        );
        line.to_owned()
    };
    for (content, want) in [
        ("BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\n", "; charset=utf-8; method=REQUEST;"),
        ("\u{feff}BEGIN:VCALENDAR\nMETHOD:CANCEL\nEND:VCALENDAR\n", "; charset=utf-8; method=CANCEL;"),
        ("BEGIN:VCALENDAR\r\nMETH\r\n OD:RE\r\n\tPLY\r\n", "; charset=utf-8; method=REPLY;"),
        ("BEGIN:VCALENDAR\r\nMETHOD;X-A=\"a:b\":PUBLISH\r\n", "; charset=utf-8; method=PUBLISH;"),
        ("BEGIN:VCALENDAR\r\nMETHODX:PUBLISH\r\n", "; charset=utf-8;"),
        ("BEGIN:VCALENDAR\r\nMETHOD:a b\r\n", "; charset=utf-8;"),
        ("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nMETHOD:REQUEST\r\n", "; charset=utf-8;"),
        ("", "; charset=utf-8;"),
    ] {
        assert_eq!(attach(content, json!({})), want, "{content:?}");
    }
    let request = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\n";
    for (given, want) in [
        ("text/calendar", "; charset=utf-8; method=REQUEST;"),
        ("text/calendar; method=\"PUBLISH\"", "; method=\"PUBLISH\"; charset=utf-8;"),
        ("text/calendar; charset=iso-8859-1", "; charset=iso-8859-1; method=REQUEST;"),
    ] {
        assert_eq!(attach(request, json!({"content_type": given})), want);
    }
    // The same from a file that is not loaded.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("year.ics");
    std::fs::write(&path, format!("{request}{}", "X-A:b\r\n".repeat(40_000))).unwrap();
    let message = made(minimal(json!({"attachments": [path.to_str().unwrap()]}))).unwrap();
    let octets = render_with(&message, None, &FilePolicy::Allow).unwrap().bytes();
    assert!(String::from_utf8_lossy(&octets).contains("text/calendar; charset=utf-8; method=REQUEST;"));
}

#[test]
fn names_of_files_are_on_both_headers() {
    for (name, want) in [
        ("a".repeat(42) + ".pdf", true),
        ("résumé.pdf".to_owned(), false),
        ("漢字".repeat(40) + ".pdf", false),
        ("x".repeat(150) + ".pdf", false),
        ("a\tb \"c\".pdf".to_owned(), true),
    ] {
        let octets = octets(minimal(
            json!({"attachments": [{"content": "x", "filename": name, "content_type": "application/pdf"}]}),
        ));
        let text = String::from_utf8_lossy(&octets).into_owned();
        assert_eq!(text.contains(" filename=\"") && text.contains(" name=\""), want, "{text}");
        assert!(text.is_ascii() && text.lines().all(|line| line.len() <= 78), "{text}");
        let parsed = parse(&octets);
        let part = parsed.attachment(0).unwrap();
        let name = name.replace('\t', " ");
        assert_eq!(part.content_disposition().unwrap().attribute("filename"), Some(&*name), "{text}");
        assert_eq!(part.content_type().unwrap().attribute("name"), Some(&*name), "{text}");
    }
    // A name of the caller's own stays.
    let own = json!({"content": "x", "filename": "a.pdf", "content_type": "application/pdf; name=b.pdf"});
    let octets = octets(minimal(json!({"attachments": [own]})));
    assert!(String::from_utf8_lossy(&octets).contains("Content-Type: application/pdf; name=b.pdf\r\n"));
}

#[test]
fn an_invitation_is_the_last_of_the_forms() {
    let invite = "BEGIN:VCALENDAR\nMETHOD: REQUEST\nBEGIN:VEVENT\nSUMMARY:Grüße\nEND:VEVENT\nEND:VCALENDAR\n";
    for (more, want) in [
        (json!({"calendar": invite}), "text/calendar"),
        (json!({"text": "t", "calendar": invite}), "alternative(text/plain text/calendar)"),
        (
            json!({"text": "t", "html": "h", "calendar": invite, "attachments": [{"content": "x"}]}),
            "mixed(alternative(text/plain text/html text/calendar) text/plain)",
        ),
    ] {
        let message = made(minimal(more)).unwrap();
        let octets = render(&message).unwrap().bytes();
        let parsed = parse(&octets);
        assert_eq!(shape(&parsed, 0), want);
        let text = String::from_utf8_lossy(&octets);
        assert!(text.contains("text/calendar; charset=utf-8; method=REQUEST\r\n"), "{text}");
        let part = parsed.parts.iter().find(|part| part.is_content_type("text", "calendar")).unwrap();
        assert!(part.text_contents().unwrap().contains("SUMMARY:Grüße\r\n"));
        let (fields, blobs) = message.to_json(Spelling::Snake);
        assert_eq!(fields["calendar"], invite);
        assert!(Message::from_json(fields, blobs, Spelling::Snake).is_ok());
    }
    let octets = octets(minimal(
        json!({"calendar": format!("\u{feff}{}", invite.replace("METHOD: ", "METHOD;X-A=b:"))}),
    ));
    assert!(String::from_utf8_lossy(&octets).contains("text/calendar; charset=utf-8; method=REQUEST\r\n"));
    assert!(
        !octets.windows(3).any(|three| three == "\u{feff}".as_bytes())
            && !String::from_utf8_lossy(&octets).contains("=EF=BB=BF")
    );
    for wrong in ["hello", "BEGIN:VCARD"] {
        assert_eq!(made(minimal(json!({"calendar": wrong}))).unwrap_err().field(), Some("calendar"));
    }
}

#[test]
fn what_is_read_as_it_goes_is_what_would_have_been_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("big.bin");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    // Around the octets of a line, of a piece, and of what is loaded.
    for size in [0, 1, 56, 57, 58, 200_000, 57 * 4096 - 1, 57 * 4096, 57 * 4096 + 1, 700_001] {
        let content: Vec<u8> = (0..size).map(|i| (i * 7 % 251) as u8).collect();
        std::fs::write(&path, &content).unwrap();
        let builder = || {
            let message = Message::builder().from("a@x.org").to("b@x.org").message_id("<i@x>").text("t");
            message.date("2026-01-01T00:00:00Z")
        };
        let sources = [
            Attachment::bytes(content.clone()),
            Attachment::path(&path).filename("f").content_type("application/octet-stream"),
            Attachment::stream(std::io::Cursor::new(content.clone())).size(size as u64),
            Attachment::stream(std::io::Cursor::new(content.clone())),
        ];
        let without_boundary = |octets: &[u8]| {
            let text = String::from_utf8(octets.to_vec()).unwrap();
            let boundary = text.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
            text.replace(&boundary, "BOUNDARY")
        };
        let mut want = None;
        for (at, source) in sources.into_iter().enumerate() {
            let source = source.filename("f").content_type("application/octet-stream");
            let message = builder().attach(source).build().unwrap();
            let content = render_with(&message, None, &FilePolicy::Allow).unwrap().content;
            let told = content.size();
            assert_eq!(
                content.in_memory().is_some(),
                at == 0 || (at == 1 && size < 180 * 1024),
                "{at} {size}"
            );
            let octets = runtime.block_on(async { content.clone().read().collect().await.unwrap() });
            assert_eq!((told.is_none(), content.size_sent()), (at == 3, octets.len() as u64));
            assert!(told.is_none_or(|told| told == octets.len() as u64), "{at} {size}");
            let text = without_boundary(&octets);
            assert_eq!(*want.get_or_insert(text.clone()), text, "{at} {size}");
            if at < 2 {
                assert_eq!(without_boundary(&content.load().unwrap()), text);
            } else {
                assert_eq!(content.load().unwrap_err().field(), Some("attachments[0]"));
                let again = runtime.block_on(async { content.read().collect().await.unwrap_err() });
                assert_eq!(again.code(), ErrorCode::AttachmentUnreadable);
            }
        }
    }
}

#[test]
fn streams_that_are_not_what_they_were_said_to_be() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let read = |attachment: Attachment| {
        let message = Message::builder().from("a@x.org").to("b@x.org").attach(attachment).build().unwrap();
        let content = render(&message)?.content;
        runtime.block_on(async { content.read().collect().await })
    };
    let octets = || std::io::Cursor::new(vec![7; 1000]);
    for size in [999, 1001] {
        let error = read(Attachment::stream(octets()).size(size)).unwrap_err();
        assert_eq!((error.code(), error.field()), (ErrorCode::AttachmentUnreadable, Some("attachments[0]")));
        assert!(error.message().contains(&size.to_string()), "{error}");
    }
    let failing = ByteStream::blocking(|| Err(std::io::Error::other("the disk is gone")));
    assert!(read(failing.into()).unwrap_err().message().contains("the disk is gone"));
    let message = read(Attachment::stream(octets()).content_type("message/rfc822")).unwrap_err();
    assert_eq!(message.field(), Some("attachments[0].content_type"));
    assert_eq!(read(Attachment::stream(octets())).unwrap().len() % 2, 0);
}

#[test]
fn pickling_keeps_the_message() {
    let fields = json!({
        "from": "\"Ada, Countess\" <a@x.org>", "sender": "s@x.org", "replyTo": ["r@x.org"], "to": ["b@x.org", {"name": "Ü", "address": "c@x.org"}],
        "bcc": "d@x.org", "subject": "Ü", "text": "t\n", "html": "h", "headers": {"X-My_Thing": ["1", "2"], "X-B": "b"},
        "attachments": ["/tmp/a.pdf", {"content": "é", "filename": "a.txt", "contentId": "x"}, {"blob": 0, "contentType": "image/png"}],
        "inReplyTo": "<a@b>", "references": ["<a@b>", "<c@d>"], "listUnsubscribe": "https://x.org/", "priority": "low",
        "envelope": {"mailFrom": "", "rcptTo": ["z@x.org"]}, "tag": "t", "date": "2026-11-23T10:30:00+01:00",
    });
    let message =
        Message::from_json(fields, vec![Bytes::from_static(b"\0").into()], Spelling::Camel).unwrap();
    let (value, blobs) = message.to_json(Spelling::Camel);
    assert_eq!(value["messageId"], message.message_id());
    assert_eq!(value["date"], "2026-11-23T10:30:00+01:00");
    let again = Message::from_json(value, blobs, Spelling::Camel).unwrap();
    match (&*message.kind, &*again.kind) {
        (MessageKind::Built(one), MessageKind::Built(two)) => assert_eq!(one, two),
        _ => panic!("not built"),
    }
    let raw = Message::raw("From: a@x.org\nBcc: b@x.org\n\nHi\n", None, Some("t".into())).unwrap();
    let (value, blobs) = raw.to_json(Spelling::Camel);
    let again = Message::from_json(value, blobs, Spelling::Camel).unwrap();
    let (one, two) = (render(&raw).unwrap(), render(&again).unwrap());
    assert_eq!((one.bytes(), one.envelope), (two.bytes(), two.envelope));
    assert_eq!((raw.message_id(), raw.tag()), (again.message_id(), again.tag()));
}

#[test]
fn ids_and_boundaries_are_never_repeated() {
    let messages: Vec<_> =
        (0..50).map(|_| made(minimal(json!({"text": "t", "html": "h"}))).unwrap()).collect();
    let ids: std::collections::HashSet<_> = messages.iter().map(Message::message_id).collect();
    assert_eq!(ids.len(), 50);
    let bodies: std::collections::HashSet<_> = messages
        .iter()
        .map(|m| head(&render(m).unwrap().bytes()).split("boundary=").nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(bodies.len(), 50);
    assert!(made(json!({"to": "a@x.org"})).unwrap().message_id().ends_with("@localhost>"));
}

#[test]
fn the_builder_makes_the_same_message() {
    let message = Message::builder()
        .from("Ada <ada@example.com>")
        .to("grace@example.org")
        .to("Joan <joan@example.org>")
        .bcc("h@example.org")
        .subject("Grüße")
        .text("Hi")
        .html("<b>Hi</b>")
        .header("X-A", "1")
        .header("X-A", "2")
        .attach(Attachment::bytes(&b"x"[..]).filename("x.bin"))
        .date("2026-11-23T10:30:00Z")
        .tag("job 1")
        .build()
        .unwrap();
    let rendered = render(&message).unwrap();
    assert_eq!(rendered.envelope.rcpt_to.len(), 3);
    assert_eq!(message.tag(), Some("job 1"));
    let octets = rendered.bytes();
    let parsed = parse(&octets);
    assert_eq!(parsed.subject(), Some("Grüße"));
    assert_eq!(parsed.header_values("X-A").count(), 2);
    let error =
        Message::builder().to("a@x.org").attach(Attachment::bytes("").filename("a\n")).build().unwrap_err();
    assert_eq!(error.field(), Some("attachments[0].filename"));
}
