//! The authorization code flow with PKCE (RFC 6749 §4.1, RFC 7636): where the person goes, and what
//! comes back (RFC 9207).

use serde_json::Value;
use url::Url;

use super::listener::{Listener, Parameters, parse};
use super::request::LoginRequest;
use super::saved::invalid;
use super::service::SignInService;
use crate::config::{Application, AuthSettings, Endpoints, ServiceAddress, check_redirect_uri, overlay};
use crate::crypto::random;
use crate::error::{OAuthDetail, Result};
use crate::input::Secret;
use crate::net::server_url::is_loopback;
use crate::oauth::grants::{AuthorizationRequest, Redemption};
use crate::oauth::hints::{self, Asked};
use crate::oauth::pkce;
use crate::oauth::service::Service;
use crate::provider::Family;

/// What ties an answer to its question.
pub(super) struct CodeFlow {
    pub(super) state: String,
    pub(super) verifier: Secret,
    pub(super) redirect_uri: String,
    /// The issuer that the service named, if it was asked.
    pub(super) issuer: Option<String>,
}

/// Begins it: the URL to open, and a listener unless the application has a redirect URI of its own.
///
/// # Errors
/// `config_invalid` where the service has no such endpoint or the redirect URI is none.
pub(super) fn begin(
    at: SignInService<'_>,
    endpoints: &Endpoints,
    request: &LoginRequest,
    challenge: Option<&str>,
) -> Result<(CodeFlow, Option<Listener>, String)> {
    let service = at.service;
    let Service { settings, auth } = service;
    if let Some(uri) = &request.redirect_uri {
        check_redirect_uri(&settings.spelling.path("redirect_uri"), uri)?;
    }
    let configured = at.sign_in.redirect_uri.as_deref().and_then(without_port);
    let (redirect_uri, listener) = match (&request.redirect_uri, configured, &at.sign_in.redirect_uri) {
        (Some(uri), ..) | (None, None, Some(uri)) => (uri.clone(), None),
        (None, Some(mut url), _) => {
            let listener = Listener::bind(url.path())?;
            let _ = url.set_port(Some(listener.port()));
            (url.into(), Some(listener))
        }
        (None, None, None) => {
            let listener = Listener::bind("/")?;
            // Entra registers http://localhost and ignores the port; others give the address alone any port (RFC 8252 §7.3).
            let host = if auth.family == Family::Microsoft { "localhost" } else { "127.0.0.1" };
            (format!("http://{host}:{}", listener.port()), Some(listener))
        }
    };
    let (state, verifier) = (random::token::<24>()?, pkce::verifier()?);
    let flow = CodeFlow { state, verifier, redirect_uri, issuer: endpoints.issuer.clone() };
    let asked = AuthorizationRequest {
        redirect_uri: &flow.redirect_uri,
        state: &flow.state,
        verifier: &flow.verifier,
    };
    let more = parameters_of(at, request, challenge);
    let url = service.authorization_url(at.application, at.sign_in, endpoints, &asked, more)?;
    Ok((flow, listener, url.into()))
}

/// A loopback redirect URI of the options, if it leaves the port to us: any will do then (RFC 8252 §7.3).
fn without_port(uri: &str) -> Option<Url> {
    let url = Url::parse(uri).ok()?;
    // What is left out and what is the scheme's usual one look the same in a `Url`.
    let named = uri.split('/').nth(2).is_some_and(|place| place.ends_with(":80"));
    let ours = url.scheme() == "http" && url.host_str().is_some_and(is_loopback) && url.port().is_none();
    (ours && !named).then_some(url)
}

impl CodeFlow {
    /// Whether an answer belongs to this sign-in.
    pub(super) fn is_ours(&self, parameters: &Parameters) -> bool {
        one(parameters, "state").is_some_and(|given| pkce::same(given, &self.state))
    }

    /// What redeems the code.
    ///
    /// # Errors
    /// What the page said instead; `login_invalid` for an answer of another service, or of none.
    pub(super) fn redemption(
        &self,
        SignInService { service, application, sign_in }: SignInService<'_>,
        parameters: &Parameters,
    ) -> Result<Redemption> {
        let auth = service.auth;
        if parameters.iter().any(|(name, _)| name == "iss") {
            check_issuer(
                auth,
                application,
                self.issuer.as_deref(),
                one(parameters, "iss").unwrap_or_default(),
            )?;
        }
        if let Some(error) = one(parameters, "error") {
            let description = one(parameters, "error_description").unwrap_or_default().to_owned();
            let detail = OAuthDetail {
                error: error.to_owned(),
                codes: hints::numbers(&description),
                description,
                suberror: one(parameters, "error_subcode").map(str::to_owned),
                ..OAuthDetail::default()
            };
            return Err(hints::error(detail, 400, None, Asked::Code, auth));
        }
        let value = one(parameters, "code").filter(|code| !code.is_empty());
        let value = value.ok_or_else(|| invalid("the answer has neither a code nor an error"))?;
        Ok(Redemption {
            code: Secret::new(value),
            redirect_uri: self.redirect_uri.clone(),
            verifier: self.verifier.clone(),
            scopes: (service.auth.family == Family::Microsoft)
                .then(|| service.login_scopes(sign_in, None).join(" ")),
        })
    }
}

/// What goes into the authorization URL beside what OAuth says.
fn parameters_of(
    SignInService { service, sign_in, .. }: SignInService<'_>,
    request: &LoginRequest,
    challenge: Option<&str>,
) -> impl Iterator<Item = (&'static str, String)> {
    let hint =
        request.login_hint.as_ref().or(sign_in.login_hint.as_ref()).or(service.settings.username.as_ref());
    let claims = merged(sign_in.claims.as_deref(), challenge);
    let given = [
        ("response_mode", sign_in.response_mode.clone()),
        ("prompt", sign_in.prompt.clone()),
        ("login_hint", hint.cloned()),
        ("domain_hint", sign_in.domain_hint.clone()),
        ("claims", claims),
    ];
    let prompted = sign_in.prompt.is_some();
    let preset = sign_in.parameters.iter().filter(move |(name, _)| *name != "prompt" || !prompted);
    let given = given.into_iter().filter_map(|(name, value)| Some((name, value?)));
    given.chain(preset.map(|(name, value)| (*name, (*value).to_owned())))
}

/// The configured claims request (OpenID Connect Core §5.5) with what a policy asked for.
fn merged(claims: Option<&str>, challenge: Option<&str>) -> Option<String> {
    let object = |text: &str| serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
    match (claims, challenge.and_then(object)) {
        (Some(claims), Some(challenge)) => {
            let mut whole = object(claims)?;
            overlay(&mut whole, challenge);
            Some(whole.to_string())
        }
        (Some(claims), None) => Some(claims.to_owned()),
        (None, challenge) => challenge.map(|challenge| challenge.to_string()),
    }
}

/// RFC 9207: an answer of another service is not for us. Nor is one that names several, or none.
fn check_issuer(
    auth: &AuthSettings,
    application: &Application,
    known: Option<&str>,
    issuer: &str,
) -> Result<()> {
    let known = match (auth.family, known) {
        (_, Some(known)) => issuer == known,
        (Family::Google, None) if issuer == "https://accounts.google.com" => true,
        (Family::Microsoft | Family::Google, None) => {
            let ServiceAddress::Known(Endpoints { authorization: Some(endpoint), .. }) = &application.address
            else {
                return Ok(());
            };
            Url::parse(issuer).is_ok_and(|url| url.origin() == endpoint.origin())
        }
        // Others' issuers are not told apart from their endpoints by anything we know.
        (Family::Plain, None) => !issuer.is_empty(),
    };
    if known { Ok(()) } else { Err(invalid("the answer comes from another sign-in service")) }
}

/// The only value of this name; a name given twice has none.
fn one<'a>(parameters: &'a Parameters, name: &str) -> Option<&'a str> {
    let mut found = parameters.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str());
    match (found.next(), found.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

/// A URL, a query string, a form body, or a map of them (whose values may be lists of one).
pub(super) fn parameters(callback: &Value) -> Result<Parameters> {
    let unusable = || invalid("the answer is neither a URL, a query string nor a form");
    match callback {
        Value::String(text) => Ok(match Url::parse(text.trim()) {
            Ok(url) if ["http", "https"].contains(&url.scheme()) => {
                parse(url.query().unwrap_or_default().as_bytes())
            }
            _ => parse(text.trim().trim_start_matches('?').as_bytes()),
        }),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    Value::Array(list) if list.len() == 1 => &list[0],
                    other => other,
                };
                value.as_str().map(|value| (name.clone(), value.to_owned())).ok_or_else(unusable)
            })
            .collect(),
        _ => Err(unusable()),
    }
}
