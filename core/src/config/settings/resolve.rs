//! `auth.*`, checked against the grant and the provider: every refusal comes with its cure, before any
//! network.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::auth::{Application, AuthSettings, Grant, GrantName, ServiceAccount, SignInSettings};
use super::surroundings::Surroundings;
use super::urls::check_redirect_uri;
use crate::config::credential::{AssertionOption, BearerKey, ClientCredential, TokenCallback};
use crate::config::github_job;
use crate::config::identity::{Identity, IdentityService};
use crate::config::options::{AuthOptions, ClientAuth, Cloud, Options};
use crate::error::{Error, Result};
use crate::input::{COMMAND_TIME, SecretSource, Spelling, nearest};
use crate::provider::{Family, Preset};
use crate::{instant, text};

/// Checks `auth.*` against the grant and the provider.
pub(super) struct Resolver<'a> {
    pub(super) options: &'a Options,
    pub(super) auth: &'a AuthOptions,
    pub(super) preset: &'static Preset,
    pub(super) spelling: Spelling,
    pub(super) around: &'a Surroundings,
}

impl Resolver<'_> {
    /// # Errors
    /// `config_invalid`.
    pub(super) fn auth(&self) -> Result<AuthSettings> {
        let name = self.grant_name()?;
        self.keys_belong(name)?;
        self.refused(name)?;
        let (grant, authority) = self.grant(name)?;
        Ok(AuthSettings {
            grant,
            family: self.preset.family,
            authority,
            scopes: self.scopes(name)?,
            refresh_ahead: Duration::from_secs(self.preset.refresh_ahead),
            min_remaining: Duration::from_secs(self.preset.min_remaining),
        })
    }

    /// The grant with what it needs, and the authority.
    fn grant(&self, name: GrantName) -> Result<(Grant, String)> {
        let auth = self.auth;
        if name.has_application() {
            return self.registered(name);
        }
        if name == GrantName::JwtBearer {
            let (key, subject) = self.service_account()?;
            let (authority, address) = self.address(name)?;
            let endpoint_given = auth.token_endpoint.is_some();
            return Ok((
                Grant::JwtBearer(ServiceAccount { key, subject, address, endpoint_given }),
                authority,
            ));
        }
        // It has a meaning with them only, and is refused elsewhere.
        self.tenant(name)?;
        let grant = match name {
            GrantName::ManagedIdentity => {
                let (service, identity) = self.managed()?;
                Grant::ManagedIdentity(service, identity)
            }
            GrantName::AccessToken => Grant::AccessToken {
                token: self.secret(name, "auth.access_token", &auth.access_token)?,
                expires_at: self.expires_at()?,
            },
            GrantName::Command => Grant::Command {
                words: auth.command.clone().ok_or_else(|| self.missing(name, "auth.command"))?,
                limit: auth.timeout.unwrap_or(COMMAND_TIME),
            },
            _ => Grant::Callback(self.callback().ok_or_else(|| {
                self.config("auth.callback", |p| format!("`{p}` is missing"))
                    .with_hint("Pass a function that returns a token: the grant `callback` needs one.")
            })?),
        };
        Ok((grant, name.as_str().to_owned()))
    }

    /// The grants of an application that is registered at the service.
    fn registered(&self, name: GrantName) -> Result<(Grant, String)> {
        let auth = self.auth;
        let id = self.client_id().ok_or_else(|| self.missing(name, "auth.client_id"))?;
        let credential = self.credential()?;
        if name == GrantName::ClientCredentials && matches!(credential, ClientCredential::None) {
            return Err(self.config("auth.client_secret", |p| format!("`{p}` is missing")).with_hint(
                "Set auth.client_secret, auth.certificate or auth.client_assertion (a federated token): the application must prove who it is.",
            ));
        }
        let credential_expires_at = match &auth.certificate {
            Some(certificate) => certificate.check(&self.spelling.path("auth.certificate"))?,
            None => None,
        };
        let (authority, address) = self.address(name)?;
        let client_auth = auth.client_auth;
        let application = Application { id, credential, credential_expires_at, client_auth, address };
        let grant = match name {
            GrantName::AuthorizationCode => Grant::AuthorizationCode(application, self.sign_in()?),
            GrantName::DeviceCode => Grant::DeviceCode(application, self.sign_in()?),
            GrantName::RefreshToken => Grant::RefreshToken(
                application,
                self.secret(name, "auth.refresh_token", &auth.refresh_token)?,
            ),
            _ => Grant::ClientCredentials(application),
        };
        Ok((grant, authority))
    }

    fn sign_in(&self) -> Result<SignInSettings> {
        let auth = self.auth;
        Ok(SignInSettings {
            scopes: self.preset.login_scopes,
            // Of another's service nothing is known.
            if_supported: self.preset.name == "custom",
            parameters: self.preset.authorization_parameters,
            redirect_uri: self.redirect_uri()?,
            prompt: auth.prompt.clone(),
            login_hint: auth.login_hint.clone(),
            domain_hint: auth.domain_hint.clone(),
            claims: auth.claims.clone(),
            response_mode: self.response_mode()?,
        })
    }

    fn secret(&self, name: GrantName, path: &str, source: &Option<SecretSource>) -> Result<SecretSource> {
        let source = source.clone().ok_or_else(|| self.missing(name, path))?;
        source.check(&self.spelling.path(path))?;
        Ok(source)
    }

    fn missing(&self, name: GrantName, path: &str) -> Error {
        self.config(path, |p| format!("`{p}` is missing"))
            .with_hint(format!("The grant {} needs it.", name.as_str()))
    }

    pub(super) fn config(&self, path: &str, message: impl FnOnce(&str) -> String) -> Error {
        let path = self.spelling.path(path);
        let message = message(&path);
        Error::config(path, message)
    }

    fn grant_name(&self) -> Result<GrantName> {
        let names: Vec<_> = GrantName::ALL.iter().map(|g| g.as_str()).collect();
        let Some(name) = self.auth.grant.as_deref() else {
            return Err(self
                .config("auth.grant", |p| format!("`{p}` is missing"))
                .with_hint(format!("One of: {}.", names.join(", "))));
        };
        GrantName::ALL.into_iter().find(|g| g.as_str() == name).ok_or_else(|| {
            let near = nearest(name, &names).map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
            self.config("auth.grant", |_| format!("unknown grant `{}`{near}", text::shown(name, 60)))
                .with_hint(format!("One of: {}.", names.join(", ")))
        })
    }

    /// How the application proves who it is: one way, or none.
    fn credential(&self) -> Result<ClientCredential> {
        let auth = self.auth;
        let given =
            [auth.client_secret.is_some(), auth.certificate.is_some(), auth.client_assertion.is_some()];
        if given.iter().filter(|given| **given).count() > 1 {
            return Err(self
                .config("auth", |p| {
                    format!("`{p}` has several of client_secret, certificate and client_assertion")
                })
                .with_hint("Keep one of them: an application proves who it is in one way."));
        }
        if let Some(certificate) = &auth.certificate {
            return Ok(ClientCredential::Certificate(certificate.clone()));
        }
        let field = self.spelling.path("auth.client_assertion");
        match &auth.client_assertion {
            Some(AssertionOption::Source(source)) => {
                source.check(&field)?;
                return Ok(ClientCredential::Assertion(source.clone()));
            }
            Some(AssertionOption::Github(audience)) => {
                github_job::check(&field, |name| (self.around.variable)(name))?;
                let usual = match self.options.cloud {
                    Cloud::Global => "api://AzureADTokenExchange",
                    Cloud::Us | Cloud::Dod => "api://AzureADTokenExchangeUSGov",
                    Cloud::China => "api://AzureADTokenExchangeChina",
                };
                let audience = audience.clone().unwrap_or_else(|| usual.to_owned());
                return Ok(ClientCredential::Github(audience));
            }
            Some(AssertionOption::Callback) => {
                let Some(callback) = self.around.callback.clone() else {
                    return Err(self
                        .config("auth.client_assertion", |p| format!("`{p}`: there is no function"))
                        .with_hint("Pass a function that returns the assertion."));
                };
                return Ok(ClientCredential::Callback(TokenCallback(callback)));
            }
            None => {}
        }
        if let Some(secret) = &auth.client_secret {
            secret.check(&self.spelling.path("auth.client_secret"))?;
            return Ok(ClientCredential::Secret(secret.clone()));
        }
        // What AKS and others set for a workload that Entra trusts.
        let file = self.workload("AZURE_FEDERATED_TOKEN_FILE");
        Ok(file.map_or(ClientCredential::None, |path| {
            ClientCredential::Assertion(SecretSource::File(path.into()))
        }))
    }

    /// A variable of the workload identity, if that is what this grant means.
    pub(super) fn workload(&self, name: &str) -> Option<String> {
        let auth = self.auth;
        let own =
            auth.client_secret.is_some() || auth.certificate.is_some() || auth.client_assertion.is_some();
        let app = auth.grant.as_deref() == Some(GrantName::ClientCredentials.as_str());
        let variable = |name: &str| (self.around.variable)(name).filter(|text| !text.is_empty());
        let meant = app && !own && self.preset.family == Family::Microsoft;
        if !meant || variable("AZURE_FEDERATED_TOKEN_FILE").is_none() {
            return None;
        }
        variable(name)
    }

    fn client_id(&self) -> Option<String> {
        self.auth.client_id.clone().or_else(|| self.workload("AZURE_CLIENT_ID"))
    }

    fn callback(&self) -> Option<TokenCallback> {
        self.around.callback.clone().map(TokenCallback)
    }

    fn service_account(&self) -> Result<(BearerKey, String)> {
        let auth = self.auth;
        let name = GrantName::JwtBearer;
        let key = match (&auth.key_file, &auth.issuer, &auth.private_key) {
            (Some(path), _, _) => BearerKey::File(path.clone()),
            (None, Some(issuer), Some(key)) => BearerKey::Own { issuer: issuer.clone(), key: key.clone() },
            (None, Some(_), None) => return Err(self.missing(name, "auth.private_key")),
            (None, None, _) => return Err(self.missing(name, "auth.key_file")),
        };
        key.check(self.spelling)?;
        let subject = auth.subject.clone().or_else(|| self.options.username.clone());
        Ok((key, subject.unwrap_or_default()))
    }

    fn managed(&self) -> Result<(IdentityService, Identity)> {
        let auth = self.auth;
        let identity = match (&auth.identity_client_id, &auth.object_id, &auth.resource_id) {
            (None, None, None) => Identity::System,
            (Some(id), None, None) => Identity::Client(id.clone()),
            (None, Some(id), None) => Identity::Object(id.clone()),
            (None, None, Some(id)) => Identity::Resource(id.clone()),
            _ => {
                return Err(self.config("auth.identity_client_id", |_| {
                    "an identity has one name: its client id, its object id or its resource id".to_owned()
                }));
            }
        };
        let service = IdentityService::detect(self.preset.family, |name| (self.around.variable)(name));
        let service = service.map_err(|what| self.config("auth.grant", |_| what))?;
        let one = matches!(service, IdentityService::Arc(_) | IdentityService::ServiceFabric(..));
        if one && identity != Identity::System {
            return Err(self.config("auth.identity_client_id", |p| {
                format!("`{p}`: Azure Arc and Service Fabric have one identity only, so none can be named")
            }));
        }
        Ok((service, identity))
    }

    /// Each grant takes the keys that mean something to it.
    fn keys_belong(&self, name: GrantName) -> Result<()> {
        use GrantName::{AccessToken, Callback, Command, JwtBearer, ManagedIdentity, RefreshToken};
        let auth = self.auth;
        let (application, interactive) = (name.has_application(), name.is_interactive());
        let (jwt, managed) = (name == JwtBearer, name == ManagedIdentity);
        let rows: [(&str, bool, bool); 26] = [
            ("client_id", auth.client_id.is_some(), application),
            ("certificate", auth.certificate.is_some(), application),
            ("client_assertion", auth.client_assertion.is_some(), application),
            ("client_secret", auth.client_secret.is_some(), application),
            ("client_auth", auth.client_auth != ClientAuth::Auto, application),
            ("redirect_uri", auth.redirect_uri.is_some(), interactive),
            ("prompt", auth.prompt.is_some(), interactive),
            ("login_hint", auth.login_hint.is_some(), interactive),
            ("domain_hint", auth.domain_hint.is_some(), interactive),
            ("claims", auth.claims.is_some(), interactive),
            ("response_mode", auth.response_mode.is_some(), interactive),
            ("revocation_endpoint", auth.revocation_endpoint.is_some(), application),
            ("refresh_token", auth.refresh_token.is_some(), name == RefreshToken),
            ("access_token", auth.access_token.is_some(), name == AccessToken),
            ("expires_at", auth.expires_at.is_some(), name == AccessToken),
            ("authorization_endpoint", auth.authorization_endpoint.is_some(), application),
            ("token_endpoint", auth.token_endpoint.is_some(), application || jwt),
            ("key_file", auth.key_file.is_some(), jwt),
            ("issuer", auth.issuer.is_some(), jwt && auth.key_file.is_none()),
            ("private_key", auth.private_key.is_some(), jwt && auth.key_file.is_none()),
            ("subject", auth.subject.is_some(), jwt),
            ("identity_client_id", auth.identity_client_id.is_some(), managed),
            ("object_id", auth.object_id.is_some(), managed),
            ("resource_id", auth.resource_id.is_some(), managed),
            ("command", auth.command.is_some(), name == Command),
            ("timeout", auth.timeout.is_some(), name == Command),
        ];
        let foreign = |path: &str| {
            self.config(path, |p| format!("`{p}` does not belong to the grant {}", name.as_str()))
        };
        if let Some((key, ..)) = rows.iter().find(|(_, present, belongs)| *present && !belongs) {
            return Err(foreign(&format!("auth.{key}")));
        }
        let proves = matches!(auth.client_assertion, Some(AssertionOption::Callback));
        if name != Callback && self.around.callback.is_some() && !proves {
            return Err(foreign("auth.callback"));
        }
        Ok(())
    }

    fn refused(&self, grant: GrantName) -> Result<()> {
        let name = self.preset.name;
        if let Some((_, cure)) = self.preset.refused_grants.iter().find(|(g, _)| *g == grant.as_str()) {
            return Err(self
                .config("auth.grant", |_| format!("{name} does not take the grant {}", grant.as_str()))
                .with_hint(*cure));
        }
        let nobody = self.options.username.is_none();
        if nobody && (grant.is_anonymous() || grant == GrantName::JwtBearer) {
            return Err(self
                .config("username", |p| format!("`{p}` is missing"))
                .with_hint("Set username to the mailbox that sends: an application's token names none."));
        }
        Ok(())
    }

    fn response_mode(&self) -> Result<Option<String>> {
        match self.auth.response_mode.as_deref() {
            None | Some("query" | "form_post") => Ok(self.auth.response_mode.clone()),
            Some(_) => Err(self.config("auth.response_mode", |p| format!("`{p}` is `query` or `form_post`"))),
        }
    }

    fn redirect_uri(&self) -> Result<Option<String>> {
        let Some(text) = self.auth.redirect_uri.as_deref() else { return Ok(None) };
        check_redirect_uri(&self.spelling.path("auth.redirect_uri"), text)?;
        Ok(Some(text.to_owned()))
    }

    fn expires_at(&self) -> Result<Option<SystemTime>> {
        let wrong = || {
            self.config("auth.expires_at", |p| format!("`{p}` is not an instant"))
                .with_hint("Write epoch seconds, or RFC 3339 with an offset, such as 2026-12-31T23:00:00Z.")
        };
        match &self.auth.expires_at {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => instant::from_rfc3339(text).map(Some).ok_or_else(wrong),
            Some(Value::Number(n)) => n
                .as_f64()
                .filter(|s| (0.0..1e11).contains(s))
                .map(|s| Some(UNIX_EPOCH + Duration::from_secs_f64(s)))
                .ok_or_else(wrong),
            Some(_) => Err(wrong()),
        }
    }
}
