//! How a token source begins a sign-in, or goes on with one.

use super::login::Login;
use super::request::LoginRequest;
use crate::error::Result;
use crate::token::TokenSource;

impl TokenSource {
    /// Begins a sign-in.
    ///
    /// # Errors
    /// `config_invalid` for grants without a person, or a method whose endpoint is unknown; the 300s
    /// where the service refuses a device sign-in at once.
    pub async fn login(&self, request: LoginRequest) -> Result<Login> {
        self.shared.open()?;
        Login::begin(self.clone(), request).await
    }

    /// Goes on with a sign-in that another process began.
    ///
    /// # Errors
    /// `login_invalid` if the text is damaged, too old, used, or of a source with other options.
    pub fn resume_login(&self, saved: &str) -> Result<Login> {
        self.shared.open()?;
        Login::resume(self.clone(), saved)
    }
}
