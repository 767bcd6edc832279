//! The registered applications, and how they prove who they are.

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use crate::config::Dialect;
use crate::defaults::{DEFAULT_CLIENT_ID, DEFAULT_PUBLIC_CLIENT_ID};
use crate::keys;
use crate::memory::Memory;
use crate::oauth::error::OauthError;
use crate::oauth::form::Form;

/// A registered application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) public: bool,
}

/// The application with this id.
pub(crate) fn find(client_id: &str, tenant: &str) -> Result<Client, OauthError> {
    let public = if client_id.eq_ignore_ascii_case(DEFAULT_CLIENT_ID) {
        false
    } else if client_id.eq_ignore_ascii_case(DEFAULT_PUBLIC_CLIENT_ID) {
        true
    } else {
        return Err(OauthError::unknown_client(client_id, tenant));
    };
    Ok(Client { id: client_id.to_ascii_lowercase(), public })
}

/// What a token request says about its client.
pub(crate) struct Credentials {
    pub(crate) client_id: Option<String>,
    secret: Option<String>,
    assertion: Option<String>,
    /// `none`, `secret`, `basic` or `assertion`, for the log.
    pub(crate) kind: &'static str,
}

impl Credentials {
    /// From the form, or from an Authorization header (RFC 6749 §2.3.1).
    pub(crate) fn of(form: &Form, headers: &HeaderMap) -> Self {
        let basic = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Basic "))
            .and_then(|encoded| STANDARD.decode(encoded.trim()).ok())
            .and_then(|pair| String::from_utf8(pair).ok())
            .and_then(|pair| {
                let (id, secret) = pair.split_once(':')?;
                Some((decoded(id), decoded(secret)))
            });
        if let Some((id, secret)) = basic {
            return Self { client_id: Some(id), secret: Some(secret), assertion: None, kind: "basic" };
        }
        let secret = form.text("client_secret").map(str::to_owned);
        let assertion = form.text("client_assertion").map(str::to_owned);
        let kind = match (&secret, &assertion) {
            (Some(_), _) => "secret",
            (None, Some(_)) => "assertion",
            (None, None) => "none",
        };
        Self { client_id: form.text("client_id").map(str::to_owned), secret, assertion, kind }
    }

    /// The client, if these credentials are its own.
    pub(crate) fn check(&self, memory: &Memory, tenant: &str) -> Result<Client, OauthError> {
        let id = self.client_id.as_deref().ok_or_else(|| OauthError::missing_parameter("client_id"))?;
        let client = find(id, tenant)?;
        if client.public {
            return match (&self.secret, &self.assertion) {
                (None, None) => Ok(client),
                _ => Err(OauthError::secret_on_public_client()),
            };
        }
        match (&self.secret, &self.assertion) {
            (Some(secret), _) if *secret == memory.config.client_secret => Ok(client),
            (Some(_), _) => Err(OauthError::wrong_secret(id)),
            (None, Some(assertion)) => check_assertion(assertion, &client, memory.now()),
            (None, None) => Err(OauthError::missing_secret()),
        }
    }
}

/// A client assertion (RFC 7523 §3). Its signature is not checked: no certificate is registered here.
fn check_assertion(assertion: &str, client: &Client, now: f64) -> Result<Client, OauthError> {
    let claims = keys::claims(assertion).ok_or_else(OauthError::bad_assertion)?;
    let is_client = |name: &str| claims[name].as_str().is_some_and(|id| id.eq_ignore_ascii_case(&client.id));
    if !is_client("iss") || !is_client("sub") || !claims["jti"].is_string() {
        return Err(OauthError::bad_assertion());
    }
    let audience = claims["aud"].as_str().unwrap_or_default();
    if !audience.ends_with("/token") && !audience.ends_with("/v2.0") {
        return Err(OauthError::assertion_audience(audience));
    }
    let until = claims["exp"].as_f64().unwrap_or_default();
    let from = claims["nbf"].as_f64().unwrap_or_default();
    if until <= now || from > now + 300.0 {
        return Err(OauthError::assertion_time());
    }
    Ok(client.clone())
}

/// Whether this redirect URI is registered. A loopback one may have any port (RFC 8252 §7.3); its path
/// counts, in its case. Google takes `127.0.0.1` and `[::1]` with any path besides.
pub(crate) fn redirect_is_registered(memory: &Memory, dialect: Dialect, redirect_uri: &str) -> bool {
    let Ok(asked) = Url::parse(redirect_uri) else {
        return false;
    };
    if asked.fragment().is_some() {
        return false;
    }
    if dialect == Dialect::Google && asked.scheme() == "http" && is_loopback(&asked) {
        return true;
    }
    memory.config.redirect_uris.iter().any(|registered| {
        let Ok(registered) = Url::parse(registered) else {
            return false;
        };
        let any_port = registered.scheme() == "http" && is_loopback(&registered);
        registered.scheme() == asked.scheme()
            && registered.host_str() == asked.host_str()
            && (any_port || registered.port() == asked.port())
            && registered.path() == asked.path()
            && registered.query() == asked.query()
    })
}

fn is_loopback(url: &Url) -> bool {
    matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

/// A part of a Basic pair, which is form-encoded before it is joined.
fn decoded(part: &str) -> String {
    url::form_urlencoded::parse(format!("x={part}").replace('&', "%26").as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}
