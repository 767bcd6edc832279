//! What the host program brings beside the options: functions, and how its language spells names.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::Result;
use crate::event::EventSink;
use crate::input::{Environment, Secret, Spelling};

/// A future without a name.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The host program's side of a mailer.
#[derive(Clone, Default)]
pub struct Host {
    /// How its language spells names in messages.
    pub spelling: Spelling,
    /// The program's token function, for `auth.grant = "callback"`. With `auth.client_assertion = {callback =
    /// true}` the function returns the application's assertion instead, and `scopes` holds the assertion's
    /// audience, the token endpoint.
    pub token_provider: Option<Arc<dyn TokenProvider>>,
    /// The program's token store.
    pub store: Option<Arc<dyn TokenStore>>,
    /// Where events go.
    pub events: EventSink,
    /// Its environment variables, if it has others than the process.
    pub environment: Environment,
    /// The options came from a file: delegated grants then keep their tokens in one.
    pub persistent: bool,
}

/// A function of the host program that gets tokens.
pub trait TokenProvider: Send + Sync {
    /// One token. Called in a task of ours; a slow one delays sends up to their time limit.
    ///
    /// # Errors
    /// Any error; it reaches the caller as `token_provider_failed`.
    fn token(&self, request: TokenRequest) -> BoxFuture<'_, Result<ProvidedToken>>;
}

/// What is asked of a [`TokenProvider`].
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// The mailbox.
    pub username: Option<String>,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The token given last was refused: bring a new one.
    pub force: bool,
}

/// What a [`TokenProvider`] answers.
#[derive(Clone, Debug)]
pub struct ProvidedToken {
    /// The access token.
    pub secret: Secret,
    /// When it expires; absent: the JWT's `exp`, else good until refused.
    pub expires_at: Option<SystemTime>,
}

/// A place of the host program's own for tokens: a compare-and-swap on a version.
pub trait TokenStore: Send + Sync {
    /// The entry and its version.
    ///
    /// # Errors
    /// Any error; it reaches the caller as `store_failed`.
    fn load(&self, key: &str) -> BoxFuture<'_, Result<Option<StoredEntry>>>;

    /// Writes (`None` removes) if the version is still `expected` (`None`: there is no entry);
    /// otherwise returns false. The next version is any other number.
    ///
    /// # Errors
    /// Any error; it reaches the caller as `store_failed`.
    fn save(&self, key: &str, entry: Option<Vec<u8>>, expected: Option<u64>) -> BoxFuture<'_, Result<bool>>;
}

/// What a [`TokenStore`] keeps. It holds refresh tokens: treat it as a secret.
#[derive(Clone)]
pub struct StoredEntry {
    /// Opaque octets.
    pub entry: Vec<u8>,
    /// The entry's version.
    pub version: u64,
}
