//! Scripted faults on the SMTP side: what the client gets, and that the effect is the real one.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use mailbearer_emulator::{DEFAULT_USERNAME, Emulator, Fault, Mint};
use support::{Smtp, microsoft, xoauth2};

fn reply(at: &str, reply: &str) -> Fault {
    Fault { reply: Some(reply.into()), ..Fault::at(at) }
}

fn drop_at(at: &str) -> Fault {
    Fault { drop: true, ..Fault::at(at) }
}

fn with(fault: Fault) -> Emulator {
    let emulator = microsoft();
    emulator.fail(fault).unwrap();
    emulator
}

#[test]
fn a_refused_recipient_is_not_in_the_envelope() {
    let emulator = with(Fault { matching: Some("bob@".into()), ..reply("rcpt", "550 5.1.1 nobody") });
    let mut smtp = Smtp::ready(&emulator);
    smtp.ask("MAIL FROM:<noreply@contoso.com>", "250");
    smtp.ask("RCPT TO:<ada@x.example>", "250");
    smtp.ask("RCPT TO:<bob@x.example>", "550 5.1.1 nobody");
    smtp.ask("DATA", "354");
    smtp.send(b"x\r\n.\r\n").unwrap();
    smtp.expect("250");
    assert_eq!(emulator.messages()[0].rcpt_to, ["ada@x.example"]);
    // Once only.
    assert!(smtp.message("x").starts_with("250"));
}

#[test]
fn a_354_without_recipients_delivers_nothing() {
    let emulator = with(reply("rcpt", "550 5.1.1 nobody"));
    emulator.fail(reply("data", "354 go ahead")).unwrap();
    let mut smtp = Smtp::ready(&emulator);
    smtp.ask("MAIL FROM:<noreply@contoso.com>", "250");
    smtp.ask("RCPT TO:<bob@x.example>", "550");
    smtp.ask("DATA", "354 go ahead");
    smtp.send(b".\r\n").unwrap();
    smtp.expect("554");
    assert!(emulator.messages().is_empty());
}

#[test]
fn the_end_can_be_refused_lost_or_late() {
    let emulator = with(reply("end", "451 4.7.0 later"));
    let mut smtp = Smtp::ready(&emulator);
    assert_eq!(smtp.message("Subject: a\r\n\r\n"), "451 4.7.0 later");
    assert!(emulator.messages().is_empty());

    emulator.fail(Fault { matching: Some("subject: b".into()), ..drop_at("end") }).unwrap();
    assert!(smtp.message("Subject: a\r\n\r\n").starts_with("250"));
    assert_eq!(smtp.message("Subject: b\r\n\r\n"), "");
    assert_eq!(emulator.messages().len(), 1);

    emulator.fail(Fault { after: true, ..drop_at("end") }).unwrap();
    let mut smtp = Smtp::ready(&emulator);
    assert_eq!(smtp.message("Subject: kept\r\n\r\n"), "");
    assert_eq!(emulator.messages()[1].subject, "kept");

    emulator.fail(Fault { delay: 0.2, ..Fault::at("end") }).unwrap();
    let mut smtp = Smtp::ready(&emulator);
    let before = Instant::now();
    assert!(smtp.message("Subject: late\r\n\r\n").starts_with("250"));
    assert!(before.elapsed() >= Duration::from_millis(200));

    // Half a reply, the effect before it.
    emulator.fail(Fault { raw: Some("250 2.".into()), drop: true, after: true, ..Fault::at("end") }).unwrap();
    assert_eq!(smtp.message("Subject: half\r\n\r\n"), "250 2.");
    assert_eq!(emulator.messages()[3].subject, "half");
}

#[test]
fn a_body_can_be_refused_while_it_comes() {
    let emulator = with(reply("body", "552 5.3.4 too much"));
    let mut smtp = Smtp::ready(&emulator);
    smtp.ask("MAIL FROM:<noreply@contoso.com>", "250");
    smtp.ask("RCPT TO:<ada@x.example>", "250");
    smtp.ask("DATA", "354");
    smtp.send(b"Subject: x\r\n").unwrap();
    smtp.expect("552 5.3.4 too much");
    // The rest is read and not answered a second time.
    smtp.send(b"\r\nmore\r\n.\r\nNOOP\r\n").unwrap();
    smtp.expect("250 2.0.0 OK");
    assert!(emulator.messages().is_empty());

    emulator.fail(reply("body", "421 4.3.2 going down")).unwrap();
    smtp.ask("MAIL FROM:<noreply@contoso.com>", "250");
    smtp.ask("RCPT TO:<ada@x.example>", "250");
    smtp.send(b"BDAT 100 LAST\r\nSubject: x").unwrap();
    smtp.expect("421 4.3.2 going down");
    smtp.expect_end();
    assert!(emulator.messages().is_empty());
}

#[test]
fn a_421_closes_the_connection_at_every_step() {
    for at in ["greeting", "ehlo", "mail", "rcpt", "data", "end", "rset", "quit", "noop"] {
        let emulator = with(reply(at, "421 4.3.2 going down"));
        let mut smtp = Smtp::plain(emulator.smtp_port());
        if smtp.reply().starts_with("421") {
            assert_eq!(at, "greeting");
            smtp.expect_end();
            continue;
        }
        smtp.send(b"EHLO x\r\n").unwrap();
        if smtp.reply().starts_with("421") {
            assert_eq!(at, "ehlo");
            smtp.expect_end();
            continue;
        }
        smtp.ask("STARTTLS", "220");
        smtp.start_tls(&emulator).unwrap();
        smtp.ask("EHLO x", "250");
        let auth = xoauth2(DEFAULT_USERNAME, &emulator.mint(Mint::default()));
        smtp.ask(&format!("AUTH XOAUTH2 {auth}"), "235");
        smtp.send(b"RSET\r\nNOOP\r\nMAIL FROM:<noreply@contoso.com>\r\nRCPT TO:<a@x.example>\r\nDATA\r\n")
            .unwrap();
        let mut replies: Vec<_> = (0..5).map(|_| smtp.reply()).collect();
        if replies[4].starts_with("354") {
            smtp.send(b"x\r\n.\r\nQUIT\r\n").unwrap();
            replies.push(smtp.reply());
            replies.push(smtp.reply());
        }
        let last = replies.iter().rfind(|reply| !reply.is_empty()).unwrap();
        assert_eq!(last, "421 4.3.2 going down", "{at}: {replies:?}");
        smtp.expect_end();
        assert_eq!(emulator.messages().len(), usize::from(at == "quit"), "{at}");
    }
}

#[test]
fn a_connection_can_be_dropped_at_every_step() {
    for at in [
        "connect", "greeting", "ehlo", "starttls", "tls", "auth", "mail", "rcpt", "data", "body", "end",
        "quit",
    ] {
        let emulator = with(drop_at(at));
        let mut smtp = Smtp::plain(emulator.smtp_port());
        let mut script = || -> Option<()> {
            let ask = |smtp: &mut Smtp, line: &str| {
                smtp.send(line.as_bytes()).ok()?;
                (!smtp.reply().is_empty()).then_some(())
            };
            if smtp.reply().is_empty() {
                return None;
            }
            ask(&mut smtp, "EHLO x\r\n")?;
            ask(&mut smtp, "STARTTLS\r\n")?;
            smtp.start_tls(&emulator).ok()?;
            ask(&mut smtp, "EHLO x\r\n")?;
            let auth = xoauth2(DEFAULT_USERNAME, &emulator.mint(Mint::default()));
            ask(&mut smtp, &format!("AUTH XOAUTH2 {auth}\r\n"))?;
            ask(&mut smtp, "MAIL FROM:<noreply@contoso.com>\r\n")?;
            ask(&mut smtp, "RCPT TO:<a@x.example>\r\n")?;
            ask(&mut smtp, "DATA\r\n")?;
            ask(&mut smtp, "x\r\n.\r\n")?;
            ask(&mut smtp, "QUIT\r\n")
        };
        assert!(script().is_none(), "{at}");
        assert_eq!(emulator.messages().len(), usize::from(at == "quit"), "{at}");
    }
}

#[test]
fn an_error_challenge_waits_for_its_answer() {
    let emulator = with(reply("auth", "334-json"));
    let mut smtp = Smtp::secured(&emulator);
    let auth = xoauth2(DEFAULT_USERNAME, &emulator.mint(Mint::default()));
    let challenge = smtp.ask(&format!("AUTH XOAUTH2 {auth}"), "334 ey");
    assert!(challenge.len() > 40);
    smtp.ask("", "535 5.7.3");
    smtp.ask(&format!("AUTH XOAUTH2 {auth}"), "235");
    let seen = emulator.seen();
    assert_eq!(seen["auth"][0]["challenge_answer"], "");
    assert_eq!(seen["auth"][0]["accepted"], false);
    assert_eq!(seen["auth"][1]["accepted"], true);
}

#[test]
fn auth_points_tell_one_step_from_two() {
    let emulator = with(reply("auth_challenge", "504 5.7.4 not like this"));
    emulator.fail(reply("auth_response", "535 5.7.8 no")).unwrap();
    emulator.fail(reply("auth", "454 4.7.0 later")).unwrap();
    let mut smtp = Smtp::secured(&emulator);
    let auth = xoauth2(DEFAULT_USERNAME, &emulator.mint(Mint::default()));
    smtp.ask(&format!("AUTH XOAUTH2 {auth}"), "454 4.7.0 later");
    smtp.ask("AUTH XOAUTH2", "504 5.7.4 not like this");
    smtp.ask("AUTH XOAUTH2", "334");
    smtp.ask(&auth, "535 5.7.8 no");
    smtp.ask(&format!("AUTH XOAUTH2 {auth}"), "235");
    smtp.ask("MAIL FROM:<noreply@contoso.com>", "250");
}

#[test]
fn an_idle_connection_is_told_even_if_the_fault_comes_later() {
    let emulator = microsoft();
    let mut smtp = Smtp::ready(&emulator);
    assert!(smtp.message("x").starts_with("250"));
    emulator.fail(reply("idle", "421 4.4.1 session over")).unwrap();
    smtp.expect("421 4.4.1 session over");
    smtp.expect_end();

    emulator.fail(Fault { matching: Some("noop".into()), ..reply("idle", "250 unasked") }).unwrap();
    let mut smtp = Smtp::ready(&emulator);
    smtp.ask("NOOP", "250 2.0.0");
    smtp.expect("250 unasked");
    smtp.ask("NOOP", "250 2.0.0");
}

#[test]
fn replies_come_bytewise_raw_and_with_eight_bits() {
    let emulator = with(Fault { bytewise: true, times: 0, ..Fault::at("ehlo") });
    emulator.fail(Fault { raw: Some("250 \u{e9}\u{ff}\r\n".into()), ..Fault::at("mail") }).unwrap();
    emulator.fail(reply("rcpt", &format!("250 {}", "x".repeat(70_000)))).unwrap();
    let mut smtp = Smtp::ready(&emulator);
    smtp.ask("MAIL FROM:<noreply@contoso.com>", "250 \u{fffd}\u{fffd}");
    let long = smtp.ask("RCPT TO:<a@x.example>", "250 xxx");
    assert_eq!(long.len(), 70_004);
    smtp.ask("DATA", "354");
}

#[test]
fn garbage_in_place_of_the_handshake_is_no_tls() {
    let emulator = with(Fault { raw: Some("250 hello\r\n".into()), ..Fault::at("tls") });
    let mut smtp = Smtp::plain(emulator.smtp_port());
    smtp.expect("220");
    smtp.ask("EHLO x", "250");
    smtp.ask("STARTTLS", "220");
    assert!(smtp.start_tls(&emulator).is_err());
}
