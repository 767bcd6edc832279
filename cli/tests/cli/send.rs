//! `mailbearer send`, one message.

use mailbearer_cli::emulator::{Certificate, DEFAULT_CLIENT_SECRET, DEFAULT_USERNAME, Fault, Options};

use crate::run::Cli;

#[test]
fn a_message_arrives_as_it_was_written() {
    let cli = Cli::new();
    let file = cli.home.path().join("report.csv");
    std::fs::write(&file, "a;b\n").unwrap();
    let ran = cli.pipe(
        &[
            "send",
            "--to",
            "Ada <ada@example.com>",
            "--to",
            "bob@example.com",
            "--cc",
            "cy@example.com",
            "--bcc",
            "dan@example.com",
            "--reply-to",
            "desk@contoso.com",
            "--subject",
            "Größe",
            "--text-file",
            "-",
            "--html",
            "<b>Hi</b>",
            "--attach",
            "report.csv",
            "--header",
            "X-Job: 7",
            "--header",
            "X-Job: 8",
        ],
        "Grüße\n",
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.starts_with("sent <") && ran.stdout.contains("to 4 recipients: 250 2.0.0"), "{ran:?}");
    assert_eq!(ran.stderr, "");
    let received = cli.emulator.messages().remove(0);
    assert_eq!(received.mail_from, DEFAULT_USERNAME);
    assert_eq!(received.rcpt_to, ["ada@example.com", "bob@example.com", "cy@example.com", "dan@example.com"]);
    assert_eq!(received.subject, "Größe");
    assert!(received.message_id.ends_with("@contoso.com>"), "{}", received.message_id);
    let text = cli.only_message();
    for part in ["Reply-To: desk@contoso.com\r\n", "X-Job: 7\r\n", "X-Job: 8\r\n", "report.csv", "text/html"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("dan@example.com"), "Bcc is blind");
}

#[test]
fn json_is_the_receipt_and_the_envelope_may_differ() {
    let cli = Cli::new();
    let ran = cli.run(&[
        "--json",
        "send",
        "--to",
        "ada@example.com",
        "--text",
        "",
        "--tag",
        "t-1",
        "--envelope-from",
        "<bounce@contoso.com>",
        "--from",
        "Desk <desk@contoso.com>",
    ]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let receipt = ran.json();
    assert_eq!(receipt["tag"], "t-1");
    assert_eq!(receipt["accepted"][0], "ada@example.com");
    assert_eq!(receipt["envelope"]["mail_from"], "bounce@contoso.com");
    assert_eq!(cli.emulator.messages()[0].mail_from, "bounce@contoso.com");
    assert!(cli.only_message().contains("From: Desk <desk@contoso.com>\r\n"));
}

#[test]
fn the_exit_code_says_what_became_of_it() {
    let cli = Cli::new();
    let send: &[&str] = &["send", "--to", "ada@example.com", "--to", "bob@example.com", "--text", "x"];
    let once = ["--set", "retry.attempts=1"];
    let fault = |at: &str, reply: &str| Fault { reply: Some(reply.into()), times: 0, ..Fault::at(at) };
    let drop = |at: &str| Fault { drop: true, times: 0, ..Fault::at(at) };
    let bob = Fault { matching: Some("bob@".into()), ..fault("rcpt", "550 5.1.1 no such user") };
    for (fault, code, said) in [
        (bob, 67, "refused bob@example.com: 550 5.1.1 no such user"),
        (fault("rcpt", "550 5.1.1 no such user"), 67, "550 5.1.1 no such user"),
        (fault("end", "554 5.2.252 SendAsDenied; not allowed"), 77, "554 5.2.252 SendAsDenied"),
        (fault("end", "554 5.6.0 bad content"), 69, "the server said: 554 5.6.0 bad content"),
        (fault("end", "451 4.7.0 later"), 75, "the server said: 451 4.7.0 later"),
        (
            fault("auth", "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled"),
            77,
            "5.7.139",
        ),
        (fault("ehlo", "nonsense"), 76, "mailbearer: "),
        (drop("mail"), 75, "mailbearer: "),
        (drop("end"), 79, "message: <"),
    ] {
        cli.emulator.clear();
        let at = fault.at.clone();
        cli.emulator.fail(fault).unwrap();
        let ran = cli.run(&[send, &once].concat());
        assert_eq!(ran.code, code, "{at}: {ran:?}");
        assert!(ran.stderr.contains(said), "{at}: {ran:?}");
        assert!(ran.stderr.starts_with("mailbearer: "), "{at}: {ran:?}");
    }
    cli.emulator.clear();
    cli.emulator.fail(Fault { status: Some(503), times: 0, ..Fault::at("token") }).unwrap();
    assert_eq!(cli.run(&[send, &once].concat()).code, 75);
    cli.emulator.clear();
    let partial = Fault { matching: Some("bob@".into()), ..fault("rcpt", "550 5.1.1 no such user") };
    cli.emulator.fail(partial).unwrap();
    let ran = cli.run(&[send, &["--partial", "refuse"]].concat());
    assert_eq!((ran.code, cli.emulator.messages().len()), (67, 0), "{ran:?}");
}

#[test]
fn what_is_wrong_before_the_network_has_its_own_codes() {
    let cli = Cli::new();
    std::fs::write(cli.home.path().join("latin1"), b"Gr\xfc\xdfe").unwrap();
    let to = ["send", "--to", "ada@example.com"];
    for (more, code, said) in [
        (&["--nope"][..], 64, "--nope"),
        (&[], 64, "no content"),
        (&["--text", "a", "--text-file", "b"], 64, "cannot be used with"),
        (&["--text", "a", "--header", "nonsense"], 64, "`nonsense` is not a header"),
        (&["--text", "a", "--timeout", "5"], 64, "--timeout"),
        (&["--text", "a", "--set", "auth.client_secret=hunter2"], 64, "is a secret"),
        (&["--text", "a", "--cc", "no address"], 65, "cc"),
        (&["--text", "a", "--subject", "a\r\nBcc: eve@example.com"], 65, "subject"),
        (&["--text-file", "latin1"], 65, "not UTF-8"),
        (&["--text-file", "absent"], 66, "cannot read absent"),
        (&["--text", "a", "--attach", "absent"], 66, "absent"),
        (&["--text-file", "-", "--attach", "-"], 64, "only one thing"),
        (&["--text", "a", "--config", "absent.toml"], 78, "absent.toml"),
        (&["--text", "a", "--profile", "work"], 78, "work"),
        (&["--text", "a", "--set", "auth.tennant=x"], 78, "did you mean `auth.tenant`"),
    ] {
        let ran = cli.run(&[&to, more].concat());
        assert_eq!(ran.code, code, "{more:?}: {ran:?}");
        assert!(ran.stderr.contains(said), "{more:?}: {ran:?}");
        assert!(ran.stdout.is_empty() && !ran.stderr.contains("hunter2"), "{ran:?}");
    }
    assert!(cli.emulator.messages().is_empty());
}

#[test]
fn standard_input_is_attached_as_it_comes() {
    let cli = Cli::new();
    let text = "012345678".repeat(100_000);
    let arguments = ["send", "--to", "ada@example.com", "--attach", "-", "--attach-name", "backup.tar"];
    let ran = cli.pipe(&arguments, &text);
    assert_eq!(ran.code, 0, "{ran:?}");
    let received = cli.only_message();
    assert!(received.contains("backup.tar"), "{received}");
    // Each `012`, in base64.
    assert_eq!(received.matches("MDEy").count(), 100_000);
}

#[test]
fn an_untrusted_certificate_is_a_tls_matter_and_errors_are_json_where_asked() {
    let cli = Cli::with(
        "client_credentials",
        Options { certificate: Certificate::SelfSigned, ..Options::default() },
    );
    let ran = cli.run(&["--json", "send", "--to", "ada@example.com", "--text", "x"]);
    assert_eq!(ran.code, 76, "{ran:?}");
    let error = ran.error();
    assert_eq!(error["code"], "certificate_invalid");
    assert!(error["hint"].as_str().unwrap().contains("tls.roots"), "{error}");
    assert_eq!(ran.stdout, "");
    assert!(!ran.stderr.contains(DEFAULT_CLIENT_SECRET));
}

#[test]
fn a_dry_run_prints_the_message_and_sends_nothing() {
    let cli = Cli::new();
    std::fs::write(cli.home.path().join("logo.png"), b"\x89PNG").unwrap();
    let words = [
        "send",
        "-t",
        "ada@example.com",
        "-b",
        "eve@example.com",
        "-s",
        "Hi",
        "--html",
        "<img src=\"cid:logo.png\"><img src=\"cid:second\">",
        "--inline",
        "logo.png",
        "--inline",
        "second=./logo.png",
        "--dry-run",
    ];
    let ran = cli.run(&words);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.starts_with("Message-ID: <") || ran.stdout.contains("\r\nSubject: Hi\r\n"), "{ran:?}");
    for part in
        ["multipart/related", "Content-ID: <logo.png>", "Content-ID: <second>", "Content-Disposition: inline"]
    {
        assert!(ran.stdout.contains(part), "{part}: {ran:?}");
    }
    assert!(!ran.stdout.contains("eve@"), "{ran:?}");
    assert!(
        ran.stderr.starts_with("not sent: from noreply@contoso.com to ada@example.com, eve@example.com, "),
        "{ran:?}"
    );
    let said = cli.run(&[&["--json"], &words[..]].concat()).json();
    assert_eq!(said["envelope"]["rcpt_to"], serde_json::json!(["ada@example.com", "eve@example.com"]));
    assert!(cli.emulator.messages().is_empty());
    let ran = cli.run(&[&words[..words.len() - 1], &["--quiet"]].concat());
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", ""));
    assert_eq!(cli.emulator.messages().len(), 1);
    for wrong in ["=logo.png", "name=", "absent.png"] {
        let ran = cli.run(&["send", "-t", "a@example.com", "--html", "x", "--inline", wrong]);
        assert!([64, 66].contains(&ran.code), "{wrong}: {ran:?}");
    }
}
