//! The JWT bearer grant (RFC 7523 §2.1) as Google has it: a service account speaks for a mailbox.

use serde_json::Value;

use crate::defaults::DEFAULT_SERVICE_ACCOUNT;
use crate::keys;
use crate::memory::Shared;
use crate::oauth::error::OauthError;
use crate::oauth::scope::Scopes;

/// `grant_type` of the grant.
pub(crate) const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The longest life of an assertion, in seconds, and how far clocks may differ.
const LONGEST: f64 = 3600.0;
const SKEW: f64 = 300.0;

/// What a sound assertion asks for.
pub(crate) struct Delegation {
    pub(crate) service_account: String,
    pub(crate) mailbox: String,
    pub(crate) scopes: Scopes,
}

/// The account that claims to speak and the mailbox that it claims to speak for; neither is checked.
pub(crate) fn parties(assertion: &str) -> (Option<String>, Option<String>) {
    let claims = keys::claims(assertion).unwrap_or(Value::Null);
    let text = |name: &str| claims[name].as_str().map(str::to_owned);
    (text("iss"), text("sub"))
}

/// Judges an assertion. The emulator's own account must have signed it; the keys of others are not known here,
/// so their signatures are not looked at.
pub(crate) fn check(shared: &Shared, assertion: &str, now: f64) -> Result<Delegation, OauthError> {
    let refused = OauthError::service_account;
    let claims = keys::claims(assertion)
        .ok_or_else(|| refused("Invalid JWT: Failed to parse the JWT, it must have three parts."))?;
    let text = |name: &str| claims[name].as_str().unwrap_or_default();
    let service_account = text("iss");
    if !service_account.ends_with(".gserviceaccount.com") {
        return Err(refused("Invalid grant: account not found"));
    }
    if service_account == DEFAULT_SERVICE_ACCOUNT && !shared.service_account.has_signed(assertion) {
        return Err(refused("Invalid JWT Signature."));
    }
    if !text("aud").ends_with("/token") {
        return Err(refused(
            "Invalid JWT: Failed audience check. The right audience is https://oauth2.googleapis.com/token",
        ));
    }
    let moment = |name: &str| claims[name].as_f64().unwrap_or_default();
    let (from, until) = (moment("iat"), moment("exp"));
    if until <= now - SKEW || from > now + SKEW || until - from > LONGEST {
        return Err(refused(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.",
        ));
    }
    if text("scope").is_empty() {
        return Err(OauthError::bad_scope(""));
    }
    let scopes = Scopes::parse(shared.dialect, text("scope"))?;
    let mailbox = match text("sub") {
        // Without a subject it speaks for itself, and has no mailbox.
        "" => service_account,
        subject => subject,
    };
    let domain = mailbox.rsplit('@').next().unwrap_or_default();
    if domain.eq_ignore_ascii_case("gmail.com") {
        // A personal account is in nobody's Workspace.
        return Err(OauthError::not_delegated());
    }
    if !mailbox.contains('@') {
        return Err(refused("Invalid email or User ID"));
    }
    Ok(Delegation { service_account: service_account.to_owned(), mailbox: mailbox.to_owned(), scopes })
}
