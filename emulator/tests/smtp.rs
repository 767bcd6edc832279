//! The submission server in Exchange's words: what it takes, refuses and keeps.

#![allow(clippy::unwrap_used)]

mod support;

use mailbearer_emulator::{Config, DEFAULT_USERNAME, Fault, Mint, SendAs};
use serde_json::json;
use support::{Smtp, configured, google, microsoft, xoauth2};

#[test]
fn a_message_arrives_as_it_was_meant() {
    let emulator = microsoft();
    let mut smtp = Smtp::ready(&emulator);
    smtp.ask("MAIL FROM:<noreply@contoso.com> SIZE=60 BODY=8BITMIME", "250 2.1.0 Sender OK");
    smtp.ask("RCPT TO:<ada@example.com>", "250 2.1.5 Recipient OK");
    smtp.ask("RCPT TO:<bob@example.com>", "250 2.1.5");
    smtp.ask("DATA", "354 Start mail input; end with <CRLF>.<CRLF>");
    smtp.send(b"Subject: =?utf-8?Q?=C3=BC?=\r\nMessage-ID: <1@x>\r\n\r\n..\r\na\n.\n\xff\0\r\n.\r\n")
        .unwrap();
    smtp.expect("250 2.0.0 OK <1@x> [Hostname=");
    let received = emulator.messages();
    assert_eq!(received.len(), 1);
    let message = &received[0];
    assert_eq!(message.raw, b"Subject: =?utf-8?Q?=C3=BC?=\r\nMessage-ID: <1@x>\r\n\r\n.\r\na\n.\n\xff\0\r\n");
    assert_eq!(message.mail_from, "noreply@contoso.com");
    assert_eq!(message.rcpt_to, ["ada@example.com", "bob@example.com"]);
    assert_eq!(message.mail_params, ["SIZE=60", "BODY=8BITMIME"]);
    assert_eq!((message.username.as_str(), message.mechanism.as_str()), (DEFAULT_USERNAME, "XOAUTH2"));
    assert_eq!((message.message_id.as_str(), message.subject.as_str()), ("<1@x>", "ü"));
    smtp.ask("QUIT", "221");
    smtp.expect_end();
}

#[test]
fn ehlo_says_what_exchange_says() {
    let emulator = microsoft();
    let mut smtp = Smtp::plain(emulator.smtp_port());
    assert!(smtp.expect("220 ").contains("Microsoft ESMTP MAIL Service ready at"));
    let before = smtp.ask("EHLO x", "250-");
    for keyword in ["SIZE 157286400", "PIPELINING", "DSN", "STARTTLS", "BINARYMIME", "CHUNKING"] {
        assert!(before.contains(keyword), "{before}");
    }
    assert!(!before.contains("AUTH"));
    smtp.ask("MAIL FROM:<a@x.example>", "530 5.7.57");
    smtp.ask("STARTTLS", "220");
    smtp.start_tls(&emulator).unwrap();
    smtp.ask("MAIL FROM:<a@x.example>", "503");
    let after = smtp.ask("EHLO x", "250-");
    assert!(after.contains("AUTH LOGIN XOAUTH2") && !after.contains("STARTTLS"));
    smtp.ask("MAIL FROM:<a@x.example>", "530 5.7.57");
    smtp.ask("AUTH OAUTHBEARER", "504");
    smtp.ask("NONSENSE", "500 5.3.3");
    smtp.ask("NOOP", "250");
}

#[test]
fn the_tls_port_wants_tls_from_the_first_octet() {
    let emulator = microsoft();
    let mut smtp = Smtp::plain(emulator.smtps_port());
    smtp.start_tls(&emulator).unwrap();
    smtp.expect("220");
    assert!(smtp.ask("EHLO x", "250").contains("AUTH"));
}

#[test]
fn a_group_is_answered_in_order() {
    let emulator = microsoft();
    let mut smtp = Smtp::ready(&emulator);
    smtp.send(b"MAIL FROM:<noreply@contoso.com>\r\nRCPT TO:<a@x.example>\r\nRCPT TO:<>\r\nDATA\r\n").unwrap();
    for start in ["250 2.1.0", "250 2.1.5", "501 5.1.3", "354"] {
        smtp.expect(start);
    }
    // The end of one message and the start of the next in one write (RFC 2920 §3.1).
    smtp.send(
        b"Subject: one\r\n\r\n.\r\nMAIL FROM:<noreply@contoso.com>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n",
    )
    .unwrap();
    for start in ["250 2.0.0", "250 2.1.0", "250 2.1.5", "354"] {
        smtp.expect(start);
    }
    smtp.send(b"Subject: two\r\n\r\n.\r\nQUIT\r\n").unwrap();
    smtp.expect("250 2.0.0");
    smtp.expect("221");
    let subjects: Vec<_> = emulator.messages().iter().map(|m| m.subject.clone()).collect();
    assert_eq!(subjects, ["one", "two"]);
}

#[test]
fn a_nested_mail_leaves_the_first_envelope_alone() {
    let emulator = microsoft();
    let mut smtp = Smtp::ready(&emulator);
    smtp.ask("MAIL FROM:<noreply@contoso.com>", "250");
    smtp.ask("RCPT TO:<a@x.example>", "250");
    smtp.ask("MAIL FROM:<other@contoso.com>", "503 5.5.2");
    smtp.ask("RCPT TO:<b@x.example>", "250");
    smtp.ask("DATA", "354");
    smtp.send(b"\r\n.\r\n").unwrap();
    smtp.expect("250");
    let message = &emulator.messages()[0];
    assert_eq!(message.mail_from, "noreply@contoso.com");
    assert_eq!(message.rcpt_to, ["a@x.example", "b@x.example"]);
    smtp.ask("MAIL FROM:<noreply@contoso.com>", "250");
    smtp.ask("RSET", "250");
    smtp.ask("RCPT TO:<a@x.example>", "503");
    smtp.ask("MAIL FROM:<noreply@contoso.com>", "250");
    smtp.ask("DATA", "503");
}

#[test]
fn chunks_are_joined_and_refused_ones_are_thrown_away() {
    let emulator = microsoft();
    let mut smtp = Smtp::ready(&emulator);
    smtp.send(
        b"MAIL FROM:<noreply@contoso.com> BODY=BINARYMIME\r\nRCPT TO:<a@x.example>\r\nBDAT 4\r\n\r\n.\nBDAT 3 LAST\r\n\r\n.",
    )
    .unwrap();
    for start in ["250", "250", "250 2.0.0 4 octets", "250 2.0.0 OK"] {
        smtp.expect(start);
    }
    assert_eq!(emulator.messages()[0].raw, b"\r\n.\n\r\n.");
    assert!(emulator.messages()[0].chunked);
    // No MAIL before them: discarded, not read as commands.
    smtp.send(b"BDAT 6\r\nRSET\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n").unwrap();
    smtp.expect("503");
    smtp.expect("503");
    smtp.expect("250");
    smtp.ask("MAIL FROM:<noreply@contoso.com> BODY=BINARYMIME", "250");
    smtp.ask("RCPT TO:<a@x.example>", "250");
    smtp.ask("DATA", "503");
    assert_eq!(emulator.messages().len(), 1);
}

#[test]
fn tokens_are_really_checked() {
    let emulator = microsoft();
    let good = emulator.mint(Mint::default());
    let app = emulator.mint(Mint { app_only: true, ..Mint::default() });
    let cases = [
        ("a good one", good.clone(), DEFAULT_USERNAME, true),
        ("in another case", good.clone(), "NoReply@Contoso.com", true),
        ("somebody else's", good.clone(), "ada@contoso.com", false),
        ("app-only, any mailbox", app, "ada@contoso.com", true),
        (
            "of another audience",
            emulator.mint(Mint { audience: Some("https://graph.microsoft.com".into()), ..Mint::default() }),
            DEFAULT_USERNAME,
            false,
        ),
        (
            "for another thing",
            emulator.mint(Mint { scope: Some("IMAP.AccessAsUser.All".into()), ..Mint::default() }),
            DEFAULT_USERNAME,
            false,
        ),
        (
            "app-only without a role",
            emulator.mint(Mint { app_only: true, scope: Some(String::new()), ..Mint::default() }),
            DEFAULT_USERNAME,
            false,
        ),
        ("expired", emulator.mint(Mint { lifetime: Some(-1), ..Mint::default() }), DEFAULT_USERNAME, false),
        ("of another emulator", microsoft().mint(Mint::default()), DEFAULT_USERNAME, false),
        ("changed", good.replacen('.', ".e", 1), DEFAULT_USERNAME, false),
        ("nonsense", "x".into(), DEFAULT_USERNAME, false),
    ];
    for (what, token, username, accepted) in cases {
        let mut smtp = Smtp::secured(&emulator);
        let response = xoauth2(username, &token);
        let start = if accepted { "235 2.7.0" } else { "535 5.7.3 Authentication unsuccessful [" };
        let reply = {
            smtp.send(format!("AUTH XOAUTH2 {response}\r\n").as_bytes()).unwrap();
            smtp.reply()
        };
        assert!(reply.starts_with(start), "{what}: {reply}");
    }
    let seen = emulator.seen();
    assert_eq!(seen["auth"][0]["token_id"], 1);
    assert_eq!(seen["auth"][8]["token_id"], 0);
    assert_eq!(seen["auth"][2]["accepted"], false);
    assert!(!seen.to_string().contains(&good));
    assert!(!seen.to_string().contains(&xoauth2(DEFAULT_USERNAME, &good)));
}

#[test]
fn auth_goes_in_two_steps_as_well() {
    let emulator = microsoft();
    let token = emulator.mint(Mint::default());
    let mut smtp = Smtp::secured(&emulator);
    assert_eq!(smtp.ask("AUTH XOAUTH2", "334"), "334 ");
    smtp.ask("*", "501");
    smtp.ask("AUTH XOAUTH2", "334");
    smtp.ask("not base64!", "501");
    smtp.ask("AUTH XOAUTH2", "334");
    smtp.ask(&xoauth2(DEFAULT_USERNAME, &token), "235");
    smtp.ask("AUTH XOAUTH2", "503");
    let auth = &emulator.seen()["auth"][0];
    assert_eq!((&auth["inline"], &auth["accepted"]), (&false.into(), &true.into()));
    let commands = emulator.seen()["commands"].to_string();
    assert!(commands.contains("***") && !commands.contains(&token[..40]));
}

#[test]
fn a_password_is_told_that_it_is_no_longer_wanted() {
    let emulator = microsoft();
    let mut smtp = Smtp::secured(&emulator);
    smtp.ask("AUTH LOGIN", "334 VXNlcm5hbWU6");
    smtp.ask("YUBiLmM=", "334 UGFzc3dvcmQ6");
    let reply = smtp.ask("c2VjcmV0", "535 5.7.139");
    assert!(reply.contains("basic authentication is disabled"));
}

#[test]
fn tokens_issued_so_far_can_be_refused() {
    let emulator = microsoft();
    let old = emulator.mint(Mint::default());
    emulator.expire_tokens();
    let new = emulator.mint(Mint::default());
    let mut smtp = Smtp::secured(&emulator);
    smtp.ask(&format!("AUTH XOAUTH2 {}", xoauth2(DEFAULT_USERNAME, &old)), "535");
    smtp.ask(&format!("AUTH XOAUTH2 {}", xoauth2(DEFAULT_USERNAME, &new)), "235");
}

#[test]
fn only_crlf_dot_crlf_ends_a_message() {
    let emulator = microsoft();
    let mut smtp = Smtp::ready(&emulator);
    for smuggled in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\0\r\n\0.\r\n"] {
        let body = format!(
            "Subject: x\r\n\r\na{smuggled}MAIL FROM:<evil@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\nz"
        );
        emulator.clear();
        assert!(smtp.message(&body).starts_with("250"));
        let received = emulator.messages();
        assert_eq!(received.len(), 1, "{smuggled:?}");
        let meant = format!("{body}\r\n").replace("\r\n.", "\r\n");
        assert_eq!(received[0].raw, meant.as_bytes(), "{smuggled:?}");
        smtp.ask("NOOP", "250");
    }
}

#[test]
fn limits_hold() {
    let emulator = configured(Config {
        size_limit: Some(100),
        max_recipients: Some(2),
        max_connections: Some(2),
        max_line: Some(512),
        ..Config::default()
    });
    let token = emulator.mint(Mint::default());
    let auth = xoauth2(DEFAULT_USERNAME, &token);
    let ready = || {
        let mut smtp = Smtp::secured(&emulator);
        // The line is too long, the response of its own is not.
        smtp.ask(&format!("AUTH XOAUTH2 {auth}"), "500 5.5.2");
        smtp.ask("AUTH XOAUTH2", "334");
        smtp
    };
    let mut smtp = ready();
    smtp.ask(&auth, "235");
    smtp.ask("MAIL FROM:<noreply@contoso.com> SIZE=101", "552 5.3.4");
    smtp.ask("MAIL FROM:<noreply@contoso.com> SIZE=x", "501");
    smtp.ask("MAIL FROM:<\u{fc}@contoso.com>", "501");
    smtp.ask("MAIL FROM:<\u{fc}@contoso.com> SMTPUTF8", "250");
    smtp.ask("RCPT TO:<a@x.example>", "250");
    smtp.ask("RCPT TO:<b@x.example>", "250");
    smtp.ask("RCPT TO:<c@x.example>", "452 4.5.3");
    smtp.ask("DATA", "354");
    smtp.send(format!("{}\r\n.\r\n", "x".repeat(200)).as_bytes()).unwrap();
    smtp.expect("552 5.3.4");
    assert!(emulator.messages().is_empty());
    let mut second = ready();
    second.ask(&auth, "235");
    let mut third = ready();
    third.ask(&auth, "432 4.3.2");
    second.ask("QUIT", "221");
    let mut fourth = ready();
    fourth.ask(&auth, "235");
}

#[test]
fn a_mailbox_may_not_send_as_another() {
    let emulator =
        configured(Config { send_as: SendAs::Only(vec!["team@contoso.com".into()]), ..Config::default() });
    let mut smtp = Smtp::ready(&emulator);
    assert!(smtp.message("From: Team <team@contoso.com>\r\n\r\nx").starts_with("250"));
    let reply = smtp.message("From: \"noreply@contoso.com\" <boss@contoso.com>\r\n\r\nx");
    assert!(
        reply.starts_with(
            "554 5.2.252 SendAsDenied; noreply@contoso.com not allowed to send as boss@contoso.com"
        ),
        "{reply}"
    );
    assert_eq!(emulator.messages().len(), 1);
}

#[test]
fn extensions_can_be_left_out_and_added() {
    let emulator = configured(Config {
        without: vec!["PIPELINING".into(), "chunking".into(), "SMTPUTF8".into()],
        extensions: vec!["XCLIENT NAME".into()],
        mechanisms: Some(vec!["OAUTHBEARER".into()]),
        ..Config::default()
    });
    let mut smtp = Smtp::secured(&emulator);
    let ehlo = smtp.ask("EHLO x", "250-");
    assert!(ehlo.contains("XCLIENT NAME") && ehlo.contains("AUTH OAUTHBEARER"));
    assert!(!ehlo.contains("PIPELINING") && !ehlo.contains("CHUNKING"));
    smtp.ask("AUTH XOAUTH2", "504");
    smtp.ask("BDAT 0 LAST", "500");
    emulator.configure(serde_json::json!({"starttls": false})).unwrap();
    let mut plain = Smtp::plain(emulator.smtp_port());
    plain.expect("220");
    assert!(!plain.ask("EHLO x", "250").contains("STARTTLS"));
    plain.ask("STARTTLS", "500");
}

#[test]
fn clear_text_behind_the_220_of_starttls_comes_before_the_handshake() {
    let emulator = configured(Config { plaintext_before_tls: true, ..Config::default() });
    let mut smtp = Smtp::plain(emulator.smtp_port());
    smtp.expect("220");
    smtp.ask("EHLO x", "250");
    smtp.ask("STARTTLS", "220");
    smtp.expect("250 2.0.0 this was not protected");
}

#[test]
fn an_idle_connection_gets_421() {
    let emulator = configured(Config { idle_timeout: 0.1, ..Config::default() });
    let mut smtp = Smtp::plain(emulator.smtp_port());
    smtp.expect("220");
    smtp.expect("421 4.4.2");
    smtp.expect_end();
}

#[test]
fn a_repeated_message_id_is_dropped_where_that_is_asked_for() {
    let emulator = configured(Config { drop_duplicates: true, keep: 2, ..Config::default() });
    let mut smtp = Smtp::ready(&emulator);
    for id in ["1", "1", "2", "3"] {
        assert!(smtp.message(&format!("Message-ID: <{id}@x>\r\n\r\n")).starts_with("250"));
    }
    // Two are kept; three arrived.
    let kept: Vec<_> = emulator.messages().iter().map(|m| m.number).collect();
    assert_eq!(kept, [2, 3]);
}

#[test]
fn a_refused_sign_in_is_noted_whatever_the_client_does_next() {
    let emulator = google();
    let refused = format!("AUTH XOAUTH2 {}", xoauth2("ada@example.com", "ya29.wrong"));
    let mut smtp = Smtp::secured(&emulator);
    smtp.ask(&refused, "334 ");
    let noted = || emulator.seen()["auth"].clone();
    assert_eq!(noted()[0]["username"], "ada@example.com", "before the client answers");
    assert_eq!((&noted()[0]["accepted"], &noted()[0]["challenge_answer"]), (&json!(false), &json!(null)));
    drop(smtp);
    // Others send their next command in the answer's place.
    let mut smtp = Smtp::secured(&emulator);
    smtp.ask(&refused, "334 ");
    smtp.ask("QUIT", "535-5.7.8");
    assert_eq!(noted()[1]["challenge_answer"], "QUIT");
    assert!(noted()[1]["reply"].as_str().unwrap().starts_with("535-5.7.8"));
    assert_eq!(noted().as_array().unwrap().len(), 2);
}

#[test]
fn refusals_are_delayed_to_rcpt_as_postfix_does() {
    let emulator = configured(Config { delayed_refusals: true, ..Config::default() });
    let fail = |at: &str, reply: &str| {
        emulator.fail(Fault { reply: Some(reply.into()), ..Fault::at(at) }).unwrap();
    };
    let sender = "553 5.7.1 <noreply@contoso.com>: Sender address rejected: not owned by user";
    let mut smtp = Smtp::ready(&emulator);
    fail("mail", sender);
    smtp.ask("MAIL FROM:<noreply@contoso.com>", "250");
    smtp.ask("RCPT TO:<ada@example.com>", sender);
    smtp.ask("RCPT TO:<bob@example.com>", sender);
    smtp.ask("DATA", "503");
    smtp.ask("RSET", "250");
    assert!(smtp.message("the next message is well").starts_with("250"));

    let client = "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked";
    for at in ["connect", "greeting", "ehlo"] {
        fail(at, client);
        let mut smtp = Smtp::ready(&emulator);
        for _ in 0..2 {
            smtp.ask("MAIL FROM:<noreply@contoso.com>", "250");
            smtp.ask("RCPT TO:<ada@example.com>", client);
            smtp.ask("RSET", "250");
        }
    }

    let mut smtp = Smtp::secured(&emulator);
    smtp.ask("MAIL FROM:<noreply@contoso.com>", "250");
    smtp.ask("RCPT TO:<ada@example.com>", "530 5.7.57");
    // 421 closes the connection at once: it does not wait.
    fail("mail", "421 4.7.0 go away");
    smtp.ask("RSET", "250");
    smtp.ask("MAIL FROM:<noreply@contoso.com>", "421");
    smtp.expect_end();
    assert_eq!(emulator.messages().len(), 1);
}

#[test]
fn an_address_without_a_domain_is_refused_in_each_services_words() {
    for (emulator, sender, recipient) in [
        (microsoft(), "501 5.1.7 Invalid address", "501 5.1.3 Invalid address"),
        (google(), "553-5.1.7 The sender address", "553-5.1.3 The recipient address"),
    ] {
        let mut smtp = Smtp::ready(&emulator);
        for address in ["ada", "ada@", "@example.com", "postmaster"] {
            smtp.ask(&format!("MAIL FROM:<{address}>"), sender);
        }
        smtp.ask("MAIL FROM:<noreply@contoso.com>", "250");
        for address in ["ada", "ada@", "@example.com", "postmaster", ""] {
            smtp.ask(&format!("RCPT TO:<{address}>"), recipient);
        }
        smtp.ask("RCPT TO:<ada@example.com>", "250");
    }
}
