//! How a sign-in is asked for.

use crate::call::Call;

/// How a sign-in is begun.
#[derive(Clone, Debug, Default)]
pub struct LoginRequest {
    /// `authorization_code` or `device_code`; the configured grant where absent.
    pub method: Option<String>,
    /// The application's own redirect URI: then `finish` ends it, else `wait`.
    pub redirect_uri: Option<String>,
    /// The account to offer.
    pub login_hint: Option<String>,
    /// Opens the person's browser. Where there is none, nothing happens: show the URL too.
    pub open_browser: bool,
    /// Timeout and cancel of the beginning itself.
    pub call: Call,
}
