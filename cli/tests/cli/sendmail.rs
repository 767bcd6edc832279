//! `mailbearer sendmail`.

use mailbearer_cli::emulator::{DEFAULT_USERNAME, Fault};

use crate::run::Cli;

#[test]
fn recipients_come_from_the_headers_and_bcc_stays_blind() {
    let cli = Cli::new();
    let ran = cli.pipe(
        &["sendmail", "-t", "-i"],
        "From: Desk <desk@contoso.com>\nTo: Ada <ada@example.com>\nCc: bob@example.com\nBcc: eve@example.com,\n dan@example.com\nSubject: Hi\n\none\n.\ntwo\n",
    );
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", ""));
    let received = cli.emulator.messages().remove(0);
    assert_eq!(received.mail_from, "desk@contoso.com");
    let mut recipients = received.rcpt_to;
    recipients.sort();
    assert_eq!(recipients, ["ada@example.com", "bob@example.com", "dan@example.com", "eve@example.com"]);
    let text = cli.only_message();
    assert!(!text.to_lowercase().contains("bcc") && !text.contains("eve@"), "{text}");
    assert!(text.contains("From: Desk <desk@contoso.com>\r\nTo: Ada <ada@example.com>\r\nCc: bob@example.com\r\nSubject: Hi\r\n\r\none\r\n.\r\ntwo\r\n"), "{text}");
    assert!(text.contains("Message-ID: <") && text.contains("Date: "));
}

#[test]
fn named_recipients_are_the_envelope_and_sendmails_words_are_understood() {
    let cli = Cli::new();
    let ran = cli.pipe(
        &[
            "sendmail",
            "-oi",
            "-oem",
            "-N",
            "never",
            "-B8BITMIME",
            "-fbounce@contoso.com",
            "-F",
            "J\u{fc}rgen D",
            "--",
            "ada@example.com,bob@example.com",
            "cy@example.com",
        ],
        "To: undisclosed-recipients:;\nSubject: Hi\n\ntext\n",
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    let received = cli.emulator.messages().remove(0);
    assert_eq!(received.mail_from, "bounce@contoso.com");
    assert_eq!(received.rcpt_to, ["ada@example.com", "bob@example.com", "cy@example.com"]);
    let text = cli.only_message();
    assert!(
        text.contains("From: =?utf-8?") && text.contains("<bounce@contoso.com>\r\nTo: undisclosed"),
        "{text}"
    );
}

#[test]
fn text_without_headers_or_sender_is_sent_as_the_mailbox() {
    let cli = Cli::new();
    let ran = cli.pipe(&["sendmail", "ada@example.com"], "disk full\n.\nnot this\n");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(cli.emulator.messages()[0].mail_from, DEFAULT_USERNAME);
    let text = cli.only_message();
    assert!(text.ends_with(&format!("From: {DEFAULT_USERNAME}\r\n\r\ndisk full\r\n")), "{text}");
    assert!(text.contains("@contoso.com>\r\n"));
}

#[test]
fn the_null_sender_and_headers_beside_named_recipients() {
    let cli = Cli::new();
    let ran = cli.pipe(
        &["sendmail", "-t", "-f", "<>", "-v", "cy@example.com"],
        "Sender: s@contoso.com\nFrom: a@contoso.com, b@contoso.com\nTo: ada@example.com\n\nx\n",
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.starts_with("sent <"), "{ran:?}");
    let received = cli.emulator.messages().remove(0);
    assert_eq!(received.mail_from, "");
    let mut recipients = received.rcpt_to;
    recipients.sort();
    assert_eq!(recipients, ["ada@example.com", "cy@example.com"]);
}

#[test]
fn wrong_calls_and_refusals_have_sendmails_codes() {
    let cli = Cli::new();
    let mail = "From: n@contoso.com\nTo: ada@example.com\n\nx\n";
    for (words, code) in [
        (&["-bs"][..], 64),
        (&[], 64),
        (&["-Z", "a@example.com"], 64),
        (&["no address"], 65),
        (&["-t", "--config", "absent.toml"], 78),
        (&["--help"], 0),
    ] {
        let ran = cli.pipe(&[&["sendmail"], words].concat(), mail);
        assert_eq!(ran.code, code, "{words:?}: {ran:?}");
    }
    let ran = cli.pipe(&["sendmail", "-t"], "From: n@contoso.com\nSubject: nobody\n\nx\n");
    assert_eq!(ran.code, 65, "{ran:?}");
    assert!(cli.emulator.messages().is_empty());
    let later = || Fault { status: Some(503), times: 0, ..Fault::at("token") };
    cli.emulator.fail(later()).unwrap();
    // The token service's own pauses between tries are not the matter here.
    for (words, code) in [(&["-t"][..], 69), (&["-t", "--tempfail-75"], 75)] {
        let mut command = cli.command(&[&["sendmail"], words].concat());
        let ran = crate::run::run(command.env("MAILBEARER_RETRY__ATTEMPTS", "1"), mail);
        assert_eq!(ran.code, code, "{words:?}: {ran:?}");
    }
}

/// What Debian's cron (3.0pl1) writes, and how it calls: do_command.c, `MAILFMT`.
const CRON: &str = "From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@host> test -x /usr/sbin/anacron\nMIME-Version: 1.0\n\
    Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\nX-Cron-Env: <SHELL=/bin/sh>\n\
    X-Cron-Env: <HOME=/root>\nX-Cron-Env: <LOGNAME=root>\n\ndisk full\n";

#[test]
fn the_mail_of_debians_cron_goes_out_as_the_mailbox() {
    let cli = Cli::new();
    let words = ["sendmail", "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"];
    std::fs::create_dir(cli.home.path().join("mailbearer")).unwrap();
    let aliases = cli.home.path().join("mailbearer/aliases");
    std::fs::write(&aliases, "root: ops, Ada@example.com\nops: bob@example.com\n").unwrap();
    let ran = cli.pipe(&words, CRON);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", ""));
    let received = cli.emulator.messages().remove(0);
    assert_eq!(received.mail_from, DEFAULT_USERNAME);
    assert_eq!(received.rcpt_to, ["bob@example.com", "Ada@example.com"]);
    let text = cli.only_message();
    assert!(
        text.contains(&format!(
            "From: \"Cron Daemon\" <{DEFAULT_USERNAME}>\r\nTo: root@contoso.com\r\nSubject: Cron <root@host>"
        )),
        "{text}"
    );
    assert!(text.ends_with("\r\n\r\ndisk full\r\n"), "{text}");
}

#[test]
fn cronie_and_php_are_understood_without_any_aliases() {
    let none = ["--aliases", "/dev/null"];
    for (words, mail, from) in [
        // cronie 1.6.
        (
            &["-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "root"][..],
            "From: \"(Cron Daemon)\" <root>\nTo: root\nSubject: x\n\ny\n",
            "From: \"(Cron Daemon)\" <noreply@contoso.com>\r\n",
        ),
        // PHP's mail(): sendmail_path is `sendmail -t -i`.
        (
            &["-t", "-i", "-f", "www-data"],
            "To: root\r\nSubject: x\r\n\r\ny\r\n",
            "From: noreply@contoso.com\r\n",
        ),
    ] {
        let cli = Cli::new();
        let ran = cli.pipe(&[&["sendmail"], words, &none[..]].concat(), mail);
        assert_eq!(ran.code, 0, "{words:?}: {ran:?}");
        let received = cli.emulator.messages().remove(0);
        assert_eq!(
            (received.mail_from.as_str(), &received.rcpt_to[..]),
            (DEFAULT_USERNAME, &["root@contoso.com".to_owned()][..])
        );
        let text = cli.only_message();
        assert!(text.contains(from) && text.contains("To: root@contoso.com\r\n"), "{text}");
    }
}

#[test]
fn an_alias_that_is_a_program_is_refused() {
    let cli = Cli::new();
    let aliases = cli.home.path().join("aliases");
    std::fs::write(&aliases, "root: |/usr/bin/procmail\n").unwrap();
    let ran = cli.pipe(&["sendmail", "--aliases", "aliases", "root"], CRON);
    assert_eq!((ran.code, ran.stderr.contains("the alias `root` is a program")), (78, true), "{ran:?}");
    assert!(cli.emulator.messages().is_empty());
}
