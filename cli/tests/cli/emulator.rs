//! `mailbearer emulator`.

use std::io::{BufRead, BufReader};
use std::process::Command;

use crate::run::{bare, end, run};

const BINARY: &str = env!("CARGO_BIN_EXE_mailbearer");

#[test]
fn a_command_runs_with_the_options_and_its_exit_code_is_ours() {
    let home = tempfile::tempdir().unwrap();
    // The user's own settings would contradict the emulator's.
    std::fs::create_dir(home.path().join("mailbearer")).unwrap();
    std::fs::write(
        home.path().join("mailbearer/config.toml"),
        "[auth]\nredirect_uri = 'https://x.example/'\n",
    )
    .unwrap();
    let mut command =
        bare(home.path(), &["emulator", "--", BINARY, "send", "--to", "ada@example.com", "--text-file", "-"]);
    command.env("MAILBEARER_AUTH__SCOPES", "nonsense").env("MAILBEARER_PROFILE", "absent");
    let ran = run(&mut command, "from standard input\n");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.starts_with("sent <"), "{ran:?}");

    for (words, code) in [
        (&["sh", "-c", "exit 7"][..], 7),
        (&["sh", "-c", "kill -TERM $$"], 143),
        (&["/no/such/program"], 69),
        (&[BINARY, "send", "--to", "no address", "--text", "x"], 65),
    ] {
        let ran = run(&mut bare(home.path(), &[&["emulator", "--"], words].concat()), "");
        assert_eq!(ran.code, code, "{words:?}: {ran:?}");
    }
}

#[test]
fn googles_dialect_and_other_grants_are_there() {
    let home = tempfile::tempdir().unwrap();
    let send = ["--", BINARY, "send", "--to", "ada@example.com", "--text", "x"];
    for options in [
        &["--dialect", "google"][..],
        &["--dialect", "google", "--grant", "jwt_bearer", "--username", "ada@contoso.com"],
        &["--grant", "refresh_token"],
        &["--grant", "access_token", "--username", "ada@contoso.com"],
    ] {
        let ran = run(&mut bare(home.path(), &[&["emulator"], options, &send].concat()), "");
        assert_eq!(ran.code, 0, "{options:?}: {ran:?}");
    }
    let ran = run(&mut bare(home.path(), &["emulator", "--grant", "magic", "--", "true"]), "");
    assert_eq!((ran.code, ran.stderr.contains("magic")), (64, true), "{ran:?}");
    assert!(!home.path().join("mailbearer").exists(), "nothing of it is kept in the user's own store");
}

#[test]
fn it_serves_until_its_input_closes() {
    let home = tempfile::tempdir().unwrap();
    let mut child = bare(home.path(), &["emulator", "--json"]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let described: serde_json::Value = serde_json::from_str(&line).unwrap();
    let mut command = bare(home.path(), &["send", "--to", "ada@example.com", "--text", "x"]);
    for (name, value) in described["environ"].as_object().unwrap() {
        command.env(name, value.as_str().unwrap());
    }
    assert_eq!(run(&mut command, "").code, 0);
    assert_eq!(described["settings"]["smtp"]["port"], described["smtp_port"]);
    drop(child.stdin.take());
    assert_eq!(end(child).code, 0);
    let ca = described["ca_file"].as_str().unwrap();
    assert!(!std::path::Path::new(ca).exists(), "its files go with it");
    assert_eq!(run(&mut command, "").code, 78, "the CA file is gone");
}

#[test]
fn a_command_is_told_where_the_page_is() {
    let home = tempfile::tempdir().unwrap();
    let script = "printf %s \"$MAILBEARER_EMULATOR_URL\"";
    let ran = run(&mut bare(home.path(), &["emulator", "--", "sh", "-c", script]), "");
    assert!(ran.stdout.starts_with("http://127.0.0.1:"), "{ran:?}");
    assert_eq!(ran.stderr, format!("mailbearer: the emulator's page is {}\n", ran.stdout));
}

#[test]
fn ports_and_names_are_as_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ran = run(&mut bare(home.path(), &["emulator", "--smtp-port", &port, "--", "true"]), "");
    assert_eq!(ran.code, 69, "{ran:?}");
    assert!(ran.stderr.contains(&format!("127.0.0.1:{port} (`ports.smtp`)")), "{ran:?}");
    drop(taken);
    let script = "printf %s:%s \"$MAILBEARER_SMTP__HOST\" \"$MAILBEARER_SMTP__PORT\"";
    let named = ["emulator", "--listen", "127.0.0.1", "--hostname", "mail.test", "--smtp-port", &port];
    let ran = run(&mut bare(home.path(), &[&named[..], &["--", "sh", "-c", script]].concat()), "");
    assert_eq!(ran.stdout, format!("mail.test:{port}"), "{ran:?}");
    let ran = run(&mut bare(home.path(), &["emulator", "--hostname", "a b", "--", "true"]), "");
    assert!(ran.code != 0 && ran.stderr.contains("`hostname`"), "{ran:?}");
}

/// Ends with the shell that started it, even if the test fails.
const SCRIPT: &str = "set -e
eval \"$($MAILBEARER emulator --env)\"
trap 'kill $MAILBEARER_EMULATOR_PID' EXIT
$MAILBEARER send --to ada@example.com --text x
printf '%s\\n' \"$MAILBEARER_EMULATOR_URL\" \"$MAILBEARER_TLS__ROOTS\"
";

#[test]
fn a_shell_evaluates_the_options_and_the_emulator_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let mut command = bare(home.path(), &[]);
    let environ: Vec<_> =
        command.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
    command = Command::new("sh");
    command.args(["-c", SCRIPT]).current_dir(home.path()).env("MAILBEARER", BINARY);
    for (name, value) in environ {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let shown = String::from_utf8(output.stdout).unwrap();
    let mut lines = shown.lines();
    assert!(lines.next().unwrap().starts_with("sent <"), "{shown}");
    assert!(lines.next().unwrap().starts_with("http://127.0.0.1:"), "{shown}");
    // Ended by the trap: its files go with it, and its address answers no more.
    let roots = std::path::PathBuf::from(lines.next().unwrap());
    let ended = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while roots.exists() {
        assert!(std::time::Instant::now() < ended, "the emulator goes on after SIGTERM");
        std::thread::yield_now();
    }

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ran = run(&mut bare(home.path(), &["emulator", "--env", "--page-port", &port]), "");
    assert_eq!((ran.code, ran.stdout.as_str()), (69, ""), "{ran:?}");
    assert!(ran.stderr.contains("`ports.page`"), "{ran:?}");
}
