//! The application's own token: client credentials, a service account's word, the machine's identity.

use super::{Attempt, held};
use crate::config::{Application, AuthSettings, Identity, IdentityService, ServiceAccount};
use crate::error::Result;
use crate::token::entry::Entry;
use crate::token::freshness::{Freshness, Now};
use crate::token::state::Held;
use crate::token::store::EntryKey;

/// What is asked for it.
#[derive(Clone, Copy)]
pub(super) enum Question<'a> {
    Application(&'a Application),
    Account(&'a ServiceAccount),
    Machine(&'a IdentityService, &'a Identity),
}

impl Attempt<'_> {
    /// Nothing rotates, so the store is but a cache that may fail.
    pub(super) async fn application(&mut self, auth: &AuthSettings, question: Question<'_>) -> Result<Held> {
        let (shared, service) = (self.shared, self.shared.service()?);
        let key = EntryKey::of_application(auth);
        // A machine's identity is nobody else's, and its service is at hand.
        let persistent = shared.is_persistent() && !matches!(question, Question::Machine(..));
        let mut version = None;
        if persistent {
            match shared.store()?.load(&key).await {
                Ok(Some(stored)) => {
                    let now = Now::read();
                    version = Some(stored.version);
                    self.avoid_stored(&stored.entry, now);
                    if let Some(held) = self.acceptable(auth, &stored.entry, Freshness::Fresh, now) {
                        return Ok(held);
                    }
                }
                Ok(None) => {}
                Err(error) => shared.warn(error.code().as_str(), error.message()),
            }
        }
        let mut tries = 0;
        let answer = loop {
            let asked = match question {
                Question::Machine(who, which) => service.managed_identity(who, which).await,
                Question::Account(account) => {
                    let _turn = service.turn().await;
                    service.jwt_bearer(account).await
                }
                Question::Application(application) => {
                    let _turn = service.turn().await;
                    service.client_credentials(application).await
                }
            };
            match asked {
                Ok(answer) => break answer,
                Err(error) => self.pause(&mut tries, error).await?,
            }
        };
        let now = Now::read();
        let entry = self.renew(&Entry::default(), auth, &answer, now.wall);
        if persistent && let Err(error) = shared.store()?.save(&key, Some(&entry), version).await {
            shared.warn(error.code().as_str(), error.message());
        }
        held(&entry, now)
    }
}
