//! Scopes: which resource they name, and whether there is such a permission.

use crate::access::GOOGLE_MAIL;
use crate::config::Dialect;
use crate::oauth::error::OauthError;

/// The resource of scopes that name none.
const GRAPH: &str = "https://graph.microsoft.com";

/// Resources that the tenant has, with the delegated permissions that may be asked of each.
const RESOURCES: [(&str, &[&str]); 6] = [
    ("https://outlook.office.com", OUTLOOK),
    ("https://outlook.office365.com", OUTLOOK),
    ("https://outlook.office365.us", OUTLOOK),
    ("https://partner.outlook.cn", OUTLOOK),
    (
        GRAPH,
        &[
            ".default",
            "User.Read",
            "Mail.Send",
            "Mail.Read",
            "Mail.ReadWrite",
            "SMTP.Send",
            "IMAP.AccessAsUser.All",
            "POP.AccessAsUser.All",
        ],
    ),
    ("https://ps.outlook.com", &[".default"]),
];

const OUTLOOK: &[&str] = &[
    ".default",
    "SMTP.Send",
    "IMAP.AccessAsUser.All",
    "POP.AccessAsUser.All",
    "EWS.AccessAsUser.All",
    "Mail.Send",
    "Mail.Read",
    "Mail.ReadWrite",
    "User.Read",
];

const OPENID: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// The words of a `scope` parameter, sorted out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scopes {
    /// `openid`, `profile`, `email`, `offline_access`.
    pub(crate) openid: Vec<String>,
    /// Resource and permission of each other word; Google's have no resource.
    pub(crate) permissions: Vec<(String, String)>,
}

impl Scopes {
    pub(crate) fn parse(dialect: Dialect, scope: &str) -> Result<Self, OauthError> {
        let mut scopes = Self::default();
        for word in scope.split_ascii_whitespace() {
            if OPENID.contains(&word) {
                scopes.openid.push(word.to_owned());
            } else {
                scopes.permissions.push(match dialect {
                    Dialect::Microsoft => microsoft(word)?,
                    Dialect::Google => google(word)?,
                });
            }
        }
        Ok(scopes)
    }

    pub(crate) fn has(&self, openid: &str) -> bool {
        self.openid.iter().any(|word| word == openid)
    }

    /// The one resource asked for; Graph where only OpenID's own scopes are.
    pub(crate) fn resource(&self) -> &str {
        self.permissions.first().map_or(GRAPH, |(resource, _)| resource)
    }

    pub(crate) fn has_several_resources(&self) -> bool {
        let resource = self.resource();
        self.permissions.iter().any(|(other, _)| other != resource)
    }

    /// What goes into the token's `scp`: the permissions on the first resource.
    pub(crate) fn granted(&self) -> Vec<String> {
        let resource = self.resource();
        let mut granted: Vec<String> = Vec::new();
        for (other, permission) in &self.permissions {
            let name = match (permission.as_str(), resource) {
                (".default", GRAPH) => "User.Read",
                (".default", _) => "SMTP.Send",
                (name, _) => name,
            };
            if other == resource && !granted.iter().any(|known| known == name) {
                granted.push(name.to_owned());
            }
        }
        if resource == GRAPH {
            granted.extend(self.openid.iter().filter(|word| *word != "offline_access").cloned());
        }
        granted
    }

    /// The answer's `scope`.
    pub(crate) fn answer(&self, dialect: Dialect) -> String {
        if dialect == Dialect::Google {
            let mut words: Vec<_> = self.permissions.iter().map(|(_, name)| name.clone()).collect();
            words.extend(self.openid.iter().cloned());
            return words.join(" ");
        }
        let resource = self.resource();
        let mut words: Vec<String> = Vec::new();
        for name in self.granted() {
            if OPENID.contains(&name.as_str()) {
                words.push(name);
            } else {
                words.push(format!("{resource}/{name}"));
            }
        }
        if self.permissions.iter().any(|(_, name)| name == ".default") {
            words.push(format!("{resource}/.default"));
        }
        words.join(" ")
    }
}

fn microsoft(word: &str) -> Result<(String, String), OauthError> {
    let Some(rest) = word.strip_prefix("https://") else {
        let known = RESOURCES[4].1.iter().any(|name| name.eq_ignore_ascii_case(word));
        return if known && word != ".default" {
            Ok((GRAPH.to_owned(), word.to_owned()))
        } else {
            Err(OauthError::bad_scope(word))
        };
    };
    let (host, name) = rest.split_once('/').ok_or_else(|| OauthError::bad_scope(word))?;
    let asked = format!("https://{host}");
    let Some((resource, names)) =
        RESOURCES.iter().find(|(resource, _)| resource.eq_ignore_ascii_case(&asked))
    else {
        return Err(OauthError::unknown_resource(&asked));
    };
    // Entra takes `https://outlook.office.com//.default` too.
    let name = name.trim_start_matches('/');
    names
        .iter()
        .find(|known| known.eq_ignore_ascii_case(name))
        .map(|known| ((*resource).to_owned(), (*known).to_owned()))
        .ok_or_else(|| OauthError::bad_scope(word))
}

fn google(word: &str) -> Result<(String, String), OauthError> {
    let known = word == GOOGLE_MAIL
        || word.strip_prefix("https://www.googleapis.com/auth/").is_some_and(|name| !name.is_empty());
    if known { Ok((String::new(), word.to_owned())) } else { Err(OauthError::bad_scope(word)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(scope: &str) -> Scopes {
        Scopes::parse(Dialect::Microsoft, scope).unwrap()
    }

    #[test]
    fn a_scope_names_its_resource_or_graph() {
        let scopes = parse("openid offline_access https://outlook.office.com/SMTP.Send");
        assert_eq!(scopes.resource(), "https://outlook.office.com");
        assert_eq!(scopes.granted(), ["SMTP.Send"]);
        assert_eq!(scopes.answer(Dialect::Microsoft), "https://outlook.office.com/SMTP.Send");
        assert_eq!(parse("SMTP.Send").resource(), GRAPH);
        assert_eq!(parse("openid profile").resource(), GRAPH);
        assert!(parse("User.Read https://outlook.office.com/SMTP.Send").has_several_resources());
    }

    #[test]
    fn what_is_unknown_is_refused_with_its_own_number() {
        let code = |scope| Scopes::parse(Dialect::Microsoft, scope).unwrap_err().code;
        assert_eq!(code("https://outlook.office.com/SMTP.Sned"), 70_011);
        assert_eq!(code("smtp"), 70_011);
        assert_eq!(code("https://outlook.example.com/SMTP.Send"), 500_011);
        assert!(Scopes::parse(Dialect::Google, "mail").is_err());
        assert!(Scopes::parse(Dialect::Google, "openid https://mail.google.com/").is_ok());
    }
}
