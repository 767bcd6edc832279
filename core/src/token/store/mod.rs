//! Where tokens are kept: a compare-and-swap on a version, whatever the place.
//!
//! A key is text: `authority|client_id|principal|scopes`. The principal is the signed-in name in lower
//! case; it is empty for `client_credentials`, so that all mailboxes of an application share a token.

pub(crate) mod file;
mod host;
mod memory;
pub(crate) mod redis;

use self::file::FileStore;
use self::redis::RedisStore;
use super::entry::Entry;
use crate::config::{AuthSettings, Grant};
use crate::error::Result;
use crate::host::TokenStore;
use crate::text;

pub(crate) use self::memory::MemoryStore;

/// A place where tokens are kept.
pub(crate) enum Store<'a> {
    /// Forgotten with the process.
    Memory(&'a MemoryStore),
    /// A file that processes share.
    File(FileStore),
    /// A server that hosts share.
    Redis(RedisStore),
    /// The host program's own.
    Host(&'a dyn TokenStore),
}

/// An entry and its version.
#[derive(Clone)]
pub(crate) struct Versioned {
    pub(crate) entry: Entry,
    pub(crate) version: u64,
}

impl Store<'_> {
    /// The entry of `key`.
    ///
    /// # Errors
    /// `store_failed`.
    pub(crate) async fn load(&self, key: &EntryKey) -> Result<Option<Versioned>> {
        match self {
            Self::Memory(store) => Ok(store.load(&key.text())),
            Self::File(store) => store.load(&key.text()).await,
            Self::Redis(store) => store.load(&key.text()).await,
            Self::Host(store) => host::load(*store, &key.text()).await,
        }
    }

    /// Writes (`None` removes) if the version is still `expected`; tells whether it was.
    ///
    /// # Errors
    /// `store_failed`.
    pub(crate) async fn save(
        &self,
        key: &EntryKey,
        entry: Option<&Entry>,
        expected: Option<u64>,
    ) -> Result<bool> {
        match self {
            Self::Memory(store) => Ok(store.save(&key.text(), entry, expected)),
            Self::File(store) => store.save(&key.text(), entry, expected).await,
            Self::Redis(store) => store.save(&key.text(), entry, expected).await,
            Self::Host(store) => host::save(*store, &key.text(), entry, expected).await,
        }
    }

    /// Keeps a list of principals where the place cannot be searched. Called after a sign-in and a
    /// sign-out.
    ///
    /// # Errors
    /// `store_failed`.
    pub(crate) async fn enlist(&self, key: &EntryKey, present: bool) -> Result<()> {
        match self {
            Self::Memory(_) | Self::File(_) | Self::Redis(_) => Ok(()),
            Self::Host(store) => host::enlist(*store, key, present).await,
        }
    }

    /// The principals that have an entry under `key`'s authority, client and scopes.
    ///
    /// # Errors
    /// `store_failed`.
    pub(crate) async fn principals(&self, key: &EntryKey) -> Result<Vec<String>> {
        let keys = match self {
            Self::Memory(store) => store.keys(),
            Self::File(store) => store.keys().await?,
            Self::Redis(store) => store.keys().await?,
            Self::Host(store) => return host::principals(*store, key).await,
        };
        Ok(keys.iter().filter_map(|text| key.principal_in(text)).collect())
    }
}

/// What an entry is kept under.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Default))]
pub(crate) struct EntryKey {
    authority: String,
    client_id: String,
    /// Empty for `client_credentials`.
    pub(crate) principal: String,
    scopes: String,
}

impl EntryKey {
    pub(crate) fn new(auth: &AuthSettings, principal: &str) -> Self {
        let mut scopes: Vec<&str> = auth.scopes.iter().map(String::as_str).collect();
        scopes.sort_unstable();
        Self {
            authority: part(&auth.authority),
            client_id: part(auth.client_id()),
            principal: part(&principal.to_lowercase()),
            scopes: part(&scopes.join(" ")),
        }
    }

    /// An application's own: a service account's token is for one mailbox, others serve all.
    pub(crate) fn of_application(auth: &AuthSettings) -> Self {
        match &auth.grant {
            Grant::JwtBearer(account) => Self::new(auth, &account.subject),
            _ => Self::new(auth, ""),
        }
    }

    /// Returns the key as the documentation shows it.
    pub(crate) fn text(&self) -> String {
        [&*self.authority, &self.client_id, &self.principal, &self.scopes].join("|")
    }

    /// Where a host's store lists the principals.
    fn index(&self) -> String {
        ["principals", &self.authority, &self.client_id, &self.scopes].join("|")
    }

    /// The principal of a key text that differs from this key in nothing else.
    pub(crate) fn principal_in(&self, text: &str) -> Option<String> {
        let parts: Vec<&str> = text.split('|').collect();
        match parts[..] {
            [authority, client, principal, scopes]
                if authority == self.authority
                    && client == self.client_id
                    && scopes == self.scopes
                    && !principal.is_empty()
                    && !principal.starts_with('#') =>
            {
                Some(principal.replace("%7C", "|"))
            }
            _ => None,
        }
    }
}

fn part(text: &str) -> String {
    text::shown(text, usize::MAX).replace('|', "%7C")
}
