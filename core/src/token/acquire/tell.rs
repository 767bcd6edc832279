//! What is counted and told of a refresh.

use std::time::{Duration, SystemTime};

use super::Attempt;
use crate::config::AuthSettings;
use crate::error::{ErrorCode, Result};
use crate::event::Event;
use crate::metrics::{self, Ends};
use crate::token::state::Held;

impl Attempt<'_> {
    /// Counts the outcome, and tells it as events.
    pub(crate) fn tell(&self, outcome: &Result<Held>) {
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
                let ends = self.shared.auth().ok().and_then(AuthSettings::credential_expires_at);
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
                            .with(
                                "hint",
                                "Sign in again before then: afterwards the tokens cannot be renewed.",
                            )
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
        let Some(label) = self.shared.label() else { return };
        let Some(numbers) = metrics::numbers().of_service(&label) else { return };
        match outcome {
            // From the store it cost nothing.
            Ok(_) if self.renewed.is_none() => {}
            Ok(held) => {
                let credential = self.shared.auth().ok().and_then(AuthSettings::credential_expires_at);
                let ends = Ends { token: held.token.expires_at(), login: self.ends, credential };
                let name = self.shared.settings.username.clone();
                let name = name.or_else(|| self.shared.state().lock().adopted.clone());
                numbers.refreshed(self.began.elapsed(), ends, name.as_deref());
            }
            Err(error) => numbers.failed(error.code().as_str()),
        }
    }
}

/// How long ahead the end of a certificate is told.
const LONG_NOTICE: Duration = Duration::from_secs(21 * 24 * 3600);

/// How long ahead the end of a sign-in is told.
const NOTICE: Duration = Duration::from_secs(3 * 24 * 3600);
