//! What a sign-in service is asked, one method for each question. The `oauth2` crate carries what its RFCs describe (RFC
//! 6749 §4.1.3, §4.4.2, §6; RFC 7009; RFC 8628 §3.1). What it does not know stands beside it: a service account's word
//! (RFC 7523 §2.1), polls of a device by a clock of our own (RFC 8628 §3.4), assertions.

use std::borrow::Cow;
use std::time::SystemTime;

use oauth2::basic::BasicTokenType;
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken,
    DeviceAuthorizationResponse, DeviceAuthorizationUrl, EmptyExtraTokenFields,
    ExtraDeviceAuthorizationFields, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken,
    RevocationUrl, Scope, StandardRevocableToken, StandardTokenIntrospectionResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};
use url::Url;

use super::answer::{Denied, Granted, TokenAnswer};
use super::assertion;
use super::endpoint::Courier;
use super::form::Form;
use super::hints::Asked;
use super::proof::{Proof, Signed};
use super::service::Service;
use crate::config::{Application, ClientAuth, Endpoints, ServiceAccount, SignInSettings};
use crate::error::{Error, ErrorCode, Result};
use crate::input::Secret;
use crate::provider::Family;

/// The crate's client with our types of answers. Nobody asks about tokens (RFC 7662).
type Registered = Client<
    Denied,
    Granted,
    StandardTokenIntrospectionResponse<EmptyExtraTokenFields, BasicTokenType>,
    StandardRevocableToken,
    Denied,
>;

/// The answer to the beginning of a device's sign-in.
pub(crate) type DeviceAnswer = DeviceAuthorizationResponse<DeviceMessage>;

/// A sentence to show, which Entra adds.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct DeviceMessage {
    pub(crate) message: Option<String>,
}

impl ExtraDeviceAuthorizationFields for DeviceMessage {}

impl<'a> Service<'a> {
    /// The application's own token.
    ///
    /// # Errors
    /// The 300s; `config_invalid` if what proves the application cannot be read.
    pub(crate) async fn client_credentials(self, application: &Application) -> Result<TokenAnswer> {
        self.exchange(application, Presented::ClientCredentials).await
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
        let scopes = self.refresh_scopes(imported);
        self.exchange(application, Presented::Refresh { token, scopes }).await
    }

    /// Redeems the code that came to the redirect URI.
    ///
    /// # Errors
    /// As for [`client_credentials`](Self::client_credentials).
    pub(crate) async fn redeem(self, application: &Application, code: &Redemption) -> Result<TokenAnswer> {
        self.exchange(application, Presented::Code(code)).await
    }

    /// Asks whether the person has signed in on the other device.
    ///
    /// # Errors
    /// As for [`client_credentials`](Self::client_credentials); `authorization_pending` and `slow_down` are errors, too.
    pub(crate) async fn poll_device(self, application: &Application, code: &Secret) -> Result<TokenAnswer> {
        self.exchange(application, Presented::Device(code)).await
    }

    /// Where a person signs in in a browser (RFC 6749 §4.1.1 with RFC 7636 §4.3).
    ///
    /// # Errors
    /// `config_invalid` where the service has no such endpoint, or takes pushed requests alone.
    pub(crate) fn authorization_url(
        self,
        application: &Application,
        sign_in: &SignInSettings,
        endpoints: &Endpoints,
        asked: &AuthorizationRequest<'_>,
        parameters: impl Iterator<Item = (&'static str, String)>,
    ) -> Result<Url> {
        let field = self.settings.spelling.path("auth.authorization_endpoint");
        let Some(endpoint) = &endpoints.authorization else {
            return Err(Error::config(field.clone(), format!("`{field}` is missing"))
                .with_hint("Set it, or sign in with method `device_code`."));
        };
        if endpoints.pushed_only {
            let text = "the sign-in service demands pushed authorization requests (PAR, RFC 9126)";
            return Err(Error::config("auth.authority", text).with_hint(
                "Turn the demand off for this client at the service, or sign in with method `device_code`.",
            ));
        }
        let client = Registered::new(ClientId::new(application.id.clone()))
            .set_auth_uri(AuthUrl::from_url(endpoint.clone()))
            .set_redirect_uri(redirect_url(asked.redirect_uri)?);
        let verifier = PkceCodeVerifier::new(asked.verifier.expose().to_owned());
        let mut request = client
            .authorize_url(|| CsrfToken::new(asked.state.to_owned()))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .add_scopes(owned(self.login_scopes(sign_in, endpoints.scopes_supported.as_deref())));
        for (name, value) in parameters {
            request = request.add_extra_param(name, value);
        }
        Ok(request.url().0)
    }

    /// Begins a sign-in on another device.
    ///
    /// # Errors
    /// `config_invalid` where the service has no such endpoint; the 300s.
    pub(crate) async fn authorize_device(
        self,
        application: &Application,
        sign_in: &SignInSettings,
    ) -> Result<DeviceAnswer> {
        let field = self.settings.spelling.path("auth.device_authorization_endpoint");
        let endpoints = self.endpoints(&application.address).await?;
        let Some(url) = &endpoints.device_authorization else {
            return Err(Error::config(field.clone(), format!("`{field}` is missing"))
                .with_hint("Set it, or sign in with method `authorization_code`."));
        };
        // A confidential client proves itself from the first request on (RFC 8628 §3.1).
        let signed = self.signed(application, &endpoints.token).await?;
        let client = registered(application, &signed, basic_first(application, &endpoints))
            .set_device_authorization_url(DeviceAuthorizationUrl::from_url(url.clone()));
        let courier = Courier::new(self, Asked::Device, url).alike(signed.alike.clone());
        let mut request = client
            .exchange_device_code()
            .add_scopes(owned(self.login_scopes(sign_in, endpoints.scopes_supported.as_deref())));
        for (name, value) in signed.fields() {
            request = request.add_extra_param(name, value);
        }
        let result = request.request_async(&courier).await;
        courier.other(result)
    }

    /// Tells the service that a refresh token is not needed any more (RFC 7009), where it wants to know.
    ///
    /// # Errors
    /// Those of the network; `token_endpoint_unavailable` if it is not understood.
    pub(crate) async fn revoke(self, application: &Application, token: &Secret) -> Result<()> {
        let endpoints = self.endpoints(&application.address).await?;
        let Some(url) = &endpoints.revocation else { return Ok(()) };
        let courier = Courier::new(self, Asked::Revocation, url);
        let status = if self.auth.family == Family::Google {
            // Google wants the token alone.
            courier.status_of(Form::default().with("token", token.expose())).await?
        } else {
            let signed = self.signed(application, &endpoints.token).await?;
            let courier = courier.alike(signed.alike.clone());
            let token = StandardRevocableToken::RefreshToken(RefreshToken::new(token.expose().to_owned()));
            let client = registered(application, &signed, basic_first(application, &endpoints))
                .set_revocation_url(https(url));
            let mut request = client.revoke_token(token).map_err(unmade)?;
            for (name, value) in signed.fields() {
                request = request.add_extra_param(name, value);
            }
            match (request.request_async(&courier).await, courier.status()) {
                (_, Some(status)) => status,
                (result, None) => return courier.other(result),
            }
        };
        match status {
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
        Courier::new(self, Asked::App, &url).post(form).await
    }

    /// What a person is asked to allow.
    pub(crate) fn login_scopes(self, sign_in: &SignInSettings, supported: Option<&[String]>) -> Vec<&'a str> {
        let own = &self.auth.scopes;
        let mut out: Vec<&str> = own.iter().map(String::as_str).collect();
        let known = |scope: &str| supported.is_some_and(|list| list.iter().any(|s| s == scope));
        let wanted = sign_in.scopes.iter().copied().filter(|scope| !sign_in.if_supported || known(scope));
        out.extend(wanted.filter(|scope| !own.iter().any(|s| s == scope)));
        out
    }

    /// A refresh may not ask for more than was granted, and without scopes it asks for that (RFC 6749 §6). Personal
    /// Microsoft accounts alone demand them; for a token from elsewhere Entra takes `offline_access` on top.
    fn refresh_scopes(self, imported: bool) -> Vec<&'a str> {
        let auth = self.auth;
        if auth.family != Family::Microsoft {
            return Vec::new();
        }
        if let Some((_, sign_in)) = auth.grant.sign_in().filter(|_| !imported) {
            return self.login_scopes(sign_in, None);
        }
        let mut out: Vec<&str> = auth.scopes.iter().map(String::as_str).collect();
        if !out.contains(&"offline_access") {
            out.push("offline_access");
        }
        out
    }

    /// Posts to the token endpoint with the application's id and proof. What proves it is read now; if it is
    /// refused it is read once more and, if it changed meanwhile, tried once.
    async fn exchange(self, application: &Application, presented: Presented<'_>) -> Result<TokenAnswer> {
        let endpoints = self.endpoints(&application.address).await?;
        let url = &endpoints.token;
        let proof = Proof::read(self, application, url).await?;
        let basic = basic_first(application, &endpoints);
        let refusal = match self.attempt(application, &presented, url, proof.as_ref(), basic).await {
            Err(error) if error.code() == ErrorCode::ClientRejected => error,
            other => return other,
        };
        let undecided = application.client_auth == ClientAuth::Auto && self.auth.family == Family::Plain;
        if undecided && !basic && matches!(proof, Some(Proof::Secret(_))) {
            // Some services take it in the header alone, and say no more than that the client is wrong.
            return self.attempt(application, &presented, url, proof.as_ref(), true).await;
        }
        match Proof::read(self, application, url).await {
            Ok(renewed) if renewed != proof => {
                self.attempt(application, &presented, url, renewed.as_ref(), basic).await
            }
            _ => Err(refusal),
        }
    }

    async fn attempt(
        self,
        application: &Application,
        presented: &Presented<'_>,
        url: &Url,
        proof: Option<&Proof>,
        basic: bool,
    ) -> Result<TokenAnswer> {
        let signed = self.sign(application, url, proof).await?;
        let client = registered(application, &signed, basic).set_token_uri(TokenUrl::from_url(url.clone()));
        let courier = Courier::new(self, presented.asked(), url).alike(signed.alike.clone());
        let result = match presented {
            Presented::ClientCredentials => {
                let scopes = owned(self.auth.scopes.iter().map(String::as_str).collect());
                let mut request = client.exchange_client_credentials().add_scopes(scopes);
                for (name, value) in signed.fields() {
                    request = request.add_extra_param(name, value);
                }
                request.request_async(&courier).await
            }
            Presented::Refresh { token, scopes } => {
                let token = RefreshToken::new(token.expose().to_owned());
                let mut request = client.exchange_refresh_token(&token).add_scopes(owned(scopes.clone()));
                for (name, value) in signed.fields() {
                    request = request.add_extra_param(name, value);
                }
                request.request_async(&courier).await
            }
            Presented::Code(code) => {
                let mut request = client
                    .exchange_code(AuthorizationCode::new(code.code.expose().to_owned()))
                    .set_pkce_verifier(PkceCodeVerifier::new(code.verifier.expose().to_owned()))
                    .set_redirect_uri(Cow::Owned(redirect_url(&code.redirect_uri)?));
                if let Some(scopes) = &code.scopes {
                    request = request.add_extra_param("scope", scopes.clone());
                }
                for (name, value) in signed.fields() {
                    request = request.add_extra_param(name, value);
                }
                request.request_async(&courier).await
            }
            Presented::Device(code) => {
                let form = Form::default()
                    .with("grant_type", "urn:ietf:params:oauth:grant-type:device_code")
                    .with("device_code", code.expose());
                return courier.post(form.signed(&application.id, &signed, basic)).await;
            }
        };
        courier.tokens(result)
    }

    /// What proves the application, for a request.
    async fn signed(self, application: &Application, audience: &Url) -> Result<Signed> {
        let proof = Proof::read(self, application, audience).await?;
        self.sign(application, audience, proof.as_ref()).await
    }

    async fn sign(self, application: &Application, audience: &Url, proof: Option<&Proof>) -> Result<Signed> {
        match proof {
            Some(proof) => proof.sign(self, application, audience.as_str(), SystemTime::now()).await,
            None => Ok(Signed::default()),
        }
    }
}

/// What is given for tokens at the token endpoint.
enum Presented<'a> {
    ClientCredentials,
    Refresh { token: &'a Secret, scopes: Vec<&'a str> },
    Code(&'a Redemption),
    Device(&'a Secret),
}

impl Presented<'_> {
    fn asked(&self) -> Asked {
        match self {
            Self::ClientCredentials => Asked::App,
            Self::Refresh { .. } => Asked::Refresh,
            Self::Code(_) => Asked::Code,
            Self::Device(_) => Asked::Device,
        }
    }
}

/// What a person's browser is sent with.
pub(crate) struct AuthorizationRequest<'a> {
    pub(crate) redirect_uri: &'a str,
    pub(crate) state: &'a str,
    pub(crate) verifier: &'a Secret,
}

/// What a sign-in's code is redeemed with.
#[derive(Clone)]
pub(crate) struct Redemption {
    pub(crate) code: Secret,
    pub(crate) redirect_uri: String,
    pub(crate) verifier: Secret,
    /// As they were asked for. Entra takes them here, and nobody else expects them (RFC 6749 §4.1.3).
    pub(crate) scopes: Option<String>,
}

/// The application, as the crate knows it. Entra and Google take its secret in the body, and some services take nothing else;
/// others take HTTP Basic authentication alone.
fn registered(application: &Application, signed: &Signed, basic: bool) -> Registered {
    let way = if basic { AuthType::BasicAuth } else { AuthType::RequestBody };
    let client = Registered::new(ClientId::new(application.id.clone())).set_auth_type(way);
    match &signed.secret {
        Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose().to_owned())),
        None => client,
    }
}

/// Whether the secret goes as HTTP Basic authentication from the first request on.
fn basic_first(application: &Application, endpoints: &Endpoints) -> bool {
    match application.client_auth {
        ClientAuth::Basic => true,
        ClientAuth::Post => false,
        ClientAuth::Auto => endpoints.basic_only,
    }
}

fn owned(scopes: Vec<&str>) -> Vec<Scope> {
    scopes.into_iter().map(|scope| Scope::new(scope.to_owned())).collect()
}

fn redirect_url(text: &str) -> Result<RedirectUrl> {
    RedirectUrl::new(text.to_owned())
        .map_err(|e| Error::config("redirect_uri", format!("`redirect_uri` is not a URL: {e}")))
}

/// The crate takes no other than https here. Plain http stands for a service on this machine (`parse_endpoint` saw to it),
/// and the courier goes to the address that was configured.
fn https(url: &Url) -> RevocationUrl {
    let mut url = url.clone();
    let _ = url.set_scheme("https");
    RevocationUrl::from_url(url)
}

fn unmade(error: oauth2::ConfigurationError) -> Error {
    Error::new(ErrorCode::Internal, format!("the revocation cannot be asked for: {error}"))
}
