//! How a token is acquired, by grant: an application's own, one from outside, or a person's, for whom the store's
//! entry is claimed before anything is posted.

mod application;
mod outside;
mod person;
mod printed;
mod tell;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use self::application::Question;
use super::entry::Entry;
use super::freshness::{self, Freshness, Now};
use super::shared::Shared;
use super::state::{Audience, Held};
use crate::config::{AuthSettings, Grant};
use crate::crypto::random;
use crate::error::{Error, ErrorCode, Result};
use crate::input::Secret;
use crate::oauth::answer::TokenAnswer;
use crate::retry;

/// What a refresh was started for.
#[derive(Clone)]
pub(crate) struct Order {
    /// The refresh's number.
    pub(crate) id: u64,
    /// The sign-in that it belongs to.
    pub(crate) generation: u64,
    /// A token that will not do.
    pub(crate) avoid: Option<Secret>,
    /// The token at hand was refused.
    pub(crate) force: bool,
    /// Who waits for it.
    pub(crate) audience: Audience,
}

/// One attempt to get a token, and what is told of it afterwards.
pub(crate) struct Attempt<'a> {
    shared: &'a Arc<Shared>,
    order: Order,
    began: Instant,
    /// How long the service's new token lives; none if it came from the store.
    renewed: Option<Duration>,
    /// When a person must sign in again, if the service said so.
    ends: Option<SystemTime>,
    /// The request's own id.
    request_id: Option<String>,
    /// It was ended because nobody waited any more: no failure.
    abandoned: bool,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(shared: &'a Arc<Shared>, order: Order) -> Self {
        let began = Instant::now();
        Self { shared, order, began, renewed: None, ends: None, request_id: None, abandoned: false }
    }

    pub(crate) fn shared(&self) -> &'a Arc<Shared> {
        self.shared
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned
    }

    pub(crate) fn order(&self) -> &Order {
        &self.order
    }

    /// Gets it.
    ///
    /// # Errors
    /// The 300s, `store_failed`, `config_invalid`.
    pub(crate) async fn acquire(&mut self) -> Result<Held> {
        let auth = self.shared.auth()?;
        match &auth.grant {
            Grant::ClientCredentials(application) => {
                self.application(auth, Question::Application(application)).await
            }
            Grant::JwtBearer(account) => self.application(auth, Question::Account(account)).await,
            Grant::ManagedIdentity(who, which) => self.application(auth, Question::Machine(who, which)).await,
            Grant::AccessToken { token, expires_at } => self.given(auth, token, *expires_at).await,
            Grant::Command { words, limit } => self.printed(auth, words, *limit).await,
            Grant::Callback(function) => self.called_back(auth, function).await,
            Grant::AuthorizationCode(application, _) | Grant::DeviceCode(application, _) => {
                self.person(auth, application, None).await
            }
            Grant::RefreshToken(application, seed) => self.person(auth, application, Some(seed)).await,
        }
    }

    /// A forced refresh of a process that holds no token yet means the one that is stored.
    fn avoid_stored(&mut self, entry: &Entry, now: Now) {
        if self.order.force && self.order.avoid.is_none() {
            self.order.avoid = entry.token(now).map(|(token, _)| token.secret);
        }
    }

    /// The entry's token, if it will do: at least `least`, and not the one that was refused.
    fn acceptable(&self, auth: &AuthSettings, entry: &Entry, least: Freshness, now: Now) -> Option<Held> {
        let (token, times) = entry.token(now)?;
        if self.order.avoid.as_ref() == Some(&token.secret) {
            return None;
        }
        let seen = freshness::judge(&times, now, auth.limits(), None);
        let fit = seen == Freshness::Fresh || (seen == Freshness::Stale && least == Freshness::Stale);
        fit.then_some(Held { token, times, refused: false })
    }

    /// The entry with the service's answer, and what is told of it.
    fn renew(&mut self, entry: &Entry, auth: &AuthSettings, answer: &TokenAnswer, now: SystemTime) -> Entry {
        let renewed = entry.renewed(answer, &auth.scopes, now);
        self.renewed = Some(answer.expires_in);
        self.request_id = answer.request_id.clone();
        self.ends = renewed.account().and_then(|account| account.refresh_expires_at);
        renewed
    }

    /// Waits before another try, or hands the error back: at most three tries (six of a machine's own service), and a
    /// service that wants a longer pause is not asked again by us.
    async fn pause(&self, tries: &mut u32, error: Error) -> Result<()> {
        *tries += 1;
        let settings = &self.shared.settings;
        let asked = error.retry_after().unwrap_or_default();
        let passing = error.code() == ErrorCode::TokenEndpointUnavailable && error.retryable();
        // The machine's own service may be away for a minute while it is renewed (410).
        let machine = self.shared.auth().is_ok_and(|auth| matches!(auth.grant, Grant::ManagedIdentity(..)));
        let most = if machine { TRIES_OF_A_MACHINE } else { TRIES };
        if !passing || *tries >= most || asked > LONGEST_PAUSE {
            return Err(error);
        }
        let wait = retry::backoff(settings.base_delay, settings.max_delay, *tries, random::unit());
        tokio::time::sleep(wait.max(asked)).await;
        Ok(())
    }
}

/// The token of an entry that was just renewed.
fn held(entry: &Entry, now: Now) -> Result<Held> {
    let (token, times) = entry
        .token(now)
        .ok_or_else(|| Error::new(ErrorCode::Internal, "a renewed entry has no access token"))?;
    Ok(Held { token, times, refused: false })
}

/// Tries of one token request.
const TRIES: u32 = 3;

/// Microsoft asks for as many of an identity service.
const TRIES_OF_A_MACHINE: u32 = 6;

/// A pause longer than this is the caller's to make.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
