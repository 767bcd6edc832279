//! `store`: where tokens are kept.

use std::path::PathBuf;

use super::surroundings::Surroundings;
use crate::config::keyring;
use crate::config::options::{Options, StoreOptions};
use crate::error::{Error, Result};
use crate::input::{Secret, SecretSource};
use crate::net::server_url::ServerUrl;
use crate::text;

/// Where tokens are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreSettings {
    /// Forgotten with the process.
    Memory,
    /// This file, and what its entries are encrypted with.
    File(PathBuf, Option<Secret>),
    /// This Redis server, and the same.
    Redis(ServerUrl, Option<Secret>),
}

impl StoreSettings {
    /// What seals entries and saved sign-ins.
    pub(crate) fn key(&self) -> Option<&Secret> {
        match self {
            Self::Memory => None,
            Self::File(_, key) | Self::Redis(_, key) => key.as_ref(),
        }
    }

    /// The place in words, without a password: `memory`, the file's path, the server's address.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Memory => "memory".to_owned(),
            Self::File(path, _) => path.display().to_string(),
            Self::Redis(url, _) => format!("Redis at {}", url.place()),
        }
    }
}

/// Checks it. A person's sign-in (`delegated`) outlives the process where nothing is said, if the options do.
///
/// # Errors
/// `config_invalid`.
pub(super) fn read(options: &Options, delegated: bool, around: &Surroundings) -> Result<StoreSettings> {
    let file = |path: &Option<PathBuf>| path.clone().map_or_else(default_store, Ok);
    match &options.store {
        Some(StoreOptions::Memory) => Ok(StoreSettings::Memory),
        Some(StoreOptions::File { path, key }) => Ok(StoreSettings::File(file(path)?, store_key(key)?)),
        Some(StoreOptions::Keyring { path }) => {
            let path = file(path)?;
            let usual = default_store()?;
            let key = keyring::key(&usual.with_file_name("keyring.lock"), &[&path, &usual])?;
            Ok(StoreSettings::File(path, Some(key)))
        }
        Some(StoreOptions::Redis { url, key }) => {
            Ok(StoreSettings::Redis(redis_url("store.url", url)?, store_key(key)?))
        }
        None if delegated && around.persistent && !around.store => {
            Ok(StoreSettings::File(file(&None)?, None))
        }
        None => Ok(StoreSettings::Memory),
    }
}

fn store_key(source: &Option<SecretSource>) -> Result<Option<Secret>> {
    const FIELD: &str = "store.key";
    let Some(source) = source else { return Ok(None) };
    let hint = "Make a key with `openssl rand -base64 32`, and keep it where only this program can read it: {file} or {env}.";
    if matches!(source, SecretSource::Command(_)) {
        return Err(Error::config(FIELD, format!("`{FIELD}` cannot come from a command")).with_hint(hint));
    }
    let key = source.read_now(FIELD)?;
    if key.expose().len() < 24 {
        return Err(Error::config(FIELD, format!("`{FIELD}` is shorter than 24 characters")).with_hint(hint));
    }
    Ok(Some(key))
}

/// `$XDG_STATE_HOME/mailbearer/tokens.json`, else below `~/.local/state`.
fn default_store() -> Result<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(".local/state")));
    state.map(|state| state.join("mailbearer/tokens.json")).ok_or_else(|| {
        Error::config("store.path", "this user has no home folder to keep tokens in")
            .with_hint("Set store.path to a file that only this user may read.")
    })
}

/// Reads the URL of a Redis server.
///
/// # Errors
/// `config_invalid`, naming `field`.
pub(super) fn redis_url(field: &str, url: &SecretSource) -> Result<ServerUrl> {
    let url = ServerUrl::read(field, url, &[("redis", 6379), ("rediss", 6379), ("unix", 0)])?;
    if url.scheme != "unix" && !url.path.is_empty() && url.path.parse::<u16>().is_err() {
        return Err(Error::config(
            field,
            format!("`{field}`: a database is a number, not {}", text::shown(&url.path, 60)),
        ));
    }
    Ok(url)
}
