//! Ctrl-C, SIGTERM, and readers that go away.
#![cfg(unix)]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mailbearer_cli::emulator::{Config, Fault, Options, Rotation};
use serde_json::{Value, json};

use crate::run::{Cli, end, run};

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

/// Until the server has seen this.
fn until_seen(cli: &Cli, what: &str) {
    until(cli, what, |seen| seen.to_string().contains(what));
}

fn until(cli: &Cli, what: &str, is_there: impl Fn(&Value) -> bool) {
    let began = Instant::now();
    while !is_there(&cli.emulator.seen()) {
        assert!(began.elapsed() < Duration::from_secs(30), "{what} never came: {}", cli.emulator.seen());
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn token_requests(seen: &Value) -> usize {
    seen["token_requests"].as_array().unwrap().len()
}

/// The server never answers; at `end` it has taken the message all the same.
fn silent(at: &str) -> Fault {
    match at {
        "end" => Fault { raw: Some(String::new()), after: true, ..Fault::at(at) },
        _ => Fault { delay: 300.0, times: 0, ..Fault::at(at) },
    }
}

#[test]
fn ctrl_c_before_the_end_delivers_nothing_and_after_it_is_uncertain() {
    for (at, name, seen, code) in [
        ("mail", "INT", "MAIL FROM", 130),
        ("mail", "TERM", "MAIL FROM", 130),
        ("end", "INT", "committed", 79),
    ] {
        let cli = Cli::new();
        cli.emulator.fail(silent(at)).unwrap();
        let words = ["--json", "send", "--to", "ada@example.com", "--text", "x", "--subject", "committed"];
        let child = cli.command(&words).spawn().unwrap();
        until_seen(&cli, seen);
        signal(&child, name);
        let ran = end(child);
        assert_eq!(ran.code, code, "{at}: {ran:?}");
        let expected = if code == 79 { "uncertain" } else { "none" };
        assert_eq!(ran.error()["delivery"], expected, "{ran:?}");
    }
}

#[test]
fn ctrl_c_in_a_bulk_send_still_gives_each_pulled_message_its_result() {
    let cli = Cli::new();
    cli.emulator.fail(silent("mail")).unwrap();
    let mut child = cli.command(&["send", "--from-jsonl", "-"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let line = format!("{}\n", json!({"to": "a@example.com", "text": "x"}));
    // The source stays open and silent: a blocked read must not hold up the end.
    std::io::Write::write_all(&mut stdin, line.as_bytes()).unwrap();
    until_seen(&cli, "MAIL");
    signal(&child, "INT");
    let ran = end(child);
    drop(stdin);
    assert_eq!(ran.code, 130, "{ran:?}");
    assert_eq!(ran.json()["error"]["code"], "cancelled", "{ran:?}");
    assert!(ran.stderr.contains("0 sent, 1 failed"), "{ran:?}");
}

#[test]
fn the_emulator_ends_with_a_signal_and_leaves_its_command_alone() {
    let cli = Cli::new();
    let mut child = cli.command(&["emulator"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    std::io::Read::read_exact(&mut stdout, &mut [0]).unwrap();
    signal(&child, "INT");
    assert_eq!(end(child).code, 0);

    let script = "trap 'exit 5' USR1; echo up; while :; do sleep 0.05; done";
    let mut child =
        cli.command(&["emulator", "--", "sh", "-c", &format!("echo $$; {script}")]).spawn().unwrap();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    let (mut pid, mut up) = (String::new(), String::new());
    std::io::BufRead::read_line(&mut stdout, &mut pid).unwrap();
    std::io::BufRead::read_line(&mut stdout, &mut up).unwrap();
    signal(&child, "INT");
    // The command goes on until it ends by itself.
    assert!(Command::new("kill").args(["-USR1", pid.trim()]).status().unwrap().success());
    assert_eq!(end(child).code, 5);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let cli = Cli::new();
    let mut child = cli.command(&["send", "--to", "ada@example.com", "--text", "x"]).spawn().unwrap();
    drop(child.stdout.take());
    let ran = end(child);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    let mut child = cli.command(&["verify"]).spawn().unwrap();
    drop(child.stdout.take());
    let ran = end(child);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
}

#[test]
fn a_command_that_ends_early_keeps_what_its_refresh_token_was_exchanged_for() {
    let strict = Config { refresh_rotation: Some(Rotation::ReuseDetection), ..Config::default() };
    let cli = Cli::with("refresh_token", Options { config: strict, ..Options::default() });
    let late = || Fault { after: true, delay: 2.0, ..Fault::at("token") };

    // The mail server is not there, which is known long before the new token comes.
    cli.emulator.fail(late()).unwrap();
    let words = ["send", "--to", "ada@example.com", "--text", "x", "--set", "retry.attempts=1"];
    let ran = run(cli.command(&words).env("MAILBEARER_SMTP__PORT", "1"), "");
    assert_eq!(ran.code, 75, "{ran:?}");
    assert!(ran.stderr.contains("must be kept"), "{ran:?}");

    // Somebody does not want to wait.
    cli.emulator.fail(late()).unwrap();
    let child = cli.command(&["token", "--force"]).spawn().unwrap();
    until(&cli, "the second refresh", |seen| token_requests(seen) == 2);
    signal(&child, "INT");
    let ran = end(child);
    assert_eq!(ran.code, 130, "{ran:?}");

    let ran = cli.run(&["token", "--force"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(token_requests(&cli.emulator.seen()), 3);
}
