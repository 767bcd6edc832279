//! `mailbearer emulator`: the sign-in service and the mail server for tests, in this process.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitStatus;

use mailbearer::blocking;
use mailbearer_emulator::{self as emulator, Emulator};
use serde_json::{Map, Value, json};

use crate::arguments::{self, Dialect};
use crate::exit;
use crate::failure::{Failure, Result};
use crate::interrupt::Signals;
use crate::output::Output;

pub(super) fn run(arguments: arguments::Emulator, output: Output) -> Result<i32> {
    let dialect = match arguments.dialect {
        Dialect::Microsoft => emulator::Dialect::Microsoft,
        Dialect::Google => emulator::Dialect::Google,
    };
    let grant = arguments.grant.as_deref().unwrap_or(match arguments.dialect {
        Dialect::Microsoft => "client_credentials",
        Dialect::Google => "refresh_token",
    });
    let emulator = Emulator::start(emulator::Options { dialect, ..emulator::Options::default() })
        .map_err(|e| Failure::Child(format!("cannot start the emulator: {e}")))?;
    let mut environ =
        emulator.environ(grant, &arguments.username).map_err(|text| Failure::Usage(text, ""))?;
    // Sign-ins at the emulator are no use to anybody later: they stay out of the user's own store.
    let place = tempfile::tempdir().map_err(|e| Failure::output(std::env::temp_dir(), &e))?;
    let store = json!({ "kind": "file", "path": place.path().join("tokens.json") });
    environ.push(("MAILBEARER_STORE".to_owned(), store.to_string()));
    // The user's own configuration does not mix with these options.
    environ.push(("MAILBEARER_CONFIG".to_owned(), NOTHING.to_owned()));
    if !arguments.child.is_empty() {
        return with_child(&arguments.child, &environ);
    }
    let shown = match (output.json, arguments.env) {
        (true, _) => {
            let settings =
                emulator.settings(grant, &arguments.username).map_err(|text| Failure::Usage(text, ""))?;
            described(&emulator, &environ, &settings).to_string()
        }
        (false, true) => {
            let line = |(name, value): &(String, String)| format!("export {name}={}", quoted(value));
            environ.iter().map(line).collect::<Vec<_>>().join("\n")
        }
        (false, false) => introduction(&emulator),
    };
    blocking::block_on(async {
        // Whoever has read what is shown may end us from then on.
        let mut signals = Signals::listen();
        output.data(&shown)?;
        tokio::select! {
            () = end_of_input() => {}
            () = signals.next() => {}
        }
        Ok(exit::OK)
    })?
}

fn described(emulator: &Emulator, environ: &[(String, String)], settings: &Value) -> Value {
    let environ: Map<_, _> = environ.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "url": emulator.url(),
        "authority": emulator.authority(),
        "smtp_host": emulator.smtp_host(),
        "smtp_port": emulator.smtp_port(),
        "smtps_port": emulator.smtps_port(),
        "ca_file": emulator.ca_file(),
        "settings": settings,
        "environ": environ,
    })
}

fn introduction(emulator: &Emulator) -> String {
    let (url, host) = (emulator.url(), emulator.smtp_host());
    format!(
        "page and messages  {url}\n\
         sign-in service    {}\n\
         SMTP, STARTTLS     {host}:{}\n\
         SMTP, TLS          {host}:{}\n\
         authorities (CA)   {}\n\n\
         To use it: mailbearer emulator -- COMMAND, or --env for a shell, or --json for a program.\n\
         It ends with its standard input (Ctrl-D) or with Ctrl-C.",
        emulator.authority(),
        emulator.smtp_port(),
        emulator.smtps_port(),
        emulator.ca_file().display(),
    )
}

/// Runs the command with the options in its environment, and gives its exit code. Ctrl-C reaches the
/// command by itself; it alone decides what to make of it.
fn with_child(words: &[OsString], environ: &[(String, String)]) -> Result<i32> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Failure::Usage("no command to run".into(), ""));
    };
    let mut command = tokio::process::Command::new(program);
    command.args(arguments);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_option) {
            command.env_remove(&name);
        }
    }
    command.envs(environ.iter().map(|(name, value)| (name, value)));
    let shown = Path::new(program).display();
    let status = blocking::block_on(async {
        let mut signals = Signals::listen();
        let mut child = command.spawn()?;
        loop {
            tokio::select! {
                status = child.wait() => return status,
                // From a terminal the command got the same signal.
                () = signals.next() => {}
            }
        }
    })?;
    let status = status.map_err(|e| Failure::Child(format!("cannot run {shown}: {e}")))?;
    Ok(code_of(status))
}

/// Variables that name an option which the emulator's own would contradict; others are the command's
/// business.
fn is_option(name: &str) -> bool {
    let Some(name) = name.strip_prefix("MAILBEARER_") else { return false };
    let first = name.split("__").next().unwrap_or_default();
    ["PROFILE", "PROVIDER", "CLOUD", "USERNAME", "FROM", "AUTH", "SMTP", "TLS", "STORE"].contains(&first)
}

/// As a shell has it: 128 and the signal's number for a command that a signal ended.
fn code_of(status: ExitStatus) -> i32 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return 128 + signal;
    }
    status.code().unwrap_or(exit::INTERNAL)
}

async fn end_of_input() {
    let (ended, end) = tokio::sync::oneshot::channel();
    let wait = move || {
        let mut buffer = [0; 4096];
        let mut input = io::stdin().lock();
        loop {
            match input.read(&mut buffer) {
                Ok(0) => break,
                Err(error) if error.kind() != io::ErrorKind::Interrupted => break,
                _ => {}
            }
        }
        // Nobody waits any more if a signal came first.
        let _ = ended.send(());
    };
    match std::thread::Builder::new().name("mailbearer-stdin".into()).spawn(wait) {
        Ok(_) => {
            let _ = end.await;
        }
        Err(_) => std::future::pending().await,
    }
}

/// For a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A configuration file without anything in it.
const NOTHING: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        assert_eq!(quoted("it's {\"a\": $b}"), "'it'\\''s {\"a\": $b}'");
    }

    #[test]
    fn only_contradicting_options_are_taken_from_the_command() {
        assert!(is_option("MAILBEARER_AUTH__CLIENT_ID") && is_option("MAILBEARER_PROFILE"));
        assert!(!is_option("MAILBEARER_TEST_PYTHON") && !is_option("PATH"));
    }
}
