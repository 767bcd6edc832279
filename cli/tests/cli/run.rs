//! Runs the binary, away from the environment and the home of whoever runs the tests.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use mailbearer_cli::emulator::{DEFAULT_USERNAME, Emulator, Options};
use serde_json::Value;
use tempfile::TempDir;

/// The binary with a home of its own, an emulator, and the options for it in the environment.
pub(crate) struct Cli {
    pub(crate) emulator: Emulator,
    pub(crate) home: TempDir,
    environ: Vec<(String, String)>,
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Cli {
    pub(crate) fn new() -> Self {
        Self::with("client_credentials", Options::default())
    }

    pub(crate) fn with(grant: &str, options: Options) -> Self {
        let emulator = Emulator::start(options).unwrap();
        let environ = emulator.environ(grant, DEFAULT_USERNAME).unwrap();
        Self { emulator, home: tempfile::tempdir().unwrap(), environ }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare(self.home.path(), arguments);
        command.envs(self.environ.iter().map(|(name, value)| (name, value)));
        command
    }

    /// With where the services are, and nothing else.
    pub(crate) fn placed(&self, arguments: &[&str]) -> Command {
        let mut command = bare(self.home.path(), arguments);
        let places = ["MAILBEARER_SMTP__", "MAILBEARER_TLS__", "MAILBEARER_AUTH__AUTHORITY"];
        let is_place = |name: &str| places.iter().any(|place| name.starts_with(place));
        command
            .envs(self.environ.iter().filter(|(name, _)| is_place(name)).map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command(arguments), "")
    }

    pub(crate) fn pipe(&self, arguments: &[&str], input: &str) -> Ran {
        run(&mut self.command(arguments), input)
    }

    /// The octets of the only message that arrived.
    pub(crate) fn only_message(&self) -> String {
        let messages = self.emulator.messages();
        assert_eq!(messages.len(), 1);
        String::from_utf8(messages[0].raw.clone()).unwrap()
    }
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e} in {self:?}"))
    }

    pub(crate) fn error(&self) -> Value {
        serde_json::from_str(&self.stderr).unwrap_or_else(|e| panic!("{e} in {self:?}"))
    }
}

/// The binary without any options.
pub(crate) fn bare(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailbearer"));
    command
        .args(arguments)
        .current_dir(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MAILBEARER_") {
            command.env_remove(name);
        }
    }
    for name in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"] {
        command.env(name, home);
    }
    command
}

pub(crate) fn run(command: &mut Command, input: &str) -> Ran {
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // A command that does not read its input may end first.
    std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    end(child)
}

/// Waits for the end, for a minute at most.
pub(crate) fn end(child: Child) -> Ran {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let output: Output = receiver.recv_timeout(Duration::from_secs(60)).expect("the command hangs").unwrap();
    Ran {
        code: output.status.code().expect("ended by a signal"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
