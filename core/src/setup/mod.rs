//! What an administrator does once, as steps with ready scripts, and the configuration file that follows from them.
//!
//! It only writes text: nothing here touches a tenant, and no secret passes through it.

mod config_file;
mod google;
mod microsoft;

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::error::{Error, Result};

/// How a program is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupKind {
    /// Microsoft 365: the application alone, let in by Exchange for the named mailboxes and no others (RBAC for
    /// Applications). The least right, and the default.
    AppScoped,
    /// Microsoft 365: the application alone, by the Entra permission SMTP.SendAsApp and rights on each mailbox.
    AppPermission,
    /// Microsoft 365: a person signs in.
    Delegated,
    /// Microsoft 365: a High Volume Email account.
    HighVolume,
    /// Google: a person signs in, from a program on their machine.
    GoogleDesktop,
    /// Google: a person signs in through a web application.
    GoogleWeb,
    /// Google Workspace: a service account with domain-wide delegation.
    GoogleService,
}

impl SetupKind {
    /// All of them, by the provider and the name that people write.
    pub const NAMES: [(&'static str, &'static str, Self); 7] = [
        ("microsoft365", "app", Self::AppScoped),
        ("microsoft365", "app-permission", Self::AppPermission),
        ("microsoft365", "delegated", Self::Delegated),
        ("microsoft365", "hve", Self::HighVolume),
        ("google", "desktop", Self::GoogleDesktop),
        ("google", "web", Self::GoogleWeb),
        ("google", "service-account", Self::GoogleService),
    ];
}

/// What is to be set up.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// How; [`SetupKind::AppScoped`] where absent.
    pub kind: Option<SetupKind>,
    /// Microsoft: the organisation's domain or id.
    pub tenant: Option<String>,
    /// The mailboxes that send.
    pub mailboxes: Vec<String>,
    /// A mailbox that the (one) person of `mailboxes` sends as.
    pub shared_mailbox: Option<String>,
    /// The application's name; default `mailbearer`.
    pub name: Option<String>,
    /// The application's id, once there is one.
    pub client_id: Option<String>,
    /// Google: the project.
    pub project: Option<String>,
    /// A web application's redirect URI.
    pub redirect_uri: Option<String>,
    /// Where the secret, or the key, is kept; it is written by the scripts with mode 0600.
    pub secret_file: Option<PathBuf>,
}

/// What to do, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SetupPlan {
    /// What this is about.
    pub title: String,
    /// The steps.
    pub steps: Vec<Instruction>,
    /// The configuration file that follows from them; `<…>` stands for what the steps give.
    pub config: String,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Instruction {
    /// What it is for, in a few words.
    pub title: String,
    /// Which link of `verify` shows whether it was done: `token`, `claims` or `auth`.
    pub shown_by: &'static str,
    /// The way through the provider's pages.
    pub portal: String,
    /// A script that does the step.
    pub script: Option<Script>,
}

/// Something to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Script {
    /// `sh` or `powershell`.
    pub language: &'static str,
    /// What must be there: `Azure CLI`, `Exchange Online PowerShell`, `gcloud`.
    pub needs: &'static str,
    /// The lines.
    pub text: String,
}

impl Wishes {
    /// What to do to get there.
    ///
    /// # Errors
    /// `config_invalid` naming what is missing, or cannot stand in a script.
    pub fn plan(&self) -> Result<SetupPlan> {
        let checked = self.checked()?;
        Ok(match checked.kind {
            SetupKind::AppScoped
            | SetupKind::AppPermission
            | SetupKind::Delegated
            | SetupKind::HighVolume => microsoft::plan(&checked),
            SetupKind::GoogleDesktop | SetupKind::GoogleWeb | SetupKind::GoogleService => {
                google::plan(&checked)
            }
        })
    }

    /// What takes it back, in order.
    ///
    /// # Errors
    /// As for [`plan`](Self::plan).
    pub fn undo(&self) -> Result<SetupPlan> {
        let checked = self.checked()?;
        Ok(match checked.kind {
            SetupKind::AppScoped
            | SetupKind::AppPermission
            | SetupKind::Delegated
            | SetupKind::HighVolume => microsoft::undo(&checked),
            SetupKind::GoogleDesktop | SetupKind::GoogleWeb | SetupKind::GoogleService => {
                google::undo(&checked)
            }
        })
    }

    /// How to replace the secret or the key without a gap.
    ///
    /// # Errors
    /// As for [`plan`](Self::plan); `config_invalid` where there is no secret.
    pub fn rotation(&self) -> Result<SetupPlan> {
        let checked = self.checked()?;
        match checked.kind {
            SetupKind::Delegated => {
                Err(Error::config("kind", "an application that people sign in to has no secret here")
                    .with_hint("You need not rotate anything: sign-ins renew themselves."))
            }
            SetupKind::AppScoped | SetupKind::AppPermission | SetupKind::HighVolume => {
                Ok(microsoft::rotation(&checked))
            }
            _ => Ok(google::rotation(&checked)),
        }
    }

    /// The same, with what may stand in scripts alone, and with what is usual.
    fn checked(&self) -> Result<Checked> {
        let kind = self.kind.unwrap_or(SetupKind::AppScoped);
        let google =
            matches!(kind, SetupKind::GoogleDesktop | SetupKind::GoogleWeb | SetupKind::GoogleService);
        let plain = |name: &str, text: &str, more: &str| {
            let good = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
            match !text.is_empty() && text.len() <= 200 && text.chars().all(good) && !text.starts_with('-') {
                true => Ok(text.to_owned()),
                false => Err(Error::config(
                    name,
                    format!("`{name}`: {} cannot stand in a script", text.escape_debug()),
                )
                .with_hint("Use letters, digits and the usual signs of names and addresses.")),
            }
        };
        let missing =
            |name: &str, hint: &str| Error::config(name, format!("`{name}` is missing")).with_hint(hint);
        let tenant = match &self.tenant {
            Some(tenant) => plain("tenant", tenant, ".-")?,
            None if google => String::new(),
            None => {
                return Err(missing(
                    "tenant",
                    "Name the organisation by its domain, such as contoso.com, or its id.",
                ));
            }
        };
        if self.mailboxes.is_empty() {
            return Err(missing("mailboxes", "Name the mailboxes that send."));
        }
        let address = |name: &str, text: &String| {
            let text = plain(name, text, "@._+-")?;
            match text.split('@').collect::<Vec<_>>()[..] {
                [local, domain] if !local.is_empty() && domain.contains('.') => Ok(text),
                _ => Err(Error::config(name, format!("`{name}`: {text} is no address"))),
            }
        };
        let mailboxes =
            self.mailboxes.iter().map(|one| address("mailboxes", one)).collect::<Result<Vec<_>>>()?;
        if mailboxes.len() > 1
            && matches!(kind, SetupKind::Delegated | SetupKind::GoogleDesktop | SetupKind::GoogleWeb)
        {
            return Err(Error::config("mailboxes", "a person signs in for one mailbox")
                .with_hint("Run setup once for each mailbox, or choose a kind without a person."));
        }
        let name = plain("name", self.name.as_deref().unwrap_or("mailbearer"), "._-")?;
        if name.len() > 40 {
            return Err(Error::config("name", "`name` is longer than 40 characters"));
        }
        let secret_file = match &self.secret_file {
            Some(path) => {
                let path = path.to_string_lossy().into_owned();
                // Scripts and the file quote it so.
                if path.is_empty() || path.contains(|c: char| c == '\'' || c.is_control()) {
                    return Err(Error::config(
                        "secret_file",
                        "`secret_file` has characters that no script can quote",
                    ));
                }
                path
            }
            None => format!("{name}.{}", if kind == SetupKind::GoogleService { "json" } else { "secret" }),
        };
        let redirect_uri = match &self.redirect_uri {
            Some(uri) => plain("redirect_uri", uri, ":/._-")?,
            None if kind == SetupKind::GoogleWeb => {
                return Err(missing(
                    "redirect_uri",
                    "Name the address of your application to which people come back.",
                ));
            }
            None => "http://localhost".to_owned(),
        };
        Ok(Checked {
            kind,
            tenant,
            mailboxes,
            shared_mailbox: self
                .shared_mailbox
                .as_ref()
                .map(|one| address("shared_mailbox", one))
                .transpose()?,
            client_id: self.client_id.as_ref().map(|id| plain("client_id", id, "._-")).transpose()?,
            project: match &self.project {
                Some(project) => plain("project", project, "-")?,
                None => "<project>".to_owned(),
            },
            name,
            redirect_uri,
            secret_file,
        })
    }
}

/// Wishes that can be written into scripts.
struct Checked {
    kind: SetupKind,
    tenant: String,
    mailboxes: Vec<String>,
    shared_mailbox: Option<String>,
    name: String,
    client_id: Option<String>,
    project: String,
    redirect_uri: String,
    secret_file: String,
}

impl fmt::Display for SetupPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# {}", self.title)?;
        for (at, step) in self.steps.iter().enumerate() {
            writeln!(f, "\n## {}. {}\n\n{}", at + 1, step.title, step.portal)?;
            if let Some(script) = &step.script {
                writeln!(
                    f,
                    "\nOr with {}:\n\n```{}\n{}\n```",
                    script.needs,
                    script.language,
                    script.text.trim()
                )?;
            }
        }
        if !self.config.is_empty() {
            writeln!(f, "\n## The configuration file\n\n```toml\n{}\n```", self.config.trim())?;
        }
        Ok(())
    }
}

fn step(
    title: &str,
    shown_by: &'static str,
    portal: impl Into<String>,
    script: Option<Script>,
) -> Instruction {
    Instruction { title: title.to_owned(), shown_by, portal: portal.into(), script }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn wishes(kind: SetupKind) -> Wishes {
        Wishes {
            kind: Some(kind),
            tenant: Some("contoso.com".into()),
            mailboxes: vec!["noreply@contoso.com".into()],
            project: Some("orders-123".into()),
            redirect_uri: Some("https://app.contoso.com/callback".into()),
            ..Wishes::default()
        }
    }

    #[test]
    fn every_kind_can_be_set_up_and_taken_back() {
        for (provider, name, kind) in SetupKind::NAMES {
            let plan = wishes(kind).plan().unwrap();
            assert!(plan.steps.len() >= 2, "{provider} {name}");
            let text = plan.to_string();
            assert!(text.contains("noreply@contoso.com"), "{provider} {name}");
            let options: toml::Value = toml::from_str(&plan.config).unwrap();
            assert!(options.get("auth").is_some_and(|auth| auth.get("grant").is_some()));
            assert!(!wishes(kind).undo().unwrap().steps.is_empty());
        }
    }

    #[test]
    fn nothing_that_a_shell_would_obey_gets_into_a_script() {
        let good = wishes(SetupKind::AppScoped);
        for bad in [
            Wishes { tenant: Some("contoso.com; rm -rf /".into()), ..good.clone() },
            Wishes { tenant: Some("-x".into()), ..good.clone() },
            Wishes { name: Some("a'b".into()), ..good.clone() },
            Wishes { mailboxes: vec!["a@b.example$(id)".into()], ..good.clone() },
            Wishes { mailboxes: vec!["nobody".into()], ..good.clone() },
            Wishes { mailboxes: Vec::new(), ..good.clone() },
            Wishes { secret_file: Some("a'b".into()), ..good.clone() },
            Wishes { client_id: Some("`id`".into()), ..good.clone() },
            Wishes { tenant: None, ..good },
        ] {
            let error = bad.plan().unwrap_err();
            assert!(error.field().is_some(), "{error}");
        }
    }

    #[test]
    fn a_person_signs_in_for_one_mailbox_and_has_no_secret() {
        let two = vec!["a@contoso.com".to_owned(), "b@contoso.com".to_owned()];
        assert!(Wishes { mailboxes: two.clone(), ..wishes(SetupKind::Delegated) }.plan().is_err());
        assert!(Wishes { mailboxes: two, ..wishes(SetupKind::AppScoped) }.plan().is_ok());
        assert!(wishes(SetupKind::Delegated).rotation().is_err());
    }
}
