//! A person at a sign-in page: who they are and what they decide.

use serde::{Deserialize, Serialize};

use crate::defaults::DEFAULT_USERNAME;

/// What a person decides on a sign-in page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Yes, the program may.
    #[default]
    Approve,
    /// No.
    Deny,
}

/// An address that can sign in.
pub(crate) fn address(username: &str) -> Result<String, String> {
    let username = username.trim();
    let plain = username.len() <= 254 && !username.chars().any(|c| c.is_whitespace() || c.is_control());
    match username.split_once('@') {
        Some((local, domain)) if plain && !local.is_empty() && !domain.is_empty() => Ok(username.to_owned()),
        _ => Err(format!("`{}` is not an account name such as {DEFAULT_USERNAME}", username.escape_debug())),
    }
}
