//! Raw messages: what is repaired, what is left alone, and whom the headers name.

use super::*;

const ID: &str = "Message-ID: <1@x.org>\r\nDate: Mon, 23 Nov 2026 10:30:00 +0100\r\n";

fn raw(mime: impl Into<Bytes>) -> Result<Message> {
    Message::raw(mime, None, None)
}

fn rendered(message: &Message) -> &Rendered {
    match &*message.kind {
        MessageKind::Raw(raw) => &raw.rendered,
        MessageKind::Built(_) => panic!("not raw"),
    }
}

fn rcpt(headers: &str) -> Vec<String> {
    let mime = format!("From: a@x.org\r\n{headers}\r\n\r\nHi\r\n");
    rendered(&raw(mime).unwrap()).envelope.rcpt_to.clone()
}

#[test]
fn a_right_message_passes_byte_for_byte() {
    let mime = format!(
        "{ID}From:a@x.org\r\nTo  : b@x.org\r\nX-Odd:  two  spaces \t\r\nSubject: folded\r\n\tline\r\n\r\nbody \r\n.\r\nBcc: in the body\r\n"
    );
    let message = raw(mime.clone()).unwrap();
    assert_eq!(rendered(&message).bytes(), mime);
    assert_eq!(message.message_id(), "<1@x.org>");
    assert!(!rendered(&message).eight_bit && !rendered(&message).smtputf8 && !rendered(&message).long_line);
}

#[test]
fn blind_copies_are_taken_out_with_their_folds() {
    for bcc in [
        "Bcc: c@x.org\r\n",
        "BCC: c@x.org,\r\n d@x.org,\r\n\te@x.org\r\n",
        "bcc : c@x.org\r\n",
        "Bcc:\r\n c@x.org\r\n",
        "Bcc: c@x.org\r\nBcc: d@x.org\r\n",
        "Resent-Bcc: c@x.org,\r\n  d@x.org\r\n",
    ] {
        for (before, after) in [("", "Subject: s\r\n"), ("Subject: s\r\n", "")] {
            let mime = format!("{before}{bcc}{ID}From: a@x.org\r\nTo: b@x.org\r\n{after}\r\nBcc: body\r\n");
            let message = raw(mime.clone()).unwrap();
            let want = format!("{before}{ID}From: a@x.org\r\nTo: b@x.org\r\n{after}\r\nBcc: body\r\n");
            assert_eq!(rendered(&message).bytes(), want, "{bcc:?}");
            assert!(rendered(&message).envelope.rcpt_to.contains(&"c@x.org".to_owned()), "{bcc:?}");
        }
    }
    // Behind a line that ends the headers for some readers and not for others.
    let message =
        raw(format!("{ID}From: a@x.org\r\nTo: b@x.org\r\nno header\r\n fold\r\nBcc: c@x.org\r\n\r\nHi\r\n"));
    let message = message.unwrap();
    assert!(rendered(&message).bytes().ends_with(b"no header\r\n fold\r\n\r\nHi\r\n"));
    // As the last header of a message without a body.
    let message = raw(format!("{ID}From: a@x.org\r\nBcc: b@x.org")).unwrap();
    assert_eq!(rendered(&message).bytes(), format!("{ID}From: a@x.org\r\n"));
}

#[test]
fn an_mbox_separator_is_no_part_of_the_message() {
    for first in ["From a@x.org Mon Nov 23 10:30:00 2026\n", ">From a@x.org\r\n"] {
        let message = raw(format!("{first}{ID}From: a@x.org\r\nTo: b@x.org\r\n\r\nFrom me\r\n")).unwrap();
        assert_eq!(
            rendered(&message).bytes(),
            format!("{ID}From: a@x.org\r\nTo: b@x.org\r\n\r\nFrom me\r\n")
        );
    }
}

#[test]
fn a_bom_is_no_part_of_the_message() {
    let mime = format!("{ID}From: a@x.org\r\nTo: b@x.org\r\n\r\n\u{feff}Hi\r\n");
    assert_eq!(rendered(&raw(format!("\u{feff}{mime}")).unwrap()).bytes(), mime);
}

#[test]
fn message_id_and_date_are_put_in_front() {
    let message = raw("From: a@x.org\nTo: b@x.org\n\nHi\n.\n").unwrap();
    let text = String::from_utf8(rendered(&message).bytes().to_vec()).unwrap();
    let (front, rest) = text.split_at(text.find("From:").unwrap());
    assert_eq!(rest, "From: a@x.org\r\nTo: b@x.org\r\n\r\nHi\r\n.\r\n");
    assert!(front.starts_with(&format!("Message-ID: {}\r\nDate: ", message.message_id())), "{front}");
    assert!(message.message_id().ends_with("@x.org>"));
    let message = raw("From: a@x.org\r\nTo: b@x.org\r\nmessage-id:\r\n <2@y>\r\nDate: x\r\n\r\n").unwrap();
    assert_eq!(message.message_id(), "<2@y>");
    assert!(rendered(&message).bytes().starts_with(b"From:"));
}

#[test]
fn the_headers_say_who_receives() {
    for (headers, want) in [
        ("To: b@x.org", "b@x.org"),
        (
            "To: B <b@x.org>, \"C, D\" <c@x.org>\r\nCc: d@x.org (x)\r\nBcc: e@x.org",
            "b@x.org c@x.org d@x.org e@x.org",
        ),
        ("To: b@x.org\r\nCc: b@X.org, B@x.org", "b@x.org B@x.org"),
        ("To: friends: b@x.org, c@x.org;\r\nCc: undisclosed-recipients:;", "b@x.org c@x.org"),
        ("To: =?utf-8?q?J=C3=BCrgen=2C?= M <j@x.org>,\r\n\tK\r\n <k@x.org>", "j@x.org k@x.org"),
        ("To: Jürgen <j@bücher.example>", "j@xn--bcher-kva.example"),
        ("To: b@x.org\r\nTo: c@x.org", "b@x.org c@x.org"),
        ("Resent-From: r@x.org\r\nResent-To: n@x.org\r\nTo: b@x.org", "n@x.org"),
        (
            "Resent-From: r@x.org\r\nResent-To: n@x.org\r\nResent-Bcc: h@x.org\r\nResent-From: q@x.org\r\nResent-To: old@x.org\r\nTo: b@x.org",
            "n@x.org h@x.org",
        ),
        (
            "Resent-From: r@x.org\r\nResent-To: n@x.org\r\nReceived: x\r\nResent-Cc: old@x.org\r\nTo: b@x.org",
            "n@x.org",
        ),
    ] {
        assert_eq!(rcpt(headers).join(" "), want, "{headers}");
    }
}

#[test]
fn the_headers_say_who_sends() {
    let sender = |headers: &str| {
        raw(format!("{headers}\r\nTo: b@x.org\r\n\r\n")).map(|m| rendered(&m).envelope.mail_from.clone())
    };
    assert_eq!(sender("From: A <a@x.org>").unwrap(), "a@x.org");
    assert_eq!(sender("From: a@x.org, b@x.org\r\nSender: s@x.org").unwrap(), "s@x.org");
    assert_eq!(sender("Resent-From: r@x.org\r\nResent-To: n@x.org\r\nFrom: a@x.org").unwrap(), "r@x.org");
    for (headers, why) in [
        ("From: a@x.org, b@x.org", "several senders"),
        ("From:", "no address"),
        ("From: root (Cron Daemon)", "no `@`"),
        ("From: \"a@x.org", "not closed"),
        ("DKIM-Signature: v=1", "no From"),
    ] {
        let error = sender(headers).unwrap_err();
        assert_eq!((error.code(), error.field()), (ErrorCode::MessageInvalid, Some("raw")));
        assert!(error.message().contains(why), "{error}");
    }
    let error = raw("From: a@x.org\r\n\r\nHi").unwrap_err();
    assert!(error.message().contains("no recipient"), "{error}");
}

/// As the mailer whose sender is `default` sends it.
fn sent(message: &Message, default: Option<&str>) -> Result<(String, Envelope)> {
    let MessageKind::Raw(raw) = &*message.kind else { panic!("not raw") };
    let default = default.map(|text| MailboxOption { name: None, address: text.to_owned() });
    let rendered = raw.complete(default.as_ref(), Spelling::Snake)?;
    Ok((String::from_utf8(rendered.bytes().to_vec()).unwrap(), rendered.envelope))
}

#[test]
fn what_a_message_lacks_is_put_in_front() {
    let envelope = || Some(Envelope { mail_from: "m@x.org".to_owned(), rcpt_to: vec!["n@x.org".to_owned()] });
    for (mime, given, default, from, mail_from) in [
        ("To: b@x.org\n\nHi\n", None, Some("Ada <d@x.org>"), "Ada <d@x.org>", "d@x.org"),
        ("To: b@x.org\n\nHi\n", envelope(), Some("Ada <d@x.org>"), "Ada <d@x.org>", "m@x.org"),
        ("To: b@x.org\n\nHi\n", envelope(), None, "m@x.org", "m@x.org"),
        ("Sender: s@x.org\nTo: b@x.org\n\nHi\n", None, Some("d@x.org"), "d@x.org", "s@x.org"),
        ("Sender: s@x.org\nTo: b@x.org\n\nHi\n", None, None, "s@x.org", "s@x.org"),
        (
            "Subject: x\r\n\r\nHi\r\n",
            envelope(),
            Some("Jürgen <d@x.org>"),
            "=?utf-8?b?SsO8cmdlbg==?= <d@x.org>",
            "m@x.org",
        ),
    ] {
        let message = Message::raw(mime, given, None).unwrap();
        let (text, envelope) = sent(&message, default).unwrap();
        assert_eq!(envelope.mail_from, mail_from);
        let (front, rest) = text.split_at(text.find("Message-ID: ").unwrap());
        assert_eq!(front, format!("From: {from}\r\n"));
        assert!(rest.ends_with(&mime.replace("\r\n", "\n").replace('\n', "\r\n")), "{text}");
        assert_eq!(text.matches("\r\nDate: ").count(), 1);
    }
    // Nobody says who sends it.
    let message = raw("To: b@x.org\r\n\r\nHi").unwrap();
    assert!(sent(&message, None).unwrap_err().message().contains("no From"));
    assert!(message.to_bytes(Spelling::Snake).is_err());
    let bounce = Envelope { mail_from: String::new(), rcpt_to: vec!["n@x.org".to_owned()] };
    let bounce = Message::raw("Subject: x\r\n\r\nHi", Some(bounce), None).unwrap();
    assert!(sent(&bounce, None).is_err());
    let (text, envelope) = sent(&bounce, Some("d@x.org")).unwrap();
    assert!(text.starts_with("From: d@x.org\r\n") && envelope.mail_from.is_empty());
    // A new id has the sender's domain.
    assert!(
        Message::raw(
            "Subject: x\n\n",
            Some(Envelope { mail_from: "m@y.org".into(), rcpt_to: vec!["n@x.org".into()] }),
            None
        )
        .unwrap()
        .message_id()
        .ends_with("@y.org>")
    );
    let default = MailboxOption { name: None, address: "Ada <d@z.org>".to_owned() };
    let read =
        Message::read(json!({"raw": "To: b@x.org\n\nHi"}), Vec::new(), Spelling::Snake, Some(&default))
            .unwrap();
    assert!(read.message_id().ends_with("@z.org>"));
}

#[test]
fn a_body_without_any_header_is_a_body() {
    for body in [
        "Hello Ada\n",
        "Hello Ada\nhttp://x.org: see there\n\nmore\n",
        " indented\n",
        "Hi",
        "Zeit für: Tee\n",
    ] {
        let envelope = Envelope { mail_from: "m@x.org".to_owned(), rcpt_to: vec!["n@x.org".to_owned()] };
        let message = Message::raw(body, Some(envelope), None).unwrap();
        let (text, _) = sent(&message, None).unwrap();
        let (head, rest) = text.split_once("\r\n\r\n").unwrap();
        let names: Vec<_> = head.lines().map(|line| line.split(':').next().unwrap()).collect();
        assert_eq!(names, ["From", "Message-ID", "Date"]);
        assert_eq!(rest.trim_end(), body.replace('\n', "\r\n").trim_end(), "{text}");
    }
    let envelope = || Some(Envelope { mail_from: "m@x.org".to_owned(), rcpt_to: vec!["n@x.org".to_owned()] });
    for empty in ["", "\r\n", "\r\nHi\r\n"] {
        let (text, _) = sent(&Message::raw(empty, envelope(), None).unwrap(), None).unwrap();
        assert_eq!(text.split_once("\r\n\r\n").unwrap().1, empty.trim_start_matches("\r\n"), "{text:?}");
    }
    // Whoever is named in it reads headers in it.
    let message = raw("no header\r\nTo: b@x.org\r\nBcc: c@x.org\r\n\r\nHi").unwrap();
    assert!(!sent(&message, Some("d@x.org")).unwrap().0.contains("c@x.org"));
    assert!(Message::raw(" folded\r\nTo: b@x.org\r\n\r\nHi", envelope(), None).is_err());
    assert!(raw("Hello").is_err());
}

#[test]
fn an_incomplete_message_is_pickled_as_it_is() {
    let message = raw("To: b@x.org\nBcc: c@x.org\n\nHi").unwrap();
    let (value, blobs) = message.to_json(Spelling::Camel);
    let again = Message::from_json(value, blobs, Spelling::Camel).unwrap();
    let (one, two) = (sent(&message, Some("d@x.org")).unwrap(), sent(&again, Some("d@x.org")).unwrap());
    assert_eq!(one, two);
    assert_eq!(
        (one.1.mail_from.as_str(), one.1.rcpt_to),
        ("d@x.org", vec!["b@x.org".to_owned(), "c@x.org".to_owned()])
    );
    assert_eq!(message.message_id(), again.message_id());
}

#[test]
fn free_text_is_encoded_for_a_server_that_takes_ascii_alone() {
    let fallback = |headers: &str, body: &str| {
        let message = raw(format!("{ID}From: a@x.org\r\nTo: b@x.org\r\n{headers}\r\n{body}")).unwrap();
        let it = rendered(&message).clone();
        assert!(it.smtputf8 && it.bytes().ends_with(format!("{headers}\r\n{body}").as_bytes()));
        it.fallback.map(|f| (String::from_utf8(f.content.load().unwrap().to_vec()).unwrap(), f.eight_bit))
    };
    for (headers, want) in [
        ("Subject: Grüße  an\r\n\talle\r\n", "Subject: =?utf-8?b?R3LDvMOfZQ==?=  an alle\r\n"),
        ("SUBJECT :Grüße\r\nX-A: b\r\n", "SUBJECT : =?utf-8?b?R3LDvMOfZQ==?=\r\nX-A: b\r\n"),
        ("X-Note: =?utf-8?q?=C3=A9?= ü\r\n", "X-Note: =?utf-8?b?w6kgw7w=?=\r\n"),
        // What is hidden in a word does not come out.
        (
            "X-Note: =?utf-8?q?=0D=0AX:_y?= ü\r\n",
            "X-Note: =?utf-8?b?PT91dGYtOD9xPz0wRD0wQVg6X3k/PSDDvA==?=\r\n",
        ),
        ("Bcc: Jürgen <c@x.org>\r\nSubject: ü\r\n", "Subject: =?utf-8?b?w7w=?=\r\n"),
    ] {
        if headers.starts_with("Bcc") {
            let message = raw(format!("{ID}From: a@x.org\r\nTo: b@x.org\r\n{headers}\r\nHi\r\n")).unwrap();
            let octets = rendered(&message).fallback.clone().unwrap().content.load().unwrap();
            assert!(String::from_utf8_lossy(&octets).ends_with(&format!("To: b@x.org\r\n{want}\r\nHi\r\n")));
            continue;
        }
        let (text, eight_bit) = fallback(headers, "Hi\r\n").unwrap();
        assert_eq!(text, format!("{ID}From: a@x.org\r\nTo: b@x.org\r\n{want}\r\nHi\r\n"));
        assert!(!eight_bit);
    }
    assert!(fallback("Subject: ü\r\n", "Grüße\r\n").unwrap().1);
    for headers in [
        "Reply-To: Jürgen <c@x.org>\r\n",
        "Cc: ü@x.org\r\n",
        "Content-Type: text/plain; name=ü\r\n",
        "Disposition-Notification-To: Ü <a@x.org>\r\nSubject: ü\r\n",
        "Subject: ü\r\nDKIM-Signature: v=1\r\n",
        "no header ü\r\n",
    ] {
        assert!(fallback(headers, "Hi\r\n").is_none(), "{headers}");
    }
    let message =
        raw(format!("{ID}From: a@x.org\r\nTo: b@x.org\r\nX: y\r\n z\r\nReply-To:\r\n Ü <c@x.org>\r\n\r\nü"))
            .unwrap();
    assert_eq!(rendered(&message).content.wide_header().as_deref(), Some("Reply-To"));
}

#[test]
fn a_given_envelope_is_checked_and_used() {
    let given = |mail_from: &str, rcpt: &str| {
        let envelope = Envelope { mail_from: mail_from.to_owned(), rcpt_to: vec![rcpt.to_owned()] };
        Message::raw("From: root\r\n\r\nHi", Some(envelope), None)
    };
    assert_eq!(rendered(&given("", "b@x.org").unwrap()).envelope.rcpt_to, ["b@x.org"]);
    assert_eq!(given("a@x.org> SIZE=1", "b@x.org").unwrap_err().field(), Some("envelope.mail_from"));
    assert_eq!(given("", "b@x.org\r\nDATA").unwrap_err().field(), Some("envelope.rcpt_to[0]"));
    let error = Message::raw("From: a@x.org\r\nTo: b@x.org\r\n\r\n", None, Some("a\nb".into())).unwrap_err();
    assert_eq!(error.field(), Some("tag"));
}

#[test]
fn octets_tell_what_the_server_must_be_able_to() {
    let flags = |mime: Vec<u8>| {
        let message = raw(mime).unwrap();
        let r = rendered(&message);
        (r.smtputf8, r.eight_bit, r.long_line)
    };
    let with = |to: &[u8], body: &[u8]| [b"From: a@x.org\r\nTo: ", to, b"\r\n\r\n", body].concat();
    assert_eq!(flags(with(b"b@x.org", b"Hi")), (false, false, false));
    assert_eq!(flags(with(b"b@x.org", b"H\xe9")), (false, true, false));
    assert_eq!(flags(with("Ä <b@x.org>".as_bytes(), b"Hi")), (true, true, false));
    assert_eq!(flags(with(b"\xc4 <b@x.org>", b"Hi")), (false, true, false));
    assert_eq!(flags(with("ä@x.org".as_bytes(), b"")), (true, true, false));
    assert_eq!(flags(with(b"b@x.org", &[b'x'; 998])), (false, false, false));
    assert_eq!(flags(with(b"b@x.org", &[b'x'; 999])), (false, false, true));
    // A blind copy that leaves takes its 8-bit octets along.
    assert_eq!(flags(b"From: a@x.org\r\nBcc: \xc3\xa4 <b@x.org>\r\n\r\nHi".to_vec()), (false, false, false));
}

#[test]
fn line_ends_are_repaired_and_nul_is_refused() {
    let message = raw("From: a@x.org\rTo: b@x.org\n\r\na\n.\nb\r.\rc").unwrap();
    let bytes = &rendered(&message).bytes();
    assert!(bytes.ends_with(b"To: b@x.org\r\n\r\na\r\n.\r\nb\r\n.\r\nc\r\n"), "{bytes:?}");
    let error = raw("From: a@x.org\r\nTo: b@x.org\r\n\r\na\0b").unwrap_err();
    assert!(error.message().contains("NUL"), "{error}");
}

#[test]
fn raw_crosses_from_other_languages() {
    let from = |fields: Value| {
        Message::from_json(
            fields,
            vec![Bytes::from_static(b"From: a@x.org\nTo: b@x.org\n\n").into()],
            Spelling::Camel,
        )
    };
    let message =
        from(json!({"raw": {"blob": 0}, "tag": "t", "messageId": "<i@d>", "date": "2026-11-23T10:30:00Z"}))
            .unwrap();
    assert!(
        rendered(&message)
            .bytes()
            .starts_with(b"Message-ID: <i@d>\r\nDate: Mon, 23 Nov 2026 10:30:00 +0000\r\nFrom:")
    );
    assert!(from(json!({"raw": "From: a@x.org\nTo: b@x.org\n\n", "envelope": {"mailFrom": "", "rcptTo": "c@x.org"}})).is_ok());
    assert_eq!(from(json!({"raw": {"blob": 3}})).unwrap_err().field(), Some("raw.blob"));
    assert_eq!(from(json!({"raw": {"blob": 0}, "subject": "x"})).unwrap_err().field(), Some("subject"));
}

#[test]
fn a_message_from_a_spool_is_the_same_whatever_its_size() {
    let head = "Bcc: \u{e9}ve <eve@x.org>\r\nFrom: a@x.org\nTo: b@x.org\r\n";
    let bodies = ["Hi", "Gr\u{fc}\u{df}e\r\n", ""];
    for filler in [0, spool::HEAD] {
        for body in bodies {
            let mime = format!("{head}\n{}{body}", "0123456\n".repeat(filler / 8));
            let mut spool = Spool::new();
            for piece in mime.as_bytes().chunks(1000) {
                spool.write(piece).unwrap();
            }
            let fields = json!({"messageId": "<1@x.org>", "date": "2026-11-23T10:30:00+01:00", "tag": "t"});
            let spooled = spool.finish().unwrap();
            let from_spool = Message::from_spool(fields.clone(), spooled, Spelling::Camel).unwrap();
            let mut fields = fields;
            fields["raw"] = mime.into();
            let whole = Message::from_json(fields, Vec::new(), Spelling::Camel).unwrap();
            assert_eq!(from_spool.tag(), Some("t"));
            let (a, b) = (rendered(&from_spool), rendered(&whole));
            assert_eq!(a.content.in_memory().is_some(), filler == 0);
            assert_eq!(a.bytes(), b.bytes());
            assert_eq!(a.content.size(), b.content.size());
            assert_eq!(
                (a.eight_bit, a.long_line, a.smtputf8, &a.envelope),
                (b.eight_bit, b.long_line, b.smtputf8, &b.envelope)
            );
        }
    }
}

#[test]
fn a_spool_is_refused_for_the_same_reasons() {
    let body = "0123456\n".repeat(spool::HEAD / 8);
    for (mime, want) in [
        (format!("To: root\n\n{body}"), "no `@`"),
        (format!("From: a@x.org\nTo: b@x.org\n\n{body}\0"), "a NUL"),
        (
            format!("From: a@x.org\nTo: b@x.org\n{}", "X-A: b\n".repeat(spool::HEAD / 7)),
            "header section of more than 256 KiB",
        ),
    ] {
        let mut spool = Spool::new();
        spool.write(mime.as_bytes()).unwrap();
        let error = Message::from_spool(json!({}), spool.finish().unwrap(), Spelling::Camel).unwrap_err();
        assert_eq!((error.code(), error.field()), (ErrorCode::MessageInvalid, Some("raw")));
        assert!(error.message().contains(want), "{error}");
    }
}
