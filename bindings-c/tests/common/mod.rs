//! An installed copy of the library, and C programs compiled against it as a user would.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "these are tests")]

pub(crate) mod proxy;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use mailbearer_emulator::{DEFAULT_USERNAME, Emulator, Options};

/// No test program may take longer.
const PATIENCE: Duration = Duration::from_secs(90);

/// Where the library lies as `make install` lays it down; made once for all tests of one build.
pub(crate) fn prefix() -> PathBuf {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let prefix = scratch.join("c-prefix");
    let lock = File::create(scratch.join("c-prefix.lock")).unwrap();
    lock.lock().unwrap();
    let stamp: Vec<_> = [built().join("libmailbearer_c.so"), built().join("libmailbearer_c.a")]
        .into_iter()
        .chain(
            ["install.sh", "mailbearer.pc.in", "cmake", "../include/mailbearer.h"]
                .map(|name| here().join(name)),
        )
        .map(|path| (fs::metadata(&path).unwrap().modified().unwrap(), path))
        .collect();
    let stamp = format!("{stamp:?}");
    let kept = prefix.join("stamp");
    if fs::read_to_string(&kept).ok().as_deref() != Some(&stamp) {
        install(&prefix, "lib");
        fs::write(kept, stamp).unwrap();
    }
    prefix
}

/// Runs `install.sh`.
pub(crate) fn install(prefix: &Path, libdir: &str) {
    if prefix.exists() {
        fs::remove_dir_all(prefix).unwrap();
    }
    let output = Command::new(here().join("install.sh"))
        .envs([("PREFIX", prefix), ("FROM", &built()), ("LIBDIR", Path::new(libdir))])
        .env_remove("DESTDIR")
        .output()
        .unwrap();
    succeeded(&output);
}

/// The folder of the shared and the static library: cargo puts them beside the test programs.
pub(crate) fn built() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    this.parent().unwrap().to_owned()
}

pub(crate) fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What pkg-config says of the installed library.
pub(crate) fn pkg_config(prefix: &Path, arguments: &[&str]) -> Vec<String> {
    let output = Command::new("pkg-config")
        .args(arguments)
        .arg("mailbearer")
        .env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"))
        .output()
        .unwrap();
    succeeded(&output);
    String::from_utf8(output.stdout).unwrap().split_whitespace().map(str::to_owned).collect()
}

/// A C program, compiled with every warning an error.
pub(crate) fn compile(source: &str) -> PathBuf {
    let prefix = prefix();
    let name = source.replace(['/', '.'], "-");
    // Tests run side by side, and two may use the same source.
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("{name}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let flags = pkg_config(&prefix, &["--cflags", "--libs"]);
    let output = Command::new("cc")
        .args(["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-g", "-D_POSIX_C_SOURCE=200809L"])
        .arg(here().join(source))
        .arg("-o")
        .arg(&program)
        .args(flags)
        .arg(format!("-Wl,-rpath,{}", prefix.join("lib").display()))
        .arg("-pthread")
        .output()
        .unwrap();
    succeeded(&output);
    program
}

/// A compiled program, removed with its runs.
pub(crate) struct Program {
    path: PathBuf,
    environment: Vec<(String, String)>,
}

impl Program {
    pub(crate) fn new(source: &str) -> Self {
        Self { path: compile(source), environment: Vec::new() }
    }

    /// Gives it the emulator's settings for `grant`.
    pub(crate) fn with(mut self, emulator: &Emulator, grant: &str) -> Self {
        self.environment.extend(emulator.environ(grant, DEFAULT_USERNAME).unwrap());
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs it to its end; it must succeed. Gives its standard output.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        self.start(arguments).end()
    }

    /// Runs it under another program, such as valgrind.
    pub(crate) fn run_under(&self, wrapper: &[&str], arguments: &[&str]) -> String {
        let mut command = Command::new(wrapper[0]);
        command.args(&wrapper[1..]).arg(&self.path).args(arguments);
        self.launch(command).end()
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let mut command = Command::new(&self.path);
        command.args(arguments);
        self.launch(command)
    }

    fn launch(&self, mut command: Command) -> Running {
        let inherited = std::env::vars().filter(|(name, _)| name.starts_with("MAILBEARER_"));
        inherited.for_each(|(name, _)| {
            command.env_remove(name);
        });
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        // A Rust program ignores SIGPIPE; its child is a C program with the signal as it is by default.
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (line, lines) = mpsc::channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|text| line.send(text)));
        let mut err = child.stderr.take().unwrap();
        let errors = std::thread::spawn(move || {
            let mut said = String::new();
            let _ = err.read_to_string(&mut said);
            said
        });
        Running { child, lines, errors: Some(errors), until: Instant::now() + PATIENCE }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// A program that runs; killed if it is dropped while it does.
pub(crate) struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
    errors: Option<std::thread::JoinHandle<String>>,
    until: Instant,
}

impl Running {
    /// Its next line.
    pub(crate) fn line(&mut self) -> String {
        let left = self.until.saturating_duration_since(Instant::now());
        self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("no line: {}", self.said()))
    }

    /// Says something to it.
    pub(crate) fn say(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
    }

    /// Its remaining output; it must end by itself, and well.
    pub(crate) fn end(mut self) -> String {
        drop(self.child.stdin.take());
        let mut out = String::new();
        while Instant::now() < self.until {
            while let Ok(line) = self.lines.recv_timeout(Duration::from_millis(20)) {
                out.push_str(&line);
                out.push('\n');
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                out.extend(self.lines.iter().map(|line| line + "\n"));
                assert!(status.success(), "{status}\n{out}{}", self.said());
                return out;
            }
        }
        panic!("still running after {PATIENCE:?}: {}", self.said());
    }

    fn said(&mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.errors.take().map(|errors| errors.join().unwrap()).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn emulator() -> Emulator {
    Emulator::start(Options::default()).unwrap()
}

pub(crate) fn succeeded(output: &Output) {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    assert!(output.status.success(), "{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr));
}

/// Whether a tool is there; says so if it is not.
pub(crate) fn has(tool: &str) -> bool {
    let there = Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("skipped: {tool} is not installed");
    }
    there
}
