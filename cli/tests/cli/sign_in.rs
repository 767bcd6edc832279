//! `mailbearer login`, `token` and `logout`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr};

use mailbearer_cli::emulator::{
    DEFAULT_CLIENT_SECRET, DEFAULT_REDIRECT_URI, DEFAULT_USERNAME, Decision, Options,
};
use serde_json::{Value, json};

use crate::run::{Cli, end};

/// Starts a login with `--json`, and reads what it tells the person.
fn begin(cli: &Cli, more: &[&str]) -> (Child, BufReader<ChildStderr>, Value) {
    let mut child = cli.command(&[&["--json", "login", "--no-browser"], more].concat()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let told = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
    (child, stderr, told)
}

/// What a browser does with the address it is sent to.
fn browse(url: &str) -> String {
    let rest = url.strip_prefix("http://localhost:").unwrap();
    let (port, path) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap());
    let mut stream = TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}

#[test]
fn a_person_signs_in_at_a_browser_and_the_next_commands_use_it() {
    let cli = Cli::with("authorization_code", Options::default());
    let ran = cli.run(&["token"]);
    assert_eq!(ran.code, 77, "{ran:?}");
    assert!(ran.stderr.contains("mailbearer login"), "{ran:?}");

    let (child, _stderr, told) = begin(&cli, &[]);
    assert_eq!(told["method"], "authorization_code");
    let url = told["url"].as_str().unwrap();
    let callback = cli.emulator.sign_in(url, DEFAULT_USERNAME, Decision::Approve).unwrap();
    assert!(browse(&callback).contains("is signed in"));
    let ran = end(child);
    assert_eq!((ran.code, &ran.json()["username"]), (0, &json!(DEFAULT_USERNAME)), "{ran:?}");

    let token = cli.run(&["token"]);
    assert_eq!(token.code, 0, "{token:?}");
    let secret = token.stdout.trim();
    assert_eq!(secret.split('.').count(), 3, "a JWT and nothing else: {secret}");
    let send = cli.run(&["send", "--to", "ada@example.com", "--text", "x"]);
    assert_eq!((send.code, cli.emulator.messages().len()), (0, 1), "{send:?}");

    let status = cli.run(&["token", "--status"]);
    assert!(status.code == 0 && status.stdout.contains(DEFAULT_USERNAME), "{status:?}");
    assert!(status.stdout.contains("SMTP.Send") && status.stdout.contains("tokens.json"), "{status:?}");
    let json = cli.run(&["--json", "token", "--status"]);
    let value = json.json();
    assert_eq!(value["account"]["username"], DEFAULT_USERNAME);
    assert!(value["token"]["expires_at"].as_str().unwrap().ends_with('Z'));
    assert!(value["token"].get("access_token").is_none());
    for ran in [&status, &json] {
        assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "no secret in a status");
    }

    let out = cli.run(&["logout"]);
    assert_eq!(
        (out.code, out.stdout.trim()),
        (0, format!("signed out {DEFAULT_USERNAME}").as_str()),
        "{out:?}"
    );
    assert_eq!(cli.run(&["--json", "token", "--status"]).code, 77);
    let out = cli.run(&["logout"]);
    assert_eq!((out.code, out.stdout.trim()), (0, "nobody was signed in"), "{out:?}");
}

#[test]
fn a_device_signs_in_with_a_code() {
    let cli = Cli::with("device_code", Options::default());
    cli.emulator.configure(json!({"device_interval": 1})).unwrap();
    let (child, _stderr, told) = begin(&cli, &["--device"]);
    let code = told["user_code"].as_str().unwrap();
    assert!(told["message"].as_str().unwrap().contains(code));
    cli.emulator.approve(code, DEFAULT_USERNAME, Decision::Approve).unwrap();
    let ran = end(child);
    assert_eq!((ran.code, &ran.json()["username"]), (0, &json!(DEFAULT_USERNAME)), "{ran:?}");
    assert_eq!(cli.run(&["send", "--to", "ada@example.com", "--text", "x"]).code, 0);

    let (child, stderr, told) = begin(&cli, &["--device"]);
    cli.emulator.approve(told["user_code"].as_str().unwrap(), DEFAULT_USERNAME, Decision::Deny).unwrap();
    let ran = end(child);
    let error: Value = serde_json::from_str(&std::io::read_to_string(stderr).unwrap()).unwrap();
    assert_eq!((ran.code, &error["code"]), (77, &json!("login_declined")));
}

#[test]
fn an_address_that_was_pasted_ends_the_sign_in() {
    let cli = Cli::with("authorization_code", Options::default());
    let (mut child, mut stderr, told) = begin(&cli, &["--redirect-uri", DEFAULT_REDIRECT_URI]);
    let callback =
        cli.emulator.sign_in(told["url"].as_str().unwrap(), DEFAULT_USERNAME, Decision::Approve).unwrap();
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.contains("paste"), "{line}");
    writeln!(child.stdin.take().unwrap(), "{callback}").unwrap();
    let ran = end(child);
    assert_eq!((ran.code, &ran.json()["username"]), (0, &json!(DEFAULT_USERNAME)), "{ran:?}");
}

#[test]
fn another_person_is_not_kept_and_app_only_has_nothing_to_sign_in() {
    let cli = Cli::with("authorization_code", Options::default());
    let (child, stderr, told) = begin(&cli, &[]);
    let callback =
        cli.emulator.sign_in(told["url"].as_str().unwrap(), "eve@contoso.com", Decision::Approve).unwrap();
    browse(&callback);
    assert_eq!(end(child).code, 77);
    assert!(std::io::read_to_string(stderr).unwrap().contains("account_mismatch"));
    assert_eq!(cli.run(&["token"]).code, 77);

    let cli = Cli::new();
    let ran = cli.run(&["login"]);
    assert_eq!((ran.code, ran.stderr.contains("nothing to sign in")), (78, true), "{ran:?}");
}

#[test]
fn a_token_comes_in_three_shapes_without_the_clients_secret() {
    let cli = Cli::new();
    let json = cli.run(&["token", "--format", "json"]);
    let value = json.json();
    let token = value["access_token"].as_str().unwrap();
    assert_eq!((&value["token_type"], &value["username"]), (&json!("Bearer"), &json!(DEFAULT_USERNAME)));
    assert_eq!(cli.run(&["--json", "token"]).json()["token_type"], "Bearer");
    assert!(token.len() > 100);
    let xoauth2 = cli.run(&["token", "--format", "xoauth2"]);
    // base64 of "user=noreply@contoso.com\x01auth=Bearer "
    assert!(xoauth2.stdout.starts_with("dXNlcj1ub3JlcGx5QGNvbnRvc28uY29tAWF1dGg9QmVhcmVyI"), "{xoauth2:?}");
    assert_eq!(xoauth2.stdout.lines().count(), 1);
    let forced = cli.run(&["token", "--force"]);
    assert_eq!((forced.code, forced.stderr.as_str()), (0, ""));
    for ran in [json, xoauth2, forced, cli.run(&["token", "--status"])] {
        assert!(!ran.stdout.contains(DEFAULT_CLIENT_SECRET) && !ran.stderr.contains(DEFAULT_CLIENT_SECRET));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn an_address_of_five_thousand_characters_may_be_pasted_into_a_terminal() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let cli = Cli::with("authorization_code", Options::default());
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let path = ptsname(&terminal, Vec::new()).unwrap();
    let side = std::fs::File::options().read(true).write(true).open(path.to_str().unwrap()).unwrap();
    let before = rustix::termios::tcgetattr(&side).unwrap().local_modes;
    let words = ["--json", "login", "--no-browser", "--redirect-uri", DEFAULT_REDIRECT_URI];
    let mut child = cli.command(&words).stdin(side.try_clone().unwrap()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let (mut line, mut told) = (String::new(), String::new());
    stderr.read_line(&mut line).unwrap();
    stderr.read_line(&mut told).unwrap();
    assert!(told.contains("paste"), "{told}");
    let about: Value = serde_json::from_str(&line).unwrap();
    let callback =
        cli.emulator.sign_in(about["url"].as_str().unwrap(), DEFAULT_USERNAME, Decision::Approve).unwrap();
    let pasted = format!("{callback}&session_state={}\r", "s".repeat(5000));
    let mut terminal = std::fs::File::from(terminal);
    // The echo is read, or the terminal is full of it.
    let mut echo = terminal.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut octets = [0; 1024];
        while echo.read(&mut octets).is_ok_and(|got| got > 0) {}
    });
    terminal.write_all(pasted.as_bytes()).unwrap();
    let ran = end(child);
    assert_eq!((ran.code, &ran.json()["username"]), (0, &json!(DEFAULT_USERNAME)), "{ran:?}");
    assert_eq!(rustix::termios::tcgetattr(&side).unwrap().local_modes, before, "the terminal is as it was");
}
