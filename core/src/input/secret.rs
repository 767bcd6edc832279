//! Secrets: a type that cannot be printed, and the places one may be read from.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use tokio::io::AsyncReadExt;
use zeroize::Zeroizing;

use super::environment::Variable;
use crate::error::{Error, Result};

/// A secret text: wiped when the last of its clones is dropped, which share it; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(Zeroizing::new(text.into())))
    }

    /// Whether it shares its text with `other`.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The secret itself: only for the wire and for callers who ask for it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Where a secret stands: in the options, or `{env}`, `{file}`, `{command}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// The secret itself.
    Value(Secret),
    /// An environment variable, read at every use.
    Env(Variable),
    /// A file, read at every use; a byte order mark, and line ends and blanks behind, are cut.
    File(PathBuf),
    /// A program and its arguments; its standard output is the secret.
    Command(Vec<String>),
}

impl SecretSource {
    /// Checks at construction that the secret is there, without keeping it. Commands are not run.
    ///
    /// # Errors
    /// `config_invalid` naming `field`.
    pub fn check(&self, field: &str) -> Result<()> {
        match self {
            Self::Value(secret) if secret.expose().is_empty() => {
                Err(Error::config(field, format!("`{field}` is empty")))
            }
            Self::Command(words) if words.is_empty() => {
                Err(Error::config(field, format!("`{field}.command` is empty")))
            }
            Self::Value(_) | Self::Command(_) => Ok(()),
            Self::Env(_) | Self::File(_) => self.read_now(field).map(|_| ()),
        }
    }

    /// As [`check`](Self::check), for a password of a file, which may be empty.
    pub(crate) fn check_password(&self, field: &str) -> Result<()> {
        match self {
            Self::Command(_) => self.check(field),
            _ => self.read_password_now(field).map(|_| ()),
        }
    }

    /// As [`read`](Self::read), for a password of a file, which may be empty.
    pub(crate) async fn read_password(&self, field: &str) -> Result<Secret> {
        match self {
            Self::Env(variable) => {
                cleaned(value_of(variable, variable.current().await, field)?.into_bytes(), field)
            }
            Self::Command(_) => self.read(field).await,
            _ => self.read_password_now(field),
        }
    }

    pub(crate) fn read_password_now(&self, field: &str) -> Result<Secret> {
        match self {
            Self::Value(secret) => Ok(secret.clone()),
            Self::Env(variable) => cleaned(value_of(variable, variable.get(), field)?.into_bytes(), field),
            Self::File(path) => cleaned(std::fs::read(path).map_err(|e| unreadable(field, path, &e))?, field),
            Self::Command(_) => self.read_now(field),
        }
    }

    /// Reads the secret as it is now.
    ///
    /// # Errors
    /// `config_invalid` naming `field` and the place, never the content.
    pub async fn read(&self, field: &str) -> Result<Secret> {
        match self {
            Self::Command(words) => run(words, field, COMMAND_TIME).await,
            Self::Env(variable) => {
                filled(value_of(variable, variable.current().await, field)?.into_bytes(), field)
            }
            _ => self.read_now(field),
        }
    }

    /// Reads a value that need not be text: the octets of a file stay as they are.
    pub(crate) async fn read_octets(&self, field: &str) -> Result<Zeroizing<Vec<u8>>> {
        match self {
            Self::Command(_) | Self::Env(_) => self.read(field).await.map(octets),
            _ => self.read_octets_now(field),
        }
    }

    pub(crate) fn read_octets_now(&self, field: &str) -> Result<Zeroizing<Vec<u8>>> {
        match self {
            Self::File(path) => {
                std::fs::read(path).map(Zeroizing::new).map_err(|e| unreadable(field, path, &e))
            }
            _ => self.read_now(field).map(octets),
        }
    }

    pub(crate) fn read_now(&self, field: &str) -> Result<Secret> {
        let octets = match self {
            Self::Value(secret) => return Ok(secret.clone()),
            Self::Env(variable) => value_of(variable, variable.get(), field)?.into_bytes(),
            Self::File(path) => std::fs::read(path).map_err(|e| unreadable(field, path, &e))?,
            Self::Command(_) => Vec::new(),
        };
        filled(octets, field)
    }
}

fn value_of(variable: &Variable, value: Option<String>, field: &str) -> Result<String> {
    let name = variable.name();
    value.ok_or_else(|| {
        Error::config(field, format!("`{field}`: the environment variable {name} is not set"))
            .with_hint(format!("Set {name} in the environment of this program."))
    })
}

fn octets(text: Secret) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.expose().as_bytes().to_vec())
}

fn unreadable(field: &str, path: &Path, error: &std::io::Error) -> Error {
    let path = path.display();
    Error::config(field, format!("`{field}`: cannot read the file {path}: {error}"))
        .with_hint("Check the path, and whether the user of this program may read the file.")
}

/// The secret in what was read: not empty.
fn filled(octets: Vec<u8>, field: &str) -> Result<Secret> {
    let secret = cleaned(octets, field)?;
    match secret.expose().is_empty() {
        true => Err(Error::config(field, format!("`{field}` is empty"))),
        false => Ok(secret),
    }
}

/// Without what editors add: a byte order mark in front, line ends and blanks behind. Keys and JSON have lines, and other
/// secrets are one (RFC 6749 appendix A.2).
fn cleaned(octets: Vec<u8>, field: &str) -> Result<Secret> {
    let octets = Zeroizing::new(octets);
    let wrong = |what: &str| Error::config(field, format!("`{field}` {what}"));
    if octets.starts_with(&[0xff, 0xfe]) || octets.starts_with(&[0xfe, 0xff]) {
        return Err(
            wrong("is written in UTF-16").with_hint("Save it as UTF-8, or as plain text without formats.")
        );
    }
    // A PEM may have remarks in any encoding.
    let pem = octets.windows(11).any(|found| found == b"-----BEGIN ");
    let text = match std::str::from_utf8(&octets) {
        Ok(text) => Zeroizing::new(text.to_owned()),
        Err(_) if pem => Zeroizing::new(octets.iter().map(|octet| char::from(*octet)).collect()),
        Err(_) => return Err(wrong("is not UTF-8")),
    };
    let text = text.trim_start_matches('\u{feff}').trim_end_matches([' ', '\t', '\r', '\n']);
    let lines = pem || text.trim_start().starts_with('{');
    let control = text.chars().find(|c| c.is_control() && !(lines && ['\n', '\r', '\t'].contains(c)));
    match control {
        Some('\n' | '\r') => {
            Err(wrong("has several lines").with_hint("A secret is one line: what else is in it?"))
        }
        Some(c) => Err(wrong(&format!("has a control character (U+{:04X})", u32::from(c)))),
        None => Ok(Secret::new(text)),
    }
}

/// Runs a program; its standard output is the secret.
///
/// # Errors
/// `config_invalid` naming `field`, without what it printed.
pub(crate) async fn run(words: &[String], field: &str, limit: Duration) -> Result<Secret> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Error::config(field, format!("`{field}.command` is empty")));
    };
    let failed = |what: String| Error::config(field, format!("`{field}`: command {program}: {what}"));
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| {
            failed(e.to_string()).with_hint("Check the program's path, and whether this user may run it.")
        })?;
    let said = child.stdout.take();
    let ended = async {
        let mut octets = Zeroizing::new(Vec::new());
        if let Some(said) = said {
            said.take(LONGEST_OUTPUT + 1).read_to_end(&mut octets).await?;
        }
        // Whoever goes on writing is ended when its pipe is closed.
        let status = match child.wait().await {
            Ok(status) => Some(status),
            // A parent that ignores SIGCHLD leaves its children nothing to wait for: what was said counts.
            Err(e) if e.raw_os_error() == Some(NO_CHILD) => None,
            Err(e) => return Err(e),
        };
        Ok::<_, std::io::Error>((octets, status))
    };
    let (octets, status) = tokio::time::timeout(limit, ended)
        .await
        .map_err(|_| failed(format!("no answer within {} s", limit.as_secs_f64())))?
        .map_err(|e| failed(e.to_string()))?;
    if octets.len() as u64 > LONGEST_OUTPUT {
        return Err(failed(format!("its output is longer than {LONGEST_OUTPUT} octets")));
    }
    if let Some(status) = status.filter(|status| !status.success()) {
        return Err(
            failed(format!("ended with {status}")).with_hint("Run the command by hand, as this user.")
        );
    }
    filled(octets.to_vec(), field).map_err(|error| {
        let told = error.message().replace(&format!("`{field}` "), "its output ");
        failed(told)
    })
}

/// ECHILD, of Linux, macOS and the BSDs.
const NO_CHILD: i32 = 10;

const LONGEST_OUTPUT: u64 = 64 * 1024;

/// How long a program, or the host's function, may take that brings a secret; a claim of a stored sign-in counts on it.
pub(crate) const COMMAND_TIME: Duration = Duration::from_secs(30);

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Reference {
            env: Option<String>,
            file: Option<PathBuf>,
            command: Option<Vec<String>>,
        }
        // Not an untagged enum: its error would echo the value.
        let value = serde_json::Value::deserialize(de)?;
        if let serde_json::Value::String(text) = value {
            return Ok(Self::Value(Secret::new(text)));
        }
        let sentence = "a secret is a string, {env}, {file} or {command}";
        let reference: Reference = serde_json::from_value(value).map_err(|_| de::Error::custom(sentence))?;
        match (reference.env, reference.file, reference.command) {
            (Some(name), None, None) => Ok(Self::Env(Variable::new(name))),
            (None, Some(path), None) => Ok(Self::File(path)),
            (None, None, Some(words)) => Ok(Self::Command(words)),
            _ => Err(de::Error::custom(sentence)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_editors_add_is_no_part_of_a_secret() {
        let read = |octets: &[u8]| filled(octets.to_vec(), "auth.client_secret");
        for octets in [
            &b"s3cret"[..],
            b"s3cret\n",
            b"s3cret\r\n",
            b"s3cret \n\n",
            b"\xef\xbb\xbfs3cret\r\n",
            b"s3cret\t",
        ] {
            assert_eq!(read(octets).unwrap().expose(), "s3cret", "{octets:?}");
        }
        let pem = "-----BEGIN X-----\nYQ==\n-----END X-----";
        assert_eq!(read(format!("{pem}\n").as_bytes()).unwrap().expose(), pem);
        assert_eq!(read(b"{\n  \"a\": 1\n}\n").unwrap().expose(), "{\n  \"a\": 1\n}");
        for (octets, says) in [
            (&b"\xff\xfes\0"[..], "UTF-16"),
            (b"hunter\xfc", "not UTF-8"),
            (b"hunter2\nhunter2", "several lines"),
            (b"hunter2\x00", "U+0000"),
            (b" \n", "is empty"),
            (b"\xef\xbb\xbf", "is empty"),
        ] {
            let error = read(octets).unwrap_err();
            assert!(error.message().contains(says) && !format!("{error:?}").contains("hunter"), "{error}");
        }
        assert_eq!(cleaned(b"\n".to_vec(), "auth.certificate.password").unwrap().expose(), "");
    }
}
