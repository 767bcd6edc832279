//! `mailbearer verify`.

use mailbearer_cli::emulator::{DEFAULT_CLIENT_SECRET, Fault};
use serde_json::json;

use crate::run::Cli;

#[test]
fn a_chain_in_good_health_sends_nothing_unless_told() {
    let cli = Cli::new();
    let ran = cli.run(&["verify"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    for link in ["dns", "tcp", "tls", "ehlo", "token", "claims", "auth", "mail_from"] {
        assert!(ran.stdout.lines().any(|l| l.starts_with("ok") && l.contains(link)), "{link}: {ran:?}");
    }
    assert!(cli.emulator.messages().is_empty());
    let ran = cli.run(&["--json", "verify", "--send-to", "ada@example.com"]);
    assert_eq!((ran.code, &ran.json()["ok"]), (0, &json!(true)), "{ran:?}");
    assert_eq!(cli.emulator.messages().len(), 1);
}

#[test]
fn the_first_failing_link_names_the_exit_code_and_the_cure() {
    let cli = Cli::new();
    cli.emulator.configure(json!({"app_roles": []})).unwrap();
    let ran = cli.run(&["verify"]);
    assert_eq!(ran.code, 77, "{ran:?}");
    assert!(ran.stdout.contains("FAILED") && ran.stdout.contains("SMTP.SendAsApp"), "{ran:?}");
    let json = cli.run(&["--json", "verify"]);
    assert_eq!((json.code, &json.json()["ok"]), (77, &json!(false)));
    for text in [&ran.stdout, &json.stdout] {
        assert!(!text.contains(DEFAULT_CLIENT_SECRET) && !text.contains("eyJ"), "no secret in a report");
    }

    let cli = Cli::new();
    let ran = cli.run(&["verify", "--set", "smtp.port=1"]);
    assert_eq!(ran.code, 75, "{ran:?}");
    assert!(ran.stdout.contains("FAILED   tcp"), "{ran:?}");
}

#[test]
fn it_waits_until_all_is_well_but_not_longer_than_told() {
    let cli = Cli::new();
    let refused = |times| Fault { reply: Some("454 4.7.0 later".into()), times, ..Fault::at("mail") };
    cli.emulator.fail(refused(1)).unwrap();
    let ran = cli.run(&["verify", "--wait", "100ms"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.starts_with("not yet: "), "{ran:?}");
    cli.emulator.fail(refused(0)).unwrap();
    let ran = cli.run(&["verify", "--wait", "100ms"]);
    assert_eq!(ran.code, 75, "{ran:?}");
    let ran = cli.run(&["verify", "--wait", "1h", "--set", "auth.tenant="]);
    assert_eq!(ran.code, 78, "options do not heal: {ran:?}");
}
