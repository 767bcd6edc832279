//! C programs against the installed library and the emulator: what the caller got, and what the server saw.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{Program, emulator, here, proxy};
use mailbearer_emulator::{DEFAULT_USERNAME, Decision, Fault, Mint};

#[test]
fn every_function_takes_null_and_broken_text() {
    let called = Program::new("tests/c/arguments.c").run(&[]);
    let called: BTreeSet<_> = called.lines().filter_map(|line| line.strip_prefix("called ")).collect();
    let header = fs::read_to_string(here().join("../include/mailbearer.h")).unwrap();
    let declared: BTreeSet<_> = header
        .lines()
        .filter(|line| !line.starts_with([' ', '/', '#']) && !line.starts_with("typedef"))
        .filter_map(|line| line.split('(').next()?.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("mailbearer_"))
        .collect();
    assert!(declared.len() > 70, "{declared:?}");
    assert_eq!(called, declared);
}

#[test]
fn options_have_three_layers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let options = "provider = 'memory'\nfrom = 'file@example.com'\ntimeout = '7s'\n\
                   [profiles.other]\nfrom = 'profile@example.com'\n";
    fs::write(&file, options).unwrap();
    let program = Program::new("tests/c/options.c");
    let program = program.env("FILE", file.to_str().unwrap()).env("TEST_FROM", "env@example.com");
    program.run(&["layers"]);
    let program = program.env("MAILBEARER_CONFIG", file.to_str().unwrap());
    program.run(&["named"]);
    program.env("MAILBEARER_CONFIG", "/nowhere/mailbearer.toml").run(&["missing"]);
}

#[test]
fn the_first_mail_arrives_and_refusals_are_told() {
    let emulator = emulator();
    let nobody = Fault {
        reply: Some("550 5.1.1 user unknown".into()),
        matching: Some("nobody@".into()),
        times: 0,
        ..Fault::at("rcpt")
    };
    emulator.fail(nobody).unwrap();
    let said = Program::new("tests/c/first_mail.c").with(&emulator, "client_credentials").run(&[]);
    let messages = emulator.messages();
    let first = &messages[0];
    assert_eq!(first.mail_from, DEFAULT_USERNAME);
    assert_eq!(first.rcpt_to, ["ada@example.com", "bob@example.com", "carl@example.com"]);
    assert!(said.contains(&first.message_id), "{said}");
    assert_eq!(messages[1].message_id, first.message_id);
    assert_ne!(messages[2].message_id, first.message_id);
    let text = String::from_utf8_lossy(&first.raw);
    for part in
        ["X-Campaign: one", "X-Campaign: two", "Ada Lovelace", "multipart/related", "Content-ID: <logo>"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("carl@example.com"), "Bcc stays out of the headers");
    assert!(text.contains("first_mail.c"), "a file's name follows from its path");
    let raw = messages.iter().find(|message| message.subject == "raw").unwrap();
    assert_eq!(raw.rcpt_to, ["other@example.com"]);
    assert!(raw.raw.ends_with(b"\r\n\r\n.dot\r\n") && !raw.raw.windows(4).any(|part| part == b"eve@"));
    assert_eq!(messages.iter().filter(|message| message.rcpt_to == ["proof@example.com"]).count(), 1);
    let other = messages.iter().rfind(|message| message.mail_from == "other@contoso.com").unwrap();
    assert!(
        String::from_utf8_lossy(&other.raw).contains("From: Desk <other@contoso.com>"),
        "for_mailbox's from"
    );
}

#[test]
fn many_messages_give_one_result_each() {
    let emulator = emulator();
    let program = Program::new("tests/c/bulk.c").with(&emulator, "client_credentials");
    program.run(&["all"]);
    let sent = emulator.messages().len();
    assert!((24 + 5 + 5..24 + 5 + 20).contains(&sent), "{sent}");
    emulator.configure(serde_json::json!({"client_secret": "another"})).unwrap();
    emulator.clear();
    program.run(&["fatal"]);
    assert!(emulator.messages().is_empty());
}

#[test]
fn the_program_gives_an_attachments_octets() {
    let emulator = emulator();
    Program::new("tests/c/stream.c").with(&emulator, "client_credentials").run(&[]);
    let messages = emulator.messages();
    assert_eq!(messages.len(), 6);
    for message in messages {
        let text = String::from_utf8_lossy(&message.raw);
        // `xxx` in base64.
        assert_eq!(text.matches("eHh4").count(), 333_333, "{}", message.message_id);
    }
}

#[test]
fn a_callback_that_frees_or_closes_its_own_object_is_refused() {
    let emulator = emulator();
    let good = emulator.mint(Mint { username: DEFAULT_USERNAME.into(), ..Mint::default() });
    Program::new("tests/c/callbacks.c").with(&emulator, "callback").env("GOOD_TOKEN", &good).run(&[]);
    assert_eq!(emulator.messages().len(), 3);
}

#[test]
fn a_program_sees_what_it_would_have_sent() {
    Program::new("tests/c/outbox.c").run(&[]);
}

#[test]
fn tokens_come_from_the_service_or_the_program() {
    let emulator = emulator();
    let program = Program::new("tests/c/tokens.c").with(&emulator, "client_credentials");
    program.run(&["service"]);
    let about = emulator.settings("client_credentials", DEFAULT_USERNAME).unwrap();
    let me = about["auth"]["client_id"].as_str().unwrap();
    let claims = format!(r#"{{"iss":"{me}","sub":"{me}","jti":"1","aud":"api://x/token","exp":4000000000}}"#);
    let assertion = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
    Program::new("tests/c/tokens.c")
        .with(&emulator, "client_credentials")
        .env("ASSERTION", &assertion)
        .run(&["proof"]);
    let good = emulator.mint(Mint { username: DEFAULT_USERNAME.into(), ..Mint::default() });
    let program = Program::new("tests/c/tokens.c").with(&emulator, "callback").env("GOOD_TOKEN", &good);
    program.run(&["program"]);
    assert_eq!(emulator.messages().len(), 1);
}

#[test]
fn events_come_on_the_callers_thread() {
    let emulator = emulator();
    Program::new("tests/c/events.c").with(&emulator, "client_credentials").run(&[]);
    assert_eq!(emulator.messages().len(), 2);
}

#[test]
fn a_device_code_is_approved() {
    let emulator = emulator();
    let program = Program::new("tests/c/login.c").with(&emulator, "device_code");
    let mut running = program.start(&["device"]);
    let line = running.line();
    let code = line.strip_prefix("code ").unwrap();
    emulator.approve(code, DEFAULT_USERNAME, Decision::Approve).unwrap();
    running.end();
    assert_eq!(emulator.messages().len(), 1);
}

#[test]
fn a_redirect_comes_back() {
    let emulator = emulator();
    let program = Program::new("tests/c/login.c").with(&emulator, "authorization_code");
    let mut running = program.start(&["redirect"]);
    let line = running.line();
    let url = line.strip_prefix("url ").unwrap();
    let callback = emulator.sign_in(url, DEFAULT_USERNAME, Decision::Approve).unwrap();
    running.say(&callback);
    running.end();
    assert_eq!(emulator.messages().len(), 1);
}

#[test]
fn another_thread_cancels_before_the_message_is_handed_over() {
    for when in ["before", "time"] {
        let emulator = emulator();
        emulator.fail(Fault { delay: 60.0, ..Fault::at("mail") }).unwrap();
        let program = Program::new("tests/c/cancel.c").with(&emulator, "client_credentials");
        let began = Instant::now();
        let mut running = program.start(&[when]);
        while when == "before" && !emulator.seen().to_string().contains("MAIL FROM") {
            assert!(began.elapsed() < Duration::from_secs(30), "{}", emulator.seen());
            std::thread::sleep(Duration::from_millis(10));
        }
        running.say("go");
        running.end();
        assert!(emulator.messages().is_empty());
    }
}

#[test]
fn another_thread_cancels_after_the_message_was_handed_over() {
    let emulator = Arc::new(emulator());
    let (port, withheld) = proxy::withhold_the_last_reply(emulator.clone());
    let program = Program::new("tests/c/cancel.c")
        .with(&emulator, "client_credentials")
        .env("MAILBEARER_SMTP__PORT", &port.to_string());
    let mut running = program.start(&["after"]);
    withheld.recv_timeout(Duration::from_secs(30)).unwrap();
    running.say("go");
    running.end();
    assert_eq!(emulator.messages().len(), 1);
}

#[test]
fn a_peer_that_hangs_up_raises_no_signal() {
    let emulator = emulator();
    emulator.fail(Fault { drop: true, times: 0, ..Fault::at("body") }).unwrap();
    let program = Program::new("tests/c/signals.c").with(&emulator, "client_credentials");
    program.env("MAILBEARER_RETRY__ATTEMPTS", "1").run(&["pipe"]);
    assert!(emulator.messages().is_empty());
}

#[test]
fn a_write_to_a_closed_connection_raises_no_signal() {
    let emulator = emulator();
    let program = Program::new("tests/c/signals.c")
        .with(&emulator, "client_credentials")
        .env("MAILBEARER_SMTP__PORT", &proxy::cut_connections(emulator.smtps_port()).to_string())
        .env("MAILBEARER_SMTP__SECURITY", "tls")
        .env("MAILBEARER_RETRY__ATTEMPTS", "1");
    program.run(&["closed"]);
}

#[test]
fn signals_are_the_hosts() {
    let emulator = emulator();
    emulator.fail(Fault { delay: 3.0, ..Fault::at("end") }).unwrap();
    Program::new("tests/c/signals.c").with(&emulator, "client_credentials").run(&["handler"]);
    assert_eq!(emulator.messages().len(), 1);
}

#[test]
fn a_forked_child_sends() {
    let emulator = emulator();
    Program::new("tests/c/fork.c").with(&emulator, "client_credentials").run(&[]);
    let messages = emulator.messages();
    assert_eq!(messages.len(), 50);
    let ids: BTreeSet<_> = messages.iter().map(|message| &message.message_id).collect();
    assert_eq!(ids.len(), 50, "no Message-ID twice");
}
