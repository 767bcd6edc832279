//! `auth.scopes`: short words become full scopes, and one token is for one resource.

use url::Url;

use super::auth::GrantName;
use super::resolve::Resolver;
use crate::config::options::Cloud;
use crate::error::Result;
use crate::provider::Family;
use crate::text;

impl Resolver<'_> {
    pub(super) fn scopes(&self, grant: GrantName) -> Result<Vec<String>> {
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

    fn one_right_resource(&self, grant: GrantName, scopes: &[String]) -> Result<()> {
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
                    &format!(
                        "`{}` alone means Microsoft Graph, which is not for SMTP",
                        text::shown(scope, 60)
                    ),
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
}
