//! The forms of the grants: RFC 6749 §4.4.2, §4.1.3 (with RFC 7636 §4.5), §6, and RFC 8628 §3.1, §3.4.
//!
//! The client authenticates in the body: Entra and Google take it, and some services take nothing else.

use std::time::SystemTime;

use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::endpoint::{self, TokenAnswer};
use super::hints::Asked;
use super::proof::Proof;
use super::{assertion, discovery, unanswered};
use crate::config::{AuthSettings, ClientCredential, GrantKind, Settings};
use crate::error::{Error, ErrorCode, Result};
use crate::input::Secret;
use crate::net::http;
use crate::provider::Family;

/// A form; its values may be secrets.
#[derive(Clone, Default)]
pub(crate) struct Form(Vec<Field>);

#[derive(Clone)]
struct Field {
    name: &'static str,
    value: Secret,
    /// What tells requests apart in its place, if the value is new each time.
    alike: Option<String>,
}

impl Form {
    /// Adds a field.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.push(Field { name, value: Secret::new(value), alike: None });
        self
    }

    /// Adds a field whose value is made anew for each request; `alike` is what makes two of them the same request.
    pub(crate) fn with_fresh(mut self, name: &'static str, value: &Secret, alike: String) -> Self {
        self.0.push(Field { name, value: value.clone(), alike: Some(alike) });
        self
    }

    /// Names and what tells this request from others.
    pub(crate) fn likeness(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0
            .iter()
            .map(|field| (field.name, field.alike.as_deref().unwrap_or_else(|| field.value.expose())))
    }

    /// As it goes over the wire: everything is percent-encoded.
    pub(crate) fn encode(&self) -> Zeroizing<String> {
        let mut out = form_urlencoded::Serializer::new(String::new());
        for Field { name, value, .. } in &self.0 {
            out.append_pair(name, value.expose());
        }
        Zeroizing::new(out.finish())
    }

    /// Takes out of a server's words whatever we sent in confidence.
    pub(crate) fn redact(&self, text: &str) -> String {
        let secret = |name: &str| CONFIDENTIAL.contains(&name);
        self.0.iter().filter(|field| secret(field.name) && field.value.expose().len() >= 4).fold(
            text.to_owned(),
            |text, Field { name, value, .. }| match text.contains(value.expose()) {
                true => text.replace(value.expose(), &format!("[{name}]")),
                false => text,
            },
        )
    }
}

const CONFIDENTIAL: &[&str] = &[
    "client_secret",
    "client_assertion",
    "assertion",
    "code",
    "code_verifier",
    "device_code",
    "refresh_token",
    "token",
];

/// The application's own token.
pub(crate) fn client_credentials(auth: &AuthSettings) -> Form {
    Form::default().with("grant_type", "client_credentials").with("scope", auth.scopes.join(" "))
}

/// A new access token for a person. `scope` is always sent: personal Microsoft accounts demand it.
pub(crate) fn refresh_token(auth: &AuthSettings, token: &Secret, imported: bool) -> Form {
    let scopes = refresh_scopes(auth, imported).join(" ");
    let form =
        Form::default().with("grant_type", "refresh_token").with("refresh_token", token.expose().to_owned());
    if scopes.is_empty() { form } else { form.with("scope", scopes) }
}

/// The code that came to the redirect URI.
pub(crate) fn authorization_code(
    auth: &AuthSettings,
    code: &Secret,
    redirect_uri: &str,
    verifier: &Secret,
) -> Form {
    Form::default()
        .with("grant_type", "authorization_code")
        .with("code", code.expose())
        .with("redirect_uri", redirect_uri)
        .with("code_verifier", verifier.expose())
        .with("scope", login_scopes(auth).join(" "))
}

/// One poll of a device's sign-in.
pub(crate) fn device_code(code: &Secret) -> Form {
    Form::default()
        .with("grant_type", "urn:ietf:params:oauth:grant-type:device_code")
        .with("device_code", code.expose())
}

/// What a person is asked to allow.
pub(crate) fn login_scopes(auth: &AuthSettings) -> Vec<&str> {
    let mut out: Vec<&str> = auth.scopes.iter().map(String::as_str).collect();
    out.extend(auth.login_scopes.iter().copied().filter(|scope| !auth.scopes.iter().any(|s| s == scope)));
    out
}

/// A refresh may not ask for more than was granted (RFC 6749 §6): where the sign-in was ours we know
/// what that is; for a token from elsewhere only Entra takes `offline_access` on top without complaint.
fn refresh_scopes(auth: &AuthSettings, imported: bool) -> Vec<&str> {
    if auth.grant != GrantKind::RefreshToken && !imported {
        return login_scopes(auth);
    }
    let mut out: Vec<&str> = auth.scopes.iter().map(String::as_str).collect();
    if auth.family == Family::Microsoft && !out.contains(&"offline_access") {
        out.push("offline_access");
    }
    out
}

/// Posts `form` to the token endpoint with the application's id and proof. What proves it is read now; if it is
/// refused it is read once more and, if it changed meanwhile, tried once.
///
/// # Errors
/// Those of [`endpoint::request_token`]; `config_invalid` if the proof cannot be read.
pub(crate) async fn submit(
    settings: &Settings,
    auth: &AuthSettings,
    asked: Asked,
    form: Form,
) -> Result<TokenAnswer> {
    let endpoints = discovery::endpoints(settings, auth).await?;
    let Some(url) = &endpoints.token else {
        return Err(Error::config(
            settings.spelling.path("auth.token_endpoint"),
            "this grant has no token endpoint",
        ));
    };
    let form = form.with("client_id", auth.client_id.clone());
    let Some(proof) = Proof::read(&auth.credential, settings, url).await? else {
        return endpoint::request_token(settings, auth, asked, url, &form).await;
    };
    let signed = sign(settings, auth, form.clone(), &proof, url.as_str()).await?;
    let refusal = match endpoint::request_token(settings, auth, asked, url, &signed).await {
        Err(error) if error.oauth().is_some_and(|detail| detail.error == "invalid_client") => error,
        other => return other,
    };
    match Proof::read(&auth.credential, settings, url).await {
        Ok(Some(renewed)) if renewed != proof => {
            let signed = sign(settings, auth, form, &renewed, url.as_str()).await?;
            endpoint::request_token(settings, auth, asked, url, &signed).await
        }
        _ => Err(refusal),
    }
}

/// Tells the service that a refresh token is not needed any more (RFC 7009), where it wants to know.
///
/// # Errors
/// Those of the network; `token_endpoint_unavailable` if it is not understood.
pub(crate) async fn revoke(settings: &Settings, auth: &AuthSettings, token: &Secret) -> Result<()> {
    let endpoints = discovery::endpoints(settings, auth).await?;
    let Some(url) = &endpoints.revocation else { return Ok(()) };
    let mut form = Form::default().with("token", token.expose());
    // Google wants the token alone.
    if auth.family != Family::Google {
        form = form.with("token_type_hint", "refresh_token").with("client_id", auth.client_id.clone());
        if let Some(proof) = Proof::read(&auth.credential, settings, url).await? {
            form = sign(settings, auth, form, &proof, url.as_str()).await?;
        }
    }
    let answer = http::post_form(settings.reach(), url, form.encode(), None).await.map_err(unanswered)?;
    match answer.status {
        // 400: it is not good any more, which is what was wanted.
        200..=299 | 400 => Ok(()),
        status => Err(Error::new(
            ErrorCode::TokenEndpointUnavailable,
            format!("the sign-in service answered HTTP {status} to the revocation"),
        )),
    }
}

/// A token in a person's name, for a service account's word (RFC 7523 §2.1). The word is the proof, too: no other
/// goes with it.
///
/// # Errors
/// As for [`submit`].
pub(crate) async fn jwt_bearer(settings: &Settings, auth: &AuthSettings) -> Result<TokenAnswer> {
    let Some((key, subject)) = &auth.bearer else {
        return Err(Error::config(
            settings.spelling.path("auth.key_file"),
            "there is no service account's key",
        ));
    };
    let bearer = key.read(settings.spelling).await?;
    let own =
        bearer.token_uri.as_deref().filter(|_| !auth.endpoint_given).and_then(|uri| Url::parse(uri).ok());
    let Some(url) = own.as_ref().filter(|url| url.scheme() == "https").or(auth.endpoints.token.as_ref())
    else {
        return Err(Error::config(
            settings.spelling.path("auth.token_endpoint"),
            "there is no token endpoint",
        ));
    };
    let assertion = assertion::bearer(&bearer, subject, &auth.scopes, url.as_str(), SystemTime::now())?;
    // Its header names the key.
    let header = header(&assertion);
    let alike = format!("{header} {} {subject} {}", bearer.issuer, auth.scopes.join(" "));
    let form = Form::default().with("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer").with_fresh(
        "assertion",
        &assertion,
        alike,
    );
    endpoint::request_token(settings, auth, Asked::App, url, &form).await
}

/// The first part of a JWT.
fn header(token: &Secret) -> &str {
    token.expose().split('.').next().unwrap_or_default()
}

/// The form with the proof.
async fn sign(
    settings: &Settings,
    auth: &AuthSettings,
    form: Form,
    proof: &Proof,
    audience: &str,
) -> Result<Form> {
    const KIND: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let kind = |form: Form| form.with("client_assertion_type", KIND);
    match (proof, &auth.credential) {
        (Proof::Secret(secret), _) => Ok(form.with("client_secret", secret.expose())),
        (Proof::Assertion(token), _) => Ok(kind(form).with("client_assertion", token.expose())),
        (Proof::Certificate(octets, password), ClientCredential::Certificate(options)) => {
            let send_chain = options.send_chain;
            let (options, octets, password) = (options.clone(), octets.clone(), password.clone());
            let field = settings.spelling.path("auth.certificate");
            // A password may be hardened by hundreds of thousands of rounds.
            let opening =
                tokio::task::spawn_blocking(move || options.open(&field, &octets, password.as_ref()));
            let certificate = opening.await.map_err(|_| {
                Error::new(ErrorCode::Internal, "the certificate was not opened: the program is ending")
            })??;
            let now = SystemTime::now();
            let assertion = assertion::client(&certificate, &auth.client_id, audience, send_chain, now)?;
            // Its header names the certificate.
            let header = header(&assertion).to_owned();
            Ok(kind(form).with_fresh("client_assertion", &assertion, header))
        }
        (Proof::Certificate(..), _) => Ok(form),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_encode_everything_and_hide_what_is_confidential() {
        let form = Form::default().with("client_id", "app").with("client_secret", "p&s=w+rd é");
        assert_eq!(*form.encode(), "client_id=app&client_secret=p%26s%3Dw%2Brd+%C3%A9");
        assert_eq!(form.redact("app sent p&s=w+rd é"), "app sent [client_secret]");
    }
}
