//! Tokens: when one is fresh, who refreshes it, where it is kept.
//!
//! Freshness is a pure function; one refresh is in flight per token, as a task of its own; a store is
//! a compare-and-swap. What is posted, and what the answers mean, stands in `oauth`.

use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;

use crate::input::Secret;
use crate::instant;

mod account;
mod acquire;
mod claim;
mod entry;
mod freshness;
mod import;
mod locate;
pub(crate) mod pending_writes;
#[cfg(test)]
mod random_tests;
mod refresh;
mod sasl;
mod shared;
mod source;
mod state;
pub(crate) mod store;
#[cfg(test)]
mod tests;
mod write_behind;

pub(crate) use self::entry::millis;
pub use self::pending_writes::settled;
pub(crate) use self::source::SourceId;
pub use self::source::{GetToken, TokenSource};

/// An access token. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct AccessToken {
    pub(crate) secret: Secret,
    pub(crate) username: Option<Arc<str>>,
    pub(crate) scopes: Arc<[String]>,
    pub(crate) expires_at: Option<SystemTime>,
    /// When it was acquired, by the monotonic clock.
    pub(crate) acquired: std::time::Instant,
}

impl AccessToken {
    /// Whether it is the very token that `other` is: a comparison without reading it.
    pub fn is_same(&self, other: &Self) -> bool {
        self.secret.is_same(&other.secret) && self.username == other.username
    }

    /// The token itself.
    pub fn secret(&self) -> &str {
        self.secret.expose()
    }

    /// The mailbox it is for, where known.
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// The token's scopes, as far as the service said.
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// When it expires; `None` if nobody said.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }
}

/// The person who signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Account {
    /// The mailbox.
    pub username: String,
    /// Microsoft's tenant id.
    pub tenant: Option<String>,
    /// The service's own stable id of the person.
    pub subject: Option<String>,
    /// What was granted.
    pub scopes: Vec<String>,
    /// When the refresh token ends, where known.
    #[serde(serialize_with = "instant::serialize_option")]
    pub refresh_expires_at: Option<SystemTime>,
}
