//! A sign-in, or a renewed one, that the store did not take: kept in memory, and saved as soon as it can be.

use std::sync::Arc;
use std::time::Duration;

use super::entry::Entry;
use super::source::Shared;
use super::store::Key;
use crate::error::Result;
use crate::input::Secret;

/// What the store lacks.
#[derive(Clone)]
pub(crate) struct Unsaved {
    pub(crate) key: Key,
    pub(crate) entry: Entry,
    /// The refresh token that it was given for; none after a sign-in.
    pub(crate) replaces: Option<Secret>,
}

impl Unsaved {
    /// Whether it goes before what the store has.
    pub(crate) fn supersedes(&self, stored: Option<&Entry>) -> bool {
        match (&self.replaces, stored) {
            (Some(old), Some(stored)) => stored.refresh_token.as_ref() == Some(old),
            // Somebody signed out.
            (Some(_), None) => false,
            (None, Some(stored)) => stored.is_older_than(&self.entry),
            (None, None) => true,
        }
    }
}

impl Shared {
    /// Goes on trying beside: until it is saved, another process would use the token that was replaced.
    pub(super) fn save_later(self: &Arc<Self>, generation: u64) {
        let this = self.clone();
        tokio::spawn(async move {
            let mut pause = FIRST_PAUSE;
            for _ in 0..TRIES {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                let unsaved = {
                    let inner = this.state().lock();
                    inner.unsaved.clone().filter(|_| inner.generation == generation)
                };
                let Some(unsaved) = unsaved else { return };
                if let Ok(true) = this.try_saving(&unsaved, generation).await {
                    return;
                }
            }
        });
    }

    /// Whether it is settled: saved, or out of date.
    async fn try_saving(&self, unsaved: &Unsaved, generation: u64) -> Result<bool> {
        let store = self.store()?;
        let stored = store.load(&unsaved.key).await?;
        let version = stored.as_ref().map(|stored| stored.version);
        let stored = stored.as_ref().map(|stored| &stored.entry);
        let ours = |entry: &Entry| entry.refresh_token == unsaved.entry.refresh_token;
        let mut there = stored.is_some_and(ours);
        if unsaved.supersedes(stored) {
            if !store.save(&unsaved.key, Some(&unsaved.entry), version).await? {
                return Ok(false);
            }
            there = true;
        }
        // It may be there and not be listed, if that alone failed.
        if there && unsaved.replaces.is_none() {
            store.enlist(&unsaved.key, true).await?;
        }
        let left = {
            let mut inner = self.state().lock();
            if inner.unsaved.as_deref().is_some_and(|held| ours(&held.entry)) {
                inner.unsaved = None;
            }
            inner.generation != generation
        };
        // They signed out, or another person in, while it was being saved.
        if there
            && left
            && let Some(stored) = store.load(&unsaved.key).await?
            && ours(&stored.entry)
        {
            store.save(&unsaved.key, None, Some(stored.version)).await?;
            store.enlist(&unsaved.key, false).await?;
        }
        Ok(true)
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// About a quarter of an hour; what is left then is saved with the next refresh.
const TRIES: u32 = 36;

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::oauth::endpoint::TokenAnswer;
    use crate::token::entry::millis;

    #[test]
    fn a_late_refresh_of_the_sign_in_before_is_no_later_sign_in() {
        let now = SystemTime::now();
        let at = |seconds: u64| now + Duration::from_secs(seconds);
        let signed_in = |token: &str, when: SystemTime| {
            let mut entry = Entry::from_seed(Secret::new(token), String::new());
            entry.signed_in_at = millis(when);
            entry
        };
        let before = signed_in("one", at(0));
        let answer = TokenAnswer {
            access_token: Secret::new("a"),
            expires_in: Duration::from_secs(60),
            refresh_in: None,
            scopes: None,
            refresh_token: None,
            refresh_expires_in: None,
            id_token: None,
            request_id: None,
        };
        let refreshed = before.renewed(&answer, &[], at(200));
        let key = Key::default();
        let unsaved = |entry: Entry, replaces| Unsaved { key: key.clone(), entry, replaces };
        let new = unsaved(signed_in("two", at(100)), None);
        assert!(new.supersedes(Some(&before)) && new.supersedes(Some(&refreshed)) && new.supersedes(None));
        assert!(!unsaved(signed_in("two", at(0)), None).supersedes(Some(&signed_in("three", at(100)))));
        // A rotation follows the token that it replaced, and nothing else.
        let rotated = unsaved(signed_in("two", at(0)), Some(Secret::new("one")));
        assert!(rotated.supersedes(Some(&before)) && !rotated.supersedes(None));
        assert!(!rotated.supersedes(Some(&signed_in("three", at(100)))));
    }
}
