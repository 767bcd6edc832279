//! A person's token: the steps of `claim`, performed. A rotated refresh token is saved before the new access token is
//! used, since services that detect reuse revoke the whole sign-in.

use std::time::{Duration, Instant, SystemTime};

use super::{Attempt, held};
use crate::config::{Application, AuthSettings, SecretSource};
use crate::crypto::random;
use crate::error::{Error, ErrorCode, Result};
use crate::input::Secret;
use crate::token::claim::{Claiming, Fault, Last, Refusal, Step};
use crate::token::entry::Entry;
use crate::token::freshness::{Freshness, Now};
use crate::token::locate::seed_digest;
use crate::token::state::{Held, LastFailure, Unsaved};
use crate::token::store::{EntryKey, Versioned};

impl Attempt<'_> {
    /// Claim, post, save, use.
    pub(super) async fn person(
        &mut self,
        auth: &AuthSettings,
        application: &Application,
        seed: Option<&SecretSource>,
    ) -> Result<Held> {
        let (shared, service) = (self.shared, self.shared.service()?);
        let key = shared.locate(auth).await?;
        let seed = match seed {
            Some(source) => Some(shared.seed(source).await?),
            None => None,
        };
        // What brings the application's secret runs within the claim too, and all of it happens twice if the secret
        // changed meanwhile.
        let request = shared.settings.http_timeout;
        let lasts = 2 * (request + application.credential.patience(request));
        let mut claiming = Claiming::new(random::hex().unwrap_or_default(), lasts);
        let (mut entry, mut version, mut found) = (Entry::default(), None, None);
        let (mut turn, mut pending, mut renewed, mut refused) = (None, None, None, None);
        let mut tries = 0;
        let mut step = Step::Load;
        loop {
            let last = match step {
                Step::Load => {
                    (entry, version) = self.stored(auth, &key, seed.as_ref()).await?;
                    let now = Now::read();
                    self.avoid_stored(&entry, now);
                    found = self.acceptable(auth, &entry, Freshness::Fresh, now);
                    let refused_lately = self.refused_lately(&entry, now.mono).is_some();
                    Last::Loaded { entry: &entry, usable: found.is_some(), refused_lately }
                }
                Step::Wait => {
                    turn = None;
                    tokio::time::sleep(WAIT.mul_f64(1.0 + 2.0 * random::unit())).await;
                    step = Step::Load;
                    continue;
                }
                Step::Prepare => match service.endpoints(&application.address).await {
                    Ok(_) => {
                        turn = Some(service.turn().await);
                        Last::Prepared
                    }
                    Err(error) => {
                        refused = Some(error);
                        Last::Refused(Refusal::Passing)
                    }
                },
                Step::Claim(claim) => {
                    pending = Some(shared.pending_write());
                    entry.refreshing = Some(claim);
                    Last::Claimed(shared.store()?.save(&key, Some(&entry), version).await?)
                }
                Step::Post => match self.post(auth, application, &entry).await {
                    Ok(new) => {
                        renewed = Some(new);
                        Last::Renewed
                    }
                    Err(error) => {
                        let challenge = error.oauth().and_then(|detail| detail.claims.clone());
                        let stored = self.release(claiming.owner(), &key, challenge).await?;
                        pending = None;
                        let refusal = refusal(&error, entry.refresh_token.as_ref(), stored.as_ref());
                        refused = Some(error);
                        Last::Refused(refusal)
                    }
                },
                Step::Save => {
                    let new = renewed.take().unwrap_or_default();
                    let saved = self.keep(claiming.owner(), &key, &new, entry.refresh_token.as_ref()).await?;
                    if saved {
                        found = Some(held(&new, Now::read())?);
                    }
                    Last::Saved(saved)
                }
                Step::Pause => {
                    turn = None;
                    self.pause(&mut tries, refused.take().unwrap_or_else(contended)).await?;
                    step = Step::Load;
                    continue;
                }
                Step::Use => return found.ok_or_else(contended),
                Step::Fail(fault) => {
                    drop((turn, pending));
                    return Err(match fault {
                        Fault::NobodySignedIn => match entry.account() {
                            Some(account) => no_refresh_token(&account.username),
                            None => shared.nobody(auth),
                        },
                        Fault::RefusedLately => {
                            self.refused_lately(&entry, Instant::now()).unwrap_or_else(contended)
                        }
                        Fault::Refused => self.refused(auth, entry, refused.unwrap_or_else(contended)),
                        Fault::Contended => contended(),
                    });
                }
            };
            step = claiming.next(last, SystemTime::now());
        }
    }

    /// Asks the service for a new token.
    async fn post(&mut self, auth: &AuthSettings, application: &Application, entry: &Entry) -> Result<Entry> {
        let Some(token) = &entry.refresh_token else { return Err(self.shared.nobody(auth)) };
        let answer = self.shared.service()?.refresh(application, token, entry.imported).await?;
        Ok(self.renew(entry, auth, &answer, SystemTime::now()))
    }

    /// The stored entry; for a configured refresh token, that one until it was rotated.
    async fn stored(
        &self,
        auth: &AuthSettings,
        key: &EntryKey,
        seed: Option<&Secret>,
    ) -> Result<(Entry, Option<u64>)> {
        let shared = self.shared;
        let stored = shared.store()?.load(key).await?;
        let version = stored.as_ref().map(|stored| stored.version);
        let digest = seed.map(seed_digest);
        let unsaved = shared.state().lock().unsaved.clone();
        let unsaved = unsaved.filter(|unsaved| {
            unsaved.key == *key && unsaved.supersedes(stored.as_ref().map(|stored| &stored.entry))
        });
        let entry = match (unsaved, stored, seed) {
            (Some(unsaved), ..) => unsaved.entry,
            (_, Some(stored), _) if stored.entry.seed == digest => stored.entry,
            (.., Some(seed)) => Entry::from_seed(seed.clone(), digest.unwrap_or_default()),
            (_, Some(stored), None) => stored.entry,
            (_, None, None) => return Err(shared.nobody(auth)),
        };
        self.offer(auth, key, &entry);
        Ok((entry, version))
    }

    /// Lets callers use what the store has while, and if, the service does not answer.
    fn offer(&self, auth: &AuthSettings, key: &EntryKey, entry: &Entry) {
        let usable = self.acceptable(auth, entry, Freshness::Stale, Now::read());
        let mut inner = self.shared.state().lock();
        if inner.generation != self.order.generation {
            return;
        }
        if let Some(account) = entry.account() {
            inner.adopted.get_or_insert_with(|| account.username.clone());
            inner.account = Some(account);
        } else if inner.adopted.is_none() && !key.principal.starts_with('#') {
            inner.adopted = Some(key.principal.clone()).filter(|name| !name.is_empty());
        }
        if let Some(found) = usable {
            let better = inner.held.as_ref().is_none_or(|held| {
                held.refused || held.token.expires_at.zip(found.token.expires_at).is_some_and(|(a, b)| a < b)
            });
            if better {
                inner.held = Some(found);
            }
        }
    }

    /// Saves the renewed entry. False: a sign-in or a rotation of somebody else's came first, and ours is
    /// dropped. If the place fails, the entry stays in memory and is saved next time.
    async fn keep(
        &self,
        owner: &str,
        key: &EntryKey,
        renewed: &Entry,
        sent: Option<&Secret>,
    ) -> Result<bool> {
        let shared = self.shared;
        for _ in 0..ROUNDS {
            let saved = match shared.store()?.load(key).await {
                Ok(None) => return Ok(false),
                Ok(Some(Versioned { entry, version })) => {
                    let ours = entry.refreshing.as_ref().is_some_and(|claim| claim.owner == owner);
                    // Our claim may have lapsed; what counts is that nobody rotated past us.
                    if !ours && entry.refresh_token.as_ref() != sent {
                        return Ok(false);
                    }
                    shared.store()?.save(key, Some(renewed), Some(version)).await
                }
                Err(error) => Err(error),
            };
            match saved {
                Ok(true) => {
                    let unsaved = shared.state().lock().unsaved.clone();
                    // A sign-in that the place did not take is not listed there yet.
                    if unsaved.is_some_and(|unsaved| unsaved.replaces.is_none() && unsaved.key == *key)
                        && let Err(error) = shared.store()?.enlist(key, true).await
                    {
                        shared.warn(error.code().as_str(), error.message());
                    }
                    let mut inner = shared.state().lock();
                    // A later sign-in's own is not ours to drop.
                    if inner.generation == self.order.generation {
                        inner.unsaved = None;
                        inner.dead = None;
                    }
                    return Ok(true);
                }
                Ok(false) => {}
                Err(error) => {
                    let mut inner = shared.state().lock();
                    if inner.generation == self.order.generation {
                        inner.held = held(renewed, Now::read()).ok();
                        let (key, entry, replaces) = (key.clone(), renewed.clone(), sent.cloned());
                        inner.unsaved = Some(Box::new(Unsaved { key, entry, replaces }));
                    }
                    drop(inner);
                    shared.save_later(self.order.generation);
                    return Err(error);
                }
            }
        }
        Ok(false)
    }

    /// Gives our claim back, with what a policy wants of the next sign-in; tells which refresh token the store
    /// has now.
    async fn release(
        &self,
        owner: &str,
        key: &EntryKey,
        challenge: Option<String>,
    ) -> Result<Option<Secret>> {
        let store = self.shared.store()?;
        for _ in 0..ROUNDS {
            let Some(Versioned { mut entry, version }) = store.load(key).await? else { return Ok(None) };
            let token = entry.refresh_token.clone();
            if entry.refreshing.as_ref().is_none_or(|claim| claim.owner != owner) {
                return Ok(token);
            }
            entry.refreshing = None;
            entry.challenge = challenge.clone();
            if store.save(key, Some(&entry), Some(version)).await? {
                return Ok(token);
            }
        }
        Ok(None)
    }

    /// A refusal for good: the hint says where tokens are looked for. The refresh token is kept, since a
    /// policy may have been the reason, but not posted again for a while.
    fn refused(&self, auth: &AuthSettings, entry: Entry, error: Error) -> Error {
        let error = match error.code() {
            ErrorCode::InteractionRequired => {
                let cure = self.shared.sign_in_hint(auth);
                // The code's own hint says no more than the cure.
                let hint = error.hint().filter(|hint| *hint != error.code().row().hint);
                let hint = hint.map_or_else(|| cure.clone(), |hint| format!("{hint} {cure}"));
                error.with_hint(hint)
            }
            _ => error,
        };
        if is_dead(&error)
            && let Some(sent) = entry.refresh_token
        {
            let until = Instant::now() + DEAD_TIME;
            self.shared.state().lock().dead =
                Some(Box::new((sent, LastFailure { error: error.clone(), until })));
        }
        error
    }

    /// The refusal of the entry's refresh token, while it still counts.
    fn refused_lately(&self, entry: &Entry, now: Instant) -> Option<Error> {
        let inner = self.shared.state().lock();
        let (dead, failure) = inner.dead.as_deref()?;
        (Some(dead) == entry.refresh_token.as_ref() && now < failure.until).then(|| failure.error.clone())
    }
}

/// What a refusal means for the protocol; `stored` is the refresh token that the store has now.
fn refusal(error: &Error, sent: Option<&Secret>, stored: Option<&Secret>) -> Refusal {
    match () {
        () if error.code() == ErrorCode::TokenEndpointUnavailable => Refusal::Passing,
        () if !is_dead(error) => Refusal::Other,
        () if stored.is_some() && stored != sent => Refusal::Rotated,
        () => Refusal::Dead,
    }
}

/// The service does not take this refresh token any more.
fn is_dead(error: &Error) -> bool {
    error.oauth().is_some_and(|detail| detail.error == "invalid_grant")
}

/// Somebody signed in, and the service gave nothing that renews the token.
fn no_refresh_token(username: &str) -> Error {
    let text = format!(
        "the service gave no refresh token when {username} signed in, so the token cannot be renewed"
    );
    Error::new(ErrorCode::InteractionRequired, text).with_hint(
        "Add the scope that asks for one to auth.scopes (`offline_access` at most services), then sign in again.",
    )
}

fn contended() -> Error {
    Error::new(ErrorCode::StoreFailed, "other processes change the token store all the time")
        .with_retryable(true)
}

/// Between two looks at an entry that another process has claimed; spread up to three times as long.
const WAIT: Duration = Duration::from_millis(50);

/// A refused refresh token is not posted again for so long.
const DEAD_TIME: Duration = Duration::from_secs(60);

/// Races that a save may lose.
const ROUNDS: usize = 1000;
