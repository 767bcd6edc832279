//! The configuration file, profiles, the environment and `--set`.

use std::path::Path;

use mailbearer_cli::emulator::{DEFAULT_CLIENT_SECRET, DEFAULT_USERNAME, Emulator, Options};

use crate::run::{Cli, Ran, bare, run};

/// A file with the emulator's options in a profile, the secret in the environment.
fn configure(home: &Path, emulator: &Emulator) {
    let settings = emulator.settings("client_credentials", DEFAULT_USERNAME).unwrap();
    let (auth, smtp) = (&settings["auth"], &settings["smtp"]);
    std::fs::create_dir(home.join("mailbearer")).unwrap();
    let text = format!(
        "provider = 'microsoft365'\n[auth]\ngrant = 'client_credentials'\ntenant = 'wrong.example'\n\
         client_id = {}\nclient_secret = {{ env = 'APP_SECRET' }}\nauthority = {}\n\
         [smtp]\nhost = 'localhost'\nport = {}\n[tls]\nroots = {}\n\
         [profiles.work]\nusername = '{DEFAULT_USERNAME}'\n[profiles.work.auth]\ntenant = {}\n",
        auth["client_id"], auth["authority"], smtp["port"], settings["tls"]["roots"], auth["tenant"],
    );
    std::fs::write(home.join("mailbearer/config.toml"), text).unwrap();
}

fn send(home: &Path, more: &[&str]) -> Ran {
    let arguments = [more, &["send", "--to", "ada@example.com", "--text", "x"]].concat();
    run(bare(home, &arguments).env("APP_SECRET", DEFAULT_CLIENT_SECRET), "")
}

#[test]
fn a_profile_of_the_users_file_is_used() {
    let home = tempfile::tempdir().unwrap();
    let emulator = Emulator::start(Options::default()).unwrap();
    configure(home.path(), &emulator);
    let ran = send(home.path(), &["--profile", "work"]);
    assert_eq!((ran.code, emulator.messages().len()), (0, 1), "{ran:?}");
    let ran = send(home.path(), &["--profile", "home"]);
    assert_eq!((ran.code, ran.stderr.contains("work")), (78, true), "the hint lists profiles: {ran:?}");
    let ran = send(home.path(), &[]);
    assert_eq!((ran.code, ran.stderr.contains("username")), (78, true), "{ran:?}");
    let file = home.path().join("mailbearer/config.toml");
    std::fs::rename(&file, home.path().join("other.toml")).unwrap();
    assert_eq!(send(home.path(), &["--config", "other.toml", "--profile", "work"]).code, 0);
    // Never the working directory, which may be anybody's.
    std::fs::copy(home.path().join("other.toml"), home.path().join("config.toml")).unwrap();
    let ran = send(home.path(), &[]);
    assert_eq!((ran.code, ran.stderr.contains("no configuration found")), (78, true), "{ran:?}");
}

#[test]
fn the_command_line_goes_before_the_environment_and_that_before_the_file() {
    let home = tempfile::tempdir().unwrap();
    let emulator = Emulator::start(Options::default()).unwrap();
    configure(home.path(), &emulator);
    let arguments = ["--profile", "work", "send", "--to", "ada@example.com", "--text", "x"];
    let with = |name: &str, value: &str, more: &[&str]| {
        let mut command = bare(home.path(), &[&arguments, more].concat());
        run(command.env("APP_SECRET", DEFAULT_CLIENT_SECRET).env(name, value), "")
    };
    assert_eq!(with("MAILBEARER_USERNAME", "env@contoso.com", &[]).code, 0);
    assert_eq!(with("MAILBEARER_USERNAME", "env@contoso.com", &["--username", "flag@contoso.com"]).code, 0);
    let seen: Vec<_> = emulator.messages().into_iter().map(|m| m.username).collect();
    assert_eq!(seen, ["env@contoso.com", "flag@contoso.com"]);
    let ran = with("MAILBEARER_SMTP__PORT", "1", &["--set", "retry.attempts=1"]);
    assert_eq!(ran.code, 75, "{ran:?}");
    let port = format!("smtp.port={}", emulator.smtp_port());
    assert_eq!(with("MAILBEARER_SMTP__PORT", "1", &["--set", &port]).code, 0);
}

#[test]
fn no_secret_comes_out_again() {
    let home = tempfile::tempdir().unwrap();
    let emulator = Emulator::start(Options::default()).unwrap();
    configure(home.path(), &emulator);
    for arguments in [
        &["send", "--to", "ada@example.com", "--text", "x"][..],
        &["--json", "send", "--to", "ada@example.com", "--text", "x"],
        &["token", "--status"],
        &["--json", "verify"],
        &["verify", "--set", "auth.client_secret={\"file\": \"absent\"}"],
        &[
            "send",
            "--to",
            "ada@example.com",
            "--text",
            "x",
            "--set",
            "auth.client_secret={\"env\": \"WRONG\"}",
        ],
        &["login"],
        &["logout"],
    ] {
        let mut command = bare(home.path(), &[&["--profile", "work"], arguments].concat());
        let ran = run(command.env("APP_SECRET", DEFAULT_CLIENT_SECRET).env("WRONG", "hunter2-is-not-it"), "");
        for text in [&ran.stdout, &ran.stderr] {
            for secret in [DEFAULT_CLIENT_SECRET, "hunter2", "eyJ"] {
                assert!(!text.contains(secret), "{arguments:?}: {ran:?}");
            }
        }
    }
}

#[test]
fn help_and_version_are_data() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [&["--help"][..], &["send", "--help"], &["--version"], &["sendmail", "--help"]] {
        let ran = run(&mut bare(home.path(), arguments), "");
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(!ran.stdout.is_empty());
    }
    for arguments in [&[][..], &["sing"], &["--config"]] {
        let ran = run(&mut bare(home.path(), arguments), "");
        assert_eq!((ran.code, ran.stdout.as_str()), (64, ""), "{arguments:?}");
    }
    assert_eq!(mailbearer_cli::run(["--version".into()]), 0, "in process, too");
}

#[test]
fn help_is_there_for_every_command() {
    let cli = Cli::new();
    for (words, part) in [
        (&["help"][..], "Exit codes:"),
        (&["help", "send"], "--dry-run"),
        (&["help", "sendmail"], "-F NAME"),
        (&["sendmail", "--help"], "-F NAME"),
    ] {
        let ran = cli.run(words);
        assert_eq!((ran.code, ran.stdout.contains(part)), (0, true), "{words:?}: {ran:?}");
    }
    let ran = cli.run(&["help", "nothing"]);
    assert_eq!(ran.code, 64, "{ran:?}");
}

#[test]
fn the_first_run_says_where_it_looked_and_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let ran = run(&mut bare(home.path(), &["send", "-t", "a@example.com", "--text", "x"]), "");
    assert_eq!(ran.code, 78, "{ran:?}");
    let own = home.path().join("mailbearer/config.toml");
    let said = format!(
        "mailbearer: no configuration found (looked in {}, /etc/mailbearer/config.toml)\n  Run `mailbearer setup`, or set MAILBEARER_PROVIDER.\n",
        own.display()
    );
    assert_eq!(ran.stderr, said);
}
