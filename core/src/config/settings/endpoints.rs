//! Where the sign-in service answers: by preset, cloud and tenant, by the options, or by its own document.

use url::Url;

use super::auth::{Endpoints, GrantName, Overrides, ServiceAddress};
use super::resolve::Resolver;
use super::urls::parse_endpoint;
use crate::config::options::Cloud;
use crate::error::{Error, Result};
use crate::provider::Family;

impl Resolver<'_> {
    pub(super) fn tenant(&self, grant: GrantName) -> Result<String> {
        if self.preset.family != Family::Microsoft {
            return match &self.auth.tenant {
                Some(_) => Err(self.config("auth.tenant", |p| format!("`{p}` is a Microsoft option"))),
                None => Ok(String::new()),
            };
        }
        let app_only = grant == GrantName::ClientCredentials;
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

    /// The service's base URL for keys and messages, and where it answers.
    pub(super) fn address(&self, grant: GrantName) -> Result<(String, ServiceAddress)> {
        let tenant = self.tenant(grant)?;
        let authority = self.authority(&tenant)?;
        let (token, overrides) = self.named(&authority, &tenant)?;
        let base = match &*authority {
            // The whole of it: several realms may live at one origin.
            "" => token.as_ref().map(Url::to_string).unwrap_or_default(),
            _ if tenant.is_empty() => authority.clone(),
            _ => format!("{authority}/{tenant}"),
        };
        if self.preset.name == "custom" && !authority.is_empty() && self.auth.token_endpoint.is_none() {
            let issuer = parse_endpoint(&self.spelling.path("auth.authority"), &authority)?;
            return Ok((base, ServiceAddress::Described { issuer, overrides }));
        }
        let token = token.ok_or_else(|| self.unnamed("auth.token_endpoint"))?;
        let Overrides { authorization, device_authorization, revocation } = overrides;
        if grant == GrantName::AuthorizationCode && authorization.is_none() {
            return Err(self.unnamed("auth.authorization_endpoint"));
        }
        if grant == GrantName::DeviceCode && device_authorization.is_none() {
            return Err(self.unnamed("auth.device_authorization_endpoint"));
        }
        let endpoints = Endpoints {
            token,
            authorization,
            device_authorization,
            revocation,
            issuer: None,
            scopes_supported: None,
            basic_only: false,
            pushed_only: false,
        };
        Ok((base, ServiceAddress::Known(endpoints)))
    }

    fn unnamed(&self, path: &str) -> Error {
        let issuer = match self.preset.name {
            "custom" => " Or name the issuer by auth.authority, if it describes itself.",
            _ => "",
        };
        self.config(path, |p| format!("`{p}` is missing"))
            .with_hint(format!("{} has none of its own: name it.{issuer}", self.preset.name))
    }

    /// The base URL, without the tenant; empty if there is none.
    fn authority(&self, tenant: &str) -> Result<String> {
        // What the options say goes before what the machine says.
        let workload = self.workload("AZURE_AUTHORITY_HOST").filter(|_| self.options.cloud == Cloud::Global);
        let given = self.auth.authority.as_deref().or(workload.as_deref());
        let authority = match (given, self.options.cloud) {
            (Some(authority), _) => authority,
            (None, Cloud::Global) => self.preset.authority,
            (None, _) if self.preset.family != Family::Microsoft => {
                return Err(self.config("cloud", |p| format!("`{p}` is a Microsoft option")));
            }
            (None, Cloud::Us | Cloud::Dod) => "https://login.microsoftonline.us",
            (None, Cloud::China) => "https://login.partner.microsoftonline.cn",
        };
        let authority = authority.trim_end_matches('/');
        if authority.is_empty() {
            return Ok(String::new());
        }
        let url = parse_endpoint(&self.spelling.path("auth.authority"), authority)?;
        if self.preset.family != Family::Microsoft || url.path() == "/" {
            return Ok(authority.to_owned());
        }
        self.without_tenant(&url, tenant)
    }

    /// Documents and portals show the authority with the tenant in it: that is cut off, if it is the configured one.
    fn without_tenant(&self, url: &Url, tenant: &str) -> Result<String> {
        let path = url.path().trim_matches('/');
        let path = path.strip_suffix("oauth2/v2.0").or(path.strip_suffix("v2.0")).unwrap_or(path);
        let path = path.trim_end_matches('/');
        let (before, named) = path.rsplit_once('/').unwrap_or(("", path));
        let microsoft = url.host_str().is_some_and(|host| host.starts_with("login."));
        if named.eq_ignore_ascii_case(tenant) {
            let mut base = url.clone();
            base.set_path(before);
            return Ok(base.as_str().trim_end_matches('/').to_owned());
        }
        if !microsoft && !is_tenant(named) {
            return Ok(url.as_str().trim_end_matches('/').to_owned());
        }
        let error = self.config("auth.authority", |p| format!("`{p}` has a path: /{path}"));
        let tenant = self.spelling.path("auth.tenant");
        Err(match &self.auth.tenant {
            Some(own) => error.with_hint(format!(
                "It is the service's base URL, such as https://login.microsoftonline.com; {tenant} is {own}, and is put behind it."
            )),
            None => error.with_hint(format!(
                "It is the service's base URL, such as https://login.microsoftonline.com; the tenant goes into {tenant}."
            )),
        })
    }

    /// The endpoints of the options, else of the preset: the token endpoint, and the others.
    fn named(&self, authority: &str, tenant: &str) -> Result<(Option<Url>, Overrides)> {
        let (auth, preset) = (self.auth, self.preset);
        let endpoint = |key: &str, given: &Option<String>, preset: &str, path: &str| {
            let field = self.spelling.path(&format!("auth.{key}"));
            match given.as_deref() {
                Some(text) => parse_endpoint(&field, text).map(Some),
                None if self.preset.family == Family::Microsoft && !path.is_empty() => {
                    parse_endpoint(&field, &format!("{authority}/{tenant}/oauth2/v2.0/{path}")).map(Some)
                }
                None if !preset.is_empty() => parse_endpoint(&field, preset).map(Some),
                None => Ok(None),
            }
        };
        let token = endpoint("token_endpoint", &auth.token_endpoint, preset.token_endpoint, "token")?;
        let overrides = Overrides {
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
            revocation: endpoint(
                "revocation_endpoint",
                &auth.revocation_endpoint,
                preset.revocation_endpoint,
                "",
            )?,
        };
        Ok((token, overrides))
    }
}

/// Whether it is written as tenants are: a domain, a GUID, or one of the words for several.
fn is_tenant(text: &str) -> bool {
    let guid = text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    guid || text.contains('.') || ["common", "organizations", "consumers"].contains(&text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::config::{Options, Settings, Surroundings};
    use crate::error::ErrorCode;
    use crate::input::Spelling;

    fn resolve(more: Value) -> Result<Settings> {
        let mut options = json!({"provider": "microsoft365", "username": "ada@contoso.com",
            "auth": {"grant": "authorization_code", "client_id": "app"}});
        crate::config::overlay(&mut options, more);
        let around = Surroundings {
            callback: None,
            store: false,
            persistent: false,
            variable: std::sync::Arc::new(|_| None),
        };
        Settings::resolve(Options::from_json(options, Spelling::Snake)?, Spelling::Snake, around)
    }

    #[test]
    fn the_tenant_is_cut_off_the_authority_if_it_is_the_configured_one() {
        let plain = "https://login.microsoftonline.com";
        for (authority, tenant, base) in [
            ("https://login.microsoftonline.com/", "contoso.com", Some(plain)),
            ("https://login.microsoftonline.com/contoso.com", "contoso.com", Some(plain)),
            ("https://login.microsoftonline.com/Contoso.com/v2.0/", "contoso.com", Some(plain)),
            ("https://login.microsoftonline.com/contoso.com/oauth2/v2.0", "contoso.com", Some(plain)),
            ("https://login.microsoftonline.com/fabrikam.com", "contoso.com", None),
            ("https://login.microsoftonline.com/common", "contoso.com", None),
            ("https://login.microsoftonline.com/anything", "contoso.com", None),
            ("https://gate.example/entra", "contoso.com", Some("https://gate.example/entra")),
            ("https://gate.example/entra/contoso.com", "contoso.com", Some("https://gate.example/entra")),
            ("https://gate.example/fabrikam.com", "contoso.com", None),
        ] {
            let settings = resolve(json!({"auth": {"authority": authority, "tenant": tenant}}));
            match base {
                Some(base) => {
                    assert_eq!(settings.unwrap().auth.unwrap().authority, format!("{base}/{tenant}"));
                }
                None => {
                    let error = settings.unwrap_err();
                    assert_eq!(
                        (error.code(), error.field()),
                        (ErrorCode::ConfigInvalid, Some("auth.authority"))
                    );
                    assert!(error.hint().unwrap().contains("is contoso.com"), "{authority}: {error}");
                }
            }
        }
        let error = resolve(json!({"auth": {"authority": "https://login.microsoftonline.com/contoso.com"}}));
        assert!(error.unwrap_err().hint().unwrap().contains("the tenant goes into auth.tenant"));
    }
}
