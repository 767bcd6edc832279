//! What AUTH needs of a token source.

use std::future::Future;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::call::Call;
use crate::error::Result;
use crate::input::Secret;
use crate::smtp::protocol::auth::Sasl;
use crate::token::{AccessToken, GetToken, SourceId, TokenSource};

/// Brings tokens: a [`TokenSource`], or a test's own.
pub(crate) trait Bearer: Clone + Send + Sync + 'static {
    type Token: BearerToken;

    /// A token that was not marked as refused.
    fn token(&self, call: Call) -> impl Future<Output = Result<Self::Token>> + Send;

    /// Marks exactly this token as refused.
    fn invalidate(&self, secret: &str);

    /// Equal for two sources only if they bring the same tokens: connections are shared by it.
    fn identity(&self) -> SourceId;
}

/// A token, as AUTH presents it.
pub(crate) trait BearerToken: Send + Sync {
    fn secret(&self) -> &str;

    /// Since it was acquired.
    fn age(&self) -> Duration;

    /// The SASL response in base64.
    fn response(&self, mechanism: Sasl, host: &str, port: u16, username: Option<&str>) -> Result<Secret>;
}

impl Bearer for TokenSource {
    type Token = AccessToken;

    async fn token(&self, call: Call) -> Result<AccessToken> {
        self.get(GetToken { force: false, min_remaining: None, call }).await
    }

    fn invalidate(&self, secret: &str) {
        Self::invalidate(self, secret);
    }

    fn identity(&self) -> SourceId {
        Self::identity(self)
    }
}

impl BearerToken for AccessToken {
    fn secret(&self) -> &str {
        Self::secret(self)
    }

    fn age(&self) -> Duration {
        self.acquired.elapsed()
    }

    fn response(&self, mechanism: Sasl, host: &str, port: u16, username: Option<&str>) -> Result<Secret> {
        match mechanism {
            Sasl::Xoauth2 => self.xoauth2_base64(username).map(Secret::new),
            Sasl::Oauthbearer => {
                let plain = Secret::new(self.oauthbearer(host, port, username)?);
                Ok(Secret::new(STANDARD.encode(plain.expose())))
            }
        }
    }
}
