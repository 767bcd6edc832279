//! A sign-in, or a renewed one, that the store did not take: kept in memory, and saved as soon as it can be.

use std::sync::Arc;
use std::time::Duration;

use super::entry::Entry;
use super::source::Shared;
use super::store::Key;
use crate::config::Secret;
use crate::error::Result;

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
                if let Ok(true) = this.try_saving(&unsaved).await {
                    return;
                }
            }
        });
    }

    /// Whether it is settled: saved, or out of date.
    async fn try_saving(&self, unsaved: &Unsaved) -> Result<bool> {
        let store = self.store()?;
        let stored = store.load(&unsaved.key).await?;
        let version = stored.as_ref().map(|stored| stored.version);
        if unsaved.supersedes(stored.as_ref().map(|stored| &stored.entry)) {
            if !store.save(&unsaved.key, Some(&unsaved.entry), version).await? {
                return Ok(false);
            }
            if unsaved.replaces.is_none() {
                store.enlist(&unsaved.key, true).await?;
            }
        }
        let mut inner = self.state().lock();
        let same = |held: &Unsaved| held.entry.refresh_token == unsaved.entry.refresh_token;
        if inner.unsaved.as_deref().is_some_and(same) {
            inner.unsaved = None;
        }
        Ok(true)
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// About a quarter of an hour; what is left then is saved with the next refresh.
const TRIES: u32 = 36;
