//! A sign-in, or a renewed one, that the store did not take: kept in memory, and saved as soon as it can be.

use std::sync::Arc;
use std::time::Duration;

use super::entry::Entry;
use super::shared::Shared;
use super::state::Unsaved;
use crate::error::Result;

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
