//! What a store keeps for one key: layout 1 of a JSON object. It holds a refresh token: a secret.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::freshness::{Now, Times};
use super::{AccessToken, Account};
use crate::error::{Error, ErrorCode, Result};
use crate::input::Secret;
use crate::oauth::answer::TokenAnswer;

/// One key's tokens. Instants are milliseconds since the epoch.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Entry {
    layout: u32,
    #[serde(default, serialize_with = "expose", deserialize_with = "secret")]
    pub(crate) refresh_token: Option<Secret>,
    #[serde(default, serialize_with = "expose", deserialize_with = "secret")]
    access_token: Option<Secret>,
    #[serde(default)]
    acquired_at: u64,
    /// When the person signed in.
    #[serde(default)]
    pub(crate) signed_in_at: u64,
    #[serde(default)]
    expires_at: Option<u64>,
    #[serde(default)]
    refresh_at: Option<u64>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    pub(crate) account: Option<StoredAccount>,
    /// Which configured refresh token it began with, as a digest: another one starts anew.
    #[serde(default)]
    pub(crate) seed: Option<String>,
    /// The process that refreshes the entry right now.
    #[serde(default)]
    pub(crate) refreshing: Option<Claim>,
    /// The sign-in came from another program. A refresh asks for the mail scope alone, since nobody knows what else
    /// was granted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) imported: bool,
    /// What a policy wants of the next sign-in (OpenID Connect Core §5.5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) challenge: Option<String>,
}

/// A process's claim to be the one that refreshes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claim {
    /// A random name.
    pub(crate) owner: String,
    /// The instant after which nobody need respect the claim.
    pub(crate) until: u64,
}

/// The person who signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredAccount {
    username: String,
    tenant: Option<String>,
    subject: Option<String>,
    refresh_expires_at: Option<u64>,
}

const LAYOUT: u32 = 1;

/// A claim further ahead than this was written by a clock gone wrong.
const LONGEST_CLAIM: u64 = 10 * 60 * 1000;

impl Entry {
    /// An entry with nothing but a refresh token.
    pub(crate) fn from_seed(token: Secret, digest: String) -> Self {
        Self { layout: LAYOUT, refresh_token: Some(token), seed: Some(digest), ..Self::default() }
    }

    /// An entry with another program's refresh token.
    pub(crate) fn imported(token: Secret) -> Self {
        Self { layout: LAYOUT, refresh_token: Some(token), imported: true, ..Self::default() }
    }

    /// What the service answered, on top of what was known. A refresh token that the service did not
    /// replace stays good.
    pub(crate) fn renewed(&self, answer: &TokenAnswer, asked: &[String], now: SystemTime) -> Self {
        let mut account = self.account.clone();
        if let (Some(account), Some(left)) = (&mut account, answer.refresh_expires_in) {
            account.refresh_expires_at = Some(millis(now + left));
        }
        Self {
            layout: LAYOUT,
            refresh_token: answer.refresh_token.clone().or_else(|| self.refresh_token.clone()),
            access_token: Some(answer.access_token.clone()),
            acquired_at: millis(now),
            signed_in_at: self.signed_in_at,
            expires_at: Some(millis(now + answer.expires_in)),
            refresh_at: answer.refresh_in.map(|after| millis(now + after)),
            scopes: answer.scopes.clone().unwrap_or_else(|| asked.to_vec()),
            account,
            seed: self.seed.clone(),
            imported: self.imported,
            refreshing: None,
            challenge: None,
        }
    }

    /// Whether the other one is of a later sign-in.
    pub(crate) fn is_older_than(&self, other: &Self) -> bool {
        self.signed_in_at < other.signed_in_at
    }

    /// Returns the access token with its times. Its age counts by the wall clock up to now.
    pub(crate) fn token(&self, now: Now) -> Option<(AccessToken, Times)> {
        let secret = self.access_token.clone()?;
        // A clock that was behind when it was written counts as just now.
        let acquired = instant(self.acquired_at).min(now.wall);
        let age = now.wall.duration_since(acquired).unwrap_or_default();
        let acquired_mono = now.mono.checked_sub(age).unwrap_or(now.mono);
        let from_acquired = |at: u64| instant(at).duration_since(acquired).unwrap_or_default();
        let times = Times {
            acquired,
            acquired_mono,
            lifetime: self.expires_at.map(from_acquired),
            refresh_in: self.refresh_at.map(from_acquired),
        };
        let token = AccessToken {
            secret,
            username: self.account.as_ref().map(|a| a.username.as_str().into()),
            scopes: self.scopes.as_slice().into(),
            expires_at: self.expires_at.map(instant),
            acquired: acquired_mono,
        };
        Some((token, times))
    }

    /// Whether somebody else is refreshing it.
    pub(crate) fn claimed_by_another(&self, owner: &str, now: SystemTime) -> bool {
        let now = millis(now);
        self.refreshing.as_ref().is_some_and(|claim| {
            claim.owner != owner && claim.until > now && claim.until - now <= LONGEST_CLAIM
        })
    }

    /// The person who signed in.
    pub(crate) fn account(&self) -> Option<Account> {
        let stored = self.account.clone()?;
        Some(Account {
            username: stored.username,
            tenant: stored.tenant,
            subject: stored.subject,
            scopes: self.scopes.clone(),
            refresh_expires_at: stored.refresh_expires_at.map(instant),
        })
    }

    /// Returns the octets that a store keeps.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self)
            .map_err(|e| Error::new(ErrorCode::Internal, format!("a token entry cannot be written: {e}")))
    }

    /// Reads what [`Entry::to_bytes`] wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let wrong = |what: &str| Error::new(ErrorCode::StoreFailed, format!("the stored token entry {what}"));
        // The parser's own words could quote the entry.
        let entry: Self = serde_json::from_slice(bytes).map_err(|_| wrong("is damaged"))?;
        if entry.layout != LAYOUT {
            return Err(
                wrong("was written by another version").with_hint("Update this program, or sign in again.")
            );
        }
        Ok(entry)
    }
}

impl StoredAccount {
    pub(crate) fn new(account: &Account) -> Self {
        Self {
            username: account.username.clone(),
            tenant: account.tenant.clone(),
            subject: account.subject.clone(),
            refresh_expires_at: account.refresh_expires_at.map(millis),
        }
    }
}

/// Milliseconds since the epoch.
pub(crate) fn millis(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn instant(millis: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH)
}

/// For tokens that come with an instant rather than a lifetime.
pub(crate) fn lifetime_until(expires_at: Option<SystemTime>, now: Now) -> Times {
    Times {
        acquired: now.wall,
        acquired_mono: now.mono,
        lifetime: expires_at.map(|at| at.duration_since(now.wall).unwrap_or_default()),
        refresh_in: None,
    }
}

/// A token just acquired.
pub(crate) fn acquired_token(
    secret: Secret,
    scopes: Vec<String>,
    expires_at: Option<SystemTime>,
    acquired: Instant,
) -> AccessToken {
    AccessToken { secret, username: None, scopes: scopes.into(), expires_at, acquired }
}

fn expose<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::expose).serialize(serializer)
}

fn secret<'de, D: Deserializer<'de>>(de: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(de)?.map(Secret::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(refresh_token: Option<&str>) -> TokenAnswer {
        TokenAnswer {
            access_token: Secret::new("at"),
            expires_in: Duration::from_secs(3600),
            refresh_in: None,
            scopes: None,
            refresh_token: refresh_token.map(Secret::new),
            refresh_expires_in: None,
            id_token: None,
            request_id: None,
        }
    }

    #[test]
    fn an_entry_survives_the_store_and_keeps_an_unrotated_refresh_token() {
        let now = Now::read();
        let seed = Entry::from_seed(Secret::new("rt"), "d".into());
        let kept = seed.renewed(&answer(None), &["s".to_owned()], now.wall);
        let read = Entry::from_bytes(&kept.to_bytes().unwrap()).unwrap();
        assert_eq!(read.refresh_token, Some(Secret::new("rt")));
        let (token, times) = read.token(now).unwrap();
        assert_eq!((token.secret(), token.scopes()), ("at", ["s".to_owned()].as_slice()));
        assert_eq!(times.lifetime, Some(Duration::from_secs(3600)));
        let rotated = read.renewed(&answer(Some("rt2")), &[], now.wall);
        assert_eq!(rotated.refresh_token, Some(Secret::new("rt2")));
        assert!(!format!("{rotated:?}").contains("rt2"));
    }

    #[test]
    fn entries_of_another_layout_or_damaged_are_not_guessed_at() {
        for bytes in [&b"{\"layout\":2}"[..], b"{}", b"rt-secret", b""] {
            let error = Entry::from_bytes(bytes).unwrap_err();
            assert_eq!(error.code(), ErrorCode::StoreFailed);
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn claims_end_and_absurd_ones_count_for_nothing() {
        let now = SystemTime::now();
        let at = millis(now);
        for (owner, until, claimed) in [
            ("other", at + 1000, true),
            ("me", at + 1000, false),
            ("other", at, false),
            ("other", u64::MAX, false),
        ] {
            let entry = Entry { refreshing: Some(Claim { owner: owner.into(), until }), ..Entry::default() };
            assert_eq!(entry.claimed_by_another("me", now), claimed, "{owner} {until}");
        }
    }
}
