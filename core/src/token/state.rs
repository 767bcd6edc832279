//! What a token source remembers, per process. The lock is never held while something is awaited.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::entry::Entry;
use super::freshness::{self, Freshness, FreshnessLimits, Now, Times};
use super::pending_writes::PendingWrites;
use super::store::{EntryKey, MemoryStore};
use super::{AccessToken, Account};
use crate::error::Error;
use crate::input::Secret;
use crate::sync::lock;

/// One process's state.
#[derive(Default)]
pub(crate) struct SourceState {
    inner: Mutex<Known>,
    /// The store, where there is no other.
    pub(crate) memory: MemoryStore,
    /// Its refresh tokens on their way.
    pub(crate) pending_writes: PendingWrites,
}

/// What the lock guards.
#[derive(Default)]
pub(crate) struct Known {
    /// Grows with every sign-in and sign-out: an answer to an earlier question is dropped.
    pub(crate) generation: u64,
    /// The token.
    pub(crate) held: Option<Held>,
    /// The person who signed in.
    pub(crate) account: Option<Account>,
    /// The signed-in name, where the options have no `username`.
    pub(crate) adopted: Option<String>,
    /// The last failure, while it counts.
    pub(crate) failure: Option<LastFailure>,
    /// The refresh under way.
    pub(crate) refresh: Option<RunningRefresh>,
    /// How many refreshes were started: each has a number of its own.
    pub(crate) refreshes: u64,
    /// What the store did not take.
    pub(crate) unsaved: Option<Box<Unsaved>>,
    /// The refresh token that the service refused last: not posted again for a while.
    pub(crate) dead: Option<Box<(Secret, LastFailure)>>,
}

/// A token in memory.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) token: AccessToken,
    pub(crate) times: Times,
    /// A server refused it.
    pub(crate) refused: bool,
}

/// What the store lacks.
#[derive(Clone)]
pub(crate) struct Unsaved {
    pub(crate) key: EntryKey,
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

/// A failure, and until when it is repeated without asking again.
#[derive(Clone)]
pub(crate) struct LastFailure {
    pub(crate) error: Error,
    pub(crate) until: Instant,
}

/// A refresh under way.
pub(crate) struct RunningRefresh {
    pub(crate) id: u64,
    /// Who waits for it.
    pub(crate) audience: Audience,
    pub(crate) landing: watch::Receiver<Option<Landing>>,
    /// After that its runtime is taken for dead.
    pub(crate) until: Instant,
}

/// Those who wait for one refresh. Once they have all given up, what only they need may end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Audience {
    waiting: Arc<AtomicUsize>,
    gone: CancellationToken,
}

impl Audience {
    /// Joins it, for as long as the answer lives.
    pub(crate) fn join(&self) -> TokenWaiter {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        TokenWaiter(self.clone())
    }

    /// Completes when somebody waited and nobody does any more.
    pub(crate) async fn gone(&self) {
        self.gone.cancelled().await;
    }
}

/// One of an [`Audience`].
pub(crate) struct TokenWaiter(Audience);

impl Drop for TokenWaiter {
    fn drop(&mut self) {
        if self.0.waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.gone.cancel();
        }
    }
}

/// How a refresh ended.
#[derive(Clone)]
pub(crate) enum Landing {
    Token(AccessToken),
    Failed(Error),
    /// A sign-in or sign-out came between: ask again.
    Superseded,
}

impl SourceState {
    /// This process's state; a forked child begins with what its parent knew.
    pub(crate) fn begin(parent: Option<&Self>) -> Self {
        let Some(parent) = parent else { return Self::default() };
        let inner = parent.inner.try_lock().map(|inner| inner.fork()).unwrap_or_default();
        Self {
            inner: Mutex::new(inner),
            memory: parent.memory.fork(),
            pending_writes: PendingWrites::default(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Known> {
        lock(&self.inner)
    }
}

impl Known {
    /// Everything but what runs in the parent alone.
    fn fork(&self) -> Self {
        Self {
            generation: self.generation,
            held: self.held.clone(),
            account: self.account.clone(),
            adopted: self.adopted.clone(),
            failure: self.failure.clone(),
            refresh: None,
            refreshes: self.refreshes,
            unsaved: self.unsaved.clone(),
            dead: self.dead.clone(),
        }
    }

    /// The held token, if it may be used.
    pub(crate) fn usable(
        &self,
        now: Now,
        limits: FreshnessLimits,
        min: Option<std::time::Duration>,
    ) -> Option<(&AccessToken, Freshness)> {
        let held = self.held.as_ref().filter(|held| !held.refused)?;
        match freshness::judge(&held.times, now, limits, min) {
            Freshness::Invalid => None,
            fresh_or_stale => Some((&held.token, fresh_or_stale)),
        }
    }

    /// The refresh under way, if somebody still drives it.
    pub(crate) fn live_refresh(&self, now: Instant) -> Option<&RunningRefresh> {
        self.refresh.as_ref().filter(|refresh| now < refresh.until && refresh.landing.has_changed().is_ok())
    }

    /// The failure that still counts, with what is left to wait.
    pub(crate) fn live_failure(&self, now: Instant) -> Option<Error> {
        let failure = self.failure.as_ref().filter(|failure| now < failure.until)?;
        let error = failure.error.clone();
        let left = error.retry_after().map(|_| failure.until.saturating_duration_since(now));
        Some(error.with_retry_after(left))
    }

    /// Forgets who was signed in; answers on their way are dropped.
    pub(crate) fn forget(&mut self) {
        *self = Self { generation: self.generation + 1, refreshes: self.refreshes, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::oauth::answer::TokenAnswer;
    use crate::token::entry::{acquired_token, lifetime_until, millis};

    fn parent() -> SourceState {
        let state = SourceState::default();
        let now = Now::read();
        let token = acquired_token(Secret::new("at"), Vec::new(), None, now.mono);
        let (_, landing) = watch::channel(None);
        let mut inner = state.lock();
        inner.held = Some(Held { token, times: lifetime_until(None, now), refused: false });
        inner.refresh =
            Some(RunningRefresh { id: 1, audience: Audience::default(), landing, until: now.mono });
        drop(inner);
        state
    }

    #[test]
    fn a_forked_child_has_its_parents_token_and_none_of_its_refreshes() {
        let parent = parent();
        let child = SourceState::begin(Some(&parent));
        let inner = child.lock();
        assert_eq!(inner.held.as_ref().map(|held| held.token.secret()), Some("at"));
        assert!(inner.refresh.is_none());
    }

    #[test]
    fn a_lock_that_was_held_at_the_fork_is_not_waited_for() {
        let parent = parent();
        let held = parent.lock();
        assert!(SourceState::begin(Some(&parent)).lock().held.is_none());
        drop(held);
    }

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
        let key = EntryKey::default();
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
