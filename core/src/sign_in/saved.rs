//! A sign-in as text, for another process to finish; and which ones were finished here.
//!
//! The text is `1.` base64url(JSON) `.` base64url(digest). The digest also covers the authority and the
//! client id, so that it fits a source with the same options only. It is no secret key: the text holds
//! the PKCE verifier and belongs in a server-side session. With `store.key` it is sealed, and tells nobody
//! anything: `2.` base64url of what a store would keep.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::config::AuthSettings;
use crate::crypto::seal::Seal;
use crate::error::{Error, ErrorCode, Result};
use crate::fork::ForkCell;
use crate::input::Secret;
use crate::oauth::pkce::same;
use crate::sync::lock;
use crate::token::millis;

/// How long a sign-in may take, and how long its text is good.
pub(crate) const SIGN_IN_TIME: Duration = Duration::from_secs(15 * 60);

/// What another process needs.
#[derive(Serialize, Deserialize)]
pub(crate) struct Saved {
    /// Milliseconds since the epoch.
    pub(crate) issued: u64,
    /// Milliseconds since the epoch.
    pub(crate) expires: u64,
    pub(crate) url: String,
    pub(crate) message: String,
    pub(crate) way: SavedWay,
}

/// By method.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SavedWay {
    AuthorizationCode {
        state: String,
        verifier: String,
        redirect_uri: String,
        #[serde(default)]
        issuer: Option<String>,
    },
    DeviceCode {
        device_code: String,
        user_code: String,
        interval_ms: u64,
    },
}

/// Returns the sign-in as text, sealed if there is a key.
pub(crate) fn seal(saved: &Saved, auth: &AuthSettings, key: Option<&Secret>) -> Result<String> {
    let json = serde_json::to_vec(saved)
        .map_err(|e| Error::new(ErrorCode::Internal, format!("a sign-in cannot be saved: {e}")))?;
    if let Some(key) = key {
        let sealed = Seal::new(key.clone()).seal(&name(auth), &json)?;
        return Ok(format!("2.{}", URL_SAFE_NO_PAD.encode(sealed.to_string())));
    }
    Ok(format!("1.{}.{}", URL_SAFE_NO_PAD.encode(&json), digest(&json, auth)))
}

/// Reads what [`seal`] wrote.
///
/// # Errors
/// `login_invalid` if it is damaged, too old, or of a source with other options; with a key also if it is not sealed.
pub(crate) fn open(text: &str, auth: &AuthSettings, key: Option<&Secret>, now: SystemTime) -> Result<Saved> {
    let damaged = || invalid("the saved sign-in is damaged");
    let foreign =
        || invalid("the saved sign-in is damaged, or of another application, authority or store.key");
    let parts: Vec<&str> = text.trim().split('.').collect();
    let json = match (&parts[..], key) {
        (["1", json, mark], None) => {
            let json = URL_SAFE_NO_PAD.decode(json).map_err(|_| damaged())?;
            if !same(&digest(&json, auth), mark) {
                return Err(foreign());
            }
            json
        }
        (["2", sealed], Some(key)) => {
            let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| damaged())?;
            let sealed = serde_json::from_slice(&sealed).map_err(|_| damaged())?;
            Seal::new(key.clone()).open(&name(auth), &sealed).ok_or_else(foreign)?.to_vec()
        }
        // Whoever could write texts without the key could put another's sign-in in.
        (["1", ..], Some(_)) => return Err(invalid("the saved sign-in was saved without store.key")),
        (["2", ..], None) => return Err(invalid("the saved sign-in is sealed, and there is no store.key")),
        _ => return Err(invalid("the text is not a saved sign-in")),
    };
    let saved: Saved = serde_json::from_slice(&json).map_err(|_| invalid("the saved sign-in is damaged"))?;
    let now = millis(now);
    let longest = u64::try_from(SIGN_IN_TIME.as_millis()).unwrap_or(u64::MAX);
    // A little clock skew between the machines of one site is nobody's attack.
    if now >= saved.expires.min(saved.issued.saturating_add(longest)) || saved.issued > now + 60_000 {
        return Err(invalid("the saved sign-in is too old"));
    }
    Ok(saved)
}

/// Sign-ins that were finished in this process, until their time is over.
#[derive(Default)]
pub(crate) struct FinishedLogins(Mutex<HashMap<String, u64>>);

/// This process's sign-ins that were finished.
pub(crate) fn finished() -> &'static FinishedLogins {
    static CELL: ForkCell<FinishedLogins> = ForkCell::new();
    CELL.get(|_| FinishedLogins::default())
}

impl FinishedLogins {
    /// Notes that `id` is being finished; false if it was before.
    pub(crate) fn finish(&self, id: &str, now: u64, until: u64) -> bool {
        let mut map = lock(&self.0);
        map.retain(|_, until| *until > now);
        map.insert(id.to_owned(), until).is_none()
    }

    /// Takes it back.
    pub(crate) fn forget(&self, id: &str) {
        lock(&self.0).remove(id);
    }

    /// Whether `id` was finished.
    pub(crate) fn contains(&self, id: &str) -> bool {
        lock(&self.0).contains_key(id)
    }
}

/// A name for a sign-in that tells nothing about its `state` or device code.
pub(crate) fn id(secret: &str) -> String {
    let digest = ring::digest::digest(&SHA256, secret.as_bytes());
    URL_SAFE_NO_PAD.encode(&digest.as_ref()[..16])
}

pub(crate) fn invalid(message: &str) -> Error {
    Error::new(ErrorCode::LoginInvalid, message)
}

fn name(auth: &AuthSettings) -> String {
    format!("login|{}|{}", auth.authority, auth.client_id())
}

fn digest(json: &[u8], auth: &AuthSettings) -> String {
    let mut context = Context::new(&SHA256);
    for part in [json, auth.authority.as_bytes(), auth.client_id().as_bytes()] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    URL_SAFE_NO_PAD.encode(context.finish())
}
