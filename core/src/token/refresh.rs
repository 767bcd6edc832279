//! One refresh: a task of its own, so that a caller who gives up takes nobody along.
//!
//! For a person's token the entry is claimed before the refresh token is posted, and a rotated one is
//! saved before the new access token is used: services that detect reuse revoke the whole sign-in.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

use super::account::seed_digest;
use super::entry::{self, Claim, Entry};
use super::freshness::{self, Freshness, Now};
use super::source::Shared;
use super::state::{Failure, Held, Landing};
use super::store::{Key, Versioned};
use super::write_behind::Unsaved;
use crate::config::{AuthSettings, GrantKind};
use crate::crypto::random;
use crate::error::{Error, ErrorCode, Result};
use crate::event::Event;
use crate::host::{ProvidedToken, TokenRequest};
use crate::input::Secret;
use crate::metrics::Ends;
use crate::net::http::RETRY_AFTER_CAP;
use crate::oauth::endpoint::TokenAnswer;
use crate::oauth::hints::Asked;
use crate::oauth::{claims, command, discovery, grants, managed};

/// What a refresh was started for.
#[derive(Clone)]
pub(crate) struct Order {
    /// Its number.
    pub(crate) id: u64,
    /// The sign-in that it belongs to.
    pub(crate) generation: u64,
    /// A token that will not do.
    pub(crate) avoid: Option<Secret>,
    /// The token at hand was refused.
    pub(crate) force: bool,
}

/// A refresh that takes longer is given up by those who wait for it: its runtime may be gone.
pub(crate) const LONGEST: Duration = Duration::from_secs(300);

/// Starts it on the caller's runtime.
pub(crate) fn start(shared: Arc<Shared>, order: Order) -> watch::Receiver<Option<Landing>> {
    let (tx, rx) = watch::channel(None);
    tokio::spawn(async move {
        let mut run = Run::new(&shared, order.clone());
        let mut refresh = Box::pin(run.refresh());
        let in_time = tokio::time::timeout(LONGEST, &mut refresh).await;
        if let Ok(outcome) = in_time {
            drop(refresh);
            let _ = tx.send(Some(run.land(outcome)));
            return;
        }
        // It may have been posted: what was rotated is kept all the same, for whoever asks next.
        let late = Run::new(&shared, order);
        let error = Error::new(ErrorCode::TokenEndpointUnavailable, "the refresh took too long");
        let _ = tx.send(Some(late.land(Err(error))));
        let _ = tokio::time::timeout(LONGEST, refresh).await;
    });
    rx
}

/// A refresh under way.
struct Run<'a> {
    shared: &'a Arc<Shared>,
    order: Order,
    /// Our name in a claim.
    owner: String,
    /// The service's answer, for the event.
    renewed: Option<Duration>,
    /// When a person must sign in again, if the service said so.
    ends: Option<SystemTime>,
    began: Instant,
    request_id: Option<String>,
}

impl<'a> Run<'a> {
    fn new(shared: &'a Arc<Shared>, order: Order) -> Self {
        Self {
            shared,
            order,
            owner: random::hex().unwrap_or_default(),
            renewed: None,
            ends: None,
            began: Instant::now(),
            request_id: None,
        }
    }

    /// Publishes the outcome, unless a sign-in or sign-out came between.
    fn land(&self, outcome: Result<Held>) -> Landing {
        let shared = self.shared;
        let landing = {
            let mut inner = shared.state().lock();
            if inner.flight.as_ref().is_some_and(|flight| flight.id == self.order.id) {
                inner.flight = None;
            }
            if inner.generation != self.order.generation {
                return Landing::Superseded;
            }
            match &outcome {
                Ok(held) => {
                    inner.held = Some(held.clone());
                    inner.failure = None;
                    Landing::Token(held.token.clone())
                }
                Err(error) => {
                    let until = Instant::now() + negative(error);
                    inner.failure = Some(Failure { error: error.clone(), until });
                    Landing::Failed(error.clone())
                }
            }
        };
        // Outside the lock: a listener may ask us things.
        self.tell(&outcome);
        landing
    }

    fn tell(&self, outcome: &Result<Held>) {
        self.count(outcome);
        let events = &self.shared.host.events;
        let grant = self.shared.auth().map_or("", |auth| auth.grant.as_str());
        match outcome {
            Ok(held) => {
                let Some(expires_in) = self.renewed else { return };
                events.emit(|| {
                    Event::new("token.refreshed")
                        .with("grant", grant)
                        .with("expires_in", expires_in.as_secs())
                        .with("scopes", held.token.scopes())
                        .with("request_id", self.request_id.clone())
                });
                let left = self.ends.map(|at| at.duration_since(SystemTime::now()).unwrap_or_default());
                let ends = self.shared.auth().ok().and_then(|auth| auth.credential_expires_at);
                let days = ends.map(|at| at.duration_since(SystemTime::now()).unwrap_or_default());
                if let Some(days) = days.filter(|days| *days < LONG_NOTICE) {
                    events.emit(|| {
                        Event::new("credential.expiring").with("expires_in", days.as_secs()).with(
                            "hint",
                            "Make a new certificate, upload its public half to the application, and put the new file in place before then.",
                        )
                    });
                }
                if let Some(left) = left.filter(|left| *left < NOTICE) {
                    events.emit(|| {
                        Event::new("login.expiring")
                            .with("expires_in", left.as_secs())
                            .with("username", held.token.username().map(str::to_owned))
                            .with("hint", "Sign in again before then: what renews the tokens ends by itself.")
                    });
                }
            }
            Err(error) => {
                events.emit(|| {
                    Event::new("token.refresh_failed")
                        .with("grant", grant)
                        .with("code", error.code().as_str())
                        .with("message", error.message())
                        .with("retryable", error.retryable())
                });
                if matches!(error.code(), ErrorCode::InteractionRequired | ErrorCode::ConsentRequired) {
                    events.emit(|| {
                        Event::new("login.required")
                            .with("code", error.code().as_str())
                            .with("message", error.message())
                            .with("hint", error.hint().unwrap_or_default())
                    });
                }
            }
        }
    }

    fn count(&self, outcome: &Result<Held>) {
        let Some(service) = self.shared.service() else { return };
        let Some(numbers) = crate::metrics::numbers().of_service(&service) else { return };
        match outcome {
            // From the store it cost nothing.
            Ok(_) if self.renewed.is_none() => {}
            Ok(held) => {
                let credential = self.shared.auth().ok().and_then(|auth| auth.credential_expires_at);
                let ends = Ends { token: held.token.expires_at(), login: self.ends, credential };
                let name = self.shared.settings.username.clone();
                let name = name.or_else(|| self.shared.state().lock().adopted.clone());
                numbers.refreshed(self.began.elapsed(), ends, name.as_deref());
            }
            Err(error) => numbers.failed(error.code().as_str()),
        }
    }

    async fn refresh(&mut self) -> Result<Held> {
        let auth = self.shared.auth()?;
        match auth.grant {
            GrantKind::ClientCredentials | GrantKind::JwtBearer | GrantKind::ManagedIdentity => {
                self.application(auth).await
            }
            GrantKind::AccessToken => self.given(auth).await,
            GrantKind::Command => self.printed(auth).await,
            GrantKind::Callback => self.provided(auth).await,
            GrantKind::AuthorizationCode | GrantKind::DeviceCode | GrantKind::RefreshToken => {
                self.person(auth).await
            }
        }
    }

    /// The application's own token. Nothing rotates, so the store is but a cache that may fail.
    async fn application(&mut self, auth: &AuthSettings) -> Result<Held> {
        let shared = self.shared;
        let key = Key::of_application(auth);
        // A machine's identity is nobody else's, and its service is at hand.
        let persistent = shared.is_persistent() && auth.grant != GrantKind::ManagedIdentity;
        let mut version = None;
        if persistent {
            match shared.store()?.load(&key).await {
                Ok(Some(stored)) => {
                    version = Some(stored.version);
                    self.pass_over(&stored.entry);
                    if let Some(held) = self.acceptable(auth, &stored.entry, Freshness::Fresh) {
                        return Ok(held);
                    }
                }
                Ok(None) => {}
                Err(error) => self.warn(&error),
            }
        }
        let mut tries = 0;
        let answer = loop {
            let asked = match auth.grant {
                GrantKind::JwtBearer => {
                    let _turn = crate::oauth::endpoint_gate::gates().take(auth).await;
                    grants::jwt_bearer(&shared.settings, auth).await
                }
                GrantKind::ManagedIdentity => managed::token(&shared.settings, auth).await,
                _ => {
                    let form = grants::client_credentials(auth);
                    let _turn = crate::oauth::endpoint_gate::gates().take(auth).await;
                    grants::submit(&shared.settings, auth, Asked::App, form).await
                }
            };
            match asked {
                Ok(answer) => break answer,
                Err(error) => self.pause(&mut tries, error).await?,
            }
        };
        let entry = self.renew(&Entry::default(), auth, &answer);
        if persistent {
            match shared.store()?.save(&key, Some(&entry), version).await {
                Ok(_) => {}
                Err(error) => self.warn(&error),
            }
        }
        held(&entry)
    }

    /// A token given as it is.
    async fn given(&self, auth: &AuthSettings) -> Result<Held> {
        let field = self.shared.settings.spelling.path("auth.access_token");
        let Some(source) = &auth.access_token else {
            return Err(Error::config(field.clone(), format!("`{field}` is missing")));
        };
        let secret = source.read(&field).await?;
        let over = |what: &str| {
            Error::new(ErrorCode::GrantRejected, format!("the token in `{field}` {what}"))
                .with_field(field.clone())
                .with_hint("Put a new token there, or use a grant that renews its tokens itself.")
        };
        if self.order.avoid.as_ref() == Some(&secret) {
            return Err(over("was refused"));
        }
        let expires_at = auth.expires_at.or_else(|| claims::expires_at(secret.expose()));
        let now = Now::read();
        let times = entry::lifetime_until(expires_at, now);
        if times.lifetime == Some(Duration::ZERO) {
            return Err(over("has expired"));
        }
        let token = entry::acquired_token(secret, auth.scopes.clone(), expires_at, now.mono);
        Ok(Held { token, times, refused: false })
    }

    /// A token from the host program's function.
    async fn provided(&mut self, auth: &AuthSettings) -> Result<Held> {
        let shared = self.shared;
        let Some(provider) = &shared.host.token_provider else {
            return Err(Error::config("auth.callback", "`auth.callback` is missing"));
        };
        let request = TokenRequest {
            username: shared.settings.username.clone(),
            scopes: auth.scopes.clone(),
            force: self.order.force || self.order.avoid.is_some(),
        };
        let failed = |what: &str| Error::new(ErrorCode::TokenProviderFailed, what);
        let provided = provider.token(request).await.map_err(|error| {
            let said = failed(&format!("the token callback failed: {}", error.message()));
            match error.hint() {
                Some(hint) => said.with_hint(hint),
                None => said,
            }
            .with_retryable(error.retryable())
            .with_retry_after(error.retry_after())
        })?;
        self.accept(auth, provided, "the token callback")
    }

    /// A token that a program prints.
    async fn printed(&mut self, auth: &AuthSettings) -> Result<Held> {
        let Some((words, limit)) = &auth.command else {
            return Err(Error::config("auth.command", "`auth.command` is missing"));
        };
        let field = self.shared.settings.spelling.path("auth.command");
        let failed = |error: Error| {
            let said = Error::new(ErrorCode::TokenProviderFailed, error.message());
            match error.hint() {
                Some(hint) => said.with_hint(hint),
                None => said,
            }
        };
        let said = crate::input::run(words, &field, *limit).await.map_err(failed)?;
        let token = command::read(&said, SystemTime::now()).map_err(|what| {
            let text = format!("`{field}`: what the program printed {what}");
            Error::new(ErrorCode::TokenProviderFailed, text)
                .with_hint("It prints a token alone, or JSON with access_token and expires_in or expires_at.")
        })?;
        self.accept(auth, token, "the program")
    }

    /// A token from outside.
    fn accept(&mut self, auth: &AuthSettings, provided: ProvidedToken, who: &str) -> Result<Held> {
        let failed = |what: &str| Error::new(ErrorCode::TokenProviderFailed, format!("{who}'s token {what}"));
        if self.order.avoid.as_ref() == Some(&provided.secret) {
            return Err(failed("is the one that was refused"));
        }
        let text = provided.secret.expose();
        if !crate::text::is_word(text) {
            return Err(failed("is empty or has blanks in it"));
        }
        let expires_at = provided.expires_at.or_else(|| claims::expires_at(text));
        let now = Now::read();
        let times = entry::lifetime_until(expires_at, now);
        if times.lifetime == Some(Duration::ZERO) {
            return Err(failed("has expired already"));
        }
        self.renewed = Some(times.lifetime.unwrap_or_default());
        let token = entry::acquired_token(provided.secret, auth.scopes.clone(), expires_at, now.mono);
        Ok(Held { token, times, refused: false })
    }

    /// A person's token: claim, post, save, use.
    async fn person(&mut self, auth: &AuthSettings) -> Result<Held> {
        let shared = self.shared;
        let key = shared.locate(auth).await?;
        let seed = match auth.grant {
            GrantKind::RefreshToken => Some(shared.seed(auth).await?),
            _ => None,
        };
        let (mut tries, mut raced, mut turn, mut rounds) = (0, false, None, 0);
        // Each round loses a race or posts.
        while rounds < ROUNDS {
            rounds += 1;
            let (mut entry, version) = self.stored(auth, &key, seed.as_ref()).await?;
            self.pass_over(&entry);
            if let Some(held) = self.acceptable(auth, &entry, Freshness::Fresh) {
                return Ok(held);
            }
            if entry.claimed_by_another(&self.owner, SystemTime::now()) {
                turn = None;
                // A claim ends by itself.
                rounds -= 1;
                tokio::time::sleep(Duration::from_millis(50).mul_f64(1.0 + 2.0 * random::unit())).await;
                continue;
            }
            let Some(sent) = entry.refresh_token.clone() else { return Err(shared.nobody(auth)) };
            if let Some(error) = self.refused_lately(&sent) {
                return Err(error);
            }
            if turn.is_none() {
                // All that may take long comes before the claim; meanwhile somebody else may have refreshed it.
                if let Err(error) = discovery::endpoints(&shared.settings, auth).await {
                    self.pause(&mut tries, error).await?;
                    continue;
                }
                turn = Some(crate::oauth::endpoint_gate::gates().take(auth).await);
                continue;
            }
            // What brings the application's secret runs within the claim too, and all of it happens twice if the
            // secret changed meanwhile.
            let request = shared.settings.http_timeout;
            let custody = shared.custody();
            let until = SystemTime::now() + 2 * (request + auth.credential.patience(request)) + CLAIM_MARGIN;
            entry.refreshing = Some(Claim { owner: self.owner.clone(), until: entry::millis(until) });
            if !shared.store()?.save(&key, Some(&entry), version).await? {
                continue;
            }
            let form = grants::refresh_token(auth, &sent, entry.imported);
            match grants::submit(&shared.settings, auth, Asked::Refresh, form).await {
                Ok(answer) => {
                    let renewed = self.renew(&entry, auth, &answer);
                    if self.keep(&key, &renewed, &sent).await? {
                        return held(&renewed);
                    }
                }
                Err(error) => {
                    let challenge = error.oauth().and_then(|detail| detail.claims.clone());
                    let now_stored = self.release(&key, challenge).await?;
                    drop(custody);
                    if error.code() == ErrorCode::TokenEndpointUnavailable {
                        turn = None;
                        self.pause(&mut tries, error).await?;
                        continue;
                    }
                    let grant = error.oauth().is_some_and(|detail| detail.error == "invalid_grant");
                    if grant && !raced && now_stored.is_some_and(|token| token != sent) {
                        // Another process rotated it while we asked: its token is the one that counts.
                        raced = true;
                        continue;
                    }
                    return Err(self.refused(auth, sent, error, grant));
                }
            }
        }
        Err(Error::new(ErrorCode::StoreFailed, "other processes change the token store all the time")
            .with_retryable(true))
    }

    /// The stored entry; for a configured refresh token, that one until it was rotated.
    async fn stored(
        &self,
        auth: &AuthSettings,
        key: &Key,
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
    fn offer(&self, auth: &AuthSettings, key: &Key, entry: &Entry) {
        let usable = self.acceptable(auth, entry, Freshness::Stale);
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

    /// A forced refresh of a process that holds no token yet means the one that is stored.
    fn pass_over(&mut self, entry: &Entry) {
        if self.order.force && self.order.avoid.is_none() {
            self.order.avoid = entry.token(Now::read()).map(|(token, _)| token.secret);
        }
    }

    /// The entry's token, if it will do: at least `least`, and not the one that was refused.
    fn acceptable(&self, auth: &AuthSettings, entry: &Entry, least: Freshness) -> Option<Held> {
        let now = Now::read();
        let (token, times) = entry.token(now)?;
        if self.order.avoid.as_ref() == Some(&token.secret) {
            return None;
        }
        let seen = freshness::judge(&times, now, auth.limits(), None);
        let fit = seen == Freshness::Fresh || (seen == Freshness::Stale && least == Freshness::Stale);
        fit.then_some(Held { token, times, refused: false })
    }

    /// Saves the renewed entry. False: a sign-in or a rotation of somebody else's came first, and ours is
    /// dropped. If the place fails, the entry stays in memory and is saved next time.
    async fn keep(&self, key: &Key, renewed: &Entry, sent: &Secret) -> Result<bool> {
        let shared = self.shared;
        for _ in 0..ROUNDS {
            let saved = match shared.store()?.load(key).await {
                Ok(None) => return Ok(false),
                Ok(Some(Versioned { entry, version })) => {
                    let ours = entry.refreshing.as_ref().is_some_and(|claim| claim.owner == self.owner);
                    // Our claim may have lapsed; what counts is that nobody rotated past us.
                    if !ours && entry.refresh_token.as_ref() != Some(sent) {
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
                        self.warn(&error);
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
                        inner.held = held(renewed).ok();
                        let (key, entry, replaces) = (key.clone(), renewed.clone(), Some(sent.clone()));
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
    async fn release(&self, key: &Key, challenge: Option<String>) -> Result<Option<Secret>> {
        let store = self.shared.store()?;
        for _ in 0..ROUNDS {
            let Some(Versioned { mut entry, version }) = store.load(key).await? else { return Ok(None) };
            let token = entry.refresh_token.clone();
            if entry.refreshing.as_ref().is_none_or(|claim| claim.owner != self.owner) {
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
    fn refused(&self, auth: &AuthSettings, sent: Secret, error: Error, grant: bool) -> Error {
        let error = match error.code() {
            ErrorCode::InteractionRequired => {
                let cure = self.shared.sign_in_hint(auth);
                let hint = error.oauth().filter(|o| !o.codes.is_empty()).and_then(|_| error.hint());
                let hint = hint.map_or_else(|| cure.clone(), |hint| format!("{hint} {cure}"));
                error.with_hint(hint)
            }
            _ => error,
        };
        if grant {
            let until = Instant::now() + DEAD_TIME;
            self.shared.state().lock().dead = Some(Box::new((sent, Failure { error: error.clone(), until })));
        }
        error
    }

    fn refused_lately(&self, token: &Secret) -> Option<Error> {
        let inner = self.shared.state().lock();
        let (dead, failure) = inner.dead.as_deref()?;
        (dead == token && Instant::now() < failure.until).then(|| failure.error.clone())
    }

    fn renew(&mut self, entry: &Entry, auth: &AuthSettings, answer: &TokenAnswer) -> Entry {
        let renewed = entry.renewed(answer, &auth.scopes, SystemTime::now());
        self.renewed = Some(answer.expires_in);
        self.request_id = answer.request_id.clone();
        self.ends = renewed.account().and_then(|account| account.refresh_expires_at);
        renewed
    }

    /// Waits before another try, or hands the error back: at most three tries (six of a machine's own service), and a service that wants
    /// a longer pause is not asked again by us.
    async fn pause(&self, tries: &mut u32, error: Error) -> Result<()> {
        *tries += 1;
        let settings = &self.shared.settings;
        let backoff = settings.base_delay.saturating_mul(1 << (*tries - 1).min(8)).min(settings.max_delay);
        let wait = backoff.mul_f64(0.75 + 0.5 * random::unit());
        let asked = error.retry_after().unwrap_or_default();
        let passing = error.code() == ErrorCode::TokenEndpointUnavailable && error.retryable();
        // The machine's own service may be away for a minute while it is renewed (410).
        let machine = self.shared.auth().is_ok_and(|auth| auth.grant == GrantKind::ManagedIdentity);
        let most = if machine { TRIES_OF_A_MACHINE } else { TRIES };
        if !passing || *tries >= most || asked > LONGEST_PAUSE {
            return Err(error);
        }
        tokio::time::sleep(wait.max(asked)).await;
        Ok(())
    }

    fn warn(&self, error: &Error) {
        self.shared.host.events.emit(|| {
            Event::new("warning").with("code", error.code().as_str()).with("message", error.message())
        });
    }
}

fn held(entry: &Entry) -> Result<Held> {
    let (token, times) = entry
        .token(Now::read())
        .ok_or_else(|| Error::new(ErrorCode::Internal, "a renewed entry has no access token"))?;
    Ok(Held { token, times, refused: false })
}

/// How long a failure is repeated without asking again.
fn negative(error: &Error) -> Duration {
    let usual = Duration::from_secs(5);
    error.retry_after().map_or(usual, |after| after.clamp(usual, RETRY_AFTER_CAP))
}

/// Tries of one token request.
const TRIES: u32 = 3;

/// Microsoft asks for as many of an identity service.
const TRIES_OF_A_MACHINE: u32 = 6;

/// A pause longer than this is the caller's to make.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How long ahead the end of a certificate is told.
const LONG_NOTICE: Duration = Duration::from_secs(21 * 24 * 3600);

/// How long ahead the end of a sign-in is told.
const NOTICE: Duration = Duration::from_secs(3 * 24 * 3600);

/// A claim outlasts its request by this.
const CLAIM_MARGIN: Duration = Duration::from_secs(10);

/// A refused refresh token is not posted again for so long.
const DEAD_TIME: Duration = Duration::from_secs(60);

/// Waiting for others' claims takes most of them; a claim lasts far less than this many waits.
const ROUNDS: usize = 1000;
