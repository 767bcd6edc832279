//! Tokens from outside: one that was given as it is, and one that a function of the host program brings.

use std::time::{Duration, SystemTime};

use super::Attempt;
use crate::call::Cancel;
use crate::config::{AuthSettings, SecretSource, TokenCallback};
use crate::error::{Error, ErrorCode, Result};
use crate::host::{ProvidedToken, TokenRequest};
use crate::oauth::claims;
use crate::text;
use crate::token::entry;
use crate::token::freshness::Now;
use crate::token::state::Held;

impl Attempt<'_> {
    /// A token given as it is.
    pub(super) async fn given(
        &self,
        auth: &AuthSettings,
        source: &SecretSource,
        expires_at: Option<SystemTime>,
    ) -> Result<Held> {
        let field = self.shared.settings.spelling.path("auth.access_token");
        let secret = source.read(&field).await?;
        let over = |what: &str| {
            Error::new(ErrorCode::GrantRejected, format!("the token in `{field}` {what}"))
                .with_field(field.clone())
                .with_hint("Put a new token there, or use a grant that renews its tokens itself.")
        };
        if self.order.avoid.as_ref() == Some(&secret) {
            return Err(over("was refused"));
        }
        let expires_at = expires_at.or_else(|| claims::expires_at(secret.expose()));
        let now = Now::read();
        let times = entry::lifetime_until(expires_at, now);
        if times.lifetime == Some(Duration::ZERO) {
            return Err(over("has expired"));
        }
        let token = entry::acquired_token(secret, auth.scopes.clone(), expires_at, now.mono);
        Ok(Held { token, times, refused: false })
    }

    /// A token from the host program's function.
    pub(super) async fn called_back(
        &mut self,
        auth: &AuthSettings,
        function: &TokenCallback,
    ) -> Result<Held> {
        let request = TokenRequest {
            username: self.shared.settings.username.clone(),
            scopes: auth.scopes.clone(),
            force: self.order.force || self.order.avoid.is_some(),
        };
        let failed = |what: &str| Error::new(ErrorCode::TokenProviderFailed, what);
        let provided = tokio::select! {
            biased;
            provided = function.0.token(request) => provided,
            // Dropping its future tells the function that nobody wants its token any more.
            () = self.order.audience.gone() => {
                self.abandoned = true;
                return Err(Cancel::error());
            }
        };
        let provided = provided.map_err(|error| {
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

    /// Looks at a token from outside; `who` brought it.
    pub(super) fn accept(&mut self, auth: &AuthSettings, provided: ProvidedToken, who: &str) -> Result<Held> {
        let failed = |what: &str| Error::new(ErrorCode::TokenProviderFailed, format!("{who}'s token {what}"));
        if self.order.avoid.as_ref() == Some(&provided.secret) {
            return Err(failed("is the one that was refused"));
        }
        let secret = provided.secret.expose();
        if !text::is_word(secret) {
            return Err(failed("is empty or has blanks in it"));
        }
        let expires_at = provided.expires_at.or_else(|| claims::expires_at(secret));
        let now = Now::read();
        let times = entry::lifetime_until(expires_at, now);
        if times.lifetime == Some(Duration::ZERO) {
            return Err(failed("has expired already"));
        }
        self.renewed = Some(times.lifetime.unwrap_or_default());
        let token = entry::acquired_token(provided.secret, auth.scopes.clone(), expires_at, now.mono);
        Ok(Held { token, times, refused: false })
    }
}
