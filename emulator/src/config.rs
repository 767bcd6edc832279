//! What the emulator is at its start ([`Options`]) and what may change while it runs ([`Config`]).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Whose services are played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Entra ID, and Exchange Online's client submission.
    #[default]
    Microsoft,
    /// Google's OAuth endpoints, and `smtp.gmail.com`.
    Google,
}

/// The certificate that a server shows, good or bad. The CA file holds the same CA in every case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certificate {
    /// For `localhost`, `127.0.0.1` and `::1`, signed by the CA.
    #[default]
    Valid,
    /// Signed by the CA, but no longer valid since yesterday.
    Expired,
    /// Signed by the CA, for `mail.elsewhere.example`.
    WrongName,
    /// For the right names, but signed by itself.
    SelfSigned,
}

/// How the emulator starts. `Options::default()` plays Microsoft without any fault.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Whose services are played; Microsoft's unless said.
    pub dialect: Dialect,
    /// The certificate of the two SMTP ports.
    pub certificate: Certificate,
    /// The certificate of the sign-in service, apart so that a test of SMTP still gets its token.
    pub authority_certificate: Certificate,
    /// The address to listen on; default the loopback interface, which only this machine reaches. The emulator
    /// has no passwords: everybody who reaches it can read its messages and control it.
    pub listen: Option<IpAddr>,
    /// The name under which clients find it, as in a network of containers; default `localhost`. It is in the
    /// certificates, the settings and the addresses.
    pub hostname: Option<String>,
    /// Fixed ports; default free ones.
    pub ports: Ports,
    /// What may also be changed later.
    pub config: Config,
}

/// The ports of the four servers; 0 for a free one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ports {
    /// The page and `/api`, over HTTP.
    pub page: u16,
    /// The sign-in service, over HTTPS.
    pub sign_in: u16,
    /// SMTP with STARTTLS.
    pub smtp: u16,
    /// SMTP over TLS.
    pub smtps: u16,
}

/// What a refresh does to the refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    /// A new one each time; the old one stays valid (Entra's way).
    Entra,
    /// A new one each time; the old one, used again, revokes the whole family (RFC 9700 §4.14.2).
    ReuseDetection,
    /// The same one for ever; a refresh answers without a refresh token (Google's way).
    None,
}

/// The addresses that may stand in the header From beside the authenticated mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SendAs {
    /// Anybody.
    #[default]
    Allow,
    /// No others: `554 5.2.252 SendAsDenied`.
    Deny,
    /// These addresses and no others.
    #[serde(untagged)]
    Only(Vec<String>),
}

/// How a refused token is told to an SMTP client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthRefusal {
    /// `535` at once, as Exchange does.
    Direct,
    /// `334` with JSON, an answer from the client, then `535`, as Google and Dovecot do.
    Challenge,
}

/// Everything that may change while the emulator runs. Times are seconds, sizes octets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Offer STARTTLS on the plain port. Default true.
    pub starttls: bool,
    /// The words after `AUTH` in the EHLO reply; default the dialect's own.
    pub mechanisms: Option<Vec<String>>,
    /// EHLO keywords to leave out, such as `PIPELINING`; what is left out is also not understood.
    pub without: Vec<String>,
    /// EHLO lines to add, as they are to be sent.
    pub extensions: Vec<String>,
    /// Longest command line that is taken, without its CRLF: 512 (RFC 5321), 1024 (Dovecot), 12288.
    /// A longer one gets 500 (Google: 555). Responses in a two-step AUTH are not bound by it.
    pub max_line: Option<usize>,
    /// Send a reply in clear text right behind the 220 of STARTTLS, as an attacker would.
    pub plaintext_before_tls: bool,
    /// How refused tokens are told; default the dialect's way.
    pub auth_refusal: Option<AuthRefusal>,
    /// Largest message; default what the dialect's server says in `SIZE`.
    pub size_limit: Option<u64>,
    /// Recipients taken per message; default 500 (Google 100). More get 452 4.5.3.
    pub max_recipients: Option<usize>,
    /// Concurrent connections per mailbox, more get 432 4.3.2 at AUTH. Default none; Exchange's is 3.
    pub max_connections: Option<usize>,
    /// Whom the header From may name. Default anybody.
    pub send_as: SendAs,
    /// Tell a refusal of the client or of the sender only in answer to RCPT, as Postfix does
    /// (`smtpd_delay_reject`). Default false.
    pub delayed_refusals: bool,
    /// Take a message whose Message-ID was seen before with 250 and drop it, as Exchange does. Default false.
    pub drop_duplicates: bool,
    /// Seconds without a command or body byte until 421. Default 300.
    pub idle_timeout: f64,
    /// Seconds that pass before every SMTP write, to play distance. Default 0.
    pub latency: f64,
    /// Messages kept; the oldest go first. Default 10 000 (and 512 MiB).
    pub keep: usize,

    /// Lifetime of access tokens. Default 3599.
    pub token_lifetime: u64,
    /// Send `expires_in` as a string, as some services do. Default false.
    pub expires_in_as_string: bool,
    /// Leave `expires_in` out of the answer. Default false.
    pub without_expires_in: bool,
    /// Leave `scope` out of the answer. Default false.
    pub without_scope: bool,
    /// `token_type` in the answer. Default `Bearer`.
    pub token_type: String,
    /// Refresh tokens' rotation; default the dialect's way.
    pub refresh_rotation: Option<Rotation>,
    /// How far the server's clock is ahead of this machine's (negative: behind). Default 0.
    pub clock_skew: i64,
    /// Octets added to each JWT, so that it is as long as real ones are. Default 600.
    pub token_padding: usize,
    /// What an app-only token may do. Default `SMTP.SendAsApp`; empty plays a missing permission.
    pub app_roles: Vec<String>,
    /// The secret of the confidential client; change it to play a rotated secret.
    pub client_secret: String,
    /// Redirect URIs of both clients. A loopback one matches on any port, its path compared (RFC 8252 §7.3).
    pub redirect_uris: Vec<String>,
    /// Lifetime of an authorization code. Default 600.
    pub code_lifetime: u64,
    /// Lifetime of a device code. Default 900.
    pub device_lifetime: u64,
    /// Seconds between two polls of a device; faster ones get `slow_down`. Default 5, 0 for no limit.
    pub device_interval: u64,
    /// `iss` in the callback; default Google's, and none for Microsoft. `""` sends none.
    pub callback_iss: Option<String>,
    /// Put CR LF between the parts of `error_description`, as Entra did and its documents show. Default false.
    pub crlf_descriptions: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            starttls: true,
            mechanisms: None,
            without: Vec::new(),
            extensions: Vec::new(),
            max_line: None,
            plaintext_before_tls: false,
            auth_refusal: None,
            size_limit: None,
            max_recipients: None,
            max_connections: None,
            send_as: SendAs::Allow,
            delayed_refusals: false,
            drop_duplicates: false,
            idle_timeout: 300.0,
            latency: 0.0,
            keep: 10_000,
            token_lifetime: 3599,
            expires_in_as_string: false,
            without_expires_in: false,
            without_scope: false,
            token_type: "Bearer".into(),
            refresh_rotation: None,
            clock_skew: 0,
            token_padding: 600,
            app_roles: vec!["SMTP.SendAsApp".into()],
            client_secret: crate::defaults::DEFAULT_CLIENT_SECRET.into(),
            redirect_uris: vec![
                "http://localhost".into(),
                crate::defaults::DEFAULT_REDIRECT_URI.into(),
                "https://login.microsoftonline.com/common/oauth2/nativeclient".into(),
            ],
            code_lifetime: 600,
            device_lifetime: 900,
            device_interval: 5,
            callback_iss: None,
            crlf_descriptions: false,
        }
    }
}

impl Config {
    /// This configuration with the members of `changes` put over it; `null` brings a default back.
    ///
    /// # Errors
    /// Says which option is unknown or has the wrong type; nothing is changed then.
    pub fn merged(&self, changes: &Value) -> Result<Self, String> {
        let Value::Object(changes) = changes else {
            return Err("the configuration must be an object".into());
        };
        let mut whole = match serde_json::to_value(self) {
            Ok(Value::Object(whole)) => whole,
            Ok(_) => return Err("the configuration is not an object".into()),
            Err(error) => return Err(error.to_string()),
        };
        for (name, value) in changes {
            if value.is_null() && whole.contains_key(name) {
                whole.remove(name);
            } else {
                whole.insert(name.clone(), value.clone());
            }
        }
        let merged: Self = serde_json::from_value(Value::Object(whole)).map_err(|error| error.to_string())?;
        merged.checked()
    }

    /// Gives the configuration back if its numbers make sense.
    pub(crate) fn checked(self) -> Result<Self, String> {
        for (name, seconds) in [("idle_timeout", self.idle_timeout), ("latency", self.latency)] {
            if !(0.0..=86_400.0).contains(&seconds) {
                return Err(format!("`{name}` must be from 0 to 86400 seconds"));
            }
        }
        if self.token_padding > 65_536 {
            return Err("`token_padding` must be at most 65536".into());
        }
        Ok(self)
    }

    pub(crate) fn offers(&self, keyword: &str) -> bool {
        !self.without.iter().any(|without| without.eq_ignore_ascii_case(keyword))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changes_are_merged_and_null_brings_the_default_back() {
        let config = Config::default()
            .merged(&json!({"max_line": 512, "token_lifetime": 60, "send_as": ["a@b.example"]}))
            .unwrap();
        assert_eq!(config.max_line, Some(512));
        assert_eq!(config.send_as, SendAs::Only(vec!["a@b.example".into()]));
        let config = config.merged(&json!({"token_lifetime": null, "send_as": "deny"})).unwrap();
        assert_eq!((config.token_lifetime, config.max_line), (3599, Some(512)));
        assert_eq!(config.send_as, SendAs::Deny);
    }

    #[test]
    fn an_unknown_option_is_named() {
        let error = Config::default().merged(&json!({"startls": false})).unwrap_err();
        assert!(error.contains("startls"), "{error}");
        assert!(Config::default().merged(&json!({"latency": -1})).is_err());
        assert!(Config::default().merged(&json!([])).is_err());
    }
}
