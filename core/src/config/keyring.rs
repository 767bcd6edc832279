//! The key of a store in the system's own keyring: libsecret's on Linux and the BSDs, macOS's keychain.
//!
//! By the programs that come with them, `secret-tool` and `security`: a machine without a keyring, or whose keyring
//! waits for somebody to unlock it, gets a sentence.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::crypto::{random, seal};
use crate::error::{Error, Result};
use crate::input::Secret;
use crate::private_file::{self, create_folder};
use crate::text;

/// The key; one is made and kept there if there is none. Processes of a user that begin together take turns by `lock`,
/// a file. `stores` are those that it may be for.
///
/// # Errors
/// `config_invalid` if there is no keyring here, or it does not open.
pub(super) fn key(lock: &Path, stores: &[&Path]) -> Result<Secret> {
    // On a thread of its own: a program that ends early raises SIGPIPE in whoever writes to it.
    std::thread::scope(|scope| scope.spawn(|| find(lock, stores)).join())
        .unwrap_or_else(|_| Err(trouble("could not be asked")))
}

fn find(lock: &Path, stores: &[&Path]) -> Result<Secret> {
    let turn = turn(lock)?;
    let found = find_in_turn(stores);
    // Closing alone would not do if a forked child has a copy of the descriptor.
    let _ = turn.unlock();
    found
}

fn find_in_turn(stores: &[&Path]) -> Result<Secret> {
    let keyring = Keyring::here()?;
    if let Some(found) = keyring.look()? {
        return Ok(found);
    }
    // An unlocking that somebody waved away looks like a keyring without a key; a new one would lock them all out.
    for store in stores {
        let Some(file) = private_file::read(store)? else { continue };
        // What is no token file may be anything: its key is not made anew either.
        if seal::holds_sealed(&file) == Some(false) {
            continue;
        }
        let text = format!("has no key, and {} is encrypted", store.display());
        return Err(trouble(&text).with_hint(
            "Unlock the keyring and try again. If the key is lost, move that file away and sign in again.",
        ));
    }
    let made = Secret::new(STANDARD.encode(random::bytes::<32>()?));
    keyring.keep(&made)?;
    // What it gives is what counts: it may have been told and not have listened.
    match keyring.look()? {
        Some(kept) if kept == made => Ok(kept),
        _ => Err(trouble("does not keep what is written to it")),
    }
}

enum Keyring {
    SecretTool,
    Security,
}

impl Keyring {
    fn here() -> Result<Self> {
        if cfg!(target_os = "macos") {
            return Ok(Self::Security);
        }
        match cfg!(unix) {
            true => Ok(Self::SecretTool),
            false => Err(trouble("is not known on this system")),
        }
    }

    fn look(&self) -> Result<Option<Secret>> {
        let ran = match self {
            Self::SecretTool => {
                run("secret-tool", &["lookup", "application", "mailbearer", "use", "store"], b"")
            }
            Self::Security => {
                run("security", &["find-generic-password", "-s", "mailbearer", "-a", "store", "-w"], b"")
            }
        }?;
        let text = ran.said.trim_end_matches('\n');
        match (ran.good, text.is_empty()) {
            (true, false) => Ok(Some(Secret::new(text))),
            // secret-tool says so by its code alone.
            _ if ran.complaint.is_empty() && ran.code == Some(1) => Ok(None),
            _ if ran.complaint.contains("could not be found") => Ok(None),
            _ => Err(ran.trouble()),
        }
    }

    fn keep(&self, key: &Secret) -> Result<()> {
        let ran = match self {
            Self::SecretTool => {
                let words = [
                    "store",
                    "--label=mailbearer's token store",
                    "application",
                    "mailbearer",
                    "use",
                    "store",
                ];
                run("secret-tool", &words, key.expose().as_bytes())
            }
            Self::Security => {
                // By its input: arguments can be seen by others.
                let order = Zeroizing::new(format!(
                    "add-generic-password -U -s mailbearer -a store -w {}\n",
                    key.expose()
                ));
                run("security", &["-i"], order.as_bytes())
            }
        }?;
        match ran.good {
            true => Ok(()),
            false => Err(ran.trouble()),
        }
    }
}

struct Ran {
    good: bool,
    code: Option<i32>,
    said: Zeroizing<String>,
    complaint: String,
}

impl Ran {
    fn trouble(&self) -> Error {
        match (self.complaint.is_empty(), self.code) {
            (false, _) => trouble(&format!("says: {}", self.complaint)),
            (true, Some(code)) => trouble(&format!("fails with code {code}, and says nothing")),
            (true, None) => trouble("was ended while it was asked"),
        }
    }
}

fn run(program: &str, words: &[&str], input: &[u8]) -> Result<Ran> {
    let mut child = Command::new(program)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| trouble(&format!("cannot be asked: {program}: {e}")))?;
    if let Some(mut pipe) = child.stdin.take() {
        // It may end without reading.
        let _ = pipe.write_all(input);
    }
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(trouble("waits for somebody to unlock it"));
            }
            // Where the host program ignores SIGCHLD.
            Err(e) => return Err(trouble(&format!("cannot be waited for: {e}"))),
        }
    };
    // What they print is far smaller than a pipe holds.
    let mut said = Zeroizing::new(String::new());
    let mut complaint = String::new();
    if let Some(pipe) = child.stdout.take() {
        let _ = pipe.take(LONGEST).read_to_string(&mut said);
    }
    if let Some(pipe) = child.stderr.take() {
        let _ = pipe.take(LONGEST).read_to_string(&mut complaint);
    }
    let complaint = text::one_line(&complaint, 300);
    Ok(Ran { good: status.success(), code: status.code(), said, complaint })
}

/// One process at a time: two would each make a key.
fn turn(path: &Path) -> Result<File> {
    let failed = |e: std::io::Error| trouble(&format!("cannot be locked by {}: {e}", path.display()));
    create_folder(path)?;
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(failed)?;
    let deadline = Instant::now() + 2 * PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(std::fs::TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(trouble("has been busy with another process for too long"));
            }
            Err(std::fs::TryLockError::Error(e)) => return Err(failed(e)),
        }
    }
}

fn trouble(what: &str) -> Error {
    Error::config("store", format!("`store`: the system's keyring {what}")).with_hint(
        "On Linux, install secret-tool (package libsecret-tools) and unlock the keyring. A server seldom has a keyring: use {kind: \"file\"} with a `key` there.",
    )
}

/// The keyring may ask a person for a password: how long that may take.
const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST: u64 = 16 * 1024;
