//! `mailbearer emulator`: the sign-in service and the mail server for tests, in this process.

use std::ffi::OsString;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use mailbearer::blocking;
use mailbearer_emulator::{self as emulator, Emulator};
use serde_json::{Map, Value, json};

use crate::arguments::{self, Dialect};
use crate::exit;
use crate::failure::{Failure, Result};
use crate::interrupt::Signals;
use crate::output::Output;

pub(super) fn run(arguments: arguments::Emulator, output: Output) -> Result<i32> {
    if arguments.env && !arguments.background && !output.json {
        return in_background(output);
    }
    let dialect = match arguments.dialect {
        Dialect::Microsoft => emulator::Dialect::Microsoft,
        Dialect::Google => emulator::Dialect::Google,
    };
    let grant = arguments.grant.as_deref().unwrap_or(match arguments.dialect {
        Dialect::Microsoft => "client_credentials",
        Dialect::Google => "refresh_token",
    });
    let options = emulator::Options {
        dialect,
        listen: arguments.listen,
        hostname: arguments.hostname.clone(),
        ports: emulator::Ports {
            page: arguments.page_port,
            sign_in: arguments.sign_in_port,
            smtp: arguments.smtp_port,
            smtps: arguments.smtps_port,
        },
        ..emulator::Options::default()
    };
    let emulator =
        Emulator::start(options).map_err(|e| Failure::Child(format!("cannot start the emulator: {e}")))?;
    let mut environ =
        emulator.environ(grant, &arguments.username).map_err(|text| Failure::Usage(text, ""))?;
    // Sign-ins at the emulator are no use to anybody later: they stay out of the user's own store.
    let place = tempfile::tempdir().map_err(|e| Failure::output(std::env::temp_dir(), &e))?;
    let store = json!({ "kind": "file", "path": place.path().join("tokens.json") });
    environ.push(("MAILBEARER_STORE".to_owned(), store.to_string()));
    // The user's own configuration does not mix with these options.
    environ.push(("MAILBEARER_CONFIG".to_owned(), NOTHING.to_owned()));
    environ.push((URL.to_owned(), emulator.url().to_owned()));
    if arguments.listen.is_some_and(|address| !address.is_loopback()) {
        output.note("mailbearer: the emulator has no passwords: whoever reaches it reads its messages");
    }
    if !arguments.child.is_empty() {
        output.note(&format!("mailbearer: the emulator's page is {}", emulator.url()));
        return with_child(&arguments.child, &environ);
    }
    if arguments.background {
        environ.push((PID.to_owned(), std::process::id().to_string()));
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
            () = end_of_input(), if !arguments.background => {}
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
         To use it: mailbearer emulator -- COMMAND, or in a shell: eval \"$(mailbearer emulator --env)\".\n\
         It ends with its standard input (Ctrl-D) or with Ctrl-C.",
        emulator.authority(),
        emulator.smtp_port(),
        emulator.smtps_port(),
        emulator.ca_file().display(),
    )
}

/// Starts the same command again as a process that goes on by itself, and shows what it prints: a shell that
/// evaluates our output waits for our end.
fn in_background(output: Output) -> Result<i32> {
    let cannot = |e: &dyn std::fmt::Display| Failure::Child(format!("cannot go on in the background: {e}"));
    // The words of this process, not those of the command: before them may stand `python -m`.
    let mut words = std::env::args_os();
    let program = words.next().filter(|_| std::env::var_os(AGAIN).is_none());
    let mut command = std::process::Command::new(program.ok_or_else(|| cannot(&"how is not known here"))?);
    command.args(words).arg("--background").env(AGAIN, "1");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Ctrl-C at the shell is not meant for it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(|e| cannot(&e))?;
    let mut lines = Vec::new();
    for line in child.stdout.take().into_iter().flat_map(|stdout| io::BufReader::new(stdout).lines()) {
        lines.push(line.map_err(|e| cannot(&e))?);
        if lines.last().is_some_and(|line| line.starts_with(&format!("export {PID}="))) {
            output.data(&lines.join("\n"))?;
            return Ok(exit::OK);
        }
    }
    let ended = child.wait_with_output().map_err(|e| cannot(&e))?;
    output.note(String::from_utf8_lossy(&ended.stderr).trim_end());
    Ok(code_of(ended.status))
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
    [
        "PROFILE",
        "PROVIDER",
        "CLOUD",
        "USERNAME",
        "FROM",
        "AUTH",
        "SMTP",
        "TLS",
        "STORE",
        "EMULATOR_BACKGROUND",
    ]
    .contains(&first)
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

/// Where the page is, for a program that runs under the emulator.
const URL: &str = "MAILBEARER_EMULATOR_URL";

/// Whom to end: `kill $MAILBEARER_EMULATOR_PID`. The last line of `--env`.
const PID: &str = "MAILBEARER_EMULATOR_PID";

/// Set for the process in the background, which starts no other.
const AGAIN: &str = "MAILBEARER_EMULATOR_BACKGROUND";

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
