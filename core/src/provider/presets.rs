//! The table of providers.

use super::{Family, Preset, Security};

/// The preset of this name.
pub fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

/// All names, in the order of the documentation.
pub fn names() -> Vec<&'static str> {
    PRESETS.iter().map(|preset| preset.name).collect()
}

const OPENID: &[&str] = &["openid", "profile", "offline_access"];
const MICROSOFT_HOSTS: &[&str] =
    &["office365.com", "outlook.com", "office365.us", "apps.mil", "partner.outlook.cn", "hve.mx.microsoft"];

/// RFC 6749 alone, submission by STARTTLS on 587, no limits known: what the others differ from.
const BASE: Preset = Preset {
    name: "custom",
    family: Family::Plain,
    smtp_host: "",
    smtp_port: 587,
    smtp_security: Security::Starttls,
    authority: "",
    tenant: "",
    authorization_endpoint: "",
    token_endpoint: "",
    device_authorization_endpoint: "",
    revocation_endpoint: "",
    smtp_scope: "",
    imap_scope: "",
    pop_scope: "",
    app_scope: "",
    login_scopes: OPENID,
    authorization_parameters: &[],
    token_hosts: &[],
    max_connections: Some(5),
    messages_per_minute: None,
    max_recipients: 1000,
    recipients_of_a_day: None,
    long_auth_line: false,
    chains: true,
    refresh_ahead: 300,
    min_remaining: 30,
    refused_grants: &[],
};

const MICROSOFT365: Preset = Preset {
    name: "microsoft365",
    family: Family::Microsoft,
    smtp_host: "smtp.office365.com",
    authority: "https://login.microsoftonline.com",
    tenant: "organizations",
    smtp_scope: "https://outlook.office.com/SMTP.Send",
    imap_scope: "https://outlook.office.com/IMAP.AccessAsUser.All",
    pop_scope: "https://outlook.office.com/POP.AccessAsUser.All",
    app_scope: "https://outlook.office365.com/.default",
    token_hosts: MICROSOFT_HOSTS,
    max_connections: Some(3),
    messages_per_minute: Some(30),
    max_recipients: 500,
    // Exchange Online's recipient rate limit.
    recipients_of_a_day: Some(10_000),
    long_auth_line: true,
    // Until somebody has looked at a live tenant; at 30 messages a minute it gains nothing.
    chains: false,
    ..BASE
};

static PRESETS: &[Preset] = &[
    MICROSOFT365,
    Preset {
        name: "outlook",
        smtp_host: "smtp-mail.outlook.com",
        tenant: "consumers",
        app_scope: "",
        refused_grants: &[(
            "client_credentials",
            "Outlook.com mailboxes belong to people: use grant `authorization_code` or `device_code`.",
        )],
        recipients_of_a_day: None,
        ..MICROSOFT365
    },
    Preset {
        name: "gmail",
        family: Family::Google,
        smtp_host: "smtp.gmail.com",
        smtp_port: 465,
        smtp_security: Security::Tls,
        authorization_endpoint: "https://accounts.google.com/o/oauth2/v2/auth",
        token_endpoint: "https://oauth2.googleapis.com/token",
        revocation_endpoint: "https://oauth2.googleapis.com/revoke",
        device_authorization_endpoint: "https://oauth2.googleapis.com/device/code",
        smtp_scope: "https://mail.google.com/",
        imap_scope: "https://mail.google.com/",
        pop_scope: "https://mail.google.com/",
        login_scopes: &["openid", "email", "profile"],
        authorization_parameters: &[("access_type", "offline"), ("prompt", "consent")],
        token_hosts: &["gmail.com", "google.com", "googlemail.com"],
        max_connections: Some(10),
        max_recipients: 100,
        refused_grants: &[
            (
                "device_code",
                "Google does not give the mail scope to devices: use grant `authorization_code`.",
            ),
            ("client_credentials", "Google has no such grant for mail: use `authorization_code`."),
        ],
        ..BASE
    },
    Preset {
        name: "hve",
        smtp_host: "smtp.hve.mx.microsoft",
        tenant: "",
        app_scope: "https://outlook.office.com/.default",
        max_connections: None,
        messages_per_minute: None,
        max_recipients: 50,
        refresh_ahead: 1200,
        min_remaining: 1200,
        refused_grants: &[
            ("authorization_code", HVE_IS_APP_ONLY),
            ("device_code", HVE_IS_APP_ONLY),
            ("refresh_token", HVE_IS_APP_ONLY),
        ],
        recipients_of_a_day: None,
        ..MICROSOFT365
    },
    Preset {
        name: "yahoo",
        smtp_host: "smtp.mail.yahoo.com",
        smtp_port: 465,
        smtp_security: Security::Tls,
        authorization_endpoint: "https://api.login.yahoo.com/oauth2/request_auth",
        token_endpoint: "https://api.login.yahoo.com/oauth2/get_token",
        revocation_endpoint: "https://api.login.yahoo.com/oauth2/revoke",
        smtp_scope: "mail-w",
        imap_scope: "mail-w",
        pop_scope: "mail-w",
        login_scopes: &["openid"],
        token_hosts: &["yahoo.com"],
        max_recipients: 100,
        ..BASE
    },
    Preset {
        name: "aol",
        smtp_host: "smtp.aol.com",
        smtp_port: 465,
        smtp_security: Security::Tls,
        authorization_endpoint: "https://api.login.aol.com/oauth2/request_auth",
        token_endpoint: "https://api.login.aol.com/oauth2/get_token",
        revocation_endpoint: "https://api.login.aol.com/oauth2/revoke",
        smtp_scope: "mail-w",
        imap_scope: "mail-w",
        pop_scope: "mail-w",
        login_scopes: &["openid"],
        token_hosts: &["aol.com"],
        max_recipients: 100,
        ..BASE
    },
    Preset {
        name: "fastmail",
        smtp_host: "smtp.fastmail.com",
        smtp_port: 465,
        smtp_security: Security::Tls,
        authorization_endpoint: "https://api.fastmail.com/oauth/authorize",
        token_endpoint: "https://api.fastmail.com/oauth/refresh",
        revocation_endpoint: "https://api.fastmail.com/oauth/revoke",
        smtp_scope: "https://www.fastmail.com/dev/protocol-smtp",
        imap_scope: "https://www.fastmail.com/dev/protocol-imap",
        pop_scope: "https://www.fastmail.com/dev/protocol-pop",
        login_scopes: &["offline_access"],
        token_hosts: &["fastmail.com"],
        ..BASE
    },
    Preset {
        name: "yandex",
        smtp_host: "smtp.yandex.com",
        smtp_port: 465,
        smtp_security: Security::Tls,
        authorization_endpoint: "https://oauth.yandex.com/authorize",
        token_endpoint: "https://oauth.yandex.com/token",
        device_authorization_endpoint: "https://oauth.yandex.com/device/code",
        smtp_scope: "mail:smtp",
        imap_scope: "mail:imap_full",
        login_scopes: &[],
        token_hosts: &["yandex.com", "yandex.ru"],
        ..BASE
    },
    Preset {
        name: "comcast",
        smtp_host: "smtp.comcast.net",
        authorization_endpoint: "https://oauth.xfinity.com/oauth/authorize",
        token_endpoint: "https://oauth.xfinity.com/oauth/token",
        smtp_scope: "https://email.comcast.net/",
        imap_scope: "https://email.comcast.net/",
        pop_scope: "https://email.comcast.net/",
        login_scopes: &["profile", "openid"],
        token_hosts: &["comcast.net"],
        ..BASE
    },
    BASE,
    Preset { name: "memory", smtp_host: "memory", max_connections: None, ..BASE },
];

const HVE_IS_APP_ONLY: &str = "High Volume Email accepts only applications: use grant `client_credentials`.";

#[cfg(test)]
mod tests {
    use super::*;

    /// Each provider's facts, as its own pages have them: a slip of the hand here sends people's mail nowhere.
    #[test]
    fn facts_are_pinned() {
        let shown = |name: &str| {
            let p = find(name).unwrap();
            format!(
                "{}:{} {:?} | {} {} {} | {} | {} {} {} | {} | {}",
                p.smtp_host,
                p.smtp_port,
                p.smtp_security,
                p.authorization_endpoint,
                p.token_endpoint,
                p.device_authorization_endpoint,
                p.revocation_endpoint,
                p.smtp_scope,
                p.imap_scope,
                p.app_scope,
                p.login_scopes.join(" "),
                p.token_hosts.join(" ")
            )
        };
        let microsoft = "office365.com outlook.com office365.us apps.mil partner.outlook.cn hve.mx.microsoft";
        let scopes = "https://outlook.office.com/SMTP.Send https://outlook.office.com/IMAP.AccessAsUser.All";
        let login = "openid profile offline_access";
        for (name, facts) in [
            (
                "microsoft365",
                format!("smtp.office365.com:587 Starttls |    |  | {scopes} https://outlook.office365.com/.default | {login} | {microsoft}"),
            ),
            ("outlook", format!("smtp-mail.outlook.com:587 Starttls |    |  | {scopes}  | {login} | {microsoft}")),
            (
                "hve",
                format!("smtp.hve.mx.microsoft:587 Starttls |    |  | {scopes} https://outlook.office.com/.default | {login} | {microsoft}"),
            ),
            (
                "gmail",
                "smtp.gmail.com:465 Tls | https://accounts.google.com/o/oauth2/v2/auth https://oauth2.googleapis.com/token https://oauth2.googleapis.com/device/code | https://oauth2.googleapis.com/revoke | https://mail.google.com/ https://mail.google.com/  | openid email profile | gmail.com google.com googlemail.com".to_owned(),
            ),
            (
                "yahoo",
                "smtp.mail.yahoo.com:465 Tls | https://api.login.yahoo.com/oauth2/request_auth https://api.login.yahoo.com/oauth2/get_token  | https://api.login.yahoo.com/oauth2/revoke | mail-w mail-w  | openid | yahoo.com".to_owned(),
            ),
            (
                "aol",
                "smtp.aol.com:465 Tls | https://api.login.aol.com/oauth2/request_auth https://api.login.aol.com/oauth2/get_token  | https://api.login.aol.com/oauth2/revoke | mail-w mail-w  | openid | aol.com".to_owned(),
            ),
            (
                "fastmail",
                "smtp.fastmail.com:465 Tls | https://api.fastmail.com/oauth/authorize https://api.fastmail.com/oauth/refresh  | https://api.fastmail.com/oauth/revoke | https://www.fastmail.com/dev/protocol-smtp https://www.fastmail.com/dev/protocol-imap  | offline_access | fastmail.com".to_owned(),
            ),
            (
                "yandex",
                "smtp.yandex.com:465 Tls | https://oauth.yandex.com/authorize https://oauth.yandex.com/token https://oauth.yandex.com/device/code |  | mail:smtp mail:imap_full  |  | yandex.com yandex.ru".to_owned(),
            ),
            (
                "comcast",
                "smtp.comcast.net:587 Starttls | https://oauth.xfinity.com/oauth/authorize https://oauth.xfinity.com/oauth/token  |  | https://email.comcast.net/ https://email.comcast.net/  | profile openid | comcast.net".to_owned(),
            ),
        ] {
            assert_eq!(shown(name), facts, "{name}");
        }
        for (name, authority, tenant, ahead, least) in [
            ("microsoft365", "https://login.microsoftonline.com", "organizations", 300, 30),
            ("outlook", "https://login.microsoftonline.com", "consumers", 300, 30),
            ("hve", "https://login.microsoftonline.com", "", 1200, 1200),
        ] {
            let p = find(name).unwrap();
            assert_eq!(
                (p.authority, p.tenant, p.refresh_ahead, p.min_remaining),
                (authority, tenant, ahead, least)
            );
        }
        let asked = find("gmail").unwrap().authorization_parameters;
        assert_eq!(asked, [("access_type", "offline"), ("prompt", "consent")]);
        let refused: Vec<_> = PRESETS
            .iter()
            .flat_map(|p| p.refused_grants.iter().map(move |(grant, _)| format!("{} {grant}", p.name)))
            .collect();
        assert_eq!(
            refused.join(", "),
            "outlook client_credentials, gmail device_code, gmail client_credentials, hve authorization_code, hve device_code, hve refresh_token"
        );
    }

    #[test]
    fn names_are_unique_and_every_provider_can_be_reached() {
        for (at, preset) in PRESETS.iter().enumerate() {
            assert!(!names()[..at].contains(&preset.name));
            let own = ["custom", "memory"].contains(&preset.name);
            assert!(own || preset.smtp_host.contains('.'), "{}", preset.name);
            assert!(own || !preset.token_hosts.is_empty(), "{}", preset.name);
            assert!(
                own || preset.token_hosts.iter().any(|h| preset.smtp_host.ends_with(h)),
                "{} may not send its token to its own server",
                preset.name
            );
        }
    }

    #[test]
    fn microsofts_limits_are_the_published_ones() {
        let preset = find("microsoft365").unwrap();
        assert_eq!((preset.max_connections, preset.max_recipients), (Some(3), 500));
        assert_eq!(preset.recipients_of_a_day, Some(10_000));
        assert_eq!(preset.messages_per_minute, Some(30));
        assert_eq!(find("hve").unwrap().messages_per_minute, None);
        assert_eq!(preset.app_scope, "https://outlook.office365.com/.default");
    }
}
