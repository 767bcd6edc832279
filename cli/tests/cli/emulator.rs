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
fn a_shell_can_evaluate_the_options() {
    let home = tempfile::tempdir().unwrap();
    let mut child = bare(home.path(), &["emulator", "--env"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut environ = String::new();
    while !environ.contains("MAILBEARER_CONFIG") {
        environ.push_str(&lines.next().unwrap().unwrap());
        environ.push('\n');
    }
    assert!(environ.lines().all(|line| line.starts_with("export MAILBEARER_")), "{environ}");
    std::fs::write(home.path().join("environ"), environ).unwrap();
    let script = format!("eval \"$(cat environ)\"; exec {BINARY} send --to ada@example.com --text x");
    let output = Command::new("sh").args(["-c", &script]).current_dir(home.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    drop(child.stdin.take());
    assert_eq!(end(child).code, 0);
}
