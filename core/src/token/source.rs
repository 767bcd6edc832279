//! A source of tokens: one per application and person, for as many callers as there are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use zeroize::Zeroizing;

use super::acquire::Order;
use super::freshness::{Freshness, FreshnessLimits, Now};
use super::shared::Shared;
use super::state::{Audience, Landing, RunningRefresh, TokenWaiter};
use super::store::{EntryKey, Store};
use super::{AccessToken, Account, refresh};
use crate::call::{Call, Cancel};
use crate::config::{self, AuthSettings, Load, Options, Settings, StoreSettings, Surroundings};
use crate::error::{Error, ErrorCode, Result};
use crate::event::Event;
use crate::host::Host;
use crate::metrics::Ends;

/// Gets tokens and keeps them fresh. Clones share everything.
#[derive(Clone)]
pub struct TokenSource {
    pub(crate) shared: Arc<Shared>,
}

/// The mailbox and application whose tokens a source brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SourceId {
    pub(crate) source: u64,
    pub(crate) generation: u64,
}

/// What to ask a [`TokenSource`] for.
#[derive(Clone, Debug, Default)]
pub struct GetToken {
    /// Refresh even if the token is fresh.
    pub force: bool,
    /// The least lifetime that the token must have left; default from the provider.
    pub min_remaining: Option<Duration>,
    /// Timeout (default: the option `timeout`, else 5 minutes) and cancel. They end the waiting, not
    /// the refresh: others may wait for it too.
    pub call: Call,
}

impl TokenSource {
    /// Checks `options`; touches no network.
    ///
    /// # Errors
    /// `config_invalid`, naming the option.
    pub fn new(options: Options, host: Host) -> Result<Self> {
        let around = Surroundings::of(&host);
        let settings = Settings::resolve(options, host.spelling, around)
            .map_err(|error| config::spelled(error, host.spelling))?;
        Self::with_settings(Arc::new(settings), host)
    }

    /// From options as JSON, in the host's spelling.
    ///
    /// # Errors
    /// `config_invalid`, naming the option by its full path.
    pub fn from_json(options: Value, host: Host) -> Result<Self> {
        Self::load(Load { overrides: options, ..Load::default() }, host)
    }

    /// From a file, the environment and the caller's own options.
    ///
    /// # Errors
    /// `config_invalid`.
    pub fn load(load: Load, mut host: Host) -> Result<Self> {
        let (options, persistent) = load.read(&host)?;
        host.persistent |= persistent;
        Self::new(options, host)
    }

    /// Makes a source from options that were checked already.
    pub(crate) fn with_settings(settings: Arc<Settings>, host: Host) -> Result<Self> {
        let forgetful = host.store.is_none() && settings.store == StoreSettings::Memory;
        if forgetful && settings.auth.as_ref().is_some_and(|auth| auth.grant.is_delegated()) {
            host.events.emit(|| {
                Event::new("warning").with("code", "memory_store").with(
                    "message",
                    "the sign-in is kept in memory and ends with the program; set `store` to keep it",
                )
            });
        }
        Ok(Self { shared: Arc::new(Shared::new(settings, host)) })
    }

    /// The source for another mailbox: an application's own token serves all of them.
    pub(crate) fn for_mailbox(&self, settings: Arc<Settings>) -> Self {
        Self { shared: Arc::new(self.shared.sibling(settings)) }
    }

    /// Equal for two sources only if they bring the same tokens: it changes with every sign-in and
    /// sign-out, so that nobody sends over a connection of somebody who has left.
    pub(crate) fn identity(&self) -> SourceId {
        SourceId { source: self.shared.id, generation: self.shared.state().lock().generation }
    }

    /// A fresh token from memory, without touching a runtime; `None` if one must be waited for.
    pub fn cached(&self, min_remaining: Option<Duration>) -> Option<AccessToken> {
        let shared = &self.shared;
        if shared.is_closed() {
            return None;
        }
        let limits = shared.auth().ok()?.limits();
        let now = Now::read();
        let inner = shared.state().lock();
        let (token, freshness) = inner.usable(now, limits, min_remaining)?;
        // A stale one serves as it is while somebody already renews it, or may not for now.
        let settled = freshness == Freshness::Fresh
            || inner.live_refresh(now.mono).is_some()
            || inner.failure.as_ref().is_some_and(|f| now.mono < f.until);
        settled.then(|| shared.with_username(token.clone(), inner.adopted.as_deref()))
    }

    /// A token.
    ///
    /// # Errors
    /// The 300s; `timed_out`, `cancelled`, `closed`; `store_failed`. A failed refresh is no error while
    /// the token at hand is still good, unless `force` is set.
    pub async fn get(&self, request: GetToken) -> Result<AccessToken> {
        let shared = &self.shared;
        shared.open()?;
        if !request.force
            && let Some(token) = self.cached(request.min_remaining)
        {
            return Ok(token);
        }
        let limit = shared.settings.timeout.unwrap_or(DEFAULT_TIME);
        let token = self.obtain(request.force, request.min_remaining);
        request.call.within(Some(limit), "no token", token).await
    }

    /// Marks exactly this token as refused: the next `get` brings another.
    pub fn invalidate(&self, secret: &str) {
        let mut inner = self.shared.state().lock();
        if let Some(held) = inner.held.as_mut().filter(|held| held.token.secret() == secret) {
            held.refused = true;
        }
    }

    /// Takes over a sign-in that another program keeps, so that nobody need sign in again: `text` is MSAL's
    /// serialised cache, or a file of mutt_oauth2.py (decrypted) or sasl-xoauth2. It is tried once before it is kept.
    /// The other program should not go on with it: services may take two users of one sign-in for a theft.
    ///
    /// # Errors
    /// `login_invalid` if nothing in it is for this application and user; `config_invalid` if several accounts fit;
    /// the 300s if the service does not take it; `store_failed`; `timed_out`, `cancelled`.
    pub async fn import_login(&self, text: &str, call: Call) -> Result<Account> {
        self.shared.open()?;
        let (shared, text) = (self.shared.clone(), Zeroizing::new(text.to_owned()));
        let limit = shared.settings.timeout.unwrap_or(DEFAULT_TIME);
        // A task of its own: what the service gave must reach the store, whoever still waits.
        let task = tokio::spawn(async move {
            let _pending = shared.pending_write();
            shared.import(&text).await
        });
        let account = async { task.await.unwrap_or_else(|_| Err(Cancel::error())) };
        call.within(Some(limit), "the sign-in was not taken over", account).await
    }

    /// Forgets the tokens, here and in the store. Where the service has a revocation endpoint, it is told; if that
    /// fails, there is a `warning` and no error.
    ///
    /// # Errors
    /// `store_failed`; `config_invalid` if several accounts are stored and none is named.
    pub async fn logout(&self) -> Result<()> {
        self.shared.open()?;
        let shared = self.shared.clone();
        // A task of its own: begun, it ends in all places.
        let task = tokio::spawn(async move {
            let _pending = shared.pending_write();
            shared.sign_out().await
        });
        task.await.unwrap_or_else(|_| Err(Cancel::error()))
    }

    /// What became of refreshes of its tokens in this process, as data; nothing before the first.
    pub(crate) fn numbers(&self) -> Option<Value> {
        let numbers = crate::metrics::numbers().known_service(&self.shared.label()?)?;
        let inner = self.shared.state().lock();
        let ends = Ends {
            token: inner.held.as_ref().and_then(|held| held.token.expires_at),
            login: inner.account.as_ref().and_then(|account| account.refresh_expires_at),
            credential: self.shared.auth().ok().and_then(AuthSettings::credential_expires_at),
        };
        drop(inner);
        Some(numbers.to_json(ends))
    }

    /// The person who is signed in, for delegated grants.
    pub fn account(&self) -> Option<Account> {
        let known = self.shared.state().lock().account.clone();
        known.or_else(|| self.shared.stored_account())
    }

    /// Refuses further calls with `closed`. Repeating it does nothing.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Completes when no refresh token of its is on its way; takes at most 30 seconds.
    pub(crate) async fn settled(&self) {
        self.shared.state().pending_writes.settled().await;
    }

    async fn obtain(&self, force: bool, min: Option<Duration>) -> Result<AccessToken> {
        let shared = &self.shared;
        let limits = shared.auth()?.limits();
        let before = match force {
            true => shared.state().lock().held.as_ref().map(|held| held.token.secret.clone()),
            false => None,
        };
        for round in 0..ROUNDS {
            // A sign-in that came between brought another token than the refused one: that will do.
            let held = |inner: &crate::token::state::Known| {
                inner.held.as_ref().map(|held| held.token.secret.clone())
            };
            let insist = force && (round == 0 || held(&shared.state().lock()) == before);
            let mut landing = match self.step(insist, min, limits)? {
                Look::Ready(token) => return Ok(token),
                Look::Wait(landing, until, waiter) => (landing, until, waiter),
            };
            let landed =
                tokio::time::timeout_at(landing.1.into(), landing.0.wait_for(|landed| landed.is_some()))
                    .await;
            let landed = match landed {
                Ok(Ok(landed)) => landed.clone(),
                // Its runtime ended or stands still: go on with a refresh of our own.
                Ok(Err(_)) | Err(_) => None,
            };
            match landed {
                // A refresh that began before the token was refused may bring the same one again.
                Some(Landing::Token(token)) if round == 0 && before.as_ref() == Some(&token.secret) => {}
                Some(Landing::Token(token)) => {
                    lasts(&token, min)?;
                    let adopted = shared.state().lock().adopted.clone();
                    return Ok(shared.with_username(token, adopted.as_deref()));
                }
                Some(Landing::Failed(error)) => {
                    let inner = shared.state().lock();
                    // A place that fails is told at once: a rotated token is at stake.
                    let told = force || error.code() == ErrorCode::StoreFailed;
                    return match inner.usable(Now::read(), limits, min) {
                        Some((token, _)) if !told => {
                            Ok(shared.with_username(token.clone(), inner.adopted.as_deref()))
                        }
                        _ => Err(error),
                    };
                }
                Some(Landing::Superseded) | None => {}
            }
        }
        Err(Error::new(ErrorCode::TokenEndpointUnavailable, "signed in and out too often to get a token"))
    }

    /// Looks at the state once: a token, or what to wait for. Starts a refresh where one is due.
    fn step(&self, force: bool, min: Option<Duration>, limits: FreshnessLimits) -> Result<Look> {
        let shared = &self.shared;
        let now = Now::read();
        let mut inner = shared.state().lock();
        let usable = match force {
            true => None,
            false => inner.usable(now, limits, min).map(|(token, freshness)| (token.clone(), freshness)),
        };
        let ready = |token, adopted: Option<&str>| Ok(Look::Ready(shared.with_username(token, adopted)));
        if let Some((token, Freshness::Fresh)) = usable {
            return ready(token, inner.adopted.as_deref());
        }
        if inner.live_refresh(now.mono).is_none() {
            if let Some(error) = inner.live_failure(now.mono) {
                return match usable {
                    Some((token, _)) => ready(token, inner.adopted.as_deref()),
                    None => Err(error),
                };
            }
            inner.refreshes += 1;
            let id = inner.refreshes;
            let until = now.mono + refresh::LONGEST;
            let avoid = inner
                .held
                .as_ref()
                .filter(|held| force || held.refused)
                .map(|held| held.token.secret.clone());
            let audience = Audience::default();
            let order = Order { id, generation: inner.generation, avoid, force, audience: audience.clone() };
            let landing = refresh::start(self.shared.clone(), order);
            inner.refresh = Some(RunningRefresh { id, audience, landing, until });
        }
        match (usable, &inner.refresh) {
            (Some((token, _)), _) => ready(token, inner.adopted.as_deref()),
            (None, Some(under_way)) => {
                Ok(Look::Wait(under_way.landing.clone(), under_way.until, under_way.audience.join()))
            }
            (None, None) => Err(Error::new(ErrorCode::Internal, "a refresh was started and is not there")),
        }
    }
}

/// # Errors
/// `config_invalid` if even a new token lives for less than `min`.
fn lasts(token: &AccessToken, min: Option<Duration>) -> Result<()> {
    let (Some(min), Some(at)) = (min, token.expires_at()) else { return Ok(()) };
    let left = at.duration_since(std::time::SystemTime::now()).unwrap_or_default();
    // The token was on its way for a moment.
    if left + Duration::from_secs(30) >= min {
        return Ok(());
    }
    let (left, min) = (left.as_secs(), min.as_secs());
    Err(Error::config("min_remaining", format!("new tokens live for {left} s, less than the {min} s wanted"))
        .with_hint("Ask for a shorter time: the sign-in service decides how long its tokens live."))
}

enum Look {
    Ready(AccessToken),
    Wait(tokio::sync::watch::Receiver<Option<Landing>>, Instant, TokenWaiter),
}

/// How often a sign-in may come between before we give up.
const ROUNDS: usize = 8;

const DEFAULT_TIME: Duration = Duration::from_secs(300);

impl Shared {
    /// Who is stored, for callers that cannot wait: memory has said no, a host's store must be awaited.
    fn stored_account(&self) -> Option<Account> {
        let auth = self.auth().ok().filter(|auth| auth.grant.is_interactive())?;
        let Ok(Store::File(file)) = self.store() else { return None };
        let key = match &self.settings.username {
            Some(name) => EntryKey::new(auth, name),
            None => {
                let empty = EntryKey::new(auth, "");
                let mut names = file.keys_now().ok()?.into_iter().filter_map(|key| empty.principal_in(&key));
                match (names.next(), names.next()) {
                    (Some(only), None) => EntryKey::new(auth, &only),
                    _ => return None,
                }
            }
        };
        file.load_now(&key.text()).ok()??.entry.account()
    }
}

impl AuthSettings {
    pub(crate) fn limits(&self) -> FreshnessLimits {
        FreshnessLimits { refresh_ahead: self.refresh_ahead, min_remaining: self.min_remaining }
    }
}
