//! The forms of the grants: RFC 6749 §4.4.2, §4.1.3 (with RFC 7636 §4.5), §6, and RFC 8628 §3.1, §3.4.
//!
//! The client authenticates in the body: Entra and Google take it, and some services take nothing else.

use std::time::SystemTime;

use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::assertion;
use super::discovery;
use super::endpoint::{self, TokenAnswer};
use super::hints::Asked;
use super::http;
use crate::config::{AuthSettings, ClientCredential, GrantKind, Proof, Secret, Settings};
use crate::error::{Error, ErrorCode, Result};
use crate::provider::Family;

/// A form; its values may be secrets.
#[derive(Clone, Default)]
pub(crate) struct Form(Vec<(&'static str, Secret)>);

impl Form {
    /// Adds a field.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.push((name, Secret::new(value)));
        self
    }

    /// Names and values.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.expose()))
    }

    /// As it goes over the wire: everything is percent-encoded.
    pub(crate) fn encode(&self) -> Zeroizing<String> {
        let mut out = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.0 {
            out.append_pair(name, value.expose());
        }
        Zeroizing::new(out.finish())
    }

    /// Takes out of a server's words whatever we sent in confidence.
    pub(crate) fn redact(&self, text: &str) -> String {
        let secret = |name: &str| CONFIDENTIAL.contains(&name);
        self.0.iter().filter(|(name, value)| secret(name) && value.expose().len() >= 4).fold(
            text.to_owned(),
            |text, (name, value)| match text.contains(value.expose()) {
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
    let Some(proof) = auth.credential.read(settings, url).await? else {
        return endpoint::request_token(settings, auth, asked, url, &form).await;
    };
    let signed = sign(settings, auth, form.clone(), &proof, url.as_str()).await?;
    let refusal = match endpoint::request_token(settings, auth, asked, url, &signed).await {
        Err(error) if error.oauth().is_some_and(|detail| detail.error == "invalid_client") => error,
        other => return other,
    };
    match auth.credential.read(settings, url).await {
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
        if let Some(proof) = auth.credential.read(settings, url).await? {
            form = sign(settings, auth, form, &proof, url.as_str()).await?;
        }
    }
    let answer = http::post_form(settings, url, form.encode(), None).await?;
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
    let form = Form::default()
        .with("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
        .with("assertion", assertion.expose());
    endpoint::request_token(settings, auth, Asked::App, url, &form).await
}

/// The form with the proof.
async fn sign(
    settings: &Settings,
    auth: &AuthSettings,
    form: Form,
    proof: &Proof,
    audience: &str,
) -> Result<Form> {
    let assertion = match (proof, &auth.credential) {
        (Proof::Secret(secret), _) => return Ok(form.with("client_secret", secret.expose())),
        (Proof::Assertion(token), _) => token.clone(),
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
            assertion::client(&certificate, &auth.client_id, audience, send_chain, SystemTime::now())?
        }
        (Proof::Certificate(..), _) => return Ok(form),
    };
    Ok(form
        .with("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        .with("client_assertion", assertion.expose()))
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
