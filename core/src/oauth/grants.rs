//! What a sign-in service is asked, one method for each question (RFC 6749 §4.1.3, §4.4.2, §6; RFC 7009;
//! RFC 7523 §2.1; RFC 8628 §3.1, §3.4).

use std::time::SystemTime;

use serde_json::{Map, Value};
use url::Url;

use super::endpoint::{self, TokenAnswer};
use super::form::Form;
use super::hints::Asked;
use super::proof::Proof;
use super::service::Service;
use super::{assertion, unanswered};
use crate::config::{Application, ServiceAccount, SignInSettings};
use crate::error::{Error, ErrorCode, Result};
use crate::input::Secret;
use crate::net::http;
use crate::provider::Family;

impl<'a> Service<'a> {
    /// The application's own token.
    ///
    /// # Errors
    /// The 300s; `config_invalid` if what proves the application cannot be read.
    pub(crate) async fn client_credentials(self, application: &Application) -> Result<TokenAnswer> {
        let form = Form::default()
            .with("grant_type", "client_credentials")
            .with("scope", self.auth.scopes.join(" "));
        self.submit(application, Asked::App, form).await
    }

    /// A new access token for a person.
    ///
    /// # Errors
    /// As for [`client_credentials`](Self::client_credentials).
    pub(crate) async fn refresh(
        self,
        application: &Application,
        token: &Secret,
        imported: bool,
    ) -> Result<TokenAnswer> {
        let scopes = self.refresh_scopes(imported).join(" ");
        let form = Form::default()
            .with("grant_type", "refresh_token")
            .with("refresh_token", token.expose().to_owned());
        let form = if scopes.is_empty() { form } else { form.with("scope", scopes) };
        self.submit(application, Asked::Refresh, form).await
    }

    /// Redeems the code that came to the redirect URI.
    ///
    /// # Errors
    /// As for [`client_credentials`](Self::client_credentials).
    pub(crate) async fn redeem(self, application: &Application, code: &Redemption) -> Result<TokenAnswer> {
        let form = Form::default()
            .with("grant_type", "authorization_code")
            .with("code", code.code.expose())
            .with("redirect_uri", code.redirect_uri.clone())
            .with("code_verifier", code.verifier.expose())
            .with("scope", code.scopes.clone());
        self.submit(application, Asked::Code, form).await
    }

    /// Begins a sign-in on another device.
    ///
    /// # Errors
    /// `config_invalid` where the service has no such endpoint; the 300s.
    pub(crate) async fn authorize_device(
        self,
        application: &Application,
        sign_in: &SignInSettings,
    ) -> Result<Map<String, Value>> {
        let field = self.settings.spelling.path("auth.device_authorization_endpoint");
        let endpoints = self.endpoints(&application.address).await?;
        let Some(url) = &endpoints.device_authorization else {
            return Err(Error::config(field.clone(), format!("`{field}` is missing"))
                .with_hint("Set it, or sign in with method `authorization_code`."));
        };
        let form = Form::default()
            .with("client_id", application.id.clone())
            .with("scope", self.login_scopes(sign_in).join(" "));
        endpoint::request_object(self, Asked::Device, url, &form).await
    }

    /// Asks whether the person has signed in on the other device.
    ///
    /// # Errors
    /// As for [`client_credentials`](Self::client_credentials); `authorization_pending` and `slow_down` are errors, too.
    pub(crate) async fn poll_device(self, application: &Application, code: &Secret) -> Result<TokenAnswer> {
        let form = Form::default()
            .with("grant_type", "urn:ietf:params:oauth:grant-type:device_code")
            .with("device_code", code.expose());
        self.submit(application, Asked::Device, form).await
    }

    /// Tells the service that a refresh token is not needed any more (RFC 7009), where it wants to know.
    ///
    /// # Errors
    /// Those of the network; `token_endpoint_unavailable` if it is not understood.
    pub(crate) async fn revoke(self, application: &Application, token: &Secret) -> Result<()> {
        let endpoints = self.endpoints(&application.address).await?;
        let Some(url) = &endpoints.revocation else { return Ok(()) };
        let mut form = Form::default().with("token", token.expose());
        // Google wants the token alone.
        if self.auth.family != Family::Google {
            form = form.with("token_type_hint", "refresh_token").with("client_id", application.id.clone());
            if let Some(proof) = Proof::read(self, application, url).await? {
                form = proof.sign(self, application, form, url.as_str(), SystemTime::now()).await?;
            }
        }
        let answer =
            http::post_form(self.settings.reach(), url, form.encode(), None).await.map_err(unanswered)?;
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
    /// As for [`client_credentials`](Self::client_credentials).
    pub(crate) async fn jwt_bearer(self, account: &ServiceAccount) -> Result<TokenAnswer> {
        let scopes = &self.auth.scopes;
        let key = account.key.read(self.settings.spelling).await?;
        let own = key.token_uri.as_deref().filter(|_| !account.endpoint_given);
        let own = own.and_then(|uri| Url::parse(uri).ok()).filter(|url| url.scheme() == "https");
        let url = match own {
            Some(url) => url,
            None => self.endpoints(&account.address).await?.token.clone(),
        };
        let subject = &account.subject;
        let assertion = assertion::bearer(&key, subject, scopes, url.as_str(), SystemTime::now())?;
        // Its header names the key.
        let header = assertion::header(&assertion);
        let alike = format!("{header} {} {subject} {}", key.issuer, scopes.join(" "));
        let form = Form::default()
            .with("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
            .with_fresh("assertion", &assertion, alike);
        endpoint::request_token(self, Asked::App, &url, &form).await
    }

    /// What a person is asked to allow.
    pub(crate) fn login_scopes(self, sign_in: &SignInSettings) -> Vec<&'a str> {
        let own = &self.auth.scopes;
        let mut out: Vec<&str> = own.iter().map(String::as_str).collect();
        out.extend(sign_in.scopes.iter().copied().filter(|scope| !own.iter().any(|s| s == scope)));
        out
    }

    /// A refresh may not ask for more than was granted (RFC 6749 §6): where the sign-in was ours we know
    /// what that is; for a token from elsewhere only Entra takes `offline_access` on top without complaint.
    fn refresh_scopes(self, imported: bool) -> Vec<&'a str> {
        let auth = self.auth;
        if let Some((_, sign_in)) = auth.grant.sign_in().filter(|_| !imported) {
            return self.login_scopes(sign_in);
        }
        let mut out: Vec<&str> = auth.scopes.iter().map(String::as_str).collect();
        if auth.family == Family::Microsoft && !out.contains(&"offline_access") {
            out.push("offline_access");
        }
        out
    }

    /// Posts `form` to the token endpoint with the application's id and proof. What proves it is read now; if it is
    /// refused it is read once more and, if it changed meanwhile, tried once.
    async fn submit(self, application: &Application, asked: Asked, form: Form) -> Result<TokenAnswer> {
        let endpoints = self.endpoints(&application.address).await?;
        let url = &endpoints.token;
        let form = form.with("client_id", application.id.clone());
        let Some(proof) = Proof::read(self, application, url).await? else {
            return endpoint::request_token(self, asked, url, &form).await;
        };
        let signed = proof.sign(self, application, form.clone(), url.as_str(), SystemTime::now()).await?;
        let refusal = match endpoint::request_token(self, asked, url, &signed).await {
            Err(error) if error.oauth().is_some_and(|detail| detail.error == "invalid_client") => error,
            other => return other,
        };
        match Proof::read(self, application, url).await {
            Ok(Some(renewed)) if renewed != proof => {
                let signed = renewed.sign(self, application, form, url.as_str(), SystemTime::now()).await?;
                endpoint::request_token(self, asked, url, &signed).await
            }
            _ => Err(refusal),
        }
    }
}

/// What a sign-in's code is redeemed with.
#[derive(Clone)]
pub(crate) struct Redemption {
    pub(crate) code: Secret,
    pub(crate) redirect_uri: String,
    pub(crate) verifier: Secret,
    /// As they were asked for.
    pub(crate) scopes: String,
}
