//! Which URLs are taken where secrets go, or come back to.

use url::Url;

use crate::error::{Error, Result};
use crate::net::server_url::is_loopback;

/// A redirect URI is absolute, without fragment (RFC 6749 §3.1.2). On loopback it may be plain http, with any port and path:
/// it is the application's own, and the service compares it as it was registered.
pub(crate) fn check_redirect_uri(field: &str, text: &str) -> Result<()> {
    let url = Url::parse(text).map_err(|e| Error::config(field, format!("`{field}` is not a URL: {e}")))?;
    if url.fragment().is_some() {
        return Err(Error::config(field, format!("`{field}` may not have a fragment")));
    }
    let loopback = url.scheme() == "http" && url.host_str().is_some_and(is_loopback);
    if url.scheme() == "http" && !loopback {
        return Err(Error::config(field, format!("`{field}` must be https")).with_hint(
            "Use https: the code that opens the mailbox comes back to this address. Plain http is allowed on loopback only.",
        ));
    }
    Ok(())
}

/// Reads an endpoint's URL: https, or http on loopback.
pub(crate) fn parse_endpoint(field: &str, text: &str) -> Result<Url> {
    let url = Url::parse(text).map_err(|e| Error::config(field, format!("`{field}` is not a URL: {e}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::config(field, format!("`{field}` has a user or password in it"))
            .with_hint("Put the application's secret into auth.client_secret."));
    }
    let loopback = url.host_str().is_some_and(is_loopback);
    if url.scheme() == "https" || (url.scheme() == "http" && loopback) {
        return Ok(url);
    }
    Err(Error::config(field, format!("`{field}` must be https"))
        .with_hint("Use https: secrets travel to this address. Plain http is allowed on loopback only."))
}
