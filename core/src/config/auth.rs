//! `auth.*`, checked against the grant and the provider: every refusal comes with its cure, before any
//! network.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use url::Url;

use super::credential::{AssertionCallback, AssertionOption, BearerKey, ClientCredential};
use super::options::{AuthOptions, Cloud, Options};
use super::settings::{AuthSettings, Endpoints, GrantKind, Surroundings, shown};
use super::{Identity, IdentityService, github_job};
use crate::error::{Error, Result};
use crate::input::{COMMAND_TIME, SecretSource, Spelling, mistake};
use crate::net::server_url::is_loopback;
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
    pub(super) fn auth(&self) -> Result<AuthSettings> {
        let grant = self.grant()?;
        let credential = self.credential()?;
        self.keys_belong(grant, &credential)?;
        self.refused(grant)?;
        let auth = self.auth;
        let tenant = self.tenant(grant)?;
        for (field, source) in [
            ("auth.client_secret", &auth.client_secret),
            ("auth.refresh_token", &auth.refresh_token),
            ("auth.access_token", &auth.access_token),
        ] {
            if let Some(source) = source {
                source.check(&self.spelling.path(field))?;
            }
        }
        Ok(AuthSettings {
            grant,
            family: self.preset.family,
            client_id: self.client_id().unwrap_or_default(),
            credential,
            scopes: self.scopes(grant)?,
            login_scopes: self.preset.login_scopes,
            endpoints: self.endpoints(grant, &tenant)?,
            tenant,
            authorization_parameters: self.preset.authorization_parameters,
            redirect_uri: self.redirect_uri()?,
            prompt: auth.prompt.clone(),
            login_hint: auth.login_hint.clone(),
            domain_hint: auth.domain_hint.clone(),
            claims: auth.claims.clone(),
            response_mode: self.response_mode()?,
            endpoint_given: auth.token_endpoint.is_some(),
            bearer: self.bearer(grant)?,
            managed: self.managed(grant)?,
            command: auth.command.clone().map(|words| (words, auth.timeout.unwrap_or(COMMAND_TIME))),
            refresh_token: auth.refresh_token.clone(),
            access_token: auth.access_token.clone(),
            expires_at: self.expires_at()?,
            refresh_ahead: Duration::from_secs(self.preset.refresh_ahead),
            min_remaining: Duration::from_secs(self.preset.min_remaining),
            credential_expires_at: match &auth.certificate {
                Some(certificate) => certificate.check(&self.spelling.path("auth.certificate"))?,
                None => None,
            },
        })
    }

    fn config(&self, path: &str, message: impl FnOnce(&str) -> String) -> Error {
        let path = self.spelling.path(path);
        let message = message(&path);
        Error::config(path, message)
    }

    fn grant(&self) -> Result<GrantKind> {
        let names: Vec<_> = GrantKind::ALL.iter().map(|g| g.as_str()).collect();
        let Some(name) = self.auth.grant.as_deref() else {
            return Err(self
                .config("auth.grant", |p| format!("`{p}` is missing"))
                .with_hint(format!("One of: {}.", names.join(", "))));
        };
        GrantKind::ALL.into_iter().find(|g| g.as_str() == name).ok_or_else(|| {
            let near =
                mistake::nearest(name, &names).map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
            self.config("auth.grant", |_| format!("unknown grant `{}`{near}", shown(name)))
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
                return Ok(ClientCredential::Callback(AssertionCallback(callback)));
            }
            None => {}
        }
        if let Some(secret) = &auth.client_secret {
            return Ok(ClientCredential::Secret(secret.clone()));
        }
        // What AKS and others set for a workload that Entra trusts.
        let file = self.workload("AZURE_FEDERATED_TOKEN_FILE");
        Ok(file.map_or(ClientCredential::None, |path| {
            ClientCredential::Assertion(SecretSource::File(path.into()))
        }))
    }

    /// A variable of the workload identity, if that is what this grant means.
    fn workload(&self, name: &str) -> Option<String> {
        let auth = self.auth;
        let own =
            auth.client_secret.is_some() || auth.certificate.is_some() || auth.client_assertion.is_some();
        let app = auth.grant.as_deref() == Some(GrantKind::ClientCredentials.as_str());
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

    fn bearer(&self, grant: GrantKind) -> Result<Option<(BearerKey, String)>> {
        if grant != GrantKind::JwtBearer {
            return Ok(None);
        }
        let auth = self.auth;
        let key = match (&auth.key_file, &auth.issuer, &auth.private_key) {
            (Some(path), _, _) => BearerKey::File(path.clone()),
            (None, Some(issuer), Some(key)) => BearerKey::Own { issuer: issuer.clone(), key: key.clone() },
            _ => return Err(self.config("auth.key_file", |p| format!("`{p}` is missing"))),
        };
        key.check(self.spelling)?;
        let subject = auth.subject.clone().or_else(|| self.options.username.clone());
        Ok(Some((key, subject.unwrap_or_default())))
    }

    fn managed(&self, grant: GrantKind) -> Result<Option<(IdentityService, Identity)>> {
        if grant != GrantKind::ManagedIdentity {
            return Ok(None);
        }
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
        Ok(Some((service, identity)))
    }

    /// Each grant takes the keys that mean something to it, and needs some of them.
    fn keys_belong(&self, grant: GrantKind, credential: &ClientCredential) -> Result<()> {
        use GrantKind::*;
        let auth = self.auth;
        let client = matches!(grant, ClientCredentials | AuthorizationCode | DeviceCode | RefreshToken);
        let proven = !matches!(credential, ClientCredential::None);
        let managed = grant == ManagedIdentity;
        let interactive = grant.is_interactive();
        let rows: [(&str, bool, bool, bool); 25] = [
            ("client_id", self.client_id().is_some(), client, client),
            ("certificate", auth.certificate.is_some(), client, false),
            ("client_assertion", auth.client_assertion.is_some(), client, false),
            ("client_secret", auth.client_secret.is_some(), client, grant == ClientCredentials && !proven),
            ("redirect_uri", auth.redirect_uri.is_some(), interactive, false),
            ("prompt", auth.prompt.is_some(), interactive, false),
            ("login_hint", auth.login_hint.is_some(), interactive, false),
            ("domain_hint", auth.domain_hint.is_some(), interactive, false),
            ("claims", auth.claims.is_some(), interactive, false),
            ("response_mode", auth.response_mode.is_some(), interactive, false),
            ("revocation_endpoint", auth.revocation_endpoint.is_some(), client, false),
            ("refresh_token", auth.refresh_token.is_some(), grant == RefreshToken, grant == RefreshToken),
            ("access_token", auth.access_token.is_some(), grant == AccessToken, grant == AccessToken),
            ("expires_at", auth.expires_at.is_some(), grant == AccessToken, false),
            ("authorization_endpoint", auth.authorization_endpoint.is_some(), client, false),
            ("token_endpoint", auth.token_endpoint.is_some(), client || grant == JwtBearer, false),
            (
                "key_file",
                auth.key_file.is_some(),
                grant == JwtBearer,
                grant == JwtBearer && auth.issuer.is_none(),
            ),
            ("issuer", auth.issuer.is_some(), grant == JwtBearer && auth.key_file.is_none(), false),
            (
                "private_key",
                auth.private_key.is_some(),
                grant == JwtBearer && auth.key_file.is_none(),
                grant == JwtBearer && auth.key_file.is_none(),
            ),
            ("subject", auth.subject.is_some(), grant == JwtBearer, false),
            ("identity_client_id", auth.identity_client_id.is_some(), managed, false),
            ("object_id", auth.object_id.is_some(), managed, false),
            ("resource_id", auth.resource_id.is_some(), managed, false),
            ("command", auth.command.is_some(), grant == Command, grant == Command),
            ("timeout", auth.timeout.is_some(), grant == Command, false),
        ];
        for (key, present, belongs, needed) in rows {
            let path = format!("auth.{key}");
            if present && !belongs {
                return Err(
                    self.config(&path, |p| format!("`{p}` does not belong to the grant {}", grant.as_str()))
                );
            }
            if needed && !present {
                return Err(self
                    .config(&path, |p| format!("`{p}` is missing"))
                    .with_hint(match key {
                        "client_secret" => {
                            "Set auth.client_secret, auth.certificate or auth.client_assertion (a federated token): the application must prove who it is.".to_owned()
                        }
                        _ => format!("The grant {} needs it.", grant.as_str()),
                    }));
            }
        }
        let callback = self.around.callback.is_some();
        if grant == Callback && !callback {
            return Err(self
                .config("auth.callback", |p| format!("`{p}` is missing"))
                .with_hint("Pass a function that returns a token: the grant `callback` needs one."));
        }
        let proves = matches!(credential, ClientCredential::Callback(_));
        if grant != Callback && callback && !proves {
            return Err(self.config("auth.callback", |p| {
                format!("`{p}` does not belong to the grant {}", grant.as_str())
            }));
        }
        Ok(())
    }

    fn refused(&self, grant: GrantKind) -> Result<()> {
        let name = self.preset.name;
        if let Some((_, cure)) = self.preset.refused_grants.iter().find(|(g, _)| *g == grant.as_str()) {
            return Err(self
                .config("auth.grant", |_| format!("{name} does not take the grant {}", grant.as_str()))
                .with_hint(*cure));
        }
        let nobody = self.options.username.is_none();
        if nobody && (grant.is_anonymous() || grant == GrantKind::JwtBearer) {
            return Err(self
                .config("username", |p| format!("`{p}` is missing"))
                .with_hint("Set username to the mailbox that sends: an application's token names none."));
        }
        Ok(())
    }

    fn tenant(&self, grant: GrantKind) -> Result<String> {
        if self.preset.family != Family::Microsoft {
            return match &self.auth.tenant {
                Some(_) => Err(self.config("auth.tenant", |p| format!("`{p}` is a Microsoft option"))),
                None => Ok(String::new()),
            };
        }
        let app_only = grant == GrantKind::ClientCredentials;
        let workload = self.workload("AZURE_TENANT_ID");
        let tenant = match self.auth.tenant.as_deref().or(workload.as_deref()) {
            Some(tenant) => tenant,
            None if app_only && self.auth.token_endpoint.is_none() => {
                return Err(self.config("auth.tenant", |p| format!("`{p}` is missing")).with_hint(
                    "Name your organisation: its domain, such as contoso.com, or its tenant id.",
                ));
            }
            None => self.preset.tenant,
        };
        let plain = tenant.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if !plain || (tenant.is_empty() && self.auth.tenant.is_some()) {
            return Err(self
                .config("auth.tenant", |p| format!("`{p}` is not a domain or tenant id"))
                .with_hint("Write a domain such as contoso.com, or the tenant's GUID."));
        }
        let several =
            ["common", "organizations", "consumers"].iter().any(|word| tenant.eq_ignore_ascii_case(word));
        let own = self.auth.tenant.is_none() && workload.is_none() && self.auth.token_endpoint.is_some();
        if app_only && several && !own {
            return Err(self
                .config("auth.tenant", |p| {
                    format!("`{p}` cannot be `{tenant}` for an application's own token")
                })
                .with_hint("Name the organisation whose mailbox sends: its domain or tenant id."));
        }
        Ok(tenant.to_owned())
    }

    fn scopes(&self, grant: GrantKind) -> Result<Vec<String>> {
        let preset = self.preset;
        let app_only = grant.is_anonymous();
        let delegated = match self.options.cloud {
            Cloud::Global => None,
            Cloud::Us | Cloud::Dod => Some("https://outlook.office365.us/"),
            Cloud::China => Some("https://partner.outlook.cn/"),
        };
        let in_cloud = |scope: &str| match delegated {
            Some(base) if preset.family == Family::Microsoft => scope
                .strip_prefix("https://outlook.office.com/")
                .or_else(|| scope.strip_prefix("https://outlook.office365.com/"))
                .map_or_else(|| scope.to_owned(), |rest| format!("{base}{rest}")),
            _ => scope.to_owned(),
        };
        let short = |word: &str| match word {
            _ if app_only && !preset.app_scope.is_empty() => Some(preset.app_scope),
            "smtp" => Some(preset.smtp_scope),
            "imap" => Some(preset.imap_scope),
            "pop" => Some(preset.pop_scope),
            _ => None,
        };
        let mut out: Vec<String> = Vec::new();
        let default = vec!["smtp".to_owned()];
        for scope in self.auth.scopes.as_ref().unwrap_or(&default) {
            let full = match scope.as_str() {
                "smtp" | "imap" | "pop" => in_cloud(short(scope).unwrap_or_default()),
                full => full.to_owned(),
            };
            if full.is_empty() {
                if self.auth.scopes.is_some() {
                    return Err(self.config("auth.scopes", |_| {
                        format!("{} has no known scope for {scope}; write it in full", preset.name)
                    }));
                }
                continue;
            }
            if !text::is_word(&full) {
                return Err(
                    self.config("auth.scopes", |p| format!("`{p}`: a scope has no blanks; give a list"))
                );
            }
            if !out.contains(&full) {
                out.push(full);
            }
        }
        self.one_right_resource(grant, &out)?;
        Ok(out)
    }

    fn one_right_resource(&self, grant: GrantKind, scopes: &[String]) -> Result<()> {
        if self.preset.family != Family::Microsoft {
            return Ok(());
        }
        let wrong = |message: &str, hint: &str| {
            Err(self.config("auth.scopes", |p| format!("`{p}`: {message}")).with_hint(hint))
        };
        let mut resources: Vec<String> = Vec::new();
        for scope in scopes {
            let Ok(url) = Url::parse(scope) else {
                if ["openid", "profile", "offline_access", "email"].contains(&scope.as_str()) {
                    continue;
                }
                return wrong(
                    &format!("`{}` alone means Microsoft Graph, which is not for SMTP", shown(scope)),
                    "Write the full scope, such as https://outlook.office.com/SMTP.Send, or just `smtp`.",
                );
            };
            let host = url.host_str().unwrap_or_default().to_owned();
            if host.starts_with("graph.microsoft") || host == "microsoftgraph.chinacloudapi.cn" {
                return wrong(
                    "a Graph token cannot be used over SMTP",
                    "Leave auth.scopes out, or use https://outlook.office.com/SMTP.Send.",
                );
            }
            if scope.ends_with("/.default") && grant.is_delegated() {
                return wrong(
                    "`.default` is for applications, not for a person's token",
                    "Leave auth.scopes out, or use https://outlook.office.com/SMTP.Send.",
                );
            }
            if !resources.contains(&host) {
                resources.push(host);
            }
        }
        if resources.len() > 1 {
            return wrong(
                &format!("one token is for one resource, not for {}", resources.join(" and ")),
                "Make a second token source for the other resource.",
            );
        }
        Ok(())
    }

    fn endpoints(&self, grant: GrantKind, tenant: &str) -> Result<Endpoints> {
        let auth = self.auth;
        use GrantKind::{AccessToken, Callback, Command, ManagedIdentity};
        if matches!(grant, AccessToken | Callback | Command | ManagedIdentity) {
            let authority = grant.as_str().to_owned();
            return Ok(Endpoints { authority, ..Endpoints::default() });
        }
        // What the options say goes before what the machine says.
        let workload = self.workload("AZURE_AUTHORITY_HOST").filter(|_| self.options.cloud == Cloud::Global);
        let authority = match (auth.authority.as_deref().or(workload.as_deref()), self.options.cloud) {
            (Some(authority), _) => authority,
            (None, Cloud::Global) => self.preset.authority,
            (None, _) if self.preset.family != Family::Microsoft => {
                return Err(self.config("cloud", |p| format!("`{p}` is a Microsoft option")));
            }
            (None, Cloud::Us | Cloud::Dod) => "https://login.microsoftonline.us",
            (None, Cloud::China) => "https://login.partner.microsoftonline.cn",
        }
        .trim_end_matches('/');
        if !authority.is_empty() {
            parse_endpoint(&self.spelling.path("auth.authority"), authority)?;
        }
        let endpoint = |key: &str, given: &Option<String>, preset: &str, path: &str| {
            let field = self.spelling.path(&format!("auth.{key}"));
            match given.as_deref() {
                Some(text) => parse_endpoint(&field, text).map(Some),
                None if self.preset.family == Family::Microsoft => {
                    parse_endpoint(&field, &format!("{authority}/{tenant}/oauth2/v2.0/{path}")).map(Some)
                }
                None if !preset.is_empty() => parse_endpoint(&field, preset).map(Some),
                None => Ok(None),
            }
        };
        let preset = self.preset;
        let endpoints = Endpoints {
            token: endpoint("token_endpoint", &auth.token_endpoint, preset.token_endpoint, "token")?,
            authorization: endpoint(
                "authorization_endpoint",
                &auth.authorization_endpoint,
                preset.authorization_endpoint,
                "authorize",
            )?,
            device_authorization: endpoint(
                "device_authorization_endpoint",
                &auth.device_authorization_endpoint,
                preset.device_authorization_endpoint,
                "devicecode",
            )?,
            revocation: match (&auth.revocation_endpoint, preset.revocation_endpoint) {
                (None, "") => None,
                (None, url) => Some(parse_endpoint("auth.revocation_endpoint", url)?),
                (Some(url), _) => Some(parse_endpoint(&self.spelling.path("auth.revocation_endpoint"), url)?),
            },
            ..Endpoints::default()
        };
        let discover = preset.name == "custom" && !authority.is_empty() && auth.token_endpoint.is_none();
        let discover = match discover {
            true => Some(parse_endpoint(&self.spelling.path("auth.authority"), authority)?),
            false => None,
        };
        let needed = [
            ("auth.token_endpoint", endpoints.token.is_some(), true),
            (
                "auth.authorization_endpoint",
                endpoints.authorization.is_some(),
                grant == GrantKind::AuthorizationCode,
            ),
            (
                "auth.device_authorization_endpoint",
                endpoints.device_authorization.is_some(),
                grant == GrantKind::DeviceCode,
            ),
        ];
        for (path, present, needed) in needed {
            if needed && !present && discover.is_none() {
                let issuer = match preset.name {
                    "custom" => " Or name the issuer by auth.authority, if it describes itself.",
                    _ => "",
                };
                return Err(self
                    .config(path, |p| format!("`{p}` is missing"))
                    .with_hint(format!("{} has none of its own: name it.{issuer}", preset.name)));
            }
        }
        let authority = match authority {
            // The whole of it: several realms may live at one origin.
            "" => endpoints.token.as_ref().map(Url::to_string).unwrap_or_default(),
            _ if tenant.is_empty() => authority.to_owned(),
            _ => format!("{authority}/{tenant}"),
        };
        Ok(Endpoints { authority, discover, ..endpoints })
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

/// A redirect URI is absolute, without fragment (RFC 6749 §3.1.2); on loopback its path is `/`, since
/// Entra compares paths and registrations of `http://localhost` have none.
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
    if loopback && url.path() != "/" {
        return Err(Error::config(field, format!("`{field}` on loopback may not have a path")).with_hint(
            "Register http://localhost and leave redirect_uri out: mailbearer then listens there itself.",
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
